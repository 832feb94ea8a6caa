"""The file of results: one line of JSON per training run, from any number of tables.

Lines are only added. A line is on the disk before the next one is written. If a run is killed in the middle of a line,
readers skip that line, and the next run removes it.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any, TypedDict

from goldvein.bench.code_version import CodeVersion
from goldvein.bench.plan import Job
from goldvein.errors import InputError
from goldvein.metrics import CorrectedShares, KeptCounts, ScoreQuality


class _IssueQuality(ScoreQuality):
    calibration_error: float
    noise_rate: float
    transition_error: float


class IssueQuality(_IssueQuality, total=False):
    """How well a model finds the wrong labels: see :func:`goldvein.bench.job.judge_issues`."""

    judgment: int  # missing in old files
    scores: dict[str, ScoreQuality]


class _JobResult(TypedDict):
    key: str
    job: dict[str, Any]  # the fields of Job
    accuracy: float
    balanced_accuracy: float
    noise_rate: float | None
    validation_accuracy: float | None
    n_iter: int
    seconds: float
    peak_mb: int | None
    versions: dict[str, str]


class JobResult(_JobResult, total=False):
    """One line of a file of results: see :func:`goldvein.bench.job.run_job`."""

    peak_gpu_mb: int
    source: CodeVersion  # missing in old files
    others: dict[str, float]
    kept: KeptCounts
    corrected: CorrectedShares
    curve: list[float]
    issues: IssueQuality


def read_results(path: str | Path) -> list[JobResult]:
    """Return the results in a file; an empty list if the file does not exist.

    A last line without a line end is skipped.

    Raises
    ------
    InputError
        If a complete line is not a result.
    """
    try:
        text = Path(path).read_text(encoding="utf-8", errors="replace")  # the error below then names the line
    except FileNotFoundError:
        return []
    results: list[JobResult] = []
    # the part after the last line end is empty, or what a killed run wrote of its last line
    for number, line in enumerate(text.split("\n")[:-1], start=1):
        try:
            result = json.loads(line)
            Job(**result["job"])  # fails if a field is unknown or missing
            missing = JobResult.__required_keys__ - result.keys()
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise InputError(f"line {number} of {path} is not a result: remove that line") from error
        if missing:
            raise InputError(f"line {number} of {path} is not a result: it has no {min(missing)}; remove that line")
        results.append(result)
    return results


def list_missing(jobs: Iterable[Job], path: str | Path) -> list[Job]:
    """Return the jobs that have no result in a file."""
    done = {result["key"] for result in read_results(path)}
    return [job for job in jobs if job.key not in done]


@contextmanager
def open_results(path: Path) -> Iterator[IO[bytes]]:
    """Open a file of results to append to, and lock it. A truncated last line is removed.

    Raises
    ------
    InputError
        If the file cannot be written, or another run has locked it.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        file = path.open("ab+")
    except OSError as error:
        raise InputError(f"{path} cannot be written ({error.strerror}): give another path") from error
    with file:
        try:
            _lock(file)
        except BlockingIOError as error:
            raise InputError(f"another run is adding to {path}: wait until it ends, or give another file") from error
        file.seek(0)
        file.truncate(file.read().rfind(b"\n") + 1)  # a killed run leaves half a line
        yield file


def append_result(file: IO[bytes], result: Mapping[str, Any]) -> None:
    """Append a line, and return once it is on the disk.

    Raises
    ------
    InputError
        If the line cannot be written, for example because the disk is full.
    """
    try:
        file.write(json.dumps(result, allow_nan=False).encode() + b"\n")
        file.flush()
        os.fsync(file.fileno())  # flush() alone leaves the line in the cache of the system
    except OSError as error:
        raise InputError(
            f"{file.name} cannot be written ({error.strerror}): free some space, then start again"
        ) from error


def _lock(file: IO[bytes]) -> None:
    with suppress(ImportError):  # Windows has no such lock
        import fcntl

        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
