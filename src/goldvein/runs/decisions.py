"""The log of a review: an SQLite file in the run folder. Events are added to it and never changed or removed."""

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
MARK = 0x676F6C64  # "gold": the application id in the header of the file
VERSION = 1
WAIT = 20  # seconds to wait while another process writes
# AUTOINCREMENT never uses a number twice, so a version always means the same state of a row. The unique index makes it
# impossible to undo an event twice.
TABLES = (
    """CREATE TABLE events (
  seq INTEGER PRIMARY KEY AUTOINCREMENT,
  at TEXT NOT NULL,
  client TEXT NOT NULL,
  row TEXT NOT NULL,
  action TEXT NOT NULL,
  label TEXT,
  undoes INTEGER REFERENCES events (seq)
)""",
    "CREATE INDEX by_row ON events (row)",
    "CREATE UNIQUE INDEX by_undone ON events (undoes) WHERE undoes IS NOT NULL",
    f"PRAGMA application_id = {MARK}",
    f"PRAGMA user_version = {VERSION}",
)
NOT_UNDONE = "action != 'undo' AND NOT EXISTS (SELECT 1 FROM events u WHERE u.undoes = e.seq)"


@dataclass(frozen=True)
class Decision:
    """What a person decided about a row.

    Attributes
    ----------
    action : {"keep", "relabel", "drop", "skip"}
        ``skip``: the person could not decide.
    label : str or None
        The new label of the row; None for drop and skip.
    at : str
        Time in UTC; "" if a file does not contain it.
    seq : int
        Number of the event in the log; 0 for a decision from a file.
    """

    action: str
    label: str | None = None
    at: str = ""
    seq: int = 0


class ConflictError(Exception):
    """Another client has decided about the row since this client read it."""


class Log:
    """The decisions about one run.

    Parameters
    ----------
    path : Path
        The file is created if it does not exist.

    Raises
    ------
    InputError
        If the file is not a log of decisions, has another version, is damaged, or cannot be written.

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
        with self._as_input_errors():
            # isolation_level=None: transactions begin and end explicitly, in _writing
            self._db = sqlite3.connect(path, timeout=WAIT, isolation_level=None, check_same_thread=False)
            # with SQLite's default journal, a committed decision survives a killed process and a power cut
            self._db.execute("PRAGMA synchronous = EXTRA")
            if not self._is_log():
                with self._writing():
                    if not self._is_log():  # another process may have made the tables since
                        for statement in TABLES:
                            self._db.execute(statement)

    def close(self) -> None:
        self._db.close()

    def decide(
        self, row: str, action: str, label: str | None = None, *, client: str, seen: int | None = None
    ) -> Decision:
        """Add a decision; it is on the disk when this method returns.

        Parameters
        ----------
        row : str
            Id of the row.
        action : one of :data:`ACTIONS`
        label : str, optional
            For keep and relabel: the new label of the row.
        client : str
            Name of the client; :meth:`undo` reverts the decisions of one client only.
        seen : int, optional
            :meth:`version` of the row that the client read.

        Raises
        ------
        ConflictError
            If the version of the row is not ``seen``. Nothing is written.
        """
        with self._writing():
            if seen is not None and self.version(row) != seen:
                raise ConflictError
            return self._add(row, action, label, client)

    def undo(self, client: str) -> str | None:
        """Undo the client's last decision that is not undone yet; return the id of its row, or None without one."""
        with self._writing():
            found = self._db.execute(
                f"SELECT seq, row FROM events e WHERE client = ? AND {NOT_UNDONE} ORDER BY seq DESC LIMIT 1", (client,)
            ).fetchone()
            if found is None:
                return None
            self._db.execute(
                "INSERT INTO events (at, client, row, action, undoes) VALUES (?, ?, ?, 'undo', ?)",
                (_now(), client, found[1], found[0]),
            )
            return str(found[1])

    def add_all(self, decisions: Mapping[str, Decision], *, client: str) -> int:
        """Add the decisions of another log or a file: all of them, or none if one fails.

        Returns
        -------
        int
            Number of new decisions. A decision that equals the present one of its row is not added again.
        """
        with self._writing():
            before, new = self.current(), 0
            for row, decision in decisions.items():
                present = before.get(row)
                if present is None or (present.action, present.label) != (decision.action, decision.label):
                    self._add(row, decision.action, decision.label, client, decision.at)
                    new += 1
            return new

    def current(self) -> dict[str, Decision]:
        """Return the decision of each row: its last one that is not undone."""
        with self._as_input_errors():
            rows = self._db.execute(f"SELECT row, action, label, at, seq FROM events e WHERE {NOT_UNDONE} ORDER BY seq")
            return {row: Decision(*rest) for row, *rest in rows}

    def version(self, row: str) -> int:
        """Return the number of the last event about a row, 0 without one."""
        with self._as_input_errors():
            found = self._db.execute("SELECT coalesce(max(seq), 0) FROM events WHERE row = ?", (row,)).fetchone()
            return int(found[0])

    def decision(self, row: str) -> Decision | None:
        """Return the decision of a row: its last one that is not undone."""
        with self._as_input_errors():
            found = self._db.execute(
                f"SELECT action, label, at, seq FROM events e WHERE row = ? AND {NOT_UNDONE} ORDER BY seq DESC LIMIT 1",
                (row,),
            ).fetchone()
            return None if found is None else Decision(*found)

    def changed_rows(self, since: int) -> tuple[int, list[str]]:
        """Return the number of the last event, and the ids of the rows with an event after ``since``."""
        with self._as_input_errors():
            last = self._db.execute("SELECT coalesce(max(seq), 0) FROM events").fetchone()[0]
            # events that another process adds meanwhile belong to the next call
            rows = self._db.execute("SELECT DISTINCT row FROM events WHERE seq > ? AND seq <= ?", (since, last))
            return last, [row for (row,) in rows]

    def _is_log(self) -> bool:
        """Return whether the file is a log; False for a new file. Any other file must not be changed."""
        # read before the mark: tables and mark come in one transaction, so a log with tables has its mark below
        n_tables = self._db.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
        mark = self._db.execute("PRAGMA application_id").fetchone()[0]
        version = self._db.execute("PRAGMA user_version").fetchone()[0]
        if (mark, version) == (MARK, VERSION):
            return True
        if mark == MARK:
            raise InputError(
                f"{self.path} has version {version}: this goldvein reads version {VERSION}; "
                "use the goldvein that wrote it"
            )
        if n_tables:
            raise InputError(f"{self.path} is not a log of decisions: move it to another folder")
        return False

    def _add(self, row: str, action: str, label: str | None, client: str, at: str = "") -> Decision:
        at = at or _now()
        seq = self._db.execute(
            "INSERT INTO events (at, client, row, action, label) VALUES (?, ?, ?, ?, ?)",
            (at, client, row, action, label),
        ).lastrowid
        return Decision(action, label, at, seq or 0)

    @contextmanager
    def _writing(self) -> Iterator[None]:
        """Run the block as one transaction: all of it is on the disk at its end, or nothing."""
        with self._as_input_errors():
            # the lock is taken now, so what is read in the block cannot change before it is written
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield
            except BaseException:  # KeyboardInterrupt, too
                self._db.execute("ROLLBACK")
                raise
            self._db.execute("COMMIT")

    @contextmanager
    def _as_input_errors(self) -> Iterator[None]:
        """Raise the errors of SQLite as InputError."""
        try:
            yield
        except sqlite3.Error as error:
            raise InputError(
                f"{self.path} cannot be read or written ({error}) and was not changed: "
                "free disk space or restore the file"
            ) from error


def _now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
