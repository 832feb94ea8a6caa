"""Ctrl-C during training, and resuming with bit-identical results, in separate processes."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

# about two seconds: long enough for a signal during training, short enough for a test
TRAIN = ("train", "digits", "--noise", "pair", "--noise-rate", "0.2", "--seed", "3", "--quiet")
SETTINGS = ("--set", "epochs=15", "--set", "batch_size=64")


def start(*arguments: object) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "goldvein", *map(str, arguments)]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    return subprocess.Popen(command, text=True, env={**os.environ, "OMP_NUM_THREADS": "1"}, **pipes)


def run(*arguments: object) -> tuple[int, str]:
    process = start(*arguments)
    _, errors = process.communicate(timeout=300)
    return process.returncode, errors


@pytest.fixture(scope="module")
def interrupted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a training that was stopped after its first checkpoint."""
    out = tmp_path_factory.mktemp("interrupted") / "run"
    process = start(*TRAIN, "--out", out, *SETTINGS)
    deadline = time.monotonic() + 120
    while not (out / "checkpoint.pt").exists() and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.005)
    process.send_signal(signal.SIGINT)
    output, errors = process.communicate(timeout=120)
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


def test_resuming_ends_with_the_same_bits(interrupted, tmp_path):
    resumed, whole = tmp_path / "resumed", tmp_path / "whole"
    shutil.copytree(interrupted, resumed)
    assert run(*TRAIN, "--out", resumed, *SETTINGS, "--resume") == (0, "")
    assert run(*TRAIN, "--out", whole, *SETTINGS) == (0, "")
    names = {path.name for path in whole.iterdir()}
    assert {path.name for path in resumed.iterdir()} == names
    assert "checkpoint.pt" not in names
    for name in sorted(names - {"history.jsonl"}):  # it contains the seconds of each epoch
        assert (resumed / name).read_bytes() == (whole / name).read_bytes(), name
