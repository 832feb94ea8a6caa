"""The plateau followed by hand, and recipes that mean nothing."""

from __future__ import annotations

import math
from functools import partial
from typing import Any

import pytest

from goldvein.errors import InputError
from goldvein.training.recipe import Plateau, Recipe, auto_epochs


def follow(recipe: Recipe, accuracies: list[float], rate: float = 1.0) -> list[float]:
    plateau, rates = Plateau(recipe), []
    for accuracy in accuracies:
        rate = plateau.step(accuracy, rate)
        rates.append(rate)
    return rates


def test_plateau_by_hand() -> None:
    recipe = Recipe(patience=2, factor=0.5, min_lr=0.2)
    # best, flat, flat: cut; a new best; flat, flat: cut; flat, flat: cut to the least; flat, flat: stays there
    accuracies = [0.5, 0.5, 0.4, 0.6, 0.6, 0.1, 0.2, 0.3, 0.3, 0.3]
    assert follow(recipe, accuracies) == [1, 1, 0.5, 0.5, 0.5, 0.25, 0.25, 0.2, 0.2, 0.2]


def test_plateau_without_validation_rows_moves_nothing() -> None:
    assert follow(Recipe(patience=1), [math.nan] * 5) == [1] * 5


@pytest.mark.parametrize("schedule", ["cosine", "steps", "constant"])
def test_other_schedules_have_no_plateau(schedule: str) -> None:
    assert follow(Recipe(patience=1, schedule=schedule), [0.5] * 5) == [1] * 5


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("optimizer", "lion"),
        ("schedule", "step"),
        ("keep", "first"),
        ("epochs", 0),
        ("batch_size", -1),
        ("lr", 0.0),
        ("lr", math.nan),
        ("patience", 0),
    ],
)
def test_recipes_that_mean_nothing(field: str, value: Any) -> None:
    with pytest.raises(InputError, match=f"{field}="):
        Recipe(**{field: value})


@pytest.mark.parametrize(("convolves", "least"), [(False, 5000), (True, 2000)])
@pytest.mark.parametrize("n_labeled", [7, 100])
def test_auto_epochs_make_the_updates_of_the_method(n_labeled: int, convolves: bool, least: int) -> None:
    """Batches of 128 rows, 64 with a label, or 7 of 3,000 rows with one."""
    epochs = partial(auto_epochs, n_labeled, 3000, 128, updates=5000, convolves=convolves)
    assert least <= epochs(over="labeled") * math.ceil(n_labeled / 64) <= least + 1
    assert least <= epochs(over="larger") * math.ceil((3000 - n_labeled) / 121) <= 1.1 * least
