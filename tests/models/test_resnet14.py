"""The residual network of the papers: size, and its arithmetic written out a second time."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from goldvein.errors import InputError
from goldvein.models.resnet14 import Block, ResNet14


def test_cifar10_has_175626_parameters() -> None:
    net = ResNet14((3, 32, 32), 10)
    assert sum(p.numel() for p in net.parameters()) == 175_626
    without_bias = sum(p.numel() for p in net.parameters()) - sum(
        m.bias.numel() for m in net.modules() if isinstance(m, nn.Conv2d) and m.bias is not None
    )
    assert without_bias == 175_066


def test_fourteen_layers() -> None:
    net = ResNet14((3, 32, 32), 10)
    kernels = [m.kernel_size for m in net.modules() if isinstance(m, nn.Conv2d)]
    assert kernels.count((3, 3)) == 13  # and the dense layer
    assert kernels.count((1, 1)) == 2  # where the channels change


def test_a_block_activates_first_and_adds_the_raw_input() -> None:
    torch.manual_seed(0)
    block = Block(4, 6, stride=2, first=False, dropout=0.0).eval()
    block.norm1.running_mean.uniform_()
    x = torch.randn(2, 4, 8, 8)
    h = block.conv1(F.relu(block.norm1(x)))
    expected = block.conv2(F.relu(block.norm2(h))) + F.conv2d(x, block.shortcut.weight, block.shortcut.bias, stride=2)
    torch.testing.assert_close(block(x), expected)
    assert expected.shape == (2, 6, 4, 4)


def test_the_first_block_leaves_activation_to_the_stem() -> None:
    block = Block(4, 4, stride=1, first=True, dropout=0.0).eval()
    x = torch.randn(2, 4, 5, 5)
    torch.testing.assert_close(block(x), x + block.conv2(F.relu(block.norm2(block.conv1(x)))))


def test_dropout_lies_between_the_convolutions() -> None:
    torch.manual_seed(0)
    block = Block(4, 4, stride=1, first=False, dropout=0.5)
    block.norm1.eval()
    block.norm2.eval()
    x = torch.randn(2, 4, 5, 5)
    first, second = block(x), block(x)
    assert not torch.equal(first, second)
    block.dropout.p = 1.0  # nothing passes but the shortcut and the last bias
    torch.testing.assert_close(block(x), x + block.conv2.bias[:, None, None])


def test_any_size_of_image() -> None:
    assert ResNet14((1, 9, 13), 4)(torch.zeros(2, 1, 9, 13)).shape == (2, 4)
    assert ResNet14((1, 9, 13), 4).features(torch.zeros(2, 1, 9, 13)).shape == (2, 64)


@pytest.mark.parametrize("shape", [(7,), (3, 4, 12), (3, 12, 4)])
def test_inputs_that_are_no_images(shape: tuple[int, ...]) -> None:
    with pytest.raises(InputError, match=r"resnet14 was given inputs of shape .* images of at least 5 x 5 pixels"):
        ResNet14(shape, 2)
