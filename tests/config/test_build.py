from collections.abc import Callable
from typing import Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from goldvein.classifier import NoisyLabelClassifier
from goldvein.config.build import arguments, build_method, parse_value
from goldvein.config.ranges import Matrix
from goldvein.errors import InputError
from goldvein.methods.pi_model import PiModel
from goldvein.selectors.confidence import Confidence
from goldvein.selectors.posterior import Posterior


def test_full_short_and_object_names_in_any_order():
    params = {"alpha": "100", "selector__threshold": 0.95, "learner": "pi_model", "selector": "confidence"}
    method = build_method("two_stage", params)
    assert isinstance(method.learner, PiModel)
    assert isinstance(method.selector, Confidence)
    assert (method.learner.alpha, method.selector.threshold) == (100.0, 0.95)


def test_a_replaced_object_keeps_the_defaults_of_its_class():
    assert build_method("two_stage", {"selector": "posterior"}).selector.threshold == Posterior().threshold


def test_own_hyper_parameter_wins_over_a_nested_one_of_the_same_name():
    method = build_method("two_stage", {"learner": "temporal_ensembling", "balance": False})
    assert method.balance is False
    assert method.learner.balance is True


def test_objects_inside_objects():
    params = {"learner": "two_stage", "learner__selector": "confidence", "learner__selector__floor": 0.3}
    assert build_method("two_stage", params).learner.selector.floor == 0.3


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"treshold": 1}, "did you mean 'selector__threshold'"),
        ({"selector": "confidense"}, "did you mean 'confidence'"),
        ({"learner": 3}, "learner=3: it must be a name"),
        ({"rounds": 1.5}, "rounds=1.5: it must be a whole number; give for example rounds="),
        ({"selector": "confidence", "threshold": "high"}, "threshold='high': it must be a number"),
        ({"threshold": 0.5, "selector__threshold": 0.6}, "are one hyper-parameter"),
        ({"learner": "two_stage", "selector__threshold": 0.5, "lr": 0.1, "floor": 0.2}, "floor could be "),
    ],
)
def test_wrong_hyper_parameters(params, message):
    with pytest.raises(InputError, match=message):
        build_method("two_stage", params)


def test_unknown_method():
    with pytest.raises(InputError, match="did you mean 'cross_entropy'"):
        build_method("cross_entropi", {})


@pytest.mark.parametrize(
    ("value", "hint", "expected"),
    [
        ("0.95", float, 0.95),
        ("1e-3", float, 0.001),
        (20, float, 20.0),
        ("20", int, 20),
        ("true", bool, True),
        ("False", bool, False),
        ("none", int | None, None),
        ("none", str, "none"),
        (None, float | None, None),
        ("40", int | str, 40),
        ("auto", float | str, "auto"),
        ("cosine", Literal["cosine", "constant"], "cosine"),
        ([128, 64], tuple[int, ...], (128, 64)),
        ([[1, 0], [0, 1]], Matrix | None, [[1, 0], [0, 1]]),
        ("none", Matrix | None, None),
        ({"hidden": [8]}, dict[str, Any] | None, {"hidden": [8]}),
        (object, Any, object),
    ],
)
def test_values_take_the_type_of_the_annotation(value, hint, expected):
    found = parse_value("x", value, hint)
    assert found == expected
    assert type(found) is type(expected)


@pytest.mark.parametrize(
    ("value", "hint"),
    [
        ("yes", bool),
        (1, bool),
        (True, int),
        (True, float),
        (2.0, int),
        ("2.0", int),
        ("none", int),
        (None, float),
        (3, str),
        ("8", tuple[int, ...]),
        ([1], float | str),
        ("[[1, 0], [0, 1]", Matrix | None),
        (0.2, Matrix | None),
        (1, Callable[..., Any]),
    ],
)
def test_nothing_else_is_converted(value, hint):
    with pytest.raises(InputError, match=r"x=.*: it must be "):
        parse_value("x", value, hint)


@given(st.floats(allow_nan=False))
def test_a_float_survives_its_text(number):
    assert parse_value("x", repr(number), float) == number


@given(st.integers(), st.sampled_from([int, int | str, int | None, int | float]))
def test_an_integer_survives_its_text(number, hint):
    assert parse_value("x", str(number), hint) == number


class Plain:
    def __init__(self, needed, size=3, flag: bool = False):
        pass


def test_arguments_fall_back_on_the_type_of_the_default():
    assert arguments(Plain, {"needed": "as it is", "size": "4"}) == {"needed": "as it is", "size": 4}
    with pytest.raises(InputError, match="size='four': it must be a whole number; give for example size=3"):
        arguments(Plain, {"needed": 1, "size": "four"})


def test_missing_and_unknown_arguments():
    with pytest.raises(InputError, match="the parameter 'needed' is missing"):
        arguments(Plain, {"size": 1})
    with pytest.raises(InputError, match="unknown argument 'optimiser': did you mean 'optimizer'"):
        arguments(NoisyLabelClassifier, {"optimiser": "sgd"}, "argument")


def test_estimator_values_from_text():
    given = {"epochs": "40", "stop_after": "none", "validation_fraction": "0.2", "verbose": "true", "lr": 1}
    expected = {"epochs": 40, "stop_after": None, "validation_fraction": 0.2, "verbose": True, "lr": 1.0}
    assert arguments(NoisyLabelClassifier, given) == expected
