"""Runs the jobs of a table in worker processes and saves each result at once.

A run only does the jobs that have no result in the file yet. Only the parent process writes to the file.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
import traceback
from collections import deque
from collections.abc import Callable, Generator, Sequence
from contextlib import closing, suppress
from multiprocessing import get_context, parent_process
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import Any

from goldvein.bench import plan
from goldvein.bench.job import run_job
from goldvein.bench.plan import Job, Table
from goldvein.bench.results import append_result, list_missing, open_results
from goldvein.errors import InputError
from goldvein.progress import Progress

Function = Callable[[Any, "str | Path | None"], Any]  # of a job and the folder of the data


def run_table(
    table: Table,
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
    """Do the training runs of a table that have no result yet.

    Parameters
    ----------
    table : Table
        From :func:`goldvein.bench.plan.read_plan`.
    results_path : path
        File of results (JSON lines). Created if it does not exist, else appended to.
    jobs : int, default=1
        Number of worker processes. Each has one thread.
    seeds : sequence of int, optional
        Random seeds; by default those of the table.
    rows, columns : sequence of str, optional
        Names of the rows and columns to run; by default all.
    data_dir : path, optional
        As for :func:`goldvein.data.standard.load_dataset`.
    limit_s : float, optional
        Start no new job after this many seconds. Jobs that are running are finished.
    progress : Progress, optional
        By default nothing is shown.

    Returns
    -------
    int
        Exit status: 0 if all jobs have a result, 1 if some failed or were not started. Failures are printed to
        stderr. The next call tries these jobs again.

    Raises
    ------
    InputError
        The table has a wrong name or value, the results cannot be written, or another run is adding to them.
    """
    plan.validate(table)
    planned = plan.list_jobs(table, seeds, rows, columns)
    path = Path(results_path)

    def find_missing() -> list[Job]:
        return list_missing(planned, path)

    return run_missing(
        run_job,
        planned,
        find_missing,
        path,
        table.title,
        jobs=jobs,
        data_dir=data_dir,
        limit_s=limit_s,
        progress=progress,
    )


def run_missing(
    function: Function,
    planned: Sequence[Any],
    find_missing: Callable[[], Sequence[Any]],
    path: Path,
    title: str,
    *,
    jobs: int = 1,
    data_dir: str | Path | None = None,
    limit_s: float | None = None,
    progress: Progress | None = None,
) -> int:
    """Call ``function(job, data_dir)`` for the planned jobs that have no result yet, and save each result at once.

    Parameters
    ----------
    function : callable
        Of a module, so that another process can import it. It returns a line of the file of results.
    planned : sequence
        Jobs; text of a job is its name.
    find_missing : callable
        Returns the jobs without a result. It is called once the file is locked.
    path : Path
        File of results.
    title : str
        Title of the progress bar.
    jobs, data_dir, limit_s, progress
        See :func:`run_table`.

    Returns
    -------
    int
        See :func:`run_table`.
    """
    if jobs < 1:
        raise InputError(f"jobs={jobs}: it must be at least 1; give for example jobs=2")
    bar = progress or Progress(quiet=True)
    with open_results(path) as file:
        missing = find_missing()
        bar.stage(title, len(planned), len(planned) - len(missing))
        left = len(missing)
        with closing(_run_jobs(function, missing, jobs, data_dir, limit_s)) as answers, closing(bar):
            for job, answer in answers:
                if isinstance(answer, str):
                    print(f"failed: {job}: {answer}", file=sys.stderr, flush=True)
                else:
                    append_result(file, answer)
                    left -= 1
                bar.step(str(job))
    if left:
        print(f"{left} of {len(planned)} runs are not done: run the command again to try them", file=sys.stderr)
    return 1 if left else 0


class Worker:
    """A process that runs one job after another. If it dies, only its current job is lost."""

    job: Any

    def __init__(self, function: Function, data_dir: str | Path | None) -> None:
        context = get_context("spawn")
        self.pipe, child_end = context.Pipe()
        self.process = context.Process(target=_run_worker, args=(child_end, function, data_dir), daemon=True)
        self.process.start()
        child_end.close()  # the child has the only other copy, so the pipe breaks when the child dies

    def start(self, job: Any) -> None:
        """Send a job to the process."""
        self.job = job
        with suppress(BrokenPipeError):  # wait_for_result() reports that the process died
            self.pipe.send(job)

    def wait_for_result(self) -> Any:
        """Return the result of the job, or an error message."""
        try:
            answer = self.pipe.recv()
        except (EOFError, ConnectionResetError):
            self.process.join()
            return f"its process ended with code {self.process.exitcode}; -9 often means that memory ran out"
        return answer

    def stop(self) -> None:
        """End the process at once."""
        self.process.terminate()
        self.process.join()


def _run_worker(pipe: Connection, function: Function, data_dir: str | Path | None) -> None:
    """Receive jobs and send results until the parent process is gone."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C also reaches the parent, which stops its workers
    threading.Thread(target=_exit_with_parent, daemon=True).start()
    from goldvein.training.machine import set_threads

    set_threads(1)
    with suppress(EOFError, BrokenPipeError):
        while True:
            pipe.send(_try_job(function, pipe.recv(), data_dir))


def _exit_with_parent() -> None:
    """Exit when the parent dies."""
    # a killed parent cannot stop its workers, and a job may take hours
    parent = parent_process()
    assert parent is not None
    wait([parent.sentinel])
    os._exit(1)  # sys.exit() would only end this thread


def _try_job(function: Function, job: Any, data_dir: str | Path | None) -> Any:
    try:
        return function(job, data_dir)
    except InputError as error:
        return str(error)
    except Exception:  # a bug in one method must not stop the other jobs
        return traceback.format_exc()


def _run_jobs(
    function: Function, jobs: Sequence[Any], n_workers: int, data_dir: str | Path | None, limit_s: float | None
) -> Generator[tuple[Any, Any], None, None]:
    """Yield each finished job with ``function(job, data_dir)``, or an error message.

    Closing the generator stops all workers.
    """
    start, waiting = time.monotonic(), deque(jobs)
    idle: list[Worker] = []
    busy: dict[Any, Worker] = {}
    try:
        while True:
            while waiting and len(busy) < n_workers and (limit_s is None or time.monotonic() - start < limit_s):
                worker = (
                    idle.pop() if idle else Worker(function, data_dir)
                )  # an idle one has loaded torch and its data already
                busy[worker.pipe] = worker
                worker.start(waiting.popleft())
            if not busy:
                return
            for pipe in wait(list(busy)):
                answer = busy[pipe].wait_for_result()
                worker = busy.pop(pipe)
                if worker.process.is_alive():
                    idle.append(worker)
                yield worker.job, answer
    finally:
        for worker in [*idle, *busy.values()]:
            worker.stop()
