"""The public estimator: scikit-learn's manners, labels as people write them, and what it refuses."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.base import clone
from sklearn.exceptions import DataConversionWarning, NotFittedError
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import check_estimator

from goldvein import InputError, NoisyLabelClassifier
from goldvein.methods.cross_entropy import CrossEntropy
from goldvein.methods.temporal_ensembling import TemporalEnsembling
from goldvein.methods.two_stage import TwoStage
from goldvein.selectors.confidence import Confidence
from goldvein.training import run as engine
from goldvein.training.device import pick_device
from goldvein.training.fit import choose_recipe
from goldvein.training.method import resolve_method

QUICK: dict[str, Any] = {"epochs": 12, "batch_size": 32, "lr": 0.01, "random_state": 0}


def model(method: Any = "cross_entropy", **options: Any) -> NoisyLabelClassifier:
    return NoisyLabelClassifier(method, **{**QUICK, **options})


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.SkipTestWarning", "ignore::RuntimeWarning")
@pytest.mark.parametrize(
    ("method", "epochs"), [("cross_entropy", 20), (TwoStage(rounds=1, folds=2), 6)], ids=["cross_entropy", "two_stage"]
)
def test_check_estimator(method: Any, epochs: int) -> None:
    small = model(method, epochs=epochs, lr=0.02, model_params={"hidden": (32,)})
    no_weights = ("pandas_series", "not_an_array", "list", "not_overwritten")
    failing = {
        "check_classifiers_classes": "its classes are -1 and 1, and -1 is a missing label here",
        **{f"check_sample_weights_{name}": "networks take no weights" for name in (*no_weights, "shape")},
        "check_classifiers_one_label_sample_weights": "networks take no weights",
        "check_all_zero_sample_weights_error": "networks take no weights",
        "check_sample_weight_equivalence_on_dense_data": "networks take no weights",
        "check_sample_weight_equivalence_on_sparse_data": "networks take no weights",
    }
    check_estimator(small, expected_failed_checks=failing)


@pytest.mark.filterwarnings(
    "ignore::sklearn.exceptions.SkipTestWarning", "ignore::RuntimeWarning", "ignore::UserWarning"
)
def test_check_estimator_without_a_network() -> None:
    failing = {
        "check_classifiers_classes": "its classes are -1 and 1, and -1 is a missing label here",
        "check_sample_weight_equivalence_on_dense_data": "rows of weight 0 are judged",
        "check_sample_weight_equivalence_on_sparse_data": "rows of weight 0 are judged",
    }
    check_estimator(NoisyLabelClassifier(model="lda", random_state=0), expected_failed_checks=failing)


def test_grid_search_over_a_part_of_the_method(blobs: Any) -> None:
    labeled = blobs.y >= 0
    search = GridSearchCV(
        model(TwoStage(selector=Confidence(), rounds=1, folds=0), epochs=2),
        {"method__selector__threshold": [0.5, 0.95], "method__learner__w_max": [10.0]},
        cv=2,
    )
    search.fit(blobs.x[labeled], blobs.y[labeled])
    assert search.best_params_["method__selector__threshold"] in (0.5, 0.95)
    assert search.best_estimator_.method_.selector.threshold == search.best_params_["method__selector__threshold"]
    assert search.best_estimator_.method_.learner.w_max == 10


def test_clone_and_pipeline(blobs: Any) -> None:
    first = model(TwoStage(learner=TemporalEnsembling(w_max=5.0))).fit(blobs.x, blobs.y)
    second = clone(first)
    with pytest.raises(NotFittedError):
        second.predict(blobs.x)
    assert second.method.learner.w_max == 5
    pipeline = make_pipeline(StandardScaler(), model()).fit(blobs.x, blobs.y)
    assert pipeline.score(blobs.x, blobs.y_true) > 0.9


@pytest.mark.parametrize("verb", ["predict", "predict_proba", "label_issues"])
def test_not_fitted(verb: str, blobs: Any) -> None:
    with pytest.raises(NotFittedError):
        getattr(model(), verb)(*([blobs.x] if verb != "label_issues" else []))
    with pytest.raises(NotFittedError):
        _ = model().noise_rate_
    refused = model(batch_size=0)
    with pytest.raises(InputError):
        refused.fit(blobs.x, blobs.y)
    with pytest.raises(NotFittedError):
        getattr(refused, verb)(*([blobs.x] if verb != "label_issues" else []))


# labels as people write them

NAMES = np.array(["ant", "bee", "cow"])


def written(y: np.ndarray, kind: str) -> Any:
    names = [NAMES[k] if k >= 0 else None for k in y]
    return {
        "blank": np.array(["" if name is None else str(name) for name in names]),
        "None": [None if name is None else str(name) for name in names],
        "NaN in a list": [float("nan") if name is None else str(name) for name in names],
        "object": np.array([None if name is None else str(name) for name in names], dtype=object),
        "mixed": np.array([str(n) if n else (None, "", np.nan, -1)[i % 4] for i, n in enumerate(names)], dtype=object),
        "pandas": pd.Series([pd.NA if name is None else str(name) for name in names], dtype="string"),
        "category": pd.Series(pd.Categorical(names, categories=NAMES)),
    }[kind]


@pytest.mark.parametrize("kind", ["blank", "None", "NaN in a list", "object", "mixed", "pandas", "category"])
def test_names_with_missing_ones(blobs: Any, kind: str) -> None:
    found = model(epochs=3).fit(blobs.x, written(blobs.y, kind))
    assert found.classes_.tolist() == NAMES.tolist()
    assert np.array_equal(found.y_, blobs.y)
    assert set(found.predict(blobs.x)) <= set(NAMES)
    table = found.label_issues()
    assert len(table) == (blobs.y >= 0).sum()
    assert set(table["given_label"]) == set(NAMES)


@pytest.mark.parametrize(
    ("write", "classes"),
    [
        (lambda y: np.where(y >= 0, 10 * y, -1), [0, 10, 20]),
        (lambda y: np.where(y >= 0, y, np.nan), [0.0, 1.0, 2.0]),
        (lambda y: [int(k) if k >= 0 else None for k in y], [0, 1, 2]),
        (lambda y: pd.Series(y).astype("Int64").mask(y < 0), [0, 1, 2]),
        (lambda y: np.where(y >= 0, y, -1).astype(np.int8), [0, 1, 2]),
        (lambda y: y.tolist(), [0, 1, 2]),
    ],
    ids=["numbers", "NaN", "None", "Int64", "int8", "list"],
)
def test_numbers_with_missing_ones(blobs: Any, write: Any, classes: list[Any]) -> None:
    found = model(epochs=1).fit(blobs.x, write(blobs.y))
    assert found.classes_.tolist() == classes
    assert np.array_equal(found.y_, blobs.y)
    assert set(found.predict(blobs.x)) <= set(classes)


def test_truth_values() -> None:
    x = np.r_[np.zeros((20, 2)), np.ones((20, 2))].astype(np.float32)
    found = model().fit(x, x[:, 0] > 0)
    assert found.predict([[0, 0], [1, 1]]).tolist() == [False, True]


def test_a_column_of_labels_is_taken_with_a_warning(blobs: Any) -> None:
    with pytest.warns(DataConversionWarning):
        assert np.array_equal(model(epochs=1).fit(blobs.x, blobs.y[:, None]).y_, blobs.y)


# validation and trusted rows


def test_held_out_rows_are_a_share_of_each_class(blobs: Any) -> None:
    found = model(epochs=1, validation_fraction=0.25).fit(blobs.x, blobs.y)
    held_out = blobs.y[found.validation_]
    assert (held_out >= 0).all()
    counts = np.bincount(blobs.y[blobs.y >= 0])
    assert np.bincount(held_out).tolist() == [round(0.25 * n) for n in counts]
    assert not np.isnan(found.history_[0]["validation_accuracy"])


@pytest.mark.parametrize(("n", "held_out"), [(199, 0), (200, 20)])
def test_few_labels_are_not_held_out(n: int, held_out: int) -> None:
    x = np.random.default_rng(0).normal(size=(n, 2))
    found = model(epochs=1).fit(x, np.arange(n) % 2)
    assert found.validation_.sum() == held_out


def test_one_label_of_a_class_is_always_trained_on() -> None:
    x = np.random.default_rng(0).normal(size=(12, 2))
    y = np.array([0] * 10 + [1, 1])
    found = model(epochs=1, validation_fraction=0.9).fit(x, y)
    assert set(y[~found.validation_]) == {0, 1}


def test_a_validation_set_of_its_own(blobs: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[int] = []
    batches = engine.Run.batches
    monkeypatch.setattr(
        engine.Run, "batches", lambda *a, **k: ((seen.extend(b.rows.tolist()), b)[1] for b in batches(*a, **k))
    )
    y_val = NAMES[blobs.y_true[:40]].astype(object)
    y_val[:5] = None
    found = model(TemporalEnsembling(), epochs=3)
    found.fit(blobs.x, written(blobs.y, "None"), X_val=blobs.x[:40], y_val=y_val)
    assert max(seen) < 180  # no row of the validation set is trained on, with or without its label
    assert found.history_[-1]["validation_accuracy"] > 0.5
    assert not found.validation_.any()
    assert len(found.y_) == 180
    assert len(found.label_issues()) == (blobs.y >= 0).sum()


def test_the_validation_set_has_no_part_in_the_normalization(blobs: Any) -> None:
    alone = model(epochs=1).fit(blobs.x, blobs.y)
    beside = model(epochs=1).fit(blobs.x, blobs.y, X_val=blobs.x[:40] + 1000, y_val=blobs.y_true[:40])
    assert torch.equal(alone.transform_.mean, beside.transform_.mean)


def test_an_estimator_may_be_fitted_again_on_other_shapes(blobs: Any) -> None:
    found = model(epochs=1).fit(blobs.x, blobs.y)
    old = found.label_issues()
    wider, y = np.c_[blobs.x, blobs.x[:, :1]][:90], 1 - blobs.y_true[:90] % 2
    found.fit(wider, y, X_val=wider[:10], y_val=y[:10])
    assert found.predict(wider).shape == (90,)
    assert len(found.label_issues()) == 90
    assert found.label_issues() is not old


def test_trusted_labels_are_kept(blobs: Any) -> None:
    trusted = (blobs.y == blobs.y_true) & (np.arange(180) % 2 == 0)
    method = TwoStage(selector=Confidence(floor=0.0, mode="top"), rounds=1)
    found = model(method, epochs=2, validation_fraction=0.2).fit(blobs.x, blobs.y, trusted=trusted)
    assert np.array_equal(found.method_.kept, np.where(trusted, blobs.y, -1))


# inputs


def test_images(images: Any) -> None:
    x = np.repeat(images.x, 3, axis=1)
    found = model(TemporalEnsembling(), model="resnet14", epochs=4, lr=0.003, batch_size=8).fit(x, images.y)
    assert found.transform_.augment == "flip_shift"
    probs = found.predict_proba(x[:7])
    assert probs.shape == (7, 2)
    assert probs.dtype == np.float32
    np.testing.assert_allclose(probs.sum(1), 1, rtol=1e-5)
    assert found.history_[-1]["cross_entropy"] < found.history_[0]["cross_entropy"]


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_precision(images: Any, precision: str) -> None:
    found = model(model="resnet14", precision=precision, epochs=1, batch_size=8).fit(images.x, images.y)
    assert type(found.net_).__name__ == {"float32": "ResNet14", "bfloat16": "LowPrecision"}[precision]
    assert found.predict_proba(images.x).dtype == np.float32


def test_no_rows_to_predict(blobs: Any, images: Any) -> None:
    for x, y in ((blobs.x, blobs.y), (images.x, images.y)):
        found = model(epochs=1).fit(x, y)
        assert found.predict(x[:0]).shape == (0,)
        assert found.predict_proba(x[:0]).shape == (0, len(found.classes_))


def test_arrays_that_may_not_be_written(blobs: Any, recwarn: pytest.WarningsRecorder) -> None:
    for array in (blobs.x, blobs.y):
        array.setflags(write=False)
    torch.set_warn_always(True)  # else only the first test that meets them hears of it
    try:
        model(epochs=1).fit(blobs.x, blobs.y).predict(blobs.x)
    finally:
        torch.set_warn_always(False)
    assert not [str(warning.message) for warning in recwarn if "writable" in str(warning.message)]


def test_frames_keep_the_names_of_their_columns(blobs: Any) -> None:
    frame = pd.DataFrame(blobs.x, columns=["a", "b"])
    found = model(epochs=1).fit(frame, blobs.y)
    assert found.feature_names_in_.tolist() == ["a", "b"]
    with pytest.raises(ValueError, match="feature names"):
        found.predict(frame.rename(columns={"a": "c"}))


def test_other_shapes_than_those_of_training(blobs: Any, images: Any) -> None:
    with pytest.raises(ValueError, match="3 features"):
        model(epochs=1).fit(blobs.x, blobs.y).predict(np.zeros((2, 3)))
    found = model(epochs=1).fit(images.x, images.y)
    with pytest.raises(InputError, match=r"an input has shape \(1, 7, 6\): the model was fitted on \(1, 6, 6\)"):
        found.predict(np.zeros((2, 1, 7, 6), np.uint8))


# what is refused


def refused(x: Any, y: Any, message: str, **options: Any) -> None:
    fit = {k: options.pop(k) for k in ("trusted", "X_val", "y_val", "checkpoint") if k in options}
    with pytest.raises(ValueError, match=message):
        model(**options).fit(x, y, **fit)


@pytest.mark.parametrize(
    ("write", "message"),
    [
        (lambda y: np.full(180, -1), "y holds no label: every entry is missing"),
        (lambda y: [None] * 180, "y holds no label"),
        (lambda y: np.where(y == 0, 0, -1), "every label is 0: a classifier needs 2 classes"),
        (lambda y: np.r_[y[:-1], 9], "class 9 has 1 label; each class needs at least 2"),
        (lambda y: y[:-1], "y has 179 labels and X 180 rows"),
        (lambda y: np.c_[y, y], r"y has shape \(180, 2\)"),
        (lambda y: None, "requires y to be passed"),
        (lambda y: y + 0.5, "continuous"),
    ],
    ids=["missing", "None", "one class", "one label", "length", "shape", "no y", "continuous"],
)
def test_labels_that_cannot_be_learned(blobs: Any, write: Any, message: str) -> None:
    refused(blobs.x, write(blobs.y), message)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_inputs_that_are_no_numbers(blobs: Any, images: Any, value: float) -> None:
    x = blobs.x.copy()
    x[7, 1] = value
    refused(x, blobs.y, "NaN|infinity")
    pixels = images.x.astype(np.float32)
    pixels[7, 0, 2, 2] = value
    refused(pixels, images.y, "X holds 1 NaN or infinite value, the first in row 7")
    with pytest.raises(ValueError, match=r"NaN|infinity"):
        model(epochs=1).fit(blobs.x, blobs.y).predict(x)


@pytest.mark.parametrize(
    ("option", "value", "message"),
    [
        ("method", "two_stag", "unknown method 'two_stag': did you mean 'two_stage'"),
        ("model", "mpl", "unknown model 'mpl': did you mean 'mlp'"),
        ("model_params", {"width": 3}, "unknown parameter 'width' of model 'auto': known: hidden, dropout"),
        ("device", "abacus", "device='abacus' is not available on this machine"),
        ("device", "cuda:77", "device='cuda:77' is not available on this machine"),
        ("precision", "float8", "precision='float8': it must be one of auto, float32, bfloat16"),
        ("optimizer", "lion", "optimizer='lion': it must be one of adagrad, adam, adamw, sgd"),
        ("schedule", "step", "schedule='step': it must be one of auto, plateau, cosine, steps, constant; the default"),
        ("keep", "first", "keep='first': it must be one of auto, best, last; the default is 'auto'"),
        ("epochs", "many", "epochs='many': it must be a whole number above 0, or auto"),
        ("epochs", 2.5, "epochs=2.5: it must be a whole number above 0, or auto"),
        ("epochs", 0, "epochs=0: it must be a whole number above 0, or auto"),
        ("batch_size", 0, "batch_size=0: it must be a whole number of at least 1"),
        ("lr", -1.0, "lr=-1.0: it must be a number above 0"),
        ("validation_fraction", 1.0, "validation_fraction=1.0: it must be at least 0 and below 1, or auto"),
        ("validation_fraction", "half", "validation_fraction=half"),
        ("augment", "flip_shift", r"augment='flip_shift' needs images, and an input has shape \(2,\)"),
        ("augment", "blur", "augment='blur': it must be"),
        ("normalize", "zca", "normalize='zca': it must be one of"),
    ],
)
def test_parameters_that_mean_nothing(blobs: Any, option: str, value: Any, message: str) -> None:
    with pytest.raises(InputError, match=message):
        model(**{option: value}).fit(blobs.x, blobs.y)


def test_a_validation_set_that_does_not_fit(blobs: Any, images: Any) -> None:
    x, y = blobs.x, blobs.y
    refused(x, y, "X_val and y_val belong together", X_val=x[:9])
    refused(x, y, "X_val and y_val belong together", y_val=y[:9])
    refused(x, y, "y_val has 8 labels and X_val 9 rows", X_val=x[:9], y_val=y[:8])
    refused(x, y, "y_val holds 7, which y does not", X_val=x[:2], y_val=[0, 7])
    refused(x, y, "1 features", X_val=x[:2, :1], y_val=[0, 1])
    refused(images.x, images.y, r"an input has shape \(1, 5, 6\)", X_val=images.x[:2, :, 1:], y_val=[0, 1])


def test_labels_from_before_a_review_change_the_judgment_alone(blobs: Any) -> None:
    came = np.array(["left", "right"])[blobs.y.clip(0, 1)].astype(object)
    came[0] = "gone"  # a class that the review did away with
    y, trusted = came.copy(), np.zeros(len(came), dtype=bool)
    y[0], trusted[:20] = "left", True
    blind = model().fit(blobs.x, y, trusted=trusted)
    told = model().fit(blobs.x, y, trusted=trusted, y_before=came)
    assert np.array_equal(told.predict_proba(blobs.x), blind.predict_proba(blobs.x))
    assert blind.evidence_.y_before is None
    assert told.evidence_.y_before[0] == -1
    assert np.array_equal(told.classes_[told.evidence_.y_before[1:]], came[1:])
    with pytest.raises(InputError, match=r"y_before has 3 labels for \d+ rows: give one for each row"):
        model().fit(blobs.x, y, trusted=trusted, y_before=came[:3])


def test_trusted_rows_that_do_not_fit(blobs: Any) -> None:
    refused(blobs.x, blobs.y, r"trusted has shape \(3,\)", trusted=[True] * 3)
    row = int(np.flatnonzero(blobs.y < 0)[0])
    refused(blobs.x, blobs.y, f"row {row} is trusted but has no label", trusted=np.arange(180) == row)


def test_issues_of_a_model_that_watched_nothing(blobs: Any) -> None:
    found = model(epochs=1).fit(blobs.x, blobs.y, watch=False)
    with pytest.raises(InputError, match="fitted with watch=False: fit it with watch=True"):
        found.label_issues()


def test_pick_device(monkeypatch: pytest.MonkeyPatch) -> None:
    assert pick_device("cpu") == torch.device("cpu")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert pick_device("auto") == torch.device("cpu")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch, "empty", lambda *_, **__: None)
    monkeypatch.delenv("LOCAL_RANK", raising=False)
    assert pick_device("auto") == torch.device("cuda")
    monkeypatch.setenv("LOCAL_RANK", "3")
    assert pick_device("auto") == torch.device("cuda:3")


def test_a_list_of_issues_for_a_budget(blobs: Any) -> None:
    model = NoisyLabelClassifier("cross_entropy", epochs=5, random_state=0).fit(blobs.x, blobs.y)
    usual = model.label_issues()
    few = model.label_issues(budget=3, ids=[f"row {k}" for k in range(len(blobs.y))])
    assert few["is_issue"].sum() == 3
    assert few["id"][0] == f"row {usual['id'][0]}"
    assert model.label_issues().equals(usual)
    with pytest.raises(InputError, match="budget=0"):
        model.label_issues(budget=0)


def test_a_class_without_a_trusted_label_is_named() -> None:
    X, y = np.eye(4, dtype=np.float32).repeat(20, 0), np.repeat(["ant", "bee", "cat", "dog"], 20)
    trusted = (np.arange(80) % 20 == 0) & (y != "cat")
    with pytest.raises(InputError, match="class 'cat' has no trusted label to train on, and two_stage_clean needs"):
        NoisyLabelClassifier("two_stage_clean", epochs=1).fit(X, y, trusted=trusted)


def test_a_method_says_how_many_updates_it_needs(blobs: Any) -> None:
    class Long(CrossEntropy):
        min_updates = 600

    n_epochs = model(Long(), epochs="auto", batch_size=128, validation_fraction=0).fit(blobs.x, blobs.y).n_iter_
    batches = math.ceil((blobs.y >= 0).sum() / 64)
    assert 600 <= n_epochs * batches < 600 + batches


@pytest.mark.parametrize(("method", "schedule", "keep"), [("umn", "constant", "last"), ("pi_model", "plateau", "best")])
def test_who_is_steered_by_held_out_labels(method: str, schedule: str, keep: str) -> None:
    auto = {"epochs": "auto", "batch_size": 8, "schedule": "auto", "keep": "auto"}
    set_up = resolve_method(method)
    recipe = choose_recipe(auto, 10, 10, set_up)
    assert (recipe.schedule, recipe.keep) == (schedule, keep)
    given = choose_recipe({**auto, "schedule": "cosine", "keep": "best"}, 10, 10, set_up)
    assert (given.schedule, given.keep) == ("cosine", "best")
    outer = TwoStage()
    outer.behave_like(resolve_method(method))
    assert outer.uses_validation == (keep == "best")


def test_missing_labels_are_no_errors() -> None:
    X = np.repeat([[0.0, 0.0], [9.0, 9.0]], 20, axis=0)
    y = np.repeat([0, 1], 20)
    some = np.where(np.arange(40) % 2 == 0, y, -1)
    model = NoisyLabelClassifier("cross_entropy", epochs=30, lr=0.01, random_state=0).fit(X, some)
    assert model.score(X, some) == model.score(X, y) == 1
    assert model.score(X, np.where(np.arange(40) < 10, 1 - y, y)) == 0.75
    weights = np.where(np.arange(40) < 10, 3.0, 1.0)
    assert model.score(X, np.where(np.arange(40) < 10, 1 - y, some), sample_weight=weights) == pytest.approx(15 / 45)
    for bad in (np.full(40, -1), y[:7]):
        with pytest.raises(InputError, match="give a label for some row"):
            model.score(X, bad)
