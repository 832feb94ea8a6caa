"""Label noise model (Xiao, Xia, Yang, Huang & Wang 2015, CVPR; the authors' code).

https://openaccess.thecvf.com/content_cvpr_2015/html/Xiao_Learning_From_Massive_2015_CVPR_paper.html

A label is the true class y seen through a noise of type z, which depends on the input, as y does:

    P(given | y, free)      = 1 if given = y
    P(given | y, random)    = 1/(K - 1) if given != y
    P(given | y, confusing) = C[y, given],  C[y, y] = 0, rows of C sum to 1
    P(given | x) = sum_{y,z} P(given | y, z) p(y | x) p(z | x)                                            (1)

EM. The E-step is closed: r(y, z) is proportional to the summands of (1). The gradient of the M-step is
p(y | x) - sum_z r for the logits of the classes and p(z | x) - sum_y r for those of the types, which is the gradient of
-log P(given | x); that is what is minimized.

    L = -1/B ( sum_noisy log P(given | x) + sum_trusted log p(given | x) + w sum_noisy log p(z* | x) )    (2)

1. A base network is trained on the noisy labels as they are.
2. C, and the type z* of each noisy label, are estimated: see :mod:`goldvein.methods._noise_types`.
3. Classes and types are learned by (2), from the base. In each batch trusted rows stand 1:1 beside noisy ones.

Where the paper is silent or its code differs
- The authors count C, and know z*, on rows that have both labels, a noisy and a clean one; here a row has one: see
  :meth:`LabelNoiseModel.start_noise`.
- Without trusted rows nothing else ties down the types, by which any class could explain any label: w = 0.1, and the
  types' gradient of the first sum is scaled by 0.1, both as in the authors' last stage for Clothing1M.
- The code prints -sum r log P(given, y, z) as its loss; here it is (2), whose gradient is the same.

Differs from the authors' code: the type is learned by a second linear layer beside that of the classes, whose gradient
stops there (there a network of its own); and there is no stage in which the types rest.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from goldvein.config.ranges import NonNegative
from goldvein.errors import InputError
from goldvein.functional.losses import cross_entropy
from goldvein.methods._noise_types import TYPES, class_and_type, confusions, label_probs, noise_types
from goldvein.methods._supervised import train_supervised
from goldvein.noise.transition import count_transition, unmix
from goldvein.training import Batch, Method, Run, Task, Terms
from goldvein.training.network import require_linear_head, require_network


class LabelNoiseModel(Method):
    """Cross-entropy through noise whose type is inferred for each row.

    The network needs ``features`` and ``head``, as all of ``goldvein.models`` have them.

    Parameters
    ----------
    type_weight : float, default=0.1
        w in (2).
    type_rate : float, default=0.1
        What the types' gradient of -log P(given | x) is scaled by.

    Attributes
    ----------
    C : Tensor of shape (K, K), float32
        C[i, j] = P(given j | true i, confusing).
    types : Linear
        From features to the logits of the three types.

    Examples
    --------
    >>> LabelNoiseModel(type_rate=1.0)
    LabelNoiseModel(type_rate=1.0)
    """

    suspicious_if_high = ("p_random", "p_confusing")
    C: Tensor
    trusted: Tensor
    kind: Tensor  # (N,) int64, z* as an index into TYPES; -1 is unknown

    def __init__(self, type_weight: NonNegative = 0.1, type_rate: NonNegative = 0.1) -> None:
        super().__init__()
        self.type_weight = type_weight
        self.type_rate = type_rate

    def setup(self, task: Task) -> None:
        super().setup(task)
        _, head = require_linear_head(self.net, "label_noise_model")
        self.types = nn.Linear(head.in_features, len(TYPES))
        self.register_buffer("C", torch.zeros(task.n_classes, task.n_classes))
        self.register_buffer("trusted", task.known.clone())
        self.register_buffer("kind", torch.full((task.n_samples,), -1))

    def loss(self, batch: Batch) -> Terms:
        net = require_network(self.net, "label_noise_model")
        h = net.features(batch.views[0])
        logits, types = net.head(h), self.types(h.detach())
        z = scale_gradient(types, self.type_rate).softmax(1)
        given = label_probs(logits.softmax(1), z, self.C)  # Eq. 1
        log_given = given.clamp(min=torch.finfo(given.dtype).tiny).log()
        trusted, kind = self.trusted[batch.rows], self.kind[batch.rows]
        noisy = F.nll_loss(log_given, batch.y.masked_fill(trusted, -1), ignore_index=-1, reduction="none")
        return {  # Eq. 2: each sum is divided by the rows of the whole batch, and a row that is not meant has a 0
            "noisy": noisy,
            "trusted": cross_entropy(logits, batch.y.masked_fill(~trusted, -1)),
            "types": self.type_weight * cross_entropy(types, kind),
        }

    def train_on(self, run: Run) -> None:
        labeled = (run.y >= 0) & ~run.task.validation
        trusted, noisy = labeled & self.trusted, labeled & ~self.trusted
        if not noisy.any():
            raise InputError("every label is trusted, and none is left to learn the noise from: use plain training")
        train_supervised(run, self.net, labeled=noisy, keep="best")
        if not run.replaying:
            self.start_noise(run)
        for _ in run.epochs():
            for batch in self.batches(run, noisy, trusted):
                run.update(self.loss(batch))

    def batches(self, run: Run, noisy: Tensor, trusted: Tensor) -> Iterator[Batch]:
        """An epoch over the noisy rows, with as many trusted ones in each batch, if there are any."""
        if not trusted.any():
            yield from run.batches(labeled=noisy)
            return
        for batch in run.batches(labeled=noisy, unlabeled=trusted):
            yield replace(batch, y=run.y[batch.rows])  # rows of the second kind come without their label

    @torch.no_grad()
    def start_noise(self, run: Run) -> None:
        """C and z* from the base, and the types at their rates."""
        y, trusted = run.y.cpu().numpy(), self.trusted.cpu().numpy()
        noisy = (y >= 0) & ~trusted
        probs = run.predict().cpu().numpy()
        # With trusted rows, T is what the base predicts on those of each class: it has seen noisy labels alone, so it
        # says how such a row would have been labeled (Hendrycks et al. 2018, arXiv:1802.05300). For a class without
        # trusted rows, T is counted with the base's predicted class in place of the true one.
        T = count_transition(y[noisy], probs[noisy].argmax(1), len(self.C))
        for c in np.unique(y[trusted & (y >= 0)]):
            T[c] = probs[trusted & (y == c)].mean(0)
        C = confusions(T)
        # z* follows from the given label and the likeliest true class, by the base's predictions with T taken out
        kind = np.where(noisy, noise_types(y, unmix(probs, T).argmax(1), C), -1)
        rates = np.bincount(kind[noisy], minlength=len(TYPES)) / noisy.sum()
        self.C.copy_(torch.as_tensor(C))
        self.kind.copy_(torch.as_tensor(kind))
        self.types.weight.zero_()
        self.types.bias.copy_(torch.as_tensor(rates + 1e-3).log())

    def evidence(self, run: Run) -> tuple[Tensor, Tensor]:
        """The network's probabilities are of the true class, free of the labels' noise."""
        return run.judge(), torch.full_like(run.task.y, -1)

    def scores(self, run: Run) -> dict[str, Tensor]:
        """P(type | x, given label): ``p_free``, ``p_random``, ``p_confusing``."""
        rows = (run.task.y >= 0).nonzero()[:, 0]
        p, z = run.predict(rows), run.predict(rows, net=nn.Sequential(Features(self.net), self.types))
        found = class_and_type(p, z, self.C, run.task.y[rows]).sum(1)  # (n, 3)
        columns = torch.full((len(TYPES), len(run.task.y)), torch.nan, device=run.device)
        columns[:, rows] = found.T
        return {f"p_{name}": column for name, column in zip(TYPES, columns, strict=True)}


class Features(nn.Module):
    """What the last layer of a network sees, as a network."""

    def __init__(self, net: nn.Module) -> None:
        super().__init__()
        self.net = net

    def forward(self, x: Tensor) -> Tensor:
        features: Tensor = self.net.features(x)  # type: ignore[operator]
        return features


def scale_gradient(x: Tensor, factor: float) -> Tensor:
    """x as it is; its gradient is scaled."""
    return factor * x + (1 - factor) * x.detach()
