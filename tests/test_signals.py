"""What is remembered of each label, followed by hand over two epochs."""

from __future__ import annotations

import copy

import pytest
import torch

from goldvein.signals import Signals


def two_epochs() -> Signals:
    signals = Signals(torch.tensor([0, 1, -1, 1]))
    rows = torch.tensor([0, 1, 3])
    signals.update(rows, torch.tensor([[0.9, 0.1], [0.75, 0.25], [0.25, 0.75]]))
    signals.update(rows, torch.tensor([[0.25, 0.75], [0.5, 0.5], [0.125, 0.875]]))
    return signals


def test_update() -> None:
    signals = two_epochs()
    assert signals.n_epochs == 2
    assert signals.agreement.tolist() == [1, 0, 0, 2]  # of a tie the first class is the prediction
    torch.testing.assert_close(signals.margin, torch.tensor([0.8 - 0.5, -0.5 + 0.0, 0.0, 0.5 + 0.75]))



def test_state_goes_on_where_it_was_left() -> None:
    first = two_epochs()
    second = Signals(first.y)
    second.load(copy.deepcopy(first.state()))
    for signals in (first, second):
        signals.update(torch.tensor([1]), torch.tensor([[0.1, 0.9]]))
    assert second.n_epochs == 3
    for name, value in first.state().items():
        assert torch.equal(torch.as_tensor(getattr(second, name)).nan_to_num(-1), torch.as_tensor(value).nan_to_num(-1))


def test_margin_takes_the_largest_other_class() -> None:
    signals = Signals(torch.tensor([1]))
    signals.update(torch.tensor([0]), torch.tensor([[0.5, 0.3, 0.2]]))
    assert signals.margin.item() == pytest.approx(-0.2)


def test_no_rows() -> None:
    signals = Signals(torch.tensor([-1]))
    signals.update(torch.tensor([], dtype=torch.int64), torch.empty(0, 2))
    assert signals.n_epochs == 1
    assert signals.agreement.tolist() == [0]


def test_the_mean_of_the_probabilities_leans_to_the_end() -> None:
    signals = two_epochs()
    mean = signals.mean_probs()
    assert mean is not None
    expected = torch.tensor([[(0.9 + 2 * 0.25) / 3, (0.1 + 2 * 0.75) / 3], [(0.25 + 2 * 0.125) / 3, (0.75 + 1.75) / 3]])
    torch.testing.assert_close(mean[[0, 3]], expected)
    assert mean[2].tolist() == [0.0, 0.0]


def test_no_mean_where_it_would_not_fit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("goldvein.signals.MOST_CELLS", 7)
    assert two_epochs().mean_probs() is None
