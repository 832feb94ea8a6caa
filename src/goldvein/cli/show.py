"""Tables on a terminal, or as plain aligned text where there is none."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence

import typer

LONGEST = 200  # characters of a cell


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Print a table to standard output.

    Characters that would steer a terminal are shown as a replacement sign: labels and names come from anywhere.

    Examples
    --------
    >>> table(("id", "label"), [("7", "dog"), ("12", "cat")])
    id  label
    7   dog
    12  cat
    """
    cells = [[plain(cell) for cell in row] for row in rows]
    if sys.stdout.isatty() and _rich(header, cells):
        return
    lines = [list(header), *cells]
    widths = [max(len(line[k]) for line in lines) for k in range(len(header))]
    for line in lines:
        typer.echo("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip())


def plain(text: str) -> str:
    """A text without characters that would steer a terminal, and of at most 200.

    Examples
    --------
    >>> plain("tab\\there")
    'tab\ufffdhere'
    """
    text = text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…"
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text)


def _rich(header: Sequence[str], rows: Iterable[Sequence[str]]) -> bool:
    try:
        from rich.console import Console
        from rich.table import Table
        from rich.text import Text
    except ImportError:
        return False
    shown = Table(*header, box=None, header_style="bold", pad_edge=False)
    for row in rows:
        shown.add_row(*map(Text, row))
    Console().print(shown)
    return True
