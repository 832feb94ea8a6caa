"""What is packaged: all that the suite needs, the published tables, and the version, which stands in one place."""

from __future__ import annotations

import subprocess
import sys
import tomllib
from email import message_from_string
from pathlib import Path

import pytest

import goldvein
from goldvein.bench import published

ROOT = Path(__file__).parents[1]
# files that a build or a test run makes beside the sources
MADE = {"__pycache__"}
# as pip does it, but without a network; nothing heavy may be needed to tell the version
BUILD = """
import sys
sys.modules["torch"] = sys.modules["numpy"] = None
from setuptools import setup
made = sys.argv[1]
setup(script_args=["-q", "egg_info", "--egg-base", made, "build", "--build-base", made, "--build-lib", made + "/lib"])
"""


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the metadata, the list of files of the sdist, and the files of the wheel."""
    pytest.importorskip("setuptools")
    folder = tmp_path_factory.mktemp("made")
    done = subprocess.run([sys.executable, "-c", BUILD, folder], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return folder


def test_the_sdist_holds_all_that_the_suite_needs(made: Path) -> None:
    listed = set((made / "goldvein.egg-info" / "SOURCES.txt").read_text().splitlines())
    for folder in ("tests", "docs", "examples", "benchmarks", "perf", "src/goldvein"):
        there = [path for path in (ROOT / folder).rglob("*") if path.is_file() and not MADE & set(path.parts)]
        assert {path.relative_to(ROOT).as_posix() for path in there} <= listed
    assert {"tests/conftest.py", "tests/cli/conftest.py", "tests/test_package.py"} <= listed
    assert {"Makefile", "constraints.txt", "pyproject.toml", "README.md", "CHANGELOG.md", "LICENSE"} <= listed
    assert not [name for name in listed if name.endswith(".pyc")]


def test_the_wheel_holds_the_package_and_the_tables_alone(made: Path) -> None:
    there = {path.relative_to(made / "lib").as_posix() for path in (made / "lib").rglob("*") if path.is_file()}
    assert {name.split("/")[0] for name in there} == {"goldvein"}
    assert {f"goldvein/bench/tables/{name}.toml" for name in published.table_names()} <= there
    sources = [path for path in (ROOT / "src").rglob("*") if path.suffix in (".py", ".html", ".toml", ".typed")]
    assert {path.relative_to(ROOT / "src").as_posix() for path in sources} <= there


def test_the_version_stands_in_one_place(made: Path) -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert "version" not in project
    told = message_from_string((made / "goldvein.egg-info" / "PKG-INFO").read_text())
    assert told["Version"] == goldvein.__version__
    assert told["Summary"] == project["description"]
