"""Every number that a user gives is held against its range, once and in one place."""

from __future__ import annotations

import inspect
import math
import re
from typing import Any

import numpy as np
import pytest

from goldvein.classifier import NoisyLabelClassifier
from goldvein.config import names as byname
from goldvein.config.build import build_method
from goldvein.config.ranges import Choice, Range, Rising, TwoCounts, allowed_by, check, plain
from goldvein.errors import InputError
from goldvein.methods.two_stage import TwoStage
from goldvein.methods.umn import UMN
from goldvein.selectors.confidence import Confidence
from goldvein.training.recipe import Recipe

CLASSES = [byname.find(folder, name) for folder in ("methods", "selectors") for name in byname.names(folder)]
CLASSES += [Recipe, NoisyLabelClassifier]
ARGUMENTS = [(cls, name, parameter) for cls in CLASSES for name, parameter in inspect.signature(cls).parameters.items()]
SAID = [(*which, found) for which in ARGUMENTS if (found := allowed_by(str(which[2].annotation))) is not None]
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
    for cls, name, parameter in ARGUMENTS:
        if plain(str(parameter.annotation)) in ("int", "float", "int | None", "float | None"):
            assert (cls, name) in said
        if parameter.annotation == "str":
            assert cls is NoisyLabelClassifier
            assert name in FREE


@pytest.mark.parametrize(("cls", "name", "parameter", "allowed"), SAID, ids=[f"{c.__name__}.{n}" for c, n, *_ in SAID])
def test_what_is_out_of_range_is_refused(cls: Any, name: str, parameter: inspect.Parameter, allowed: Any) -> None:
    assert parameter.default in allowed or parameter.default is None
    for value in (math.nan, math.inf, -math.inf, -1, "half", True, [0.5, 0.1]):
        with pytest.raises(InputError, match=f"^{name}=.*: it must be {re.escape(str(allowed))}"):
            check(cls(**{name: value}))  # a recipe checks itself
    if "None" not in parameter.annotation:
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
