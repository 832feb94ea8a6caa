"""Objects from names and plain values, as they stand in a TOML file or on the command line.

The type hints of ``__init__`` say what a value may be, so a new hyper-parameter needs no entry here.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Mapping
from types import NoneType
from typing import Any, Literal, get_args, get_origin

from goldvein.config.names import DEFAULT_METHOD, NETWORK_METHOD, find
from goldvein.config.ranges import MatrixRows, allowed_by, check, parts, type_hints, written
from goldvein.errors import InputError, unknown

# what a value may become, the narrowest type first, because "none" and "true" are also text
RULES: dict[type, str] = {
    NoneType: "none",
    bool: "true or false",
    int: "a whole number",
    float: "a number",
    tuple: "a list",
    list: "a list of rows",
    dict: "a table of names and values",
    str: "text",
}
WIDER: dict[type, tuple[type, ...]] = {float: (int, float), tuple: (list, tuple), list: (list, tuple)}
WORDS = {"none": None, "true": True, "false": False}


def build_method(name: str, params: Mapping[str, Any]) -> Any:
    """Return a method with its hyper-parameters.

    Parameters
    ----------
    name : str
        A file in ``goldvein/methods``. A hyper-parameter of ``auto`` is one of two_stage.
    params : mapping of str to values
        Hyper-parameters under scikit-learn's names (``selector__threshold``), or under the last part of the name
        (``threshold``) if no other name ends in it. Selectors and learners are given by name. The order of a selector
        and of its hyper-parameters does not matter.

    Returns
    -------
    Method
        Not fitted.

    Raises
    ------
    InputError
        For a method or a hyper-parameter that does not exist, a short name that could mean several, one
        hyper-parameter given twice, or a value of the wrong type or out of range.

    Examples
    --------
    >>> build_method("two_stage", {"learner": "pi_model", "alpha": "100"}).learner
    PiModel(alpha=100.0)
    """
    from sklearn.base import clone

    method: Any = find("methods", NETWORK_METHOD if name == DEFAULT_METHOD else name)()
    values = dict(params)
    for path in sorted(params, key=lambda path: path.count("__")):  # objects first, then what is set in them
        if hasattr(method.get_params().get(path), "get_params"):
            _replace(method, path, values.pop(path))
    given: dict[str, str] = {}
    for path, value in values.items():
        full = _full_name(method, path)
        if full in given:
            raise InputError(f"{given[full]} and {path} are one hyper-parameter: give one of them")
        given[full] = path
        owner, leaf = _owner(method, full)
        # set on the object, and not by set_params, which would accept any value
        setattr(owner, leaf, _convert_argument(type(owner), leaf, value))
    check(method)
    return clone(method)  # so that __init__ gets the values


def arguments(cls: type, given: Mapping[str, Any], what: str = "parameter") -> dict[str, Any]:
    """Return the arguments of a class, checked against the names and type hints of its ``__init__``.

    Parameters
    ----------
    cls : type
    given : mapping of str to values
    what : str
        Word for an argument in messages.

    Raises
    ------
    InputError
        For a name that does not exist, a missing one without default, or a value of the wrong type.

    Examples
    --------
    >>> from goldvein.classifier import NoisyLabelClassifier
    >>> arguments(NoisyLabelClassifier, {"epochs": "40", "lr": "0.1", "model": "mlp"})
    {'epochs': 40, 'lr': 0.1, 'model': 'mlp'}
    """
    accepted = inspect.signature(cls).parameters
    for name in given:
        if name not in accepted:
            raise unknown(what, name, accepted)
    for name, parameter in accepted.items():
        if name not in given and parameter.default is parameter.empty:
            raise InputError(f"the {what} {name!r} is missing: give one")
    return {name: _convert_argument(cls, name, value) for name, value in given.items()}


def parse_value(name: str, value: Any, hint: Any, example: Any = None) -> Any:
    """Return a value in the type that a type hint requires.

    Parameters
    ----------
    name : str
        Name of the value in the message.
    value : str or plain value
        Text becomes the first of these that the hint allows: ``none``, ``true`` or ``false``, a whole number, a number,
        text. A whole number may become a float, and a list a tuple. Nothing else is converted.
    hint : type hint
        ``float``, ``int | str``, ``tuple[int, ...] | None``.
    example : optional
        A value that the message proposes.

    Raises
    ------
    InputError
        If the hint does not allow the value.

    Examples
    --------
    >>> parse_value("threshold", "0.95", float), parse_value("epochs", "auto", int | str)
    (0.95, 'auto')
    >>> parse_value("balance", "yes", bool, example=True)
    Traceback (most recent call last):
    ...
    goldvein.errors.InputError: balance='yes': it must be true or false; give for example balance=true
    """
    allowed = set(_types(hint))
    if object in allowed:  # Any: nothing to check
        return value
    kinds = [kind for kind in RULES if kind in allowed]
    for kind in kinds:
        try:
            return _convert(value, kind)
        except ValueError:
            continue
    rule = " or ".join(RULES[kind] for kind in kinds) or getattr(hint, "__name__", str(hint))
    advice = f"; give for example {name}={written(example)}" if example is not None else ""
    raise InputError(f"{name}={value!r}: it must be {rule}{advice}")


def _types(hint: Any) -> Iterator[type]:
    """Yield the types that a hint allows, which are keys of ``RULES``; ``object`` if it allows any."""
    for part in parts(hint):
        if part is Any:
            yield object
        elif get_origin(part) is Literal:
            yield str
        elif isinstance(allowed_by(part), MatrixRows):
            yield list
        else:
            plain = get_args(part)[0] if hasattr(part, "__metadata__") else part
            yield get_origin(plain) or plain


def _convert(value: Any, to: type) -> Any:
    if isinstance(value, str) and to in (int, float):
        return to(value)
    if isinstance(value, str) and to in (bool, type(None)):
        value = WORDS.get(value.lower(), value)
    # in Python, True is also an int; a number must not be given as true
    if not isinstance(value, WIDER.get(to, to)) or (isinstance(value, bool) and to is not bool):
        raise ValueError
    return None if value is None else to(value)


def _convert_argument(cls: type, name: str, value: Any) -> Any:
    """Return a value in the type of the hint of an argument; without a hint, in the type of its default."""
    default = inspect.signature(cls).parameters[name].default
    default = None if default is inspect.Parameter.empty else default
    hint = type_hints(cls).get(name, Any if default is None else type(default))
    return parse_value(name, value, hint, default)


def _replace(method: Any, path: str, value: Any) -> None:
    """Replace a selector or a learner of a method by another one, given by its name."""
    owner, leaf = _owner(method, path)
    # only methods train, so a part that does is a learner and not a selector
    folder = "methods" if hasattr(getattr(owner, leaf), "train_on") else "selectors"
    if not isinstance(value, str):
        raise InputError(f"{path}={value!r}: it must be a name; `goldvein methods` lists them")
    setattr(owner, leaf, find(folder, value)())


def _full_name(method: Any, path: str) -> str:
    known = method.get_params()
    meant = [path] if path in known else [full for full in known if full.endswith(f"__{path}")]
    if not meant:
        raise unknown("hyper-parameter", path, known)
    if len(meant) > 1:
        raise InputError(f"{path} could be {' or '.join(sorted(meant))}: give the full name")
    return meant[0]


def _owner(method: Any, full: str) -> tuple[Any, str]:
    """Return the object that has a hyper-parameter, and the name of the hyper-parameter in this object."""
    *parents, leaf = full.split("__")
    for parent in parents:
        method = getattr(method, parent)
    return method, leaf
