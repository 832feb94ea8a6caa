"""Noise adaptation layer (Goldberger & Ben-Reuven 2017, ICLR, https://openreview.net/forum?id=H12GRgcxg; the authors'
code).

A second softmax layer between the classes and the labels, learned with the network and dropped for predictions:

    P(given j | x) = sum_i P(true i | x) T[i, j],    L = -mean log P(given y | x)                           (1)
    simple:   T[i, j] = softmax_j(W[i, j])                                                                  (2)
    complex:  T[i, j](x) = softmax_j(U[i, :, j] . h(x) + W[i, j])         h is the last hidden layer        (3)

1. A base network is trained on the labels as they are.
2. W = log(confusion + 1e-8), rows of the confusion summing to 1: what the base predicts i is labeled j; U = 0.
3. Network and layer go on together, from the weights of the base.

Where the paper is silent: trusted labels count as the others do.

Differs from the authors' code: optimizer, epochs and batch size are the run's (there Adam, at most 40 epochs, 256).
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from goldvein.methods._supervised import train_supervised
from goldvein.noise.transition import count_transition
from goldvein.training import Batch, Method, Run, Task, Terms
from goldvein.training.network import require_linear_head, require_network


class AdaptationLayer(Method):
    """Cross-entropy through a learned transition from classes to labels.

    Parameters
    ----------
    complex : bool, default=False
        Let the transition depend on the input, through the last hidden layer; the network then needs ``features``
        and a linear ``head``, as all of ``goldvein.models`` have them.

    Examples
    --------
    >>> AdaptationLayer(complex=True)
    AdaptationLayer(complex=True)
    """

    def __init__(self, complex: bool = False) -> None:  # noqa: A002, the paper's word
        super().__init__()
        self.complex = complex

    def setup(self, task: Task) -> None:
        super().setup(task)
        self.W = nn.Parameter((torch.eye(task.n_classes) + 1e-8).log())
        if self.complex:
            _, head = require_linear_head(self.net, "complex=True")
            self.U = nn.Parameter(torch.zeros(task.n_classes, head.in_features, task.n_classes))

    def predict_noise(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Logits of the true class (B, K), and T: (K, K), or (B, K, K) if complex; rows of T sum to 1."""
        if not self.complex:
            return self.net(x), self.W.softmax(1)  # Eq. 2
        net = require_network(self.net, "complex=True")
        h = net.features(x)
        scores = torch.einsum("bd,idj->bij", h, self.U) + self.W
        return net.head(h), scores.softmax(2)  # Eq. 3

    def loss(self, batch: Batch) -> Terms:
        logits, T = self.predict_noise(batch.views[0])
        given = (logits.softmax(1)[:, None] @ T)[:, 0]  # (B, K), Eq. 1
        log_given = given.clamp(min=torch.finfo(given.dtype).tiny).log()
        losses = F.nll_loss(log_given, batch.y, ignore_index=-1, reduction="none")
        return {"cross_entropy": (losses, batch.labeled)}

    def train_on(self, run: Run) -> None:
        # the code stops early when the loss on noisy labels no longer falls; here the base is that of the best accuracy
        # on noisy validation labels, and the second stage has the run's rules
        train_supervised(run, self.net, keep="best")
        if not run.replaying:
            self.start_layer(run)
        super().train_on(run)

    @torch.no_grad()
    def start_layer(self, run: Run) -> None:
        """W from the confusion of the base."""
        # The paper takes the base's probabilities for the confusion. Its code, followed here, takes the predicted
        # classes, on all labeled rows. One count is added to each diagonal entry, so that a class that is never
        # predicted has a row.
        rows = (run.y >= 0).nonzero()[:, 0]
        predicted = run.predict(rows).argmax(1)
        T = count_transition(run.y[rows].cpu().numpy(), predicted.cpu().numpy(), len(self.W))
        self.W.copy_(torch.as_tensor(T + 1e-8).log())

    def evidence(self, run: Run) -> tuple[Tensor, Tensor]:
        """The network's probabilities are of the true class, free of the labels' noise."""
        return run.judge(), torch.full_like(run.task.y, -1)
