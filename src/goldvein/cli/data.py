"""``goldvein data``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer
from typer import Argument

from goldvein.cli.options import DataDir

if TYPE_CHECKING:
    from goldvein.data.standard import Presence


def data(
    name: Annotated[str | None, Argument(metavar="[NAME]", help="Name of a data set.  [default: all of them]")] = None,
    data_dir: DataDir = None,
) -> None:
    """List the standard data sets, with their files and web pages.

    The folder is --data-dir. Its default is the environment variable GOLDVEIN_DATA, or ~/.cache/goldvein without it.
    """
    from goldvein.cli import show
    from goldvein.data import standard

    if name is None:
        sets = [standard.describe(known, data_dir) for known in standard.dataset_names()]
        rows = [(found.name, str(found.n_classes), _state(found), found.page) for found in sets]
        show.print_table(("name", "classes", "state", "page"), rows)
        return
    found = standard.describe(name, data_dir)
    typer.echo(f"{found.name}: {found.n_classes} classes, {_state(found)}\n{found.page}")
    if found.files:
        typer.echo(f"folder: {found.data_dir}")
        show.print_table(("file", ""), [(file, "found" if there else "missing") for file, there in found.files.items()])


def _state(found: Presence) -> str:
    if not found.files:
        return "built in"
    return "complete" if found.complete else f"{sum(found.files.values())} of {len(found.files)} files"
