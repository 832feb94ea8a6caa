"""The standard data sets, one file per source; :mod:`goldvein.data.standard` finds them by name."""
