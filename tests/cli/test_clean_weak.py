"""``goldvein clean`` and a model that is too weak to judge labels."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any


def test_clean_stops_for_a_model_that_cannot_judge_unless_told_to_go_on(
    goldvein: Any, refused: Any, trained: Path, tmp_path: Path
) -> None:
    run, out = tmp_path / "run", tmp_path / "clean.csv"
    shutil.copytree(trained, run)
    metrics = json.loads((run / "metrics.json").read_text())
    metrics |= {"too_weak": True, "ambiguous": ["this model cannot place 50 % of the rows"]}
    (run / "metrics.json").write_text(json.dumps(metrics))
    assert "this model cannot place 50 % of the rows; --anyway cleans nevertheless" in refused(
        "clean", run, "--out", out
    ).replace("\n", " ")
    assert not out.exists()
    goldvein("clean", run, "--out", out, "--anyway")
    assert out.exists()
