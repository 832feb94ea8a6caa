"""Ctrl-C during training, and resuming with bit-identical results, in separate processes."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

TRAIN = ("train", "digits", "--noise", "pair", "--noise-rate", "0.2", "--seed", "3", "--quiet")
SETTINGS = ("--model", "held:net", "--set", "epochs=3", "--set", "batch_size=64")

# a network that, where HELD names a file, makes it and trains no further once there is a checkpoint: however fast or
# slow the machine is, the signal comes in the middle
NETWORK = """
import os
from pathlib import Path
from goldvein.training.network import build_network

def hold(net, x):
    held = os.environ.get("HELD")
    if held and net.training and Path(os.environ["CHECKPOINT"]).exists():
        Path(held).touch()
        os.read(0, 1)

def net(shape, n_classes):
    made = build_network("mlp", shape, n_classes)
    made.register_forward_pre_hook(hold)
    return made
"""


@pytest.fixture(scope="module")
def network(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder with the module of the network, which this process can import too."""
    folder = tmp_path_factory.mktemp("network")
    (folder / "held.py").write_text(NETWORK)
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(folder))
        yield folder


@pytest.fixture(scope="module")
def interrupted(
    tmp_path_factory: pytest.TempPathFactory, network: Path, wait_for: Callable[..., None], lifeline: int, hang: int
) -> Path:
    """A folder that a training, in a process of its own, left when it was stopped after its first checkpoint."""
    out = tmp_path_factory.mktemp("interrupted") / "run"
    held = out.parent / "held"
    environment = {"OMP_NUM_THREADS": "1", "HELD": str(held), "CHECKPOINT": str(out / "checkpoint.pt")}
    environment["PYTHONPATH"] = os.pathsep.join(sys.path)  # with the network
    command = [sys.executable, "-m", "goldvein", *TRAIN, "--out", str(out), *SETTINGS]
    pipes = {"stdin": lifeline, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    process = subprocess.Popen(command, text=True, env={**os.environ, **environment}, **pipes)
    try:
        wait_for(held, process)
        process.send_signal(signal.SIGINT)
        output, errors = process.communicate(timeout=hang)
    finally:
        process.kill()
    assert process.returncode == 130, errors
    assert (output, errors) == ("", "interrupted: repeat the command with --resume to continue\n")
    assert [path.name for path in out.iterdir()] == ["checkpoint.pt"]
    return out


def test_an_interrupted_folder_is_not_overwritten(interrupted, refused):
    before = (interrupted / "checkpoint.pt").read_bytes()
    message = refused(*TRAIN, "--out", interrupted, *SETTINGS)
    assert message.endswith("contains an interrupted run: continue it with --resume, or choose another folder")
    assert "contains an interrupted run" in refused("issues", interrupted)
    assert (interrupted / "checkpoint.pt").read_bytes() == before


def test_a_checkpoint_of_another_configuration_is_refused(interrupted, refused):
    message = refused(*TRAIN, "--out", interrupted, *SETTINGS, "--set", "lr=0.5", "--resume")
    assert "belongs to another configuration or other data" in message
    assert [path.name for path in interrupted.iterdir()] == ["checkpoint.pt"]


def test_a_damaged_checkpoint_is_refused(interrupted, refused, tmp_path):
    half = (interrupted / "checkpoint.pt").read_bytes()
    (tmp_path / "checkpoint.pt").write_bytes(half[: len(half) // 2])
    message = refused(*TRAIN, "--out", tmp_path, *SETTINGS, "--resume")
    assert "is not a checkpoint of goldvein" in message


def test_resuming_ends_with_the_same_bits(interrupted, goldvein, tmp_path):
    resumed, whole = tmp_path / "resumed", tmp_path / "whole"
    shutil.copytree(interrupted, resumed)
    assert goldvein(*TRAIN, "--out", resumed, *SETTINGS, "--resume").output == ""
    assert goldvein(*TRAIN, "--out", whole, *SETTINGS).output == ""
    names = {path.name for path in whole.iterdir()}
    assert {path.name for path in resumed.iterdir()} == names
    assert "checkpoint.pt" not in names
    for name in sorted(names - {"history.jsonl"}):  # it contains the seconds of each epoch
        assert (resumed / name).read_bytes() == (whole / name).read_bytes(), name
