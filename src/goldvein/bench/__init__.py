"""Published tables: read them from TOML (``plan``), train (``job``, ``run``), print them in Markdown (``table``).

These modules only need torch, numpy and scikit-learn. A column with ``issues = true`` also needs pandas.
"""
