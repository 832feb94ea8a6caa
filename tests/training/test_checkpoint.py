"""A run that was stopped and resumed is the same run, bit by bit."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from goldvein.config import names as byname
from goldvein.errors import InputError
from goldvein.methods.cross_entropy import CrossEntropy
from goldvein.methods.mentor_net import MentorNet
from goldvein.methods.pi_model import PiModel
from goldvein.methods.temporal_ensembling import TemporalEnsembling
from goldvein.methods.two_stage import TwoStage
from goldvein.methods.two_stage_clean import TwoStageClean
from goldvein.training import checkpoint as on_disk
from goldvein.training.recipe import Recipe
from goldvein.training.run import Run
from goldvein.training.task import Terms

Start = Callable[..., Run]
Same = Callable[[Any, Any], bool]


def outcome(run: Run) -> tuple[Any, ...]:
    history = [{k: v for k, v in entry.items() if k != "seconds"} for entry in run.at.history]
    return run.module.state_dict(), history, run.signals.state()


VARIANTS = {
    **{name: byname.find("methods", name) for name in byname.names("methods")},
    "two_stage of two rounds": lambda: TwoStage(rounds=2, folds=0),
    "two_stage of two folds": lambda: TwoStage(rounds=2, folds=2),
    "two_stage with pi_model": lambda: TwoStage(learner=PiModel(ramp=0.5), folds=0, stage1_epochs=2),
    "two_stage_clean with networks apart": lambda: TwoStageClean(separate=True, finetune_epochs=2, finetune_lr=1e-3),
    "mentor_net with a learned curriculum": lambda: MentorNet("learned"),
    "temporal_ensembling with its own optimizer": lambda: TemporalEnsembling(optimizer="adam"),
}
RECIPES = {
    "plateau": Recipe(epochs=3, batch_size=10, lr=0.01, patience=1, keep="best"),
    "early": Recipe(epochs=5, batch_size=10, optimizer="sgd", lr=0.02, stop_after=1, keep="best", weight_decay=1e-3),
}


def stop_after(n_updates: int, patch: pytest.MonkeyPatch) -> None:
    """Let training stop, as by Ctrl-C, once it has made a number of updates."""
    update, done = Run.update, itertools.count()

    def stopping(self: Run, terms: Terms) -> None:
        if next(done) == n_updates:
            raise KeyboardInterrupt
        update(self, terms)

    patch.setattr(Run, "update", stopping)


@pytest.mark.parametrize(
    ("variant", "recipe"), [*((name, "plateau") for name in VARIANTS), ("two_stage of two rounds", "early")]
)
def test_a_run_that_is_stopped_again_and_again_is_the_same_run(
    start: Start, same: Same, images: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, variant: str, recipe: str
) -> None:
    monkeypatch.setattr(on_disk, "SECONDS_BETWEEN_CHECKPOINTS", 0)

    def again(checkpoint: Path | None) -> Run:
        known = {"validation": images.validation, "trusted": images.trusted}
        options = {**known, "augment": "shift", "normalize": "auto", "recipe": RECIPES[recipe]}
        params = {"hidden": (16,), "dropout": 0.2}
        method = VARIANTS[variant]()
        return start(method, images.x, images.y, params=params, checkpoint=checkpoint, resume=True, **options)

    whole, made = again(None), itertools.count()
    with pytest.MonkeyPatch.context() as patch:
        update = Run.update
        patch.setattr(Run, "update", lambda self, terms: (next(made), update(self, terms))[1])
        whole.module.train_on(whole)
    an_epoch = next(made) / len(whole.at.history)
    stages_stopped_in = set()
    for _ in range(len(whole.at.history) + 1):
        run = again(tmp_path / "checkpoint")
        with pytest.MonkeyPatch.context() as patch:
            stop_after(int(2.5 * an_epoch), patch)
            try:
                run.module.train_on(run)
            except KeyboardInterrupt:
                stages_stopped_in.add(run.at.stage)
                torch.rand(7)  # whatever else happens in between
                continue
        break
    assert stages_stopped_in, "the run was never stopped"
    assert same(outcome(run), outcome(whole))
    finished = again(tmp_path / "checkpoint")
    finished.module.train_on(finished)
    assert same(outcome(finished), outcome(whole))


def test_a_stop_in_every_stage_of_two_rounds(
    start: Start, same: Same, images: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(on_disk, "SECONDS_BETWEEN_CHECKPOINTS", 0)

    def again(checkpoint: Path | None) -> Run:
        recipe = Recipe(epochs=2, batch_size=10, lr=0.01, keep="best")
        options = {"validation": images.validation, "augment": "shift", "recipe": recipe, "resume": True}
        return start(TwoStage(rounds=2, folds=0), images.x, images.y, checkpoint=checkpoint, **options)

    whole = again(None)
    n_updates: list[int] = []
    update = Run.update
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Run, "update", lambda run, terms: (n_updates.append(run.at.stage), update(run, terms))[1])
        whole.module.train_on(whole)
    assert set(n_updates) == {0, 1, 2}
    for stage in (0, 1, 2):
        path = tmp_path / str(stage)
        for at in (n_updates.index(stage), n_updates.index(stage) + n_updates.count(stage) - 1):
            path.unlink(missing_ok=True)
            run = again(path)
            with pytest.MonkeyPatch.context() as patch:
                stop_after(at, patch)
                with pytest.raises(KeyboardInterrupt):
                    run.module.train_on(run)
            assert run.at.stage == stage
            run = again(path)
            run.module.train_on(run)
            assert same(outcome(run), outcome(whole))


def test_checkpoints_are_not_written_all_the_time(
    start: Start, blobs: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert 1 <= on_disk.SECONDS_BETWEEN_CHECKPOINTS <= 60
    monkeypatch.setattr(on_disk, "SECONDS_BETWEEN_CHECKPOINTS", 10**6)  # more than the slowest machine needs
    run = start(CrossEntropy(), blobs.x, blobs.y, recipe=Recipe(epochs=4, batch_size=64), checkpoint=tmp_path / "c")
    run.module.train_on(run)
    assert torch.load(tmp_path / "c", weights_only=True)["epoch"] == 1


def test_without_resume_a_run_starts_afresh(start: Start, blobs: Any, tmp_path: Path) -> None:
    for _ in range(2):
        run = start(CrossEntropy(), blobs.x, blobs.y, checkpoint=tmp_path / "c")
        run.module.train_on(run)
        assert len(run.at.history) == 2


def test_a_checkpoint_of_something_else(start: Start, blobs: Any, tmp_path: Path) -> None:
    path = tmp_path / "c"
    first = start(CrossEntropy(), blobs.x, blobs.y, checkpoint=path, fingerprint="one")
    first.module.train_on(first)
    with pytest.raises(InputError, match="belongs to another configuration or other data"):
        start(CrossEntropy(), blobs.x, blobs.y, checkpoint=path, fingerprint="two", resume=True)


def test_a_checkpoint_of_another_version(start: Start, blobs: Any, tmp_path: Path) -> None:
    path = tmp_path / "c"
    run = start(CrossEntropy(), blobs.x, blobs.y, checkpoint=path)
    run.module.train_on(run)
    state = torch.load(path, weights_only=True)
    torch.save({**state, "module": {"old": torch.zeros(1)}}, path)
    with pytest.raises(InputError, match="was written by another version of goldvein: remove it to start again"):
        start(CrossEntropy(), blobs.x, blobs.y, checkpoint=path, resume=True)


@pytest.mark.parametrize("content", [b"", b"what is this", None, {"epoch": 3}, [1, 2], "half"], ids=str)
def test_what_is_no_checkpoint(start: Start, blobs: Any, tmp_path: Path, content: Any) -> None:
    path = tmp_path / "c"
    if isinstance(content, bytes):
        path.write_bytes(content)
    elif content == "half":
        run = start(CrossEntropy(), blobs.x, blobs.y, checkpoint=path)
        run.module.train_on(run)
        path.write_bytes(path.read_bytes()[:-500])
    else:
        torch.save(content, path)
    with pytest.raises(InputError, match="is not a checkpoint of goldvein: remove it to start again"):
        start(CrossEntropy(), blobs.x, blobs.y, checkpoint=path, resume=True)
