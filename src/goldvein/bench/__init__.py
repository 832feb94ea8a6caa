"""Published tables, made again: TOML (``plan``), training runs (``job``, ``run``), Markdown (``table``).

Needs torch, numpy, scikit-learn and the standard library alone, so that it runs where a GPU is; a column that asks for
``issues`` needs pandas as well.
"""
