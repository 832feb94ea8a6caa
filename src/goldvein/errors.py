"""Bad input, told in one sentence: the value that was found, the rule it breaks, and the mend."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class InputError(ValueError):
    """What the user gave cannot be used; the message says which value, by which rule, and how to mend it.

    The command line prints it as one line and ends with exit code 2.

    Examples
    --------
    >>> try:
    ...     raise InputError("lr=-1: a learning rate must be above 0; give for example lr=0.1")
    ... except ValueError as error:
    ...     print(error)
    lr=-1: a learning rate must be above 0; give for example lr=0.1
    """


def unknown(what: str, name: str, known: Iterable[str]) -> InputError:
    """An :class:`InputError` for a name that does not exist, with the nearest known one.

    Examples
    --------
    >>> str(unknown("method", "two_stag", ["cross_entropy", "two_stage"]))
    "unknown method 'two_stag': did you mean 'two_stage'? known: cross_entropy, two_stage"
    """
    names = sorted(known)
    near = difflib.get_close_matches(str(name).lower(), names, n=1, cutoff=0.5)
    hint = f"did you mean {near[0]!r}? " if near else ""
    return InputError(f"unknown {what} {name!r}: {hint}known: {', '.join(names)}")
