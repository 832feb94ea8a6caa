"""The machine is described in JSON values."""

from __future__ import annotations

import numpy as np
import torch

from goldvein.training import machine


def test_versions_and_processors_have_names() -> None:
    versions, processors = machine.find_versions(), machine.find_processors()
    assert (versions["torch"], versions["numpy"]) == (torch.__version__, np.__version__)
    assert list(versions) == ["python", "torch", "numpy", "sklearn"]
    assert ("gpu" in processors) == torch.cuda.is_available()
    assert all(isinstance(name, str) and name for name in [*versions.values(), *processors.values()])


def test_the_peak_includes_what_was_just_used() -> None:
    machine.reset_peak_memory()
    before = machine.measure_peak_memory()["peak_mb"]
    assert np.ones(2**25).sum() == 2**25  # 256 MiB
    after = machine.measure_peak_memory()["peak_mb"]
    if before is not None:
        assert after is not None
        assert after >= before > 10


def test_the_number_of_threads_is_set() -> None:
    before = torch.get_num_threads()
    machine.set_threads(1)
    assert torch.get_num_threads() == 1
    machine.set_threads(before)
