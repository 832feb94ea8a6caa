"""Objects from names and plain values, as a TOML file or a command line holds them.

What a value may be is read from the annotation in ``__init__``, so a new hyper-parameter needs no entry here.
"""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from goldvein.config.names import find
from goldvein.config.ranges import check, plain, written
from goldvein.errors import InputError, unknown

if TYPE_CHECKING:
    from goldvein.training.method import Method

# Narrowest first: "none" and "true" are also text.
KINDS = {
    "None": type(None),
    "bool": bool,
    "int": int,
    "float": float,
    "tuple": tuple,
    "ArrayLike": list,
    "dict": dict,
    "str": str,
}
WIDER: dict[type, tuple[type, ...]] = {float: (int, float), tuple: (list, tuple), list: (list, tuple)}
WORDS = {"none": None, "true": True, "false": False}
RULES = {
    "None": "none",
    "bool": "true or false",
    "int": "a whole number",
    "float": "a number",
    "tuple": "a list",
    "ArrayLike": "a list of rows",
    "dict": "a table of names and values",
    "str": "text",
}


def build_method(name: str, params: Mapping[str, Any]) -> Method:
    """A method with its hyper-parameters.

    Parameters
    ----------
    name : str
        A file in ``goldvein/methods``.
    params : mapping of str to values
        Hyper-parameters under scikit-learn's names (``selector__threshold``), or under the last part of one
        (``threshold``) where no other ends so. Selectors and learners are given by name, in any order with
        what is set inside them.

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

    method: Any = find("methods", name)()
    values = dict(params)
    for path in sorted(params, key=lambda path: path.count("__")):  # what holds another object comes first
        if hasattr(method.get_params().get(path), "get_params"):
            _replace(method, path, values.pop(path))
    given: dict[str, str] = {}
    for path, value in values.items():
        full = _full_name(method, path)
        if full in given:
            raise InputError(f"{given[full]} and {path} are one hyper-parameter: give one of them")
        given[full] = path
        owner, leaf = _owner(method, full)
        setattr(owner, leaf, _read(inspect.signature(type(owner)).parameters[leaf], value))
    check(method)
    return clone(method)  # __init__ sees the values


def arguments(cls: type, given: Mapping[str, Any], what: str = "parameter") -> dict[str, Any]:
    """Arguments of a class, checked against the names and annotations of its ``__init__``.

    Parameters
    ----------
    cls : type
    given : mapping of str to values
    what : str
        What a message calls an argument.

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
    return {name: _read(accepted[name], value) for name, value in given.items()}


def parse_value(name: str, value: Any, annotation: str, example: Any = None) -> Any:
    """A value in the type that an annotation asks for.

    Parameters
    ----------
    name : str
        What the message calls the value.
    value : str or plain value
        Text becomes what the annotation allows: ``none``, ``true`` or ``false``, a whole number, a number,
        else text. A whole number serves as a float, a list as a tuple; nothing else is converted.
    annotation : str
        As Python writes it: ``float``, ``int | str``, ``tuple[int, ...] | None``.
    example : optional
        A value for the message to propose.

    Raises
    ------
    InputError
        If the value is nothing that the annotation allows.

    Examples
    --------
    >>> parse_value("threshold", "0.95", "float"), parse_value("epochs", "auto", "int | str")
    (0.95, 'auto')
    >>> parse_value("balance", "yes", "bool", example=True)
    Traceback (most recent call last):
    ...
    goldvein.errors.InputError: balance='yes': it must be true or false; give for example balance=true
    """
    asked = {kind.split("[")[0].strip() for kind in plain(annotation).replace("Literal", "str").split("|")}
    if "Any" in asked:
        return value
    kinds = [kind for kind in KINDS if kind in asked]
    for kind in kinds:
        try:
            return _convert(value, KINDS[kind])
        except ValueError:
            continue
    rule = " or ".join(RULES[kind] for kind in kinds) or annotation
    mend = f"; give for example {name}={written(example)}" if example is not None else ""
    raise InputError(f"{name}={value!r}: it must be {rule}{mend}")


def _convert(value: Any, to: type) -> Any:
    if isinstance(value, str) and to in (int, float):
        return to(value)
    if isinstance(value, str) and to in (bool, type(None)):
        value = WORDS.get(value.lower(), value)
    if not isinstance(value, WIDER.get(to, to)) or (isinstance(value, bool) and to is not bool):
        raise ValueError
    return None if value is None else to(value)


def _read(parameter: inspect.Parameter, value: Any) -> Any:
    """A value by the annotation of its parameter, or by the type of its default where there is none."""
    default = None if parameter.default is parameter.empty else parameter.default
    annotation = parameter.annotation
    if annotation is parameter.empty:
        annotation = "Any" if default is None else type(default)
    return parse_value(parameter.name, value, getattr(annotation, "__name__", annotation), default)


def _replace(method: Any, path: str, value: Any) -> None:
    """Put the object of a name where the method has one already."""
    owner, leaf = _owner(method, path)
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
    """The object that holds a hyper-parameter, and its name there."""
    *parents, leaf = full.split("__")
    for parent in parents:
        method = getattr(method, parent)
    return method, leaf
