"""The method and the arguments of the classifier, from ``--config`` and ``--set``."""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from goldvein.config.names import DEFAULT_METHOD
from goldvein.data.source import read_matrix
from goldvein.errors import InputError, unknown

if TYPE_CHECKING:
    from goldvein.classifier import NoisyLabelClassifier


@dataclass
class Settings:
    """Name and hyper-parameters of a method, and arguments of NoisyLabelClassifier."""

    method: str = DEFAULT_METHOD
    params: dict[str, Any] = field(default_factory=dict)
    arguments: dict[str, Any] = field(default_factory=dict)


def gather_settings(config: Path | None, assignments: Sequence[str]) -> Settings:
    """Return the settings of a TOML file, overridden by ``NAME=VALUE`` pairs.

    Parameters
    ----------
    config : Path or None
        ``[method]`` contains ``name`` and ``params``. Every other key is an argument of the classifier.
    assignments : sequence of str
        ``method.X=V`` is a hyper-parameter of the method, ``X=V`` or ``model.X=V`` an argument of the classifier,
        ``model_params.X=V`` an argument of the network.

    Raises
    ------
    InputError
        If the file is missing or not TOML, or a pair has another form. Names and values are checked later, by
        :func:`build_classifier`.

    Examples
    --------
    >>> gather_settings(None, ["method.threshold=0.95", "epochs=3"])
    Settings(method='auto', params={'threshold': '0.95'}, arguments={'epochs': '3'})
    """
    settings = Settings() if config is None else _read(config)
    for pair in assignments:
        name, equals, text = pair.partition("=")
        name = name.strip()
        if not equals or not name:
            raise InputError(f"--set {pair}: it must be NAME=VALUE, for example --set epochs=20")
        if name.startswith("method."):
            # scikit-learn writes two underscores between the parts of a name
            settings.params[name.removeprefix("method.").replace(".", "__")] = _parse(text)
        elif name.startswith("model_params."):
            network = settings.arguments.setdefault("model_params", {})
            # type hints convert the other settings later, but there is none for each argument of a network
            network[name.removeprefix("model_params.")] = _parse(text, convert=True)
        else:
            settings.arguments[name.removeprefix("model.")] = _parse(text)
    return settings


def build_classifier(settings: Settings, seed: int | None, *, verbose: bool) -> NoisyLabelClassifier:
    """Return a classifier that is not fitted yet.

    Parameters
    ----------
    settings : Settings
        A hyper-parameter that is the name of a .csv file gets the matrix of that file.
    seed : int or None
        By default the ``random_state`` of the settings, or 0 without it.
    verbose : bool
        Whether training shows its progress.

    Raises
    ------
    InputError
        If a name does not exist (with the nearest name) or a value has the wrong type.
    """
    from goldvein.classifier import NoisyLabelClassifier
    from goldvein.config.build import arguments, build_method
    from goldvein.training.method import resolve_method

    method: Any = settings.method  # auto stays a name: it depends on the data what it is
    if method != DEFAULT_METHOD or settings.params:
        method = build_method(method, {name: _matrix(value) for name, value in settings.params.items()})
    allowed = set(NoisyLabelClassifier().get_params(deep=False)) - {"method", "verbose"}
    for name in settings.arguments:
        if name not in allowed:
            network_method: Any = resolve_method(method)
            raise unknown("argument", name, [*allowed, *(f"method.{param}" for param in network_method.get_params())])
    values = arguments(NoisyLabelClassifier, settings.arguments, "argument")
    default = values.pop("random_state", None) or 0
    return NoisyLabelClassifier(method, **values, random_state=default if seed is None else seed, verbose=verbose)


def _read(path: Path) -> Settings:
    try:
        found = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(f"{path} cannot be read ({error.strerror}): give the path of a TOML file") from error
    except ValueError as error:
        raise InputError(f"{path} is not TOML ({error}): correct that line") from error
    method = found.pop("method", {})
    if not isinstance(method, dict):
        raise InputError(f"{path}: method={method!r} must be a table; write [method], and below it name = ...")
    for key in method:
        if key not in ("name", "params"):
            raise unknown("key of [method]", key, ("name", "params"))
    if not isinstance(method.get("name", ""), str) or not isinstance(method.get("params", {}), dict):
        raise InputError(f"{path}: in [method], name must be text and params a table")
    return Settings(method.get("name", Settings.method), dict(method.get("params", {})), found)


def _matrix(value: Any) -> Any:
    return read_matrix(value).tolist() if isinstance(value, str) and value.endswith(".csv") else value


def _parse(text: str, *, convert: bool = False) -> Any:
    """Return the list or table that a text in TOML notation describes, otherwise the text.

    With ``convert``, numbers and booleans are converted, too.
    """
    try:
        value = tomllib.loads(f"value = {text}")["value"]
    except (ValueError, KeyError):
        return text
    return value if convert or isinstance(value, list | dict) else text
