"""Normal distributions against those of torch."""

from __future__ import annotations

import pytest
import torch
from torch import distributions as D

from goldvein.functional.gaussian import draw, kl_standard, log_normal, split_moments


def test_normal_distributions() -> None:
    one = torch.ones(1, dtype=torch.float64)
    assert kl_standard(one, (4 * one).log()).item() == pytest.approx(1.3068528194, abs=1e-10)
    mean, log_var, x = torch.randn(3, 4, 5, dtype=torch.float64)
    normal = D.Normal(mean, (log_var / 2).exp())
    torch.testing.assert_close(log_normal(x, mean, log_var), normal.log_prob(x).sum(1))
    standard = D.Normal(torch.zeros_like(mean), 1.0)
    torch.testing.assert_close(kl_standard(mean, log_var), D.kl_divergence(normal, standard).sum(1))
    assert kl_standard(torch.zeros(2, 5), torch.zeros(2, 5)).tolist() == [0, 0]
    torch.testing.assert_close(draw(mean, log_var, x), mean + normal.stddev * x)


def test_the_moments_of_one_layer() -> None:
    mean, log_var = split_moments(torch.tensor([[1.0, 2.0, -20.0, 20.0]]), torch.float32)
    assert mean.tolist() == [[1.0, 2.0]]
    assert log_var.tolist() == [[-8.0, 8.0]]
    mean, log_var = split_moments(torch.tensor([[0.5, 3.0]], dtype=torch.bfloat16), torch.float64)
    assert (mean.dtype, log_var.dtype) == (torch.float64, torch.float64)
    assert (mean.item(), log_var.item()) == (0.5, 3.0)


def test_the_gradient_of_a_draw_reaches_both_moments() -> None:
    mean, log_var = torch.tensor([1.0, -1.0]).requires_grad_(), torch.tensor([0.0, 2.0]).requires_grad_()
    noise = torch.tensor([0.5, -2.0])
    of_mean, of_log_var = torch.autograd.grad(draw(mean, log_var, noise).sum(), (mean, log_var))
    assert of_mean.tolist() == [1, 1]
    torch.testing.assert_close(of_log_var, 0.5 * (log_var / 2).exp().detach() * noise)
