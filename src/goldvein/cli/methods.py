"""``goldvein methods``: docstrings and hyper-parameters, read from the files of the methods."""

from __future__ import annotations

import ast
import re
from typing import Annotated

import typer
from typer import Argument

from goldvein.config.names import ROOT, names
from goldvein.config.ranges import allowed_by, written
from goldvein.errors import unknown

SECTION = re.compile(r"^Parameters\n-+\n.*?(?=^\w[\w ]*\n-{3,}$|\Z)", re.MULTILINE | re.DOTALL)


def methods(
    name: Annotated[str | None, Argument(metavar="[NAME]", help="Name of a method.  [default: all]")] = None,
) -> None:
    """List the methods, or show one with its hyper-parameters."""
    from goldvein.cli import show

    known = names("methods")
    if name is None:
        lines = [(method, _docstring(_parse(method)).partition("\n")[0]) for method in known]
        show.print_table(("method", "description"), lines)
        return
    if name not in known:
        raise unknown("method", name, known)
    module = _parse(name)
    method, *parents = _list_classes(module, _find_class(module, name.replace("_", "")))
    sections = [_docstring(method).partition("Examples\n-")[0]]
    sections += [section[0] for parent in parents if (section := SECTION.search(_docstring(parent)))]
    typer.echo(f"{_docstring(module)}\n")
    typer.echo("\n\n".join(section.rstrip() for section in sections) + "\n")
    rows: dict[str, tuple[str, str, str]] = {}
    for cls in (method, *parents):
        for row in _arguments(cls):
            rows.setdefault(row[0], row)  # an argument of the class hides that of a parent
    show.print_table(("hyper-parameter", "default", "it must be"), rows.values())


def _parse(method: str) -> ast.Module:
    # the file is parsed, not imported, because an import would load torch
    return ast.parse((ROOT / "methods" / f"{method}.py").read_text(encoding="utf-8"))


def _docstring(node: ast.Module | ast.ClassDef) -> str:
    return re.sub(r":[a-z]+:`~?([^`]+)`", r"\1", ast.get_docstring(node) or "")  # without the markup of Sphinx


def _find_class(module: ast.Module, name: str) -> ast.ClassDef:
    found = (node for node in module.body if isinstance(node, ast.ClassDef))
    return next(node for node in found if node.name.lower() == name.lower())


def _list_classes(module: ast.Module, cls: ast.ClassDef) -> list[ast.ClassDef]:
    """Return the classes that take the hyper-parameters.

    These are the class and, while ``__init__`` is missing or has a ``**`` parameter, its parent among the methods.
    """
    init = _find_init(cls)
    parent = _find_parent(module, cls) if init is None or init.args.kwarg else None
    return [cls] if parent is None else [cls, *_list_classes(*parent)]


def _find_parent(module: ast.Module, cls: ast.ClassDef) -> tuple[ast.Module, ast.ClassDef] | None:
    """Return the first parent class that the module imports from a file of the methods, and its module."""
    bases = {ast.unparse(base) for base in cls.bases}
    for node in module.body:
        package, _, file = (node.module or "").rpartition(".") if isinstance(node, ast.ImportFrom) else ("", "", "")
        if isinstance(node, ast.ImportFrom) and package == "goldvein.methods":
            for alias in node.names:
                if (alias.asname or alias.name) in bases:
                    parent = _parse(file)
                    return parent, _find_class(parent, alias.name)
    return None


def _find_init(cls: ast.ClassDef) -> ast.FunctionDef | None:
    return next((node for node in cls.body if isinstance(node, ast.FunctionDef) and node.name == "__init__"), None)


def _arguments(cls: ast.ClassDef) -> list[tuple[str, str, str]]:
    """Return names, defaults and ranges of the arguments of ``__init__``."""
    init = _find_init(cls)
    if init is None:
        return []
    args = [*init.args.args[1:], *init.args.kwonlyargs]
    values = [*init.args.defaults, *init.args.kw_defaults]
    values = [*[None] * (len(args) - len(values)), *values]
    return [(arg.arg, _value(value), _rule(arg)) for arg, value in zip(args, values, strict=True)]


def _value(node: ast.expr | None) -> str:
    return "" if node is None else written(ast.literal_eval(node))


def _rule(arg: ast.arg) -> str:
    annotation = ast.unparse(arg.annotation) if arg.annotation else ""
    if annotation == "bool":
        return "true or false"
    allowed = allowed_by(annotation)
    return "" if allowed is None else f"{allowed}{', or none' if 'None' in annotation else ''}"
