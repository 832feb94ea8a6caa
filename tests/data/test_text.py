import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from goldvein.data import text
from goldvein.data.text import apply_text, looks_like_text, plan_text
from goldvein.errors import InputError


def test_tfidf_by_hand():
    texts = ["cat cat dog", "dog"]
    plan = plan_text(texts)
    assert plan["vocabulary"] == ["cat", "dog"]
    once, both = np.log(3 / 2) + 1, np.log(3 / 3) + 1
    np.testing.assert_allclose(plan["idf"], [once, both], rtol=1e-6)
    row = np.array([(1 + np.log(2)) * once, both])
    expected = np.stack([row / np.linalg.norm(row), [0, 1]])
    np.testing.assert_allclose(apply_text(texts, plan), expected, rtol=1e-6)


def test_words_end_at_spaces_and_punctuation_alone():
    texts = ["Ilé-ẹ̀kọ́, (ilé)!", "हिन्दी में।", "«Tea» — a 2go… don't", "你好，世界！"]
    assert plan_text(texts)["vocabulary"] == ["2go", "don", "eko", "ile", "tea", "में", "हिनदी", "世界", "你好"]


def test_a_plan_through_json_gives_identical_columns():
    texts = ["Ilé ẹ̀kọ́ gíga", "čaj a káva, prosím", "tea AND coffee", "coffee 2 go", ""]
    plan = plan_text(texts)
    again = apply_text(texts, json.loads(json.dumps(plan)))
    assert again.dtype == np.float32
    assert np.array_equal(again, apply_text(texts, plan))


@settings(max_examples=25)
@given(st.lists(st.text("ab c", max_size=12), min_size=1))
def test_rows_have_length_one_or_zero(texts):
    plan = plan_text(["aa bb", "cc aa"])
    length = np.linalg.norm(apply_text(texts, plan), axis=1)
    assert np.all((length == 0) | np.isclose(length, 1, atol=1e-6))


def test_terms_are_capped(monkeypatch):
    monkeypatch.setattr(text, "MAX_TERMS", 1)
    assert plan_text(["red cat", "red dog"])["vocabulary"] == ["red"]
    monkeypatch.setattr(text, "MAX_TERMS", 5000)
    monkeypatch.setattr(text, "MAX_BYTES", 2 * 4 * 2)  # two texts of two float32
    assert len(plan_text(["red cat", "red dog"])["vocabulary"]) == 2


def test_texts_without_words_are_refused():
    with pytest.raises(InputError, match="the 2 texts contain no word"):
        plan_text(["", "! a"])


@pytest.mark.parametrize(
    ("cells", "expected"),
    [
        (["the cat sat", "a dog ran off"], True),
        (["the cat sat", "", "word"], True),
        (["one", "two", "three words here"], False),
        (["New York"] * 3 + ["Los Angeles"], False),
        (["2020-01-01 10:00", "2020-01-02 10:00"], False),
        (["", ""], False),
    ],
)
def test_what_looks_like_text(cells, expected):
    assert looks_like_text(cells) is expected
