"""The leftovers of a failed run."""

from __future__ import annotations

import pytest

from goldvein.errors import InputError
from goldvein.runs.folder import CHECKPOINT, make_folder, remove_leftovers


@pytest.mark.parametrize("new", [True, False])
def test_a_failed_run_leaves_nothing(tmp_path, new):
    folder = tmp_path / "run"
    assert make_folder(folder)
    assert not make_folder(folder)
    (folder / CHECKPOINT).write_bytes(b"of stage 1")
    remove_leftovers(folder, InputError("threshold=7"), new=new)
    assert folder.exists() != new
    assert not (folder / CHECKPOINT).exists()


def test_a_full_disk_keeps_the_checkpoint(tmp_path):
    folder = tmp_path / "run"
    make_folder(folder)
    (folder / CHECKPOINT).write_bytes(b"of an hour ago")
    full = InputError("make room")
    full.__cause__ = OSError(28, "No space left on device")
    remove_leftovers(folder, full, new=True)
    assert (folder / CHECKPOINT).read_bytes() == b"of an hour ago"
