"""Progress of long work: bars with the remaining time on a terminal, one line a minute elsewhere."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.progress import Progress as Bars
    from rich.progress import TaskID

SECONDS_BETWEEN_LINES = 60.0


class Progress:
    """Shows on standard error how far each stage of the work is.

    Parameters
    ----------
    quiet : bool, default=False
        Show nothing.
    """

    def __init__(self, quiet: bool = False) -> None:
        self.bars = None if quiet or not sys.stderr.isatty() else _make_bars()
        self.prints_lines = not quiet and self.bars is None
        self.task: TaskID | None = None
        self.name, self.n, self.done = "", 0, 0
        self.last_line = time.monotonic()

    def stage(self, name: str, n: int, done: int = 0) -> None:
        """Start the bar of a stage with ``n`` steps, of which ``done`` are already complete."""
        self.name, self.n, self.done = name, n, done
        if self.bars is not None:
            self.bars.start()
            self.task = self.bars.add_task(name, total=n, completed=done, note="")

    def step(self, note: str = "") -> None:
        """Count one more step; ``note`` is shown after the bar."""
        self.done += 1
        if self.bars is not None and self.task is not None:
            self.bars.update(self.task, advance=1, note=note)
        elif self.prints_lines and time.monotonic() - self.last_line >= SECONDS_BETWEEN_LINES:
            self.last_line = time.monotonic()
            print(f"{self.name}: {self.done} of {self.n}{f', {note}' if note else ''}", file=sys.stderr, flush=True)

    def close(self) -> None:
        """Stop updating; the bars stay on the screen."""
        if self.bars is not None:
            self.bars.stop()


def _make_bars() -> Bars | None:
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
