"""What holds for every method, by name and without exception."""

from __future__ import annotations

import copy
import importlib
import pickle
import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from sklearn.base import clone

from goldvein import NoisyLabelClassifier
from goldvein.config.names import find, names
from goldvein.issues.audit import COLUMNS
from goldvein.training.method import Method
from goldvein.training.recipe import Recipe
from goldvein.training.run import Run

Start = Callable[..., Run]
RECIPE = Recipe(epochs=2, batch_size=32, lr=0.01)
QUICK: dict[str, Any] = {
    "epochs": 24,
    "batch_size": 32,
    "lr": 0.01,
    "model_params": {"hidden": (16,)},
    "random_state": 0,
}

pytestmark = pytest.mark.parametrize("name", names("methods"))


def fitted(name: str, blobs: Any, **options: Any) -> NoisyLabelClassifier:
    return NoisyLabelClassifier(name, **{**QUICK, **options}).fit(blobs.x, blobs.y, trusted=blobs.trusted)


def trained(start: Start, name: str, blobs: Any) -> Run:
    known = {"validation": blobs.validation, "trusted": blobs.trusted}
    run = start(find("methods", name)(), blobs.x, blobs.y, recipe=RECIPE, **known)
    run.module.train_on(run)
    return run


def test_it_needs_no_argument_and_only_stores(name: str) -> None:
    method = find("methods", name)()
    assert isinstance(method, Method)
    params = method.get_params()
    copied = clone(method)
    assert copied.get_params().keys() == params.keys()
    assert repr(copied) == repr(method)
    assert type(method).__name__ in repr(method)
    for key, value in params.items():
        if "__" not in key and not hasattr(value, "get_params"):
            assert getattr(method, key) == value
            assert copied.get_params()[key] == value


def test_it_says_what_it_is_and_where_it_comes_from(name: str) -> None:
    text = importlib.import_module(f"goldvein.methods.{name}").__doc__
    assert text
    assert re.search(r"[A-Z][^\n]+\b(19|20)\d\d\b", text), "a citation is missing"
    assert re.search(r"\barXiv:\d{4}\.\d{4,5}\b|https?://\S", text), "a link to the paper is missing"
    assert find("methods", name).__doc__


def test_setup_makes_the_network_that_predicts(start: Start, name: str, blobs: Any) -> None:
    method = find("methods", name)()
    run = start(method, blobs.x, blobs.y, validation=blobs.validation)
    assert isinstance(method.net, torch.nn.Module)
    method.eval()
    x = torch.as_tensor(blobs.x)
    assert method(x).shape == (180, 3)
    torch.testing.assert_close(method(x), method.net(x))
    torch.testing.assert_close(run.predict(), method.net(x).softmax(1))
    assert method.views
    assert set(method.views) <= {"plain", "weak"}


def test_it_learns_in_spite_of_wrong_and_missing_labels(name: str, blobs: Any) -> None:
    before = blobs.x.copy(), blobs.y.copy()
    numbers = torch.get_rng_state(), np.random.get_state()[1].copy()
    model = fitted(name, blobs)
    assert (model.predict(blobs.x) == blobs.y_true).mean() > 0.85
    assert np.array_equal(blobs.x, before[0])
    assert np.array_equal(blobs.y, before[1])
    assert torch.equal(torch.get_rng_state(), numbers[0])
    assert np.array_equal(np.random.get_state()[1], numbers[1])
    assert all(np.isfinite(v) for entry in model.history_ for k, v in entry.items() if k != "validation_accuracy")
    assert model.n_iter_ == len(model.history_)


def test_its_issues_have_the_columns_of_all(name: str, blobs: Any) -> None:
    model = fitted(name, blobs)
    table = model.label_issues()
    assert tuple(table.columns) == (*COLUMNS, *model.evidence_.scores)
    assert sorted(table["id"]) == np.flatnonzero(blobs.y >= 0).tolist()
    assert table["p_wrong"].between(0, 1).all()
    wrong = (blobs.y_true != blobs.y)[table["id"]]
    # a sixth of the labels is wrong: the worst of the list are mostly among them
    assert wrong[: int(wrong.sum())].mean() > 0.5
    assert 0 <= model.noise_rate_ <= 1
    np.testing.assert_allclose(model.transition_.sum(1), 1)


def test_a_seed_gives_the_same_bits(name: str, blobs: Any, same: Callable[..., bool]) -> None:
    first, second = (fitted(name, blobs, epochs=2) for _ in range(2))
    assert np.array_equal(first.predict_proba(blobs.x), second.predict_proba(blobs.x))
    assert same(first.method_.state_dict(), second.method_.state_dict())
    other = fitted(name, blobs, epochs=2, random_state=1)
    assert not np.array_equal(first.predict_proba(blobs.x), other.predict_proba(blobs.x))


def test_all_its_state_is_in_the_state_dict(start: Start, name: str, blobs: Any) -> None:
    run = trained(start, name, blobs)
    other = start(find("methods", name)(), blobs.x, blobs.y, validation=blobs.validation, seed=5)
    assert not torch.equal(other.predict(), run.predict())
    other.module.load_state_dict(run.module.state_dict())
    assert torch.equal(other.predict(), run.predict())


def test_it_can_be_copied_and_sent(name: str, blobs: Any) -> None:
    model = fitted(name, blobs, epochs=2)
    for other in (pickle.loads(pickle.dumps(model)), copy.deepcopy(model)):
        assert np.array_equal(other.predict_proba(blobs.x), model.predict_proba(blobs.x))
        assert other.method_ is not model.method_
    untrained = find("methods", name)()
    assert repr(pickle.loads(pickle.dumps(untrained))) == repr(untrained)


def test_another_stage_can_go_on_with_its_network(start: Start, name: str, blobs: Any) -> None:
    assert all(p.requires_grad for p in trained(start, name, blobs).module.net.parameters())


def test_its_evidence_covers_every_row(start: Start, name: str, blobs: Any) -> None:
    run = trained(start, name, blobs)
    probs, trained_on = run.module.evidence(run)
    assert probs.shape == (180, 3)
    assert trained_on.shape == (180,)
    labeled = torch.as_tensor(blobs.y >= 0)
    torch.testing.assert_close(probs[labeled].sum(1), torch.ones(int(labeled.sum())))
    assert ((trained_on == -1) | (trained_on == torch.as_tensor(blobs.y))).all()


def test_it_leaves_the_given_method_alone(name: str, blobs: Any) -> None:
    method = find("methods", name)()
    before = repr(method), set(vars(method))
    model = NoisyLabelClassifier(method, **{**QUICK, "epochs": 1}).fit(blobs.x, blobs.y, trusted=blobs.trusted)
    assert model.method_ is not method
    assert (repr(method), set(vars(method))) == before
    assert not list(method.parameters())
