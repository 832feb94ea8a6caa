"""What one training run says about each given label, gathered epoch by epoch."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from goldvein.noise.held_out import likeliest_share

MOST_CELLS = 2**28  # rows x classes: a gigabyte, above which the probabilities of earlier epochs are not kept
MIN_HELD_OUT = 100  # labels
LEAST = 1e-6  # of a probability


@dataclass
class Signals:
    """Running statistics of the labeled rows, kept on the processor.

    Attributes
    ----------
    y : Tensor of shape (N,), int64
        Given labels; rows of -1 have no signal.
    held_out : Tensor of shape (N,), bool
        Rows that take no part in training.
    n_epochs : int
        Epochs seen.
    agreement : Tensor of shape (N,), int64
        Epochs after which the network predicted the given label.
    margins : Tensor of shape (N,), float32
        Sum over the epochs of the probability of the given label minus the largest other.
    mixture : Tensor of shape (N, K), float32
        Probabilities of several epochs: each new epoch gets the share that makes the held-out labels likeliest, or,
        with fewer than 100 of these, the same share as each before. So a network that gets better speaks for itself,
        and one that memorizes wrong labels no longer counts. (0, 0) before the first epoch, and where it would
        take more than a gigabyte; 0 for rows without a label.
    """

    y: Tensor
    held_out: Tensor
    n_epochs: int = 0
    agreement: Tensor = field(init=False)
    margins: Tensor = field(init=False)
    mixture: Tensor = field(init=False)

    def __post_init__(self) -> None:
        n = len(self.y)
        self.agreement = torch.zeros(n, dtype=torch.int64)
        self.margins = torch.zeros(n)
        self.mixture = torch.zeros(0, 0)

    def update(self, rows: Tensor, probs: Tensor) -> None:
        """Take in the probabilities (n, K) of labeled rows (n,) after an epoch."""
        y = self.y[rows]
        self.n_epochs += 1
        self.agreement[rows] += probs.argmax(1) == y
        self.margins[rows] += margins(probs, y)
        if self.n_epochs == 1 and len(self.y) * probs.shape[1] <= MOST_CELLS:
            self.mixture = torch.zeros(len(self.y), probs.shape[1])
        self.mix(rows, probs, 1 / self.n_epochs)

    def conclude(self, probs: Tensor) -> Tensor:
        """Final probabilities (N, K), those of labeled rows mixed with the ones of earlier epochs."""
        rows = (self.y >= 0).nonzero()[:, 0]
        self.mix(rows, probs[rows], 1 / (self.n_epochs + 1))
        return probs.index_copy(0, rows, self.mixture[rows]) if len(self.mixture) else probs

    def of_one_run(self) -> dict[str, Tensor]:
        """``agreement`` and ``margins`` as means over the epochs, (N,) each."""
        n = max(self.n_epochs, 1)
        return {"agreement": self.agreement / n, "margins": self.margins / n}

    def mix(self, rows: Tensor, probs: Tensor, share: float) -> None:
        """Mix probabilities (n, K) of rows (n,) in; ``share`` is theirs where too few labels are held out to decide."""
        if len(self.mixture):
            share = self._likeliest(rows, probs, share)
            self.mixture[rows] = self.mixture[rows].lerp(probs.float(), share)

    def _likeliest(self, rows: Tensor, probs: Tensor, otherwise: float) -> float:
        held_out = self.held_out[rows]
        if held_out.sum() < MIN_HELD_OUT:
            return otherwise
        rows = rows[held_out]
        y = self.y[rows, None]
        old, new = self.mixture[rows].gather(1, y)[:, 0], probs[held_out].gather(1, y)[:, 0]
        return likeliest_share(old.numpy(force=True), new.numpy(force=True))

    def state(self) -> dict[str, Any]:
        """What a checkpoint holds."""
        return {k: getattr(self, k) for k in ("n_epochs", "agreement", "margins", "mixture")}

    def restore(self, state: dict[str, Any]) -> None:
        """Take over what :meth:`state` gave."""
        for name, value in state.items():
            setattr(self, name, value)


def margins(probs: Tensor, y: Tensor) -> Tensor:
    """Probability of the label minus the largest other, (n, K), (n,) -> (n,).

    Examples
    --------
    >>> margins(torch.tensor([[0.7, 0.2, 0.1], [0.7, 0.2, 0.1]]), torch.tensor([0, 2]))
    tensor([ 0.5000, -0.6000])
    """
    label = y[:, None]
    return (probs.gather(1, label)[:, 0] - probs.scatter(1, label, -1.0).amax(1)).float()
