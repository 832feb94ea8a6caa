"""Networks by name, and computing in bfloat16."""

from __future__ import annotations

import sys
from typing import Any

import pytest
import torch
from torch import nn

from goldvein.errors import InputError
from goldvein.models import Network
from goldvein.training.device import LowPrecision, has_bfloat16
from goldvein.training.network import (
    build_network,
    count_features,
    default_model,
    require_linear_head,
    require_network,
    without_head,
)


@pytest.mark.parametrize(
    ("shape", "name"),
    [((3,), "mlp"), ((1, 28, 28), "mlp"), ((1, 32, 32), "mlp"), ((1, 33, 32), "resnet14"), ((3, 8, 8), "resnet14")],
)
def test_auto(shape: tuple[int, ...], name: str) -> None:
    assert default_model(shape) == name
    assert type(build_network("auto", shape, 3)).__name__.lower() == name


def test_a_callable_gets_shape_and_classes() -> None:
    net = build_network(lambda shape, n_classes, bias=True: nn.Linear(shape[0], n_classes, bias), (4,), 3, bias=False)
    assert net.weight.shape == (3, 4)
    assert net.bias is None


def test_a_factory_of_another_package() -> None:
    net = build_network("goldvein.models.mlp:MLP", (4,), 3, hidden=(2,))
    assert net(torch.zeros(1, 4)).shape == (1, 3)


def test_any_keyword_goes_to_a_factory_that_takes_any() -> None:
    seen = {}
    build_network(lambda shape, n_classes, **params: seen.update(params), (4,), 3, depth=2)
    assert seen == {"depth": 2}


@pytest.mark.parametrize(
    ("model", "message"),
    [
        ("resnet41", "unknown model 'resnet41': did you mean 'resnet14'"),
        ("torch.nn:Nothing", r"'torch.nn:Nothing' cannot be imported .*importable from here"),
        ("no.such.module:net", "cannot be imported"),
    ],
)
def test_names_that_do_not_exist(model: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        build_network(model, (4,), 3)


def test_unknown_parameter() -> None:
    with pytest.raises(InputError, match=r"unknown parameter 'width' of model 'mlp': known: hidden, dropout"):
        build_network("mlp", (4,), 3, width=7)


def test_timm_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "timm", None)
    with pytest.raises(InputError, match="pip install timm"):
        build_network("timm:resnet50", (3, 8, 8), 2)


def test_low_precision_returns_float32_near_float32() -> None:
    torch.manual_seed(0)
    net = build_network("resnet14", (3, 8, 8), 5).eval()
    x = torch.randn(6, 3, 8, 8)
    exact = net(x)
    low = LowPrecision(net)
    rough = low(x)
    assert rough.dtype == torch.float32
    assert not torch.equal(rough, exact)
    torch.testing.assert_close(rough, exact, atol=0.05 * exact.abs().max().item(), rtol=0)
    rough.sum().backward()
    assert all(p.grad is not None and p.grad.dtype == torch.float32 for p in low.parameters())


def test_low_precision_takes_vectors() -> None:
    assert LowPrecision(build_network("mlp", (4,), 3))(torch.zeros(2, 4)).dtype == torch.float32


def test_has_bfloat16_answers() -> None:
    assert isinstance(has_bfloat16(torch.device("cpu")), bool)
    assert has_bfloat16(torch.device("meta")) is False


def test_a_network_is_features_and_a_head() -> None:
    for name, shape in (("mlp", (4,)), ("resnet14", (3, 8, 8)), ("conv13", (3, 32, 32)), ("resnet50", (3, 8, 8))):
        net = build_network(name, shape, 3).eval()
        assert isinstance(net, Network)
        x = torch.randn(2, *shape)
        torch.testing.assert_close(net.head(net.features(x)), net(x))
        assert require_linear_head(LowPrecision(net), "it")[1] is net.head


def test_a_network_without_them_is_refused_where_they_are_needed() -> None:
    plain = nn.Linear(4, 3)
    assert not isinstance(LowPrecision(plain), Network)
    with pytest.raises(InputError, match=r"needs a network with `features`.*Linear has no `features` and `head`"):
        require_network(plain, "this method")
    deep = build_network("mlp", (4,), 3)
    deep.head = nn.Sequential(deep.head)
    with pytest.raises(InputError, match="`head` of MLP is a Sequential"):
        require_linear_head(deep, "this method")


@pytest.mark.parametrize(
    ("model", "shape", "params", "n"),
    [("mlp", (4,), {"hidden": (9, 7)}, 7), ("resnet14", (3, 8, 8), {}, 64), ("conv13", (1, 12, 12), {}, 128)],
)
def test_the_number_of_features(model: str, shape: tuple[int, ...], params: dict[str, Any], n: int) -> None:
    net = build_network(model, shape, 3, **params)
    before = {name: value.clone() for name, value in net.state_dict().items()}
    for training in (True, False):
        assert count_features(net.train(training), shape, "this test") == n
        assert net.training == training
    assert all(torch.equal(value, before[name]) for name, value in net.state_dict().items())  # batch norms too
    assert count_features(LowPrecision(net), shape, "this test") == n
    with pytest.raises(InputError, match="this test needs a network with `features`"):
        count_features(nn.Linear(4, 3), (4,), "this test")


def test_a_network_whose_head_is_gone() -> None:
    net = build_network("mlp", (4,), 3, hidden=(7,), dropout=0.0).eval()
    x = torch.randn(5, 4)
    features = net.features(x)
    bare = without_head(net)
    assert bare is net
    assert not any(name.startswith("head") for name in bare.state_dict())
    torch.testing.assert_close(bare(x), features)
    wrapped = without_head(LowPrecision(build_network("resnet14", (3, 8, 8), 3)))
    assert not any("head" in name for name in wrapped.state_dict())
    assert wrapped(torch.randn(2, 3, 8, 8)).shape == (2, 64)
