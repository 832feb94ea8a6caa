"""The log of a review: one SQLite file beside the run, to which events are only ever added.

To undo is an event too, so nothing that was once decided is lost. A decision is on the disk when :meth:`Log.decide`
returns: the journal mode is SQLite's default with ``synchronous=EXTRA``, which outlives a kill and a power cut.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from goldvein.errors import InputError

FILE = "decisions.sqlite"
ACTIONS = ("keep", "relabel", "drop", "skip")
MARK = 0x676F6C64  # "gold" in the header of the file
VERSION = 1
PATIENCE = 20  # seconds to wait for another process that writes
TABLE = """
CREATE TABLE events (
  seq INTEGER PRIMARY KEY AUTOINCREMENT,
  at TEXT NOT NULL,
  client TEXT NOT NULL,
  row TEXT NOT NULL,
  action TEXT NOT NULL,
  label TEXT,
  undoes INTEGER REFERENCES events (seq)
);
CREATE INDEX by_row ON events (row);
CREATE UNIQUE INDEX by_undone ON events (undoes) WHERE undoes IS NOT NULL;
"""
STANDING = "action != 'undo' AND NOT EXISTS (SELECT 1 FROM events u WHERE u.undoes = e.seq)"


@dataclass(frozen=True)
class Decision:
    """What was decided about a row.

    Attributes
    ----------
    action : {"keep", "relabel", "drop", "skip"}
        ``skip``: the person could not tell.
    label : str or None
        The label that the row has then; None for drop and skip.
    at : str
        When, in UTC; "" where a file does not say.
    seq : int
        The event's number in the log; 0 outside one.
    """

    action: str
    label: str | None = None
    at: str = ""
    seq: int = 0


class ConflictError(Exception):
    """Somebody else has decided about the row since it was looked at."""


class Log:
    """The decisions of one run.

    Parameters
    ----------
    path : Path
        Made where it does not exist.

    Raises
    ------
    InputError
        If the file is no log of decisions, is one of another version, is damaged, or cannot be written.

    Examples
    --------
    >>> import tempfile
    >>> log = Log(Path(tempfile.mkdtemp()) / FILE)
    >>> log.decide("a.png", "relabel", "cat", client="me").action
    'relabel'
    >>> log.undo("me")
    'a.png'
    >>> log.current()
    {}
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        with self._telling():
            self._db = sqlite3.connect(path, timeout=PATIENCE, isolation_level=None, check_same_thread=False)
            self._db.execute("PRAGMA synchronous = EXTRA")
            self._check()

    def close(self) -> None:
        self._db.close()

    def decide(
        self, row: str, action: str, label: str | None = None, *, client: str, seen: int | None = None
    ) -> Decision:
        """Add a decision.

        Parameters
        ----------
        row : str
            Id of the row.
        action : one of :data:`ACTIONS`
        label : str, optional
            For keep and relabel: the label that the row has then.
        client : str
            Who decides; :meth:`undo` takes back the decisions of one client only.
        seen : int, optional
            :meth:`version` of the row when it was looked at.

        Raises
        ------
        ConflictError
            If the row has another version than ``seen``: nothing is written.
        """
        with self._writing():
            if seen is not None and self.version(row) != seen:
                raise ConflictError
            return self._add(row, action, label, client)

    def undo(self, client: str) -> str | None:
        """Take back the client's last decision that stands; the id of its row, or None if there is none."""
        with self._writing():
            found = self._db.execute(
                f"SELECT seq, row FROM events e WHERE client = ? AND {STANDING} ORDER BY seq DESC LIMIT 1", (client,)
            ).fetchone()
            if found is None:
                return None
            self._db.execute(
                "INSERT INTO events (at, client, row, action, undoes) VALUES (?, ?, ?, 'undo', ?)",
                (_now(), client, found[1], found[0]),
            )
            return found[1]

    def add_all(self, decisions: Mapping[str, Decision], *, client: str) -> int:
        """Add decisions of another log or a file, all of them or none; those that stand already are left out.

        Returns
        -------
        int
            How many were new.
        """
        with self._writing():
            before, new = self.current(), 0
            for row, decision in decisions.items():
                there = before.get(row)
                if there is None or (there.action, there.label) != (decision.action, decision.label):
                    self._add(row, decision.action, decision.label, client, decision.at)
                    new += 1
            return new

    def current(self) -> dict[str, Decision]:
        """The decision that stands for each row: its last one that was not undone."""
        with self._telling():
            rows = self._db.execute(f"SELECT row, action, label, at, seq FROM events e WHERE {STANDING} ORDER BY seq")
            return {row: Decision(*rest) for row, *rest in rows}

    def version(self, row: str) -> int:
        """Number of the last event about a row, 0 without one."""
        with self._telling():
            return self._db.execute("SELECT coalesce(max(seq), 0) FROM events WHERE row = ?", (row,)).fetchone()[0]

    def decision(self, row: str) -> Decision | None:
        """The decision that stands for a row."""
        with self._telling():
            found = self._db.execute(
                f"SELECT action, label, at, seq FROM events e WHERE row = ? AND {STANDING} ORDER BY seq DESC LIMIT 1",
                (row,),
            ).fetchone()
            return None if found is None else Decision(*found)

    def touched(self, since: int) -> tuple[int, list[str]]:
        """Number of the last event, and the rows that events after ``since`` are about."""
        with self._telling():
            last = self._db.execute("SELECT coalesce(max(seq), 0) FROM events").fetchone()[0]
            rows = self._db.execute("SELECT DISTINCT row FROM events WHERE seq > ? AND seq <= ?", (since, last))
            return last, [row for (row,) in rows]

    def _check(self) -> None:
        mark = self._db.execute("PRAGMA application_id").fetchone()[0]
        version = self._db.execute("PRAGMA user_version").fetchone()[0]
        if (mark, version) == (MARK, VERSION):
            return
        if mark == MARK:
            raise InputError(
                f"{self.path} has version {version}: this goldvein reads version {VERSION}; use the one that wrote it"
            )
        if self._db.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]:
            raise InputError(f"{self.path} is no log of decisions: move it away")
        self._db.executescript(
            f"BEGIN IMMEDIATE; {TABLE} PRAGMA application_id = {MARK}; PRAGMA user_version = {VERSION}; COMMIT;"
        )

    def _add(self, row: str, action: str, label: str | None, client: str, at: str = "") -> Decision:
        at = at or _now()
        seq = self._db.execute(
            "INSERT INTO events (at, client, row, action, label) VALUES (?, ?, ?, ?, ?)",
            (at, client, row, action, label),
        ).lastrowid
        return Decision(action, label, at, seq or 0)

    @contextmanager
    def _writing(self) -> Iterator[None]:
        """One transaction, on the disk at its end or not at all."""
        with self._telling():
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield
            except BaseException:
                self._db.execute("ROLLBACK")
                raise
            self._db.execute("COMMIT")

    @contextmanager
    def _telling(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            raise InputError(
                f"{self.path} cannot be read or written ({error}): make room, or restore it; nothing in it was changed"
            ) from error


def _now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
