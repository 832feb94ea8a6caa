"""Uncertainty Mining Net, UMN (Sun, Kolagunda, Eliuk & Wang 2021, BMVC, https://papertalk.org/papertalks/34388).

A deep generative model of inputs, classes and given labels, in which the true class y is unknown for labeled rows too.
Its bound (eq. 4) and the labeled term (eqs. 5 and 6) stand in :mod:`goldvein.methods._variational`. A given label y^ is
wrong with a probability epsilon of its own:

    L = -bound - lambda f q(y^ | z_a)    with f = log((C - 1) (1 - epsilon) / epsilon)             (4, 6)
    theta' <- gamma theta' + (1 - gamma) theta    after each step                                  (7)
    epsilon = |g'(y^) - g(y^)|                                                                     (8)

The learner theta is trained, the guider theta' is its moving average. g and g' are their class probabilities, each at
the mean of its own z_a, for the input with noise of its own. epsilon is a constant: no gradient passes through it.

Where the paper is silent
- lambda, gamma, the noise and the sizes of the layers: each choice stands at its line.
- "Corrupted if epsilon > 0" spares only the labels that both networks give 1 in single precision, late in the training:
  :meth:`UMN.scores` has what ranks better.
"""

from __future__ import annotations

import copy
import math
from typing import Any, Literal

import torch
from torch import Tensor, nn

from goldvein.config.ranges import ShareBelowOne
from goldvein.functional.probabilities import one_hot, update_average
from goldvein.methods._variational import BETA2, GenerativeMethod, Inference, label_log_odds, log_probability
from goldvein.training import Run, Task

SWITCH, LATE_DECAY = 40_000, 0.999  # steps after which gamma rises, and to what (Tarvainen & Valpola 2017, their code)
RECENT = 10  # epochs whose epsilon is kept
LEAST_LOG = -70.0  # of a probability that underflows


class UMN(GenerativeMethod):
    """A generative model that trusts a label as far as the classifier and its moving average agree about it.

    Parameters
    ----------
    labeled : {"linear", "ce", "marginal"}, default="linear"
        The labeled term: eq. 6; ``-f log q(y^)``, a re-weighted classification loss; or eq. 5 under one logarithm.
    metric : {"absdiff", "dlog"}, default="absdiff"
        Whether epsilon compares probabilities (eq. 8) or their logarithms.
    decay : float, default=0.99
        gamma in the first part of training.
    **generative
        See :class:`goldvein.methods._variational.GenerativeMethod`; ``least`` is the smallest epsilon.

    In the table of issues, epsilon is near 0 for labels that both networks predict and for those that both deny:
    sort by ``guider_confidence_mean``, the mean of g'(y^) since lambda has fallen; low is suspicious.

    Examples
    --------
    >>> UMN(labeled="ce")
    UMN(labeled='ce')
    """

    suspicious_if_high = ("epsilon", "epsilon_recent", "log_difference", "el2n")
    other_networks = ("guider",)
    steps: Tensor  # number of updates so far
    rows: Tensor  # (M,), those with a label
    recent: Tensor  # (10, M), epsilon after each of the last epochs
    confidence: Tensor  # (M,), the mean of g'(y^) since lambda has fallen

    def __init__(
        self,
        labeled: Literal["linear", "ce", "marginal"] = "linear",
        metric: Literal["absdiff", "dlog"] = "absdiff",
        decay: ShareBelowOne = 0.99,
        **generative: Any,
    ) -> None:
        super().__init__(**generative)
        self.labeled = labeled
        self.metric = metric
        self.decay = decay

    def setup(self, task: Task) -> None:
        super().setup(task)
        self.guider: Inference = copy.deepcopy(self.learner.net).requires_grad_(False)
        self.register_buffer("steps", torch.tensor(0))
        self.register_buffer("rows", (task.y >= 0).nonzero()[:, 0])
        self.register_buffer("recent", torch.full((RECENT, len(self.rows)), math.nan))
        self.register_buffer("confidence", torch.zeros(len(self.rows)))

    def labeled_term(self, x: Tensor, y: Tensor, logits: Tensor, mean: Tensor) -> Tensor:
        """The labeled term of labels y (M,), by the epsilon of each."""
        return self.weigh(logits, y, self.uncertainty(x, y, mean))

    @torch.no_grad()
    def uncertainty(self, x: Tensor, y: Tensor, mean: Tensor) -> Tensor:
        """epsilon (M,) of labels y, from the learner's mean of z_a and the guider's look at x."""
        g, g_guider = self.learner.net.classify(mean), self.guider(self.with_noise(x))
        return disagreement(log_probability(g, y), log_probability(g_guider, y), self.metric)  # Eq. 8

    def weigh(self, logits: Tensor, y: Tensor, epsilon: Tensor) -> Tensor:
        """What is minimized for labels y (M,), from logits (M, C) of q(y | z_a)."""
        n_classes = logits.shape[1]
        log_q = log_probability(logits, y)
        if self.labeled == "marginal":  # -log sum_y q(y) p(y^ | y), Eq. 5
            epsilon, q = epsilon.clamp(self.least, 1 - 1 / n_classes), log_q.exp()
            return -((1 - epsilon) * q + epsilon / (n_classes - 1) * (1 - q)).log()
        # Eq. 6 leaves out log(epsilon / (C - 1)), rightly so since epsilon is a constant. Learner and guider start
        # alike, at epsilon = 0, where f would be infinite: it is held below its value at `least`.
        f = label_log_odds(epsilon, n_classes, self.least)
        return -f * (log_q if self.labeled == "ce" else log_q.exp())  # Eq. 6

    def gamma(self, step: int, progress: float) -> float:
        """The decay of the guider after a step, counted from 1, and a share of the training."""
        late = step >= SWITCH or progress >= 0.5  # in short trainings, from their half on
        return min(1 - 1 / (step + 1), max(LATE_DECAY, self.decay) if late else self.decay)  # at first a plain mean

    def follow(self, gamma: float) -> None:
        """Move the guider towards the learner; running statistics of batch norms too."""
        update_average(self.guider.state_dict().values(), self.net.state_dict().values(), gamma)  # Eq. 7

    def train_on(self, run: Run) -> None:
        self.learner.choose_likelihood(run.inputs)
        if not run.replaying and not self.steps:
            self.guider.load_state_dict(self.net.state_dict())  # which may have been trained before
        networks = nn.ModuleList([self.learner, self.guider])  # ``keep`` restores these; counters and means stay
        for epoch in run.epochs(net=networks, beta2=BETA2):
            self.guider.eval()
            step = int(self.steps)
            for terms in self.losses(run, epoch):
                run.update(terms)
                step += 1
                self.follow(self.gamma(step, epoch / run.n_epochs))
            self.steps.fill_(step)
            g, g_guider, _ = self.look(run)
            self.recent[epoch % RECENT] = disagreement(g, g_guider, self.metric)
            self.confidence.lerp_(g_guider.exp(), 1 / max(1.0, epoch + 1 - self.release[1] * run.n_epochs))

    def look(self, run: Run) -> tuple[Tensor, Tensor, Tensor]:
        """Log-probabilities (M,) that learner and guider give the labels, and all those of the guider (M, C)."""
        y = run.task.y[self.rows, None]
        both = [run.predict(self.rows, net) for net in (self.net, self.guider)]
        g, g_guider = (probs.gather(1, y)[:, 0].log().clamp(min=LEAST_LOG) for probs in both)
        return g, g_guider, both[1]

    def evidence(self, run: Run) -> tuple[Tensor, Tensor]:
        """Class probabilities (N, C) of the guider, as if it had learned no label: y is about the true class."""
        # the end of the training judges: on average over the epochs the guider half predicts the wrong labels, and a
        # list by the mean leaves out too many
        return run.judge(self.guider), torch.full_like(run.task.y, -1)

    def scores(self, run: Run) -> dict[str, Tensor]:
        """Columns of the issue table.

        ``epsilon`` and its mean over ten epochs ``epsilon_recent``; ``log_difference``, that of the logarithms;
        ``el2n``, the distance of g' from certainty (Paul et al. 2021, arXiv:2107.07075); ``guider_confidence``, g'(y^),
        and its mean since lambda has fallen, ``guider_confidence_mean``: a wrong label that was memorized late had
        been denied for long, and the mean keeps that.
        """
        g, g_guider, probs = self.look(run)
        y = one_hot(run.task.y[self.rows], probs.shape[1])
        columns = {"epsilon": disagreement(g, g_guider, "absdiff"), "epsilon_recent": self.recent.nanmean(0)}
        columns |= {"log_difference": disagreement(g, g_guider, "dlog"), "el2n": (probs - y).norm(dim=1)}
        columns |= {"guider_confidence": g_guider.exp(), "guider_confidence_mean": self.confidence}
        empty = torch.full_like(run.task.y, math.nan, dtype=g.dtype)
        return {name: empty.index_copy(0, self.rows, values) for name, values in columns.items()}


def disagreement(g: Tensor, g_guider: Tensor, metric: str) -> Tensor:
    """``|exp(g') - exp(g)|`` of two log-probabilities (eq. 8), or for ``dlog`` ``|g' - g|``.

    Examples
    --------
    >>> disagreement(torch.tensor([0.2, 1.0]).log(), torch.tensor([0.5, 1.0]).log(), "absdiff")
    tensor([0.3000, 0.0000])
    """
    return (g - g_guider).abs() if metric == "dlog" else (g.exp() - g_guider.exp()).abs()
