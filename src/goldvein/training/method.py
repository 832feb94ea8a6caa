"""Method: what every way of learning from doubtful labels looks like to the engine."""

from __future__ import annotations

from sklearn.base import BaseEstimator
from torch import Tensor, nn

from goldvein.training.run import Run
from goldvein.training.task import Batch, Task


class Method(nn.Module, BaseEstimator):
    """A loss, or a loop, over batches; its hyper-parameters are the arguments of its ``__init__``.

    Methods follow scikit-learn's rule: ``__init__`` only stores, :meth:`setup` builds. All state that changes
    in training is a parameter or a buffer, so that checkpoints and resuming need no code here.

    Attributes
    ----------
    views : tuple of str
        The views of a row, in the order in which :attr:`goldvein.training.task.Batch.views` holds them: ``plain`` (as
        it is) or ``weak`` (randomly changed).
    over : {"labeled", "unlabeled"}
        The rows that an epoch passes over once where labels are few; the others are cycled.
    updates : int
        What each stage has at least, with ``epochs="auto"``, where the network has no convolutions.
    steered : bool
        Whether a few held-out labels, noisy as they are, say by default when the rate falls (``schedule`` plateau) and
        which weights stay (``keep`` best); else the rate is constant and the last weights stay.
    doubts : tuple of str
        The scores that are high where a label is doubtful; the others are shares of trust, low where it is.
    others : tuple of str
        Attributes that are further networks which can predict; tables show their accuracy beside that of ``net``.
    stages : int or None
        How often :meth:`train_on` goes through epochs, where that is known beforehand: progress tells.
    net : Module
        The network that predicts. A learner's ``net`` may have been trained before its own training begins.
    """

    views: tuple[str, ...] = ("weak",)
    over: str = "labeled"
    updates: int = 1000
    steered: bool = True
    doubts: tuple[str, ...] = ()
    others: tuple[str, ...] = ()
    stages: int | None = None

    net: nn.Module

    def __init__(self) -> None:
        # nn.Module's own signature, *args, would break get_params
        super().__init__()

    __repr__ = BaseEstimator.__repr__

    def setup(self, task: Task) -> None:
        """Build networks and buffers for a task: once, before training or before weights are loaded.

        A saved network is built again by a task without rows, so nothing here may need one.
        """
        self.net = task.build_model()

    def take_after(self, inner: Method) -> None:
        """See the views, pass the rows, train as long and doubt as a method inside this one does."""
        self.views, self.over, self.updates = inner.views, inner.over, inner.updates
        self.steered, self.doubts = inner.steered, inner.doubts

    def loss(self, batch: Batch) -> dict[str, Tensor]:
        """Named scalar terms whose sum is minimized."""
        raise NotImplementedError

    def train_on(self, run: Run) -> None:
        """The algorithm: an epoch passes over the labeled rows. Override it to follow a paper's own."""
        for _ in run.epochs():
            for batch in run.batches():
                run.update(self.loss(batch))

    def evidence(self, run: Run) -> tuple[Tensor, Tensor]:
        """What the given labels are judged by after training.

        Class probabilities (N, K), and the labels (N,) that they were learned from: -1 where a row had none. By
        default the final predictions, learned from all given labels.
        """
        return run.judge(), run.task.y

    def scores(self, run: Run) -> dict[str, Tensor]:
        """What else the method knows of each given label after training: (N,) by name, NaN where there is none.

        The issue table has a column for each. :attr:`doubts` says of which high values are doubtful.
        """
        return {}

    def forward(self, x: Tensor) -> Tensor:
        """Logits of the network that predicts: (B, *input_shape) -> (B, K)."""
        return self.net(x)
