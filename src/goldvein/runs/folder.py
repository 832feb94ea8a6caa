"""Names of the files of a run, and the rule that nothing is overwritten."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

from goldvein.errors import InputError

FORMAT = 1
CHECKPOINT = "checkpoint.pt"
CONFIG = "config.json"
ENVIRONMENT = "environment.json"
HISTORY = "history.jsonl"
ISSUES = "issues.csv"
METRICS = "metrics.json"
PREDICTIONS = "predictions.csv"
SKIPPED = "skipped.csv"
WEIGHTS = "weights.safetensors"


def claim(folder: str | Path, *, resume: bool = False) -> None:
    """Refuse a folder in which a run would overwrite something.

    Parameters
    ----------
    folder : str or Path
        A new or empty folder is free.
    resume : bool, default=False
        Whether an interrupted run is to be gone on with.

    Raises
    ------
    InputError
        The folder holds a complete run, an interrupted one (without ``resume``), or anything else.

    Examples
    --------
    >>> import tempfile
    >>> claim(tempfile.mkdtemp())
    """
    folder = Path(folder)
    if not folder.exists():
        return
    if not folder.is_dir():
        raise InputError(f"{folder} is a file: a run needs a folder; choose another name")
    if (folder / CONFIG).exists():
        raise InputError(f"{folder} already holds a run: it is not overwritten; choose another folder")
    if (folder / CHECKPOINT).exists():
        if not resume:
            raise InputError(f"{folder} holds an interrupted run: give --resume to go on with it, or another folder")
    elif any(folder.iterdir()):
        raise InputError(f"{folder} is not empty and holds no run: choose a new folder")


def make(folder: Path) -> bool:
    """Make a folder, and those above it, where it is not there yet; whether it was not.

    Raises
    ------
    InputError
        If that is not permitted, or the disk is full.
    """
    try:
        new = not folder.exists()
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"{folder} cannot be made ({error.strerror}): choose another folder") from error
    return new


def give_up(folder: Path, error: Exception, *, new: bool) -> None:
    """Take away what a run that came to nothing has left.

    A checkpoint stays where the system was at fault, a full disk, say: the run can go on once that is mended.

    Parameters
    ----------
    folder : Path
    error : Exception
        What ended the run.
    new : bool
        Whether the run made the folder.
    """
    if not isinstance(error.__cause__, OSError):
        (folder / CHECKPOINT).unlink(missing_ok=True)
    if new:
        with suppress(OSError):  # it is not empty, or another of several processes was first
            folder.rmdir()


def check_new(path: str | Path) -> None:
    """Refuse a file that exists already, or whose folder does not.

    Raises
    ------
    InputError
        In either case.

    Examples
    --------
    >>> check_new("/nowhere/labels.csv")
    Traceback (most recent call last):
    ...
    goldvein.errors.InputError: /nowhere/labels.csv cannot be written: there is no folder /nowhere; make it first
    """
    path = Path(path)
    if path.exists():
        raise InputError(f"{path} exists already: it is not overwritten; choose another name")
    if not path.parent.is_dir():
        raise InputError(f"{path} cannot be written: there is no folder {path.parent}; make it first")


def damaged(path: Path, why: object) -> InputError:
    """The error for a file of a run that is not what was written."""
    first = (str(why).splitlines() or ["unreadable"])[0]
    return InputError(f"{path} is damaged ({first}): restore the run folder, or train again")
