import csv
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from goldvein.data.columns import as_numbers, as_text, read_columns
from goldvein.errors import InputError


def write(path, content, encoding="utf-8"):
    path.write_bytes(content.encode(encoding))
    return path


def cells(path):
    return {name: column.tolist() for name, column in read_columns(path).items()}


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("comma.csv", "a,b\nx,1\n,2\n"),
        ("semicolon.csv", "a;b\r\nx;1\r\n;2\r\n"),
        ("tab.csv", "a\tb\nx\t1\n\t2"),
        ("tab.tsv", "a\tb\nx\t1\n\t2\n"),
        ("mark.csv", "\ufeffa,b\nx,1\n\n,2\n"),
        ("quoted.csv", '"a", "b"\n"x","1"\n"","2"\n'),
    ],
)
def test_dialects_give_the_same_cells(tmp_path, name, content):
    assert cells(write(tmp_path / name, content)) == {"a": ["x", ""], "b": ["1", "2"]}


def test_quotes_newlines_and_unicode_stay_inside_their_cell(tmp_path):
    path = write(tmp_path / "a.csv", 'text,label\n"say ""hi"", then\nleave; ok",猫\n"a,b",NA\n')
    assert cells(path) == {"text": ['say "hi", then\nleave; ok', "a,b"], "label": ["猫", "NA"]}


@given(st.lists(st.tuples(*[st.text(st.characters(exclude_categories=["Cs"]), max_size=8)] * 2), min_size=1))
def test_what_the_csv_module_writes_comes_back(tmp_path_factory, rows):
    path = tmp_path_factory.mktemp("csv") / "a.csv"
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file, quoting=csv.QUOTE_ALL).writerows([("a", "b"), *rows])
    assert list(zip(*cells(path).values(), strict=True)) == rows


def test_a_cell_may_be_longer_than_the_csv_module_allows(tmp_path):
    limit = csv.field_size_limit()
    path = write(tmp_path / "a.csv", "text,label\n" + "x" * (limit + 1) + ",a\n")
    assert len(cells(path)["text"][0]) == limit + 1
    assert csv.field_size_limit() == limit


def test_tsv_with_stray_quotes_is_read_without_quoting(tmp_path):
    path = write(tmp_path / "a.tsv", 'title\tlabel\n"Free" money\ta\n5" disk\tb\n')
    assert cells(path) == {"title": ['"Free" money', '5" disk'], "label": ["a", "b"]}


def test_decimal_commas_where_cells_are_split_by_semicolons(tmp_path):
    path = write(tmp_path / "a.csv", "n;t;c\n1,5;1,x;1,5\n-2;b;\n;c;NA\n")
    got = read_columns(path)
    assert as_numbers(got["n"])[:2].tolist() == [1.5, -2.0]
    assert got["t"].tolist() == ["1,x", "b", "c"]
    assert as_numbers(got["c"])[0] == 1.5


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "holds no rows"),
        ("a,b\n", "holds no rows"),
        ("a,b,a\n1,2,3\n", "2 columns named 'a'"),
        ("a,b\n1,2\n1,2,3\n", "3 cells in line 3, 2 in its header"),
        ("a,b\n1\n", "1 cells in line 2, 2 in its header"),
        ('a,b\n"1"x,2\n', "badly quoted"),
        ('a,b\n"1,2\n3,4\n', "badly quoted"),
    ],
)
def test_broken_csv_is_refused(tmp_path, content, message):
    with pytest.raises(InputError, match=message):
        read_columns(write(tmp_path / "a.csv", content))


def test_another_encoding_is_refused(tmp_path):
    with pytest.raises(InputError, match=r"not UTF-8 \(byte 10\)"):
        read_columns(write(tmp_path / "a.csv", "label,x\ncaf\xe9,1\n".replace("caf", "ca"), "latin-1"))


@pytest.mark.parametrize("cell", ["1_2", "0x10", "١", "1,5", "abc", "1 2", "e5", "."])
def test_what_is_no_number(cell):
    assert as_numbers(np.array(["1", cell], dtype=object)) is None


def test_numbers_and_their_blanks():
    column = np.array([" 1", "-2.", ".5", "+1e-3", "", "?", "nan", "N/A", "inf"], dtype=object)
    expected = [1, -2, 0.5, 0.001, np.nan, np.nan, np.nan, np.nan, np.inf]
    np.testing.assert_array_equal(as_numbers(column), expected)


def test_parquet_columns_of_every_kind(tmp_path):
    pd = pytest.importorskip("pandas")
    pytest.importorskip("pyarrow")
    frame = pd.DataFrame(
        {
            "big": np.array([2**60 + 1, 3]),
            "float": [0.5, np.nan],
            "holes": pd.array([2**60 + 1, None], dtype="Int64"),
            "yes": [True, False],
            "text": ["猫", None],
            "kind": pd.Categorical(["a", None]),
            "day": pd.to_datetime(["2020-01-02", None]),
        }
    )
    frame.to_parquet(tmp_path / "a.parquet")
    texts = {name: as_text(column) for name, column in read_columns(tmp_path / "a.parquet").items()}
    assert texts.pop("day")[0].startswith("2020-01-02")
    assert texts == {
        "big": ["1152921504606846977", "3"],
        "float": ["0.5", ""],
        "holes": ["1152921504606846977", ""],
        "yes": ["True", "False"],
        "text": ["猫", ""],
        "kind": ["a", ""],
    }


def test_parquet_that_cannot_be_used(tmp_path, monkeypatch):
    pd = pytest.importorskip("pandas")
    pyarrow = pytest.importorskip("pyarrow")
    pd.DataFrame({"a": [[1, 2], [3]]}).to_parquet(tmp_path / "lists.parquet")
    with pytest.raises(InputError, match=r"column 'a' of .* holds list<.*>, not text or numbers"):
        read_columns(tmp_path / "lists.parquet")
    (tmp_path / "cut.parquet").write_bytes((tmp_path / "lists.parquet").read_bytes()[:-9])
    with pytest.raises(InputError, match="not a complete Parquet file"):
        read_columns(tmp_path / "cut.parquet")
    twice = pyarrow.table([pyarrow.array([1]), pyarrow.array([2])], names=["a", "a"])
    pyarrow.parquet.write_table(twice, tmp_path / "twice.parquet")
    with pytest.raises(InputError, match="2 columns named 'a'"):
        read_columns(tmp_path / "twice.parquet")
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(InputError, match=r"pip install 'goldvein\[parquet\]'"):
        read_columns(tmp_path / "lists.parquet")
