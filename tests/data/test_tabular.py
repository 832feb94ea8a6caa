import json

import numpy as np
import pytest

from goldvein.data import tabular
from goldvein.data.tabular import apply_plan, plan_columns
from goldvein.errors import InputError


def column(*cells):
    return np.array(cells, dtype=object)


TRAIN = {
    "age": column("1", "", "5", "30"),
    "size": np.array([0.5, 1.5, 2.5, 3.5]),
    "color": column("red", "blue", "red", " blue "),
    "code": column("k1", "k2", "k3", "k4"),
    "nothing": column("", "NA", "", "?"),
}


def test_a_plan_by_hand():
    plan = plan_columns(TRAIN, list(TRAIN))
    assert plan == [
        {"name": "age", "median": 5.0, "blanks": True},
        {"name": "size", "median": 2.0, "blanks": False},
        {"name": "color", "categories": ["blue", "red"]},
    ]
    x = apply_plan(TRAIN, json.loads(json.dumps(plan)))
    assert x.dtype == np.float32
    assert x.tolist() == [[1, 0, 0.5, 0, 1], [5, 1, 1.5, 1, 0], [5, 0, 2.5, 0, 1], [30, 0, 3.5, 1, 0]]


def test_new_rows_get_the_columns_of_the_old_ones():
    plan = plan_columns(TRAIN, list(TRAIN))
    new = {
        "color": column("green", ""),
        "size": column("", "7"),
        "age": np.array([2, 3]),
        "more": column("a", "b"),
    }
    assert apply_plan(new, plan).tolist() == [[2, 0, 2.0, 0, 0], [3, 0, 7, 0, 0]]


def test_categories_are_capped_at_the_most_frequent(monkeypatch):
    monkeypatch.setattr(tabular, "MAX_CATEGORIES", 2)
    cells = column("a", "a", "b", "b", "b", "c", "c", "once")
    assert plan_columns({"c": cells}, ["c"]) == [{"name": "c", "categories": ["a", "b"]}]


@pytest.mark.parametrize(
    ("new", "message"),
    [
        ({"color": column("red")}, "column 'age' is missing; the model was trained on the columns age, size"),
        ({"age": column("3", "old"), "size": column("1", "1")}, "column 'age' holds 'old' in row 1"),
        ({"age": column("3", "inf"), "size": column("1", "1")}, "column 'age' holds inf in row 1"),
        ({"age": column("1e39"), "size": column("1")}, r"column 'age' holds 1e\+39 in row 0"),
    ],
)
def test_cells_that_do_not_fit_the_plan(new, message):
    plan = plan_columns(TRAIN, ["age", "size"])
    with pytest.raises(InputError, match=message):
        apply_plan(new, plan)


@pytest.mark.parametrize(
    ("cells", "note"),
    [
        (["1", "2", "1", "k. A."], "has 1 cell that is not a number ('k. A.' in row 3), so it is read as categories"),
        (["", "x", "1", "2", "2", "x", "3"], "has 2 cells that are not numbers ('x' in row 1)"),
        (
            ["1,5", "2,5", "1,5", "3,5", "7,5", "8,5"],
            "has 5 different values, of which only the 1 most",
        ),
        (["red", "blue", "red", "1", "blue", ""], None),
        (["1", "2", "", "4"], None),
    ],
)
def test_what_may_surprise_of_a_column_is_noted(cells, note):
    (step,) = plan_columns({"c": np.array(cells, dtype=object)}, ["c"])
    assert (note is None) == ("note" not in step)
    assert note is None or note in step["note"]
