"""What many tests share: a small problem with wrong and missing labels, and a run of the engine on any arrays."""

from __future__ import annotations

import os
import runpy
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import hypothesis
import numpy as np
import pytest
import torch
from torch import Tensor

from goldvein.training.inputs import Inputs, Transform
from goldvein.training.method import Method
from goldvein.training.network import build_network
from goldvein.training.recipe import Recipe
from goldvein.training.run import Run
from goldvein.training.task import Task

pytest_plugins = ["pages"]  # tests/pages.py: what the tests of report and review share

torch.set_num_threads(1)  # small networks are slower with more
hypothesis.settings.register_profile("goldvein", deadline=None)  # the first call of torch takes a second
hypothesis.settings.load_profile("goldvein")
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    # a script that starts the suite in the background has it ignore Ctrl-C, and so would all that the tests start
    signal.signal(signal.SIGINT, signal.default_int_handler)
HANG = 1800  # seconds until a wait gives up: it ends a hang, and the busiest machine needs less


@dataclass(frozen=True)
class Problem:
    """Rows (N, 2) of three classes that a line separates; a ninth of the labels is wrong, a third is missing.

    A few labels of each class are right and known to be, none of them in the validation set.
    """

    x: np.ndarray
    y: np.ndarray
    y_true: np.ndarray
    validation: np.ndarray
    trusted: np.ndarray


def some_right(y: np.ndarray, y_true: np.ndarray, validation: np.ndarray, n: int) -> np.ndarray:
    """The first n right labels of each class outside the validation set, (N,) bool."""
    right = (y == y_true) & ~validation
    rows = [np.flatnonzero(right & (y == k))[:n] for k in range(y.max() + 1)]
    return np.isin(np.arange(len(y)), np.concatenate(rows))


@pytest.fixture
def blobs() -> Problem:
    rng = np.random.default_rng(0)
    y_true = np.arange(180) % 3
    centers = np.array([[0.0, 0.0], [6.0, 0.0], [0.0, 6.0]])
    x = (centers[y_true] + rng.normal(0, 0.7, (180, 2))).astype(np.float32)
    y = y_true.copy()
    y[4::9] = (y[4::9] + 1) % 3
    y[100:160] = -1
    validation = np.zeros(180, dtype=bool)
    validation[:30] = True
    return Problem(x, y, y_true, validation, some_right(y, y_true, validation, 12))


@pytest.fixture
def images() -> Problem:
    """Rows (N, 1, 6, 6), uint8, whose class is the row of the bright line."""
    rng = np.random.default_rng(0)
    y_true = np.arange(48) % 2
    x = rng.integers(0, 60, (48, 1, 6, 6)).astype(np.uint8)
    x[np.arange(48), 0, 1 + 3 * y_true] += 180
    y = y_true.copy()
    y[3::8] = 1 - y[3::8]
    y[30:] = -1
    validation = np.zeros(48, dtype=bool)
    validation[:8] = True
    return Problem(x, y, y_true, validation, some_right(y, y_true, validation, 5))


def _start(
    method: Method,
    x: Any,
    y: Any,
    *,
    validation: Any = None,
    trusted: Any = None,
    model: Any = "mlp",
    params: dict[str, Any] | None = None,
    augment: Any = "none",
    normalize: str = "none",
    recipe: Recipe | None = None,
    seed: int = 0,
    **options: Any,
) -> Run:
    torch.manual_seed(seed)
    shape, y = tuple(x.shape[1:]), torch.as_tensor(np.asarray(y))
    n_classes = int(y.max()) + 1
    held_out = np.zeros(len(y), dtype=bool) if validation is None else np.asarray(validation)
    task = Task(
        n_samples=len(y),
        n_classes=n_classes,
        input_shape=shape,
        y=y,
        trusted=None if trusted is None else torch.as_tensor(np.asarray(trusted)),
        validation=torch.as_tensor(held_out),
        build_model=partial(build_network, model, shape, n_classes, **(params or {})),
    )
    method.setup(task)
    inputs = Inputs(x, Transform(shape, augment).fit(x, normalize), torch.device("cpu"))
    return Run(method, task, inputs, recipe or Recipe(epochs=2, batch_size=8), views=method.views, seed=seed, **options)


@pytest.fixture(scope="session")
def start() -> Callable[..., Run]:
    """``start(method, x, y, ...)`` seeds torch, sets the method up and gives its run, ready to train on."""
    return _start


def _same(first: Any, second: Any) -> bool:
    """Whether two results are equal bit by bit; NaN equals NaN."""
    if isinstance(first, dict):
        return first.keys() == second.keys() and all(_same(first[k], second[k]) for k in first)
    if isinstance(first, list | tuple):
        return len(first) == len(second) and all(_same(a, b) for a, b in zip(first, second, strict=True))
    if isinstance(first, Tensor):
        return torch.equal(first.nan_to_num(-9), second.nan_to_num(-9)) and torch.equal(first.isnan(), second.isnan())
    return first == second or (first != first and second != second)


@pytest.fixture(scope="session")
def same() -> Callable[[Any, Any], bool]:
    """``same(a, b)`` of numbers, tensors, and containers of them."""
    return _same


@pytest.fixture(scope="session")
def make_clothing1m() -> Callable[..., float]:
    """``make_clothing1m(folder, n_images, ...)`` of ``perf/make_clothing1m.py``."""
    path = Path(__file__).parents[1] / "perf" / "make_clothing1m.py"
    return runpy.run_path(str(path))["make"]


def _wait_for(file: Path, process: subprocess.Popen[str]) -> None:
    end = time.monotonic() + HANG
    while not file.exists():
        assert process.poll() is None, f"it ended with {process.returncode}: {process.communicate()[1]}"
        assert time.monotonic() < end, f"there is no {file} after {HANG} s"
        time.sleep(0.01)


@pytest.fixture(scope="session")
def wait_for() -> Callable[[Path, subprocess.Popen[str]], None]:
    """``wait_for(file, process)``: until the process has made the file; it fails if the process ends before."""
    return _wait_for


@pytest.fixture(scope="session")
def lifeline() -> Iterator[int]:
    """Standard input, for processes that would never end, which ends with this process, even if it is killed."""
    theirs, ours = os.pipe()
    yield theirs
    os.close(theirs)
    os.close(ours)


@pytest.fixture(scope="session")
def hang() -> int:
    """Seconds after which something that should have ended is taken to hang."""
    return HANG


@pytest.fixture(autouse=True)
def _random_numbers_as_they_were() -> Any:
    """No test's seed reaches another test, and none depends on what ran before it."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        yield
