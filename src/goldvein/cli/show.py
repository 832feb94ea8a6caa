"""Tables on standard output: colored on a terminal, aligned text elsewhere."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence

import typer

LONGEST = 200  # most characters of a cell


def print_table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Print a table to standard output.

    Examples
    --------
    >>> print_table(("id", "label"), [("7", "dog"), ("12", "cat")])
    id  label
    7   dog
    12  cat
    """
    cells = [[make_printable(cell) for cell in row] for row in rows]
    if sys.stdout.isatty() and _print_rich(header, cells):
        return
    lines = [list(header), *cells]
    widths = [max(len(line[k]) for line in lines) for k in range(len(header))]
    for line in lines:
        typer.echo("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip())


def make_printable(text: str) -> str:
    """Return at most 200 characters of a text, without control characters.

    Examples
    --------
    >>> make_printable("tab\\there")
    'tab\ufffdhere'
    """
    text = text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…"
    # control characters in an id or a label could change the terminal
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text)


def _print_rich(header: Sequence[str], rows: Iterable[Sequence[str]]) -> bool:
    try:
        from rich.console import Console
        from rich.table import Table
        from rich.text import Text
    except ImportError:
        return False
    grid = Table(*header, box=None, header_style="bold", pad_edge=False)
    for row in rows:
        grid.add_row(*map(Text, row))  # a plain str in [brackets] would be markup
    Console().print(grid)
    return True
