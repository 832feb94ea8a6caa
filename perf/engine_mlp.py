"""An epoch of the engine against the same mathematics written as a bare loop: MNIST's perceptron, one thread.

    python perf/engine_mlp.py

784-128-128-10, batch 128, AdaGrad, 54,000 random rows. The bare loop holds float32 tensors in memory, takes batches by
``X[rows]`` and uses torch's default AdaGrad; ``gemm`` is the matrix products of the same epoch alone, the floor. The
three take turns within one process; printed are medians, and the median of the ratios of each turn.
"""

from __future__ import annotations

import statistics
import time

import numpy as np
import torch
from torch.nn import functional as F

from goldvein.methods.cross_entropy import CrossEntropy
from goldvein.models.mlp import MLP
from goldvein.training.inputs import Inputs, Transform
from goldvein.training.recipe import Recipe
from goldvein.training.run import Run
from goldvein.training.task import Task

N, BATCH, TURNS = 54_000, 128, 7


def bare(x: torch.Tensor, y: torch.Tensor, net: torch.nn.Module, optimizer: torch.optim.Optimizer) -> None:
    net.train()
    for rows in torch.randperm(N).split(BATCH):
        loss = F.cross_entropy(net(x[rows]), y[rows])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()


def gemm(x: torch.Tensor, net: MLP) -> None:
    """The products of a forward and a backward pass, without anything else."""
    weights = [m.weight.detach() for m in net.modules() if isinstance(m, torch.nn.Linear)]
    xs = [torch.randn(BATCH, w.shape[1]) for w in weights]
    gs = [torch.randn(BATCH, w.shape[0]) for w in weights]
    for _ in range(N // BATCH):
        for k, (w, h, g) in enumerate(zip(weights, xs, gs, strict=True)):
            h @ w.T
            g.T @ h
            if k:
                g @ w


def engine(images: np.ndarray, y: torch.Tensor) -> Run:
    shape = images.shape[1:]
    task = Task(N, 10, shape, y, None, torch.zeros(N, dtype=torch.bool), lambda: MLP(shape, 10))
    method = CrossEntropy()
    method.setup(task)
    inputs = Inputs(images, Transform(shape, "none").fit(images, "unit"), torch.device("cpu"))
    return Run(method, task, inputs, Recipe(epochs=TURNS + 1, optimizer="adagrad", lr=0.01), watch=False)


def main() -> None:
    torch.set_num_threads(1)
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (N, 784), dtype=np.uint8)
    y = torch.as_tensor(rng.integers(0, 10, N))
    x = torch.as_tensor(images).float() / 255
    net = MLP((784,), 10)
    optimizer = torch.optim.Adagrad(net.parameters(), lr=0.01)
    run = engine(images, y)
    epochs = run.epochs()
    times: dict[str, list[float]] = {"bare loop": [], "engine": [], "gemm": []}
    for turn in range(TURNS + 1):
        next(epochs)
        for name, work in (
            ("bare loop", lambda: bare(x, y, net, optimizer)),
            ("engine", lambda: [run.update(run.module.loss(batch)) for batch in run.batches()]),
            ("gemm", lambda: gemm(x, net)),
        ):
            start = time.perf_counter()
            work()
            if turn:  # the first turn warms up
                times[name].append(time.perf_counter() - start)
    for name, seconds in times.items():
        ratios = [s / b for s, b in zip(seconds, times["bare loop"], strict=True)]
        print(f"{name:10} {statistics.median(seconds):.3f} s an epoch, {statistics.median(ratios):.2f} of the bare")


if __name__ == "__main__":
    main()
