"""Two processes that train as one. A start of torchrun takes seconds, so one start answers all questions."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from goldvein.training import distributed

SCRIPT = r'''
import json, os, sys
import numpy as np, torch
from goldvein import NoisyLabelClassifier
from goldvein.training import distributed
from goldvein.data import standard
from goldvein.data.images import ImageFiles
from goldvein.methods.improved_baseline import ImprovedBaseline
from goldvein.methods.joint_optimization import JointOptimization
from goldvein.methods.learning_to_reweight import LearningToReweight
from goldvein.methods.mean_teacher import MeanTeacher
from goldvein.methods.mentor_net import MentorNet
from goldvein.methods.pi_model import PiModel
from goldvein.methods.two_stage import TwoStage
from goldvein.selectors.confidence import Confidence
from goldvein.training.inputs import Inputs, Transform
from goldvein.training.method import Method
from goldvein.training.recipe import Recipe
from goldvein.training.run import Run
from goldvein.training.task import Task

def fit(method, checkpoint=None, **options):
    fit_options = {"checkpoint": checkpoint}
    rng = np.random.default_rng(0)
    y = np.arange(80) % 2
    x = (rng.normal(size=(80, 4)) + 2 * y[:, None]).astype(np.float32)
    y[rng.permutation(80)[:16]] = -1
    options = {"batch_size": 8, **options}
    model = NoisyLabelClassifier(method, epochs=3, lr=0.05, optimizer="sgd", device="cpu", **options)
    if "validation_fraction" not in options:
        fit_options |= {"X_val": x[:20], "y_val": np.arange(20) % 2}
    model.fit(x, y, **fit_options)
    history = [{k: v for k, v in entry.items() if k != "seconds"} for entry in model.history_]
    return {"history": history, "probs": model.predict_proba(x).tolist()}

def networks(shape, n_classes):
    norm = torch.nn.BatchNorm1d(shape[0])
    return torch.nn.Sequential(norm, torch.nn.Linear(shape[0], n_classes), torch.nn.Dropout(0.2))

def flip(x):
    return x.flip(-1)

class Flipped(PiModel):  # two views that differ, and not by chance
    views = ("plain", "weak")

def streamed(folder):
    """Two stages on images that stay in their files; its batches divide by two."""
    data = standard.load_dataset("clothing1m_noisy", folder)
    files = ImageFiles(data.x.paths[:96], (12, 12), 3)
    method = TwoStage(selector=Confidence(), learner=Flipped(alpha=100, noise=0.0), rounds=1, folds=0)
    options = {"model": "mlp", "model_params": {"hidden": (), "dropout": 0.0}, "augment": flip, "random_state": 0}
    model = NoisyLabelClassifier(
        method, batch_size=8, epochs=3, lr=0.001, optimizer="sgd", validation_fraction=0.0, device="cpu", **options
    ).fit(files, data.y[:96])
    left_out = ("seconds", "validation_accuracy")
    history = [{k: v for k, v in entry.items() if k not in left_out} for entry in model.history_]
    kept = model.method_.kept.tolist()
    return {"history": history, "probs": model.predict_proba(files).tolist(), "kept": kept}

def plain(checkpoint=None, method="cross_entropy"):
    params = {"hidden": (8,), "dropout": 0.0}
    return fit(method, checkpoint, model="mlp", model_params=params, random_state=0)

def jointly():  # soft labels move after the first of three epochs
    return plain(method=JointOptimization())

def paced():
    return plain(method=MentorNet(curriculum="self_paced"))

def lone(method="cross_entropy"):
    """Batches of one row: one of the processes has none."""
    return fit(method, batch_size=1, model="mlp", model_params={"hidden": (8,), "dropout": 0.0}, random_state=0)

def lone_robust():
    return lone("bootstrap_soft")

def scarce(method):
    """Batches of one labeled row and seven others, of which a process has three or four; a few labels are trusted."""
    x, y = np.random.default_rng(0).normal(size=(80, 4)).astype(np.float32), np.arange(80) % 2
    x[:, 0] += 2 * y
    y[6:] = -1
    options = {"model": "mlp", "model_params": {"hidden": (8,), "dropout": 0.0}, "random_state": 0, "device": "cpu"}
    recipe = {"batch_size": 8, "epochs": 3, "lr": 0.05, "optimizer": "sgd", "validation_fraction": 0.0}
    model = NoisyLabelClassifier(method, **options, **recipe).fit(x, y, trusted=np.arange(80) < 3)
    left_out = ("seconds", "validation_accuracy")
    history = [{k: v for k, v in entry.items() if k not in left_out} for entry in model.history_]
    return {"history": history, "probs": model.predict_proba(x).tolist()}

def few():
    return scarce(MeanTeacher(noise=0.0, w_max=1.0))

def weighed():
    return scarce(LearningToReweight())

def sparse():
    """One step on terms of which a process has no row, and its weights before and after."""
    x = np.random.default_rng(0).normal(size=(7, 3)).astype(np.float32)
    y, nobody = torch.arange(7) % 2, torch.zeros(7, dtype=torch.bool)
    torch.manual_seed(0)
    method = Method()
    method.setup(Task(7, 2, (3,), y, None, nobody, lambda: torch.nn.Linear(3, 2, bias=False)))
    recipe = Recipe(epochs=1, batch_size=7, optimizer="sgd", lr=1.0, momentum=0.0, schedule="constant")
    run = Run(method, Task(7, 2, (3,), y, None, nobody, None), Inputs(x, Transform((3,), "none"), y.device), recipe)
    before, counts = method.net.weight.tolist(), []
    for _ in run.epochs():
        for batch in run.batches():
            z, row = method(batch.views[0]), batch.rows
            counts.append([len(row), int((row == 5).sum())])
            run.update({
                "all": z[:, 0],
                "one": (z[:, 1] ** 2, row == 5),
                "none": (z[:, 1], row < 0),
                "number": 0.1 * method.net.weight.square().sum(),
            })
    history = [{k: v for k, v in entry.items() if k in ("all", "one", "none", "number")} for entry in run.at.history]
    after = method.net.weight.tolist()
    return {"before": before, "after": after, "history": history, "counts": counts, "x": x.tolist()}

def fresh():  # a second network is made after the first was trained
    return fit(ImprovedBaseline(), model="mlp", model_params={"hidden": ()}, random_state=0)

if __name__ == "__main__":
    folder = sys.argv[1]
    found = {"plain": plain(f"{folder}/checkpoint{os.environ['RANK']}")}
    found |= {"fresh": fresh(), "few": few(), "weighed": weighed(), "jointly": jointly(), "paced": paced()}
    found |= {"lone": lone(), "lone_robust": lone_robust(), "sparse": sparse()}
    found["streamed"] = streamed(folder)
    # random_state=None: all take the seed of the first
    found["noisy"] = fit("temporal_ensembling", model=networks, validation_fraction=0.25, stop_after=1)
    rank, world = distributed.start(torch.device("cpu"))
    rows = torch.arange(rank, 5, 2)
    rows, values = distributed.all_rows(rows, torch.stack([rows, -rows], 1).float(), world)
    found |= {"rows": rows.tolist(), "values": values.tolist()}
    with open(f"{folder}/rank{rank}", "w") as file:
        json.dump(found, file)
'''


def environment() -> dict[str, str]:
    source = str(Path(distributed.__file__).parents[2])
    return {**os.environ, "PYTHONPATH": source, "OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""}


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory, make_clothing1m: Callable[..., float], hang: int) -> dict[str, Any]:
    """What one process, this one, and each of two report."""
    folder = tmp_path_factory.mktemp("distributed")
    script = folder / "script.py"
    script.write_text(SCRIPT)
    make_clothing1m(folder, 140, sides=(16, 30))
    launch = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", "2"]
    launch += ["--standalone", "--local-addr", "127.0.0.1"]  # it binds a port that is free, so no other can take it
    command = [*launch, str(script), str(folder)]
    done = subprocess.run(command, env=environment(), capture_output=True, text=True, timeout=hang)
    assert done.returncode == 0, done.stderr[-3000:]
    assert (folder / "checkpoint0").exists()
    assert not (folder / "checkpoint1").exists()
    here: dict[str, Any] = {"__name__": "script"}
    exec(SCRIPT, here)
    reports = {name: json.loads((folder / name).read_text()) for name in ("rank0", "rank1")}
    one = {name: here[name]() for name in LENGTHS if name != "streamed"}
    one |= {"streamed": here["streamed"](folder), "sparse": here["sparse"]()}
    return {"one": one, **reports}


LENGTHS = {"plain": 3, "fresh": 6, "streamed": 6, "few": 3, "weighed": 3, "jointly": 6, "paced": 3}
LENGTHS |= {"lone": 3, "lone_robust": 3}


@pytest.mark.parametrize(("run", "n_epochs"), LENGTHS.items())
def test_two_processes_have_the_loss_curve_of_one(found: dict[str, Any], run: str, n_epochs: int) -> None:
    one, two = found["one"][run], found["rank0"][run]
    assert len(one["history"]) == len(two["history"]) == n_epochs
    for alone, together in zip(one["history"], two["history"], strict=True):
        assert alone.keys() == together.keys()
        for key, value in alone.items():
            assert together[key] == pytest.approx(value, rel=1e-4), key
    np.testing.assert_allclose(two["probs"], one["probs"], rtol=1e-3, atol=1e-5)
    name = "bootstrap" if run == "lone_robust" else "cross_entropy"
    assert one["history"][-1][name] < one["history"][0][name]


def test_two_processes_keep_the_labels_that_one_keeps(found: dict[str, Any]) -> None:
    one, two = found["one"]["streamed"], found["rank0"]["streamed"]
    assert one["kept"] == two["kept"] == found["rank1"]["streamed"]["kept"]
    assert 5 < sum(label >= 0 for label in one["kept"]) < 90
    assert one["history"][-1]["consistency"] > 0


@pytest.mark.parametrize("run", [*LENGTHS, "noisy"])
def test_all_processes_end_with_the_same_network_and_history(found: dict[str, Any], run: str) -> None:
    assert found["rank0"][run]["probs"] == found["rank1"][run]["probs"]
    assert json.dumps(found["rank0"][run]["history"]) == json.dumps(found["rank1"][run]["history"])


@pytest.mark.parametrize("who", ["one", "rank0", "rank1"])
def test_a_term_is_the_mean_over_the_rows_of_all_processes(found: dict[str, Any], who: str) -> None:
    """However few of them a process has, in its value and in the step that it makes."""
    report = found[who]["sparse"]
    x, weight = torch.tensor(report["x"]), torch.tensor(report["before"]).requires_grad_()
    z = x @ weight.T
    terms = {"all": z[:, 0].mean(), "one": z[5, 1] ** 2, "none": 0 * z.sum(), "number": 0.1 * weight.square().sum()}
    (entry,) = report["history"]
    assert entry == {name: pytest.approx(term.item(), abs=1e-6) for name, term in terms.items()}
    (gradient,) = torch.autograd.grad(sum(terms.values()), weight)
    torch.testing.assert_close(torch.tensor(report["after"]), (weight - gradient).detach(), atol=1e-6, rtol=1e-5)


def test_one_process_alone_has_the_row_that_counts(found: dict[str, Any]) -> None:
    assert found["one"]["sparse"]["counts"] == [[7, 1]]
    counts = [found[rank]["sparse"]["counts"][0] for rank in ("rank0", "rank1")]
    assert sorted(n for n, _ in counts) == [3, 4]
    assert sorted(n for _, n in counts) == [0, 1]


def test_all_rows(found: dict[str, Any]) -> None:
    for rank in ("rank0", "rank1"):
        assert found[rank]["rows"] == [0, 2, 4, 1, 3]
        assert found[rank]["values"] == [[row, -row] for row in (0, 2, 4, 1, 3)]


# one process


def test_one_process_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("WORLD_SIZE", raising=False)
    cpu = torch.device("cpu")
    assert distributed.start(cpu) == (0, 1)
    assert distributed.first(7, cpu) == 7
    rows, values = torch.arange(3), torch.ones(3, 2)
    assert distributed.all_rows(rows, values, 1) == (rows, values)
    assert distributed.average(values) is values
    assert distributed.mean(torch.tensor([1.0, 2.0, 6.0]), torch.tensor([True, False, True])) == 3.5
    assert distributed.mean(torch.ones(2), torch.zeros(2, dtype=torch.bool)) == 0
    assert not torch.distributed.is_initialized()


def test_the_group_of_somebody_else_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whose other processes may never come to the same mean."""
    monkeypatch.delenv("WORLD_SIZE", raising=False)
    monkeypatch.setattr(torch.distributed, "all_reduce", lambda *_: pytest.fail("it would wait"))
    torch.distributed.init_process_group("gloo", store=torch.distributed.HashStore(), rank=0, world_size=1)
    try:
        assert distributed.average(torch.tensor(3.0)) == 3
        assert distributed.mean(torch.tensor([1.0, 3.0])) == 2
    finally:
        torch.distributed.destroy_process_group()


@pytest.mark.parametrize(("n", "world"), [(8, 1), (8, 2), (7, 2), (3, 4)])
def test_shares_make_up_the_batch(n: int, world: int) -> None:
    shares = [distributed.share(torch.arange(n), rank, world) for rank in range(world)]
    assert sorted(torch.cat(shares).tolist()) == list(range(n))
    assert max(map(len, shares)) - min(map(len, shares)) <= 1
