"""Finds the official files of the standard data sets, and checks their md5."""

from __future__ import annotations

import hashlib
from pathlib import Path

from goldvein.errors import InputError


def find_file(data_dir: Path, forms: tuple[str, ...], page: str) -> Path:
    """Return the first of ``forms`` that exists under ``data_dir``.

    Parameters
    ----------
    data_dir : Path
        Folder that holds the data sets.
    forms : tuple of str
        Relative paths that one official file may have, in order of preference.
    page : str
        Address from which the file can be downloaded.

    Raises
    ------
    InputError
        If none of them exists.

    Examples
    --------
    >>> find_file(Path("/nowhere"), ("SVHN/train_32x32.mat",), "http://example.org")  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    ...
    goldvein.errors.InputError: no /nowhere/SVHN/train_32x32.mat: download it from http://example.org and ...
    """
    for form in forms:
        if (data_dir / form).exists():
            return data_dir / form
    also = "".join(f" (nor {form})" for form in forms[1:])
    raise InputError(
        f"no {data_dir / forms[0]}{also}: download it from {page} and give the folder that holds "
        f"{forms[0].split('/')[0]} with --data-dir or GOLDVEIN_DATA"
    )


def read_checked(path: Path, md5: str | None, page: str) -> bytes:
    """Return the content of a file after checking its md5; ``md5=None`` accepts any content.

    Raises
    ------
    InputError
        If the file is truncated or altered.

    Examples
    --------
    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "empty"
    >>> _ = path.write_bytes(b"")
    >>> read_checked(path, "d41d8cd98f00b204e9800998ecf8427e", "http://example.org")
    b''
    """
    content = path.read_bytes()
    # the official pages publish md5, which some systems allow only if it is not for security
    found = hashlib.md5(content, usedforsecurity=False).hexdigest() if md5 else None
    if found != md5:
        raise InputError(
            f"{path} has md5 {found} ({len(content)} bytes), but the official file has {md5}: "
            f"it is truncated or altered; download it again from {page}"
        )
    return content
