"""goldvein: train the best classifier that noisy labels allow, and find the labels that are wrong."""

from __future__ import annotations

import importlib
from typing import Any

__version__ = "0.1.0"  # a literal, here alone: building the package reads it without importing anything

_HOME = {
    "NoisyLabelClassifier": "goldvein.classifier",
    "find_label_issues": "goldvein.issues.audit",
    "InputError": "goldvein.errors",
}
__all__ = ["InputError", "NoisyLabelClassifier", "find_label_issues"]


def __getattr__(name: str) -> Any:
    # torch takes a second to import: only what is used is loaded, so that --help answers at once
    if name in _HOME:
        return getattr(importlib.import_module(_HOME[name]), name)
    raise AttributeError(f"module 'goldvein' has no attribute {name!r}")


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
