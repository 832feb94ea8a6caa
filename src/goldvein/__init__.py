"""goldvein: train the best classifier that noisy labels allow, and find the labels that are wrong."""

from __future__ import annotations

import importlib
from typing import Any

__version__ = "0.1.0"  # a literal, here alone: building the package reads it without importing anything

_HOME = {
    "NoisyLabelClassifier": ("goldvein.classifier", "NoisyLabelClassifier"),
    "find_label_issues": ("goldvein.issues.audit", "find_label_issues"),
    "InputError": ("goldvein.errors", "InputError"),
    "read": ("goldvein.data.read", "read_data"),
}
__all__ = ["InputError", "NoisyLabelClassifier", "find_label_issues", "read"]


def __getattr__(name: str) -> Any:
    # torch takes a second to import: only what is used is loaded, so that --help answers at once
    if name in _HOME:
        module, attribute = _HOME[name]
        return getattr(importlib.import_module(module), attribute)
    raise AttributeError(f"module 'goldvein' has no attribute {name!r}")


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
