"""Runs the jobs of a table in worker processes and keeps a line of JSON for each that is done.

A file of results can be added to at any time: a run takes the jobs whose key is not in it yet. Only the
parent process writes, whole lines, each on the disk before the next; what a killed run leaves of a last line
is cut off by the next run.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
import time
import traceback
from collections import deque
from collections.abc import Generator, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from multiprocessing import get_context, parent_process
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import IO, Any

from goldvein.bench import plan
from goldvein.bench.job import run_job
from goldvein.bench.plan import Job
from goldvein.errors import InputError
from goldvein.progress import Progress


def run(
    table_path: str | Path,
    results_path: str | Path,
    *,
    jobs: int = 1,
    seeds: Sequence[int] | None = None,
    rows: Sequence[str] | None = None,
    columns: Sequence[str] | None = None,
    data_dir: str | Path | None = None,
    limit_s: float | None = None,
    progress: Progress | None = None,
) -> int:
    """Run what is missing of a table.

    Parameters
    ----------
    table_path : str or path
        A TOML file, or the name of a published table: see :mod:`goldvein.bench.plan`.
    results_path : path
        JSON lines; made where it does not exist, else added to.
    jobs : int, default=1
        Worker processes, each with one thread.
    seeds : sequence of int, optional
        In place of the table's own.
    rows, columns : sequence of str, optional
        Names of those that are run; by default all.
    data_dir : path, optional
        As for :func:`goldvein.data.standard.load`.
    limit_s : float, optional
        Seconds after which no further job is begun; those under way are finished.
    progress : Progress, optional
        By default nothing is shown.

    Returns
    -------
    int
        Exit status: 0 if all jobs are done, 1 if some are not, because they failed or because of the limit,
        as stderr tells. The next run takes them up.

    Raises
    ------
    InputError
        The table is wrong somewhere, the results cannot be written, or another run is adding to them.
    """
    table = plan.load(table_path)
    plan.validate(table)
    if jobs < 1:
        raise InputError(f"jobs={jobs}: at least one process must work; give for example jobs=2")
    planned = plan.jobs(table, seeds, rows, columns)
    bar = progress or Progress(quiet=True)
    with _appending(Path(results_path)) as file:
        done = {line["key"] for line in read_results(results_path)}
        todo = [job for job in planned if job.key not in done]
        bar.stage(table.title, len(planned), len(planned) - len(todo))
        left = len(todo)
        with closing(_work_off(todo, jobs, data_dir, limit_s)) as answers, closing(bar):
            for job, answer in answers:
                if isinstance(answer, str):
                    print(f"failed: {job}: {answer}", file=sys.stderr, flush=True)
                else:
                    _append(file, answer)
                    left -= 1
                bar.step(str(job))
    if left:
        print(f"{left} of {len(planned)} runs are not done: start again to try them", file=sys.stderr)
    return 1 if left else 0


def read_results(path: str | Path) -> list[dict[str, Any]]:
    """The results in a file, as :func:`goldvein.bench.job.run_job` gave them; none where there is no file.

    A last line that does not end, which a killed run leaves, is passed over.

    Raises
    ------
    InputError
        A whole line is not a result.
    """
    try:
        text = Path(path).read_text(encoding="utf-8", errors="replace")
    except FileNotFoundError:
        return []
    results = []
    for number, line in enumerate(text.split("\n")[:-1], start=1):
        try:
            result = json.loads(line)
            Job(**result["job"])
        except (ValueError, TypeError, KeyError) as error:
            raise InputError(f"line {number} of {path} is not a result: remove that line") from error
        results.append(result)
    return results


class Worker:
    """A process that runs one job after another; if it dies, that job alone is lost."""

    job: Job

    def __init__(self, data_dir: str | Path | None) -> None:
        context = get_context("spawn")
        self.pipe, theirs = context.Pipe()
        self.process = context.Process(target=_work, args=(theirs, data_dir), daemon=True)
        self.process.start()
        theirs.close()  # so that the pipe ends with the process

    def give(self, job: Job) -> None:
        """Begin a job."""
        self.job = job
        with suppress(BrokenPipeError):  # answer() finds that it died
            self.pipe.send(job)

    def answer(self) -> dict[str, Any] | str:
        """The result of the job, or what went wrong; waits for it."""
        try:
            return self.pipe.recv()
        except (EOFError, ConnectionResetError):
            self.process.join()
            return f"its process ended with code {self.process.exitcode}; -9 is often a lack of memory"

    def stop(self) -> None:
        """End the process, whatever it does."""
        self.process.terminate()
        self.process.join()


def _work(pipe: Connection, data_dir: str | Path | None) -> None:
    """The life of a worker: jobs in, results out, until the parent is gone."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the parent, which ends its workers
    threading.Thread(target=_end_with_the_parent, daemon=True).start()
    import torch

    torch.set_num_threads(1)
    with suppress(EOFError, BrokenPipeError):
        while True:
            pipe.send(_attempt(pipe.recv(), data_dir))


def _end_with_the_parent() -> None:
    """A parent that is killed can end nobody, and a training run lasts for hours."""
    parent = parent_process()
    assert parent is not None
    wait([parent.sentinel])
    os._exit(1)


def _attempt(job: Job, data_dir: str | Path | None) -> dict[str, Any] | str:
    try:
        return run_job(job, data_dir)
    except InputError as error:
        return str(error)
    except Exception:
        return traceback.format_exc()


def _work_off(
    todo: Sequence[Job], n: int, data_dir: str | Path | None, limit_s: float | None
) -> Generator[tuple[Job, dict[str, Any] | str], None, None]:
    """Jobs as they end, each with its result or what went wrong; closing it stops those under way."""
    start, waiting = time.monotonic(), deque(todo)
    idle: list[Worker] = []
    busy: dict[Any, Worker] = {}
    try:
        while True:
            while waiting and len(busy) < n and (limit_s is None or time.monotonic() - start < limit_s):
                worker = idle.pop() if idle else Worker(data_dir)
                busy[worker.pipe] = worker
                worker.give(waiting.popleft())
            if not busy:
                return
            for pipe in wait(list(busy)):
                answer = busy[pipe].answer()
                worker = busy.pop(pipe)
                if worker.process.is_alive():
                    idle.append(worker)
                yield worker.job, answer
    finally:
        for worker in [*idle, *busy.values()]:
            worker.stop()


@contextmanager
def _appending(path: Path) -> Iterator[IO[bytes]]:
    """A file of results to add to, by one run at a time, its truncated last line cut off."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        file = path.open("ab+")
    except OSError as error:
        raise InputError(f"{path} cannot be written ({error.strerror}): give another path") from error
    with file:
        try:
            _lock(file)
        except BlockingIOError as error:
            raise InputError(f"another run is adding to {path}: wait for it, or give another file") from error
        file.seek(0)
        file.truncate(file.read().rfind(b"\n") + 1)
        yield file


def _lock(file: IO[bytes]) -> None:
    with suppress(ImportError):  # Windows has no such lock
        import fcntl

        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)


def _append(file: IO[bytes], result: dict[str, Any]) -> None:
    try:
        file.write(json.dumps(result, allow_nan=False).encode() + b"\n")
        file.flush()
        os.fsync(file.fileno())
    except OSError as error:
        raise InputError(f"{file.name} cannot be written ({error.strerror}): make room, start again") from error
