import json

import numpy as np
import pytest
from PIL import Image

from goldvein.data.read import read_data
from goldvein.errors import InputError


@pytest.fixture
def files(tmp_path):
    """The same two classes in every form that can be read."""
    x = np.repeat(np.array([0, 10, 200, 250], dtype=np.uint8), 64).reshape(4, 8, 8)
    for name, image in zip(["a/1.png", "a/2.png", "b/1.png", "b/2.png"], x, strict=True):
        path = tmp_path / "folder" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image).save(path)
    paths = ["folder/a/1.png", "folder/a/2.png", "folder/b/1.png", "folder/b/2.png"]
    rows = [f"{path},{path[7]}" for path in paths]
    (tmp_path / "paths.csv").write_text("\n".join(["path,label", *rows]))
    (tmp_path / "numbers.csv").write_text("n,label\n1,a\n2,a\n3,b\n4,b\n")
    np.savez(tmp_path / "images.npz", X=x, y=np.array(list("aabb")))
    np.savez(tmp_path / "vectors.npz", X=x.reshape(4, 64), y=np.array(list("aabb")))
    return tmp_path


def test_every_form_is_found_by_its_path(files):
    for name, reader in {
        "folder": "images",
        "paths.csv": "images",
        "numbers.csv": "table",
        "images.npz": "images",
        "vectors.npz": "vectors",
    }.items():
        data = read_data(str(files / name))
        assert data.spec["reader"] == reader
        assert data.name == str(files / name)
        assert (data.y.tolist(), data.classes) == ([0, 0, 1, 1], ("a", "b"))
        assert data.spec["classes"] == ["a", "b"]


def test_images_are_the_same_wherever_they_come_from(files):
    sources = [files / name for name in ("folder", "paths.csv", "images.npz")]
    first = read_data(sources[0])
    for trained_on in sources:
        spec = json.loads(json.dumps(read_data(trained_on).spec))
        for source in sources:
            data = read_data(source, spec=spec)
            assert np.array_equal(data.x, first.x)
            assert data.y.tolist() == [0, 0, 1, 1]


def test_data_of_another_kind_than_the_model_knows(files):
    with pytest.raises(InputError, match="holds images or vectors, but the model was trained on 'table'"):
        read_data(files / "vectors.npz", spec=read_data(files / "numbers.csv").spec)
    with pytest.raises(InputError, match="holds images, but the model was trained on 'vectors'"):
        read_data(files / "folder", spec=read_data(files / "vectors.npz").spec)


@pytest.mark.parametrize("name", ["gone.csv", "gone", "notes.txt"])
def test_other_paths_are_refused_with_what_is_accepted(files, name):
    (files / "notes.txt").write_text("hello")
    with pytest.raises(InputError, match=rf"{name} .*; give a folder of images, or a file ending in \.csv"):
        read_data(files / name)


def test_arguments_that_do_not_apply(files):
    with pytest.raises(InputError, match="label='x': only tables have a label column"):
        read_data(files / "folder", label="x")
    with pytest.raises(InputError, match=r"image_size=9: .* holds arrays"):
        read_data(files / "images.npz", image_size=9)


def test_options_reach_the_images(files):
    (files / "folder" / "a" / "3.png").write_bytes(b"")
    with pytest.raises(InputError, match=r"3\.png: it is empty"):
        read_data(files / "folder")
    data = read_data(files / "folder", image_size=16, skip_bad=True, progress=True, workers=1)
    assert data.x.shape == (4, 1, 16, 16)
    assert data.skipped == ((str(files / "folder" / "a" / "3.png"), "it is empty"),)
