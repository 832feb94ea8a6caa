"""Progress of long work on a terminal, with the time that is left; silent anywhere else."""

from __future__ import annotations

import sys
from typing import Any


class Progress:
    """One bar a stage.

    Parameters
    ----------
    quiet : bool, default=False
        Never show anything. Without a terminal, or without the package rich, nothing is shown either.
    """

    def __init__(self, quiet: bool = False) -> None:
        self.bars: Any = None
        if not quiet and sys.stderr.isatty():
            self.bars = _bars()
        self.task: Any = None

    def stage(self, name: str, n: int, done: int = 0) -> None:
        """Begin a bar of ``n`` steps."""
        if self.bars is not None:
            self.bars.start()
            self.task = self.bars.add_task(name, total=n, completed=done, note="")

    def step(self, note: str = "") -> None:
        """One step further; ``note`` stands behind the bar."""
        if self.bars is not None:
            self.bars.update(self.task, advance=1, note=note)

    def close(self) -> None:
        """Leave the bars as they are."""
        if self.bars is not None:
            self.bars.stop()


def _bars() -> Any:
    try:
        from rich import progress
        from rich.console import Console
    except ImportError:
        return None
    return progress.Progress(
        progress.TextColumn("{task.description}"),
        progress.BarColumn(),
        progress.MofNCompleteColumn(),
        progress.TimeRemainingColumn(),
        progress.TextColumn("{task.fields[note]}"),
        console=Console(stderr=True),
    )
