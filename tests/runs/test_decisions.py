"""The log keeps every decision, whatever happens."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from goldvein import InputError
from goldvein.runs.decisions import FILE, ConflictError, Decision, Log


@pytest.fixture
def log(tmp_path):
    opened = Log(tmp_path / FILE)
    yield opened
    opened.close()


def current(log: Log) -> dict[str, tuple[str, str | None]]:
    return {row: (d.action, d.label) for row, d in log.current().items()}


def test_the_last_decision_counts_and_undo_returns_to_the_previous_one(log):
    log.decide("a", "keep", "cat", client="me")
    log.decide("a", "relabel", "dog", client="me")
    log.decide("b", "drop", client="me")
    assert current(log) == {"a": ("relabel", "dog"), "b": ("drop", None)}
    assert [log.undo("me") for _ in range(4)] == ["b", "a", "a", None]
    assert current(log) == {}


def test_clients_may_open_a_new_log_at_the_same_moment(tmp_path):
    start = threading.Barrier(4)

    def write(path: Path) -> None:
        start.wait()
        opened = Log(path)
        opened.decide("a", "keep", "cat", client="me")
        opened.close()

    with ThreadPoolExecutor(4) as pool:
        for k in range(30):
            list(pool.map(write, [tmp_path / f"{k}.sqlite"] * 4))
            assert Log(tmp_path / f"{k}.sqlite").version("a") == 4


def test_undo_reverts_only_decisions_of_the_client(log):
    log.decide("a", "keep", "cat", client="first")
    log.decide("a", "drop", client="second")
    assert log.undo("first") == "a"
    assert current(log) == {"a": ("drop", None)}
    assert log.undo("first") is None


def test_nothing_is_ever_removed(log):
    for _ in range(3):
        log.decide("a", "keep", "cat", client="me")
        log.undo("me")
    rows = sqlite3.connect(log.path).execute("SELECT seq, action, undoes FROM events").fetchall()
    assert rows == [(k, "keep", None) if k % 2 else (k, "undo", k - 1) for k in range(1, 7)]


def test_a_client_that_missed_the_last_event_gets_a_conflict(log):
    log.decide("a", "keep", "cat", client="first", seen=0)
    with pytest.raises(ConflictError):
        log.decide("a", "drop", client="second", seen=0)
    assert current(log) == {"a": ("keep", "cat")}
    log.decide("a", "drop", client="second", seen=log.version("a"))
    log.undo("second")
    assert log.version("a") == 3  # undo is an event too
    assert log.decision("a") == log.current()["a"]


def test_changed_rows_since_an_event(log):
    for row in "abc":
        log.decide(row, "skip", client="me")
    log.undo("me")
    assert log.changed_rows(0) == (4, ["a", "b", "c"])
    assert log.changed_rows(3) == (4, ["c"])
    assert log.changed_rows(4) == (4, [])


def test_all_decisions_are_added_or_none(log):
    log.decide("a", "keep", "cat", client="me")
    assert log.add_all({"a": Decision("keep", "cat"), "b": Decision("drop")}, client="file") == 1
    assert log.add_all({"a": Decision("keep", "cat"), "b": Decision("drop")}, client="file") == 0
    with pytest.raises(InputError, match="cannot be read or written"):
        log.add_all({"c": Decision("drop"), "d": Decision(None)}, client="file")  # type: ignore[arg-type]
    assert set(log.current()) == {"a", "b"}


WRITER = """
import sys
from pathlib import Path
from goldvein.runs.decisions import Log
log = Log(Path(sys.argv[1]))
for k in range(100000):
    log.decide(f"row {k}", "keep", "cat", client="me")
    print(k, flush=True)
"""


def test_returned_decisions_are_on_the_disk_after_a_kill(tmp_path):
    writer = subprocess.Popen([sys.executable, "-c", WRITER, tmp_path / FILE], stdout=subprocess.PIPE, text=True)
    assert writer.stdout is not None
    written = [int(next(writer.stdout)) for _ in range(25)]
    os.kill(writer.pid, signal.SIGKILL)
    written += [int(line) for line in writer.stdout.read().splitlines()]
    writer.wait()
    found = Log(tmp_path / FILE).current()
    assert {f"row {k}" for k in written} <= set(found)
    assert len(found) <= len(written) + 1  # the last one may be on the disk but not printed yet


def test_two_processes_write_at_once(tmp_path, log):
    other = Log(tmp_path / FILE)
    for k in range(20):
        (log if k % 2 else other).decide(f"row {k}", "skip", client=str(k % 2))
    assert len(log.current()) == len(other.current()) == 20
    other.close()


def test_other_files_are_refused_and_not_changed(tmp_path):
    for content in (b"no database" * 100, b"SQLite format 3\0" + bytes(500)):
        (tmp_path / FILE).write_bytes(content)
        with pytest.raises(InputError, match=FILE):
            Log(tmp_path / FILE)
        assert (tmp_path / FILE).read_bytes() == content
    (tmp_path / FILE).unlink()
    sqlite3.connect(tmp_path / FILE).execute("CREATE TABLE diary (day)").connection.commit()
    with pytest.raises(InputError, match="is not a log of decisions"):
        Log(tmp_path / FILE)


def test_a_log_of_another_version_is_refused(log):
    sqlite3.connect(log.path).execute("PRAGMA user_version = 9").connection.commit()
    with pytest.raises(InputError, match="has version 9: this goldvein reads version 1"):
        Log(log.path)


def test_a_folder_that_is_gone(tmp_path):
    with pytest.raises(InputError, match="cannot be read or written"):
        Log(tmp_path / "nowhere" / FILE)


EVENTS = st.lists(st.tuples(st.sampled_from("xy"), st.sampled_from("abc"), st.sampled_from(["drop", "skip", "undo"])))


@given(EVENTS)
def test_the_log_behaves_like_a_stack_of_decisions_per_client(events):
    log = Log(Path(":memory:"))
    made: list[tuple[str, str, str]] = []
    for client, row, action in events:
        own = [k for k, event in enumerate(made) if event[0] == client]
        if action != "undo":
            made.append((client, row, action))
            log.decide(row, action, client=client)
        elif own:
            assert log.undo(client) == made.pop(own[-1])[1]
        else:
            assert log.undo(client) is None
    assert current(log) == {row: (action, None) for _, row, action in made}
    log.close()


def test_a_decision_that_is_added_keeps_its_time(tmp_path):
    log = Log(tmp_path / FILE)
    log.add_all({"a": Decision("drop", None, "2020-02-02T02:02:02Z")}, client="file")
    assert log.current()["a"].at == "2020-02-02T02:02:02Z"
