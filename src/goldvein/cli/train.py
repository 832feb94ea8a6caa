"""``goldvein train``."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer import Argument, Option

from goldvein.cli.options import DataDir, Json, Quiet, SkipBad
from goldvein.config.names import DEFAULT_METHOD

if TYPE_CHECKING:
    from goldvein.classifier import NoisyLabelClassifier
    from goldvein.data.dataset import Dataset
    from goldvein.runs.contents import Metrics, Origin
    from goldvein.runs.decisions import Decision


def train(
    data: Annotated[
        str, Argument(metavar="DATA", help="Folder, .csv, .tsv, .parquet or .npz file, or name of a standard data set.")
    ],
    out: Annotated[Path, Option(help="New folder for the run.")],
    label: Annotated[str | None, Option(help="Column that contains the labels.", metavar="COLUMN")] = None,
    missing: Annotated[
        list[str] | None,
        Option(metavar="LABEL", help="Label that means there is none, such as NA or -1; may be repeated."),
    ] = None,
    method: Annotated[
        str | None, Option(metavar="NAME", help=f"Method; see goldvein methods.  [default: {DEFAULT_METHOD}]")
    ] = None,
    model: Annotated[
        str | None,
        Option(metavar="NAME", help="Network, or classifier such as svm or random_forest.  [default: auto]"),
    ] = None,
    config: Annotated[Path | None, Option(help="TOML file of settings.", metavar="FILE")] = None,
    set_: Annotated[
        list[str] | None,
        Option(
            "--set", metavar="NAME=VALUE", help="Setting such as epochs=20 or method.threshold=0.9; overrides FILE."
        ),
    ] = None,
    seed: Annotated[
        int | None, Option(help="Random seed for weights, row order and added noise.  [default: 0]", min=0)
    ] = None,
    time_limit: Annotated[
        float | None, Option(help="Seconds that the classifiers of auto may take.", metavar="SECONDS", min=0)
    ] = None,
    resume: Annotated[bool, Option("--resume", help="Continue an interrupted run.")] = False,
    skip_bad: SkipBad = False,
    image_size: Annotated[int | None, Option(help="Height and width of images in pixels.", metavar="N")] = None,
    noise: Annotated[
        str | None,
        Option(
            help="Noise to add to a standard data set, such as symmetric, or a CSV file of its matrix.", metavar="NAME"
        ),
    ] = None,
    noise_rate: Annotated[float | None, Option(help="Share of labels to change.", metavar="P", min=0, max=1)] = None,
    labels_per_class: Annotated[int | None, Option(help="Labels to keep per class.", metavar="N", min=1)] = None,
    decisions: Annotated[
        Path | None, Option(metavar="RUN|FILE", help="Decisions of goldvein review to train with.")
    ] = None,
    data_dir: DataDir = None,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Train on noisy labels and list the wrong ones.

    DATA is a folder of images with one subfolder per class ("unlabeled" for rows without a label), a table, arrays, or
    the name of a standard data set (see goldvein data). The run folder is the input of goldvein issues, report, review,
    clean and predict.
    """
    from goldvein import runs
    from goldvein.cli.settings import build_classifier, gather_settings
    from goldvein.data.check import check_labels
    from goldvein.data.source import Source
    from goldvein.runs.apply import apply_decisions, summarize_decisions
    from goldvein.runs.exchange import read_decisions

    settings = gather_settings(config, set_ or ())
    settings.method = method or settings.method
    given = {"model": model, "time_limit": time_limit}
    settings.arguments |= {name: value for name, value in given.items() if value is not None}
    classifier = build_classifier(settings, seed, verbose=not quiet)
    runs.check_folder(out, resume=resume)  # before the data is read, which may take long
    source = Source(
        data, label, tuple(missing or ()) or None, image_size, skip_bad, data_dir, noise, noise_rate, labels_per_class
    )
    reviewed = None if decisions is None else read_decisions(decisions)
    dataset = source.dataset(classifier.get_params()["random_state"], progress=not quiet)
    if not quiet:
        typer.echo("".join(_describe_surprises(dataset)), nl=False, err=True)
    origin: Origin = {"data": source.as_config(out)}
    if decisions is not None and reviewed is not None:
        dataset = apply_decisions(dataset, reviewed)
        check_labels(dataset.y, dataset.classes)
        origin["decisions"] = summarize_decisions(decisions, reviewed)
    if not _fit_and_save(classifier, dataset, origin, reviewed, out, resume=resume):
        return
    metrics = runs.open_run(out).metrics
    if as_json:
        typer.echo(runs.as_json({"run": str(out), **metrics}))
    elif not quiet:
        typer.echo("\n".join(_summarize(metrics, out)))


def _fit_and_save(
    classifier: NoisyLabelClassifier,
    dataset: Dataset,
    origin: Origin,
    reviewed: Mapping[str, Decision] | None,
    out: Path,
    *,
    resume: bool,
) -> bool:
    """Train and write the run folder; return whether this process wrote it."""
    from goldvein import runs
    from goldvein.runs.decisions import FILE, Log

    new = runs.make_folder(out)
    checkpoint = out / runs.CHECKPOINT
    known: dict[str, Any] = {"trusted": dataset.trusted, "y_before": dataset.y_before}
    try:
        classifier.fit(dataset.x, dataset.y, **known, checkpoint=checkpoint, resume=resume)
        if os.environ.get("RANK", "0") != "0":
            return False  # if several processes train one model, only the first writes
        runs.save(out, classifier, dataset, origin)
        if reviewed:  # so that the review can continue in the new run
            Log(out / FILE).add_all(reviewed, client="train")
    except KeyboardInterrupt:
        advice = "repeat the command with --resume to continue" if checkpoint.exists() else "no epoch was saved yet"
        typer.echo(f"interrupted: {advice}", err=True)
        raise typer.Exit(130) from None
    except Exception as error:
        if not resume:  # a resumed run keeps the checkpoint that it started from
            runs.remove_leftovers(out, error, new=new)
        raise
    return True


def _describe_surprises(dataset: Dataset) -> Iterator[str]:
    """Yield a line for each fact about the data that a person may not expect."""
    from goldvein.data.check import like_missing
    from goldvein.runs.folder import SKIPPED

    for k in like_missing(dataset.classes):
        rows = f"{int((dataset.y == k).sum()):,} rows have the class {dataset.classes[k]!r}"
        yield f"warning: {rows}; if it means that a label is missing, give --missing {dataset.classes[k]}\n"
    for column in dataset.spec["columns"] if dataset.spec and dataset.spec["reader"] == "table" else ():
        if "note" in column:
            yield f"warning: column {column['name']!r} {column['note']}\n"
    if dataset.skipped:
        files = "1 file" if len(dataset.skipped) == 1 else f"{len(dataset.skipped):,} files"
        yield f"skipped: {files} cannot be read; {SKIPPED} in the run folder gives the reasons\n"


def _summarize(metrics: Metrics, out: Path) -> Iterator[str]:
    epochs = "1 epoch" if metrics["n_epochs"] == 1 else f"{metrics['n_epochs']} epochs"
    in_all = f", {epochs} in all" if metrics["n_epochs"] else ""
    yield f"trained on {metrics['n_labeled']:,} labels of {metrics['n_rows']:,} rows{in_all}"
    if "choice" in metrics:
        yield metrics["choice"]
    if "test_accuracy" in metrics:
        yield f"test accuracy {metrics['test_accuracy']:.4f} on {metrics['n_test']:,} rows"
    true_rate = f" (true {metrics['true_noise']['noise_rate']:.3f})" if "true_noise" in metrics else ""
    wrong = "1 label is" if metrics["n_issues"] == 1 else f"{metrics['n_issues']:,} labels are"
    yield f"estimated noise rate {metrics['noise_rate']:.3f}{true_rate}: {wrong} probably wrong"
    yield from (f"warning: {message}" for message in metrics.get("ambiguous", ()))
    yield f"to list them, run: goldvein issues {out}"
