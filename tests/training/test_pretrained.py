"""Weights of a file: which fit, which are left out, and what is refused."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from goldvein import NoisyLabelClassifier
from goldvein.errors import InputError
from goldvein.models.resnet14 import ResNet14
from goldvein.training.network import build_network
from goldvein.training.pretrained import load_weights

State = dict[str, Tensor]


@pytest.fixture
def write(tmp_path: Path) -> Callable[[Any], Path]:
    def write(content: Any) -> Path:
        torch.save(content, tmp_path / "weights.pth")
        return tmp_path / "weights.pth"

    return write


def small(n_classes: int) -> ResNet14:
    return ResNet14((3, 8, 8), n_classes)


@pytest.mark.parametrize("suffix", [".pth", ".safetensors"])
def test_all_but_a_last_layer_of_other_classes(tmp_path: Path, suffix: str) -> None:
    source = small(1000).state_dict()
    path = tmp_path / f"imagenet{suffix}"
    save_file(source, path) if suffix == ".safetensors" else torch.save(source, path)
    torch.manual_seed(1)
    fresh = small(14).state_dict()
    torch.manual_seed(1)
    net = build_network("resnet14", (3, 8, 8), 14, weights=str(path))
    head = [name for name in fresh if fresh[name].shape != source[name].shape]
    assert len(head) == 2
    for name, value in net.state_dict().items():
        assert torch.equal(value, fresh[name] if name in head else source[name]), name


def test_the_last_layer_comes_too_where_it_fits(write: Callable[[State], Path]) -> None:
    source = small(14)
    net = small(14)
    load_weights(net, write(source.state_dict()))
    x = torch.randn(2, 3, 8, 8)
    assert torch.equal(net.eval()(x), source.eval()(x))


def test_counters_of_batch_norms_may_be_missing(write: Callable[[State], Path]) -> None:
    state = {name: value for name, value in small(4).state_dict().items() if "num_batches" not in name}
    net = small(4)
    load_weights(net, write(state))
    assert all(torch.equal(net.state_dict()[name], value) for name, value in state.items())


def test_what_belongs_to_another_network(write: Callable[[State], Path]) -> None:
    state = small(4).state_dict()
    name = next(iter(state))
    with pytest.raises(InputError, match=f"has no '{name}', which the network has"):
        load_weights(small(4), write({key: value for key, value in state.items() if key != name}))
    with pytest.raises(InputError, match=r"has 'layer9\.weight', which the network lacks"):
        load_weights(small(4), write({**state, "layer9.weight": torch.ones(1)}))
    with pytest.raises(InputError, match=rf"'{name}' of .* has shape \(1,\), and the network's is"):
        load_weights(small(4), write({**state, name: torch.ones(1)}))


class Trap:
    """What a pickle would execute."""

    def __reduce__(self) -> tuple[Any, ...]:
        return (pytest.fail, ("the file was executed",))


@pytest.mark.parametrize(
    ("content", "message"),
    [(Trap(), "cannot be read|can be read safely"), ([1, 2], "no state dict"), ({"epoch": 3}, "no state dict")],
    ids=["code", "list", "numbers"],
)
def test_what_is_no_state_dict(write: Callable[[Any], Path], content: Any, message: str) -> None:
    with pytest.raises(InputError, match=message):
        load_weights(nn.Linear(2, 2), write(content))


def test_files_that_are_not_there_or_damaged(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"none\.safetensors does not exist"):
        load_weights(nn.Linear(2, 2), tmp_path / "none.safetensors")
    for name in ("a.safetensors", "a.pth"):
        (tmp_path / name).write_bytes(b"\x80nothing")
        with pytest.raises(InputError, match=f"{name} has no weights"):
            load_weights(nn.Linear(2, 2), tmp_path / name)


def test_training_begins_with_them(write: Callable[[State], Path]) -> None:
    x, y = torch.randn(20, 4).numpy(), [0, 1] * 10
    net = build_network("mlp", (4,), 2, hidden=(3,))
    params = {"hidden": (3,), "weights": str(write(net.state_dict()))}
    options = {"model": "mlp", "epochs": 1, "normalize": "none", "random_state": 0}
    model = NoisyLabelClassifier("cross_entropy", lr=1e-9, model_params=params, **options).fit(x, y)
    torch.testing.assert_close(torch.as_tensor(model.predict_proba(x)), net.eval()(torch.as_tensor(x)).softmax(1))
