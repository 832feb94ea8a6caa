"""Every number that a user gives is held against its range, once and in one place."""

from __future__ import annotations

import inspect
import math
from typing import Any

import numpy as np
import pytest

from goldvein import byname
from goldvein.classifier import NoisyLabelClassifier
from goldvein.configure import build_method
from goldvein.errors import InputError
from goldvein.methods.two_stage import TwoStage
from goldvein.methods.umn import UMN
from goldvein.ranges import Range, Rising, allowed_by, check, plain
from goldvein.recipe import Recipe
from goldvein.selectors.confidence import Confidence

CLASSES = [byname.find(folder, name) for folder in ("methods", "selectors") for name in byname.names(folder)]
CLASSES += [Recipe, NoisyLabelClassifier]
NUMBERS = [
    (cls, name, parameter)
    for cls in CLASSES
    for name, parameter in inspect.signature(cls).parameters.items()
    if plain(str(parameter.annotation)) in ("int", "float", "int | None", "float | None")
]


@pytest.mark.parametrize(("cls", "name", "parameter"), NUMBERS, ids=[f"{c.__name__}.{n}" for c, n, _ in NUMBERS])
def test_every_number_has_a_range_that_holds_its_default(cls: Any, name: str, parameter: inspect.Parameter) -> None:
    allowed = allowed_by(parameter.annotation)
    assert isinstance(allowed, Range)
    assert parameter.default in allowed or parameter.default is None
    assert "half" not in allowed
    for value in (math.nan, math.inf, -math.inf, allowed.low - 1, "half", True):
        if cls is Recipe:
            with pytest.raises(InputError, match=f"^{name}="):
                Recipe(**{name: value})
            continue
        with pytest.raises(InputError, match=f"^{name}=.*: it must be {str(allowed)[:12]}"):
            check(cls(**{name: value}))
    check(cls())


@pytest.mark.parametrize(
    ("allowed", "inside", "outside"),
    [
        (Range(0, 1), [0, 1, 0.5, np.float32(0.5), np.int64(1)], [-1e-9, 1.001, None, [0.5], "0.5"]),
        (Range(0, 1, open_low=True), [1e-9, 1], [0, -0.0]),
        (Range(0, 1, open_high=True), [0, 0.999], [1]),
        (Range(1, whole=True), [1, np.int32(7)], [0, 1.0, 2.5]),
        (Rising(), [(0, 1), [0.1, 0.1]], [(0.5, 0.1), (-0.1, 0.5), (0.5, 1.5), (0.1, 0.2, 0.3), 0.1, "ab", None]),
    ],
)
def test_the_ends_of_a_range(allowed: Any, inside: list[Any], outside: list[Any]) -> None:
    assert all(value in allowed for value in inside)
    assert not any(value in allowed for value in outside)


def test_it_looks_into_objects_and_tells_the_default_as_it_is_given() -> None:
    with pytest.raises(InputError, match=r"^threshold=2: it must be a number of at least 0 and at most 1; the default"):
        check(TwoStage(selector=Confidence(threshold=2)))
    with pytest.raises(
        InputError, match=r"^release=\[0\.5, 0\.1\]: .*; the default is \[0\.1, 0\.3\]$"
    ):
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
