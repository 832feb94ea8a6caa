"""Speed and memory of training from JPEG files on a disk, as on Clothing1M.

    python perf/make_clothing1m.py DIR --images 20000 --distinct 560
    python perf/streaming.py DIR

First: decoding to 256x256 in 1 and 2 threads, batches of 64. The script prints images per second of wall time and of
processor time, and the peak memory above the start, after 2,000 and after all images. Processor time shows the speed
of one idle core; wall time also depends on other programs. Second: how much of the decoding runs at the same time as
a small network on the same processor, and as steps that leave the processor free. Third: a training step of ResNet-50
on crops of 224x224.
"""

from __future__ import annotations

import argparse
import contextlib
import time
from collections.abc import Callable, Iterable
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


def read_memory(what: str) -> float:
    """Return the memory of this process in MiB: VmRSS now, or VmHWM, the peak since :func:`reset_peak` (Linux)."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith(what))


def reset_peak() -> None:
    with contextlib.suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")


def measure_rate(work: Callable[[], int]) -> tuple[float, float]:
    """Return images per second of wall time and of processor time."""
    wall, cpu = time.perf_counter(), time.process_time()
    n = work()
    return n / (time.perf_counter() - wall), n / (time.process_time() - cpu)


def make_batches(files: ImageFiles, n: int) -> tuple[Inputs, tuple[Tensor, ...]]:
    inputs = Inputs(files, Transform(SHAPE, "flip_crop").fit(files, "imagenet"), CPU)
    rows = torch.randperm(len(files), generator=torch.Generator().manual_seed(0))[:n]
    return inputs, rows.split(BATCH)


def measure_decoding(paths: list[Path], workers: int) -> None:
    files = ImageFiles(paths, SHAPE[1:], 3, workers)
    for n in (2000, len(files)):
        inputs, rows = make_batches(files, n)
        before = read_memory("VmRSS")
        reset_peak()
        wall, cpu = measure_rate(lambda inputs=inputs, rows=rows: sum(map(len, inputs.stream(rows))))  # type: ignore[misc]
        peak = read_memory("VmHWM") - before
        print(f"decode, {workers} threads, {n:6,} images: {wall:5.0f} /s, {cpu:5.0f} /s of one core, +{peak:4.0f} MB")


def measure_overlap(files: ImageFiles, n: int = 1920) -> None:
    """Print the time of decoding, of training, and of both together."""
    inputs, rows = make_batches(files, n)
    net = nn.Sequential(nn.Conv2d(3, 16, 7, 4), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(16, 14))
    optimizer = torch.optim.SGD(net.parameters(), 0.01)
    batch = inputs.read(rows[0])

    def train(raw: Tensor) -> None:
        loss = F.cross_entropy(net(inputs.view(raw, "weak")), torch.zeros(len(raw), dtype=torch.int64))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

    def seconds(work: Iterable[object]) -> float:
        start = time.perf_counter()
        for _ in work:
            pass
        return time.perf_counter() - start

    def compare(what: str, step: Callable[[Tensor], None]) -> None:
        training = seconds(map(step, [batch] * len(rows)))
        both = seconds(map(step, inputs.stream(rows)))
        saved = (alone + training - both) / min(alone, training)
        print(f"decode {alone:.1f} s, {what} {training:.1f} s, both {both:.1f} s: {saved:.0%} of the shorter is hidden")

    def wait(raw: Tensor) -> None:
        time.sleep(alone / len(rows))

    alone = seconds(None for _ in inputs.stream(rows))
    compare("a small network", train)
    compare("waiting as for a GPU", wait)


def measure_resnet50(batch: int = 8, steps: int = 3) -> None:
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
        wall, cpu = measure_rate(lambda train=train: train(steps))  # type: ignore[misc]
        print(f"ResNet-50 {name:8}, forward, backward, Adam: {wall:.2f} images/s, {cpu:.2f} /s of one core")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("folder", type=Path, metavar="DIR", help="folder that make_clothing1m.py wrote")
    args = parser.parse_args()
    torch.set_num_threads(1)
    paths = sorted((args.folder / "clothing1M" / "images").rglob("*.jpg"))
    for workers in (1, 2):
        measure_decoding(paths, workers)
    measure_overlap(ImageFiles(paths, SHAPE[1:], 3))
    measure_resnet50()
