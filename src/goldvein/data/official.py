"""Official files of the standard data sets: found under the data folder, and unaltered by their md5."""

from __future__ import annotations

import hashlib
from pathlib import Path

from goldvein.errors import InputError


def find_file(data_dir: Path, forms: tuple[str, ...], page: str) -> Path:
    """The first of ``forms`` that exists under ``data_dir``.

    Parameters
    ----------
    data_dir : Path
        Folder that holds the data sets.
    forms : tuple of str
        Relative paths under which one official file may lie, in order of preference.
    page : str
        Where the official file is to be had.

    Raises
    ------
    InputError
        None of them exists.

    Examples
    --------
    >>> find_file(Path("/nowhere"), ("SVHN/train_32x32.mat",), "http://example.org")  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    ...
    goldvein.errors.InputError: no /nowhere/SVHN/train_32x32.mat: get it from http://example.org and ...
    """
    for form in forms:
        if (data_dir / form).exists():
            return data_dir / form
    also = "".join(f" (nor {form})" for form in forms[1:])
    raise InputError(
        f"no {data_dir / forms[0]}{also}: get it from {page} and give the folder above "
        f"{forms[0].split('/')[0]} by --data-dir or GOLDVEIN_DATA"
    )


def read_checked(path: Path, md5: str | None, page: str) -> bytes:
    """The content of a file whose md5 is known; ``md5=None`` takes any content.

    Raises
    ------
    InputError
        The file is cut short or altered.

    Examples
    --------
    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "empty"
    >>> _ = path.write_bytes(b"")
    >>> read_checked(path, "d41d8cd98f00b204e9800998ecf8427e", "http://example.org")
    b''
    """
    content = path.read_bytes()
    found = hashlib.md5(content, usedforsecurity=False).hexdigest() if md5 else None
    if found != md5:
        raise InputError(
            f"{path} has md5 {found} ({len(content)} bytes), the official file {md5}: "
            f"it is cut short or altered; get it again from {page}"
        )
    return content
