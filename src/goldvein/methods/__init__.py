"""Methods that train networks: one paper, one file; ``_name.py`` is a private part of those beside it."""

from goldvein.config.names import exports

__getattr__, __dir__ = exports("methods")
