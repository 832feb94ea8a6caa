"""Every file of the three folders is found by its name."""

from __future__ import annotations

import pytest

from goldvein.config.names import ROOT, find, names
from goldvein.errors import InputError


@pytest.mark.parametrize("folder", ["methods", "models", "selectors"])
def test_every_file_is_a_name_and_holds_its_class(folder: str) -> None:
    files = {path.stem for path in (ROOT / folder).glob("[!_]*.py")}
    assert set(names(folder)) == files
    for name in files:
        found = find(folder, name)
        assert found.__name__.lower() == name.replace("_", "")
        assert found.__module__ == f"goldvein.{folder}.{name}"


def test_the_nearest_name_is_suggested() -> None:
    with pytest.raises(InputError, match="unknown method 'two_stag': did you mean 'two_stage'") as error:
        find("methods", "two_stag")
    assert all(name in str(error.value) for name in names("methods"))


def test_no_near_name_lists_the_known() -> None:
    with pytest.raises(InputError, match=r"unknown selector 'zzz': known: .*confidence"):
        find("selectors", "zzz")


def test_a_folder_without_such_a_file_is_not_imported() -> None:
    with pytest.raises(InputError):
        find("models", "__init__")


def test_a_class_that_is_not_named_like_its_file_is_bad_input(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr("goldvein.selectors.margin.Margin")
    with pytest.raises(InputError, match=r"selectors/margin.py has no class Margin: name the class like the file"):
        find("selectors", "margin")
