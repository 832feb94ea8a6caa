"""The house as a whole: floors, caps, and what no file may do; read from the source, nothing is imported."""

from __future__ import annotations

import ast
import io
import re
import tokenize
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "src" / "goldvein"
FILES = sorted(PACKAGE.rglob("*.py"))
METHODS = sorted(path for path in (PACKAGE / "methods").glob("*.py") if not path.name.startswith("_"))

# A room imports from lower floors alone, for types too. From the ground up.
FLOORS = (
    ("errors", "functional", "metrics", "progress", "rows"),
    ("config", "files", "models", "noise"),
    ("data", "selectors", "training"),
    ("estimators", "issues", "methods"),
    ("classifier",),
    ("bench", "runs"),
    ("report",),
    ("review",),
    ("cli",),
    ("__main__",),
)
FLOOR = {room: number for number, rooms in enumerate(FLOORS, 1) for room in rooms}
TORCH = {"functional", "methods", "models", "training"}  # the rooms that may import torch,
TORCH_FORMAT = PACKAGE / "data" / "sets" / "cifar10n.py"  # and the reader of labels that are published in its format
MOST_ROOMS, MOST_FLOORS, MOST_SHARE = 25, 10, 0.2  # of the lines, in one room
FILE_LINES, METHOD_LINES, FUNCTION_LINES = 400, 200, 80  # the last without docstrings
LEAST_COMMENTS = 0.05  # of the lines with code or a comment


def room_of(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def imports(path: Path) -> Iterator[tuple[int, str]]:
    """Line and full name of every module or attribute that a file imports, wherever in it."""
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}:{node.lineno}: imports are absolute"
            yield from ((node.lineno, f"{node.module}.{alias.name}") for alias in node.names)


def functions(module: ast.Module) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    yield from (node for node in ast.walk(module) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))


def docstring_lines(node: ast.AST) -> set[int]:
    """Lines of all docstrings below a node, and of the strings that document an attribute."""
    lines: set[int] = set()
    for inner in ast.walk(node):
        if isinstance(inner, ast.Expr) and isinstance(inner.value, ast.Constant) and isinstance(inner.value.value, str):
            lines |= set(range(inner.lineno, inner.end_lineno + 1))  # type: ignore[operator]
    return lines


def strings(path: Path) -> Iterator[tuple[int, str]]:
    """Line and text of every string constant but docstrings."""
    module = tree(path)
    told = docstring_lines(module)
    for node in ast.walk(module):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and node.lineno not in told:
            yield node.lineno, node.value


def test_every_room_has_its_floor() -> None:
    rooms = {room_of(path) for path in FILES} - {"__init__"}
    assert rooms == set(FLOOR)
    assert len(rooms) <= MOST_ROOMS
    assert len(FLOORS) <= MOST_FLOORS


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_imports_go_down(path: Path) -> None:
    here = room_of(path)
    for line, name in imports(path):
        if name.startswith("goldvein."):
            there = name.split(".")[1]
            if there == "__version__" or there == here:
                continue
            assert here != "__init__", f"{path}:{line}: the package itself imports nothing of the house"
            assert FLOOR[there] < FLOOR[here], f"{path}:{line}: {here} imports {there}, which is not below it"


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_torch_is_imported_where_networks_are(path: Path) -> None:
    if room_of(path) not in TORCH and path != TORCH_FORMAT:
        found = [line for line, name in imports(path) if name.split(".")[0] in ("torch", "safetensors")]
        assert not found, f"{path}:{found}: {room_of(path)} knows no torch"


def test_no_room_is_too_large() -> None:
    lines: dict[str, int] = {}
    for path in FILES:
        lines[room_of(path)] = lines.get(room_of(path), 0) + path.read_text(encoding="utf-8").count("\n")
    largest = max(lines, key=lambda room: lines[room])
    assert lines[largest] <= MOST_SHARE * sum(lines.values()), (largest, lines[largest], sum(lines.values()))


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_files_and_functions_are_short(path: Path) -> None:
    assert path.read_text(encoding="utf-8").count("\n") <= (METHOD_LINES if path in METHODS else FILE_LINES)
    for function in functions(tree(path)):
        documented = docstring_lines(function)
        size = sum(line not in documented for line in range(function.lineno, function.end_lineno + 1))  # type: ignore[operator]
        assert size <= FUNCTION_LINES, f"{path}:{function.lineno} {function.name} has {size} lines"


def test_no_method_is_named_outside_the_methods() -> None:
    losses = {function.name for function in functions(tree(PACKAGE / "functional" / "losses.py"))}
    names = [path.stem for path in METHODS if path.stem not in losses]  # a loss may have the name of its method
    pattern = re.compile(rf"\b({'|'.join(names)})\b")
    for path in FILES:
        if room_of(path) == "methods":
            continue
        for line, text in strings(path):
            if (path.name, text) not in (("names.py", "two_stage"), ("names.py", "two_stage_clean")):  # two constants
                assert not pattern.search(text), f"{path}:{line}: {text!r} names a method"
        for line, name in imports(path):
            assert not name.startswith("goldvein.methods."), f"{path}:{line}: methods are found by name"


@pytest.mark.parametrize("path", METHODS, ids=lambda path: path.stem)
def test_a_method_says_where_it_comes_from(path: Path) -> None:
    assert re.search(r"arXiv:\d{4}\.\d{4,5}|https?://\S+", ast.get_docstring(tree(path)) or ""), path


def test_reasons_stand_at_their_lines() -> None:
    comments = code = 0
    for path in FILES:
        text = path.read_text(encoding="utf-8")
        documented, seen = docstring_lines(ast.parse(text)), set()
        for token in tokenize.generate_tokens(io.StringIO(text).readline):
            if token.type == tokenize.COMMENT and not token.string.startswith(("# type:", "# noqa")):
                comments += 1
            if token.type not in (tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT, tokenize.ENDMARKER):
                seen |= set(range(token.start[0], token.end[0] + 1))
        code += len(seen - documented)
    assert comments >= LEAST_COMMENTS * code, f"{comments} comments on {code} lines"
