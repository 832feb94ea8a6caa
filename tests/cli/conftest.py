"""Commands run in this process, and one small trained run for all tests that only read it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from goldvein.cli import app

Command = Callable[..., Any]


def invoke(*arguments: object) -> Any:
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


@pytest.fixture(scope="session")
def goldvein() -> Command:
    """Run a command that must succeed, and return its result."""

    def run(*arguments: object) -> Any:
        result = invoke(*arguments)
        assert result.exit_code == 0, result.output
        return result

    return run


@pytest.fixture(scope="session")
def refused() -> Callable[..., str]:
    """Run a command that must fail with one line, and return that line."""

    def run(*arguments: object) -> str:
        result = invoke(*arguments)
        assert result.exit_code == 2, (result.exit_code, result.output, result.exception)
        assert result.stdout == ""
        assert result.stderr.startswith("error: ")
        assert result.stderr.count("\n") == 1
        return result.stderr.removeprefix("error: ").rstrip("\n")

    return run


@pytest.fixture(scope="session")
def trained(goldvein: Command, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run on digits with symmetric noise of rate 0.2. Tests must not change it."""
    folder = tmp_path_factory.mktemp("trained") / "run"
    noise = ("--noise", "symmetric", "--noise-rate", 0.2)
    goldvein("train", "digits", "--out", folder, *noise, "--method", "cross_entropy", "--set", "epochs=15")
    return folder


@pytest.fixture
def flowers(tmp_path: Path) -> Path:
    """A table of 40 rows in two separate classes; the first label is wrong, the last four are missing."""
    lines = ["id,width,color,kind"]
    for row in range(40):
        rose = row % 2 == 0
        label = "" if row >= 36 else ("rose" if rose != (row == 0) else "lily")
        lines.append(f"f{row},{1 + row / 100 if rose else 9 - row / 100},{'red' if rose else 'white'},{label}")
    path = tmp_path / "flowers.csv"
    path.write_text("\n".join(lines) + "\n")
    return path
