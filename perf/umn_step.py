"""A training step of UMN on MNIST, compared with a naive version of the same step, on one thread.

    python perf/umn_step.py DATA_DIR

The network is 784-500-(50, 50) with 10 classes, on 100 labels with 30 % noise and batches of 5 + 95 rows. The naive
step computes in float32, repeats z for each class, appends the class as one-hot, draws noise for each class, runs the
guider on all rows, and uses the default Adam of torch. ``gemm`` is the matrix products of that step alone, in the
precision of goldvein. All take turns in one process. The script prints medians of wall time and processor time, and
the median over the turns of the ratio of processor times. It does so at the start, when every class of every row is
possible, and after six epochs, when goldvein skips most of them.
"""

from __future__ import annotations

import copy
import math
import statistics
import sys
import time
from collections.abc import Callable, Iterator

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from goldvein.data import standard
from goldvein.methods.umn import UMN
from goldvein.models.mlp import MLP
from goldvein.noise import synthetic as noise
from goldvein.training.device import has_bfloat16
from goldvein.training.inputs import Inputs, Transform
from goldvein.training.recipe import Recipe
from goldvein.training.run import Run
from goldvein.training.task import Task

K, PIXELS, HIDDEN, Z = 10, 784, 500, 50
SIZES = (5, 95)
STEPS, TURNS, LATER = 10, 15, 3000  # LATER: six epochs of 350


class Naive(nn.Module):
    """The model of Sun et al. 2021, written like the equations."""

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


def make_naive(images: Tensor, y: Tensor, fused: bool) -> Callable[[], None]:
    """Return a function that runs one turn of the naive loop."""
    net = Naive()
    guider = copy.deepcopy(net)
    optimizer = torch.optim.Adam(net.parameters(), 1e-3, (0.9, 0.99), fused=fused)
    labeled, rest = (y >= 0).nonzero()[:, 0], (y < 0).nonzero()[:, 0]

    def turn() -> None:
        for _ in range(STEPS):
            with_label = labeled[torch.randint(len(labeled), (SIZES[0],))]
            x = images[torch.cat([with_label, rest[torch.randint(len(rest), (SIZES[1],))]])]
            loss = net.loss(x, y[with_label], guider)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            with torch.no_grad():
                for a, b in zip(guider.parameters(), net.parameters(), strict=True):
                    a.mul_(0.99).add_(b, alpha=0.01)

    return turn


def make_goldvein(images: Tensor, y: Tensor) -> Callable[[], None]:
    """Return a function that runs one turn of goldvein."""
    shape, none = (PIXELS,), torch.zeros(len(y), dtype=torch.bool)
    task = Task(len(y), K, shape, y, None, none, lambda: MLP(shape, K, hidden=(HIDDEN,), dropout=0))
    method = UMN(z_b=Z)  # the size of the naive model
    method.setup(task)
    inputs = Inputs(images.numpy(), Transform(shape, "none"), torch.device("cpu"))
    method.learner.choose_likelihood(inputs)
    run = Run(method, task, inputs, Recipe(batch_size=sum(SIZES), beta2=0.99), watch=False)
    next(run.epochs())

    def steps() -> Iterator[None]:
        while True:
            for batch in run.batches(unlabeled="rest", sizes=SIZES, over="larger"):
                run.update(method.loss(batch, SIZES[0]))
                method.follow(0.99)
                yield

    endless = steps()

    def turn() -> None:
        for _ in range(STEPS):
            next(endless)

    return turn


def make_gemm(dtype: torch.dtype) -> Callable[[], None]:
    """Return a function that computes only the matrix products of a turn, forward and backward."""
    rows = sum(SIZES)
    layers = [(rows, PIXELS, HIDDEN), (rows, HIDDEN, 2 * Z)]  # encoder
    layers += [(rows, Z, HIDDEN), (rows, HIDDEN, K)]  # classifier
    layers += [(rows * K, Z + K, HIDDEN), (rows * K, HIDDEN, 2 * Z)] * 2  # conditional encoder and decoder
    layers += [(rows, Z, HIDDEN), (rows, HIDDEN, PIXELS)]  # decoder
    tensors = [[torch.randn(a, b).to(dtype) for a, b in ((n, i), (o, i), (n, o))] for n, i, o in layers]

    def turn() -> None:
        for _ in range(STEPS):
            for k, (x, weight, gradient) in enumerate(tensors):
                x @ weight.T
                gradient.T @ x
                if k:  # the inputs need no gradient
                    gradient @ weight

    return turn


def compare(loops: dict[str, Callable[[], None]]) -> None:
    """Let the loops take turns, and print their times."""
    wall: dict[str, list[float]] = {name: [] for name in loops}
    processor: dict[str, list[float]] = {name: [] for name in loops}
    for turn in range(TURNS + 1):
        for name, work in loops.items():
            start, start_processor = time.perf_counter(), time.process_time()
            work()
            if turn:  # the first turn warms up
                wall[name].append((time.perf_counter() - start) / STEPS * 1000)
                processor[name].append((time.process_time() - start_processor) / STEPS * 1000)
    for name in loops:
        ratios = [a / b for a, b in zip(processor["naive"], processor[name], strict=True)]
        print(
            f"{name:18} {statistics.median(wall[name]):6.2f} ms per step, {statistics.median(processor[name]):6.2f} ms "
            f"of processor time, {statistics.median(ratios):5.2f} times as fast as naive",
            flush=True,
        )


def main() -> None:
    torch.set_num_threads(1)
    torch.manual_seed(0)
    data = standard.load_dataset("mnist", sys.argv[1])
    images = torch.as_tensor(np.asarray(data.x)).reshape(-1, PIXELS) / 255
    y = torch.as_tensor(noise.keep_labels(data.y, 10, 0))
    y = torch.as_tensor(noise.corrupt(y.numpy(), noise.transition("symmetric", K, 0.3), 0, how="exact"))
    dtype = torch.bfloat16 if has_bfloat16(torch.device("cpu")) else torch.float32
    goldvein = make_goldvein(images, y)
    loops = {"naive": make_naive(images, y, fused=False), "naive, fused Adam": make_naive(images, y, fused=True)}
    loops |= {"goldvein": goldvein, "gemm": make_gemm(dtype)}
    print("at the start")
    compare(loops)
    for _ in range(LATER // STEPS):
        goldvein()
    print(f"{LATER} steps later")
    compare(loops)


if __name__ == "__main__":
    main()
