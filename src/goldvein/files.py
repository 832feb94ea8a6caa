"""Files that are written whole or not at all."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import IO

from goldvein.errors import InputError

UMASK = os.umask(0o077)  # can only be read by setting it, which is not safe once threads run
os.umask(UMASK)


def write_whole(path: Path, write: Callable[[IO[bytes]], object]) -> None:
    """Write a file beside its place and move it there once it is complete and on the disk.

    Whatever goes wrong, a full disk or a stop halfway, an older file of that name stays as it was.

    Raises
    ------
    InputError
        If the disk is full or the folder cannot be written.

    Examples
    --------
    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "a.txt"
    >>> write_whole(path, lambda file: file.write(b"gold"))
    >>> path.read_bytes()
    b'gold'
    """
    try:
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    except OSError as error:
        raise InputError(f"{path} cannot be written ({error.strerror}): choose another folder") from error
    try:
        with os.fdopen(handle, "wb") as file:
            write(file)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(name, 0o666 & ~UMASK)
        os.replace(name, path)
    except OSError as error:
        raise InputError(f"{path} cannot be written ({error.strerror}): make room or choose another") from error
    finally:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(name)


def write_text(path: Path, text: str) -> None:
    """:func:`write_whole` for UTF-8 text."""
    write_whole(path, lambda file: file.write(text.encode()))
