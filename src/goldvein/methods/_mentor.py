"""MentorNet: a small network that weights labels by their losses (Jiang, Zhou, Leung, Li & Fei-Fei 2018; their code).

    v = g(l, l - l_p, percent; Theta) in [0, 1]

    bidirectional LSTM, one unit each way, over (l, l - l_p)        ->  2
    embedding of the percentage of the training, fixed at random    ->  5
    fully connected, tanh                                           -> 20
    fully connected, sigmoid                                        ->  1

Where the paper is silent or its code differs
- In the paper and the code the LSTM also runs over the losses of earlier updates; but the code gives it one step only,
  and so does this one.
- The paper has an embedding of the label beside that of the percentage. The code always gives label 0, whose embedding
  is a bias: it is left out.

Differs from the authors' code
- The weights start as torch's layers do, not from the standard normal distribution, and are learned under weight decay
  in 300 steps on all labels at once (there 30,000 on 32). A hundred labels do not allow more: with 1,000 steps and no
  decay the cross-entropy on other labels was 0.29 and 0.42 in place of 0.24 and 0.26 (MNIST, first and second lesson).
- Each loss is seen with several l_p, the percentiles that the authors prepare data for, one at a time. With one alone
  l and l - l_p are the same number but for a constant, and a moving l_p would take v anywhere.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

STEPS, RATE, DECAY, LONGEST = 300, 0.02, 1.0, 5.0  # of AdamW; largest norm of the gradient
LEVELS = (0.4, 0.5, 0.6, 0.75, 0.8, 0.9)


class Mentor(nn.Module):
    """The network of MentorNet.

    Examples
    --------
    >>> mentor = Mentor()
    >>> losses = torch.linspace(0, 4, 50)
    >>> mentor.fit(losses, 20, right=(losses < 2).float())
    >>> other = torch.tensor([0.5, 3.5])
    >>> mentor(other, other - 1, 20).sigmoid().round().tolist()
    [1.0, 0.0]
    """

    percent: Tensor  # (100, 5) embeddings

    def __init__(self) -> None:
        super().__init__()
        self.lstm = nn.LSTM(2, 1, batch_first=True, bidirectional=True)
        self.register_buffer("percent", torch.randn(100, 5))
        self.hidden = nn.Linear(7, 20)
        self.out = nn.Linear(20, 1)

    def forward(self, losses: Tensor, above: Tensor, percent: int) -> Tensor:
        """Logits of v (B,).

        Parameters
        ----------
        losses, above : Tensor of shape (B,)
            l, and l - l_p.
        percent : int
            Share of the training that is done, 0 to 99.
        """
        steps = torch.stack([losses, above], 1)[:, None]  # (B, 1, 2)
        seen = self.lstm(steps)[0][:, -1]
        now = self.percent[percent].expand(len(losses), -1)
        out: Tensor = self.out(self.hidden(torch.cat([seen, now], 1)).tanh())
        return out[:, 0]

    def fit(self, losses: Tensor, percent: int, right: Tensor) -> None:
        """Learn whether labels are right (B,), 1 or 0, by binary cross-entropy, from the present weights."""
        levels = losses.quantile(losses.new_tensor(LEVELS))
        above = (losses - levels[:, None]).flatten()
        losses, right = losses.repeat(len(levels)), right.repeat(len(levels))
        optimizer = torch.optim.AdamW(self.parameters(), RATE, weight_decay=DECAY)
        for step in range(STEPS):
            optimizer.param_groups[0]["lr"] = RATE * 0.9 ** (30 * step // STEPS)
            optimizer.zero_grad()
            F.binary_cross_entropy_with_logits(self(losses, above, percent), right).backward()
            nn.utils.clip_grad_norm_(self.parameters(), LONGEST)
            optimizer.step()
