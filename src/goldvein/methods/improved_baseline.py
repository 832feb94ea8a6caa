"""Improved baseline of Ding et al. 2018 (section 4.2): cross-entropy, balanced classes, refined validation set.

A first network is trained with balanced cross-entropy on the noisy labels and judges the held-out labels by the rule
of stage 1; a second, fresh one is trained likewise, its learning rate and early stopping steered by the validation
labels that were kept. No label of a training row is dropped and no unlabeled row is used.

Silent point: the paper does not say whether the second network is fresh; it is here, so that the first has no say
but in the choice of validation labels.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from sklearn.base import BaseEstimator
from torch import Tensor

from goldvein.functional.losses import cross_entropy
from goldvein.selectors import check_needs, select_apart
from goldvein.selectors.confidence import Confidence
from goldvein.training.method import Method
from goldvein.training.run import Run
from goldvein.training.task import Batch, Task


class ImprovedBaseline(Method):
    """Balanced cross-entropy with a refined validation set.

    Parameters
    ----------
    selector : selector, optional
        Judges the validation labels; by default the paper's :class:`Confidence`.

    Examples
    --------
    >>> ImprovedBaseline().get_params()["selector__threshold"]
    0.9
    """

    refined: Tensor

    def __init__(self, selector: BaseEstimator | None = None) -> None:
        super().__init__()
        self.selector = Confidence() if selector is None else selector

    def setup(self, task: Task) -> None:
        check_needs(self.selector, ("probs", "trained_on"))
        super().setup(task)
        self.build_model = task.build_model
        self.register_buffer("refined", task.y.clone())

    def loss(self, batch: Batch) -> dict[str, Tensor]:
        return {"cross_entropy": cross_entropy(self.net(batch.views[0]), batch.y)}

    def train_on(self, run: Run) -> None:
        self.train_balanced(run, keep="best")
        if not run.replaying:
            self.refine(run)
            self.net.load_state_dict(self.build_model().state_dict())
        self.train_balanced(run.with_labels(self.refined))

    def train_balanced(self, run: Run, **changes: Any) -> None:
        for _ in run.epochs(**changes):
            for batch in run.batches(balance=True):
                run.update(self.loss(batch))

    def refine(self, run: Run) -> None:
        """Drop the validation labels that the selector does not trust."""
        y = run.task.y.cpu().numpy()
        held_out = run.task.validation.cpu().numpy()
        keep = select_apart(self.selector, y, held_out, probs=run.predict().cpu().numpy(), trained_on=y)
        dropped = held_out & ~keep
        self.refined = torch.as_tensor(np.where(dropped, -1, y)).to(run.device)
