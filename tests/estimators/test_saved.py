"""Predictors without a pickle: the same numbers, and nothing but classes of known packages."""

from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np
import pytest
from skops.io import dumps

from goldvein import InputError
from goldvein.estimators import CLASSIFIERS
from goldvein.estimators._saved import from_file, to_bytes
from goldvein.estimators.panel import Panel
from goldvein.estimators.soft_labels import SoftLabels
from goldvein.noise.model import fit_noise_model


def blobs() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    y = np.arange(180) % 3
    return rng.normal(size=(180, 4)) + 3.0 * np.eye(3, 4)[y], y


def write(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path


def test_a_panel_predicts_the_same_after_reading(tmp_path: Path) -> None:
    x, y = blobs()
    panel = Panel(random_state=0).fit(x, y)
    again = from_file(write(tmp_path / "model.skops", to_bytes(panel.predictor_)), "auto")
    np.testing.assert_array_equal(again.predict_proba(x), panel.predict_proba(x))


@pytest.mark.parametrize("name", CLASSIFIERS)
def test_each_short_name_can_be_saved(name: str, tmp_path: Path) -> None:
    from goldvein.estimators import find_learner

    x, y = blobs()
    learner = find_learner("auto", name, None, 0)
    assert isinstance(learner, SoftLabels)
    learner.fit(x, y)
    again = from_file(write(tmp_path / "model.skops", to_bytes(learner.predictor_)), name)
    np.testing.assert_array_equal(again.predict_proba(x), learner.predict_proba(x))


def test_other_classes_and_functions_are_refused(tmp_path: Path) -> None:
    _, y = blobs()
    for value, first in (
        (fit_noise_model(y, np.eye(3)[y]), "goldvein.noise"),
        (np.load, "it contains numpy"),
        (zipfile.ZipFile, "it contains zipfile"),
    ):
        path = write(tmp_path / "model.skops", dumps({"value": value}))
        with pytest.raises(ValueError, match=first):
            from_file(path, "auto")


def test_a_package_that_is_not_installed(tmp_path: Path) -> None:
    x, y = blobs()
    content = to_bytes(SoftLabels(random_state=0).fit(x, y).predictor_)
    with zipfile.ZipFile(write(tmp_path / "old.skops", content)) as old, zipfile.ZipFile(tmp_path / "new", "w") as new:
        for name in old.namelist():
            new.writestr(name, old.read(name).replace(b"sklearn.ensemble._forest", b"nowhere.forest"))
    with pytest.raises(
        InputError, match=r"new needs the package of nowhere:Forest \(No module named 'nowhere'\): install"
    ):
        from_file(tmp_path / "new", "nowhere:Forest")


def test_a_damaged_file(tmp_path: Path) -> None:
    x, y = blobs()
    content = to_bytes(SoftLabels(random_state=0).fit(x, y).predictor_)
    for broken in (b"", b"PK", content[: len(content) // 2]):
        with pytest.raises(ValueError, match=r"."):
            from_file(write(tmp_path / "model.skops", broken), "auto")
