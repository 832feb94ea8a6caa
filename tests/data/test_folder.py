import json
import os

import numpy as np
import pytest
from PIL import Image

from goldvein.data.folder import read_folder
from goldvein.data.images import Decoding
from goldvein.errors import InputError

HOW = Decoding()


def put(folder, *names, color=0, size=(8, 8)):
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("L", size, color).save(path)


@pytest.fixture
def animals(tmp_path):
    put(tmp_path, "cat/10.png", "cat/9.png", "cat/more/deep/1.png", color=40)
    put(tmp_path, "dog/1.png", "dog/2.png", color=80)
    put(tmp_path, "unlabeled/a.png", "unlabeled/b/c.png", color=120)
    return tmp_path


def test_subfolders_are_classes_and_unlabeled_is_missing(animals):
    data = read_folder(animals, HOW)
    assert data.ids.tolist() == [
        "cat/9.png",
        "cat/10.png",
        "cat/more/deep/1.png",
        "dog/1.png",
        "dog/2.png",
        "unlabeled/a.png",
        "unlabeled/b/c.png",
    ]
    assert data.classes == ("cat", "dog")
    assert data.y.tolist() == [0, 0, 0, 1, 1, -1, -1]
    assert data.y.dtype == np.int64
    assert data.x[:, 0, 0, 0].tolist() == [40, 40, 40, 80, 80, 120, 120]
    assert data.kind == "image"


def test_folders_that_are_numbers_stay_names_in_order(tmp_path):
    put(tmp_path, *(f"{name}/{i}.png" for name in ("10", "9", "07") for i in (1, 2)))
    data = read_folder(tmp_path, HOW)
    assert data.classes == ("07", "9", "10")
    assert data.y.tolist() == [0, 0, 1, 1, 2, 2]


def test_what_systems_leave_behind_is_passed_over(animals):
    for name in (
        ".DS_Store",
        "cat/.DS_Store",
        "cat/Thumbs.db",
        "__MACOSX/cat/._9.png",
        ".git/x",
        "README.md",
    ):
        path = animals / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("junk")
    data = read_folder(animals, HOW)
    assert (len(data.ids), data.classes, data.skipped) == (7, ("cat", "dog"), ())


def test_a_file_that_is_no_image_is_named_or_skipped(animals):
    (animals / "cat" / "notes.txt").write_text("hello")
    with pytest.raises(InputError, match=r"notes\.txt: not an image"):
        read_folder(animals, HOW)
    data = read_folder(animals, Decoding(skip_bad=True))
    assert len(data.ids) == len(data.x) == len(data.y) == 7
    assert data.skipped[0][0].endswith("notes.txt")


def test_labels_are_checked_again_after_skipping(tmp_path):
    put(tmp_path, "a/1.png", "a/2.png", "b/1.png")
    (tmp_path / "b" / "2.png").write_bytes(b"")
    with pytest.raises(InputError, match="class 'b' has 1 label"):
        read_folder(tmp_path, Decoding(skip_bad=True))


def test_layouts_that_are_no_training_set(tmp_path):
    with pytest.raises(InputError, match="holds no image"):
        read_folder(tmp_path, HOW)
    put(tmp_path, "1.png")
    with pytest.raises(InputError, match="no class folders"):
        read_folder(tmp_path, HOW)
    put(tmp_path, "a/1.png")
    with pytest.raises(InputError, match=r"'1\.png' lies next to the class folders"):
        read_folder(tmp_path, HOW)


def test_train_and_test_are_not_classes(tmp_path):
    put(tmp_path, "train/a/1.png", "test/a/1.png")
    with pytest.raises(InputError, match="test, train instead of classes"):
        read_folder(tmp_path, HOW)


def test_label_checks_see_empty_folders_and_missing_labels(tmp_path):
    put(tmp_path, "a/1.png", "a/2.png", "b/1.png", "b/2.png")
    (tmp_path / "c").mkdir()
    with pytest.raises(InputError, match="class 'c' has 0 labels"):
        read_folder(tmp_path, HOW)
    put(tmp_path / "other", "unlabeled/1.png")
    with pytest.raises(InputError, match="holds no label"):
        read_folder(tmp_path / "other", HOW)


def test_new_files_are_read_as_the_training_files_were(animals, tmp_path_factory):
    spec = json.loads(json.dumps(read_folder(animals, Decoding(image_size=12)).spec))
    new = tmp_path_factory.mktemp("new")
    put(new, "flat.png", "dog/1.png", "unlabeled/2.png", size=(50, 30), color=9)
    data = read_folder(new, HOW, spec)
    assert data.x.shape == (3, 1, 12, 12)
    assert dict(zip(data.ids.tolist(), data.y.tolist(), strict=True)) == {
        "flat.png": -1,
        "dog/1.png": 1,
        "unlabeled/2.png": -1,
    }
    assert (data.classes, data.spec) == (("cat", "dog"), spec)
    put(new, "cow/1.png")
    with pytest.raises(InputError, match="folder 'cow' is not one of the model's classes"):
        read_folder(new, HOW, spec)


def test_the_same_files_give_the_same_columns(animals):
    first = read_folder(animals, HOW)
    again = read_folder(animals, HOW, json.loads(json.dumps(first.spec)))
    assert np.array_equal(first.x, again.x)
    assert np.array_equal(first.y, again.y)
    assert first.ids.tolist() == again.ids.tolist()


@pytest.mark.skipif(os.name != "posix", reason="needs symbolic links")
def test_linked_folders_are_read_and_circles_are_refused(animals, tmp_path_factory):
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    put(elsewhere, "1.png", "2.png")
    (animals / "cow").symlink_to(elsewhere)
    assert read_folder(animals, HOW).classes == ("cat", "cow", "dog")
    (animals / "dog" / "again").symlink_to(animals / "dog")
    with pytest.raises(InputError, match="link to a folder that contains it"):
        read_folder(animals, HOW)


@pytest.mark.skipif(os.name != "posix", reason="needs file names that are not UTF-8")
def test_a_name_that_is_not_utf8_is_a_bad_file(animals):
    try:
        (animals / "cat" / os.fsdecode(b"\xff.png")).write_bytes((animals / "cat" / "9.png").read_bytes())
    except OSError:
        pytest.skip("this file system keeps names UTF-8")
    with pytest.raises(InputError, match=r"\\xff\.png: its name is not UTF-8"):
        read_folder(animals, HOW)
    assert read_folder(animals, Decoding(skip_bad=True)).skipped[0][1] == "its name is not UTF-8"


def test_images_in_trusted_are_surely_right(animals):
    put(animals, "trusted/dog/1.png", "trusted/cat/deep/7.png", color=200)
    data = read_folder(animals, HOW)
    assert data.classes == ("cat", "dog")
    assert data.ids[data.trusted].tolist() == ["trusted/cat/deep/7.png", "trusted/dog/1.png"]
    assert data.y[data.trusted].tolist() == [0, 1]
    assert (data.x[data.trusted] == 200).all()
    assert data.trusted.shape == (9,)


def test_without_a_trusted_folder_nothing_is_said(animals):
    assert read_folder(animals, HOW).trusted is None


def test_trusted_may_be_a_class(animals):
    put(animals, "trusted/1.png", "trusted/friends/2.png")
    data = read_folder(animals, HOW)
    assert data.classes == ("cat", "dog", "trusted")
    assert data.trusted is None


@pytest.mark.parametrize("stray", ["trusted/1.png", "trusted/cow/1.png", "trusted/unlabeled/1.png"])
def test_a_trusted_image_of_no_class(animals, stray):
    put(animals, "trusted/cat/1.png", stray)
    with pytest.raises(InputError, match=f"'{stray}' is trusted but not in a class folder; move it to trusted/"):
        read_folder(animals, HOW)


def test_trusted_images_in_new_files(animals, tmp_path_factory):
    spec = read_folder(animals, HOW).spec
    new = tmp_path_factory.mktemp("new")
    put(new, "flat.png", "trusted/dog/1.png")
    data = read_folder(new, HOW, spec)
    assert (data.ids.tolist(), data.y.tolist()) == (["flat.png", "trusted/dog/1.png"], [-1, 1])
    assert data.trusted.tolist() == [False, True]
