"""Improved baseline of Ding, Wang, Fan & Gong 2018 (section 4.2, arXiv:1802.02679): cross-entropy, balanced classes,
refined validation set.

A first network is trained with balanced cross-entropy on the noisy labels and judges the held-out labels by the rule
of stage 1. A second, fresh one is trained likewise; the validation labels that were kept decide its learning rate and
early stopping. No label of a training row is dropped and no unlabeled row is used.

Where the paper is silent: whether the second network is fresh. Here it is, so that the first one decides nothing but
the choice of validation labels. Trusted validation labels are always kept.
"""

from __future__ import annotations

import numpy as np
import torch
from sklearn.base import BaseEstimator
from torch import Tensor

from goldvein.methods._supervised import train_supervised
from goldvein.selectors import check_needs, select_apart
from goldvein.selectors.confidence import Confidence
from goldvein.training import Method, Run, Task


class ImprovedBaseline(Method):
    """Balanced cross-entropy with a refined validation set.

    Parameters
    ----------
    selector : selector, optional
        Judges the validation labels by class probabilities; by default the paper's :class:`Confidence`.

    Examples
    --------
    >>> ImprovedBaseline().get_params()["selector__threshold"]
    0.9
    """

    refined: Tensor  # (N,) labels, -1 where a validation label was dropped

    def __init__(self, selector: BaseEstimator | None = None) -> None:
        super().__init__()
        self.selector = Confidence() if selector is None else selector

    def setup(self, task: Task) -> None:
        check_needs(self.selector, ("probs", "trained_on"), "improved_baseline")
        super().setup(task)
        self.build_model = task.build_model
        self.register_buffer("refined", task.y.clone())

    def train_on(self, run: Run) -> None:
        train_supervised(run, self.net, balance=True, keep="best")
        if not run.replaying:
            self.refine(run)
            self.net.load_state_dict(self.build_model().state_dict())
        train_supervised(run.with_labels(self.refined), self.net, balance=True)

    def refine(self, run: Run) -> None:
        """Drop the validation labels that the selector does not trust, but none that is known to be right."""
        y = run.task.y.cpu().numpy()
        held_out = run.task.validation.cpu().numpy()
        keep = select_apart(self.selector, y, held_out, probs=run.predict().cpu().numpy(), trained_on=y)
        dropped = held_out & ~keep & ~run.task.known.cpu().numpy()
        self.refined = torch.as_tensor(np.where(dropped, -1, y)).to(run.device)
