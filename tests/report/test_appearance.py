"""What there is to see of a row, for each kind of data, and what is said where there is nothing."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from goldvein import InputError, runs
from goldvein.report.appearance import Look, as_data, open_rows, picture
from goldvein.report.thumbnails import encode

IMAGES = {"reader": "images", "size": [32, 32], "channels": 3}


@pytest.fixture
def rows_of(make_run, tmp_path):
    def opened(source, spec, config=None, data_dir=None):
        folder = make_run(tmp_path / "run", ["a", "b"], source=str(source), spec=spec, config=config)
        return open_rows(runs.load(folder), None, data_dir)

    return opened


def test_a_picture_is_upright_and_keeps_its_shape(tmp_path, rows_of):
    (tmp_path / "cat").mkdir()
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned by 90 degrees
    Image.new("RGB", (400, 200), "red").save(tmp_path / "cat" / "1.jpg", exif=exif)
    look = rows_of(tmp_path, IMAGES).look("cat/1.jpg")
    assert picture(look, 100).size == (50, 100)
    assert as_data(look) == {"image": str(tmp_path / "cat" / "1.jpg")}
    with pytest.raises(InputError, match="no such file"):
        picture(Look(file=tmp_path / "cat" / "2.jpg"), 100)


@pytest.mark.parametrize("row", ["../secret.png", "/etc/passwd", "cat/../../secret.png", "", "a\0b"])
def test_an_id_does_not_lead_out_of_the_data(tmp_path, rows_of, row):
    look = rows_of(tmp_path, IMAGES).look(row)
    assert look.file is None
    assert look.missing


def test_a_table_s_path_does_not_lead_out_of_its_folder(tmp_path, rows_of):
    inner = tmp_path / "inner"
    inner.mkdir()
    Image.new("L", (9, 9)).save(tmp_path / "secret.png")
    (inner / "link.png").symlink_to(tmp_path / "secret.png")
    (inner / "t.csv").write_text("id,path,label\nx,link.png,a\ny,../secret.png,b\nz,own.png,a\n")
    rows = rows_of(inner / "t.csv", {**IMAGES, "path": "path"})
    assert rows.look("z").file == inner / "own.png"
    assert "leads out of the folder" in str(rows.look("x").missing)
    assert "leads out of the folder" in str(rows.look("y").missing)


def test_texts_values_and_row_numbers(tmp_path, rows_of):
    path = tmp_path / "t.csv"
    path.write_text("text,label,y_true\nfirst,a,a\nsecond,b,a\n")
    rows = rows_of(path, {"reader": "text", "text": "text", "label": "label"})
    assert rows.look("1") == Look(text="second")
    assert as_data(rows.look("1")) == {"text": "second"}
    assert rows.truth == {"0": "a", "1": "a"}
    assert rows.look("2").missing == "the data holds no such row any more"


def test_true_labels_are_written_as_the_run_writes_them(tmp_path, rows_of):
    path = tmp_path / "t.csv"
    path.write_text("text,label,y_true\nfirst,3,3.0\nsecond,4,\nthird,4,3.0\n")
    spec = {"reader": "text", "text": "text", "label": "label", "classes": [3, 4]}
    assert rows_of(path, spec).truth == {"0": "3", "2": "3"}


def test_true_labels_of_no_class_of_the_run_stay_as_they_are(tmp_path, rows_of):
    path = tmp_path / "t.csv"
    path.write_text("text,label,y_true\nfirst,3,5\nsecond,4,3.0\n")  # other data by now
    assert rows_of(path, {"reader": "text", "text": "text", "classes": [3, 4]}).truth == {"0": "5", "1": "3.0"}


def test_arrays(tmp_path, rows_of):
    x = np.arange(2 * 30, dtype=np.float32).reshape(2, 30)
    np.savez(tmp_path / "a.npz", X=x[[0, 0, 1, 1]], y=np.array([0, 0, 1, 1]), ids=np.array(list("abcd")))
    values = rows_of(tmp_path / "a.npz", {"reader": "vectors"}).look("c").values
    assert values[0] == ("0", "30")
    assert values[-1] == ("…", "6 more")


def test_digits_are_pictures_and_their_true_labels_known_once_noise_was_added(make_run, tmp_path):
    for name, extra in (("clean", {}), ("noisy", {"noise": "symmetric", "noise_rate": 0.2})):
        spec, source = {"reader": "vectors", "width": 64}, {"data": {"source": "digits", **extra}}
        folder = make_run(tmp_path / name, ["1", "2"], source="digits", spec=spec, config=source)
        rows = open_rows(runs.load(folder))
        assert len(rows.truth) == (1201 if extra else 0)
    row = next(iter(rows.truth))
    assert picture(rows.look(row), 100).size == (8, 8)


@pytest.mark.parametrize("data", [{"source": "made"}, None, {"source": 3}, {"source": ""}, 1])
def test_data_that_is_gone_is_told_for_each_row(rows_of, data):
    look = rows_of("", {}, {"data": data}).look("a")
    assert not look.is_picture
    assert "--data" in str(look.missing)


def test_data_that_is_damaged_or_of_another_kind_is_told(tmp_path, rows_of):
    (tmp_path / "a.npz").write_bytes(b"no arrays")
    assert "not a complete .npz file" in str(rows_of(tmp_path / "a.npz", {}).look("a").missing)


def test_a_standard_set_that_is_not_there(rows_of, tmp_path):
    assert "MNIST" in str(rows_of("mnist", {}, data_dir=str(tmp_path)).look("0").missing)


def test_a_thumbnail_is_exact_where_it_is_tiny_and_small_where_it_is_not():
    noise = np.random.default_rng(0).integers(0, 255, (256, 256, 3), dtype=np.uint8)
    kind, content = encode(Image.fromarray(noise), 9000)
    assert kind == "image/jpeg"
    assert len(content) <= 9000
    kind, content = encode(Image.fromarray(noise[:28, :28]))
    assert kind == "image/png"
    assert encode(Image.new("L", (2000, 1)))[0] == "image/jpeg"
