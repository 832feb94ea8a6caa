"""What tests of formulas share."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from goldvein.training import distributed
from goldvein.training.run import reduce
from goldvein.training.task import Terms


def reduced(terms: Terms) -> dict[str, Tensor]:
    """The terms of a loss as numbers, as a run takes them."""
    return {name: reduce(term) for name, term in terms.items()}


class Alone:
    """What a formula needs of a run: one process, and a batch that is the whole batch."""

    reduce = staticmethod(reduce)
    average = staticmethod(distributed.average)
    log_mean = staticmethod(distributed.log_mean)


ALONE: Any = Alone()
