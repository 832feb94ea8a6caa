"""The bottleneck networks: size, shapes, and a block's arithmetic written out a second time."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from goldvein.errors import InputError
from goldvein.models.resnet50 import Bottleneck, ResNet50
from goldvein.models.resnet101 import ResNet101


@pytest.mark.parametrize(("network", "size"), [(ResNet50, 25_557_032), (ResNet101, 44_549_160)])
def test_imagenet_size_of_torchvision(network: type[ResNet50], size: int) -> None:
    with torch.device("meta"):
        net = network((3, 224, 224), 1000, stem="imagenet")
    assert sum(p.numel() for p in net.parameters()) == size
    assert sum(isinstance(m, nn.Conv2d | nn.Linear) for m in net.modules()) == 4 + int(type(net).__name__[6:])


def test_names_of_torchvision() -> None:
    with torch.device("meta"):
        state = ResNet50((3, 224, 224), 1000).state_dict()
    assert len(state) == 320
    assert list(state)[:6] == [
        *("conv1.weight", "bn1.weight", "bn1.bias", "bn1.running_mean", "bn1.running_var", "bn1.num_batches_tracked")
    ]
    assert list(state)[-2:] == ["fc.weight", "fc.bias"]
    assert state["layer1.0.downsample.0.weight"].shape == (256, 64, 1, 1)
    assert state["layer3.5.conv2.weight"].shape == (256, 256, 3, 3)
    assert state["layer4.2.bn3.running_var"].shape == (2048,)


def shapes(net: ResNet50, x: Tensor) -> list[int]:
    """Pixels a side after the stem and each stage."""
    sides: list[int] = []
    for part in (net.maxpool, net.layer1, net.layer2, net.layer3, net.layer4):
        part.register_forward_hook(lambda module, given, out: sides.append(out.shape[-1]))
    net(x)
    return sides


def test_the_stem_follows_the_image() -> None:
    with torch.device("meta"):
        large, small, asked = (
            ResNet50((3, 224, 224), 4),
            ResNet50((1, 32, 32), 4),
            ResNet50((3, 32, 32), 4, stem="imagenet"),
        )
        assert shapes(large, torch.empty(2, 3, 224, 224)) == [56, 56, 28, 14, 7]
        assert shapes(small, torch.empty(2, 1, 32, 32)) == [32, 32, 16, 8, 4]
        assert shapes(asked, torch.empty(2, 3, 32, 32)) == [8, 8, 4, 2, 1]
    with pytest.raises(InputError, match="unknown stem 'smal': did you mean 'small'"):
        ResNet50((3, 32, 32), 4, stem="smal")


def test_a_block_adds_its_input_before_the_last_relu() -> None:
    torch.manual_seed(0)
    block = Bottleneck(6, 2, stride=2).eval()
    for norm in (block.bn1, block.bn2, block.bn3):
        norm.running_mean.normal_()
        norm.running_var.uniform_(0.5, 2)
    x = torch.randn(2, 6, 5, 5)
    h = F.relu(block.bn1(F.conv2d(x, block.conv1.weight)))
    h = F.relu(block.bn2(F.conv2d(h, block.conv2.weight, stride=2, padding=1)))
    expected = F.relu(block.bn3(F.conv2d(h, block.conv3.weight)) + block.downsample(x))
    torch.testing.assert_close(block(x), expected)
    assert expected.shape == (2, 8, 3, 3)


def test_a_block_that_keeps_the_shape_has_no_shortcut_weights() -> None:
    block = Bottleneck(8, 2, stride=1).eval()
    nn.init.zeros_(block.bn3.weight)
    x = torch.randn(1, 8, 3, 3)
    torch.testing.assert_close(block(x), F.relu(x))
    assert sum(p.numel() for p in block.parameters()) == 8 * 2 + 9 * 2 * 2 + 2 * 8 + 2 * (2 + 2 + 8)


def test_logits_are_the_head_of_the_features() -> None:
    torch.manual_seed(0)
    net = ResNet50((1, 12, 12), 3).eval()
    x = torch.randn(2, 1, 12, 12)
    features = net.features(x)
    assert features.shape == (2, 2048)
    torch.testing.assert_close(net(x), net.head(features))
