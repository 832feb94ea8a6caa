"""``goldvein methods``: docstrings and hyper-parameters of the methods."""

from __future__ import annotations

import ast
import inspect
import re
from types import NoneType
from typing import Annotated, Any

import typer
from typer import Argument

from goldvein.config.names import ROOT, find, names
from goldvein.config.ranges import allowed_by, parts, type_hints, written

SECTION = re.compile(r"^Parameters\n-+\n.*?(?=^\w[\w ]*\n-{3,}$|\Z)", re.MULTILINE | re.DOTALL)


def methods(
    name: Annotated[
        str | None, Argument(metavar="[NAME]", help="Name of a method, or package.module:Class.  [default: all]")
    ] = None,
) -> None:
    """List the methods, or show one with its hyper-parameters."""
    from goldvein.cli import show

    if name is None:
        show.print_table(("method", "description"), [(method, _first_line(method)) for method in names("methods")])
        return
    cls = find("methods", name)
    # hyper-parameters may be those of a parent, which then has their description
    parents = [parent for parent in cls.__mro__[1:] if parent.__module__.startswith("goldvein.methods.")]
    sections = [_docstring(cls).partition("Examples\n-")[0]]
    sections += [found[0] for parent in parents if (found := SECTION.search(_docstring(parent)))]
    typer.echo(f"{_docstring(inspect.getmodule(cls))}\n")
    typer.echo("\n\n".join(section.rstrip() for section in sections) + "\n")
    hints = type_hints(cls)
    rows = [_row(p, hints.get(p.name, Any)) for p in inspect.signature(cls).parameters.values()]
    show.print_table(("hyper-parameter", "default", "it must be"), rows)


def _first_line(method: str) -> str:
    # the list is read from the files, because an import would load torch
    text = (ROOT / "methods" / f"{method}.py").read_text(encoding="utf-8")
    return (ast.get_docstring(ast.parse(text)) or "").partition("\n")[0]


def _docstring(thing: Any) -> str:
    return re.sub(r":[a-z]+:`~?([^`]+)`", r"\1", inspect.getdoc(thing) or "")  # without the markup of Sphinx


def _row(parameter: inspect.Parameter, hint: Any) -> tuple[str, str, str]:
    allowed = allowed_by(hint)
    rule = "true or false" if hint is bool else str(allowed or "")
    default = "" if parameter.default is parameter.empty else written(parameter.default)
    return parameter.name, default, rule + (", or none" if allowed and NoneType in parts(hint) else "")
