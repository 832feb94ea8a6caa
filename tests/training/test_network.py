"""A network in low precision: the same weights under the same names, and nearly the same numbers."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Iterator

import pytest
import torch
from torch import nn

from goldvein import NoisyLabelClassifier
from goldvein.models.resnet14 import ResNet14
from goldvein.training.device import LowPrecision, few_threads
from goldvein.training.method import Method
from goldvein.training.task import Batch, Terms


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


@pytest.fixture
def three_threads() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(3)
    yield
    torch.set_num_threads(before)


@pytest.mark.parametrize(
    ("net", "n"),
    [(nn.Linear(1000, 1000), 1), (nn.Linear(1300, 1300), 3), (nn.Conv2d(1, 1, 3), 3)],
    ids=["small", "large", "convolutions"],
)
def test_a_small_network_has_one_thread(three_threads: None, net: nn.Module, n: int) -> None:
    with few_threads(net):
        assert torch.get_num_threads() == n
    assert torch.get_num_threads() == 3


def test_a_failed_training_gives_the_threads_back(three_threads: None) -> None:
    class Fails(Method):
        def loss(self, batch: Batch) -> Terms:
            raise RuntimeError(f"{torch.get_num_threads()} thread")

    with pytest.raises(RuntimeError, match="1 thread"):
        NoisyLabelClassifier(Fails(), epochs=1).fit([[0.0], [1.0]] * 10, [0, 1] * 10)
    assert torch.get_num_threads() == 3


def test_trainings_side_by_side_give_the_threads_back(three_threads: None) -> None:
    first, second = few_threads(nn.Linear(2, 2)), few_threads(nn.Linear(2, 2))
    first.__enter__()
    second.__enter__()
    first.__exit__(None, None, None)  # in the order in which two fits of joblib's threads may end
    assert torch.get_num_threads() == 1
    second.__exit__(None, None, None)
    assert torch.get_num_threads() == 3
