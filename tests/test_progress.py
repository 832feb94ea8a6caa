"""What stands in a log of long work."""

from __future__ import annotations

import pytest

from goldvein import progress
from goldvein.progress import Progress


def test_a_log_gets_a_line_a_minute(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    now = [0.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: now[0])
    bar = Progress()
    bar.stage("stage 1", 400, done=3)
    for second in range(1, 151):
        now[0] = float(second)
        bar.step(f"validation 0.{second}")
    bar.stage("stage 2", 5)
    now[0] = 180.0
    bar.step()
    bar.close()
    found = capsys.readouterr()
    assert found.out == ""
    assert found.err.splitlines() == [
        "stage 1: 63 of 400, validation 0.60",
        "stage 1: 123 of 400, validation 0.120",
        "stage 2: 1 of 5",
    ]


def test_quiet_is_quiet(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    now = [0.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: now[0])
    bar = Progress(quiet=True)
    bar.stage("stage 1", 2)
    now[0] = 1000.0
    bar.step()
    bar.close()
    assert capsys.readouterr().err == ""
