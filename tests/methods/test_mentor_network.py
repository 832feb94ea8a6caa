"""The network of MentorNet: its shape by hand, and what it can be taught."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from goldvein.methods import _mentor as curriculum
from goldvein.methods._mentor import Mentor


def sigmoid(x: float) -> float:
    return 1 / (1 + math.exp(-x))


def test_its_shape() -> None:
    mentor = Mentor()
    assert mentor(torch.rand(7), torch.rand(7), 99).shape == (7,)
    assert mentor(torch.rand(1), torch.rand(1), 0).shape == (1,)
    lstm = 2 * 4 * (2 + 1 + 2)  # two ways, four gates: two inputs, one state, two biases
    assert sum(p.numel() for p in mentor.parameters()) == lstm + (7 * 20 + 20) + (20 + 1)
    assert mentor.percent.shape == (100, 5)
    assert "percent" in mentor.state_dict()


def test_one_value_by_hand() -> None:
    mentor = Mentor()
    with torch.no_grad():
        for p in mentor.parameters():
            p.fill_(0.1)
        mentor.percent.fill_(0.3)
    gate = 0.1 * 2.0 + 0.1 * 0.5 + 0.1 + 0.1  # of loss 2, 0.5 above the level, and both biases; no state before
    unit = sigmoid(gate) * math.tanh(sigmoid(gate) * math.tanh(gate))
    hidden = math.tanh(0.1 * (2 * unit + 5 * 0.3) + 0.1)
    expected = 0.1 * 20 * hidden + 0.1
    assert mentor(torch.tensor([2.0]), torch.tensor([0.5]), 4).item() == pytest.approx(expected, abs=1e-6)


def test_it_separates_losses_of_known_truth() -> None:
    torch.manual_seed(0)
    right = (torch.arange(400) % 5 > 1).float()

    def losses() -> Tensor:
        return torch.where(right > 0, torch.rand(400), 2 + 3 * torch.rand(400))

    mentor, seen, other = Mentor(), losses(), losses()
    mentor.fit(seen, 20, right)
    for level in (0.5, 1.5, 3.0):  # whatever the moving percentile has become
        v = mentor(other, other - level, 20).sigmoid()
        assert v[right > 0].min() > v[right == 0].max()
        assert v[right > 0].min() > 0.8
        assert v[right == 0].max() < 0.2


def test_losses_that_tell_nothing_give_the_share_of_right_labels() -> None:
    torch.manual_seed(0)
    mentor, same = Mentor(), torch.full((100,), 1.3)
    mentor.fit(same, 20, (torch.arange(100) < 70).float())
    # the binary cross-entropy is least at v = P(right); the decay pulls towards 1/2
    assert 0.65 < mentor(same, same - same, 20).sigmoid()[0].item() < 0.705


@pytest.mark.parametrize("level", [0.5, 2.0])
def test_it_can_take_the_self_paced_curriculum(level: float) -> None:
    torch.manual_seed(0)
    mentor, losses = Mentor(), torch.linspace(0, 2 * level, 81)
    optimizer = torch.optim.Adam(mentor.parameters(), 0.02)
    for _ in range(500):
        v = mentor(losses, losses - level, 50).sigmoid()
        optimizer.zero_grad()
        (v * losses - level * v).mean().backward()  # v l + G(v) with G(v) = -lambda v: least at v = 1[l < lambda]
        optimizer.step()
    far = (losses - level).abs() > level / 10
    v = mentor(losses, losses - level, 50).sigmoid()
    torch.testing.assert_close(v[far], (losses < level).float()[far], atol=0.05, rtol=0)


def test_it_goes_on_from_where_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(curriculum, "STEPS", 20)
    torch.manual_seed(0)
    mentor, losses = Mentor(), torch.tensor([0.1, 3.0])
    right = torch.tensor([1.0, 0.0])

    def entropy() -> float:
        z = mentor(losses, losses - 1, 20)
        return F.binary_cross_entropy_with_logits(z, right).item()

    untaught = entropy()
    mentor.fit(losses, 20, right)
    once = entropy()
    mentor.fit(losses, 20, right)
    assert entropy() < once < untaught
