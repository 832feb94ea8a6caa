"""The pipeline of Clothing1M from JPEG files to a run that predicts, on a made-up data set of its layout."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from typer.testing import CliRunner

from goldvein import runs
from goldvein.bench.job import run_job
from goldvein.bench.plan import Job
from goldvein.cli import app
from goldvein.data import standard
from goldvein.data.source import Source
from goldvein.errors import InputError

SIDES = (20, 90)  # pixels
LEARNER = {"learner": "pi_model", "alpha": 100}
SMALL = {"model": "mlp", "model_params": {"hidden": [4]}, "augment": "flip_crop", "normalize": "imagenet"}


def command(*arguments: object) -> Any:
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


@pytest.fixture(scope="module")
def folder(make_clothing1m: Callable[..., float], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """140 images, 98 of them with noisy labels and 14 with clean ones to train on."""
    folder = tmp_path_factory.mktemp("data")
    wrong = make_clothing1m(folder, 140, sides=SIDES)
    assert 0.2 < wrong < 0.6
    return folder


@pytest.fixture(scope="module")
def damaged(make_clothing1m: Callable[..., float], tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """The same with one truncated training image, and the key of it."""
    folder = tmp_path_factory.mktemp("damaged")
    make_clothing1m(folder, 140, sides=SIDES)
    key = standard.load_dataset("clothing1m", folder).ids[5]
    path = folder / "clothing1M" / key
    path.write_bytes(path.read_bytes()[:-200])
    return folder, key


def test_the_made_up_set_is_like_the_official_one(folder: Path) -> None:
    data = standard.load_dataset("clothing1m", folder)
    assert len(data.classes) == 14
    assert len(data.y) == 112
    assert sorted(data.y[data.trusted]) == sorted(data.y_test) == list(range(14))
    sizes = set()
    for path in data.x.paths:
        with Image.open(path) as image:
            sizes.add(image.size)
    assert len(sizes) > 50
    assert all(SIDES[0] <= side <= SIDES[1] for size in sizes for side in size)


def test_a_made_up_set_has_the_asked_for_noise(make_clothing1m: Callable[..., float], tmp_path: Path) -> None:
    assert make_clothing1m(tmp_path, 1400, distinct=14, sides=(8, 9)) == pytest.approx(0.39, abs=0.05)


def test_labels_that_are_trusted_are_neither_made_wrong_nor_lost(folder: Path) -> None:
    data = standard.load_dataset("clothing1m", folder)
    source = partial(Source, "clothing1m", data_dir=str(folder))
    with pytest.raises(InputError, match="clothing1m already has noisy labels"):
        source(noise="symmetric", noise_rate=0.3).dataset(seed=0, progress=False)
    few = source(labels_per_class=2).dataset(seed=0, progress=False)
    assert np.array_equal(few.y[data.trusted], data.y[data.trusted])
    assert (few.y < 0).sum() > 50


def test_a_seed_makes_the_same_files(make_clothing1m: Callable[..., float], folder: Path, tmp_path: Path) -> None:
    make_clothing1m(tmp_path, 140, sides=SIDES)
    for name in ("noisy_label_kv.txt", "clean_train_key_list.txt", "images/3/1/13.jpg"):
        assert (tmp_path / "clothing1M" / name).read_bytes() == (folder / "clothing1M" / name).read_bytes()


def test_train_and_predict_on_the_command_line(damaged: tuple[Path, str], tmp_path: Path) -> None:
    folder, key = damaged
    run = tmp_path / "run"
    options = ["--data-dir", folder, "--method", "two_stage", "--model", "mlp", "--set", "model_params.hidden=[4]"]
    settings = {"learner": "pi_model", "alpha": 100, "rounds": 1, "folds": 0}
    options += [part for name, value in settings.items() for part in ("--set", f"method.{name}={value}")]
    settings = {"augment": "flip_crop", "normalize": "imagenet", "epochs": 1, "batch_size": 32}
    options += [part for name, value in settings.items() for part in ("--set", f"{name}={value}")]
    stopped = command("train", "clothing1m", "--out", tmp_path / "stopped", *options)
    assert stopped.exit_code == 2
    assert Path(key).name in stopped.stderr
    assert "--skip-bad" in stopped.stderr
    trained = command("train", "clothing1m", "--out", run, *options, "--skip-bad", "--json")
    assert trained.exit_code == 0, trained.output
    printed = json.loads(trained.stdout)
    assert printed["n_rows"] == 111
    assert printed["n_test"] == 14
    assert 0 <= printed["test_accuracy"] <= 1
    assert key in pd.read_csv(run / "skipped.csv")["path"][0]
    written = pd.read_csv(run / "predictions.csv")
    assert len(written) == 111
    assert key not in set(written["id"])
    assert set(pd.read_csv(run / "issues.csv")["id"]) <= set(written["id"])
    history = [json.loads(line) for line in (run / "history.jsonl").read_text().splitlines()]
    assert [entry["stage"] for entry in history] == [0, 1]
    assert history[1]["consistency"] > 0
    # the folder alone predicts as the run did: crops, colors and network are built again
    data = standard.load_dataset("clothing1m", folder).without_bad_images()
    probs = runs.open_run(run).predict_proba(data)
    columns = [name for name in written if name.startswith("prob_")]
    np.testing.assert_allclose(probs, written[columns].to_numpy(), atol=2e-6)
    assert command("predict", run, "clothing1m", "--data-dir", folder, "--out", tmp_path / "test.csv").exit_code == 0
    assert len(pd.read_csv(tmp_path / "test.csv")) == 14


@pytest.mark.parametrize(
    ("data", "method", "params"),
    [
        ("clothing1m_noisy", "cross_entropy", {}),
        ("clothing1m", "two_stage_clean", {**LEARNER, "pretrain": False, "finetune_epochs": 1}),
        ("clothing1m", "fine_tune", {"base": "cross_entropy", "epochs": 1}),
    ],
)
def test_rows_of_the_table(folder: Path, data: str, method: str, params: dict[str, Any]) -> None:
    job = Job(data, method, seed=0, params=params, estimator={**SMALL, "epochs": 1, "batch_size": 32})
    result = run_job(job, folder)
    assert result["n_iter"] >= 1
    assert 0 <= result["accuracy"] <= 1
    assert result["noise_rate"] == (None if data == "clothing1m_noisy" else 0)  # what is not trusted is not known
    assert result["validation_accuracy"] is None  # too few labels to hold some out
