"""Mislabeled VAE, M-VAE (Langevin, Mehlman, Regier, Lopez, Jordan & Yosef 2018, arXiv:1809.05957).

The generative model of :mod:`goldvein.methods._variational`, whose true class y is unknown for labeled rows too, with
a known noise of the labels:

    L = -bound(x) - lambda sum_y q(y | z_a) log T[y, y^],    T[i, j] = p(given j | true i)

Where every label is wrong with the same probability and all wrong labels are equally likely, this is, but for a
constant,

    L = -bound(x) - lambda f q(y^ | z_a)    with f = log((C - 1) (1 - noise_rate) / noise_rate)

and that is :mod:`goldvein.methods.umn` with one epsilon for all labels, which is how Sun et al. 2021 compare with it.
They give it the true rate; the method cannot find it.

Silent points, and what was chosen
- Entries of T and the rate are held above ``least``, as epsilon is in UMN: a forbidden label would weigh infinitely.
- A label known to be right weighs its cross-entropy, as in UMN.
- The networks are those of UMN, as Sun et al. have it, and so are lambda and its fall, batches, likelihood and noise on
  the input, so that nothing but epsilon differs. The authors use the networks of scVI, 128 units and 10 latent
  variables, and 150 epochs.
"""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn

from goldvein.config.ranges import Count, NonNegative, PartialShare, Share, Span
from goldvein.errors import InputError
from goldvein.functional.probabilities import label_log_odds, let_go, sure_label
from goldvein.methods._variational import OPTIONS, Variational
from goldvein.noise.transition import check_transition
from goldvein.training import distributed, sampling
from goldvein.training.method import Method
from goldvein.training.run import Run
from goldvein.training.task import Batch, Task

BETA2 = 0.99  # of Adam
SHARE = 0.05  # least share of labeled rows in a batch


class MVAE(Method):
    """A generative model that trusts all labels alike, by a noise that is given.

    Parameters
    ----------
    noise_rate : float in [0, 1 - 1 / K), default=0.2
        Probability that a given label is wrong.
    transition : tuple of K tuples of K floats, optional
        T, in place of a rate; rows are true classes in sorted order.
    weight : float, default=1.0
        lambda at the start, of the labeled term.
    release : (float, float), default=(0.1, 0.3)
        Shares of the training between which lambda falls, to lambda times the share of labeled rows in a batch.
    least : float, default=1e-3
        Smallest probability of a wrong label.
    noise : float, default=0.15
        Standard deviation of the Gaussian noise on the normalized input.
    z_a, z_b, hidden : int, optional
        Sizes of the latent variables and of the hidden layers: 50, 10 and 500, or 128, 64 and 256 where the network
        convolves.
    likelihood : {"auto", "bernoulli", "gaussian"}, default="auto"
        p(x | z_a); ``auto`` is Bernoulli where inputs, as ``normalize`` leaves them, lie in [0, 1].
    precision : {"auto", "float32", "bfloat16"}, default="auto"
        Of the products in training; ``auto`` is bfloat16 where the hardware has it.

    Examples
    --------
    >>> MVAE(noise_rate=0.3)
    MVAE(noise_rate=0.3)
    """

    over = "unlabeled"
    updates = 5000
    steered = False  # as in UMN
    log_transition: Tensor
    trusted: Tensor | None = None  # (N,) bool, labels known to be right
    n_labeled: int | None = None  # the first rows of a batch, among which the labeled ones are
    lead = 1.0  # what is left of lambda

    def __init__(
        self,
        noise_rate: Share = 0.2,
        transition: tuple[tuple[float, ...], ...] | None = None,
        weight: NonNegative = 1.0,
        release: Span = (0.1, 0.3),
        least: PartialShare = 1e-3,
        noise: NonNegative = 0.15,
        z_a: Count | None = None,
        z_b: Count | None = None,
        hidden: Count | None = None,
        likelihood: Literal["auto", "bernoulli", "gaussian"] = "auto",
        precision: Literal["auto", "float32", "bfloat16"] = "auto",
    ) -> None:
        super().__init__()
        self.noise_rate = noise_rate
        self.transition = transition
        self.weight = weight
        self.release = release
        self.least = least
        self.noise = noise
        self.z_a = z_a
        self.z_b = z_b
        self.hidden = hidden
        self.likelihood = likelihood
        self.precision = precision

    def setup(self, task: Task) -> None:
        most = 1 - 1 / task.n_classes  # from there on a label tells of the other classes
        if self.transition is None and not 0 <= self.noise_rate < most:
            raise InputError(
                f"noise_rate={self.noise_rate}: for {task.n_classes} classes it must be at least 0 and below {most:.3g}"
                "; if more labels are wrong, give transition"
            )
        if self.transition is not None:
            T = torch.as_tensor(check_transition(self.transition, task.n_classes)).to(task.y.device)
            self.register_buffer("log_transition", T.clamp(min=self.least).log().float())
        self.trusted = task.trusted
        options = {name: getattr(self, name) for name in OPTIONS}
        self.learner = Variational(task.build_model(), task.input_shape, task.n_classes, **options)

    @property
    def net(self) -> nn.Module:  # type: ignore[override]
        """q(y | z_a), at the mean of z_a."""
        return self.learner.net

    def loss(self, batch: Batch) -> dict[str, Tensor]:
        x, n = batch.views[0], self.n_labeled
        bound = self.learner.bound(x + self.noise * torch.randn_like(x), x)
        y, given = batch.y[:n].clamp(min=0), batch.y[:n] >= 0
        labeled = self.labeled_term(bound.logits[:n], y)
        if self.trusted is not None:
            labeled = labeled.where(~self.trusted[batch.rows[:n]], sure_label(bound.logits[:n], y, self.least))
        return {
            **{name: distributed.mean(term) for name, term in bound.terms.items()},
            "labeled": self.lead * self.weight * distributed.mean(labeled, given),
        }

    def labeled_term(self, logits: Tensor, y: Tensor) -> Tensor:
        """What is minimized for labels y (M,), from logits (M, C) of q(y | z_a)."""
        q = logits.log_softmax(1).exp()
        if self.transition is not None:
            return -(q * self.log_transition[:, y].T).sum(1)
        q_given = q.gather(1, y[:, None])[:, 0]
        return -label_log_odds(torch.full_like(q_given, self.noise_rate), logits.shape[1], self.least) * q_given

    def train_on(self, run: Run) -> None:
        self.learner.settle(run.inputs)
        sizes = sampling.mixed_sizes(run.y[~run.task.validation], run.recipe.batch_size, SHARE)
        self.n_labeled = sizes[0]
        for epoch in run.epochs(beta2=BETA2):
            self.lead = let_go(epoch / run.n_epochs, self.release, sizes[0] / sum(sizes))
            for batch in run.batches(unlabeled="rest", sizes=sizes, over="larger"):
                run.update(self.loss(batch))

    def evidence(self, run: Run) -> tuple[Tensor, Tensor]:
        """Class probabilities (N, C); no label has been learned, for y is about the true class."""
        return run.judge(), torch.full_like(run.task.y, -1)
