"""Every result names the code that made it."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from goldvein.bench import code_version
from goldvein.bench.code_version import find_code_version


@pytest.fixture
def package(tmp_path: Path) -> Path:
    folder = tmp_path / "project" / "package"
    (folder / "part").mkdir(parents=True)
    (folder / "__init__.py").write_text("a = 1\n")
    (folder / "part" / "b.py").write_text("b = 2\n")
    find_code_version.cache_clear()
    return folder


@pytest.fixture
def git(package: Path) -> Callable[..., str]:
    if not shutil.which("git"):
        pytest.skip("git is not installed")

    def run(*arguments: str) -> str:
        find_code_version.cache_clear()
        name = ["-c", "user.name=a", "-c", "user.email=a@b"]
        command = ["git", "-C", str(package.parent), *name, *arguments]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()

    run("init", "-q")
    return run


def test_the_digest_is_of_the_python_files(package: Path) -> None:
    digest = find_code_version(package)["digest"]
    (package / "notes.txt").write_text("text")
    find_code_version.cache_clear()
    assert find_code_version(package) == {"digest": digest}
    (package / "part" / "b.py").rename(package / "part" / "c.py")
    find_code_version.cache_clear()
    assert find_code_version(package)["digest"] != digest


def test_the_commit_of_a_checkout(package: Path, git: Callable[..., str]) -> None:
    assert "commit" not in find_code_version(package)  # git does not track the package
    git("add", ".")
    git("commit", "-q", "-m", "first")
    commit = git("rev-parse", "HEAD")
    assert find_code_version(package)["commit"] == commit
    (package.parent / "notes.txt").write_text("outside of the package")
    find_code_version.cache_clear()
    assert find_code_version(package)["commit"] == commit
    (package / "__init__.py").write_text("a = 3\n")
    find_code_version.cache_clear()
    assert find_code_version(package)["commit"] == commit + "+"


def test_without_git_there_is_no_commit(package: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*values: object, **options: object) -> None:
        raise FileNotFoundError("git")

    monkeypatch.setattr(code_version.subprocess, "run", refuse)
    assert set(find_code_version(package)) == {"digest"}
