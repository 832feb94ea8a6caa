"""The version of the goldvein code that made a result."""

from __future__ import annotations

import functools
import hashlib
import subprocess
from pathlib import Path
from typing import TypedDict

PACKAGE = Path(__file__).parents[1]


class _Digest(TypedDict):
    digest: str


class CodeVersion(_Digest, total=False):
    """A digest of the code, and the git commit if it is known."""

    commit: str


@functools.cache
def find_code_version(package: Path = PACKAGE) -> CodeVersion:
    """Return a digest of the .py files of a package, and their git commit.

    ``commit`` ends with ``+`` if files of the package differ from the commit. It is absent if the package is not
    tracked by git.
    """
    digest = hashlib.sha256()
    for path in sorted(package.rglob("*.py")):  # the digest must not depend on the file system
        # NUL ends name and content: no other split of the same bytes has this digest
        digest.update(path.relative_to(package).as_posix().encode() + b"\0" + path.read_bytes() + b"\0")
    version: CodeVersion = {"digest": digest.hexdigest()[:16]}
    # If the package is installed inside the checkout of another project, HEAD is not its commit.
    commit = _git(package, "ls-files", "--error-unmatch", "__init__.py") and _git(package, "rev-parse", "HEAD")
    if commit:
        version["commit"] = commit + ("+" if _git(package, "status", "--porcelain", "--", ".") else "")
    return version


def _git(folder: Path, *arguments: str) -> str | None:
    """Return what a git command prints, None if it fails or git is not installed."""
    # Without optional locks, several workers can call git at the same time.
    command = ["git", "--no-optional-locks", "-C", str(folder), *arguments]
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return None
