"""Fits that do not depend on each other, on all cores where that is worth it; the results are the same."""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Sequence
from multiprocessing import current_process
from typing import Any

from joblib import Parallel, cpu_count, delayed, parallel_config
from threadpoolctl import threadpool_limits

WORTH = 6.0  # seconds of work from which other processes are started, which takes one or two


def run_tasks(function: Callable[..., Any], tasks: Sequence[tuple[Any, ...]], seconds: float) -> list[Any]:
    """Return (result or exception, seconds) of ``function(*task)`` for each task, in order.

    Parameters
    ----------
    function : callable
        It is called in one thread. Whatever it raises is its result.
    tasks : sequence of tuple
    seconds : float
        What all tasks together will probably take.

    Examples
    --------
    >>> [result for result, _ in run_tasks(pow, [(2, 3), (3, 2)], 0.0)]
    [8, 9]
    """
    # a process of a pool may have no children
    n_jobs = 1 if current_process().daemon else min(cpu_count(), len(tasks))
    if n_jobs < 2 or seconds < WORTH:
        return [_timed(function, task) for task in tasks]
    with parallel_config(backend="loky", inner_max_num_threads=1):
        return list(Parallel(n_jobs=n_jobs)(delayed(_timed)(function, task) for task in tasks))


def _timed(function: Callable[..., Any], task: tuple[Any, ...]) -> tuple[Any, float]:
    start = time.perf_counter()
    with threadpool_limits(1), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that an iteration did not converge is no news to the person
        try:
            result = function(*task)
        except Exception as error:  # any classifier may fail on a fold: it is left out, by name
            result = error
    return result, time.perf_counter() - start
