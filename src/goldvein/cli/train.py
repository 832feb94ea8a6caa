"""``goldvein train``."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from goldvein.cli.options import DataDir, Json, Quiet, SkipBad

if TYPE_CHECKING:
    from goldvein.data.dataset import Dataset


def train(
    data: Annotated[
        str, typer.Argument(metavar="DATA", help="A folder, a CSV, Parquet or .npz file, or a standard data set.")
    ],
    out: Annotated[Path, typer.Option(help="New folder for the run.")],
    label: Annotated[str | None, typer.Option(help="Column of the labels.", metavar="COLUMN")] = None,
    method: Annotated[str | None, typer.Option(help="See goldvein methods.  [default: two_stage]")] = None,
    model: Annotated[str | None, typer.Option(help="The network.  [default: auto]")] = None,
    config: Annotated[Path | None, typer.Option(help="TOML file of settings.", metavar="FILE")] = None,
    set_: Annotated[
        list[str] | None,
        typer.Option(
            "--set", metavar="NAME=VALUE", help="A setting, as epochs=20 or method.threshold=0.9; wins over FILE."
        ),
    ] = None,
    seed: Annotated[int | None, typer.Option(help="Of weights, order and noise.  [default: 0]", min=0)] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with an interrupted run.")] = False,
    skip_bad: SkipBad = False,
    image_size: Annotated[int | None, typer.Option(help="Side of the images, pixels.", metavar="N")] = None,
    noise: Annotated[
        str | None, typer.Option(help="Noise for labels of a standard set, or a .csv of its matrix.", metavar="NAME")
    ] = None,
    noise_rate: Annotated[float | None, typer.Option(help="Share of labels it hits.", metavar="P")] = None,
    labels_per_class: Annotated[int | None, typer.Option(help="Labels to keep.", metavar="N", min=1)] = None,
    decisions: Annotated[
        Path | None,
        typer.Option(metavar="RUN|FILE", help="Decisions of goldvein review: labels to take in place of given ones."),
    ] = None,
    data_dir: DataDir = None,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Train on doubtful labels, and list the wrong ones.

    DATA is a folder of images (a subfolder a class, "unlabeled" for the rest), a table, arrays, or the name of a
    standard data set (see goldvein data). The run folder then serves predict, issues and clean.
    """
    from goldvein import runs
    from goldvein.cli.settings import build, gather
    from goldvein.data.check import check_labels
    from goldvein.data.source import Source
    from goldvein.runs.apply import apply
    from goldvein.runs.decided import account, read
    from goldvein.runs.decisions import FILE, Log

    settings = gather(config, set_ or ())
    settings.method = method or settings.method
    if model is not None:
        settings.arguments["model"] = model
    classifier = build(settings, seed, verbose=not quiet)
    runs.claim(out, resume=resume)
    source = Source(data, label, image_size, skip_bad, data_dir, noise, noise_rate, labels_per_class)
    reviewed = None if decisions is None else read(decisions)
    dataset = source.dataset(classifier.get_params()["random_state"], progress=not quiet)
    if not quiet:
        typer.echo("".join(_told_of(dataset)), nl=False, err=True)
    kept: dict[str, Any] = {"data": source.as_config(out)}
    if decisions is not None and reviewed is not None:
        dataset = apply(dataset, reviewed)
        check_labels(dataset.y, dataset.classes)
        kept["decisions"] = account(decisions, reviewed)
    new = runs.make(out)
    checkpoint = out / runs.CHECKPOINT
    try:
        beside: dict[str, Any] = {"trusted": dataset.trusted, "y_before": dataset.y_before}
        classifier.fit(dataset.x, dataset.y, **beside, checkpoint=checkpoint, resume=resume)
        if os.environ.get("RANK", "0") != "0":
            return  # of several processes that train as one, the first writes
        runs.save(out, classifier, dataset, kept)
        if reviewed:  # the review goes on in the new run
            Log(out / FILE).add_all(reviewed, client="train")
    except KeyboardInterrupt:
        mend = "give the same command with --resume to go on" if checkpoint.exists() else "no epoch was saved yet"
        typer.echo(f"interrupted: {mend}", err=True)
        raise typer.Exit(130) from None
    except Exception as error:  # one of ours, or of a network of the user's own
        if not resume:
            runs.give_up(out, error, new=new)
        raise
    metrics = runs.load(out).metrics
    if as_json:
        typer.echo(runs.as_json({"run": str(out), **metrics}))
    elif not quiet:
        typer.echo("\n".join(_summary(metrics, out)))


def _told_of(dataset: Dataset) -> Iterator[str]:
    """What a person may not expect of the data, a line each."""
    from goldvein.data.check import like_missing
    from goldvein.runs.folder import SKIPPED

    for k in like_missing(dataset.classes):
        told = f"{int((dataset.y == k).sum()):,} rows are labeled {dataset.classes[k]!r}, a class like any other"
        yield f"warning: {told}; if it says that there is no label, leave it blank\n"
    for column in dataset.spec["columns"] if dataset.spec and dataset.spec["reader"] == "table" else ():
        if "note" in column:
            yield f"warning: column {column['name']!r} {column['note']}\n"
    if dataset.skipped:
        many = "1 file that" if len(dataset.skipped) == 1 else f"{len(dataset.skipped):,} files that"
        yield f"left out: {many} cannot be read; {SKIPPED} in the run folder says why\n"


def _summary(metrics: dict[str, Any], out: Path) -> Iterator[str]:
    epochs = "1 epoch" if metrics["n_epochs"] == 1 else f"{metrics['n_epochs']} epochs"
    yield f"{metrics['n_labeled']:,} labels on {metrics['n_rows']:,} rows, {epochs}"
    if "test_accuracy" in metrics:
        yield f"test accuracy {metrics['test_accuracy']:.4f} on {metrics['n_test']:,} rows"
    known = f" (true {metrics['true_noise']['noise_rate']:.3f})" if "true_noise" in metrics else ""
    rate = f"estimated noise rate {metrics['noise_rate']:.3f}{known}"
    wrong = "1 label is" if metrics["n_issues"] == 1 else f"{metrics['n_issues']:,} labels are"
    yield f"{rate}: {wrong} likely wrong"
    yield from (f"warning: {message}" for message in metrics.get("ambiguous", ()))
    yield f"see them by: goldvein issues {out}"
