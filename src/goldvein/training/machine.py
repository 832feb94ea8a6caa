"""The machine that a model is trained on: versions, names of processors, threads and peak memory."""

from __future__ import annotations

import platform
import sys
from contextlib import suppress
from pathlib import Path
from typing import TypedDict

import numpy as np
import sklearn
import torch
from torch import nn


class _MainMemory(TypedDict):
    peak_mb: int | None


class PeakMemory(_MainMemory, total=False):
    """Peak memory in MiB: see :func:`measure_peak_memory`."""

    peak_gpu_mb: int


def find_versions() -> dict[str, str]:
    """Return the versions of Python and of the libraries that results depend on."""
    return {
        "python": platform.python_version(),
        "torch": torch.__version__,
        "numpy": np.__version__,
        "sklearn": sklearn.__version__,
    }


def find_processors() -> dict[str, str]:
    """Return the name of the processor as ``cpu``, and the name of the GPU as ``gpu`` if there is one."""
    names = {"cpu": _cpu_name()}
    return names | ({"gpu": torch.cuda.get_device_name()} if torch.cuda.is_available() else {})


def find_device(net: nn.Module) -> dict[str, str | int]:
    """Return the name of the device of a network as ``device``, and the number of torch's threads as ``threads``."""
    device = next(net.parameters()).device
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else device.type
    return {"device": name, "threads": torch.get_num_threads()}


def set_threads(n: int) -> None:
    """Let torch compute with n threads in this process."""
    torch.set_num_threads(n)


def reset_peak_memory() -> None:
    """Start a new measurement of peak memory. Only Linux can reset the peak of main memory."""
    with suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")
    if torch.cuda.is_available():
        torch.cuda.reset_peak_memory_stats()


def measure_peak_memory() -> PeakMemory:
    """Return the peak memory of this process in MiB.

    ``peak_mb`` is main memory, None on Windows; ``peak_gpu_mb`` is GPU memory, absent without a GPU.
    """
    try:
        import resource
    except ImportError:  # Windows
        return {"peak_mb": None}
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    unit = 2**20 if sys.platform == "darwin" else 2**10  # macOS counts bytes, Linux KiB
    peaks: PeakMemory = {"peak_mb": round(peak / unit)}
    if torch.cuda.is_available():
        peaks["peak_gpu_mb"] = round(torch.cuda.max_memory_allocated() / 2**20)
    return peaks


def _cpu_name() -> str:
    with suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()
