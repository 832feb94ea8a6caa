"""Mislabeled VAE, M-VAE (Langevin, Mehlman, Regier, Lopez, Jordan & Yosef 2018, arXiv:1809.05957).

The generative model of :mod:`goldvein.methods._variational`, whose true class y is unknown for labeled rows too, with
a known noise of the labels:

    L = -bound(x) - lambda sum_y q(y | z_a) log T[y, y^],    T[i, j] = p(given j | true i)           (1)

Where every label is wrong with the same probability and all wrong labels are equally likely, (1) is, but for a
constant,

    L = -bound(x) - lambda f q(y^ | z_a)    with f = log((C - 1) (1 - noise_rate) / noise_rate)      (2)

which is the Uncertainty Mining Net of Sun et al. 2021 with one epsilon for all labels, and how they compare with it.
They give it the true rate; the method cannot find it.

Differs from the authors, who use the networks of scVI, 128 units and 10 latent variables, and 150 epochs: networks,
lambda and its fall, batches, likelihood and noise on the input are those of the Uncertainty Mining Net, as Sun et al.
have it, so that nothing but epsilon differs.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from goldvein.config.ranges import Share
from goldvein.errors import InputError
from goldvein.methods._variational import BETA2, GenerativeMethod, label_log_odds
from goldvein.noise.transition import check_transition
from goldvein.training import Run, Task


class MVAE(GenerativeMethod):
    """A generative model that trusts all labels alike, by a noise that is given.

    Parameters
    ----------
    noise_rate : float in [0, 1 - 1 / K), default=0.2
        Probability that a given label is wrong.
    transition : tuple of K tuples of K floats, optional
        T, in place of a rate; rows are true classes in sorted order.
    **generative
        See :class:`goldvein.methods._variational.GenerativeMethod`.

    Examples
    --------
    >>> MVAE(noise_rate=0.3)
    MVAE(noise_rate=0.3)
    """

    log_transition: Tensor

    def __init__(
        self, noise_rate: Share = 0.2, transition: tuple[tuple[float, ...], ...] | None = None, **generative: Any
    ) -> None:
        super().__init__(**generative)
        self.noise_rate = noise_rate
        self.transition = transition

    def setup(self, task: Task) -> None:
        most = 1 - 1 / task.n_classes  # from there on a label speaks for the other classes
        if self.transition is None and not 0 <= self.noise_rate < most:
            raise InputError(
                f"noise_rate={self.noise_rate}: for {task.n_classes} classes it must be at least 0 and below {most:.3g}"
                "; if more labels are wrong, give transition"
            )
        if self.transition is not None:
            T = torch.as_tensor(check_transition(self.transition, task.n_classes)).to(task.y.device)
            # an entry of 0, a label that is impossible, would weigh infinitely
            self.register_buffer("log_transition", T.clamp(min=self.least).log().float())
        super().setup(task)

    def labeled_term(self, x: Tensor, y: Tensor, logits: Tensor, mean: Tensor) -> Tensor:
        """What is minimized for labels y (M,), from logits (M, C) of q(y | z_a)."""
        q = logits.log_softmax(1).exp()
        if self.transition is not None:
            return -(q * self.log_transition[:, y].T).sum(1)  # Eq. 1
        q_given = q.gather(1, y[:, None])[:, 0]
        rate = torch.full_like(q_given, self.noise_rate)
        return -label_log_odds(rate, logits.shape[1], self.least) * q_given  # Eq. 2

    def train_on(self, run: Run) -> None:
        self.learner.choose_likelihood(run.inputs)
        for epoch in run.epochs(beta2=BETA2):
            for terms in self.losses(run, epoch):
                run.update(terms)

    def evidence(self, run: Run) -> tuple[Tensor, Tensor]:
        """Class probabilities (N, C), as if no label had been learned: y is about the true class."""
        return run.judge(), torch.full_like(run.task.y, -1)
