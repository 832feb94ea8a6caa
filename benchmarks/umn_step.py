"""A training step of UMN on MNIST's network against the same step written without care: one thread.

    python benchmarks/umn_step.py

784-500-(50, 50), 10 classes, 5 + 95 rows. The naive step computes in float32, repeats z for each class and appends the
class as one-hot, draws noise for each class, lets the guider look at all rows, and uses torch's default Adam. ``gemm`` is
the matrix products of our step alone, in the same precision: the floor. The three take turns within one process; printed
are medians of wall and processor time, and the median of the ratios of each turn.
"""

from __future__ import annotations

import copy
import math
import statistics
import time
from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from goldvein.data.inputs import Inputs, Transform
from goldvein.engine import Run
from goldvein.methods.umn import UMN
from goldvein.models.mlp import MLP
from goldvein.network import has_bfloat16
from goldvein.recipe import Recipe
from goldvein.task import Task

N, LABELED, K, PIXELS, HIDDEN, Z = 2_000, 100, 10, 784, 500, 50
SIZES = (5, 95)
STEPS, TURNS = 20, 15  # steps of a turn: the unlabeled rows once


class Naive(nn.Module):
    """The model of Sun et al. 2021, as the equations read."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder = two_layers(PIXELS, 2 * Z)
        self.classifier = two_layers(Z, K)
        self.conditional_encoder = two_layers(Z + K, 2 * Z)
        self.conditional_decoder = two_layers(Z + K, 2 * Z)
        self.decoder = two_layers(Z, PIXELS)

    def loss(self, x: Tensor, y: Tensor, guider: Naive) -> Tensor:
        mean, log_var = self.encoder(x + 0.15 * torch.randn_like(x)).chunk(2, 1)
        log_var = log_var.clamp(-8, 8)
        z_a = mean + (log_var / 2).exp() * torch.randn_like(mean)
        q = self.classifier(z_a).softmax(1)
        classes = torch.eye(K).repeat_interleave(len(x), 0)
        repeated = z_a.repeat(K, 1)
        mean_b, log_var_b = self.conditional_encoder(torch.cat([repeated, classes], 1)).chunk(2, 1)
        log_var_b = log_var_b.clamp(-8, 8)
        z_b = mean_b + (log_var_b / 2).exp() * torch.randn_like(mean_b)
        mean_a, log_var_a = self.conditional_decoder(torch.cat([z_b, classes], 1)).chunk(2, 1)
        log_p = log_normal(repeated, mean_a, log_var_a.clamp(-8, 8)).view(K, -1).t()
        kl = 0.5 * (mean_b**2 + log_var_b.exp() - 1 - log_var_b).sum(1).view(K, -1).t()
        reconstruction = F.binary_cross_entropy_with_logits(self.decoder(z_a), x, reduction="none").sum(1)
        bound = -reconstruction - log_normal(z_a, mean, log_var) + (q * (log_p - kl)).sum(1)
        bound = bound - math.log(K) - (q * (q + 1e-10).log()).sum(1)
        with torch.no_grad():
            other = guider.encoder(x + 0.15 * torch.randn_like(x)).chunk(2, 1)[0]
            g, g_guider = self.classifier(mean).softmax(1), guider.classifier(other).softmax(1)
            epsilon = (g - g_guider).abs()[: len(y)].gather(1, y[:, None])[:, 0].clamp(1e-3, 1 - 1 / K)
            f = ((K - 1) * (1 - epsilon) / epsilon).log()
        return -bound.mean() - (f * q[: len(y)].gather(1, y[:, None])[:, 0]).mean()


def two_layers(n_in: int, n_out: int) -> nn.Sequential:
    return nn.Sequential(nn.Linear(n_in, HIDDEN), nn.ReLU(), nn.Linear(HIDDEN, n_out))


def log_normal(x: Tensor, mean: Tensor, log_var: Tensor) -> Tensor:
    return -0.5 * (math.log(2 * math.pi) + log_var + (x - mean) ** 2 / log_var.exp()).sum(1)


def naive(images: Tensor, y: Tensor, fused: bool) -> Callable[[], None]:
    """A turn of the naive loop."""
    net = Naive()
    guider = copy.deepcopy(net)
    optimizer = torch.optim.Adam(net.parameters(), 1e-3, (0.9, 0.99), fused=fused)

    def turn() -> None:
        for _ in range(STEPS):
            with_label, without = torch.randint(LABELED, (5,)), torch.randint(LABELED, N, (95,))
            x = images[torch.cat([with_label, without])]
            loss = net.loss(x, y[with_label], guider)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            with torch.no_grad():
                for a, b in zip(guider.parameters(), net.parameters(), strict=True):
                    a.mul_(0.99).add_(b, alpha=0.01)

    return turn


def ours(images: np.ndarray, y: Tensor) -> Callable[[], None]:
    """A turn in the engine: an epoch of as many steps."""
    shape, nobody = (PIXELS,), torch.zeros(N, dtype=torch.bool)
    task = Task(N, K, shape, y, None, nobody, lambda: MLP(shape, K, hidden=(HIDDEN,), dropout=0))
    method = UMN()
    method.setup(task)
    inputs = Inputs(images, Transform(shape, "none").fit(images, "unit"), torch.device("cpu"))
    method.learner.settle(inputs.resident)
    method.n_labeled = SIZES[0]
    run = Run(method, task, inputs, Recipe(epochs=TURNS + 1, batch_size=sum(SIZES), beta2=0.99), watch=False)
    epochs = run.epochs()

    def turn() -> None:
        next(epochs)
        for batch in run.batches(unlabeled="rest", sizes=SIZES, over="unlabeled"):
            run.update(method.loss(batch))
            method.follow(0.99)

    return turn


def gemm(dtype: torch.dtype) -> Callable[[], None]:
    """The products of our step, forward and backward, with nothing between them."""
    rows = sum(SIZES)
    layers = [(rows, PIXELS, HIDDEN), (rows, HIDDEN, 2 * Z), (rows, Z, HIDDEN), (rows, HIDDEN, K)]  # encoder, classifier
    layers += [(rows, Z, HIDDEN), (rows * K, HIDDEN, 2 * Z), (rows * K, Z, HIDDEN), (rows * K, HIDDEN, 2 * Z)]
    layers += [(rows, Z, HIDDEN), (rows, HIDDEN, PIXELS)]
    tensors = [[torch.randn(a, b).to(dtype) for a, b in ((n, i), (o, i), (n, o))] for n, i, o in layers]

    def turn() -> None:
        for _ in range(STEPS):
            for k, (x, weight, gradient) in enumerate(tensors):
                x @ weight.T
                gradient.T @ x
                if k:  # the inputs need no gradient
                    gradient @ weight

    return turn


def main() -> None:
    torch.set_num_threads(1)
    torch.manual_seed(0)
    images = np.random.default_rng(0).integers(0, 256, (N, PIXELS), dtype=np.uint8)
    y = torch.where(torch.arange(N) < LABELED, torch.arange(N) % K, -1)
    x = torch.as_tensor(images).float() / 255
    dtype = torch.bfloat16 if has_bfloat16(torch.device("cpu")) else torch.float32
    rivals = {
        "naive": naive(x, y, fused=False),
        "naive, fused Adam": naive(x, y, fused=True),
        "ours": ours(images, y),
        "gemm": gemm(dtype),
    }
    wall: dict[str, list[float]] = {name: [] for name in rivals}
    processor: dict[str, list[float]] = {name: [] for name in rivals}
    for turn in range(TURNS + 1):
        for name, work in rivals.items():
            start, start_processor = time.perf_counter(), time.process_time()
            work()
            if turn:  # the first turn warms up
                wall[name].append((time.perf_counter() - start) / STEPS * 1000)
                processor[name].append((time.process_time() - start_processor) / STEPS * 1000)
    for name in rivals:
        ratios = [a / b for a, b in zip(processor["naive"], processor[name], strict=True)]
        print(
            f"{name:18} {statistics.median(wall[name]):6.2f} ms a step, {statistics.median(processor[name]):6.2f} ms of "
            f"processor time, {statistics.median(ratios):5.2f} times as fast as naive"
        )


if __name__ == "__main__":
    main()
