"""The values that a hyper-parameter may have: its type hint names them, and :func:`check` refuses all others.

    def __init__(self, weight: NonNegative = 1.0, folds: Count | None = None, mode: Literal["top", "all"] = "all")

For mypy these are ``float``, ``int`` and ``str``. Another range is written as ``Annotated[float, Range(0, 5)]``.
"""

from __future__ import annotations

import inspect
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from numbers import Integral, Real
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Protocol, Union, get_args, get_origin, get_type_hints, runtime_checkable

import numpy as np
from numpy.typing import ArrayLike

from goldvein.errors import InputError


@runtime_checkable
class Allowed(Protocol):
    """A set of allowed values: ``value in allowed`` tests a value, and ``str(allowed)`` is the rule in words."""

    def __contains__(self, value: object) -> bool: ...


@dataclass(frozen=True)
class Range:
    """Finite numbers from ``low`` to ``high``; an open end itself is not allowed.

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
        # Python counts True as 1
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


class MatrixRows:
    """Rows of numbers, such as a matrix."""

    def __contains__(self, value: object) -> bool:
        rows = (Sequence, np.ndarray)
        listed = isinstance(value, rows) and not isinstance(value, str)
        return listed and all(isinstance(row, rows) for row in value)  # type: ignore[attr-defined]

    def __str__(self) -> str:
        return "a list of rows"


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
Matrix = Annotated[ArrayLike, MatrixRows()]


def type_hints(cls: type) -> dict[str, Any]:
    """Return the type hints of the arguments of a class by their names, with the ranges in ``Annotated``.

    Arguments that an ``__init__`` passes on by ``**`` have the hints of the parent class.

    Raises
    ------
    InputError
        If a hint is a name that the module only imports under ``TYPE_CHECKING``, or not at all.

    Examples
    --------
    >>> type_hints(Range)["whole"]
    <class 'bool'>
    """
    hints: dict[str, Any] = {}
    for owner in reversed(cls.__mro__):  # a child's hint hides its parent's
        if "__init__" in vars(owner) and owner is not object:
            try:
                hints |= get_type_hints(owner.__init__, include_extras=True)  # type: ignore[misc]
            except NameError as error:
                raise InputError(f"{owner.__qualname__} has a type hint that it does not import ({error})") from error
    return {name: hint for name, hint in hints.items() if name != "return"}


def parts(hint: Any) -> Iterator[Any]:
    """Yield the alternatives of a union, or the hint itself.

    Examples
    --------
    >>> list(parts(int | str | None))
    [<class 'int'>, <class 'str'>, <class 'NoneType'>]
    """
    if get_origin(hint) in (Union, UnionType):
        for part in get_args(hint):
            yield from parts(part)
    else:
        yield hint


def allowed_by(hint: Any) -> Allowed | None:
    """Return the values that a type hint allows; None if it has no range.

    Examples
    --------
    >>> str(allowed_by(Count | None)), str(allowed_by(Literal["run", "adam"])), allowed_by(float)
    ('a whole number of at least 1', 'one of run, adam', None)
    """
    for part in parts(hint):
        if get_origin(part) is Literal:
            return Choice(get_args(part))
        for extra in getattr(part, "__metadata__", ()):
            if isinstance(extra, Allowed):
                return extra
    return None


def check(owner: Any) -> None:
    """Refuse an argument that its type hint does not allow, in an object and in its parts.

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
    hints = type_hints(type(owner))
    for name, parameter in inspect.signature(type(owner)).parameters.items():
        hint, value = hints.get(name, Any), getattr(owner, name, parameter.default)
        if hasattr(value, "get_params") and not isinstance(value, type):
            check(value)
            continue
        allowed = allowed_by(hint)
        if allowed is not None and not (value is None and NoneType in parts(hint)) and value not in allowed:
            default = f"; the default is {written(parameter.default)}" if parameter.default is not None else ""
            raise InputError(f"{name}={written(value)}: it must be {allowed}{default}")


def written(value: Any) -> str:
    """Return a value as a user writes it in a file or on the command line, where a tuple is a list.

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
