"""The command train: what it writes, how it reads settings, and what it refuses."""

from __future__ import annotations

import csv
import errno
import json
import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

QUICK = ("--method", "cross_entropy", "--set", "epochs=2")


def config(run: Path) -> dict:
    return json.loads((run / "config.json").read_text())


def test_a_table_gives_a_complete_run_folder(goldvein, flowers, tmp_path):
    run = tmp_path / "run"
    goldvein("train", flowers, "--out", run, "--label", "kind", *QUICK)
    assert {path.name for path in run.iterdir()} == {
        "config.json",
        "environment.json",
        "history.jsonl",
        "issues.csv",
        "metrics.json",
        "predictions.csv",
        "weights.safetensors",
    }
    issues = list(csv.DictReader((run / "issues.csv").open()))
    columns = "id,given_label,suggested_label,label_quality,p_wrong,is_issue,rank,reason,p_suggested,kind"
    assert (run / "issues.csv").read_text().splitlines()[0] == columns
    assert {row["id"] for row in issues} == {f"f{row}" for row in range(36)}
    assert {row["given_label"] for row in issues} == {"rose", "lily"}
    assert [row["rank"] for row in issues] == [str(rank) for rank in range(1, 37)]
    predictions = list(csv.DictReader((run / "predictions.csv").open()))
    assert [row["id"] for row in predictions] == [f"f{row}" for row in range(40)]
    assert list(predictions[0]) == ["id", "predicted", "confidence", "prob_lily", "prob_rose"]
    for row in predictions:
        lily, rose = float(row["prob_lily"]), float(row["prob_rose"])
        assert lily + rose == pytest.approx(1, abs=1e-5)
        assert row["predicted"] == ("lily" if lily > rose else "rose")
    assert len((run / "history.jsonl").read_text().splitlines()) == 2


def test_the_wrong_label_of_a_table_is_on_top(goldvein, flowers, tmp_path):
    run = tmp_path / "run"
    goldvein("train", flowers, "--out", run, "--label", "kind", "--method", "cross_entropy", "--set", "epochs=30")
    worst = next(csv.DictReader((run / "issues.csv").open()))
    assert (worst["id"], worst["given_label"], worst["suggested_label"]) == ("f0", "lily", "rose")


def test_a_class_whose_name_means_missing_gives_a_warning(goldvein, flowers, tmp_path):
    lines = flowers.read_text(encoding="utf-8").splitlines()
    lines[1:6] = [line.rpartition(",")[0] + ",NA" for line in lines[1:6]]
    table = tmp_path / "na.csv"
    table.write_text("\n".join(lines), encoding="utf-8")
    printed = goldvein("train", table, "--out", tmp_path / "run", "--label", "kind", *QUICK).stderr
    assert "warning: 5 rows have the class 'NA'; if it means that a label is missing, give --missing NA" in printed
    assert goldvein("train", table, "--out", tmp_path / "run2", "--label", "kind", *QUICK, "--quiet").stderr == ""


def test_noise_from_a_matrix_file(goldvein, refused, tmp_path):
    swap = np.eye(10)[[1, 0, *range(2, 10)]]
    np.savetxt(tmp_path / "T.csv", swap, delimiter=",")
    printed = goldvein("train", "digits", "--out", tmp_path / "run", "--noise", tmp_path / "T.csv", *QUICK, "--json")
    assert np.allclose(json.loads(printed.stdout)["true_noise"]["transition"], swap)
    (tmp_path / "bad.csv").write_text("a,b\n")
    message = refused("train", "digits", "--out", tmp_path / "other", "--noise", tmp_path / "bad.csv")
    assert "is not a matrix" in message


def test_the_transition_matrix_of_a_method_may_be_a_csv(goldvein, refused, tmp_path):
    good, bad, out = tmp_path / "T.csv", tmp_path / "bad.csv", tmp_path / "run"
    np.savetxt(good, 0.8 * np.eye(10) + 0.02, delimiter=",")
    np.savetxt(bad, np.eye(10) + 0.1, delimiter=",")
    command = ("train", "digits", "--out", out, "--method", "forward_correction", "--set", "epochs=2", "--set")
    assert "sums to 2" in refused(*command, f"method.transition={bad}")
    assert not out.exists()
    goldvein(*command, f"method.transition={good}")
    assert config(out)["method"]["params"]["transition"][0][0] == pytest.approx(0.82)
    (tmp_path / "c.toml").write_text(f"epochs = 2\n[method.params]\ntransition = '{good}'\n")
    goldvein(*command[:3], tmp_path / "again", *command[4:6], "--config", tmp_path / "c.toml")
    assert config(tmp_path / "again")["method"]["params"] == config(out)["method"]["params"]


def test_noise_and_missing_labels_of_a_standard_set(goldvein, tmp_path):
    run = tmp_path / "run"
    noise = ("--noise", "pair", "--noise-rate", 0.3, "--labels-per-class", 20, "--seed", 5)
    printed = goldvein("train", "digits", "--out", run, *noise, *QUICK, "--json").stdout
    metrics = json.loads(printed)
    assert printed.count("\n") == 1
    assert (metrics["n_rows"], metrics["n_labeled"], metrics["n_test"]) == (1201, 200, 596)
    assert 0.15 < metrics["true_noise"]["noise_rate"] < 0.45
    assert np.shape(metrics["transition"]) == (10, 10)
    assert {key: metrics[key] for key in ("noise_rate", "n_issues")} == {
        key: json.loads((run / "metrics.json").read_text())[key] for key in ("noise_rate", "n_issues")
    }
    assert config(run)["data"] == {
        "source": "digits",
        "noise": "pair",
        "noise_rate": 0.3,
        "labels_per_class": 20,
    }
    assert config(run)["estimator"]["random_state"] == 5


def test_set_overrides_config_and_options_override_both(goldvein, tmp_path):
    settings = tmp_path / "settings.toml"
    settings.write_text(
        'lr = 0.5\nepochs = 2\nmodel = "resnet14"\nmodel_params.dropout = 0.3\n'
        '[method]\nname = "pi_model"\nparams = { alpha = 7, noise = 0.5 }\n'
    )
    run = tmp_path / "run"
    given = ("--set", "lr=0.01", "--set", "method.alpha=3", "--set", "model_params.hidden=[8, 8]")
    goldvein("train", "digits", "--out", run, "--config", settings, *given, "--model", "mlp")
    found = config(run)
    assert found["method"]["name"] == "pi_model"
    assert (found["method"]["params"]["alpha"], found["method"]["params"]["noise"]) == (3.0, 0.5)
    assert (found["estimator"]["lr"], found["estimator"]["epochs"]) == (0.01, 2)
    assert found["network"] == {"model": "mlp", "params": {"dropout": 0.3, "hidden": [8, 8]}}


def test_a_folder_of_images_and_its_skipped_files(goldvein, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(0)
    for name, bright in (("dark", 0), ("light", 150)):
        Path("pictures", name).mkdir(parents=True)
        for i in range(6):
            pixels = rng.integers(bright, bright + 100, (12, 12, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(f"pictures/{name}/{i}.png")
    Path("pictures/dark/broken.png").write_bytes(b"no image")
    goldvein("train", "pictures", "--out", "run", "--skip-bad", *QUICK)
    header, skipped = Path("run/skipped.csv").read_text().splitlines()
    assert header == "path,reason"
    assert skipped.startswith('dark/broken.png,"not an image')
    assert config(Path("run"))["spec"]["classes"] == ["dark", "light"]
    for path in Path("run").iterdir():
        assert str(tmp_path).encode() not in path.read_bytes()


def test_quiet_prints_nothing(goldvein, flowers, tmp_path):
    assert goldvein("train", flowers, "--out", tmp_path / "run", "--label", "kind", *QUICK, "-q").output == ""


def test_the_same_seed_gives_the_same_weights(goldvein, flowers, tmp_path):
    weights = []
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        run = tmp_path / name
        goldvein("train", flowers, "--out", run, "--label", "kind", "--seed", seed, *QUICK)
        weights.append((run / "weights.safetensors").read_bytes())
    assert weights[0] == weights[1] != weights[2]


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (("digits", "--method", "two_stag"), "unknown method 'two_stag': did you mean 'two_stage'?"),
        (("digits", "--set", "epohs=3"), "unknown argument 'epohs': did you mean 'epochs'?"),
        (("digits", "--set", "random_stat=3"), "did you mean 'random_state'?"),
        (("digits", "--set", "lr=fast"), "lr='fast': it must be a number"),
        (("digits", "--set", "epochs"), "--set epochs: it must be NAME=VALUE"),
        (("digits", "--set", "method.selector.thresold=1"), "did you mean 'selector__threshold'?"),
        (("digits", "--set", "model_params.widht=1"), "unknown parameter 'widht'"),
        (("digits", "--model", "resnet"), "unknown model 'resnet'"),
        (("digits", "--config", "nowhere.toml"), "nowhere.toml cannot be read"),
        (("digits", "--label", "kind"), "--label is only for your own data"),
        (("digits", "--skip-bad"), "--skip-bad is only for your own data"),
        (("digits", "--noise-rate", "0.2"), "--noise-rate 0.2 needs --noise"),
        (("digits", "--noise", "symetric", "--noise-rate", "0.2"), "did you mean 'symmetric'?"),
        (("digits", "--noise", "symmetric", "--noise-rate", "2"), "less than or equal to 1"),
        (("digitz",), "unknown path or data set 'digitz': did you mean 'digits'?"),
        (("nowhere/flowers.csv",), "nowhere/flowers.csv does not exist"),
        (("mnist", "--data-dir", "/nowhere"), "no /nowhere/MNIST"),
    ],
)
def test_bad_input_is_reported_in_one_line(refused, tmp_path, given, message):
    out = tmp_path / "run"
    assert message in refused("train", *given, "--out", out)
    assert not out.exists() or not any(out.iterdir())


def test_noise_is_not_added_to_the_user_s_labels(refused, flowers, tmp_path):
    given = ("--label", "kind", "--noise", "symmetric", "--noise-rate", 0.1)
    assert "only for the standard data sets, whose labels are known" in refused(
        "train", flowers, "--out", tmp_path / "run", *given
    )


def test_unknown_column(refused, flowers, tmp_path):
    message = refused("train", flowers, "--out", tmp_path / "run", "--label", "kin")
    assert message.startswith("unknown column 'kin': did you mean 'kind'?")


def test_bad_settings_file(refused, tmp_path):
    settings = tmp_path / "settings.toml"
    for text, message in (
        ("lr = ", "is not TOML"),
        ('method = "two_stage"', "must be a table"),
        ("[method]\nnaem = 1", "did you mean 'name'?"),
        ("[method]\nname = 1", "name must be text"),
        ("lrr = 1", "unknown argument 'lrr': did you mean 'lr'?"),
    ):
        settings.write_text(text)
        assert message in refused("train", "digits", "--out", tmp_path / "run", "--config", settings)


def test_nothing_is_overwritten(refused, trained, tmp_path):
    before = {path.name: path.read_bytes() for path in trained.iterdir()}
    assert "already contains a finished run" in refused("train", "digits", "--out", trained)
    assert "already contains a finished run" in refused("train", "digits", "--out", trained, "--resume")
    assert {path.name: path.read_bytes() for path in trained.iterdir()} == before
    (tmp_path / "diary.txt").write_text("mine")
    assert "is not empty and contains no run" in refused("train", "digits", "--out", tmp_path)
    assert "is not empty and contains no run" in refused("train", "digits", "--out", tmp_path, "--resume")
    assert "is a file" in refused("train", "digits", "--out", tmp_path / "diary.txt")
    assert (tmp_path / "diary.txt").read_text() == "mine"


def test_a_full_disk_leaves_no_partial_run(refused, flowers, tmp_path, monkeypatch):
    def full(handle: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    run = tmp_path / "run"
    assert "No space left on device" in refused("train", flowers, "--out", run, "--label", "kind", *QUICK)
    assert not run.exists()


def test_a_selector_whose_scores_the_method_lacks(refused, flowers, tmp_path):
    run = tmp_path / "run"
    bad = ("--method", "improved_baseline", "--set", "method.selector=margin")
    message = refused("train", flowers, "--out", run, "--label", "kind", *QUICK, *bad)
    assert "Margin needs `margins`, which improved_baseline does not provide; use one of" in message
    assert not run.exists()


def test_a_value_that_stage_1_finds_bad_leaves_nothing(refused, flowers, tmp_path):
    run = tmp_path / "run"
    bad = ("--method", "two_stage", "--set", "epochs=2", "--set", "method.threshold=7")
    assert "threshold=7" in refused("train", flowers, "--out", run, "--label", "kind", *bad)
    assert not run.exists()


@pytest.mark.parametrize("model", ["auto", "svm", "sklearn.naive_bayes:GaussianNB"])
def test_classifiers_are_trained_saved_and_used(model, goldvein, flowers, tmp_path):
    run, out = tmp_path / "run", tmp_path / "predicted.csv"
    said = goldvein("train", flowers, "--out", run, "--label", "kind", "--model", model).stdout
    assert "trained on 36 labels of 40 rows\n" in said
    assert ("were mixed: unseen given labels have log-likelihood" in said) == (model == "auto")
    assert (run / "model.skops").exists()
    assert not (run / "history.jsonl").exists()
    assert config(run)["learner"] == {"model": model, "n_features": 3}
    assert config(run)["method"] == {"name": "auto", "params": {}}
    worst = next(csv.DictReader((run / "issues.csv").open()))
    assert (worst["id"], worst["given_label"], worst["suggested_label"]) == ("f0", "lily", "rose")
    goldvein("predict", run, flowers, "--out", out)
    assert out.read_text().splitlines()[1:] == (run / "predictions.csv").read_text().splitlines()[1:] or model == "auto"
    page = tmp_path / "report.html"
    goldvein("report", run, "--out", page)
    assert model in page.read_text() or "were mixed" in page.read_text()


def test_a_time_limit_leaves_members_out(goldvein, flowers, tmp_path):
    run = tmp_path / "run"
    goldvein("train", flowers, "--out", run, "--label", "kind", "--time-limit", "0.05", "-q")
    notes = [member["note"] for member in json.loads((run / "metrics.json").read_text())["candidates"]]
    assert "left out: time limit" in notes
    assert "" in notes


def test_settings_of_a_method_train_a_network(goldvein, flowers, tmp_path):
    run = tmp_path / "run"
    settings = ("--set", "method.rounds=1", "--set", "epochs=1")
    goldvein("train", flowers, "--out", run, "--label", "kind", *settings, "-q")
    assert config(run)["method"]["params"]["rounds"] == 1
    assert (run / "weights.safetensors").exists()


def test_a_label_that_means_missing(goldvein, flowers, tmp_path):
    lines = flowers.read_text(encoding="utf-8").splitlines()
    lines[1:6] = [line.rpartition(",")[0] + ",NA" for line in lines[1:6]]
    table = tmp_path / "na.csv"
    table.write_text("\n".join(lines) + "\n", encoding="utf-8")
    run = tmp_path / "run"
    said = goldvein("train", table, "--out", run, "--label", "kind", "--missing", "NA", "--model", "lda")
    assert "warning" not in said.stderr
    assert config(run)["classes"] == ["lily", "rose"]
    assert config(run)["spec"]["missing"] == ["NA"]
    assert "trained on 31 labels of 40 rows" in said.stdout
    goldvein("predict", run, table, "--out", tmp_path / "predicted.csv")


def test_a_damaged_classifier(goldvein, refused, flowers, tmp_path):
    run = tmp_path / "run"
    goldvein("train", flowers, "--out", run, "--label", "kind", "--model", "lda", "-q")
    (run / "model.skops").write_bytes(b"PK")
    assert "model.skops is damaged" in refused("predict", run, flowers, "--out", tmp_path / "predicted.csv")
