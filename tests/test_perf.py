"""The scripts in perf/ can be started: what they import is there."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

SCRIPTS = sorted((Path(__file__).parents[1] / "perf").glob("*.py"))


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.stem)
def test_a_script_can_be_started(script: Path) -> None:
    spec = importlib.util.spec_from_file_location(f"perf_{script.stem}", script)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    assert module.__doc__


def test_there_are_scripts() -> None:
    assert len(SCRIPTS) > 5
