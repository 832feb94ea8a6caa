"""Files: atomic writing, and whether a path stays inside a folder."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import IO

from goldvein.errors import InputError

UMASK = os.umask(0o077)  # only setting the umask returns it, and that is unsafe once threads run
os.umask(UMASK)


def resolve_inside(folder: Path, name: str, *, allow_links: bool = False) -> Path | None:
    """Return the path of a file inside a folder, or None if the name leads outside.

    Parameters
    ----------
    folder : Path
        The folder; it may itself be a link.
    name : str
        Path of the file from an untrusted source, relative to ``folder`` or absolute. The file need not exist.
        An empty name, a name with a NUL byte and the folder itself give None.
    allow_links : bool, default=False
        Whether links inside ``folder`` may lead out of it. Then the name must be relative and without ``..``.

    Returns
    -------
    Path or None
        The path with all links resolved; with ``allow_links``, ``folder / name`` as it is.

    Examples
    --------
    >>> resolve_inside(Path("/data"), "cats/1.png", allow_links=True).as_posix()
    '/data/cats/1.png'
    >>> resolve_inside(Path("/data"), "../secret.png") is None
    True
    """
    if not name.strip() or "\0" in name:
        return None
    if allow_links:
        # the system resolves ".." from the target of a link, so even "link/../x" could leave the folder
        relative = Path(name)
        unsafe = relative.is_absolute() or ".." in relative.parts or not relative.parts
        return None if unsafe else folder / relative
    home, path = Path(os.path.realpath(folder)), Path(os.path.realpath(folder / name))
    return path if path != home and path.is_relative_to(home) else None


def write_whole(path: Path, write: Callable[[IO[bytes]], object]) -> None:
    """Write a file atomically: to a temporary file in the same folder, then rename it.

    After any failure, such as a full disk or an interrupt, the old file of that name is unchanged.

    Parameters
    ----------
    path : Path
    write : callable
        Writes the content to the open binary file that it gets.

    Raises
    ------
    InputError
        If the disk is full or the folder is not writable.

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
        os.chmod(name, 0o666 & ~UMASK)  # mkstemp lets only the owner read
        os.replace(name, path)
    except OSError as error:
        raise InputError(f"{path} cannot be written ({error.strerror}): free disk space or choose another") from error
    finally:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(name)


def write_text(path: Path, text: str) -> None:
    """Write UTF-8 text atomically; see :func:`write_whole`."""
    write_whole(path, lambda file: file.write(text.encode()))
