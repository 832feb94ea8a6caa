"""Images a second from JPEG files to a network, and memory: training from a disk, as on Clothing1M.

    python perf/make_clothing1m.py DIR --images 20000 --distinct 560
    python perf/streaming.py DIR

Decoding to 256x256, in 1 and 2 threads, batches of 64: images a second by the clock and by the processor time used
(the latter is that of one idle core; the former suffers from whatever else runs), and the peak of memory above the
start after 2,000 and after all images. Then how much of the decoding is hidden behind a small network on the same
processor, and behind steps that leave the processor free. Last, a training step of ResNet-50 on crops of 224x224.
"""

from __future__ import annotations

import argparse
import contextlib
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from goldvein.data.images import ImageFiles
from goldvein.models.resnet50 import ResNet50
from goldvein.training.device import LowPrecision
from goldvein.training.inputs import Inputs, Transform

SHAPE, BATCH = (3, 256, 256), 64
CPU = torch.device("cpu")


def memory(what: str) -> float:
    """MB of the process: VmRSS now, or VmHWM, the peak since the last :func:`forget_peak` (Linux)."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith(what))


def forget_peak() -> None:
    with contextlib.suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")


def timed(work: Callable[[], int]) -> tuple[float, float]:
    """Images a second by the clock, and a second of processor time."""
    wall, cpu = time.perf_counter(), time.process_time()
    n = work()
    return n / (time.perf_counter() - wall), n / (time.process_time() - cpu)


def batches(files: ImageFiles, n: int) -> tuple[Inputs, tuple[Tensor, ...]]:
    inputs = Inputs(files, Transform(SHAPE, "flip_crop").fit(files, "imagenet"), CPU)
    rows = torch.randperm(len(files), generator=torch.Generator().manual_seed(0))[:n]
    return inputs, rows.split(BATCH)


def decode(paths: ImageFiles, workers: int) -> None:
    files = ImageFiles(paths.paths, SHAPE[1:], 3, workers)
    for n in (2000, len(files)):
        inputs, rows = batches(files, n)
        before = memory("VmRSS")
        forget_peak()
        wall, cpu = timed(lambda inputs=inputs, rows=rows: sum(map(len, inputs.stream(rows))))  # type: ignore[misc]
        peak = memory("VmHWM") - before
        print(f"decode, {workers} threads, {n:6,} images: {wall:5.0f} /s, {cpu:5.0f} /s of one core, +{peak:4.0f} MB")


def overlap(files: ImageFiles, n: int = 1920) -> None:
    """Time of decoding, of training, and of both at once; the training keeps the processor busy, or leaves it free."""
    inputs, rows = batches(files, n)
    net = nn.Sequential(nn.Conv2d(3, 16, 7, 4), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(16, 14))
    optimizer = torch.optim.SGD(net.parameters(), 0.01)
    held = inputs.read(rows[0])

    def train(raw: Tensor) -> None:
        loss = F.cross_entropy(net(inputs.view(raw, "weak")), torch.zeros(len(raw), dtype=torch.int64))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

    def seconds(work: Iterator[None]) -> float:
        start = time.perf_counter()
        for _ in work:
            pass
        return time.perf_counter() - start

    def compare(what: str, step: Callable[[Tensor], None]) -> None:
        training = seconds(step(held) for _ in rows)
        both = seconds(step(raw) for raw in inputs.stream(rows))
        saved = (alone + training - both) / min(alone, training)
        print(f"decode {alone:.1f} s, {what} {training:.1f} s, both {both:.1f} s: {saved:.0%} of the shorter is hidden")

    alone = seconds(None for _ in inputs.stream(rows))
    compare("a small network", train)
    compare("waiting as for a GPU", lambda raw: time.sleep(alone / len(rows)))


def step_of_resnet50(batch: int = 8, steps: int = 3) -> None:
    x, y = torch.randn(batch, 3, 224, 224), torch.zeros(batch, dtype=torch.int64)
    plain, low = ResNet50((3, 224, 224), 14), LowPrecision(ResNet50((3, 224, 224), 14))
    for name, net in (("float32", plain), ("bfloat16", low)):
        optimizer = torch.optim.Adam(net.parameters(), 3e-4, fused=True)

        def train(n: int, net: nn.Module = net, optimizer: torch.optim.Optimizer = optimizer) -> int:
            for _ in range(n):
                optimizer.zero_grad()
                F.cross_entropy(net(x), y).backward()
                optimizer.step()
            return n * batch

        train(1)
        wall, cpu = timed(lambda train=train: train(steps))  # type: ignore[misc]
        print(f"ResNet-50 {name:8}, forward, backward, Adam: {wall:.2f} images/s, {cpu:.2f} /s of one core")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("folder", type=Path)
    args = parser.parse_args()
    torch.set_num_threads(1)
    found = ImageFiles(sorted((args.folder / "clothing1M" / "images").rglob("*.jpg")), SHAPE[1:], 3)
    for workers in (1, 2):
        decode(found, workers)
    overlap(found)
    step_of_resnet50()
