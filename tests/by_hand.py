"""What tests of formulas share."""

from __future__ import annotations

from torch import Tensor

from goldvein.training.run import reduce
from goldvein.training.task import Terms


def reduced(terms: Terms) -> dict[str, Tensor]:
    """The terms of a loss as numbers, as a run takes them."""
    return {name: reduce(term) for name, term in terms.items()}
