"""Finding a class by the name of its file: ``two_stage`` is the class ``TwoStage`` in ``methods/two_stage.py``.

There is no list to keep: a new file in the folder is a new name. What lies elsewhere has a full name,
``package.module:Class``.
"""

from __future__ import annotations

import importlib
import pkgutil
from pathlib import Path
from typing import Any

from goldvein.errors import InputError, unknown

ROOT = Path(__file__).parents[1]


def names(folder: str) -> list[str]:
    """Names that a folder of goldvein offers, without importing it.

    Examples
    --------
    >>> "mlp" in names("models")
    True
    """
    found = (module.name for module in pkgutil.iter_modules([str(ROOT / folder)]))
    return sorted(name for name in found if not name.startswith("_"))


def find(folder: str, name: str) -> Any:
    """The class of the file ``folder/name.py``, or what ``package.module:name`` names.

    Raises
    ------
    InputError
        If there is no such file, the nearest name is suggested; or a full name cannot be imported.

    Examples
    --------
    >>> find("models", "mlp").__name__
    'MLP'
    >>> find("models", "torch.nn:Linear").__name__
    'Linear'
    """
    if ":" in name:
        path, _, attribute = name.partition(":")
        try:
            return getattr(importlib.import_module(path), attribute)
        except (ImportError, AttributeError, ValueError) as error:
            raise InputError(
                f"{name!r} cannot be imported ({error}): give package.module:name, importable from here"
            ) from error
    if name not in names(folder):
        raise unknown(folder.rstrip("s"), name, names(folder))
    module = importlib.import_module(f"goldvein.{folder}.{name}")
    wanted = name.replace("_", "")
    for key, value in vars(module).items():
        if key.lower() == wanted and isinstance(value, type):
            return value
    wanted = name.title().replace("_", "")
    raise InputError(f"{folder}/{name}.py has no class {wanted}: name the class like the file")
