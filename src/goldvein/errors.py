"""The error for bad input: one sentence with the value found, the rule it breaks and how to fix it."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class InputError(ValueError):
    """The user's input cannot be used; the message names the value, the rule and the fix.

    The command line prints the message as one line and exits with code 2.

    Examples
    --------
    >>> try:
    ...     raise InputError("lr=-1: a learning rate must be above 0; use for example lr=0.1")
    ... except ValueError as error:
    ...     print(error)
    lr=-1: a learning rate must be above 0; use for example lr=0.1
    """


def unknown(what: str, name: str, known: Iterable[str]) -> InputError:
    """Return an :class:`InputError` for an unknown name; the message suggests the closest known name.

    Examples
    --------
    >>> str(unknown("method", "two_stag", ["cross_entropy", "two_stage"]))
    "unknown method 'two_stag': did you mean 'two_stage'? known: cross_entropy, two_stage"
    """
    names = sorted(known)
    near = difflib.get_close_matches(str(name).lower(), names, n=1, cutoff=0.5)
    hint = f"did you mean {near[0]!r}? " if near else ""
    return InputError(f"unknown {what} {name!r}: {hint}known: {', '.join(names)}")
