"""``goldvein methods``: what the files say of themselves.

They are read without being imported, for that would import torch.
"""

from __future__ import annotations

import ast
import re
from typing import Annotated

import typer

from goldvein.config.names import ROOT, names
from goldvein.config.ranges import allowed_by, written
from goldvein.errors import unknown


def methods(
    name: Annotated[str | None, typer.Argument(metavar="[NAME]", help="A method; all of them by default.")] = None,
) -> None:
    """List the methods, or show one with its hyper-parameters and their defaults."""
    from goldvein.cli import show

    known = names("methods")
    if name is None:
        show.table(("method", ""), [(method, _docstring(_parse(method)).partition("\n")[0]) for method in known])
        return
    if name not in known:
        raise unknown("method", name, known)
    module = _parse(name)
    cls = _class(module, name)
    typer.echo(f"{_docstring(module)}\n")
    typer.echo(_docstring(cls).partition("Examples\n-")[0].rstrip() + "\n")
    show.table(("hyper-parameter", "default", "it must be"), _arguments(module, cls))


def _parse(method: str) -> ast.Module:
    return ast.parse((ROOT / "methods" / f"{method}.py").read_text(encoding="utf-8"))


def _docstring(node: ast.Module | ast.ClassDef) -> str:
    return re.sub(r":[a-z]+:`~?([^`]+)`", r"\1", ast.get_docstring(node) or "")  # without the marks of Sphinx


def _class(module: ast.Module, name: str) -> ast.ClassDef:
    wanted = name.replace("_", "")
    return next(node for node in module.body if isinstance(node, ast.ClassDef) and node.name.lower() == wanted)


def _arguments(module: ast.Module, cls: ast.ClassDef) -> list[tuple[str, str, str]]:
    """Names, defaults and ranges of the arguments of ``__init__``, a parent's where the class has none of its own."""
    for node in cls.body:
        if isinstance(node, ast.FunctionDef) and node.name == "__init__":
            args = [*node.args.args[1:], *node.args.kwonlyargs]
            values = [*node.args.defaults, *node.args.kw_defaults]
            values = [*[None] * (len(args) - len(values)), *values]
            return [(arg.arg, _value(v), _rule(arg)) for arg, v in zip(args, values, strict=True)]
    parents = {ast.unparse(base) for base in cls.bases}
    for node in module.body:
        if isinstance(node, ast.ImportFrom) and parents & {alias.name for alias in node.names}:
            package, _, method = str(node.module).rpartition(".")
            if package == "goldvein.methods":
                parent = _parse(method)
                return _arguments(parent, _class(parent, method))
    return []


def _value(node: ast.expr | None) -> str:
    return "" if node is None else written(ast.literal_eval(node))


def _rule(arg: ast.arg) -> str:
    annotation = ast.unparse(arg.annotation) if arg.annotation else ""
    if annotation == "bool":
        return "true or false"
    allowed = allowed_by(annotation)
    return "" if allowed is None else f"{allowed}{', or none' if 'None' in annotation else ''}"
