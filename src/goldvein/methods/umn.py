"""Uncertainty Mining Net, UMN (Sun, Kolagunda, Eliuk & Wang 2021).

A deep generative model of inputs, classes and given labels (its bound: :mod:`goldvein.methods._variational`), in
which the true class y is unknown for labeled rows too, and a given label y^ is wrong with a probability epsilon of its
own:

    p(y^ | y, z_a) = 1 - epsilon if y^ = y, else epsilon / (C - 1)                                 (5)
    L = -bound - lambda f q(y^ | z_a)    with f = log((C - 1) (1 - epsilon) / epsilon)             (4, 6)
    theta' <- gamma theta' + (1 - gamma) theta    after each step                                  (7)
    epsilon = |g'(y^) - g(y^)|                                                                     (8)

The learner theta is trained, the guider theta' is its moving average. g and g' are their class probabilities, each at
the mean of its own z_a, for the input with noise of its own. epsilon is a constant: no gradient passes through it.

Silent or contradictory points, and what was chosen
- Eq. 4 as printed lacks two signs of a KL and has a wrong one in the third term: the bound was derived anew.
- Eq. 6 leaves out ``log(epsilon / (C - 1))``, rightly so if epsilon is a constant, and is linear in q. A re-weighted
  "classification loss" is ``labeled="ce"``, ``-f log q(y^)``; eq. 5 under one logarithm is ``labeled="marginal"``.
- f is infinite at 0, where learner and guider start, and negative above (C - 1) / C: epsilon is held between.
- lambda, of a mean over labeled rows beside one over all rows, is not stated. 1 lets labels say what the classes are
  before these become clusters of their own, but has wrong ones learned by heart. So it falls, from 1 to the share of
  labeled rows: eq. 4 to the letter, a label weighs f in the bound of its own row. ``release=(1, 1)`` keeps it at 1.
- gamma is 0.99, from step 40,000 or half of the training on 0.999 (Tarvainen & Valpola's code), at first a plain mean.
- A batch has 5 labeled rows of 100, more where more rows are labeled. They are in the bound too; what is reconstructed
  is the input without noise.
- A label known to be right, which the paper does not have, weighs its cross-entropy times f(0): eq. 6, linear in q,
  gives up a label that both networks deny.
- "Corrupted if epsilon > 0" spares the labels that both networks give 1 in single precision, late in the training.
  :meth:`UMN.scores` has what ranks better: a wrong label learned by heart late was denied for long before, which the
  mean of g'(y^) remembers. Labels are judged by the guider at the end, as if it had not learned them: on average over
  the epochs it half believes the wrong ones, and so a list by the mean leaves out too many.
"""

from __future__ import annotations

import copy
import math
from typing import Literal

import torch
from torch import Tensor, nn

from goldvein.config.ranges import Count, NonNegative, PartialShare, ShareBelowOne, Span
from goldvein.functional.probabilities import (
    disagreement,
    label_log_odds,
    let_go,
    log_probability,
    one_hot,
    sure_label,
    update_average,
)
from goldvein.methods._variational import OPTIONS, Inference, Variational
from goldvein.training import distributed, sampling
from goldvein.training.method import Method
from goldvein.training.run import Run
from goldvein.training.task import Batch, Task

BETA2 = 0.99  # of Adam
SWITCH, LATE_DECAY = 40_000, 0.999  # steps after which gamma rises, and to what
RECENT = 10  # epochs whose epsilon is kept
SHARE = 0.05  # least share of labeled rows in a batch
LEAST_LOG = -70.0  # of a probability that underflows


class UMN(Method):
    """A generative model that trusts a label as far as the classifier and its moving average agree about it.

    Parameters
    ----------
    weight : float, default=1.0
        lambda at the start, of the labeled term.
    release : (float, float), default=(0.1, 0.3)
        Shares of the training between which lambda falls, to lambda times the share of labeled rows in a batch.
    labeled : {"linear", "ce", "marginal"}, default="linear"
        The labeled term.
    metric : {"absdiff", "dlog"}, default="absdiff"
        Whether epsilon compares probabilities (eq. 8) or their logarithms.
    least : float, default=1e-3
        Smallest epsilon.
    decay : float, default=0.99
        gamma in the first part of training.
    noise : float, default=0.15
        Standard deviation of the Gaussian noise on the normalized input.
    z_a, z_b, hidden : int, optional
        Sizes of the latent variables and of the hidden layers: 50, 10 and 500, or 128, 64 and 256 where the network
        convolves.
    likelihood : {"auto", "bernoulli", "gaussian"}, default="auto"
        p(x | z_a); ``auto`` is Bernoulli where inputs, as ``normalize`` leaves them, lie in [0, 1].
    precision : {"auto", "float32", "bfloat16"}, default="auto"
        Of the products in training; ``auto`` is bfloat16 where the hardware has it.

    In the table of issues, epsilon is near 0 for labels that both networks believe and for those that both deny:
    sort by ``guider_confidence_mean``, the mean of g'(y^) since lambda has fallen; low is doubtful.

    Examples
    --------
    >>> UMN(labeled="ce")
    UMN(labeled='ce')
    """

    over = "unlabeled"
    updates = 5000
    steered = False  # classes are clusters before they are what the labels say: the best of the first epochs is none
    doubts = ("epsilon", "epsilon_recent", "log_difference", "el2n")
    others = ("guider",)
    steps: Tensor  # number of updates so far
    rows: Tensor  # (M,), those with a label
    recent: Tensor  # (10, M), epsilon after each of the last epochs
    confidence: Tensor  # (M,), the mean of g'(y^) since lambda has fallen
    trusted: Tensor | None = None  # (N,) bool, labels known to be right
    n_labeled: int | None = None  # the first rows of a batch, among which the labeled ones are
    lead = 1.0  # what is left of lambda

    def __init__(
        self,
        weight: NonNegative = 1.0,
        release: Span = (0.1, 0.3),
        labeled: Literal["linear", "ce", "marginal"] = "linear",
        metric: Literal["absdiff", "dlog"] = "absdiff",
        least: PartialShare = 1e-3,
        decay: ShareBelowOne = 0.99,
        noise: NonNegative = 0.15,
        z_a: Count | None = None,
        z_b: Count | None = None,
        hidden: Count | None = None,
        likelihood: Literal["auto", "bernoulli", "gaussian"] = "auto",
        precision: Literal["auto", "float32", "bfloat16"] = "auto",
    ) -> None:
        super().__init__()
        self.weight = weight
        self.release = release
        self.labeled = labeled
        self.metric = metric
        self.least = least
        self.decay = decay
        self.noise = noise
        self.z_a = z_a
        self.z_b = z_b
        self.hidden = hidden
        self.likelihood = likelihood
        self.precision = precision

    def setup(self, task: Task) -> None:
        self.trusted = task.trusted
        options = {name: getattr(self, name) for name in OPTIONS}
        self.learner = Variational(task.build_model(), task.input_shape, task.n_classes, **options)
        self.guider: Inference = copy.deepcopy(self.learner.net).requires_grad_(False)
        self.register_buffer("steps", torch.tensor(0))
        self.register_buffer("rows", (task.y >= 0).nonzero()[:, 0])
        self.register_buffer("recent", torch.full((RECENT, len(self.rows)), math.nan))
        self.register_buffer("confidence", torch.zeros(len(self.rows)))

    @property
    def net(self) -> nn.Module:  # type: ignore[override]
        """The learner's q(y | z_a), at the mean of z_a."""
        return self.learner.net

    def loss(self, batch: Batch) -> dict[str, Tensor]:
        x, n = batch.views[0], self.n_labeled
        bound = self.learner.bound(x + self.noise * torch.randn_like(x), x)
        y, given = batch.y[:n].clamp(min=0), batch.y[:n] >= 0
        epsilon = self.uncertainty(x[:n], y, bound.mean[:n])
        labeled = self.labeled_term(bound.logits[:n], y, epsilon)
        if self.trusted is not None:
            labeled = labeled.where(~self.trusted[batch.rows[:n]], sure_label(bound.logits[:n], y, self.least))
        return {
            **{name: distributed.mean(term) for name, term in bound.terms.items()},
            "labeled": self.lead * self.weight * distributed.mean(labeled, given),
        }

    @torch.no_grad()
    def uncertainty(self, x: Tensor, y: Tensor, mean: Tensor) -> Tensor:
        """epsilon (M,) of labels y, from the learner's mean of z_a and the guider's look at x."""
        g, g_guider = self.learner.net.classify(mean), self.guider(x + self.noise * torch.randn_like(x))
        return disagreement(log_probability(g, y), log_probability(g_guider, y), self.metric)  # Eq. 8

    def labeled_term(self, logits: Tensor, y: Tensor, epsilon: Tensor) -> Tensor:
        """What is minimized for labels y (M,), from logits (M, C) of q(y | z_a)."""
        n_classes = logits.shape[1]
        log_q = log_probability(logits, y)
        if self.labeled == "marginal":  # -log sum_y q(y) p(y^ | y)
            epsilon, q = epsilon.clamp(self.least, 1 - 1 / n_classes), log_q.exp()
            return -((1 - epsilon) * q + epsilon / (n_classes - 1) * (1 - q)).log()
        f = label_log_odds(epsilon, n_classes, self.least)
        return -f * (log_q if self.labeled == "ce" else log_q.exp())  # Eq. 6

    def gamma(self, step: int, progress: float) -> float:
        """The decay of the guider after a step, counted from 1, and a share of the training."""
        late = step >= SWITCH or progress >= 0.5
        return min(1 - 1 / (step + 1), max(LATE_DECAY, self.decay) if late else self.decay)

    def follow(self, gamma: float) -> None:
        """Move the guider towards the learner; running statistics of batch norms too (eq. 7)."""
        update_average(self.guider.state_dict().values(), self.net.state_dict().values(), gamma)

    def train_on(self, run: Run) -> None:
        self.learner.settle(run.inputs)
        if not run.replaying and not self.steps:
            self.guider.load_state_dict(self.net.state_dict())  # which may have been trained before
        sizes = sampling.mixed_sizes(run.y[~run.task.validation], run.recipe.batch_size, SHARE)
        self.n_labeled = sizes[0]
        networks = nn.ModuleList([self.learner, self.guider])  # of the best epoch, if asked for; what was seen stays
        for epoch in run.epochs(net=networks, beta2=BETA2):
            self.guider.eval()
            self.lead = let_go(epoch / run.n_epochs, self.release, sizes[0] / sum(sizes))
            step = int(self.steps)
            for batch in run.batches(unlabeled="rest", sizes=sizes, over="larger"):
                run.update(self.loss(batch))
                step += 1
                self.follow(self.gamma(step, epoch / run.n_epochs))
            self.steps.fill_(step)
            g, g_guider, _ = self.look(run)
            self.recent[epoch % RECENT] = disagreement(g, g_guider, self.metric)
            self.confidence.lerp_(g_guider.exp(), 1 / max(1.0, epoch + 1 - self.release[1] * run.n_epochs))

    def look(self, run: Run) -> tuple[Tensor, Tensor, Tensor]:
        """Log-probabilities (M,) that learner and guider give the labels, and all those of the guider (M, K)."""
        y = run.task.y[self.rows, None]
        both = [run.predict(self.rows, net) for net in (self.net, self.guider)]
        g, g_guider = (probs.gather(1, y)[:, 0].log().clamp(min=LEAST_LOG) for probs in both)
        return g, g_guider, both[1]

    def evidence(self, run: Run) -> tuple[Tensor, Tensor]:
        """Class probabilities (N, K) of the guider; no label has been learned, for y is about the true class."""
        return run.judge(self.guider), torch.full_like(run.task.y, -1)

    def scores(self, run: Run) -> dict[str, Tensor]:
        """``epsilon``, its mean over ten epochs, the difference of logarithms, ``el2n``, the distance of g' from sure
        (Paul et al. 2021), g'(y^), and its mean since lambda has fallen.
        """
        g, g_guider, probs = self.look(run)
        y = one_hot(run.task.y[self.rows], probs.shape[1])
        columns = {"epsilon": disagreement(g, g_guider, "absdiff"), "epsilon_recent": self.recent.nanmean(0)}
        columns |= {"log_difference": disagreement(g, g_guider, "dlog"), "el2n": (probs - y).norm(dim=1)}
        columns |= {"guider_confidence": g_guider.exp(), "guider_confidence_mean": self.confidence}
        empty = torch.full_like(run.task.y, math.nan, dtype=g.dtype)
        return {name: empty.index_copy(0, self.rows, values) for name, values in columns.items()}
