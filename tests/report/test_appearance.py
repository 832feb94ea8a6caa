"""The view of a row for each kind of data, and the reason if there is nothing to show."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from goldvein import InputError, runs
from goldvein.report.appearance import RowView, export_row, load_picture, open_data
from goldvein.report.thumbnails import compress

IMAGES = {"reader": "images", "size": [32, 32], "channels": 3}


@pytest.fixture
def view_of(make_run, tmp_path):
    def opened(source, spec, config=None, data_dir=None):
        folder = make_run(tmp_path / "run", ["a", "b"], source=str(source), spec=spec, config=config)
        return open_data(runs.open_run(folder), None, data_dir)

    return opened


def test_a_picture_is_upright_and_keeps_its_shape(tmp_path, view_of):
    (tmp_path / "cat").mkdir()
    exif = Image.Exif()
    exif[0x0112] = 6  # the picture must be rotated by 90 degrees
    Image.new("RGB", (400, 200), "red").save(tmp_path / "cat" / "1.jpg", exif=exif)
    view = view_of(tmp_path, IMAGES).row("cat/1.jpg")
    assert load_picture(view, 100).size == (50, 100)
    assert export_row(view) == {"image": str(tmp_path / "cat" / "1.jpg")}
    with pytest.raises(InputError, match="no such file"):
        load_picture(RowView(file=tmp_path / "cat" / "2.jpg"), 100)


@pytest.mark.parametrize("row", ["../secret.png", "/etc/passwd", "cat/../../secret.png", "", "a\0b"])
def test_an_id_cannot_leave_the_folder_of_the_data(tmp_path, view_of, row):
    view = view_of(tmp_path, IMAGES).row(row)
    assert view.file is None
    assert view.missing


def test_a_path_in_a_table_cannot_leave_its_folder(tmp_path, view_of):
    inner = tmp_path / "inner"
    inner.mkdir()
    Image.new("L", (9, 9)).save(tmp_path / "secret.png")
    (inner / "link.png").symlink_to(tmp_path / "secret.png")
    (inner / "t.csv").write_text("id,path,label\nx,link.png,a\ny,../secret.png,b\nz,own.png,a\n")
    rows = view_of(inner / "t.csv", {**IMAGES, "path": "path"})
    assert rows.row("z").file == inner / "own.png"
    assert "leads out of the folder" in str(rows.row("x").missing)
    assert "leads out of the folder" in str(rows.row("y").missing)


def test_texts_values_and_row_numbers(tmp_path, view_of):
    path = tmp_path / "t.csv"
    path.write_text("text,label,y_true\nfirst,a,a\nsecond,b,a\n")
    rows = view_of(path, {"reader": "text", "text": "text", "label": "label"})
    assert rows.row("1") == RowView(text="second")
    assert export_row(rows.row("1")) == {"text": "second"}
    assert rows.truth == {"0": "a", "1": "a"}
    assert rows.row("2").missing == "the data no longer contains this row"


def test_true_labels_have_the_notation_of_the_run(tmp_path, view_of):
    path = tmp_path / "t.csv"
    path.write_text("text,label,y_true\nfirst,3,3.0\nsecond,4,\nthird,4,3.0\n")
    spec = {"reader": "text", "text": "text", "label": "label", "classes": [3, 4]}
    assert view_of(path, spec).truth == {"0": "3", "2": "3"}


def test_true_labels_of_other_classes_are_not_changed(tmp_path, view_of):
    path = tmp_path / "t.csv"
    path.write_text("text,label,y_true\nfirst,3,5\nsecond,4,3.0\n")  # the data has changed since the training
    assert view_of(path, {"reader": "text", "text": "text", "classes": [3, 4]}).truth == {"0": "5", "1": "3.0"}


def test_arrays(tmp_path, view_of):
    x = np.arange(2 * 30, dtype=np.float32).reshape(2, 30)
    np.savez(tmp_path / "a.npz", X=x[[0, 0, 1, 1]], y=np.array([0, 0, 1, 1]), ids=np.array(list("abcd")))
    values = view_of(tmp_path / "a.npz", {"reader": "vectors"}).row("c").values
    assert values[0] == ("0", "30")
    assert values[-1] == ("…", "6 more")


def test_digits_are_pictures_and_have_true_labels_if_noise_was_added(make_run, tmp_path):
    for name, extra in (("clean", {}), ("noisy", {"noise": "symmetric", "noise_rate": 0.2})):
        spec, source = {"reader": "vectors", "width": 64}, {"data": {"source": "digits", **extra}}
        folder = make_run(tmp_path / name, ["1", "2"], source="digits", spec=spec, config=source)
        rows = open_data(runs.open_run(folder))
        assert len(rows.truth) == (1201 if extra else 0)
    row = next(iter(rows.truth))
    assert load_picture(rows.row(row), 100).size == (8, 8)


@pytest.mark.parametrize("data", [{"source": "made"}, None, {"source": 3}, {"source": ""}, 1])
def test_missing_data_is_reported_for_each_row(view_of, data):
    view = view_of("", {}, {"data": data}).row("a")
    assert not view.is_picture
    assert "--data" in str(view.missing)


def test_damaged_data_is_reported_for_each_row(tmp_path, view_of):
    (tmp_path / "a.npz").write_bytes(b"no arrays")
    assert "not a complete .npz file" in str(view_of(tmp_path / "a.npz", {}).row("a").missing)


def test_a_missing_standard_data_set(view_of, tmp_path):
    assert "MNIST" in str(view_of("mnist", {}, data_dir=str(tmp_path)).row("0").missing)


def test_a_tiny_thumbnail_is_exact_and_a_larger_one_is_compressed():
    noise = np.random.default_rng(0).integers(0, 255, (256, 256, 3), dtype=np.uint8)
    kind, content = compress(Image.fromarray(noise), 9000)
    assert kind == "image/jpeg"
    assert len(content) <= 9000
    kind, content = compress(Image.fromarray(noise[:28, :28]))
    assert kind == "image/png"
    assert compress(Image.new("L", (2000, 1)))[0] == "image/jpeg"
