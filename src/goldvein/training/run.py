"""Run: batches, optimizer, schedule, checkpoint and several processes for any module; it knows no method."""

from __future__ import annotations

import copy
import math
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor, nn

from goldvein.errors import InputError, unknown
from goldvein.metrics import balanced_accuracy
from goldvein.progress import Progress
from goldvein.training import checkpoint as on_disk
from goldvein.training import distributed, sampling
from goldvein.training.checkpoint import Position, read_checkpoint, write_checkpoint
from goldvein.training.inputs import Inputs
from goldvein.training.predict import compute, evaluating, predict
from goldvein.training.recipe import Plateau, Recipe
from goldvein.training.sampling import Over
from goldvein.training.signals import Signals
from goldvein.training.task import Batch, Task, Term, Terms

CURVE_POINTS = 200  # most measurements of the test set in a stage
JUDGED_VIEWS = 2  # random views of a row, besides the plain one, that its label is judged by


class Run:
    """One training: what a method calls to train a module.

    Parameters
    ----------
    module : Module
        What is trained; called, it maps inputs (B, *input_shape) to logits (B, K).
    task : Task
    inputs : Inputs
        The N rows of the task.
    recipe : Recipe
    views : tuple of str
        Names of the views of each row, keys of :attr:`goldvein.training.inputs.Transform.views`, in the order of
        :attr:`goldvein.training.task.Batch.views`; a name that stands twice gives two independent views.
    stages : int or None
        Number of stages, if it is known beforehand; progress shows it.
    seed : int
        Random seed for the order of rows; the caller seeds torch for weights, dropout and views.
    watch : bool
        Whether to gather signals about the labels of training rows after each epoch; those of validation rows are
        always gathered.
    checkpoint : Path or None
        File to write after an epoch; read first if ``resume`` is set and the file exists.
    fingerprint : str
        Digest of configuration and data that a checkpoint must match.
    test : (Inputs, Tensor) or None
        Rows and true labels whose accuracy goes into the history, and nowhere else: after each epoch, or after every
        m-th epoch of a stage of 200 m epochs or more.
    """

    def __init__(
        self,
        module: nn.Module,
        task: Task,
        inputs: Inputs,
        recipe: Recipe,
        *,
        views: tuple[str, ...] = ("weak",),
        stages: int | None = None,
        seed: int = 0,
        watch: bool = True,
        checkpoint: Path | None = None,
        resume: bool = False,
        fingerprint: str = "",
        progress: Progress | None = None,
        test: tuple[Inputs, Tensor] | None = None,
    ) -> None:
        self.module, self.task, self.inputs, self.recipe = module, task, inputs, recipe
        for name in views:
            if name not in inputs.transform.views:
                raise unknown("view", name, inputs.transform.views)
        self.views, self.stages = views, stages
        self.device = inputs.device
        self.rank, self.world = distributed.start(self.device)
        self.generator = torch.Generator().manual_seed(seed)  # of its own: all processes draw the same order
        self.y = task.y
        self.signals = Signals(task.y.cpu(), task.validation.cpu())
        self.watches_labels = watch
        self.watched = ((task.y >= 0) if watch else task.validation).nonzero()[:, 0]
        self.checkpoint, self.fingerprint = checkpoint, fingerprint
        self.progress = progress or Progress(quiet=True)
        self.test = test
        self.at = Position()
        distributed.same_start(module, self.world)
        if self.rank:
            torch.manual_seed(torch.initial_seed() + self.rank)  # dropout and views differ between processes
        if resume and checkpoint is not None and checkpoint.exists():
            self._load(checkpoint)

    def with_labels(self, y: Tensor) -> Run:
        """A view of this run with other labels (N,), of validation rows too; -1 drops a label."""
        run = copy.copy(self)
        run.y = y.to(self.device)
        return run

    def with_task(self, task: Task) -> Run:
        """A view of this run with another task about the same rows."""
        run = self.with_labels(task.y)
        run.task = task
        return run

    @property
    def replaying(self) -> bool:
        """Whether the checkpoint is of a later stage, so that work between the stages has been done already."""
        return self.at.saved is not None and self.at.saved["stage"] > self.at.stage

    def epochs(self, n: int | None = None, *, net: nn.Module | None = None, **changes: Any) -> Iterator[int]:
        """One stage of training: a fresh optimizer and schedule, then epoch after epoch.

        After each epoch the validation accuracy is measured, the schedule moves, signals and history grow, and the
        checkpoint is written.

        Parameters
        ----------
        n : int, optional
            Number of epochs; by default the recipe's.
        net : Module, optional
            Module to optimize; by default all of :attr:`module`.
        **changes
            Fields of the recipe that this stage changes.

        Yields
        ------
        int
            The epoch, from 0; after resuming, from that of the checkpoint.
        """
        recipe = replace(self.recipe, **changes)
        self.n_epochs = n or recipe.epochs
        self.net = self.module if net is None else net
        self.at.stage += 1
        if self.at.saved is not None and self.at.saved["stage"] > self.at.stage:
            return
        distributed.same_start(self.module, self.world)  # modules may have been built anew between the stages
        self.optimizer = recipe.build([p for p in self.net.parameters() if p.requires_grad])
        self.plateau = Plateau(recipe)
        self.best: dict[str, Tensor] | None = None
        first = self._take_up()
        of = f" of {self.stages}" if self.stages else ""
        self.progress.stage(f"stage {self.at.stage + 1}{of}", self.n_epochs, first)
        for epoch in range(first, self.n_epochs):
            self._open_epoch(epoch, recipe)
            yield epoch
            if self._close_epoch(epoch):
                break
        if recipe.keep == "best" and self.best is not None:
            self.net.load_state_dict(self.best)

    def batches(
        self,
        labeled: Tensor | None = None,
        unlabeled: Tensor | Literal["rest", "all"] | None = None,
        *,
        sizes: tuple[int, int] | None = None,
        balance: bool = False,
        over: Over = "labeled",
    ) -> Iterator[Batch]:
        """The batches of one epoch, labeled rows first in each.

        Parameters
        ----------
        labeled : Tensor of shape (N,), bool, optional
            Rows that come with their label; by default all labeled ones outside the validation set.
        unlabeled : Tensor of shape (N,), bool, or {"rest", "all"}, optional
            Rows that come without a label: ``rest``, the training rows that are not among the labeled (all training
            rows, if those would not fill half a batch; with ``sizes``, if there are none), or ``all``. By default
            there are none.
        sizes : (int, int), optional
            Rows of each kind in a batch; by default half of the batch each (Ding et al. 2018, section 3.2).
        balance : bool, default=False
            Whether every class comes equally often among the labeled rows.
        over : {"labeled", "larger"}, default="labeled"
            The kind whose rows make up an epoch: see :data:`goldvein.training.sampling.Over`. The other is cycled.

        Yields
        ------
        Batch
        """
        if labeled is None:
            labeled = (self.y >= 0) & ~self.task.validation
        with_label = labeled.nonzero()[:, 0].cpu()
        if not len(with_label):
            raise InputError("no label is left to train on: give more labels, or let the selector keep more")
        if unlabeled is None:
            n_batches = math.ceil(len(with_label) / self.recipe.batch_size)
            order = self._draw(with_label, len(with_label), balance).to(self.device)
            yield from self._serve(sampling.split(order, n_batches), None)
            return
        half = max(1, self.recipe.batch_size // 2)
        n_first, n_second = sizes or (half, half)
        if isinstance(unlabeled, str):
            if unlabeled not in ("rest", "all"):
                raise unknown("kind of unlabeled rows", unlabeled, ("rest", "all"))
            training = ~self.task.validation
            rest = training & ~labeled
            enough = rest.sum() >= (1 if sizes else n_second)
            unlabeled = rest if unlabeled == "rest" and enough else training
        without = unlabeled.nonzero()[:, 0].cpu()
        n_batches = sampling.count_batches(len(with_label), len(without), (n_first, n_second), over)
        first = self._draw(with_label, n_batches * n_first, balance).to(self.device)
        second = sampling.cycled(without, n_batches * n_second, self.generator).to(self.device)
        yield from self._serve(sampling.split(first, n_batches), sampling.split(second, n_batches))

    def update(self, terms: Terms) -> None:
        """Step on the sum of the reduced terms; each is logged as its mean over the epoch."""
        reduced = {name: reduce(term) for name, term in terms.items()}
        self.optimizer.zero_grad(set_to_none=True)
        sum(reduced.values(), start=torch.zeros((), device=self.device)).backward()
        distributed.average_gradients(self.net.parameters(), self.world)
        self.optimizer.step()
        self.log(**{name: value.detach() for name, value in reduced.items()})

    def average(self, value: Tensor) -> Tensor:
        """Mean of a tensor over the processes; in one process, the tensor itself."""
        return distributed.average(value)

    def log_mean(self, logs: Tensor) -> Tensor:
        """Logarithm (K,) of the mean of exp(logs), (B, K), over the batch that all processes share."""
        return distributed.log_mean(logs)

    def log(self, **values: Tensor) -> None:
        """Add scalars to the means of the epoch; they stay on the device until it ends."""
        for name, value in values.items():
            total, n = self._sums.get(name, (0.0, 0))
            self._sums[name] = (total + value, n + 1)

    def set_rate(self, lr: float, beta1: float | None = None, beta2: float | None = None) -> None:
        """Set the learning rate, and Adam's moment decays, for a method with its own schedule."""
        for group in self.optimizer.param_groups:
            group["lr"] = lr
            if beta1 is not None or beta2 is not None:
                old1, old2 = group["betas"]
                group["betas"] = (old1 if beta1 is None else beta1, old2 if beta2 is None else beta2)

    def gather(self, rows: Tensor, values: Tensor) -> tuple[Tensor, Tensor]:
        """Rows and values of all processes, for state that is kept by row; in one process, the arguments."""
        return distributed.all_rows(rows, values, self.world)

    def predict(self, rows: Tensor | None = None, net: nn.Module | None = None) -> Tensor:
        """Class probabilities (n, K) of rows without random views, dropout off; by default of all N rows."""
        with evaluating(self.module if net is None else net) as judge:
            return self.compute(lambda x: judge(x).softmax(1), rows)

    def judge(self, net: nn.Module | None = None) -> Tensor:
        """Class probabilities (N, K) that labels are judged by: :meth:`predict`, averaged with two random views."""
        with evaluating(self.module if net is None else net) as judge:
            return self.compute(lambda x: judge(x).softmax(1), n_random=JUDGED_VIEWS)

    def compute(self, f: Callable[[Tensor], Tensor], rows: Tensor | None = None, n_random: int = 0) -> Tensor:
        """``f`` of the plain view of rows, (n, ...), or its mean over that and some random views.

        Each of several processes computes its share.
        """
        if rows is None:
            rows = torch.arange(len(self.inputs), device=self.device)
        place = distributed.share(torch.arange(len(rows), device=self.device), self.rank, self.world)
        values = compute(f, self.inputs, rows[place], n_random)
        place, values = self.gather(place, values)
        return values if self.world == 1 else values[place.argsort()]  # back in the order of the rows

    def _draw(self, rows: Tensor, n: int, balance: bool) -> Tensor:
        if balance:
            return sampling.balanced(rows, self.y.cpu(), n, self.generator)
        return sampling.cycled(rows, n, self.generator)

    def _serve(self, first: Sequence[Tensor], second: Sequence[Tensor] | None) -> Iterator[Batch]:
        mine = [distributed.share(rows, self.rank, self.world) for rows in first]
        both = mine
        if second is not None:
            others = [distributed.share(rows, self.rank, self.world) for rows in second]
            both = [torch.cat(pair) for pair in zip(mine, others, strict=True)]
        for n, rows, raw in zip(map(len, mine), both, self.inputs.stream(both), strict=True):
            y = self.y[rows]
            if n < len(rows):
                y[n:] = -1  # rows of the second kind come without their label
            yield Batch(tuple(self.inputs.view(raw, name) for name in self.views), y, rows)

    def _open_epoch(self, epoch: int, recipe: Recipe) -> None:
        self.epoch = epoch
        self._sums: dict[str, tuple[Any, int]] = {}
        self._started = time.perf_counter()
        rate = recipe.rate(epoch, self.n_epochs)
        if rate is not None:
            self.set_rate(rate)
        self.module.train()

    def _close_epoch(self, epoch: int) -> bool:
        """Measure, schedule, log, save; whether the stage ends here."""
        entry: dict[str, Any] = {"stage": self.at.stage, "epoch": epoch}
        for name, (total, n) in self._sums.items():
            entry[name] = distributed.average(torch.as_tensor(total) / n).item()
            if not math.isfinite(entry[name]):
                raise InputError(f"{name} is {entry[name]} in epoch {epoch}: training diverged; lower lr")
        entry["lr"] = self.optimizer.param_groups[0]["lr"]
        distributed.same_start(self.module, self.world)  # batch norms have each seen their own share
        seen = entry["validation_accuracy"] = self._watch()
        if seen > self.plateau.best:  # before the plateau takes the new accuracy in
            self.best = {name: value.clone() for name, value in self.net.state_dict().items()}
        rate = self.plateau.step(seen, entry["lr"])
        if rate != entry["lr"]:
            self.set_rate(rate)
        if self.test is not None and (epoch + 1) % max(1, self.n_epochs // CURVE_POINTS) == 0:
            inputs, y = self.test
            entry["test_accuracy"] = (predict(self.module, inputs).argmax(1) == y).double().mean().item()
        entry["seconds"] = time.perf_counter() - self._started
        self.at.history.append(entry)
        self.progress.step("" if math.isnan(seen) else f"validation {seen:.3f}")
        # a stage that ends early is resumed at its end
        self._save(self.n_epochs if self.plateau.over else epoch + 1)
        return self.plateau.over

    def _watch(self) -> float:
        """Look at the labels of all watched rows; the class-balanced validation accuracy, NaN without any."""
        probs = self.predict(self.watched)
        self.signals.update(self.watched.cpu(), probs.cpu())
        held_out = self.task.validation[self.watched] & (self.y[self.watched] >= 0)
        # balanced, so that a rare class counts as much as a frequent one
        y = self.y[self.watched][held_out]
        return balanced_accuracy(y.cpu().numpy(), probs[held_out].argmax(1).cpu().numpy())

    def _save(self, next_epoch: int) -> None:
        now = time.monotonic()
        if self.checkpoint is None or self.rank or now - self.at.saved_at < on_disk.SECONDS_BETWEEN_CHECKPOINTS:
            return
        state = {
            "fingerprint": self.fingerprint,
            "stage": self.at.stage,
            "epoch": next_epoch,
            "module": self.module.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "plateau": [self.plateau.best, self.plateau.flat, self.plateau.waited],
            "best": self.best,
            "signals": self.signals.state(),
            "history": self.at.history,
            "order": self.generator.get_state(),
            "random": torch.get_rng_state(),
            "cuda": torch.cuda.get_rng_state(self.device) if self.device.type == "cuda" else None,
        }
        write_checkpoint(self.checkpoint, state)
        self.at.saved_at = time.monotonic()

    def _load(self, path: Path) -> None:
        state = read_checkpoint(path, self.fingerprint, self.device)
        try:
            self.module.load_state_dict(state["module"])
        except (RuntimeError, KeyError) as error:
            raise InputError(f"{path} was written by another version of goldvein: remove it to start again") from error
        self.signals.restore({k: v.cpu() if isinstance(v, Tensor) else v for k, v in state["signals"].items()})
        self.at.history = state["history"]
        self.at.saved = state

    def _take_up(self) -> int:
        """The epoch to begin with: 0, or where the checkpoint of this stage lies."""
        state, self.at.saved = self.at.saved, None
        if state is None:
            return 0
        self.optimizer.load_state_dict(state["optimizer"])
        self.plateau.best, self.plateau.flat, self.plateau.waited = state["plateau"]
        self.best = state["best"]
        self.generator.set_state(state["order"].cpu())
        if self.rank == 0:  # the others have random numbers of their own
            torch.set_rng_state(state["random"].cpu())
        if self.rank == 0 and self.device.type == "cuda":
            torch.cuda.set_rng_state(state["cuda"].cpu(), self.device)
        return int(state["epoch"])


def reduce(term: Term) -> Tensor:
    """A term of a loss, see :data:`goldvein.training.task.Term`, as one number over the batch of all processes.

    A process gets the share of its own rows. The mean over the processes, of this and of its gradient, is that over
    all rows, however few of them a process has.

    Examples
    --------
    >>> values, rows = torch.tensor([1.0, 5.0, 3.0]), torch.tensor([True, False, True])
    >>> reduce(values), reduce((values, rows)), reduce((values, ~rows & rows))
    (tensor(3.), tensor(2.), tensor(0.))
    """
    if isinstance(term, tuple):
        return distributed.mean(*term)
    return distributed.mean(term) if term.dim() else term
