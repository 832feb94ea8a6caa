"""Fully connected network of Patrini et al. 2017 for MNIST, also used by Ding et al. 2018 (their section 4.2).

784-128-128-10, ReLU, dropout 0.2 after each hidden layer, He-normal weights: 118,282 parameters for MNIST.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from torch import Tensor, nn


class MLP(nn.Module):
    """Hidden ReLU layers with dropout, and a linear layer to the logits.

    Parameters
    ----------
    input_shape : tuple of int
        Shape of one input; images are flattened.
    n_classes : int
        K, the number of logits.
    hidden : sequence of int, default=(128, 128)
        Width of each hidden layer.
    dropout : float, default=0.2
        Probability of dropping a hidden unit.

    Examples
    --------
    >>> sum(p.numel() for p in MLP((1, 28, 28), 10).parameters())
    118282
    """

    def __init__(
        self,
        input_shape: tuple[int, ...],
        n_classes: int,
        *,
        hidden: Sequence[int] = (128, 128),
        dropout: float = 0.2,
    ) -> None:
        super().__init__()
        layers: list[nn.Module] = [nn.Flatten()]  # images count as vectors
        width = math.prod(input_shape)
        for size in hidden:
            layers += [nn.Linear(width, size), nn.ReLU(), nn.Dropout(dropout)]
            width = size
        self.features = nn.Sequential(*layers)
        self.head = nn.Linear(width, n_classes)
        for module in self.modules():
            if isinstance(module, nn.Linear):
                nn.init.kaiming_normal_(module.weight)  # He-normal, as the source
                nn.init.zeros_(module.bias)

    def forward(self, x: Tensor) -> Tensor:
        """(B, *input_shape) -> (B, K) logits."""
        logits: Tensor = self.head(self.features(x))
        return logits
