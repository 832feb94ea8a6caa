"""Two-stage learning with a clean set (Ding, Wang, Fan & Gong 2018, WACV, section 3.1 and Table 4, arXiv:1802.02679).

Stage 1. For each class c a binary classifier b_c: trusted rows of class c are positive, trusted rows of the other
classes negative. It then judges the noisy labels of its own class:

    keep y_i   iff   b_{y_i}(x_i) >= 1/2;   a trusted label is kept in any case, and no other floor is needed.   (1)

Stage 2. A semi-supervised learner trains on the kept labels and all inputs (section 3.2).
Fine-tuning (rows 12 and 13 of Table 4). The network is trained on the trusted rows alone, at a very small rate.

Where the paper is silent
- The K classifiers are the K logits of one network, which stage 2 starts from; ``separate=True`` trains K networks.
- "A very small learning rate" is Adam at 1e-5; the weights are the best on the held-out labels that were kept, if any.

Differs from the paper by default (``pretrain=False, consistent=False`` is the paper's own)
- Features are first learned from the noisy labels (the paper's come from ImageNet): they tell classes apart even where
  names are mixed up. Then the trusted rows train the last layer alone, since few rows spoil the others. On MNIST,
  asymmetric noise of p = 0.6, with 20 trusted rows a class and five-fold cross-validation on these, a network's
  likeliest class is right in 97.5 % of cases; trained whole in 90.5 %; without the noisy labels in 80.5 %.
- A label is also dropped where the classifier of another class is surer, as without a clean set. In the same
  cross-validation that affirms 0.3 % of wrong classes in place of 1.3 %, and 97.5 % of right ones in place of 98.5 %.
"""

from __future__ import annotations

import math
from itertools import chain, count, islice
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from goldvein.config.ranges import Count, Positive, WholeNumber
from goldvein.functional.probabilities import kept_mask, one_hot
from goldvein.methods._supervised import train_supervised
from goldvein.methods.temporal_ensembling import TemporalEnsembling
from goldvein.training import Batch, Method, Report, Run, Task, Terms


class TwoStageClean(Method):
    """Binary classifiers of trusted rows select labels; a semi-supervised learner trains on these.

    Parameters
    ----------
    learner : Method, optional
        Any semi-supervised method; by default :class:`TemporalEnsembling`. ``PiModel(alpha=100)`` is the paper's
        for Clothing1M.
    separate : bool, default=False
        K networks, trained whole, in place of one with K heads.
    pretrain : bool, default=True
        Learn features from the noisy labels first. False for a network that knows some, or a large clean set.
    consistent : bool, default=True
        Keep a label only where no other classifier is surer than its own.
    stage1_epochs : int, optional
        Epochs on the noisy labels, and then of the classifiers, with as many batches; by default as the learner's.
    finetune_epochs, finetune_lr : int and float, default=0 and 1e-5
        Epochs on the trusted rows alone, at the end, and Adam's rate in them.

    Attributes
    ----------
    kept : Tensor of shape (N,), int64
        Labels that the learner trained on, -1 where dropped or missing.
    judged : Tensor of shape (N, K), float32
        What the classifier of each class says of a row, in [0, 1]; a row does not sum to 1.

    Examples
    --------
    >>> from goldvein.methods.pi_model import PiModel
    >>> TwoStageClean(learner=PiModel(alpha=100)).get_params()["learner__alpha"]
    100
    """

    kept: Tensor
    judged: Tensor

    def __init__(
        self,
        learner: Method | None = None,
        separate: bool = False,
        pretrain: bool = True,
        consistent: bool = True,
        stage1_epochs: Count | None = None,
        finetune_epochs: WholeNumber = 0,
        finetune_lr: Positive = 1e-5,
    ) -> None:
        super().__init__()
        self.learner = TemporalEnsembling() if learner is None else learner
        self.separate = separate
        self.pretrain = pretrain
        self.consistent = consistent
        self.stage1_epochs = stage1_epochs
        self.finetune_epochs = finetune_epochs
        self.finetune_lr = finetune_lr

    def setup(self, task: Task) -> None:
        self.learner.setup(task)
        self.behave_like(self.learner)  # the other stages use the first view
        self.apart = nn.ModuleList(task.build_model() for _ in range(task.n_classes if self.separate else 0))
        self.register_buffer("kept", task.y.clone())
        self.register_buffer("judged", torch.zeros(task.n_samples, task.n_classes))

    @property
    def net(self) -> nn.Module:  # type: ignore[override]
        """The learner's network."""
        return self.learner.net

    def judge(self, x: Tensor) -> Tensor:
        """Logits of the binary classifiers: (B, *input_shape) -> (B, K)."""
        if not self.separate:
            logits: Tensor = self.net(x)
            return logits
        return torch.stack([net(x)[:, c] for c, net in enumerate(self.apart)], 1)

    def loss(self, batch: Batch) -> Terms:
        """That of the binary classifiers, summed over them."""
        # Each classifier has positives and negatives of the same total weight (section 3.3 balances classes, too);
        # every class is 1/K of a batch, hence the weights.
        z = self.judge(batch.views[0])
        n_classes = z.shape[1]
        positive = one_hot(batch.y, n_classes)
        weight = torch.where(positive > 0, n_classes / 2, n_classes / (2 * (n_classes - 1)))
        entropy = F.binary_cross_entropy_with_logits(z, positive, weight, reduction="none")
        return {"binary_cross_entropy": entropy.sum(1)}

    def train_on(self, run: Run) -> None:
        clean = run.with_labels(run.task.clean_labels("two_stage_clean"))
        if self.pretrain:
            self.learn_features(run)
        self.train_classifiers(clean)
        if not run.replaying:
            self.select(run)
        self.learner.train_on(run.with_labels(self.kept))
        if self.finetune_epochs:
            self.finetune(run)

    def learn_features(self, run: Run) -> None:
        """Train on the given labels, as stage 1 without a clean set does."""
        train_supervised(run, self.net, self.stage1_epochs, balance=True, keep="best")
        if not run.replaying:
            for net in self.apart:
                net.load_state_dict(self.net.state_dict())

    def train_classifiers(self, clean: Run) -> None:
        """Train the binary classifiers; a few trusted rows come again and again in an epoch."""
        labeled = (clean.task.y >= 0) & ~clean.task.validation
        n_batches = math.ceil(int(labeled.sum()) / clean.recipe.batch_size)
        self.net.requires_grad_(not self.pretrain)
        layers = [m for m in self.net.modules() if next(m.parameters(recurse=False), None) is not None]
        layers[-1].requires_grad_(True)
        judges = self.apart if self.separate else self.net
        # no label is left to decide when the rate falls
        for _ in clean.epochs(self.stage1_epochs, net=judges, schedule="cosine", keep="last", stop_after=None):
            passes = (clean.batches(balance=True) for _ in count())
            for batch in islice(chain.from_iterable(passes), n_batches):
                clean.update(self.loss(batch))
        self.net.requires_grad_(True)

    @torch.no_grad()
    def select(self, run: Run) -> None:
        """Keep the labels that the classifier of their class affirms, and the trusted ones."""
        self.eval()
        self.judged = run.compute(lambda x: self.judge(x).sigmoid())
        affirmed = self.affirmed(run.task.y)
        keep = (affirmed >= 0.5) & ((affirmed >= self.judged.amax(1)) if self.consistent else True)  # Eq. 1
        self.kept = torch.where(keep | (run.task.clean_labels("two_stage_clean") >= 0), run.task.y, -1)

    def affirmed(self, y: Tensor) -> Tensor:
        """What the classifier of its given class says of each row (N,), NaN without a label."""
        return self.judged.gather(1, y.clamp(min=0)[:, None])[:, 0].masked_fill(y < 0, torch.nan)

    def finetune(self, run: Run) -> None:
        """Train on the trusted rows alone; the kept labels of held-out rows choose the weights."""
        clean = run.with_labels(torch.where(run.task.validation, self.kept, run.task.clean_labels("two_stage_clean")))
        recipe: dict[str, Any] = {"optimizer": "adam", "lr": self.finetune_lr, "schedule": "constant", "keep": "best"}
        train_supervised(clean, self.net, self.finetune_epochs, **recipe)

    def evidence(self, run: Run) -> tuple[Tensor, Tensor]:
        """Mean (N, K) of what the classifiers predict, who saw no noisy label, and the learner, who saw the kept."""
        odds = (self.judged / (1 - self.judged)).clamp(1e-6, 1e6)
        p = odds / (odds + self.judged.shape[1] - 1)  # half of its rows were positive: among K equal classes, 1/K are
        return (p / p.sum(1, keepdim=True) + run.judge()) / 2, torch.full_like(self.kept, -1)

    def scores(self, run: Run) -> dict[str, Tensor]:
        """``affirmed``: below 1/2 a label that is not trusted was removed; ``kept``: 1, or 0 where it was removed."""
        return {"affirmed": self.affirmed(run.task.y), "kept": kept_mask(run.task.y, self.kept)}

    def report(self) -> Report:
        return Report(kept=self.kept)
