"""The perceptron of the papers: size, weights, dropout."""

from __future__ import annotations

import torch
from torch import nn

from goldvein.models.mlp import MLP


def test_mnist_has_118282_parameters() -> None:
    for shape in ((784,), (1, 28, 28)):
        assert sum(p.numel() for p in MLP(shape, 10).parameters()) == 118_282


def test_weights_are_he_normal() -> None:
    torch.manual_seed(0)
    weight = MLP((784,), 10).features[1].weight
    assert abs(weight.std().item() - (2 / 784) ** 0.5) < 1e-3
    assert abs(weight.mean().item()) < 1e-3


def test_biases_start_at_zero() -> None:
    assert all(p.abs().max() == 0 for name, p in MLP((5,), 3).named_parameters() if name.endswith("bias"))


def test_dropout_follows_each_hidden_layer() -> None:
    kinds = [type(layer) for layer in MLP((4,), 2, hidden=(3, 3), dropout=0.4).features]
    assert kinds == [nn.Flatten] + [nn.Linear, nn.ReLU, nn.Dropout] * 2
    assert {layer.p for layer in MLP((4,), 2, dropout=0.4).features if isinstance(layer, nn.Dropout)} == {0.4}


def test_images_are_flattened_to_the_logits_of_their_pixels() -> None:
    torch.manual_seed(0)
    net = MLP((2, 3, 4), 5, hidden=()).eval()
    x = torch.randn(7, 2, 3, 4)
    torch.testing.assert_close(net(x), x.reshape(7, 24) @ net.head.weight.T + net.head.bias)
