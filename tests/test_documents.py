"""What the documents show: their Python runs, their commands exist, their links lead somewhere."""

from __future__ import annotations

import pkgutil
import re
import shlex
from pathlib import Path
from typing import Any

import pytest
from typer.main import get_command
from typer.testing import CliRunner

import goldvein.methods
from goldvein.cli import app

ROOT = Path(__file__).parents[1]
README = ROOT / "README.md"
DOCS = sorted((ROOT / "docs").rglob("*.md"))
PAGES = [*sorted(ROOT.glob("*.md")), *DOCS]
FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\]\(([^)\s]+)\)")


def blocks(page: Path, language: str) -> list[tuple[int, str]]:
    """Fenced blocks of a language, each with the number of its first line."""
    text = page.read_text(encoding="utf-8")
    found = [match for match in FENCE.finditer(text) if match[1] == language]
    return [(text.count("\n", 0, match.start(2)) + 1, match[2]) for match in found]


def commands(page: Path) -> list[str]:
    """Lines that begin with ``goldvein``, in order, without their comments."""
    lines = [line for _, block in blocks(page, "sh") for line in block.splitlines()]
    return [line.split(" #")[0].rstrip() for line in lines if line.startswith("goldvein ")]


def name(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


@pytest.mark.parametrize("page", [page for page in [README, *DOCS] if blocks(page, "python")], ids=name)
def test_the_python_of_a_page_runs(page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    namespace: dict[str, Any] = {"__name__": "page"}
    for line, block in blocks(page, "python"):
        exec(compile("\n" * (line - 1) + block, str(page), "exec"), namespace)  # a traceback names the line of the page


def test_the_commands_of_the_readme_run_in_their_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    lines = commands(README)
    assert len(lines) >= 3
    for line in lines:
        result = CliRunner().invoke(app, shlex.split(line)[1:])
        assert result.exit_code == 0, f"{line}\n{result.output}"
    assert (tmp_path / "run" / "report.html").exists()


@pytest.mark.parametrize(
    ("page", "line"), [pytest.param(page, line, id=f"{name(page)}: {line}") for page in DOCS for line in commands(page)]
)
def test_a_command_of_a_page_exists_with_its_options(page: Path, line: str) -> None:
    verbs: Any = get_command(app)
    verb, *words = shlex.split(line)[1:]
    assert verb in verbs.commands, f"{name(page)} shows {verb!r}, which is no command"
    verbs.commands[verb].make_context(verb, words)  # parses, and raises at an unknown option; runs nothing


def test_every_verb_stands_on_the_page_of_the_command_line() -> None:
    verbs: Any = get_command(app)
    assert {line.split()[1] for line in commands(ROOT / "docs" / "command-line.md")} == set(verbs.commands)


def test_every_method_stands_on_the_page_of_the_methods() -> None:
    text = (ROOT / "docs" / "methods.md").read_text(encoding="utf-8")
    names = [module.name for module in pkgutil.iter_modules(goldvein.methods.__path__)]
    assert [method for method in names if not method.startswith("_") and f"`{method}`" not in text] == []


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_relative_links_lead_to_files(page: Path) -> None:
    text = FENCE.sub("", page.read_text(encoding="utf-8"))
    targets = [target.split("#")[0] for target in LINK.findall(text) if not re.match(r"[a-z]+:", target)]
    assert [target for target in targets if target and not (page.parent / target).exists()] == []
