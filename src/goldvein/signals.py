"""What one training run says about each given label, gathered epoch by epoch."""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
from torch import Tensor

MOST_CELLS = 2**28  # rows x classes: a gigabyte, above which no mean of the probabilities is kept


@dataclass
class Signals:
    """Running statistics of the labeled rows, kept on the processor.

    Attributes
    ----------
    y : Tensor of shape (N,), int64
        Given labels; rows of -1 have no signal.
    n_epochs : int
        Epochs seen.
    agreement : Tensor of shape (N,), int64
        Epochs after which the network predicted the given label.
    margin : Tensor of shape (N,), float32
        Sum over epochs of P(given) minus the largest other P, in [-1, 1] an epoch (after Pleiss et al. 2020,
        who take logits).
    believed : Tensor of shape (N, K), float32
        Sum over epochs of the probabilities, the t-th taken t times: a mean that leans to the end, when the network
        knows more, and yet remembers what it believed before it learned the labels by heart. (0, 0) before the
        first epoch, and where it would take more than a gigabyte.
    """

    y: Tensor
    n_epochs: int = 0
    agreement: Tensor = field(init=False)
    margin: Tensor = field(init=False)
    believed: Tensor = field(init=False)

    def __post_init__(self) -> None:
        n = len(self.y)
        self.agreement = torch.zeros(n, dtype=torch.int64)
        self.margin = torch.zeros(n)
        self.believed = torch.zeros(0, 0)

    def update(self, rows: Tensor, probs: Tensor) -> None:
        """Take in the probabilities (n, K) of labeled rows (n,) after an epoch."""
        y = self.y[rows]
        given = probs.gather(1, y[:, None])[:, 0]
        others = probs.scatter(1, y[:, None], -1.0)
        self.n_epochs += 1
        self.agreement[rows] += probs.argmax(1) == y
        self.margin[rows] += given - others.max(1).values
        if self.n_epochs == 1 and len(self.y) * probs.shape[1] <= MOST_CELLS:
            self.believed = torch.zeros(len(self.y), probs.shape[1])
        if len(self.believed):
            self.believed.index_add_(0, rows, probs.float(), alpha=self.n_epochs)

    def mean_probs(self) -> Tensor | None:
        """What the network believed on the way (N, K), rows without a label 0; None if it was not kept."""
        if not len(self.believed):
            return None
        return self.believed / (self.n_epochs * (self.n_epochs + 1) / 2)

    def state(self) -> dict:
        """What a checkpoint holds."""
        return {k: getattr(self, k) for k in ("n_epochs", "agreement", "margin", "believed")}

    def load(self, state: dict) -> None:
        """Take over what :meth:`state` gave."""
        for name, value in state.items():
            setattr(self, name, value)
