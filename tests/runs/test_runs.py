"""The run folder: what is saved can be read again, and damage is reported."""

from __future__ import annotations

import dataclasses
import errno
import json
import os
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from goldvein import InputError, NoisyLabelClassifier, runs
from goldvein.data.dataset import Dataset
from goldvein.runs.tables import read_table, write_table

CLASSES = ("NA", "01", "None")


def vectors(n: int = 60) -> Dataset:
    """Three separate classes, with names that table readers often change; every tenth label is missing."""
    rng = np.random.default_rng(0)
    truth = np.arange(n) % 3
    x = (rng.normal(0, 1, (n, 4)) + 5 * truth[:, None]).astype(np.float32)
    y = np.where(np.arange(n) % 10 == 9, -1, truth)
    ids = np.array([f"row, {i}" for i in range(n)])
    return Dataset("made", "vector", x, y, CLASSES, ids, y_true=truth, x_test=x[:9], y_test=truth[:9])


def images() -> Dataset:
    pixels = np.random.default_rng(0).integers(0, 255, (24, 3, 12, 12), dtype=np.uint8)
    y = np.arange(24) % 2
    return Dataset("made", "image", pixels, y, ("a", "b"), np.arange(24).astype(str))


def fit(dataset: Dataset, **arguments: object) -> NoisyLabelClassifier:
    settings = {"method": "cross_entropy", "epochs": 2, "random_state": 0, **arguments}
    return NoisyLabelClassifier(**settings).fit(dataset.x, dataset.y)


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, NoisyLabelClassifier, Dataset]:
    """A run folder with its classifier and data. Tests must not change it."""
    folder = tmp_path_factory.mktemp("saved") / "run"
    dataset = vectors()
    classifier = fit(dataset, method="pi_model", epochs=3)
    runs.save(folder, classifier, dataset, {"data": {"source": "made"}})
    return folder, classifier, dataset


def test_the_saved_model_predicts_exactly_the_same(saved):
    folder, classifier, dataset = saved
    probs = runs.open_run(folder).predict_proba(dataset)
    assert probs.dtype == np.float32
    assert np.array_equal(probs, classifier.predict_proba(dataset.x))
    none = dataclasses.replace(dataset, x=dataset.x[:0], y=dataset.y[:0], ids=dataset.ids[:0])
    assert runs.open_run(folder).predict_proba(none).shape == (0, 3)


def test_tables_contain_the_labels_of_the_user(saved):
    folder, classifier, dataset = saved
    run = runs.open_run(folder)
    assert run.classes == CLASSES
    labeled = np.flatnonzero(dataset.y >= 0)
    assert sorted(run.issues["id"]) == sorted(dataset.ids[labeled])
    given = dict(zip(run.issues["id"], run.issues["given_label"], strict=True))
    assert given == {dataset.ids[i]: CLASSES[dataset.y[i]] for i in labeled}
    own = classifier.label_issues()
    assert run.issues["p_wrong"].to_numpy() == pytest.approx(own["p_wrong"].to_numpy(), rel=1e-5)
    assert run.issues["id"].tolist() == dataset.ids[own["id"]].tolist()
    assert run.predictions["id"].tolist() == dataset.ids.tolist()
    best = classifier.predict_proba(dataset.x).argmax(1)
    assert run.predictions["predicted"].tolist() == [CLASSES[k] for k in best]


def test_metrics_equal_those_of_the_classifier(saved):
    folder, classifier, dataset = saved
    metrics = runs.open_run(folder).metrics
    assert (metrics["n_rows"], metrics["n_labeled"], metrics["n_epochs"], metrics["n_test"]) == (60, 54, 3, 9)
    assert metrics["noise_rate"] == classifier.noise_rate_
    assert np.array_equal(metrics["transition"], classifier.transition_)
    assert metrics["test_accuracy"] == np.mean(classifier.predict(dataset.x_test) == dataset.y_test)
    assert metrics["true_noise"]["noise_rate"] == 0.0
    assert metrics["true_noise"]["issue_recall"] is None  # there are no wrong labels


def test_the_config_is_enough_to_repeat_the_run(saved):
    from goldvein.config.build import build_method

    folder, classifier, _ = saved
    config = runs.open_run(folder).config
    assert config["data"] == {"source": "made"}
    method = build_method(config["method"]["name"], config["method"]["params"])
    assert repr(method) == repr(classifier.method_)
    again = NoisyLabelClassifier(method, **config["estimator"])
    assert repr(again.get_params(deep=False)) == repr({**classifier.get_params(deep=False), "method": method})
    assert config["network"] == {"model": "mlp", "params": {}}
    assert config["spec"] == {"reader": "vectors", "width": 4, "classes": list(CLASSES)}


def test_integer_labels_stay_integers(tmp_path):
    dataset = dataclasses.replace(vectors(), classes=(-1, 7, 10))
    runs.save(tmp_path / "run", fit(dataset), dataset, {})
    run = runs.open_run(tmp_path / "run")
    assert set(run.issues["given_label"]) == {-1, 7, 10}
    assert set(run.clean_labels()["cleaned_label"]) <= {-1, 7, 10, ""}


def test_a_class_that_no_label_names_has_no_column(tmp_path):
    dataset = vectors()
    dataset = dataclasses.replace(dataset, y=np.where(dataset.y == 1, -1, dataset.y))
    runs.save(tmp_path / "run", fit(dataset), dataset, {})
    run = runs.open_run(tmp_path / "run")
    assert run.classes == ("NA", "None")
    assert list(run.predictions.columns) == ["id", "predicted", "confidence", "prob_NA", "prob_None"]
    assert run.metrics["test_accuracy"] <= 6 / 9  # the three rows of the class cannot be hit


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_a_convolutional_network_is_saved_and_read(tmp_path, precision):
    dataset = images()
    classifier = fit(dataset, precision=precision, model_params={"dropout": 0.1})
    runs.save(tmp_path / "run", classifier, dataset, {})
    run = runs.open_run(tmp_path / "run")
    assert np.array_equal(run.predict_proba(dataset), classifier.predict_proba(dataset.x))
    assert run.config["network"] == {"model": "resnet14", "params": {"dropout": 0.1}}
    assert run.config["spec"] == {"reader": "images", "size": [12, 12], "channels": 3, "classes": ["a", "b"]}


def test_a_network_of_the_user_is_imported_by_its_name(tmp_path, monkeypatch):
    text = "from torch import nn\ndef tiny(shape, n_classes, width=2):\n    return nn.Sequential("
    text += "nn.Linear(shape[0], width), nn.Linear(width, n_classes))\n"
    (tmp_path / "own_networks.py").write_text(text)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "own_networks", raising=False)
    dataset = vectors()
    classifier = fit(dataset, model="own_networks:tiny", model_params={"width": 5})
    runs.save(tmp_path / "run", classifier, dataset, {})
    again = runs.open_run(tmp_path / "run").predict_proba(dataset)
    assert np.array_equal(again, classifier.predict_proba(dataset.x))


def test_a_network_without_a_name_is_refused(tmp_path):
    from goldvein.models.mlp import MLP

    dataset = vectors()
    with pytest.raises(InputError, match="has no name to be built again by"):
        runs.save(tmp_path / "run", fit(dataset, model=MLP), dataset, {})
    assert not (tmp_path / "run").exists()


def test_a_classifier_of_other_labels_is_refused(tmp_path):
    dataset = vectors()
    with pytest.raises(InputError, match="fitted on other labels"):
        runs.save(tmp_path / "run", fit(images()), dataset, {})


def test_nothing_is_overwritten(saved, tmp_path):
    folder, classifier, dataset = saved
    with pytest.raises(InputError, match="already contains a finished run"):
        runs.save(folder, classifier, dataset, {})
    (tmp_path / "checkpoint.pt").touch()
    with pytest.raises(InputError, match="interrupted run"):
        runs.check_folder(tmp_path)
    with pytest.raises(InputError, match="interrupted run"):
        runs.open_run(tmp_path)
    runs.save(tmp_path, classifier, dataset, {})
    assert not (tmp_path / "checkpoint.pt").exists()
    assert runs.open_run(tmp_path).classes == CLASSES


def test_a_full_disk_leaves_the_checkpoint_and_no_config(saved, tmp_path, monkeypatch):
    _, classifier, dataset = saved
    calls = []

    def full(handle: int) -> None:
        calls.append(handle)
        if len(calls) > 3:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    (tmp_path / "checkpoint.pt").touch()
    with pytest.raises(InputError, match="No space left on device"):
        runs.save(tmp_path, classifier, dataset, {})
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "checkpoint.pt",
        "history.jsonl",
        "predictions.csv",
        "weights.safetensors",
    ]
    monkeypatch.undo()
    runs.save(tmp_path, classifier, dataset, {})
    assert runs.open_run(tmp_path).metrics["n_rows"] == 60


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("format", 2, "has format 2"),
        ("format", None, "has format None"),
        ("classes", "ab", "classes is missing or has another type"),
        ("network", None, "network is missing or has another type"),
        ("network", {}, "damaged"),
        ("network", {"model": "mlp", "params": {"hidden": [3]}}, "damaged"),
        ("network", {"model": "os:getcwd", "params": {}}, "damaged"),
        ("classes", ["a", "b"], "damaged"),
    ],
)
def test_a_changed_config_is_reported(saved, tmp_path, key, value, message):
    folder, _, dataset = saved
    config = json.loads((folder / "config.json").read_text()) | {key: value}
    (tmp_path / "config.json").write_text(json.dumps(config))
    (tmp_path / "weights.safetensors").write_bytes((folder / "weights.safetensors").read_bytes())
    with pytest.raises(InputError, match=message):
        runs.open_run(tmp_path).predict_proba(dataset)


@settings(max_examples=30, deadline=None)
@given(cut=st.floats(0, 0.999))
def test_truncated_weights_are_reported(saved, tmp_path_factory, cut):
    folder, _, dataset = saved
    target = tmp_path_factory.mktemp("cut")
    (target / "config.json").write_bytes((folder / "config.json").read_bytes())
    weights = (folder / "weights.safetensors").read_bytes()
    (target / "weights.safetensors").write_bytes(weights[: int(cut * len(weights))])
    with pytest.raises(InputError, match="damaged"):
        runs.open_run(target).predict_proba(dataset)


def made_run(folder: Path, issues: list[str], predictions: list[str]) -> runs.SavedRun:
    """Write a run folder without weights, and open it."""
    config = {"format": 1, "classes": ["cat", "dog"], "network": {}, "method": {}, "spec": {}, "estimator": {}}
    (folder / "config.json").write_text(json.dumps(config))
    head = "id,given_label,suggested_label,label_quality,p_wrong,is_issue,rank,reason,p_suggested"
    (folder / "issues.csv").write_text("\n".join([head, *issues]) + "\n")
    (folder / "predictions.csv").write_text("\n".join(["id,predicted,confidence,prob_cat,prob_dog", *predictions]))
    return runs.open_run(folder)


def test_cleaning_by_hand(tmp_path):
    run = made_run(
        tmp_path,
        [
            "a,cat,dog,0.05,0.95,True,1,x,0.95",
            "b,cat,dog,0.3,0.7,True,2,x,0.65",
            "d,dog,dog,0.6,0.4,False,3,,0.6",
            "e,dog,cat,0.45,0.55,True,4,x,0.55",
        ],
        [
            "a,dog,0.5,0.5,0.5",
            "b,dog,0.99,0.01,0.99",
            "c,dog,0.99,0.01,0.99",
            "d,cat,0.97,0.97,0.03",
            "e,cat,0.6,0.6,0.4",
        ],
    )
    rows = run.clean_labels(relabel_above=0.9, drop_above=0.6).values.tolist()
    assert rows == [
        ["a", "cat", "dog", "relabel"],  # 0.95 is above 0.9
        ["b", "cat", "", "drop"],  # p_suggested 0.65 is not above 0.9, but p_wrong 0.7 is above 0.6
        ["c", "", "", "keep"],  # was missing
        ["d", "dog", "dog", "keep"],  # not an issue, although the model predicts cat
        ["e", "dog", "dog", "keep"],  # 0.55 is not above 0.9, nor above 0.6
    ]
    assert run.clean_labels(relabel_above=0.5)["action"].tolist() == ["relabel", "relabel", "keep", "keep", "relabel"]
    assert set(run.clean_labels(1, 1)["action"]) == {"keep"}
    with pytest.raises(InputError, match=r"relabel_above=1\.5: it must be from 0 to 1"):
        run.clean_labels(1.5)


def test_a_class_with_too_few_labels_to_judge_keeps_them(tmp_path):
    lines = ["a,cat,dog,0.01,0.99,True,1,x,0.99", "b,dog,cat,0.02,0.98,True,2,x,0.98"]
    run = made_run(tmp_path, lines, ["a,dog,0.99,0.01,0.99", "b,cat,0.98,0.98,0.02"])
    assert run.clean_labels()["action"].tolist() == ["relabel", "relabel"]
    head, *rows = (tmp_path / "issues.csv").read_text().splitlines()
    kinds = ("too_little_evidence", "wrong_label")
    more = [f"{line},{kind}" for line, kind in zip(rows, kinds, strict=True)]
    (tmp_path / "issues.csv").write_text("\n".join([f"{head},kind", *more]) + "\n")
    table = runs.open_run(tmp_path).clean_labels()
    assert table["action"].tolist() == ["keep", "relabel"]
    decided = runs.open_run(tmp_path).clean_labels(decided={"a": "dog"})
    assert decided["cleaned_label"].tolist() == ["dog", "cat"]  # a decision overrides the model


def test_a_truncated_table_is_damage(saved, tmp_path):
    folder, *_ = saved
    for name in ("config.json", "metrics.json", "issues.csv", "predictions.csv"):
        (tmp_path / name).write_bytes((folder / name).read_bytes())
    lines = (tmp_path / "issues.csv").read_text().splitlines()
    (tmp_path / "issues.csv").write_text("\n".join(lines[:20]) + "\n")
    with pytest.raises(InputError, match=r"issues\.csv is damaged.*it has 19 of 54 rows"):
        _ = runs.open_run(tmp_path).issues


def test_labels_that_are_no_class_are_damage(tmp_path):
    run = made_run(tmp_path, ["a,cow,dog,0.05,0.95,True,1,x,0.95"], ["a,dog,0.95,0.05,0.95"])
    with pytest.raises(InputError, match=r"issues\.csv is damaged"):
        run.clean_labels()


@pytest.mark.parametrize("folder", ["pictures", "/data/pictures"])
def test_skipped_files_are_named_below_the_data(tmp_path, monkeypatch, folder):
    monkeypatch.chdir(tmp_path)
    dataset = dataclasses.replace(
        vectors(), name=f"{folder}/list.csv", skipped=((os.path.abspath(f"{folder}/a/1.png"), "it is empty"),)
    )
    runs.save("run", fit(dataset), dataset, {})
    assert Path("run/skipped.csv").read_text() == "path,reason\na/1.png,it is empty\n"


words = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=8)
some = st.lists(words, min_size=2, max_size=5, unique=True)


@settings(max_examples=60, deadline=None)
@given(ids=some, labels=some)
def test_any_text_survives_a_table(tmp_path_factory, ids, labels):
    path = tmp_path_factory.mktemp("table") / "table.csv"
    chosen = [labels[i % len(labels)] for i in range(len(ids))]
    values = [0.5, *[np.nan] * (len(ids) - 1)]
    write_table(path, pd.DataFrame({"id": ids, "label": chosen, "value": values}))
    found = read_table(path, ("label",), {"value": float}, labels)
    assert found["id"].tolist() == ids
    assert found["label"].tolist() == chosen
    assert np.array_equal(found["value"], values, equal_nan=True)


plain = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=10,
)


@given(value=plain)
def test_json_is_strict(value):
    def refuse(constant: str) -> None:
        raise AssertionError(constant)

    found = json.loads(runs.as_json(value), parse_constant=refuse)
    if isinstance(value, float) and not np.isfinite(value):
        assert found is None
    elif not isinstance(value, list | dict):
        assert found == value


@pytest.mark.parametrize("precision", [0.5, 0.8, 0.95])
def test_the_list_of_a_saved_run_is_that_of_the_classifier(saved, precision):
    folder, classifier, _ = saved
    of_run = runs.open_run(folder).list_issues(precision)
    of_classifier = classifier.label_issues(precision=precision)
    names = {f"row, {i}": i for i in range(60)}
    assert {names[row] for row in of_run["id"][of_run["is_issue"]]} == set(
        of_classifier["id"][of_classifier["is_issue"]]
    )
