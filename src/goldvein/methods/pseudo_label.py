"""Pseudo-label (Lee 2013, ICML Workshop on Challenges in Representation Learning,
http://deeplearning.net/wp-content/uploads/2013/03/pseudo_label_final.pdf).

    L = 1/M sum_{j labeled} CE(z_j, y_j)  +  alpha(t) 1/M' sum_{i unlabeled} CE(z_i, argmax z_i)
    alpha(t) = 0                             t < T1
               alpha_f (t - T1) / (T2 - T1)  T1 <= t < T2
               alpha_f                       T2 <= t                                    t in epochs

alpha_f = 3. The pseudo-label of a row is the class that the network predicts in this very update; no gradient passes
through the choice.

Where the paper is silent
- T1 = 100 and T2 = 600 are counted in the source's epochs. They are kept as shares of the run, ``start`` = 0.1 and
  ``full`` = 0.6, which is the source's schedule for a run of 1,000 epochs; its own length is not known.
- Whether pseudo-labels are chosen with dropout on: the same pass is used for the choice and for the loss.
- Lee draws 32 labeled and 256 unlabeled rows a batch: ``sizes=(32, 256)``. By default it is N/2 + N/2, as in the other
  semi-supervised methods here; an epoch passes over the labeled rows.
- All labels count as right. Where no row is unlabeled, all training rows stand in, without their label.

Differs from the source: no denoising autoencoder before training (T1 = 200, T2 = 800 there belong to it).
"""

from __future__ import annotations

from goldvein.config.ranges import Counts, NonNegative, Share
from goldvein.errors import InputError
from goldvein.functional.losses import cross_entropy
from goldvein.training import Batch, Method, Run, Task, Terms


class PseudoLabel(Method):
    """Cross-entropy, on unlabeled rows with the class that the network predicts.

    Parameters
    ----------
    alpha : float, default=3.0
        Largest weight of the unlabeled rows.
    start, full : float, default=0.1 and 0.6
        Shares of the run at which the weight begins to rise, and is reached; ``start`` < ``full``.
    sizes : (int, int), optional
        Labeled and unlabeled rows of a batch; by default half of the batch each.

    Examples
    --------
    >>> PseudoLabel(sizes=(32, 256))
    PseudoLabel(sizes=(32, 256))
    """

    def __init__(
        self, alpha: NonNegative = 3.0, start: Share = 0.1, full: Share = 0.6, sizes: Counts | None = None
    ) -> None:
        super().__init__()
        self.alpha = alpha
        self.start = start
        self.full = full
        self.sizes = sizes

    def setup(self, task: Task) -> None:
        super().setup(task)
        if not 0 <= self.start < self.full:
            raise InputError(f"start={self.start}, full={self.full}: the weight must begin to rise before it is full")

    def weight(self, epoch: float, n_epochs: float) -> float:
        """alpha(t).

        Examples
        --------
        >>> [PseudoLabel().weight(t, 1000) for t in (100, 350, 600)]
        [0.0, 1.5, 3.0]
        """
        start, full = self.start * n_epochs, self.full * n_epochs
        return self.alpha * min(max((epoch - start) / (full - start), 0.0), 1.0)

    def loss(self, batch: Batch, weight: float = 0.0) -> Terms:
        """L with alpha(t) = ``weight``."""
        logits = self.net(batch.views[0])
        pseudo = logits.argmax(1)
        return {
            "cross_entropy": (cross_entropy(logits, batch.y), batch.labeled),
            "pseudo_label": (weight * cross_entropy(logits, pseudo), ~batch.labeled),
        }

    def train_on(self, run: Run) -> None:
        for epoch in run.epochs():
            weight = self.weight(epoch, run.n_epochs)
            for batch in run.batches(unlabeled="rest", sizes=self.sizes):
                run.update(self.loss(batch, weight))
