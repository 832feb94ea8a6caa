"""The 13-layer network: size, the shapes on its way, and what it refuses."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from goldvein.errors import InputError
from goldvein.models.conv13 import Conv13, layer


def test_cifar10_has_3121802_parameters() -> None:
    with torch.device("meta"):
        net = Conv13((3, 32, 32), 10)
    assert sum(p.numel() for p in net.parameters()) == 3_121_802
    weights = [m.weight.numel() for m in net.modules() if isinstance(m, nn.Conv2d | nn.Linear)]
    assert sum(weights) == 3_117_696
    assert len(weights) == 10


def test_shapes_on_the_way() -> None:
    with torch.device("meta"):
        net = Conv13((3, 32, 32), 10)
        x, seen = torch.empty(2, 3, 32, 32), [(3, 32)]
        for module in net.layers:
            x = module(x)
            if seen[-1] != (x.shape[1], x.shape[2]):
                seen.append((x.shape[1], x.shape[2]))
    assert seen == [(3, 32), (128, 32), (128, 16), (256, 16), (256, 8), (512, 6), (256, 6), (128, 6)]
    assert [type(m) for m in net.layers if not isinstance(m, nn.Sequential)] == [nn.MaxPool2d, nn.Dropout] * 2


def test_a_layer_is_convolution_norm_and_leaky_relu() -> None:
    torch.manual_seed(0)
    part = layer(2, 3).eval()
    part[1].running_mean.normal_()
    x = torch.randn(2, 2, 4, 4)
    h = part[1](F.conv2d(x, part[0].weight, padding=1))
    torch.testing.assert_close(part(x), torch.where(h > 0, h, 0.1 * h))


def test_features_are_the_mean_over_the_image_and_the_head_follows() -> None:
    torch.manual_seed(0)
    net = Conv13((1, 12, 14), 4).eval()
    x = torch.randn(2, 1, 12, 14)
    torch.testing.assert_close(net.features(x), net.layers(x).flatten(2).mean(2))
    torch.testing.assert_close(net(x), net.head(net.features(x)))


def test_dropout_is_random_in_training_and_can_be_taken_out() -> None:
    torch.manual_seed(0)
    x = torch.randn(4, 1, 12, 12)
    net = Conv13((1, 12, 12), 3)
    assert not torch.equal(net(x), net(x))
    net = Conv13((1, 12, 12), 3, dropout=0.0)
    torch.testing.assert_close(net(x), net(x))


@pytest.mark.parametrize("shape", [(3, 11, 32), (784,)])
def test_too_small_or_no_image(shape: tuple[int, ...]) -> None:
    with pytest.raises(InputError, match=r"at least 12 x 12 pixels; choose another network"):
        Conv13(shape, 3)
