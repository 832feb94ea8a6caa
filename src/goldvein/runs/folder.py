"""Names of the files of a run, and the checks that no file is overwritten."""

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
MODEL = "model.skops"
PREDICTIONS = "predictions.csv"
SKIPPED = "skipped.csv"
WEIGHTS = "weights.safetensors"


def check_folder(folder: str | Path, *, resume: bool = False) -> None:
    """Refuse a folder in which a run would overwrite something.

    Parameters
    ----------
    folder : str or Path
        A folder that does not exist or is empty is accepted.
    resume : bool, default=False
        Accept the folder of an interrupted run, to continue that run.

    Raises
    ------
    InputError
        If the folder contains a complete run, an interrupted run (without ``resume``), or any other file.

    Examples
    --------
    >>> import tempfile
    >>> check_folder(tempfile.mkdtemp())
    """
    folder = Path(folder)
    if not folder.exists():
        return
    if not folder.is_dir():
        raise InputError(f"{folder} is a file: a run needs a folder; choose another name")
    if (folder / CONFIG).exists():
        raise InputError(f"{folder} already contains a finished run, which is not overwritten; choose another folder")
    if (folder / CHECKPOINT).exists():
        if not resume:
            raise InputError(
                f"{folder} contains an interrupted run: continue it with --resume, or choose another folder"
            )
    elif any(folder.iterdir()):
        raise InputError(f"{folder} is not empty and contains no run: choose a new folder")


def make_folder(folder: Path) -> bool:
    """Create a folder and its parents; return whether the folder is new.

    Raises
    ------
    InputError
        If the folder cannot be created.
    """
    try:
        new = not folder.exists()  # only a new folder is removed after a failure
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"{folder} cannot be created ({error.strerror}): choose another folder") from error
    return new


def remove_leftovers(folder: Path, error: Exception, *, new: bool) -> None:
    """Remove the leftovers of a failed run.

    Parameters
    ----------
    folder : Path
    error : Exception
        The error that ended the run.
    new : bool
        Whether the run created the folder.
    """
    # the cause is an OSError if, for example, the disk is full: the run can be resumed once there is space again
    if not isinstance(error.__cause__, OSError):
        (folder / CHECKPOINT).unlink(missing_ok=True)
    if new:
        with suppress(OSError):  # the folder is not empty, or another process has removed it
            folder.rmdir()


def check_new_file(path: str | Path) -> None:
    """Refuse a file that exists already, or whose folder does not exist.

    Raises
    ------
    InputError
        In both cases.

    Examples
    --------
    >>> check_new_file("/nowhere/labels.csv")
    Traceback (most recent call last):
    ...
    goldvein.errors.InputError: /nowhere/labels.csv cannot be written: the folder /nowhere does not exist; create it
    """
    path = Path(path)
    if path.exists():
        raise InputError(f"{path} exists already and is not overwritten; choose another name")
    if not path.parent.is_dir():
        raise InputError(f"{path} cannot be written: the folder {path.parent} does not exist; create it")


def damaged(path: Path, why: object) -> InputError:
    """Return the error for a file of a run that cannot be read as it was written."""
    first = (str(why).splitlines() or ["unreadable"])[0]  # messages of libraries may have many lines
    return InputError(f"{path} is damaged ({first}): restore the run folder, or train again")
