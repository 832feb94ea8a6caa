"""What predicts as bytes without a pickle, and read back (skops)."""

from __future__ import annotations

import importlib
import zipfile
from pathlib import Path

from goldvein.errors import InputError
from goldvein.estimators import Predictor

# A file may only name classes of these packages. Whoever built it by hand reaches no function, and no other package.
PLAIN = ("collections.OrderedDict",)
TRUSTED = ("goldvein.estimators", "numpy", "scipy.sparse", "sklearn")


def to_bytes(predictor: Predictor) -> bytes:
    """Return a predictor in the format of skops, compressed.

    Raises
    ------
    ValueError
        If a classifier inside it cannot be written without a pickle.
    """
    from skops.io import dumps

    try:
        content: bytes = dumps(predictor, compression=zipfile.ZIP_DEFLATED, compresslevel=3)
    except Exception as error:  # skops has no class of its own for them
        raise ValueError(str(error) or type(error).__name__) from error
    return content


def from_file(path: Path, model: str) -> Predictor:
    """Return the predictor of a file that :func:`to_bytes` made.

    Parameters
    ----------
    path : Path
    model : str
        Name of the classifier that the person gave; the classes of its package are allowed, too.

    Raises
    ------
    InputError
        If the package of the classifier is not installed.
    ValueError
        If the file is damaged, or contains anything but classes of known packages.
    """
    from skops.io import get_untrusted_types, load

    allowed = (*TRUSTED, model.partition(":")[0].partition(".")[0]) if ":" in model else TRUSTED
    try:
        found = get_untrusted_types(file=path)
        strange = [name for name in found if not _is_class_of(name, allowed)]
        if strange:
            raise ValueError(f"it contains {strange[0]}")
        predictor: Predictor = load(path, trusted=found)
    except ImportError as error:
        raise InputError(f"{path} needs the package of {model} ({error}): install it") from error
    except Exception as error:  # damaged files fail in many ways: zip, JSON, missing keys
        raise ValueError((str(error) or type(error).__name__).splitlines()[0]) from error
    return predictor


def _is_class_of(name: str, packages: tuple[str, ...]) -> bool:
    """Return whether a full name is a class of one of some packages."""
    if name in PLAIN:
        return True
    if not any(name.startswith(f"{package}.") for package in packages):
        return False
    module, _, attribute = name.rpartition(".")
    return isinstance(getattr(importlib.import_module(module), attribute, None), type)
