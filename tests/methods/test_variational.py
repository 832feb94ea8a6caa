"""The bound against torch's distributions, an exact integral, and chains whose answer is known."""

from __future__ import annotations

import math
from itertools import permutations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn
from torch import distributions as D
from torch.nn import functional as F

from goldvein.errors import InputError
from goldvein.functional.gaussian import draw, log_normal
from goldvein.methods._variational import (
    Variational,
    decline,
    label_log_odds,
    log_probability,
    pairs,
    trusted_term,
)
from goldvein.models.mlp import MLP
from goldvein.models.resnet14 import ResNet14
from goldvein.training.device import LowPrecision
from goldvein.training.inputs import Inputs, Transform

SMALL = {"z_a": 3, "z_b": 2, "hidden": 6}


def small(
    n_classes: int = 4, shape: tuple[int, ...] = (5,), likelihood: str = "bernoulli", **sizes: int
) -> Variational:
    torch.manual_seed(0)
    network = MLP(shape, n_classes, hidden=(6,), dropout=0)
    options = {"likelihood": likelihood, "precision": "float32", **SMALL, **sizes}
    return Variational(network, shape, n_classes, **options).double()  # type: ignore[arg-type]


def served(x: Tensor) -> Inputs:
    return Inputs(x.numpy(), Transform(tuple(x.shape[1:]), "none"), torch.device("cpu"))


def inputs(n: int = 7, *shape: int) -> Tensor:
    return torch.rand(n, *(shape or (5,)), dtype=torch.float64, generator=torch.Generator().manual_seed(1))


def by_hand(model: Variational, x: Tensor, seed: int) -> Tensor:
    """The bound of the module's head, class by class; (B,)."""
    torch.manual_seed(seed)
    noise_a = torch.randn(len(x), 3, dtype=torch.float64)
    mean, log_var = model.net.encode(x)
    rows, classes = pairs(model.net.classify(draw(mean, log_var, noise_a)).softmax(1))
    noise_b = torch.zeros(4, len(x), 2, dtype=torch.float64)
    noise_b[classes, rows] = torch.randn(len(x), 2, dtype=torch.float64)[rows]  # one draw a row, for all classes

    def normal(moments: tuple[Tensor, Tensor]) -> D.Independent:
        return D.Independent(D.Normal(moments[0], (moments[1] / 2).exp()), 1)

    def conditional(net: nn.Sequential, z: Tensor, k: int) -> D.Independent:
        y = F.one_hot(torch.full((len(z),), k), q.shape[1]).to(z)
        return normal(net(torch.cat([z, y], 1)).chunk(2, 1))  # type: ignore[arg-type]

    q_a = normal(model.net.encode(x))
    z_a = q_a.base_dist.mean + q_a.base_dist.stddev * noise_a
    q = model.net.classify(z_a).softmax(1)
    prior = D.Independent(D.Normal(torch.zeros_like(noise_b[0]), 1.0), 1)
    out = D.Independent(D.Bernoulli(logits=model.decode_x(z_a), validate_args=False), 1)
    bound = out.log_prob(x) - q_a.log_prob(z_a)
    for k in range(q.shape[1]):
        q_b = conditional(model.encode_b, z_a, k)
        z_b = q_b.base_dist.mean + q_b.base_dist.stddev * noise_b[k]
        inner = conditional(model.decode_a, z_b, k).log_prob(z_a) - D.kl_divergence(q_b, prior)
        bound = bound + q[:, k] * (inner - q[:, k].log() + math.log(1 / q.shape[1]))
    return bound


def test_the_bound_by_hand() -> None:
    model, x = small(), inputs()
    torch.manual_seed(5)
    bound = model.bound(x, x)
    expected = by_hand(model, x, 5)
    torch.testing.assert_close(-sum(bound.terms.values()), expected, atol=1e-10, rtol=0)
    names = [name for name, p in model.named_parameters()]
    ours = torch.autograd.grad(-sum(bound.terms.values()).sum(), list(model.parameters()))
    theirs = torch.autograd.grad(expected.sum(), list(model.parameters()))
    for name, a, b in zip(names, ours, theirs, strict=True):
        assert torch.allclose(a, b, atol=1e-10), name


def test_the_bound_lies_below_the_evidence() -> None:
    """log p(x) of a model with one z_a and one z_b, by a fine grid."""
    model, x = small(z_a=1, z_b=1), inputs(3)
    grid = torch.linspace(-9, 9, 601, dtype=torch.float64)
    step = grid[1] - grid[0]
    with torch.no_grad():
        y = torch.eye(4, dtype=torch.float64)[:, None].expand(-1, 601, -1)
        z = torch.cat([grid[None, :, None].expand(4, -1, -1), y], 2)
        mean, log_var = model.decode_a(z).chunk(2, 2)  # (K, 601, 1)
        p_a = (log_normal(grid[:, None, None], mean[:, None], log_var[:, None])).exp()  # (K, z_a, z_b)
        p_a = (p_a * (-grid.square() / 2).exp() / math.sqrt(2 * math.pi)).sum(2).mean(0) * step  # (z_a,)
        assert (p_a.sum() * step).item() == pytest.approx(1, abs=1e-3)
        log_x = torch.stack([model.log_likelihood(row.expand(601, -1), model.decode_x(grid[:, None])) for row in x])
        evidence = (log_x.exp() * p_a).sum(1).mul(step).log()
        bounds = torch.stack([-sum(model.bound(x, x).terms.values()) for _ in range(4000)])
    mean_bound, error = bounds.mean(0), bounds.std(0) / math.sqrt(4000)
    assert (mean_bound + 3 * error < evidence).all()
    assert (mean_bound > evidence - 5).all()


def test_the_classes_sum_exactly() -> None:
    """Where z_b says nothing all is discrete: the bound of p(z_a) falls short by KL(q(y | z_a) || p(y | z_a))."""
    model, x = small(), inputs()
    with torch.no_grad():
        for p in model.encode_b[-1].parameters():
            p.zero_()  # q(z_b | z_a, y) = p(z_b)
        model.decode_a[0].weight[:, :2] = 0  # p(z_a | z_b, y) = p(z_a | y)
    torch.manual_seed(3)
    bound = model.bound(x, x)
    torch.manual_seed(3)
    mean, log_var = model.net.encode(x)
    z_a = draw(mean, log_var, torch.randn_like(mean))
    joint = torch.empty(len(x), 4, dtype=torch.float64)  # log p(y) p(z_a | y)
    for k in range(4):
        of_class = model.decode_a(torch.cat([torch.zeros(2), torch.eye(4)[k]]).double()).chunk(2)
        joint[:, k] = log_normal(z_a, *of_class) - math.log(4)
    log_q = model.net.classify(z_a).log_softmax(1)
    gap = (log_q.exp() * (log_q - joint.log_softmax(1))).sum(1)
    assert (gap > 0).all()
    found = log_normal(z_a, mean, log_var) - bound.terms["z_a"] - bound.terms["z_b"] - bound.terms["y"]
    torch.testing.assert_close(found, joint.logsumexp(1) - gap)


class Chain(nn.Module):
    """What z_b is given z_a, or z_a given z_b, in a chain of normal variables: mean z, one variance."""

    def __init__(self, deviation: float) -> None:
        super().__init__()
        self.log_var = 2 * math.log(deviation)

    def forward(self, z_and_y: Tensor) -> Tensor:
        mean = z_and_y[:, :1]
        return torch.cat([mean, torch.full_like(mean, self.log_var)], 1)


def test_z_a_is_taken_at_its_own_draw() -> None:
    """q(z_a) = N(0, 1), q(z_b | z_a) = N(z_a, s^2), p(z_a | z_b) = N(z_b, t^2): ln t - 1/2 + s^2 / (2 t^2)."""
    s, t = 0.7, 1.3
    model = small(n_classes=2, z_a=1, z_b=1)
    model.encode_b, model.decode_a = Chain(s), Chain(t)  # type: ignore[assignment]
    nn.init.zeros_(model.net.moments.weight)
    nn.init.zeros_(model.net.moments.bias)
    x = inputs(200_000)
    with torch.no_grad():
        z_a = model.bound(x, x).terms["z_a"]
    error = z_a.std().item() / math.sqrt(len(z_a))
    assert z_a.mean().item() == pytest.approx(-0.092665, abs=3 * error)
    assert math.log(t) - 0.5 + s**2 / (2 * t**2) == pytest.approx(-0.092665, abs=1e-6)
    assert abs(z_a.mean().item() - 0.499051) > 50 * error  # the closed form that is another bound


@given(st.lists(st.floats(-4, 4), min_size=2, max_size=6))
def test_the_entropy_term(logits: list[float]) -> None:
    model, x = small(n_classes=len(logits)), inputs(2)
    nn.init.zeros_(model.net.classify[2].weight)
    with torch.no_grad():
        model.net.classify[2].bias.copy_(torch.tensor(logits))
        term = model.bound(x, x).terms["y"]
    q = torch.tensor(logits).double().softmax(0)
    torch.testing.assert_close(term, (math.log(len(q)) + (q * q.log()).sum()).expand(2))
    assert (term > -1e-12).all()


def test_the_entropy_term_by_hand() -> None:
    model, x = small(n_classes=3), inputs(1)
    nn.init.zeros_(model.net.classify[2].weight)
    for q, expected in (([0.7, 0.2, 0.1], 0.2967937361), ([1 / 3] * 3, 0.0), ([1.0, 1e-30, 1e-30], math.log(3))):
        model.net.classify[2].bias.data = torch.tensor(q, dtype=torch.float64).log()
        assert model.bound(x, x).terms["y"].item() == pytest.approx(expected, abs=1e-9)


def test_reconstruction_of_zero_logits() -> None:
    model, x = small(shape=(784,)), inputs(3, 784)
    got = -model.log_likelihood(x, torch.zeros_like(x))
    torch.testing.assert_close(got, torch.full_like(got, 784 * math.log(2)))
    assert got[0].item() == pytest.approx(543.4273896, abs=1e-7)


def test_gaussian_inputs() -> None:
    model = small(shape=(3, 2, 2), likelihood="gaussian")
    x, out = inputs(4, 3, 2, 2), inputs(5, 3, 2, 2)[1:]
    with torch.no_grad():
        model.log_var_x.copy_(torch.tensor([-9.0, 0.5, 9.0]).view(3, 1, 1))
    deviation = torch.tensor([-6.0, 0.5, 2.0], dtype=torch.float64).div(2).exp().view(3, 1, 1)
    expected = D.Normal(out, deviation).log_prob(x).flatten(1).sum(1)
    torch.testing.assert_close(model.log_likelihood(x, out), expected)


def test_a_certain_class_is_the_only_one() -> None:
    model, x = small(), inputs()
    nn.init.zeros_(model.net.classify[2].weight)
    model.net.classify[2].bias.data = torch.tensor([0, 900.0, 0, 0], dtype=torch.float64)
    torch.manual_seed(3)
    terms = model.bound(x, x).terms
    for net in (model.encode_b, model.decode_a):  # the other classes may be anything
        net[0].weight.data[:, [-4, -2, -1]] = 7.0
    torch.manual_seed(3)
    other = model.bound(x, x).terms
    for name in terms:
        torch.testing.assert_close(terms[name], other[name])


def test_the_order_of_classes_changes_nothing() -> None:
    model, x = small(n_classes=3), inputs()
    torch.manual_seed(3)
    before = sum(model.bound(x, x).terms.values())
    state = {name: value.clone() for name, value in model.state_dict().items()}
    for order in map(list, permutations(range(3))):
        for name in ("net.classify.2.weight", "net.classify.2.bias"):
            model.state_dict()[name].copy_(state[name][order])
        for name in ("encode_b.0.weight", "decode_a.0.weight"):
            model.state_dict()[name][:, -3:].copy_(state[name][:, -3:][:, order])
        torch.manual_seed(3)
        torch.testing.assert_close(sum(model.bound(x, x).terms.values()), before)


def test_classes_that_are_ruled_out_are_skipped() -> None:
    model, x = small(), inputs(50)
    model.net.classify[2].weight.data *= 30
    seen: list[int] = []
    model.encode_b.register_forward_pre_hook(lambda _, given: seen.append(len(given[0])))
    torch.manual_seed(5)
    bound = model.bound(x, x)
    expected = by_hand(model, x, 5)
    q = bound.logits.softmax(1)
    likely = int((q > 1e-4).sum())
    assert 50 < likely < 180
    assert seen[0] == min(-(-likely // 64) * 64, 200)
    torch.testing.assert_close(-sum(bound.terms.values()), expected, atol=5e-3, rtol=0)
    assert not torch.equal(-sum(bound.terms.values()), expected)


def test_parameters_of_the_paper() -> None:
    model = Variational(MLP((784,), 10, hidden=(500,), dropout=0), (784,), 10, z_b=50, likelihood="bernoulli")
    assert sum(p.numel() for p in model.parameters()) == 1_052_594
    assert sum(p.numel() for p in model.net.parameters()) == 442_600 + 30_510  # encoder and classifier


def test_it_predicts_from_the_mean() -> None:
    model, x = small(), inputs()
    mean, _ = model.net.encode(x)
    torch.testing.assert_close(model.net(x), model.net.classify(mean))
    torch.testing.assert_close(model.bound(x, x).mean, mean)


@pytest.mark.parametrize("side", [8, 28, 33])
def test_a_network_that_convolves_has_such_a_decoder(side: int) -> None:
    shape = (3, side, side)
    network = LowPrecision(ResNet14(shape, 10))
    model = Variational(network, shape, 10)
    assert not any(name.endswith("head.weight") for name in model.state_dict())
    x = torch.rand(2, *shape)
    model.choose_likelihood(served(x - 0.5))
    assert model.likelihood == "gaussian"
    bound = model.bound(x, x)
    assert bound.mean.shape == (2, 128)
    assert bound.logits.shape == (2, 10)
    assert model.decode_x(torch.zeros(2, 128)).shape == x.shape
    sum(bound.terms.values()).sum().backward()
    assert all(p.grad is not None for p in model.parameters())


def test_low_precision_is_near() -> None:
    exact = small(shape=(20,), hidden=64).float()
    x = inputs(50, 20).float()
    torch.manual_seed(0)
    expected = exact.bound(x, x)
    exact.low_precision = True
    torch.manual_seed(0)
    got = exact.bound(x, x)
    assert got.logits.dtype == torch.float32
    assert all(term.dtype == torch.float32 for term in got.terms.values())
    for name, term in expected.terms.items():
        torch.testing.assert_close(got.terms[name].mean(), term.mean(), rtol=0.02, atol=0.02)


def test_what_decides_the_likelihood() -> None:
    for x, expected in ((torch.tensor([[0.0, 1.0]]), "bernoulli"), (torch.tensor([[0.0, 1.1]]), "gaussian")):
        model = small(shape=(2,), likelihood="auto")
        model.choose_likelihood(served(x))
        assert model.likelihood == expected
    model = small(shape=(2,), likelihood="gaussian")
    model.choose_likelihood(served(torch.zeros(1, 2)))
    assert model.likelihood == "gaussian"


def test_a_target_outside_of_a_bernoulli_has_a_bound_all_the_same() -> None:
    """Such as a random view: its term is that of the nearest value that is inside, whatever the decoder says."""
    model = small(likelihood="bernoulli")
    out = torch.full((1, 5), 40.0, dtype=torch.float64)
    outside = torch.tensor([[3.0, -2.0, 1.0, 0.0, 0.5]], dtype=torch.float64)
    expected = model.log_likelihood(outside.clamp(0, 1), out)
    torch.testing.assert_close(model.log_likelihood(outside, out), expected)
    assert expected < 0


def test_a_gaussian_is_not_asked_for() -> None:
    model = small(shape=(2,), likelihood="gaussian")
    model.choose_likelihood(None)  # type: ignore[arg-type]


@pytest.mark.parametrize("n_classes", [10, 1000, 20_000])
def test_uniform_classes_are_all_gone_through(n_classes: int) -> None:
    rows, classes = pairs(torch.full((2, n_classes), 1 / n_classes))
    assert sorted((rows * n_classes + classes).tolist()) == list(range(2 * n_classes))


def test_log_variances_of_inputs_are_held() -> None:
    model = small(shape=(2,), likelihood="gaussian")
    x, out = torch.zeros(1, 2, dtype=torch.float64), torch.ones(1, 2, dtype=torch.float64)
    for held, given_value in ((-2.0, None), (2.0, 30.0), (-6.0, -30.0)):  # as it starts, and beyond both ends
        with torch.no_grad():
            model.log_var_x.fill_(held if given_value is None else given_value)
        expected = log_normal(x, out, torch.full((2,), held, dtype=torch.float64))
        torch.testing.assert_close(model.log_likelihood(x, out), expected)
    assert small(shape=(2,), likelihood="gaussian").log_var_x.unique().tolist() == [-2.0]


def test_a_bernoulli_of_other_inputs_is_refused() -> None:
    model = small(shape=(2,), likelihood="bernoulli")
    model.choose_likelihood(served(torch.tensor([[0.0, 1.0]])))
    with pytest.raises(InputError, match=r"needs normalized inputs in \[0, 1\], .* reach from -0.5 to 1.25: give"):
        model.choose_likelihood(served(torch.tensor([[-0.5, 1.25]])))


def test_what_it_cannot_use() -> None:
    with pytest.raises(InputError, match="Linear has no `features` and `head`"):
        Variational(nn.Linear(3, 2), (3,), 2)
    with pytest.raises(InputError, match="unknown likelihood 'normal': known: auto, bernoulli, gaussian"):
        small(likelihood="normal")
    with pytest.raises(InputError, match="unknown precision 'half': known: auto, bfloat16, float32"):
        Variational(MLP((3,), 2), (3,), 2, precision="half")

    class Maps(nn.Conv2d):
        def features(self, x: Tensor) -> Tensor:
            return self(x)

        @property
        def head(self) -> nn.Module:
            return nn.Identity()

    with pytest.raises(InputError, match=r"features\(x\) of Maps has shape \(2, 4, 6, 6\): it must be \(B, D\)"):
        Variational(Maps(3, 4, 3), (3, 8, 8), 2)


def test_the_weight_of_a_label() -> None:
    epsilon = torch.tensor([1e-7, 1e-6, 1e-4, 1e-3, 0.01, 0.1, 0.2, 0.5, 0.9], dtype=torch.float64)
    expected = [18.32, 16.01, 11.41, 9.10, 6.79, 4.39, 3.58, 2.20, 0.0]
    assert label_log_odds(epsilon, 10, least=1e-9).tolist() == pytest.approx(expected, abs=6e-3)
    assert label_log_odds(torch.zeros(1), 10, least=1e-3).item() == pytest.approx(math.log(9 * 0.999 / 0.001))
    assert label_log_odds(torch.ones(1), 10, least=1e-3).item() == pytest.approx(0, abs=1e-6)


def test_log_probability() -> None:
    logits = torch.tensor([[1.0, 2.0], [0.0, 100.0]])
    expected = logits.softmax(1)[:, 1].log()
    torch.testing.assert_close(log_probability(logits, torch.tensor([1, 1])), expected)


@pytest.mark.parametrize("share", [0.01, 0.3])
def test_how_lambda_falls(share: float) -> None:
    assert [decline(p, (0.2, 0.6), share) for p in (0.0, 0.2, 0.6, 0.999)] == pytest.approx([1, 1, share, share])
    assert decline(0.4, (0.2, 0.6), share) == pytest.approx(share**0.5)
    assert [decline(p, (0.5, 0.5), share) for p in (0.49, 0.5, 0.51)] == pytest.approx([1, 1, share])


@pytest.mark.parametrize("n_classes", [2, 10])
def test_a_trusted_term_is_pushed_at_least_as_hard_as_any_other(n_classes: int) -> None:
    """Its gradient is f (1 - q) where the linear term has f q (1 - q): not 0 where q is."""
    logits = torch.randn(50, n_classes, dtype=torch.float64).mul_(4).requires_grad_()
    y = torch.arange(50) % n_classes
    q = logits.softmax(1)[torch.arange(50), y]
    f = math.log((n_classes - 1) * 0.999 / 0.001)
    torch.testing.assert_close(trusted_term(logits, y, 1e-3), -f * q.log())
    (sure,) = torch.autograd.grad(trusted_term(logits, y, 1e-3).sum(), logits, retain_graph=True)
    (linear,) = torch.autograd.grad(-(f * q).sum(), logits)
    torch.testing.assert_close(sure * q[:, None], linear)
