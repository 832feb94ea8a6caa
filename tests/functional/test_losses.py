"""Each loss against numbers worked out by hand, finite differences, and what its paper proves of it."""

from __future__ import annotations

from functools import partial
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor
from torch.nn import functional as F

from goldvein.functional import losses
from goldvein.training.run import reduce

SCORES = torch.tensor([[2.0, -1.0, 0.5]], dtype=torch.float64)
LOGITS = torch.tensor([[0.7, 0.2, 0.1]], dtype=torch.float64).log()
T = torch.tensor([[0.7, 0.2, 0.1], [0.1, 0.6, 0.3], [0.05, 0.15, 0.8]], dtype=torch.float64)
EVERY = {
    "cross_entropy": losses.cross_entropy,
    "unhinged": losses.unhinged,
    "sigmoid": losses.sigmoid,
    "savage": losses.savage,
    "bootstrap_soft": partial(losses.bootstrap_soft, beta=0.95),
    "bootstrap_hard": partial(losses.bootstrap_hard, beta=0.8),
    "forward_corrected": partial(losses.forward_corrected, T=T),
    "backward_corrected": partial(losses.backward_corrected, T_inverse=T.inverse()),
}
seeds = st.integers(0, 2**32)


def drawn(seed: int, n: int = 6, n_classes: int = 4) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    logits = 2 * torch.randn(n, n_classes, generator=generator, dtype=torch.float64)
    return logits, torch.randint(0, n_classes, (n,), generator=generator)


def stochastic(seed: int, n_classes: int = 4) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    noise = torch.rand(n_classes, n_classes, generator=generator, dtype=torch.float64)
    return 0.6 * torch.eye(n_classes, dtype=torch.float64) + 0.4 * noise / noise.sum(1, keepdim=True)


@pytest.mark.parametrize(
    ("loss", "x", "y", "value"),
    [
        ("unhinged", SCORES, 0, 1 / 3),
        ("unhinged", SCORES, 1, 4 / 3),
        ("sigmoid", SCORES, 0, 0.3730676),
        ("sigmoid", SCORES, 1, (0.7310586 + 1) / 3),
        ("savage", LOGITS, 0, 0.1797104),
        ("cross_entropy", LOGITS, 0, 0.3566749),
        ("cross_entropy", LOGITS, 2, 2.3025851),
        ("bootstrap_soft", LOGITS, 0, 0.3789321),
        ("bootstrap_hard", LOGITS, 0, 0.3566749),
        ("bootstrap_hard", LOGITS, 1, 1.3588853),
        ("forward_corrected", LOGITS, 1, 1.2909842),  # -log(.7 x .2 + .2 x .6 + .1 x .15) = -log .275
    ],
)
def test_by_hand(loss: str, x: Tensor, y: int, value: float) -> None:
    assert EVERY[loss](x, torch.tensor([y])).item() == pytest.approx(value, abs=1e-7)


@pytest.mark.parametrize("loss", EVERY)
def test_finite_differences(loss: str) -> None:
    logits, y = drawn(3, n_classes=3)
    assert torch.autograd.gradcheck(lambda x: EVERY[loss](x, y), logits.requires_grad_())


@pytest.mark.parametrize("loss", EVERY)
def test_a_row_without_a_label_has_no_part(loss: str) -> None:
    logits, y = drawn(5, n_classes=3)
    logits.requires_grad_()
    y[[1, 4]] = -1
    labeled = y >= 0
    found = reduce((EVERY[loss](logits, y), labeled))
    torch.testing.assert_close(found, EVERY[loss](logits[labeled], y[labeled]).mean())
    (gradient,) = torch.autograd.grad(found, logits)
    assert (gradient[~labeled] == 0).all()
    assert (gradient[labeled] != 0).any()


@pytest.mark.parametrize("loss", EVERY)
def test_the_mean_of_no_label_is_zero(loss: str) -> None:
    logits, _ = drawn(5, n_classes=3)
    y = torch.full((6,), -1)
    assert reduce((EVERY[loss](logits, y), y >= 0)) == 0


def test_a_missing_label_has_no_cross_entropy() -> None:
    logits, y = drawn(5, n_classes=3)
    logits.requires_grad_()
    y[[1, 4]] = -1
    found = losses.cross_entropy(logits, y)
    assert found.shape == (6,)
    assert found[[1, 4]].tolist() == [0, 0]
    (gradient,) = torch.autograd.grad(found.sum(), logits)
    assert (gradient[[1, 4]] == 0).all()


@pytest.mark.parametrize("loss", EVERY)
@pytest.mark.parametrize("scale", [60.0, 1e4])
def test_a_certain_network_has_finite_losses_and_gradients(loss: str, scale: float) -> None:
    logits = (scale * torch.eye(3)[[0, 1, 2, 0]]).requires_grad_()
    y = torch.tensor([0, 2, 1, -1])
    params: dict[str, Any] = {"T": T.float()} if loss == "forward_corrected" else {}
    if loss == "backward_corrected":
        params = {"T_inverse": T.inverse().float()}
    found = EVERY[loss](logits, y, **params)
    (gradient,) = torch.autograd.grad(reduce((found, y >= 0)), logits)
    assert found.isfinite().all()
    assert gradient.isfinite().all()


@given(seeds)
def test_the_sum_of_unhinged_over_all_labels_is_constant_for_centered_scores(seed: int) -> None:
    scores, _ = drawn(seed)
    scores = scores - scores.mean(1, keepdim=True)
    total = sum(losses.unhinged(scores, torch.full((6,), c)) for c in range(4))
    torch.testing.assert_close(total, torch.full((6,), 4.0, dtype=torch.float64))


@given(seeds)
def test_sigmoid_and_savage_are_bounded(seed: int) -> None:
    logits, y = drawn(seed)
    for loss, low, high in ((losses.sigmoid, 1.5 / 4, 2.5 / 4), (losses.savage, 0.75 / 4, 1 / 4)):
        found = loss(10 * logits, y)
        assert (found >= low).all()
        assert (found <= high).all()


@given(seeds)
def test_bootstraps_with_the_whole_weight_on_the_label_are_cross_entropy(seed: int) -> None:
    logits, y = drawn(seed)
    expected = F.cross_entropy(logits, y, reduction="none")
    torch.testing.assert_close(losses.bootstrap_soft(logits, y, 1.0), expected, atol=1e-10, rtol=1e-10)
    torch.testing.assert_close(losses.bootstrap_hard(logits, y, 1.0), expected, atol=1e-10, rtol=1e-10)


@given(seeds, st.floats(0, 1))
def test_hard_bootstrap_of_a_shared_label_is_cross_entropy(seed: int, beta: float) -> None:
    logits, _ = drawn(seed)
    y = logits.argmax(1)
    found = losses.bootstrap_hard(logits, y, beta)
    torch.testing.assert_close(found, F.cross_entropy(logits, y, reduction="none"), atol=1e-10, rtol=1e-10)


def test_soft_bootstrap_is_cross_entropy_plus_entropy_with_gradient_through_both() -> None:
    logits, y = drawn(8)
    logits.requires_grad_()
    entropy = -(logits.softmax(1) * logits.log_softmax(1)).sum(1)
    expected = 0.9 * F.cross_entropy(logits, y, reduction="none") + 0.1 * entropy
    found = losses.bootstrap_soft(logits, y, 0.9)
    torch.testing.assert_close(found, expected)
    gradients = [torch.autograd.grad(loss.sum(), logits, retain_graph=True)[0] for loss in (found, expected)]
    torch.testing.assert_close(*gradients)


@given(seeds)
def test_correction_without_noise_is_cross_entropy(seed: int) -> None:
    logits, y = drawn(seed)
    expected = F.cross_entropy(logits, y, reduction="none")
    no_noise = torch.eye(4, dtype=torch.float64)
    torch.testing.assert_close(losses.forward_corrected(logits, y, no_noise), expected, atol=1e-10, rtol=1e-10)
    torch.testing.assert_close(losses.backward_corrected(logits, y, no_noise), expected, atol=1e-10, rtol=1e-10)


@given(seeds)
def test_the_mean_of_the_backward_loss_over_the_noise_is_the_loss_of_the_true_label(seed: int) -> None:
    logits, y = drawn(seed)
    noise = stochastic(seed)
    of_label = [losses.backward_corrected(logits, torch.full((6,), j), noise.inverse()) for j in range(4)]
    expected = F.cross_entropy(logits, y, reduction="none")
    torch.testing.assert_close((noise[y] * torch.stack(of_label, 1)).sum(1), expected, atol=1e-10, rtol=1e-10)


def test_a_backward_loss_can_be_below_zero_but_not_without_bound() -> None:
    inverse = torch.tensor([[0.8, 0.2], [0.2, 0.8]]).inverse()
    found = losses.backward_corrected(torch.tensor([[30.0, 0.0], [3000.0, 0.0]]), torch.tensor([0, 0]), inverse)
    assert found[0] == pytest.approx(-16.118 / 3, rel=1e-3)  # -(-1/3) log 1e-7
    assert found[1] == found[0]


@pytest.mark.parametrize("seed", range(3))
def test_the_minimizer_of_the_forward_loss_is_the_clean_posterior(seed: int) -> None:
    noise = stochastic(seed)
    clean = drawn(seed)[0].softmax(1)
    noisy = clean @ noise
    logits = torch.zeros(6, 4, dtype=torch.float64, requires_grad=True)
    optimizer = torch.optim.LBFGS([logits], max_iter=500, tolerance_grad=1e-12, line_search_fn="strong_wolfe")

    def closure() -> Tensor:
        optimizer.zero_grad()
        of_label = [losses.forward_corrected(logits, torch.full((6,), j), noise) for j in range(4)]
        loss = (noisy * torch.stack(of_label, 1)).sum()
        loss.backward()
        return loss

    optimizer.step(closure)
    torch.testing.assert_close(logits.detach().softmax(1), clean, atol=1e-4, rtol=0)
