"""Files are written atomically, and names that lead out of a folder are refused."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path
from typing import IO

import pytest

from goldvein.errors import InputError
from goldvein.files import resolve_inside, write_text, write_whole


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


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A folder with a file, a link to the file, links to a file and a folder outside, and a link to itself."""
    home = tmp_path / "home"
    (home / "sub").mkdir(parents=True)
    for file in (home / "sub" / "a", tmp_path / "secret", tmp_path / "home2"):
        file.touch()
    (home / "inner").symlink_to(home / "sub" / "a")
    (home / "out").symlink_to(tmp_path / "secret")
    (home / "far").symlink_to(tmp_path)
    (home / "loop").symlink_to(home / "loop")
    return home


@pytest.mark.parametrize("name", ["sub/a", "sub/../sub/a", "inner", "{home}/sub/a", "far/home/sub/a"])
def test_names_inside_a_folder_are_resolved(home: Path, name: str) -> None:
    assert resolve_inside(home, name.format(home=home)) == Path(os.path.realpath(home / "sub" / "a"))


def test_a_file_inside_need_not_exist(home: Path) -> None:
    assert resolve_inside(home, "sub/none") == Path(os.path.realpath(home)) / "sub" / "none"


LEAVING = ["", " ", ".", "..", "../secret", "sub/../../secret", "/etc/passwd", "a\0b", "../home2", "{home}/../secret"]


@pytest.mark.parametrize("name", [*LEAVING, "out", "far/secret", "far", "far/home2", "{home}"])
def test_names_outside_a_folder_are_refused(home: Path, name: str) -> None:
    assert resolve_inside(home, name.format(home=home)) is None


@pytest.mark.parametrize("name", LEAVING)
def test_names_outside_are_refused_where_links_may_leave(home: Path, name: str) -> None:
    assert resolve_inside(home, name.format(home=home), allow_links=True) is None


def test_links_may_leave_where_the_user_made_them(home: Path) -> None:
    assert resolve_inside(home, "out", allow_links=True) == home / "out"
    assert resolve_inside(home, "far/../../secret", allow_links=True) is None


def test_the_folder_may_be_a_link(home: Path, tmp_path: Path) -> None:
    (tmp_path / "alias").symlink_to(home)
    assert resolve_inside(tmp_path / "alias", "sub/a") == Path(os.path.realpath(home / "sub" / "a"))


def test_a_link_to_itself_is_no_way_out(home: Path) -> None:
    found = resolve_inside(home, "loop")
    assert found is None or found.is_relative_to(os.path.realpath(home))
