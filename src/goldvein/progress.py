"""Progress of long work: bars on a terminal, with the time that is left; elsewhere, as in a log, a line a minute."""

from __future__ import annotations

import sys
import time
from typing import Any

EVERY = 60.0  # seconds between two lines


class Progress:
    """One bar a stage.

    Parameters
    ----------
    quiet : bool, default=False
        Never show anything.
    """

    def __init__(self, quiet: bool = False) -> None:
        self.bars: Any = None
        self.lines = not quiet
        if not quiet and sys.stderr.isatty():
            self.bars = _bars()
            self.lines = self.bars is None
        self.task: Any = None
        self.name, self.n, self.done = "", 0, 0
        self.told = time.monotonic()

    def stage(self, name: str, n: int, done: int = 0) -> None:
        """Begin a bar of ``n`` steps."""
        self.name, self.n, self.done = name, n, done
        if self.bars is not None:
            self.bars.start()
            self.task = self.bars.add_task(name, total=n, completed=done, note="")

    def step(self, note: str = "") -> None:
        """One step further; ``note`` stands behind the bar."""
        self.done += 1
        if self.bars is not None:
            self.bars.update(self.task, advance=1, note=note)
        elif self.lines and time.monotonic() - self.told >= EVERY:
            self.told = time.monotonic()
            print(f"{self.name}: {self.done} of {self.n}{f', {note}' if note else ''}", file=sys.stderr, flush=True)

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
