import json
import os

import numpy as np
import pytest
from PIL import Image

from goldvein.data.images import Decoding
from goldvein.data.table import read_table
from goldvein.errors import InputError

HOW = Decoding()
NUMBERS = "x,color,label\n1,red,a\n2,blue,b\n3,red,a\n,blue,b\n5,red,\n"
TEXTS = "title,label\nfree money now,spam\ngood morning all,ham\nmore free money,spam\nsee you all,ham\n"


def write(folder, content, name="a.csv"):
    path = folder / name
    path.write_text(content, encoding="utf-8")
    return path


@pytest.fixture
def pictures(tmp_path):
    for i, color in enumerate([(255, 0, 0), (0, 255, 0), (0, 0, 255), (9, 9, 9)]):
        (tmp_path / "img").mkdir(exist_ok=True)
        Image.new("RGB", (12, 10), color).save(tmp_path / "img" / f"{i}.png")
    rows = [f"img/{i}.png,{'aabb'[i]}" for i in range(4)]
    return write(tmp_path, "\n".join(["file,label", *rows]))


def test_numbers_and_categories(tmp_path):
    data = read_table(write(tmp_path, NUMBERS), None, HOW)
    assert data.kind == "vector"
    assert data.x.tolist() == [[1, 0, 0, 1], [2, 0, 1, 0], [3, 0, 0, 1], [2.5, 1, 1, 0], [5, 0, 0, 1]]
    assert (data.y.tolist(), data.classes) == ([0, 1, 0, 1, -1], ("a", "b"))
    assert data.ids.tolist() == ["0", "1", "2", "3", "4"]
    assert (data.trusted, data.y_true, data.skipped) == (None, None, ())


def test_texts(tmp_path):
    data = read_table(write(tmp_path, TEXTS), None, HOW)
    assert (data.spec["reader"], data.spec["text"]) == ("text", "title")
    assert data.x.shape == (4, len(data.spec["vocabulary"]))
    assert data.x[:, data.spec["vocabulary"].index("free")].astype(bool).tolist() == [
        True,
        False,
        True,
        False,
    ]


def test_images_by_path(pictures):
    data = read_table(pictures, None, HOW)
    assert data.kind == "image"
    assert data.x.shape == (4, 3, 10, 12)
    assert data.x[:, :, 0, 0].tolist() == [[255, 0, 0], [0, 255, 0], [0, 0, 255], [9, 9, 9]]
    assert data.y.tolist() == [0, 0, 1, 1]


@pytest.mark.parametrize("content", [NUMBERS, TEXTS], ids=["numbers", "texts"])
def test_the_same_file_gives_the_same_columns(tmp_path, content):
    path = write(tmp_path, content)
    first = read_table(path, None, HOW)
    again = read_table(path, None, HOW, json.loads(json.dumps(first.spec)))
    assert np.array_equal(first.x, again.x)
    assert np.array_equal(first.y, again.y)
    assert first.classes == again.classes


def test_new_rows_need_no_label(tmp_path, pictures):
    spec = json.loads(json.dumps(read_table(write(tmp_path, NUMBERS), None, HOW).spec))
    data = read_table(write(tmp_path, "color,x\ngreen,\nred,8\n"), None, HOW, spec)
    assert data.x.tolist() == [[2.5, 1, 0, 0], [8, 0, 0, 1]]
    assert data.y.tolist() == [-1, -1]
    with pytest.raises(InputError, match="label 'c' of row 0 is not one of the classes"):
        read_table(write(tmp_path, "color,x,label\nred,1,c\n"), None, HOW, spec)

    spec = read_table(write(tmp_path, TEXTS), None, HOW).spec
    assert read_table(write(tmp_path, "title\nfree money\n"), None, HOW, spec).x.shape[0] == 1
    with pytest.raises(InputError, match="lacks column 'title', which the model needs; it has body"):
        read_table(write(tmp_path, "body\nfree money\n"), None, HOW, spec)

    spec = {"reader": "images", "size": [5, 5], "channels": 1, "classes": ["a", "b"]}
    assert read_table(write(tmp_path, "image\nimg/3.png\n"), None, HOW, spec).x.tolist() == [[[[9] * 5] * 5]]
    with pytest.raises(InputError, match="lacks a column of image files named path or file"):
        read_table(write(tmp_path, "x\n1\n"), None, HOW, spec)


@pytest.mark.parametrize("name", ["label", "y", "Target", "CLASS"])
def test_the_usual_names_of_a_label_column(tmp_path, name):
    data = read_table(write(tmp_path, NUMBERS.replace("label", name)), None, HOW)
    assert data.spec["label"] == name


def test_the_label_column_by_argument(tmp_path):
    path = write(tmp_path, NUMBERS.replace("label", "species"))
    assert read_table(path, "species", HOW).classes == ("a", "b")
    with pytest.raises(InputError, match="has the columns x, color, species; name the one that holds the labels"):
        read_table(path, None, HOW)
    with pytest.raises(InputError, match="unknown column 'specie': did you mean 'species'"):
        read_table(path, "specie", HOW)


def test_marks_of_missing_values_are_labels(tmp_path):
    content = "x,label\n1,NA\n2,None\n3,NA\n4,None\n5,\n6, \n"
    data = read_table(write(tmp_path, content), None, HOW)
    assert data.classes == ("NA", "None")
    assert data.y.tolist() == [0, 1, 0, 1, -1, -1]


def test_integer_labels_and_the_other_columns(tmp_path):
    content = "ID,x,label,trusted,y_true\na,1,10,yes,10\nb,2,10,no,9\nc,3,9,TRUE,9\nd,4,9,,9\ne,5,,0,10\n"
    data = read_table(write(tmp_path, content), None, HOW)
    assert data.classes == (9, 10)
    assert data.y.tolist() == [1, 1, 0, 0, -1]
    assert data.ids.tolist() == list("abcde")
    assert data.trusted.tolist() == [True, False, True, False, False]
    assert data.y_true.tolist() == [1, 0, 0, 0, 1]
    assert data.x.tolist() == [[1], [2], [3], [4], [5]]


def test_a_column_that_is_the_label_has_no_other_role(tmp_path):
    content = "x,id\n1,a\n2,a\n3,b\n4,b\n"
    data = read_table(write(tmp_path, content), "id", HOW)
    assert (data.classes, data.ids.tolist()) == (("a", "b"), ["0", "1", "2", "3"])


def test_row_numbers_of_pandas_are_no_input(tmp_path):
    content = ",x,label\n0,5,a\n1,6,a\n2,7,b\n3,8,b\n"
    assert read_table(write(tmp_path, content), None, HOW).x.tolist() == [[5], [6], [7], [8]]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("x,label\n1,\n2,\n", "holds no label"),
        ("x,label\n1,a\n2,a\n", "every label is 'a'"),
        ("x,label\n1,cat\n2,dog\n3,dog\n", "class 'cat' has 1 label; each class needs at least 2"),
        ("id,x,label\nr,1,a\nr,2,a\ns,3,b\nt,4,b\n", "id 'r' occurs 2 times"),
        ("id,x,label\nr,1,a\n,2,a\ns,3,b\nt,4,b\n", "id of row 1 is blank"),
        ("x,trusted,label\n1,maybe,a\n2,,a\n3,,b\n4,,b\n", "trusted holds 'maybe' in row 0"),
        ("x,trusted,label\n1,,a\n2,,a\n3,,b\n4,,b\n5,1,\n", "row 4 is trusted but has no label"),
        ("x,y_true,label\n1,c,a\n2,,a\n3,,b\n4,,b\n", "y_true label 'c' of row 0 is not one of the classes"),
        ("key,label\nq,a\nr,a\ns,b\nt,b\n", "no column to learn from"),
        ("label\na\na\nb\nb\n", "no column to learn from"),
        ("x,label\n1,a\ninf,a\n3,b\n4,b\n", "column 'x' holds inf in row 1"),
        (
            TEXTS.replace("title", "n,title").replace("\n", "\n1,").removesuffix("1,"),
            r"has texts \(title\) among the columns n, title; rename the one",
        ),
    ],
)
def test_tables_that_cannot_be_learned_from(tmp_path, content, message):
    with pytest.raises(InputError, match=message):
        read_table(write(tmp_path, content), None, HOW)


def test_a_column_named_text_wins_over_others(tmp_path):
    content = "n,Text,label\n1,free money,a\n2,good day,b\n3,free lunch,a\n4,good night,b\n"
    assert read_table(write(tmp_path, content), None, HOW).spec["text"] == "Text"


def test_image_size_needs_images(tmp_path, pictures):
    assert read_table(pictures, None, Decoding(image_size=6)).x.shape == (4, 3, 6, 6)
    with pytest.raises(InputError, match=r"image_size=6: .* holds no images"):
        read_table(write(tmp_path, NUMBERS, "b.csv"), None, Decoding(image_size=6))


@pytest.mark.parametrize(
    "cell", ["../secret.png", "/etc/secret.png", "img/../../secret.png", "link.png", "far/secret.png"]
)
def test_a_path_that_leaves_the_folder_is_refused(tmp_path, cell):
    if os.name != "posix":
        pytest.skip("needs symbolic links")
    home = tmp_path / "home"
    (home / "img").mkdir(parents=True)
    Image.new("L", (8, 8)).save(tmp_path / "secret.png")
    (home / "link.png").symlink_to(tmp_path / "secret.png")
    (home / "far").symlink_to(tmp_path)
    rows = "".join(f"{cell},{label}\n" for label in "aabb")
    with pytest.raises(InputError, match=r"path '.*\.png' of row 0 leads out of .*home"):
        read_table(write(home, "path,label\n" + rows), None, Decoding(skip_bad=True))


def test_a_folder_that_is_a_link_itself_is_fine(tmp_path, pictures):
    (tmp_path / "alias").symlink_to(pictures.parent)
    assert len(read_table(tmp_path / "alias" / pictures.name, None, HOW).x) == 4


def test_missing_and_skipped_images_keep_rows_together(pictures):
    content = pictures.read_text() + "\nimg/gone.png,a\nimg/2.png,b\n"
    path = write(pictures.parent, content)
    with pytest.raises(InputError, match=r"gone\.png: no such file"):
        read_table(path, None, HOW)
    data = read_table(path, None, Decoding(skip_bad=True))
    assert data.ids.tolist() == ["0", "1", "2", "3", "5"]
    assert data.y.tolist() == [0, 0, 1, 1, 1]
    assert np.array_equal(data.x[4], data.x[2])
    assert data.skipped[0][1] == "no such file"
    with pytest.raises(InputError, match="the path of row 4 is ''"):
        read_table(write(pictures.parent, content.replace("img/gone.png", "")), None, HOW)


def test_parquet_and_csv_agree(tmp_path):
    pd = pytest.importorskip("pandas")
    pytest.importorskip("pyarrow")
    path = write(tmp_path, NUMBERS)
    pd.read_csv(path).to_parquet(tmp_path / "a.parquet")
    from_csv, from_parquet = read_table(path, None, HOW), read_table(tmp_path / "a.parquet", None, HOW)
    assert np.array_equal(from_csv.x, from_parquet.x)
    assert np.array_equal(from_csv.y, from_parquet.y)
    assert from_csv.spec == from_parquet.spec
