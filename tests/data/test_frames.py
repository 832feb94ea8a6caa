"""Inputs as a person holds them in Python, read as the command line reads a file."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image
from scipy.sparse import csr_matrix
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from torch.utils.data import TensorDataset

from goldvein import InputError, NoisyLabelClassifier
from goldvein.data.frames import holds_vectors, index_of, labels_of, read_inputs

QUICK: dict[str, Any] = {"method": "cross_entropy", "epochs": 3, "random_state": 0}


def pets(n: int = 90) -> tuple[pd.DataFrame, np.ndarray]:
    rng = np.random.default_rng(0)
    true = np.arange(n) % 3
    frame = pd.DataFrame(
        {
            "height": rng.normal(0, 1, n) + 3.0 * true,
            "color": np.array(["red", "blue", "green"])[true],
            "born": pd.to_datetime("2020-01-01") + pd.to_timedelta(true * 400 + rng.integers(0, 30, n), unit="D"),
            "chip": pd.array(np.where(rng.random(n) < 0.5, true, 7), dtype="Int64"),
        }
    )
    frame.loc[3, "height"] = np.nan
    frame.loc[4, "color"] = None
    frame.loc[5, "born"] = pd.NaT
    frame.loc[6, "chip"] = pd.NA
    return frame, np.array(["cat", "dog", "cow"])[true]


def test_columns_of_all_kinds() -> None:
    frame, _ = pets(9)
    rows, spec = read_inputs(frame)
    assert [column["name"] for column in spec["columns"]] == ["height", "color", "born", "chip"]
    # height and "was empty"; three colors; day, month, weekday and "was empty"; chip and "was empty"
    assert rows.shape == (9, 2 + 3 + 4 + 2)
    assert np.isfinite(rows).all()
    again, _ = read_inputs(frame[["chip", "born", "color", "height"]], spec, reset=False)
    np.testing.assert_array_equal(again, rows)


def test_dates_are_days_month_and_weekday() -> None:
    frame = pd.DataFrame({"day": pd.to_datetime(["1970-01-02 00:00", "2024-02-29 00:00", "2024-02-29 12:00"])})
    rows, _ = read_inputs(frame)
    assert rows.tolist() == [[1, 1, 4], [19782, 2, 3], [19782.5, 2, 3]]  # a Friday and a Thursday


def test_pyarrow_and_polars_are_as_pandas() -> None:
    frame, _ = pets()
    expected, spec = read_inputs(frame)
    pa = pytest.importorskip("pyarrow")
    table, of_table = read_inputs(pa.Table.from_pandas(frame, preserve_index=False))
    np.testing.assert_array_equal(table, expected)
    assert of_table == spec
    polars = pytest.importorskip("polars")
    np.testing.assert_array_equal(read_inputs(polars.from_pandas(frame))[0], expected)


def test_a_frame_and_its_index_from_fit_to_the_table_of_issues() -> None:
    frame, y = pets()
    frame.index = [f"pet {i}" for i in range(len(frame))]
    given = y.copy()
    given[:3] = ["cow", "cat", "dog"]
    model = NoisyLabelClassifier(random_state=0).fit(frame, given)
    assert (model.predict(frame) == y).mean() > 0.95
    table = model.label_issues()
    assert set(table[table.is_issue].id) == {"pet 0", "pet 1", "pet 2"}
    assert (frame.loc[table.id].index == table.id).all()
    assert (model.predict(frame[frame.columns[::-1]]) == model.predict(frame)).all()
    with pytest.raises(
        InputError, match="column 'color' is missing; the model was trained on the columns height, color"
    ):
        model.predict(frame[["height"]])
    with pytest.raises(InputError, match="X has no names of columns, and the model was fitted on the columns height"):
        model.predict(np.zeros((3, 4)))


def test_index() -> None:
    frame = pd.DataFrame({"a": [1, 2, 3]})
    assert index_of(frame) is None
    assert index_of(np.zeros((3, 1))) is None
    assert index_of(["a", "b"]) is None
    assert index_of(frame[frame.a > 1]).tolist() == [1, 2]
    assert index_of(pd.DataFrame({"a": [1, 2]}, index=[7, 7])) is None  # it names no row


def test_numbers_stay_a_frame() -> None:
    frame = pd.DataFrame({"a": [1.0, 2.0, 3.0, 4.0], "b": [True, False, True, False]})
    assert read_inputs(frame) == (frame, None) or read_inputs(frame)[0] is frame
    model = NoisyLabelClassifier(**QUICK).fit(frame, [0, 0, 1, 1])
    assert model.feature_names_in_.tolist() == ["a", "b"]


@pytest.mark.parametrize("kind", [list, np.array, pd.Series, lambda t: pd.DataFrame({"note": t})])
def test_texts(kind: Any) -> None:
    texts = ["the good great film was fun", "a bad awful movie to avoid"] * 20
    texts = [f"{text} {i}" for i, text in enumerate(texts)]
    y = np.array([0, 1] * 20)
    given = y.copy()
    given[0] = 1
    model = NoisyLabelClassifier(random_state=0).fit(kind(texts), given)
    assert (model.predict(kind(texts)) == y).all()
    with pytest.raises(InputError, match="fitted on"):
        model.predict(np.zeros((2, 3)))


def test_texts_and_numbers_are_not_mixed() -> None:
    frame = pd.DataFrame({"note": [f"some words about thing {i}" for i in range(9)], "size": range(9)})
    with pytest.raises(InputError, match=r"X has texts \(note\) among the columns note, size: give only the column"):
        read_inputs(frame)
    with pytest.raises(InputError, match="row 1 of X is 3, and others are texts: give texts only"):
        read_inputs(["a b", 3])


def test_sparse_rows_reach_networks_and_classifiers() -> None:
    texts = ["good great film", "bad awful movie"] * 20
    y = [0, 1] * 20
    for options in (QUICK, {"random_state": 0}):
        model = make_pipeline(TfidfVectorizer(), NoisyLabelClassifier(**options)).fit(texts, y)
        assert model.score(texts, y) == 1
    with pytest.raises(InputError, match="X is sparse, 60,000 x 60,000, and a network needs all of it"):
        NoisyLabelClassifier(**QUICK).fit(csr_matrix((60_000, 60_000)), np.arange(60_000) % 2)


def test_images_in_any_form() -> None:
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 255, (12, 3, 8, 6), dtype=np.uint8)
    last = pixels.transpose(0, 2, 3, 1)
    for images in (last, list(last), [Image.fromarray(image) for image in last], list(pixels)):
        assert not holds_vectors(images)
        np.testing.assert_array_equal(read_inputs(images)[0], pixels)
    np.testing.assert_array_equal(read_inputs(pixels[:, 0])[0], pixels[:, :1])
    with pytest.raises(
        InputError, match=r"images have the shapes \(8, 6, 3\) and \(6, 8, 3\): give all of them the same size"
    ):
        read_inputs([last[0], last[0].transpose(1, 0, 2)])
    model = NoisyLabelClassifier(**QUICK).fit(list(last), np.arange(12) % 2)
    assert model.predict(pixels).shape == (12,)


def test_a_data_set_of_torch() -> None:
    x, y = torch.randn(30, 4), torch.arange(30) % 2
    x[:, 0] += 6 * y
    data = TensorDataset(x, y)
    assert labels_of(data) == y.tolist()
    model = NoisyLabelClassifier(random_state=0).fit(data)
    assert (model.predict(data) == y.numpy()).all()
    assert (model.predict(x.numpy()) == y.numpy()).all()


def test_what_missing_means() -> None:
    x = np.r_[np.zeros((20, 1)), np.ones((20, 1)), 2 * np.ones((20, 1))] + np.random.default_rng(0).normal(
        0, 0.1, (60, 1)
    )
    y = np.repeat([-1, 0, 1], 20)
    with pytest.warns(UserWarning, match=r"-1 is a missing label \(20 rows\): give missing=None if it is a class"):
        NoisyLabelClassifier(**QUICK).fit(x, y)
    assert NoisyLabelClassifier(**QUICK, missing=None).fit(x, y).classes_.tolist() == [-1, 0, 1]
    assert NoisyLabelClassifier(**QUICK, missing=-1).fit(x, y).classes_.tolist() == [0, 1]
    assert NoisyLabelClassifier(**QUICK, missing=[0]).fit(x, y).classes_.tolist() == [-1, 1]
    names = np.repeat(["?", "a", "b"], 20)
    assert NoisyLabelClassifier(**QUICK, missing="?").fit(x, names).classes_.tolist() == ["a", "b"]
    with pytest.raises(InputError, match="y has -1 and 1 only, and -1 is a missing label"):
        NoisyLabelClassifier(**QUICK).fit(x[:40], np.repeat([-1, 1], 20))


def test_labels_in_objects() -> None:
    x = np.arange(40.0)[:, None]
    floats = [float(i % 2) for i in range(35)] + [None] * 5
    assert NoisyLabelClassifier(**QUICK).fit(x, floats).classes_.tolist() == [0, 1]
    mixed = np.array(["a" if i % 2 else 1 for i in range(40)], dtype=object)
    with pytest.raises(InputError, match=r"y mixes text \('a'\) and whole numbers \(1\): write all labels in one way"):
        NoisyLabelClassifier(**QUICK).fit(x, mixed)


def test_search_on_the_names_of_a_method() -> None:
    x, y = np.random.default_rng(0).normal(size=(40, 3)), np.arange(40) % 2
    x[:, 0] += 6 * y
    search = GridSearchCV(NoisyLabelClassifier(epochs=1, random_state=0), {"method__rounds": [1, 2]}, cv=2).fit(x, y)
    assert search.best_estimator_.method_.rounds in (1, 2)
    assert NoisyLabelClassifier().get_params()["method__selector__threshold"] > 0
    changed = NoisyLabelClassifier().set_params(method__selector__threshold=0.7)
    assert changed.get_params()["method__selector__threshold"] == 0.7
