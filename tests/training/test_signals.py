"""What is remembered of each label, followed by hand over two epochs."""

from __future__ import annotations

import copy

import pytest
import torch

from goldvein.training.signals import Signals, margins

NOBODY = torch.zeros(4, dtype=torch.bool)


def two_epochs() -> Signals:
    signals = Signals(torch.tensor([0, 1, -1, 1]), NOBODY[:4])
    rows = torch.tensor([0, 1, 3])
    signals.update(rows, torch.tensor([[0.9, 0.1], [0.75, 0.25], [0.25, 0.75]]))
    signals.update(rows, torch.tensor([[0.25, 0.75], [0.5, 0.5], [0.125, 0.875]]))
    return signals


def test_update() -> None:
    signals = two_epochs()
    assert signals.n_epochs == 2
    assert signals.agreement.tolist() == [1, 0, 0, 2]  # of a tie the first class is the prediction


def test_margins_by_hand() -> None:
    signals = two_epochs()
    # of the two epochs: 0.8 and -0.5; -0.5 and 0; no label; 0.5 and 0.75
    torch.testing.assert_close(signals.margins, torch.tensor([0.3, -0.5, 0.0, 1.25]))
    found = signals.of_one_run()
    torch.testing.assert_close(found["margins"], torch.tensor([0.15, -0.25, 0.0, 0.625]))
    assert found["agreement"].tolist() == [0.5, 0, 0, 1]


def test_a_margin_is_to_the_largest_other_class() -> None:
    probs = torch.tensor([[0.5, 0.3, 0.2], [0.1, 0.2, 0.7], [0.0, 0.0, 1.0], [0.4, 0.4, 0.2]], dtype=torch.float64)
    found = margins(probs, torch.tensor([0, 1, 0, 1]))
    assert found.dtype == torch.float32
    torch.testing.assert_close(found, torch.tensor([0.2, -0.5, -1.0, 0.0]))


def test_before_the_first_epoch_there_is_nothing() -> None:
    signals = Signals(torch.tensor([0, 1]), NOBODY[:2])
    assert {name: values.tolist() for name, values in signals.of_one_run().items()} == {
        "agreement": [0, 0],
        "margins": [0, 0],
    }


def test_state_goes_on_where_it_was_left() -> None:
    first = two_epochs()
    second = Signals(first.y, first.held_out)
    second.restore(copy.deepcopy(first.state()))
    for signals in (first, second):
        signals.update(torch.tensor([1]), torch.tensor([[0.1, 0.9]]))
    assert second.n_epochs == 3
    for name, value in first.state().items():
        assert torch.equal(torch.as_tensor(getattr(second, name)).nan_to_num(-1), torch.as_tensor(value).nan_to_num(-1))


def test_no_rows() -> None:
    signals = Signals(torch.tensor([-1]), NOBODY[:1])
    signals.update(torch.tensor([], dtype=torch.int64), torch.empty(0, 2))
    assert signals.n_epochs == 1
    assert signals.agreement.tolist() == [0]


def test_without_witnesses_all_epochs_count_the_same() -> None:
    mixture = two_epochs().mixture
    torch.testing.assert_close(mixture[[0, 3]], torch.tensor([[0.575, 0.425], [0.1875, 0.8125]]))
    assert mixture[2].tolist() == [0.0, 0.0]


def test_nothing_is_kept_where_it_would_not_fit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("goldvein.training.signals.MOST_CELLS", 7)
    signals, final = two_epochs(), torch.full((4, 2), 0.5)
    assert len(signals.mixture) == 0
    assert torch.equal(signals.conclude(final), final)


def test_held_out_labels_decide_how_far_an_epoch_is_believed() -> None:
    y = torch.arange(300) % 2
    held_out = torch.arange(300) < 100
    signals = Signals(y, held_out)
    undecided, right, wrong = torch.full((300, 2), 0.5), 0.1 + 0.8 * torch.eye(2)[y], 0.1 + 0.8 * torch.eye(2)[1 - y]
    for probs, expected in ((undecided, undecided), (right, right), (wrong, right)):
        signals.update(torch.arange(300), probs)
        torch.testing.assert_close(signals.mixture, expected)
    # three of four witnesses right: P(given) is 0.9 and 0.1 by turns, and a mixture of half of each cannot gain
    mixed = torch.where((torch.arange(300) % 4 > 0)[:, None], right, wrong)
    other = Signals(y, held_out)
    other.update(torch.arange(300), mixed)
    other.update(torch.arange(300), undecided)
    # 75 log(0.9 - 0.4 a) + 25 log(0.1 + 0.4 a) is largest where 75 (0.1 + 0.4 a) = 25 (0.9 - 0.4 a)
    torch.testing.assert_close(other.mixture, mixed.lerp(undecided, 0.375), atol=1e-5, rtol=0)


def test_the_end_is_one_epoch_more() -> None:
    signals = two_epochs()
    final = torch.tensor([[0.125, 0.875], [0.5, 0.5], [0.75, 0.25], [0.5, 0.5]])
    found = signals.conclude(final)
    torch.testing.assert_close(found[0], torch.tensor([(0.9 + 0.25 + 0.125) / 3, (0.1 + 0.75 + 0.875) / 3]))
    assert found[2].tolist() == final[2].tolist()  # no label
    assert signals.n_epochs == 2


def test_few_witnesses_do_not_decide() -> None:
    signals = Signals(torch.zeros(200, dtype=torch.int64), torch.arange(200) < 99)
    signals.update(torch.arange(200), torch.tensor([[0.5, 0.5]]).expand(200, 2))
    signals.update(torch.arange(200), torch.tensor([[1.0, 0.0]]).expand(200, 2))
    assert signals.mixture[0].tolist() == [0.75, 0.25]
