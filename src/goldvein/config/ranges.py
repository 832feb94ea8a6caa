"""Which values a hyper-parameter may have: its annotation says so, and one place checks it.

    def __init__(self, weight: NonNegative = 1.0, folds: Count | None = None, mode: Literal["top", "all"] = "all")

For mypy these are ``float``, ``int`` and ``str``.
"""

from __future__ import annotations

import ast
import inspect
import math
from dataclasses import dataclass
from numbers import Integral, Real
from typing import Annotated, Any, Protocol

from goldvein.errors import InputError


class Allowed(Protocol):
    """What ``in`` tells of a value; its text says the rule."""

    def __contains__(self, value: object) -> bool: ...


@dataclass(frozen=True)
class Range:
    """Finite numbers from ``low`` to ``high``, without an end that is open.

    Examples
    --------
    >>> str(Range(0, 1)), str(Range(0, open_low=True)), str(Range(1, whole=True))
    ('a number of at least 0 and at most 1', 'a number above 0', 'a whole number of at least 1')
    >>> 1.0 in Range(0, 1), 1.0 in Range(0, 1, open_high=True), math.nan in Range(0), 1.5 in Range(1, whole=True)
    (True, False, False, False)
    """

    low: float
    high: float = math.inf
    open_low: bool = False
    open_high: bool = False
    whole: bool = False

    def __contains__(self, value: object) -> bool:
        if isinstance(value, bool) or not isinstance(value, Integral if self.whole else Real):
            return False
        number = float(value)
        above = self.low < number if self.open_low else self.low <= number
        below = number < self.high if self.open_high else number <= self.high
        return math.isfinite(number) and above and below

    def __str__(self) -> str:
        low = f"above {self.low:g}" if self.open_low else f"of at least {self.low:g}"
        high = f" and {'below' if self.open_high else 'at most'} {self.high:g}"
        return f"a {'whole ' if self.whole else ''}number {low}{'' if math.isinf(self.high) else high}"


class Rising:
    """Two shares of the training, the second not before the first."""

    def __contains__(self, value: object) -> bool:
        if not isinstance(value, list | tuple) or len(value) != 2:
            return False
        return all(share in Range(0, 1) for share in value) and value[0] <= value[1]

    def __str__(self) -> str:
        return "two shares of the training, 0 <= first <= second <= 1"


class TwoCounts:
    """Two whole numbers of at least 1."""

    def __contains__(self, value: object) -> bool:
        return isinstance(value, list | tuple) and len(value) == 2 and all(n in Range(1, whole=True) for n in value)

    def __str__(self) -> str:
        return "two whole numbers of at least 1"


@dataclass(frozen=True)
class Choice:
    """One of some words."""

    words: tuple[str, ...]

    def __contains__(self, value: object) -> bool:
        return isinstance(value, str) and value in self.words

    def __str__(self) -> str:
        return f"one of {', '.join(self.words)}"


Share = Annotated[float, Range(0, 1)]
PositiveShare = Annotated[float, Range(0, 1, open_low=True)]
PartialShare = Annotated[float, Range(0, 1, open_low=True, open_high=True)]
ShareBelowOne = Annotated[float, Range(0, 1, open_high=True)]
Percent = Annotated[float, Range(0, 100)]
NonNegative = Annotated[float, Range(0)]
Positive = Annotated[float, Range(0, open_low=True)]
Count = Annotated[int, Range(1, whole=True)]
WholeNumber = Annotated[int, Range(0, whole=True)]
Span = Annotated[tuple[float, float], Rising()]
Counts = Annotated[tuple[int, int], TwoCounts()]


def allowed_by(annotation: str) -> Allowed | None:
    """What an annotation allows, as Python writes it: ``"Share"``, ``"Count | None"``; None where it says nothing.

    Examples
    --------
    >>> str(allowed_by("Count | None")), str(allowed_by('Literal["run", "adam"]')), allowed_by("float")
    ('a whole number of at least 1', 'one of run, adam', None)
    """
    if annotation.startswith("Literal["):
        return Choice(ast.literal_eval(f"({annotation.removeprefix('Literal[').removesuffix(']')},)"))
    for name in annotation.split("|"):
        metadata = getattr(globals().get(name.strip()), "__metadata__", ())
        if metadata:
            return metadata[0]
    return None


def plain(annotation: str) -> str:
    """The annotation in Python's own types.

    Examples
    --------
    >>> plain("Count | None"), plain("Span"), plain("int | str")
    ('int | None', 'tuple', 'int | str')
    """
    names = [name.strip() for name in annotation.split("|")]
    return " | ".join(getattr(getattr(globals().get(name), "__origin__", None), "__name__", name) for name in names)


def check(owner: Any) -> None:
    """Refuse what its annotation does not allow among the arguments that an object keeps, and in objects among these.

    Parameters
    ----------
    owner : object
        Stores each argument of its ``__init__`` under its name, as scikit-learn's estimators do.

    Raises
    ------
    InputError
        For the first such value.

    Examples
    --------
    >>> from goldvein.methods.pi_model import PiModel
    >>> check(PiModel(alpha=-1))
    Traceback (most recent call last):
    ...
    goldvein.errors.InputError: alpha=-1: it must be a number of at least 0; the default is 20.0
    """
    for name, parameter in inspect.signature(type(owner)).parameters.items():
        annotation = str(parameter.annotation)
        value, allowed = getattr(owner, name, parameter.default), allowed_by(annotation)
        if hasattr(value, "get_params") and not isinstance(value, type):
            check(value)
        elif allowed is not None and value not in allowed and not (value is None and "None" in annotation):
            default = f"; the default is {written(parameter.default)}" if parameter.default is not None else ""
            raise InputError(f"{name}={written(value)}: it must be {allowed}{default}")


def written(value: Any) -> str:
    """A value as a user gives it, on the command line too, where a tuple is a list.

    Examples
    --------
    >>> written((0.1, 0.3)), written(True), written("four")
    ('[0.1, 0.3]', 'true', "'four'")
    """
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(written, value))}]"
    if value is None or isinstance(value, bool):
        return str(value).lower()
    return repr(value)
