"""What a given label weighs: eqs. 5, 6 and 8, and the guider of eq. 7."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from by_hand import reduced
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

from goldvein.classifier import NoisyLabelClassifier
from goldvein.methods._variational import label_log_odds
from goldvein.methods.m_vae import MVAE
from goldvein.methods.umn import UMN, disagreement
from goldvein.models.mlp import MLP
from goldvein.training.recipe import Recipe
from goldvein.training.run import Run
from goldvein.training.task import Batch, Task, Terms

Start = Callable[..., Run]
SMALL: dict[str, Any] = {"z_a": 3, "z_b": 3, "hidden": 8, "precision": "float32"}
PIXELS = {**SMALL, "likelihood": "bernoulli"}


def ready(method: Any, n_classes: int = 3) -> Any:
    """A method that is set up, in float64, for inputs of four numbers."""
    torch.manual_seed(0)
    none, nobody = torch.empty(0, dtype=torch.int64), torch.empty(0, dtype=torch.bool)
    build = lambda: MLP((4,), n_classes, hidden=(8,), dropout=0)  # noqa: E731
    method.setup(Task(0, n_classes, (4,), none, None, nobody, build))
    return method.double()


def umn(**params: Any) -> UMN:
    return ready(UMN(**PIXELS, **params))


def batch(n: int = 6, labeled: int = 4) -> Batch:
    g = torch.Generator().manual_seed(1)
    y = torch.randint(0, 3, (n,), generator=g)
    y[labeled:] = -1
    return Batch((torch.rand(n, 4, dtype=torch.float64, generator=g),), y, torch.arange(n))


@given(st.integers(2, 12), st.floats(1e-3, 0.999), st.integers(0, 2**16))
def test_eq_6_is_eq_5(n_classes: int, share: float, seed: int) -> None:
    """sum_k q_k log p(y^ | k) = f q(y^) + log(epsilon / (C - 1)), in value and in gradient."""
    epsilon = torch.tensor(max(share * (1 - 1 / n_classes), 1e-3), dtype=torch.float64)
    p = torch.full((n_classes, n_classes), epsilon.item() / (n_classes - 1), dtype=torch.float64)
    p.fill_diagonal_(1 - epsilon.item())  # eq. 5: rows y, columns y^
    torch.testing.assert_close(p.sum(1), torch.ones(n_classes, dtype=torch.float64))
    g = torch.Generator().manual_seed(seed)
    logits = torch.randn(5, n_classes, dtype=torch.float64, generator=g, requires_grad=True)
    y = torch.randint(0, n_classes, (5,), generator=g)
    q = logits.softmax(1)
    exact = -(q * p.log()[:, y].T).sum(1)
    linear = UMN().weigh(logits, y, epsilon.expand(5))
    dropped = math.log(epsilon.item() / (n_classes - 1))
    torch.testing.assert_close(exact, linear - dropped, atol=1e-10, rtol=1e-10)
    (of_exact,) = torch.autograd.grad(exact.sum(), logits, retain_graph=True)
    (of_linear,) = torch.autograd.grad(linear.sum(), logits)
    torch.testing.assert_close(of_exact, of_linear, atol=1e-10, rtol=1e-10)
    f = label_log_odds(epsilon, n_classes, 1e-3)
    given_q = q.gather(1, y[:, None])
    by_hand = -f * given_q * (nn.functional.one_hot(y, n_classes) - q)
    torch.testing.assert_close(of_linear, by_hand, atol=1e-10, rtol=1e-10)


@given(st.floats(1e-3, 0.6), st.integers(0, 2**16))
def test_the_other_labeled_terms(epsilon: float, seed: int) -> None:
    g = torch.Generator().manual_seed(seed)
    logits = torch.randn(8, 3, dtype=torch.float64, generator=g)
    y = torch.randint(0, 3, (8,), generator=g)
    q, e = logits.softmax(1).gather(1, y[:, None])[:, 0], torch.full((8,), epsilon, dtype=torch.float64)
    marginal = UMN(labeled="marginal").weigh(logits, y, e)
    torch.testing.assert_close(marginal, -((1 - e) * q + e * (1 - q) / 2).log())
    linear = UMN().weigh(logits, y, e) - math.log(epsilon / 2)
    assert (linear >= marginal - 1e-12).all()  # Jensen: the sum of logarithms against the logarithm of the sum
    most = UMN(labeled="marginal").weigh(logits, y, torch.ones_like(e))  # epsilon is held at (C - 1) / C
    torch.testing.assert_close(most, torch.full_like(most, math.log(3)))
    ce = UMN(labeled="ce").weigh(logits, y, e)
    torch.testing.assert_close(ce, -label_log_odds(e, 3, 1e-3) * q.log())


def test_the_marginal_term_without_noise_is_cross_entropy() -> None:
    logits, y = torch.randn(8, 3, dtype=torch.float64), torch.tensor([0, 1, 2, 0, 1, 2, 0, 1])
    term = UMN(labeled="marginal", least=1e-12).weigh(logits, y, torch.zeros(8, dtype=torch.float64))
    torch.testing.assert_close(term, nn.functional.cross_entropy(logits, y, reduction="none"))


def test_epsilon_of_equal_networks_is_zero() -> None:
    method, one = umn(noise=0.0), batch()
    mean = method.learner.net.encode(one.views[0])[0]
    epsilon = method.uncertainty(one.views[0], one.y.clamp(min=0), mean)
    assert epsilon.tolist() == [0] * 6
    f = label_log_odds(epsilon, 3, method.least)
    torch.testing.assert_close(f, torch.full_like(f, math.log(2 * 0.999 / 0.001)))


@given(st.lists(st.floats(-12, 0), min_size=2, max_size=2))
def test_epsilon_is_a_distance(logs: list[float]) -> None:
    g, g_guider = (torch.tensor([v], dtype=torch.float64) for v in logs)
    assert disagreement(g, g_guider, "absdiff").item() == pytest.approx(abs(math.exp(logs[0]) - math.exp(logs[1])))
    assert disagreement(g, g_guider, "dlog").item() == pytest.approx(abs(logs[0] - logs[1]))
    for metric in ("absdiff", "dlog"):
        assert disagreement(g, g_guider, metric) == disagreement(g_guider, g, metric)
        assert disagreement(g, g, metric).item() == 0
    assert 0 <= disagreement(g, g_guider, "absdiff").item() <= 1


def test_epsilon_by_hand() -> None:
    method, one = umn(noise=0.0), batch()
    for p in method.guider.parameters():
        p.add_(0.1)
    y = one.y.clamp(min=0)
    g, g_guider = (net(one.views[0]).softmax(1).gather(1, y[:, None])[:, 0] for net in (method.net, method.guider))
    mean = method.learner.net.encode(one.views[0])[0]
    torch.testing.assert_close(method.uncertainty(one.views[0], y, mean), (g - g_guider).abs().detach())
    assert (g - g_guider).abs().min() > 1e-4


def test_epsilon_of_a_near_guider_is_the_slope() -> None:
    """theta' = theta + t d: epsilon -> t |grad g . d|, in proportion to t."""
    method, one = umn(noise=0.0), batch(labeled=6)
    x, y = one.views[0], one.y
    params = list(method.net.parameters())
    g = method.net(x).softmax(1).gather(1, y[:, None])[:, 0]
    directions = [torch.randn_like(p) for p in params]
    gradients = [torch.autograd.grad(v, params, retain_graph=True) for v in g]
    slopes = torch.stack([sum((a * d).sum() for a, d in zip(of, directions, strict=True)) for of in gradients])
    for t in (1e-6, 1e-8):
        for a, p, d in zip(method.guider.parameters(), params, directions, strict=True):
            a.copy_(p.detach() + t * d)
        epsilon = method.uncertainty(x, y, method.learner.net.encode(x)[0])
        torch.testing.assert_close(epsilon / t, slopes.abs(), rtol=0, atol=1000 * t)


def test_no_gradient_passes_epsilon_or_the_guider() -> None:
    method, one = umn(), batch()
    for p in method.guider.parameters():
        p.add_(0.05)
    torch.manual_seed(2)
    expected = torch.autograd.grad(sum(reduced(method.loss(one)).values()), list(method.learner.parameters()))
    constant = []
    original = method.uncertainty
    method.uncertainty = lambda *given: constant.append(original(*given)) or constant[-1].clone()  # type: ignore[method-assign]
    torch.manual_seed(2)
    loss = sum(reduced(method.loss(one)).values())
    assert not constant[0].requires_grad
    assert all(p.grad is None and not p.requires_grad for p in method.guider.parameters())
    for a, b in zip(expected, torch.autograd.grad(loss, list(method.learner.parameters())), strict=True):
        assert torch.equal(a, b)


def test_the_loss_is_the_bound_and_the_labeled_rows() -> None:
    method, one = umn(noise=0.0), batch()
    for p in method.guider.parameters():
        p.mul_(1.1)
    torch.manual_seed(2)
    terms = reduced(method.loss(one, weight=3.0))
    torch.manual_seed(2)
    torch.randn_like(one.views[0])
    bound = method.learner.bound(one.views[0], one.views[0])
    for name, term in bound.terms.items():
        torch.testing.assert_close(terms[name], term.mean())
    epsilon = method.uncertainty(one.views[0], one.y.clamp(min=0), bound.mean)[:4]
    f = label_log_odds(epsilon, 3, method.least)
    q = bound.logits.softmax(1)[torch.arange(4), one.y[:4]]
    torch.testing.assert_close(terms["labeled"], -3.0 * (f * q).mean())
    torch.manual_seed(2)  # more rows than labels: the same
    torch.testing.assert_close(reduced(method.loss(one, 5, 3.0))["labeled"], terms["labeled"])


def test_a_batch_without_a_label() -> None:
    assert reduced(umn().loss(batch(labeled=0)))["labeled"].item() == 0


def guider_after(decay: Callable[[int], float], weights: list[float]) -> float:
    method = umn()
    for step, weight in enumerate(weights):
        for p in method.net.parameters():
            p.data.fill_(weight)
        if step == 0:
            method.guider.load_state_dict(method.net.state_dict())
        else:
            method.follow(decay(step))
    values = torch.cat([p.flatten() for p in method.guider.parameters()])
    assert values.min() == values.max()
    return float(values[0])


def test_the_moving_average() -> None:
    weights = [1.0, 3.0, -2.0, 5.0]
    assert guider_after(lambda _: 0.0, weights) == 5.0
    assert guider_after(lambda _: 1.0, weights) == 1.0
    assert guider_after(lambda _: 0.7, [2.5] * 4) == pytest.approx(2.5, abs=1e-12)
    closed = 0.7**3 * 1.0 + 0.3 * (0.7**2 * 3.0 + 0.7 * -2.0 + 5.0)
    assert guider_after(lambda _: 0.7, weights) == pytest.approx(closed, abs=1e-12)


def test_the_average_of_the_first_steps_is_plain() -> None:
    method = UMN()
    weights = [math.sin(step) for step in range(60)]
    assert guider_after(lambda t: method.gamma(t, 0.0), weights) == pytest.approx(sum(weights) / 60, abs=1e-12)
    assert [method.gamma(t, 0.0) for t in (1, 98, 99, 39_999)] == pytest.approx([0.5, 98 / 99, 0.99, 0.99])
    assert method.gamma(40_000, 0.0) == 0.999
    assert method.gamma(2000, 0.5) == 0.999
    assert method.gamma(9, 0.9) == 0.9


def test_batch_norms_are_averaged_too() -> None:
    method = umn()
    method.learner.net.trunk.add_module("norm", nn.BatchNorm1d(2))
    method.guider = copy.deepcopy(method.learner.net)
    method.learner.net.trunk.norm.running_mean.fill_(1.0)
    method.learner.net.trunk.norm.num_batches_tracked.fill_(7)
    method.follow(0.9)
    assert method.guider.trunk.norm.running_mean.tolist() == pytest.approx([0.1, 0.1])
    assert method.guider.trunk.norm.num_batches_tracked == 7


class Constant(UMN):
    """One epsilon for all labels, found without a look at them."""

    def uncertainty(self, x: Tensor, y: Tensor, mean: Tensor) -> Tensor:
        return torch.full_like(mean[:, 0], 0.3)


def test_with_one_epsilon_it_is_m_vae(start: Start, blobs: Any, same: Callable[..., bool]) -> None:
    options = {"validation": blobs.validation, "recipe": Recipe(epochs=3, batch_size=16), "normalize": "standard"}
    runs = []
    for method in (Constant(**SMALL), MVAE(noise_rate=0.3, **SMALL)):
        torch.manual_seed(0)
        run = start(method, blobs.x, blobs.y, **options)
        torch.manual_seed(1)  # setup of the guider draws nothing, but nothing says so
        run.module.train_on(run)
        runs.append(run)
    ours, theirs = (run.module.learner.state_dict() for run in runs)
    assert same(ours, theirs)
    losses = [[{k: v for k, v in entry.items() if k != "seconds"} for entry in run.at.history] for run in runs]
    assert same(*losses)


def train_by_hand(run: Run) -> None:
    """Eqs. 4 to 8 step by step, for the arguments of the test below."""
    learner, guider = run.module.learner, run.module.guider
    learner.choose_likelihood(run.inputs)
    adam = torch.optim.Adam(learner.parameters(), 0.01, (0.9, 0.99))
    step = 0
    for epoch, lead in enumerate([1.0, 1.0, (7 / 40) ** 0.5, 7 / 40]):
        learner.train()
        guider.eval()
        for batch in run.batches(unlabeled="rest", sizes=(7, 33), over="larger"):
            x, y = batch.views[0], batch.y[:7, None]
            bound = learner.bound(x + 0.3 * torch.randn_like(x), x)
            with torch.no_grad():
                g = learner.net.classify(bound.mean[:7]).softmax(1)
                g_guider = guider(x[:7] + 0.3 * torch.randn_like(x[:7])).softmax(1)
                epsilon = (g - g_guider).gather(1, y).abs().clamp(1e-3, 2 / 3)
                f = (2 * (1 - epsilon) / epsilon).log()
            labeled = (f * bound.logits[:7].softmax(1).gather(1, y)).mean()
            adam.zero_grad()
            (sum(term.mean() for term in bound.terms.values()) - lead * 0.7 * labeled).backward()
            adam.step()
            step += 1
            gamma = min(step / (step + 1), 0.999 if epoch >= 2 else 0.8)
            with torch.no_grad():
                for average, weights in zip(guider.parameters(), learner.net.parameters(), strict=True):
                    average.mul_(gamma).add_(weights, alpha=1 - gamma)


def test_a_training_by_hand(start: Start, blobs: Any) -> None:
    y = blobs.y.copy()
    y[30:] = -1
    runs = []
    for train in (lambda run: run.module.train_on(run), train_by_hand):
        method = UMN(weight=0.7, release=(0.25, 0.75), decay=0.8, noise=0.3, **SMALL)
        network = {"hidden": (8,), "dropout": 0.2}
        run = start(method, blobs.x, y, params=network, recipe=Recipe(epochs=4, batch_size=40, lr=0.01))
        torch.manual_seed(5)
        train(run)
        runs.append(run.module)
    for part in ("learner", "guider"):
        ours, by_hand = (getattr(method, part).state_dict() for method in runs)
        for name, value in by_hand.items():
            torch.testing.assert_close(ours[name], value, rtol=1e-3, atol=1e-5)


def test_its_scores(start: Start, blobs: Any) -> None:
    run = start(UMN(**SMALL), blobs.x, blobs.y, validation=blobs.validation, recipe=Recipe(epochs=3, batch_size=64))
    run.module.train_on(run)
    scores = run.module.scores(run)
    names = ["epsilon", "epsilon_recent", "log_difference", "el2n", "guider_confidence", "guider_confidence_mean"]
    assert list(scores) == names
    labeled = torch.as_tensor(blobs.y >= 0)
    y = torch.as_tensor(blobs.y)[labeled, None]
    g, g_guider = (run.predict(net=net)[labeled].gather(1, y)[:, 0] for net in (run.module.net, run.module.guider))
    sure = torch.eye(3)[y[:, 0]]
    for name, expected in (
        ("epsilon", (g - g_guider).abs()),
        ("log_difference", (g.log() - g_guider.log()).abs()),
        ("guider_confidence", g_guider),
        ("el2n", (sure - run.predict(net=run.module.guider)[labeled]).square().sum(1).sqrt()),
    ):
        assert scores[name].shape == (180,)
        assert scores[name][~labeled].isnan().all()
        torch.testing.assert_close(scores[name][labeled], expected, atol=1e-6, rtol=1e-4)
    recent = run.module.recent
    assert recent[:3].isfinite().all()
    assert recent[3:].isnan().all()
    torch.testing.assert_close(recent[2], scores["epsilon"][labeled], atol=1e-6, rtol=1e-4)
    torch.testing.assert_close(scores["epsilon_recent"][labeled], recent[:3].mean(0))


@pytest.mark.parametrize("keep", ["last", "best"])
def test_the_mean_confidence_is_of_the_epochs_since_lambda_has_fallen(start: Start, blobs: Any, keep: str) -> None:
    """Of all of them, whichever epoch's weights are kept; labels are judged by those."""
    recipe = Recipe(epochs=10, batch_size=64, keep=keep)
    run = start(UMN(**SMALL, release=(0.2, 0.4)), blobs.x, blobs.y, validation=blobs.validation, recipe=recipe)
    seen, look = [], run.module.look
    run.module.look = lambda run: seen.append(look(run)) or seen[-1]
    run.module.train_on(run)
    labeled = torch.as_tensor(blobs.y >= 0)
    expected = torch.stack([g_guider.exp() for _, g_guider, _ in seen[4:10]]).mean(0)
    means = run.module.scores(run)["guider_confidence_mean"]
    torch.testing.assert_close(means[labeled], expected, atol=1e-6, rtol=1e-5)
    assert means[~labeled].isnan().all()
    probs, learned = run.module.evidence(run)
    torch.testing.assert_close(probs, run.predict(net=run.module.guider))
    assert (learned == -1).all()
    epochs = [entry["validation_accuracy"] for entry in run.at.history]
    judged = seen[epochs.index(max(epochs)) if keep == "best" else -1][2]  # by the guider of the epoch that was kept
    torch.testing.assert_close(probs[labeled], judged)


def test_the_last_ten_epsilons_are_kept(start: Start, blobs: Any) -> None:
    run = start(UMN(**SMALL), blobs.x, blobs.y, recipe=Recipe(epochs=13, batch_size=180))
    seen, look = [], run.module.look
    run.module.look = lambda run: seen.append(look(run)) or seen[-1]
    run.module.train_on(run)
    expected = torch.stack([(g.exp() - g_guider.exp()).abs() for g, g_guider, _ in seen[-10:]]).mean(0)
    labeled = torch.as_tensor(blobs.y >= 0)
    torch.testing.assert_close(run.module.scores(run)["epsilon_recent"][labeled], expected)


def test_the_rows_of_a_batch(start: Start, blobs: Any) -> None:
    """An epoch passes the unlabeled rows once; Adam is the paper's."""
    seen: list[Tensor] = []

    class Watched(UMN):
        def loss(self, batch: Batch, *given: Any) -> Terms:
            seen.append(batch.y)
            assert run.optimizer.param_groups[0]["betas"] == (0.9, 0.99)
            return super().loss(batch, *given)

    y = blobs.y.copy()
    y[6:] = -1
    run = start(Watched(**SMALL), blobs.x, y, recipe=Recipe(epochs=1, batch_size=20))
    run.module.train_on(run)
    assert [len(y) for y in seen] == [20] * math.ceil(174 / 19)
    assert all((y[:1] >= 0).all() and (y[1:] == -1).all() for y in seen)
    assert run.module.steps == len(seen)
    seen.clear()
    run = start(Watched(**SMALL), blobs.x, blobs.y_true, recipe=Recipe(epochs=1, batch_size=20))
    run.module.train_on(run)  # no row without a label: an epoch passes the labels
    assert [len(y) for y in seen] == [20] * math.ceil(180 / 19)


@pytest.mark.parametrize("kind", [UMN, MVAE])
def test_an_interruption_changes_nothing(
    start: Start, blobs: Any, same: Callable[..., bool], tmp_path: Any, kind: type
) -> None:
    class Interrupted(kind):  # type: ignore[misc]
        def loss(self, batch: Batch, *given: Any) -> Terms:
            if len(run.at.history) == 2:
                raise KeyboardInterrupt
            return super().loss(batch, *given)

    options = {"validation": blobs.validation, "recipe": Recipe(epochs=4, batch_size=40)}
    whole = start(kind(**SMALL), blobs.x, blobs.y, **options)
    whole.module.train_on(whole)
    options["checkpoint"] = tmp_path / "checkpoint.pt"
    run = start(Interrupted(**SMALL), blobs.x, blobs.y, **options)
    with pytest.raises(KeyboardInterrupt):
        run.module.train_on(run)
    resumed = start(kind(**SMALL), blobs.x, blobs.y, resume=True, **options)
    assert 0 < len(resumed.at.history) < 4
    resumed.module.train_on(resumed)
    assert same(whole.module.state_dict(), resumed.module.state_dict())


@pytest.mark.parametrize("kind", [UMN, MVAE])
def test_a_label_known_to_be_right_weighs_its_cross_entropy(kind: type) -> None:
    one, method = batch(), ready(kind(noise=0.0, **PIXELS))
    torch.manual_seed(2)
    doubtful = reduced(method.loss(one))["labeled"]
    method.trusted = torch.tensor([False, True, False, True, False, False])
    torch.manual_seed(2)
    known = reduced(method.loss(one))["labeled"]
    torch.manual_seed(2)
    torch.randn_like(one.views[0])
    bound = method.learner.bound(one.views[0], one.views[0])
    logits = bound.logits
    q = logits.softmax(1)[torch.arange(4), one.y[:4]]
    f = math.log(2 * 0.999 / 0.001)
    of_the_two = method.labeled_term(one.views[0][:4], one.y[:4], logits[:4], bound.mean[:4])[[1, 3]].sum()
    torch.testing.assert_close(4 * (known - doubtful), -f * q[[1, 3]].log().sum() - of_the_two)


@pytest.mark.parametrize("kind", [UMN, MVAE])
def test_six_labels_known_to_be_right_outweigh_the_doubtful_ones_around_them(kind: type) -> None:
    rng = np.random.default_rng(0)
    X = np.r_[rng.normal([-2, 0], 0.7, (100, 2)), rng.normal([2, 0], 0.7, (100, 2)), rng.normal([-2, 5], 0.7, (30, 2))]
    y = np.repeat([0, 1, 0], [100, 100, 30])
    y[200:206] = 1  # of a cluster of its own, whose other 24 labels are wrong
    shares = []
    for trusted in (None, np.isin(np.arange(230), np.arange(200, 206))):
        recipe: dict[str, Any] = {"epochs": 30, "batch_size": 40, "lr": 0.01, "keep": "last"}
        model = NoisyLabelClassifier(kind(**{**SMALL, "hidden": 16}), **recipe, validation_fraction=0, random_state=0)
        model.fit(X, y, trusted=trusted)
        shares.append((model.predict(X[206:]) == 1).mean())
    assert shares[0] < 0.2
    assert shares[1] > 0.8


def test_the_guider_starts_where_the_learner_is(start: Start, blobs: Any) -> None:
    """Also where the learner has been trained before, as in two stages."""
    method = UMN(**SMALL)
    run = start(method, blobs.x, blobs.y, recipe=Recipe(epochs=1, batch_size=64))
    for p in method.net.parameters():
        p.data.add_(0.5)
    gaps = []
    original = method.loss

    def loss(batch: Batch, *given: Any) -> Terms:
        pairs_of = zip(method.guider.parameters(), method.net.parameters(), strict=True)
        gaps.append(max((a - b).abs().max().item() for a, b in pairs_of))
        return original(batch, *given)

    method.loss = loss  # type: ignore[method-assign]
    method.train_on(run)
    assert gaps[0] == 0 < gaps[-1]
    gaps.clear()
    method.train_on(run)
    assert gaps[0] > 0  # a second training goes on with both


def test_lambda_falls_to_the_share_of_labeled_rows(start: Start, blobs: Any) -> None:
    method = UMN(**SMALL, weight=0.7, release=(0.25, 0.75))
    y = blobs.y.copy()
    y[30:] = -1  # 30 of 180 labels are left: 3 of 16 rows of a batch
    run = start(method, blobs.x, y, recipe=Recipe(epochs=8, batch_size=16))
    seen: dict[int, float] = {}
    original = method.loss

    def loss(batch: Batch, n_labeled: int, weight: float) -> Terms:
        assert n_labeled == 3
        assert seen.setdefault(run.epoch, weight) == weight
        return original(batch, n_labeled, weight)

    method.loss = loss  # type: ignore[method-assign]
    method.train_on(run)
    share = 3 / 16
    expected = [1, 1, 1, share**0.25, share**0.5, share**0.75, share, share]
    assert list(seen.values()) == pytest.approx([0.7 * share for share in expected])


def test_scores_are_finite_where_a_probability_underflows(start: Start, blobs: Any) -> None:
    run = start(UMN(**SMALL), blobs.x, blobs.y, recipe=Recipe(epochs=1, batch_size=64))
    run.module.train_on(run)
    run.predict = lambda rows, net: nn.functional.one_hot(run.task.y[rows] * 0, 3).float()  # type: ignore[method-assign]
    for values in run.module.scores(run).values():
        assert values[run.task.y >= 0].isfinite().all()
