"""The state of a run on the disk: written whole, read without running code, refused if it belongs to another run."""

from __future__ import annotations

import io
import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from goldvein.errors import InputError
from goldvein.files import write_whole

SECONDS_BETWEEN_CHECKPOINTS = 10.0


@dataclass
class Position:
    """How far a run has come; shared by all views of one run."""

    stage: int = -1
    saved: dict[str, Any] | None = None  # the checkpoint, until its stage is reached
    saved_at: float = -math.inf
    history: list[dict[str, Any]] = field(default_factory=list)


def write_checkpoint(path: Path, state: dict[str, Any]) -> None:
    """Write a state, or leave the file as it was."""
    whole = io.BytesIO()  # on a full disk torch would raise an error that does not say so
    torch.save(state, whole)
    write_whole(path, lambda file: file.write(whole.getbuffer()))


def read_checkpoint(path: Path, fingerprint: str, device: torch.device) -> dict[str, Any]:
    """The state in a file.

    Raises
    ------
    InputError
        If the file is no checkpoint, or belongs to a run of another fingerprint.
    """
    try:
        state: dict[str, Any] = torch.load(path, map_location=device, weights_only=True)
        found = state["fingerprint"]
    except Exception as error:  # whatever a damaged file makes torch raise
        raise InputError(f"{path} is not a checkpoint of goldvein: remove it to start again") from error
    if found != fingerprint:
        raise InputError(f"{path} belongs to another configuration or other data: use the same ones, or a new folder")
    return state
