"""Images a second of the engine against a plain float32 loop: ResNet-14 on 32x32 color images, one thread.

    python perf/engine_resnet14.py                    speed, on random images
    python perf/engine_resnet14.py --processes 2      in two processes at once, one a core, as tables are run
    python perf/engine_resnet14.py --accuracy DIR     accuracy too, CIFAR-10 in DIR, float32 against bfloat16

The engine computes convolutions in bfloat16, channels last, and augments batches on the fly; the plain loop does
neither, and ``plain bfloat16`` only the first, by autocast. All take turns within one process, batch 128, SGD with
momentum; printed are medians and the median ratio.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from goldvein import NoisyLabelClassifier
from goldvein.data import standard
from goldvein.methods.cross_entropy import CrossEntropy
from goldvein.models.resnet14 import ResNet14
from goldvein.training.device import LowPrecision
from goldvein.training.inputs import Inputs, Transform
from goldvein.training.recipe import Recipe
from goldvein.training.run import Run
from goldvein.training.task import Task

SHAPE, BATCH, N, TURNS = (3, 32, 32), 128, 12 * 128, 5


def speed() -> None:
    torch.set_num_threads(1)
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (N, *SHAPE), dtype=np.uint8)
    y = torch.as_tensor(rng.integers(0, 10, N))
    x = torch.as_tensor(images).float() / 255

    def plain(x: Tensor, low: bool) -> Callable[[], None]:
        layout = torch.channels_last if low else torch.contiguous_format
        x, net = x.to(memory_format=layout), ResNet14(SHAPE, 10).to(memory_format=layout)  # type: ignore[call-overload]
        optimizer = torch.optim.SGD(net.parameters(), lr=0.1, momentum=0.9)

        def turn() -> None:
            for rows in torch.randperm(N).split(BATCH):
                with torch.autocast("cpu", torch.bfloat16, enabled=low):
                    out = net(x[rows])
                loss = F.cross_entropy(out.float(), y[rows])
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()

        return turn

    nothing_held_out = torch.zeros(N, dtype=torch.bool)
    task = Task(N, 10, SHAPE, y, None, nothing_held_out, lambda: LowPrecision(ResNet14(SHAPE, 10)))
    method = CrossEntropy()
    method.setup(task)
    inputs = Inputs(images, Transform(SHAPE).fit(images, "mean"), torch.device("cpu"))
    run = Run(method, task, inputs, Recipe(epochs=TURNS + 1, optimizer="sgd", lr=0.1), watch=False)
    epochs = run.epochs()

    def engine() -> None:
        for batch in run.batches():
            run.update(method.loss(batch))

    rivals = {"plain float32": plain(x, low=False), "plain bfloat16": plain(x, low=True), "engine": engine}
    rates: dict[str, list[float]] = {name: [] for name in rivals}
    for turn in range(TURNS + 1):
        next(epochs)
        for name, work in rivals.items():
            start = time.perf_counter()
            work()
            if turn:  # the first turn warms up
                rates[name].append(N / (time.perf_counter() - start))
    for name, rate in rates.items():
        ratio = statistics.median(r / p for r, p in zip(rate, rates["plain float32"], strict=True))
        print(f"{name:14} {statistics.median(rate):6.0f} images/s, {ratio:.2f} of the plain loop")


def accuracy(data_dir: Path) -> None:
    torch.set_num_threads(1)
    cifar = standard.load("cifar10", data_dir)
    for precision in ("float32", "bfloat16"):
        scores = []
        for seed in (0, 1):
            model = NoisyLabelClassifier(
                "cross_entropy",
                model="resnet14",
                epochs=4,
                optimizer="sgd",
                lr=0.05,
                schedule="cosine",
                precision=precision,
                random_state=seed,
            )
            model.fit(cifar.x[:10_000], cifar.y[:10_000], watch=False)
            scores.append(model.score(cifar.x_test[:5000], cifar.y_test[:5000]))
        print(f"{precision:9} test accuracy {', '.join(f'{s:.1%}' for s in scores)} (10,000 images, 4 epochs, 2 seeds)")


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--accuracy", type=Path, metavar="DIR")
    parser.add_argument("--processes", type=int, default=1)
    args = parser.parse_args()
    workers = [get_context("spawn").Process(target=speed) for _ in range(args.processes - 1)]
    for worker in workers:
        worker.start()
    speed()
    for worker in workers:
        worker.join()
    if args.accuracy:
        accuracy(args.accuracy)
