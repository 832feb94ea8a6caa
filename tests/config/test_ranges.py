"""Every number that a user gives is held against its range, once and in one place."""

from __future__ import annotations

import inspect
import math
import re
from types import NoneType
from typing import Annotated, Any

import numpy as np
import pytest

from goldvein.classifier import NoisyLabelClassifier
from goldvein.config import names as byname
from goldvein.config.build import build_method
from goldvein.config.ranges import Choice, Range, Rising, TwoCounts, allowed_by, check, parts, type_hints
from goldvein.errors import InputError
from goldvein.methods.two_stage import TwoStage
from goldvein.methods.umn import UMN
from goldvein.selectors.confidence import Confidence
from goldvein.training.recipe import Recipe

CLASSES = [byname.find(folder, name) for folder in ("methods", "selectors") for name in byname.names(folder)]
CLASSES += [Recipe, NoisyLabelClassifier]
ARGUMENTS = [(cls, name, parameter) for cls in CLASSES for name, parameter in inspect.signature(cls).parameters.items()]
HINTS = {cls: type_hints(cls) for cls in CLASSES}
SAID = [(*which, found) for which in ARGUMENTS if (found := allowed_by(HINTS[which[0]].get(which[1]))) is not None]
FREE = {
    "optimizer",
    "schedule",
    "keep",
    "precision",
    "method",
    "model",
    "augment",
    "normalize",
    "device",
}  # of the classifier


def test_every_number_and_word_has_its_range() -> None:
    said = {(cls, name) for cls, name, _, _ in SAID}
    for cls, name, _ in ARGUMENTS:
        hint = HINTS[cls].get(name)
        if set(parts(hint)) <= {int, float, NoneType} and hint is not None:
            assert (cls, name) in said
        if hint is str:
            assert cls is NoisyLabelClassifier
            assert name in FREE


@pytest.mark.parametrize(("cls", "name", "parameter", "allowed"), SAID, ids=[f"{c.__name__}.{n}" for c, n, *_ in SAID])
def test_what_is_out_of_range_is_refused(cls: Any, name: str, parameter: inspect.Parameter, allowed: Any) -> None:
    assert parameter.default in allowed or parameter.default is None
    for value in (math.nan, math.inf, -math.inf, -1, "half", True, [0.5, 0.1]):
        with pytest.raises(InputError, match=f"^{name}=.*: it must be {re.escape(str(allowed))}"):
            check(cls(**{name: value}))  # a recipe checks itself
    if NoneType not in parts(HINTS[cls][name]):
        with pytest.raises(InputError, match=f"^{name}=none"):
            check(cls(**{name: None}))
    check(cls())


@pytest.mark.parametrize(
    ("allowed", "inside", "outside"),
    [
        (Range(0, 1), [0, 1, 0.5, np.float32(0.5), np.int64(1)], [-1e-9, 1.001, None, [0.5], "0.5"]),
        (Range(0, 1, open_low=True), [1e-9, 1], [0, -0.0]),
        (Range(0, 1, open_high=True), [0, 0.999], [1]),
        (Range(1, whole=True), [1, np.int32(7)], [0, 1.0, 2.5]),
        (Choice(("run", "adam")), ["run", "adam"], ["r", "sgd", None, 1]),
        (TwoCounts(), [(1, 8), [32, 1]], [(0, 8), (-1, 4), (8, 0), (8,), (1.5, 2), 8, None]),
        (Rising(), [(0, 1), [0.1, 0.1]], [(0.5, 0.1), (-0.1, 0.5), (0.5, 1.5), (0.1, 0.2, 0.3), 0.1, "ab", None]),
    ],
)
def test_the_ends_of_a_range(allowed: Any, inside: list[Any], outside: list[Any]) -> None:
    assert all(value in allowed for value in inside)
    assert not any(value in allowed for value in outside)


def test_it_looks_into_objects_and_tells_the_default_as_it_is_given() -> None:
    with pytest.raises(InputError, match=r"^threshold=2: it must be a number of at least 0 and at most 1; the default"):
        check(TwoStage(selector=Confidence(threshold=2)))
    with pytest.raises(InputError, match=r"^release=\[0\.5, 0\.1\]: .*; the default is \[0\.1, 0\.3\]$"):
        check(UMN(release=(0.5, 0.1)))
    check(UMN(z_a=None))


def test_it_is_told_before_anything_is_read_or_trained() -> None:
    with pytest.raises(InputError, match=r"^weight=-1"):
        NoisyLabelClassifier(UMN(weight=-1)).fit([[0.0], [1.0]], [0, 1])
    with pytest.raises(InputError, match=r"^weight=-1"):
        build_method("umn", {"weight": "-1"})


def test_a_list_that_is_proposed_can_be_given() -> None:
    with pytest.raises(InputError, match=r"release='x': it must be a list; give for example release=\[0\.1, 0\.3\]"):
        build_method("umn", {"release": "x"})
    assert build_method("umn", {"release": [0.1, 0.3]}).release == (0.1, 0.3)


# What a contributor's file may look like: a range of its own under a name of its own, hints that are objects and not
# text, and hints that are text.
OneToFive = Annotated[float, Range(1, 5)]


class Own:
    def __init__(self, beta: OneToFive = 1.0, gamma: "OneToFive | None" = None) -> None:  # noqa: UP037
        self.beta, self.gamma = beta, gamma


Own.__init__.__annotations__["beta"] = OneToFive  # as without `from __future__ import annotations`


@pytest.mark.parametrize("name", ["beta", "gamma"])
def test_a_range_of_ones_own_is_checked(name: str) -> None:
    with pytest.raises(InputError, match=f"^{name}=-5: it must be a number of at least 1 and at most 5"):
        check(Own(**{name: -5}))
    check(Own(beta=2, gamma=None))


class Unknown:
    def __init__(self, beta: "Nowhere" = 1.0) -> None:  # type: ignore[name-defined] # noqa: F821, UP037
        self.beta = beta


def test_a_hint_that_cannot_be_read_is_refused() -> None:
    with pytest.raises(InputError, match=r"Unknown has a type hint that it does not import .*'Nowhere'"):
        check(Unknown())


class Child(Own):
    def __init__(self, delta: Annotated[int, Range(0, whole=True)] = 0, **own: Any) -> None:
        super().__init__(**own)
        self.delta = delta


def test_hints_of_a_parent_hold_in_a_child() -> None:
    assert set(type_hints(Child)) >= {"beta", "gamma", "delta"}
