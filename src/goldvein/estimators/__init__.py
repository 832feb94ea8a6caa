"""Learners that are not networks, one file each: scikit-learn classifiers that know that labels may be wrong.

Each has ``fit(X, y)``, in which -1, NaN, None and "" are missing labels, and ``predict_proba``. No torch is loaded.
"""

from __future__ import annotations

from goldvein.config.names import exports

__getattr__, __dir__ = exports("estimators")
