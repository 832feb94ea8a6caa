"""Tables on a terminal and elsewhere."""

from __future__ import annotations

import sys

import pytest

from goldvein.cli import show


def test_plain_columns_are_aligned(capsys):
    show.print_table(("id", "label"), [("1", "a dog"), ("100", "a"), ("", "")])
    assert capsys.readouterr().out == "id   label\n1    a dog\n100  a\n\n"


def test_no_rows(capsys):
    show.print_table(("id", "label"), [])
    assert capsys.readouterr().out == "id  label\n"


@pytest.mark.parametrize("terminal", [False, True])
def test_cells_are_printed_without_markup_and_control_characters(capsys, monkeypatch, terminal):
    monkeypatch.setattr(sys.stdout, "isatty", lambda: terminal)
    show.print_table(("id", "label"), [("[red]x[/red]", "a\x1b[2Jb\nc")])
    shown = capsys.readouterr().out
    assert "[red]x[/red]" in shown
    assert "a\N{REPLACEMENT CHARACTER}[2Jb\N{REPLACEMENT CHARACTER}c" in shown
