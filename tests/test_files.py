"""Files are written whole, or the old ones stay."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path
from typing import IO

import pytest

from goldvein.errors import InputError
from goldvein.files import write_text, write_whole


def test_a_file_is_replaced(tmp_path: Path) -> None:
    path = tmp_path / "a"
    for text in ("old and longer", "näw"):
        write_text(path, text)
    assert path.read_text(encoding="utf-8") == "näw"
    assert os.listdir(tmp_path) == ["a"]


@pytest.mark.parametrize("trouble", [ValueError("no"), KeyboardInterrupt()])
def test_a_stop_halfway_leaves_the_old_file(tmp_path: Path, trouble: BaseException) -> None:
    path = tmp_path / "a"
    write_text(path, "old")

    def half(file: IO[bytes]) -> None:
        file.write(b"hal")
        raise trouble

    with pytest.raises(type(trouble)):
        write_whole(path, half)
    assert path.read_text() == "old"
    assert os.listdir(tmp_path) == ["a"]


def test_a_full_disk_is_bad_input(tmp_path: Path) -> None:
    def full(file: IO[bytes]) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with pytest.raises(InputError, match=r"a cannot be written \(No space left on device\)"):
        write_whole(tmp_path / "a", full)
    assert os.listdir(tmp_path) == []


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="choose another folder"):
        write_text(tmp_path / "none" / "a", "x")


def test_a_folder_in_the_way(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    with pytest.raises(InputError, match="cannot be written"):
        write_text(tmp_path / "a", "x")
    assert os.listdir(tmp_path) == ["a"]


def test_others_may_read_the_file_as_any_other(tmp_path: Path) -> None:
    (tmp_path / "plain").write_text("x")
    write_text(tmp_path / "whole", "x")
    modes = {stat.S_IMODE((tmp_path / name).stat().st_mode) for name in ("plain", "whole")}
    assert len(modes) == 1
