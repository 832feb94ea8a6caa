"""What one training run says about each given label, gathered epoch by epoch."""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
from torch import Tensor

MOST_CELLS = 2**28  # rows x classes: a gigabyte, above which the probabilities of earlier epochs are not kept
MIN_WITNESSES = 100  # held-out labels
LEAST = 1e-6  # of a probability


@dataclass
class Signals:
    """Running statistics of the labeled rows, kept on the processor.

    Attributes
    ----------
    y : Tensor of shape (N,), int64
        Given labels; rows of -1 have no signal.
    held_out : Tensor of shape (N,), bool
        Rows that take no part in training: witnesses of what a network knows.
    n_epochs : int
        Epochs seen.
    agreement : Tensor of shape (N,), int64
        Epochs after which the network predicted the given label.
    believed : Tensor of shape (N, K), float32
        Probabilities of several epochs: each new epoch gets the share in the mixture that makes the held-out labels
        likeliest, or, with fewer than 100 of these, the same share as each before. So a network that gets better
        speaks for itself, and one that learns wrong labels by heart is not asked any more. (0, 0) before the first
        epoch, and where it would take more than a gigabyte; 0 for rows without a label.
    """

    y: Tensor
    held_out: Tensor
    n_epochs: int = 0
    agreement: Tensor = field(init=False)
    believed: Tensor = field(init=False)

    def __post_init__(self) -> None:
        n = len(self.y)
        self.agreement = torch.zeros(n, dtype=torch.int64)
        self.believed = torch.zeros(0, 0)

    def update(self, rows: Tensor, probs: Tensor) -> None:
        """Take in the probabilities (n, K) of labeled rows (n,) after an epoch."""
        y = self.y[rows]
        self.n_epochs += 1
        self.agreement[rows] += probs.argmax(1) == y
        if self.n_epochs == 1 and len(self.y) * probs.shape[1] <= MOST_CELLS:
            self.believed = torch.zeros(len(self.y), probs.shape[1])
        self.believe(rows, probs, 1 / self.n_epochs)

    def conclude(self, probs: Tensor) -> Tensor:
        """Final probabilities (N, K), those of labeled rows mixed with what was believed on the way."""
        rows = (self.y >= 0).nonzero()[:, 0]
        self.believe(rows, probs[rows], 1 / (self.n_epochs + 1))
        return probs.index_copy(0, rows, self.believed[rows]) if len(self.believed) else probs

    def believe(self, rows: Tensor, probs: Tensor, share: float) -> None:
        """Mix probabilities (n, K) of rows (n,) into what is believed; ``share`` is theirs where none can tell."""
        if len(self.believed):
            share = self._share(rows, probs, share)
            self.believed[rows] = self.believed[rows].lerp(probs.float(), share)

    def _share(self, rows: Tensor, probs: Tensor, otherwise: float) -> float:
        witness = self.held_out[rows]
        if witness.sum() < MIN_WITNESSES:
            return otherwise
        rows = rows[witness]
        y = self.y[rows, None]
        return likeliest_share(self.believed[rows].gather(1, y)[:, 0], probs[witness].gather(1, y)[:, 0])

    def state(self) -> dict:
        """What a checkpoint holds."""
        return {k: getattr(self, k) for k in ("n_epochs", "agreement", "believed")}

    def load(self, state: dict) -> None:
        """Take over what :meth:`state` gave."""
        for name, value in state.items():
            setattr(self, name, value)


def likeliest_share(old: Tensor, new: Tensor) -> float:
    """The a in [0, 1] for which ``sum log((1 - a) old + a new)`` is largest, to a millionth.

    Parameters
    ----------
    old, new : Tensor of shape (n,)
        Probabilities of the same n events by two models.

    Examples
    --------
    >>> likeliest_share(torch.tensor([0.2, 0.8]), torch.tensor([0.6, 0.7]))
    1.0
    >>> round(likeliest_share(torch.tensor([0.1, 0.9]), torch.tensor([0.9, 0.1])), 4)
    0.5
    """
    old, step = old.double(), new.double() - old.double()

    def gains(a: float) -> bool:  # whether more of the new helps
        return float((step / (old + a * step).clamp(min=LEAST)).sum()) > 0

    low, high = 0.0, 1.0
    if gains(high):
        return high
    for _ in range(20):
        middle = (low + high) / 2
        low, high = (middle, high) if gains(middle) else (low, middle)
    return low
