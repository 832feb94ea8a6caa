"""A network in low precision: the same weights under the same names, and nearly the same numbers."""

from __future__ import annotations

import copy
import pickle

import torch
from torch import nn

from goldvein.models.resnet14 import ResNet14
from goldvein.network import LowPrecision


def test_names_of_weights_are_those_of_the_network_itself() -> None:
    plain = ResNet14((3, 8, 8), 4)
    wrapped = LowPrecision(copy.deepcopy(plain))
    assert sorted(wrapped.state_dict()) == sorted(plain.state_dict())
    other = ResNet14((3, 8, 8), 4)
    other.load_state_dict(wrapped.state_dict())
    wrapped.load_state_dict(other.state_dict())
    assert torch.equal(other.head.weight, plain.head.weight)


def test_it_can_be_part_of_a_larger_network() -> None:
    net = nn.Sequential(LowPrecision(ResNet14((3, 8, 8), 4)), nn.BatchNorm1d(4))
    bare = nn.Sequential(ResNet14((3, 8, 8), 4), nn.BatchNorm1d(4))
    bare.load_state_dict(net.state_dict())
    net.load_state_dict(bare.state_dict())
    assert "0.head.weight" in net.state_dict()
    again = pickle.loads(pickle.dumps(net))
    again.load_state_dict(bare.state_dict())


def test_numbers_are_near_those_of_float32() -> None:
    plain = ResNet14((3, 8, 8), 4).eval()
    wrapped = LowPrecision(copy.deepcopy(plain))
    x = torch.rand(5, 3, 8, 8)
    assert wrapped(x).dtype == torch.float32
    torch.testing.assert_close(wrapped(x), plain(x), rtol=0.1, atol=0.1)
    assert wrapped.features(x).shape == (5, 64)
    torch.testing.assert_close(wrapped.head(wrapped.features(x)), plain(x), rtol=0.1, atol=0.1)
