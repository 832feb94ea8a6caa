"""Pictures of each class whose labels stage 1 kept or removed."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from goldvein import runs
from goldvein.report.appearance import open_data
from goldvein.report.page import write_report
from goldvein.report.sheet import SHOWN, sample_pictures


@pytest.fixture
def folder(make_run, tmp_path):
    """40 pictures of two classes. A quarter of the labels is removed, and one of those files is damaged."""
    ids = []
    for k in range(40):
        name = "cat" if k % 2 else "dog"
        (tmp_path / "pictures" / name).mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.full((8, 8), k, dtype=np.uint8)).save(tmp_path / "pictures" / name / f"{k}.png")
        ids.append(f"{name}/{k}.png")
    (tmp_path / "pictures" / "dog" / "0.png").write_bytes(b"no image")
    spec = {"reader": "images", "size": [8, 8], "channels": 1}
    given = [row.partition("/")[0] for row in ids]
    folder = make_run(tmp_path / "run", given, source=str(tmp_path / "pictures"), spec=spec, ids=ids)
    issues = pd.read_csv(folder / "issues.csv")
    issues["kept"] = np.where(np.arange(40) < 10, 0.0, 1.0)
    issues.to_csv(folder / "issues.csv", index=False)
    return folder


def test_kept_and_removed_of_each_class(folder):
    run = runs.open_run(folder)
    strips = sample_pictures(run, open_data(run))
    assert [(s.label, s.n_kept, s.n_removed) for s in strips] == [("cat", 15, 5), ("dog", 15, 5)]
    assert [(len(s.kept), len(s.removed)) for s in strips] == [(SHOWN, 5), (SHOWN, 4)]  # one cannot be read
    of_all = [url for s in strips for url in (*s.kept, *s.removed)]
    assert len(set(of_all)) == len(of_all)
    assert strips == sample_pictures(run, open_data(run))


def test_the_report_contains_the_pictures(folder, tmp_path):
    run = runs.open_run(folder)
    write_report(tmp_path / "report.html", run, open_data(run))
    assert "<h2>Kept and removed</h2>" in (tmp_path / "report.html").read_text(encoding="utf-8")


def test_no_pictures_of_other_data(text_run):
    issues = pd.read_csv(text_run / "issues.csv").assign(kept=1.0)
    issues.to_csv(text_run / "issues.csv", index=False)
    run = runs.open_run(text_run)
    assert sample_pictures(run, open_data(run)) == []


def test_no_pictures_without_a_selection(folder):
    pd.read_csv(folder / "issues.csv").drop(columns="kept").to_csv(folder / "issues.csv", index=False)
    run = runs.open_run(folder)
    assert sample_pictures(run, open_data(run)) == []
