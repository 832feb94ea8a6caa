"""predict, issues and clean: what they print and write, and what they refuse."""

from __future__ import annotations

import csv
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from goldvein.data import standard


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def test_predictions_of_the_test_set_match_its_accuracy(goldvein, trained, tmp_path):
    out = tmp_path / "predictions.csv"
    assert goldvein("predict", trained, "digits", "--out", out).stdout == f"596 rows predicted: {out}\n"
    found = rows(out)
    assert list(found[0]) == ["id", "predicted", "confidence", *(f"prob_{k}" for k in range(10))]
    truth = standard.load_dataset("digits").y_test
    accuracy = np.mean([int(row["predicted"]) == y for row, y in zip(found, truth, strict=True)])
    assert accuracy == json.loads((trained / "metrics.json").read_text())["test_accuracy"]
    assert accuracy > 0.5


def test_training_rows_predicted_again_are_the_same(goldvein, flowers, tmp_path):
    run, out = tmp_path / "run", tmp_path / "again.csv"
    goldvein("train", flowers, "--out", run, "--label", "kind", "--method", "cross_entropy", "--set", "epochs=3")
    without_labels = tmp_path / "new.csv"
    without_labels.write_text("\n".join(line.rpartition(",")[0] for line in flowers.read_text().splitlines()))
    goldvein("predict", run, without_labels, "--out", out)
    assert out.read_text() == (run / "predictions.csv").read_text()


def test_predicting_images_skips_bad_ones_with_skip_bad(goldvein, refused, tmp_path):
    rng = np.random.default_rng(0)
    for name in ("a", "b"):
        (tmp_path / "train" / name).mkdir(parents=True)
        for i in range(4):
            Image.fromarray(rng.integers(0, 255, (8, 8), dtype=np.uint8)).save(tmp_path / "train" / name / f"{i}.png")
    new = tmp_path / "new"
    shutil.copytree(tmp_path / "train" / "a", new)
    (new / "3.png").write_bytes(b"")
    run, out = tmp_path / "run", tmp_path / "new.csv"
    goldvein("train", tmp_path / "train", "--out", run, "--method", "cross_entropy", "--set", "epochs=1")
    assert "3.png: it is empty" in refused("predict", run, new, "--out", out)
    assert not out.exists()
    result = goldvein("predict", run, new, "--out", out, "--skip-bad", "--json")
    assert json.loads(result.stdout)["n_rows"] == 3
    assert "3.png" in result.stderr
    assert [row["id"] for row in rows(out)] == ["0.png", "1.png", "2.png"]


def test_issues_as_a_table_and_as_json_agree(goldvein, trained):
    printed = goldvein("issues", trained, "--top", 3).stdout.splitlines()
    found = json.loads(goldvein("issues", trained, "--top", 3, "--json").stdout)
    metrics = json.loads((trained / "metrics.json").read_text())
    counts = f"{metrics['n_issues']} of 1,201 labels are probably wrong"
    low, high = metrics["n_wrong_interval"]
    span = f"(90 % interval: {low:,.0f} to {high:,.0f} wrong labels)"
    assert printed[0] == f"{counts}; estimated noise rate {metrics['noise_rate']:.3f} {span}"
    assert printed[1].startswith("most frequent confusions, true -> given: ")
    assert printed[2].split()[:4] == ["rank", "id", "given", "suggested"]
    assert [line.split()[:4] for line in printed[3:]] == [
        [str(row[key]) for key in ("rank", "id", "given_label", "suggested_label")] for row in found["issues"]
    ]
    assert [row["rank"] for row in found["issues"]] == [1, 2, 3]
    assert found["transition"] == metrics["transition"]
    assert found["classes"] == list(range(10))


def test_control_characters_do_not_reach_the_terminal(goldvein, trained, tmp_path):
    run = tmp_path / "run"
    shutil.copytree(trained, run)
    table = (run / "issues.csv").read_text().splitlines()
    table[1] = "\x1b[2J" + table[1]
    (run / "issues.csv").write_text("\n".join(table) + "\n")
    assert "\x1b" not in goldvein("issues", run, "--top", 1).stdout


def test_clean_corrects_more_labels_than_it_damages(goldvein, trained, tmp_path):
    out = tmp_path / "cleaned.csv"
    counts = json.loads(goldvein("clean", trained, "--out", out, "--json").stdout)
    found = rows(out)
    assert list(found[0]) == ["id", "given_label", "cleaned_label", "action"]
    data = standard.load_dataset("digits")
    assert [row["id"] for row in found] == data.ids.tolist()
    assert counts["keep"] + counts["relabel"] + counts["drop"] == len(found) == 1201
    truth = data.y.astype(str)
    wrong_before = sum(row["given_label"] != y for row, y in zip(found, truth, strict=True))
    wrong_after = sum(row["cleaned_label"] not in ("", y) for row, y in zip(found, truth, strict=True))
    assert wrong_after < wrong_before / 2
    for row in found:
        kept = row["cleaned_label"] == row["given_label"]
        assert {"keep": kept, "drop": row["cleaned_label"] == "", "relabel": not kept}[row["action"]]


def test_thresholds_of_one_leave_every_label(goldvein, trained, tmp_path):
    out = tmp_path / "cleaned.csv"
    printed = goldvein("clean", trained, "--out", out, "--relabel-above", 1, "--drop-above", 1).stdout
    assert printed == f"kept 1,201, relabeled 0, dropped 0: {out}\n"


@pytest.mark.parametrize("verb", ["predict", "clean"])
def test_an_existing_file_is_not_overwritten(refused, trained, tmp_path, verb):
    out = tmp_path / "mine.csv"
    out.write_text("mine")
    data = ("digits",) if verb == "predict" else ()
    assert "exists already and is not overwritten" in refused(verb, trained, *data, "--out", out)
    assert out.read_text() == "mine"
    assert "does not exist; create it" in refused(verb, trained, *data, "--out", tmp_path / "nowhere" / "new.csv")


def test_a_folder_without_a_run(refused, tmp_path):
    for verb in (("issues",), ("clean", "--out", tmp_path / "a.csv"), ("predict", "digits", "--out", "a.csv")):
        assert "contains no run" in refused(verb[0], tmp_path, *verb[1:])


def test_a_damaged_run(refused, trained, tmp_path):
    run, out = tmp_path / "run", tmp_path / "out.csv"
    shutil.copytree(trained, run)
    weights = (run / "weights.safetensors").read_bytes()
    (run / "weights.safetensors").write_bytes(weights[: len(weights) // 2])
    assert "weights.safetensors is damaged" in refused("predict", run, "digits", "--out", out)
    (run / "weights.safetensors").unlink()
    assert "weights.safetensors is damaged" in refused("predict", run, "digits", "--out", out)
    (run / "issues.csv").write_text("id,given_label\n1,2\n")
    assert "issues.csv is damaged" in refused("issues", run)
    (run / "config.json").write_text('{"format": 1')
    assert "config.json is damaged" in refused("predict", run, "digits", "--out", out)
    assert not out.exists()


def test_a_run_of_another_version(refused, trained, tmp_path):
    config = json.loads((trained / "config.json").read_text())
    (tmp_path / "config.json").write_text(json.dumps({**config, "format": 2}))
    assert "has format 2: this goldvein reads format 1" in refused("issues", tmp_path)


def test_data_of_another_kind(refused, trained, flowers, tmp_path):
    given = ("--out", tmp_path / "out.csv")
    assert "the model was trained on 'vectors'" in refused("predict", trained, flowers, *given)
    np.savez(tmp_path / "wide.npz", X=np.zeros((2, 65)))
    assert "the model was trained on rows of shape (64,)" in refused("predict", trained, tmp_path / "wide.npz", *given)
    assert "did you mean 'digits'" in refused("predict", trained, "digit", *given)


def test_a_list_for_another_target(goldvein, refused, trained):
    everything = json.loads(goldvein("issues", trained, "--json", "--top", "5000").stdout)
    likely = [row for row in everything["issues"] if row["is_issue"]]
    some = json.loads(goldvein("issues", trained, "--json", "--budget", "7").stdout)
    assert [row["id"] for row in some["issues"]] == [row["id"] for row in everything["issues"][:7]]
    assert some["n_issues"] == 7
    expected = sum(row["p_wrong"] for row in likely) / len(likely)
    aim = str((expected + 1) / 2)
    sure = json.loads(goldvein("issues", trained, "--json", "--precision", aim, "--top", "5000").stdout)["issues"]
    assert 0 < len(sure) < len(likely)
    assert sum(row["p_wrong"] for row in sure) >= float(aim) * len(sure) - 1e-3
    assert "precision=1.5: it must be above 0 and below 1" in refused("issues", trained, "--precision", "1.5")
