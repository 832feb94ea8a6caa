"""Classes by the name of their file: ``two_stage`` is the class ``TwoStage`` in ``methods/two_stage.py``.

There is no list of names: a new file in the folder is a new name. A class of another package has a full name,
``package.module:Class``.
"""

from __future__ import annotations

import importlib
import pkgutil
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from goldvein.errors import InputError, unknown

ROOT = Path(__file__).parents[1]
DEFAULT_METHOD = "auto"
NETWORK_METHOD = "two_stage"  # what auto is where it trains networks
CLEAN_SET_METHOD = "two_stage_clean"  # for data with labels known to be right


def names(folder: str) -> list[str]:
    """Return the names in a folder of goldvein; nothing is imported.

    Examples
    --------
    >>> "mlp" in names("models")
    True
    """
    found = (module.name for module in pkgutil.iter_modules([str(ROOT / folder)]))
    return sorted(name for name in found if not name.startswith("_"))  # code that several files share


def find(folder: str, name: str) -> Any:
    """Return the class of the file ``folder/name.py``, or the object with the full name ``package.module:name``.

    Raises
    ------
    InputError
        If there is no such file (the message has the nearest name), the file has no class of that name, or a full name
        cannot be imported.

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
    # m_vae is the class MVAE: capitals cannot be derived from the name of the file
    for key, value in vars(module).items():
        if key.lower() == _lower(name) and isinstance(value, type):  # the case of letters is free: MLP, TwoStage
            return value
    wanted = name.title().replace("_", "")
    raise InputError(f"{folder}/{name}.py has no class {wanted}: name the class like the file")


def exports(folder: str) -> tuple[Callable[[str], Any], Callable[[], list[str]]]:
    """Return ``__getattr__`` and ``__dir__`` for the package of a folder; a class is imported at its first use.

    Examples
    --------
    >>> from goldvein.methods import TwoStage
    >>> TwoStage.__module__
    'goldvein.methods.two_stage'
    """

    def classes() -> dict[str, str]:
        found: dict[str, str] = {}
        for name in names(folder):
            text = (ROOT / folder / f"{name}.py").read_text(encoding="utf-8")  # an import would load torch
            found |= {c: name for c in re.findall(r"^class (\w+)", text, re.MULTILINE) if c.lower() == _lower(name)}
        return found

    def get(attribute: str) -> Any:
        name = classes().get(attribute)
        if name is None:
            raise AttributeError(f"module 'goldvein.{folder}' has no attribute {attribute!r}")
        return find(folder, name)

    return get, lambda: sorted(classes())


def _lower(name: str) -> str:
    return name.replace("_", "")
