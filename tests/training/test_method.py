"""What every method has from its class: hyper-parameters, also those of its parent, and what it says by default."""

from __future__ import annotations

import inspect
import pickle
from collections.abc import Callable
from typing import Any

import pytest
import torch
from sklearn.base import clone

from goldvein.config.build import build_method
from goldvein.errors import InputError
from goldvein.methods._variational import GenerativeMethod
from goldvein.methods.m_vae import MVAE
from goldvein.methods.mean_teacher import MeanTeacher
from goldvein.methods.umn import UMN
from goldvein.training.method import Method, Report
from goldvein.training.run import Run

OF_PARENT = ["weight", "release", "least", "noise", "z_a", "z_b", "hidden", "likelihood", "precision"]


@pytest.mark.parametrize(("kind", "own"), [(UMN, ["labeled", "metric", "decay"]), (MVAE, ["noise_rate", "transition"])])
def test_a_method_has_the_hyper_parameters_of_its_parent(kind: type[GenerativeMethod], own: list[str]) -> None:
    assert list(inspect.signature(kind).parameters) == [*own, *OF_PARENT]
    params = kind().get_params()
    assert params.keys() == {*own, *OF_PARENT}
    assert {name: params[name] for name in OF_PARENT} == GenerativeMethod().get_params()
    method = kind(z_a=5, noise=0.0)
    assert method.get_params() == {**params, "z_a": 5, "noise": 0.0}
    assert repr(kind(z_a=5)) == f"{kind.__name__}(z_a=5)"


def test_they_are_set_copied_and_sent() -> None:
    method = UMN(z_a=5)
    assert method.set_params(z_a=7, decay=0.5, least=0.01) is method
    assert (method.z_a, method.decay, method.least) == (7, 0.5, 0.01)
    for other in (clone(method), pickle.loads(pickle.dumps(method))):
        assert other is not method
        assert other.get_params() == method.get_params()
        assert repr(other) == "UMN(decay=0.5, least=0.01, z_a=7)"
    with pytest.raises(ValueError, match="Invalid parameter 'z_c' for estimator UMN"):
        method.set_params(z_c=1)


def test_they_are_built_from_text() -> None:
    assert (
        build_method("umn", {"z_a": "5", "release": [0.2, 0.4]}).get_params()
        == UMN(z_a=5, release=(0.2, 0.4)).get_params()
    )
    with pytest.raises(InputError, match=r"least=2\.0"):
        build_method("umn", {"least": "2.0"})
    with pytest.raises(InputError, match="unknown hyper-parameter 'z_c'"):
        build_method("umn", {"z_c": "5"})


def test_an_unknown_keyword_is_refused() -> None:
    with pytest.raises(TypeError, match="unexpected keyword argument 'z_c'"):
        UMN(z_c=5)
    with pytest.raises(TypeError, match="unexpected keyword argument 'z_c'"):
        MVAE(0.3, z_c=5)


def test_a_grandchild_has_all_of_them_and_may_change_a_default() -> None:
    class Later(UMN):
        def __init__(self, power: float = 2.0, decay: float = 0.9, **umn: Any) -> None:
            super().__init__(decay=decay, **umn)
            self.power = power

    class Plain(Later):
        pass

    for kind in (Later, Plain):
        method = kind(z_b=3)
        assert method.get_params() == {**UMN(z_b=3).get_params(), "power": 2.0, "decay": 0.9}
        assert clone(kind(labeled="ce")).labeled == "ce"
        assert repr(method) == f"{kind.__name__}(z_b=3)"


def test_a_method_may_be_no_more_than_a_loss(start: Callable[..., Run], blobs: Any) -> None:
    run = start(Method(), blobs.x, blobs.y)
    assert run.module.report() == Report(kept=None, transition=None)
    assert run.module.scores(run) == {}
    probs, trained_on = run.module.evidence(run)
    assert torch.equal(probs, run.judge())
    assert torch.equal(trained_on, run.task.y)
    with pytest.raises(NotImplementedError):
        run.module.train_on(run)


@pytest.mark.parametrize("inner", [UMN, MeanTeacher])
def test_an_outer_method_behaves_like_the_inner(inner: type[Method]) -> None:
    outer = Method()
    outer.behave_like(inner())
    for name in ("views", "over", "min_updates", "uses_validation", "suspicious_if_high"):
        assert getattr(outer, name) == getattr(inner, name)
    assert Method().views == ("weak",)
    assert Method().uses_validation
