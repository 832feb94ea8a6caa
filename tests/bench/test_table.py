from dataclasses import asdict, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from goldvein.bench.plan import Column, Row, Table
from goldvein.bench.table import (
    _format_duration,
    is_worse,
    render_corrected,
    render_kept,
    render_others,
    render_page,
    render_scores,
    render_table,
)
from goldvein.noise.model import JUDGMENT

TABLE = Table(
    title="Two by two",
    citation="Someone 2000",
    source="Table 1",
    cost="",
    command="goldvein bench two.toml",
    data="digits",
    rows=(Row("ce", "cross_entropy"), Row("ours", "two_stage", {"rounds": 1})),
    columns=(Column("clean"), Column("noisy", "symmetric", 0.2)),
    seeds=(0, 1, 2),
    published={"ce": {"clean": (98.2, 0.1), "noisy": (52.9, None)}, "ours": {"noisy": (83.4, 1.3)}},
)
VERSIONS = {"torch": "2.13.0", "cpu": "some"}


def results(row, column, accuracies, **more):
    for seed, accuracy in enumerate(accuracies):
        job = TABLE.job(TABLE.rows[row], TABLE.columns[column], seed)
        yield {"key": job.key, "job": asdict(job), "accuracy": accuracy, "seconds": 60.0, "versions": VERSIONS, **more}


def cells(text, row):
    (line,) = (line for line in text.splitlines() if line.startswith(f"| {row} |"))
    return [cell.strip() for cell in line.split("|")[2:-1]]


def test_means_deviations_and_marks():
    found = [*results(0, 0, [0.97, 0.98, 0.99]), *results(0, 1, [0.50, 0.52]), *results(1, 0, [0.9])]
    text = render_table(TABLE, found)
    assert cells(text, "ce") == [
        "98.00 ± 1.00 (3) vs 98.2 ± 0.1: -0.20",
        "51.00 ± 1.41 (2 of 3) vs 52.9: -1.90 **!**",
    ]
    assert cells(text, "ours") == ["90.00 (1 of 3)", "not run vs 83.4 ± 1.3"]
    assert "- command: `goldvein bench two.toml`" in text
    assert "- seeds: 0, 1, 2; planned: 0, 1, 2" in text
    assert "- training time: 6 min for 6 of 12 planned runs\n" in text
    assert "- versions: torch 2.13.0, cpu some" in text
    assert "1.5 points" in text


def test_several_machines_are_all_named():
    found = [*results(0, 0, [0.9]), *results(0, 1, [0.9], versions={"torch": "2.11", "cpu": "other"})]
    assert render_table(TABLE, found).count("- versions: ") == 2


def test_results_of_other_tables_are_passed_over_and_a_seed_counts_once():
    other = replace(TABLE, data="mnist")
    job = other.job(other.rows[0], other.columns[0], 0)
    strange = [{**r, "job": asdict(job)} for r in results(0, 0, [0.1])]
    twice = list(results(0, 0, [0.5]))
    assert cells(render_table(TABLE, [*strange, *twice, *twice]), "ce")[0].startswith("50.00 (1 of 3) ")


def test_seeds_beyond_the_planned_count():
    text = render_table(TABLE, results(1, 0, [0.5, 0.5, 0.5, 0.5]))
    assert cells(text, "ours")[0] == "50.00 ± 0.00 (4)"
    assert "- seeds: 0, 1, 2, 3; planned: 0, 1, 2" in text
    assert " for 3 of 12 planned runs and 1 with other seeds\n" in text


@pytest.mark.parametrize(
    ("mean", "published", "std", "short"),
    [
        (97.8, 98.0, 0.1, False),  # exactly two deviations
        (97.79, 98.0, 0.1, True),
        (97.79, 98.0, 0.0, True),  # 0.0 is taken as 0.1
        (97.81, 98.0, 0.0, False),
        (81.95, 83.4, 1.3, False),
        (81.8, 83.4, 1.3, True),  # within two deviations, but 1.6 points
        (96.6, 98.0, None, False),
        (96.4, 98.0, None, True),
        (99.9, 98.0, 0.1, False),
    ],
)
def test_rule(mean, published, std, short):
    assert is_worse(published - mean, std) is short


@given(st.floats(0, 100), st.floats(0, 100), st.none() | st.floats(0, 5))
def test_what_lies_more_than_the_most_below_is_always_marked(mean, published, std):
    assert is_worse(published - mean, std) or published - mean <= 1.5 + 1e-6


def test_labels_kept_by_class():
    first = {"rows": 10, "given": [5, 5], "kept": [4, 2], "right": [4, 1], "wrong": [0, 1]}
    second = {"rows": 10, "given": [5, 5], "kept": [2, 4], "right": [2, 1], "wrong": [0, 3]}
    found = [
        *results(0, 1, [0.9]),
        *results(1, 1, [0.9], kept=first),
        *list(results(1, 1, [0.9, 0.8], kept=second))[1:],
    ]
    text = render_kept(TABLE, found)
    assert "**ours**" in text
    assert "**ce**" not in text
    assert cells(text, "noisy") == ["3 = 3 + 0", "3 = 1 + 2", "60.0 % = 40.0 + 20.0"]
    assert "clean" not in text


def test_no_section_without_kept_labels():
    assert render_kept(TABLE, results(0, 0, [0.9])) == ""


@pytest.mark.parametrize(
    ("seconds", "text"), [(0, "0 s"), (45.4, "45 s"), (720, "12 min"), (11_100, "3 h 05 min"), (3_590, "1 h 00 min")]
)
def test_durations(seconds, text):
    assert _format_duration(seconds) == text


def test_an_error_is_worse_above_the_published_one():
    table = replace(TABLE, measure="error")
    text = render_table(table, [*results(0, 0, [0.5]), *results(0, 1, [0.4])])
    assert "Values: test error, %." in text
    assert cells(text, "ce") == ["50.00 (1 of 3) vs 98.2 ± 0.1: -48.20 **+**", "60.00 (1 of 3) vs 52.9: +7.10 **!**"]


def test_shares_right_after_correction_and_selection():
    kept = {"rows": 10, "given": [5, 5], "kept": [4, 2], "right": [4, 1], "wrong": [0, 1]}
    by_T = {"given": 0.8, "argmax": 0.7, "sampled": 0.6, "transition_error": 0.0125}
    found = [
        *results(0, 1, [0.9], corrected=by_T, noise_rate=0.2),
        *results(1, 1, [0.9], kept=kept, noise_rate=0.2),
    ]
    text = render_corrected(TABLE, found)
    lines = {line.split(" | ")[1]: line[2:-2].split(" | ")[2:] for line in text.splitlines() if "|" in line}
    assert lines["as given"] == ["80.0", "20.0", "0.0", ""]
    assert lines["ce: most likely class by T"] == ["70.0", "30.0", "0.0", "0.0125"]
    assert lines["ce: class drawn by T"] == ["60.0", "40.0", "0.0", "0.0125"]
    assert lines["ours: labels kept"] == ["50.0", "10.0", "40.0", ""]
    old = render_corrected(
        TABLE, results(0, 1, [0.9], corrected={"given": 0.8, "argmax": 0.7, "sampled": 0.6}, noise_rate=0.2)
    )
    assert "| 70.0 | 30.0 | 0.0 |  |" in old
    assert render_corrected(TABLE, results(0, 0, [0.5], noise_rate=0.0)) == ""
    text = render_corrected(
        TABLE, results(1, 1, [0.9], kept={**kept, "right": [1, 0], "wrong": [0, 0]}, noise_rate=None)
    )
    assert "as given" not in text  # no true label is known
    assert text.strip().splitlines()[-1].endswith("| 10.0 | 0.0 | 40.0 |  |")


def test_scores_of_a_method():
    one = {"auroc": 0.5, "average_precision": 0.25, "precision": 0.5, "recall": 1.0, "f1": 0.75}
    found = list(results(0, 0, [0.9, 0.9]))
    for result, auroc in zip(found, (0.5, 1.0), strict=True):
        result["issues"] = {"scores": {"epsilon": {**one, "auroc": auroc}}}
    text = render_scores(TABLE, found)
    assert f"| ce | {TABLE.columns[0].name} | epsilon | 0.750 | 0.250 | 0.500 | 1.000 | 0.750 |" in text
    found[1]["issues"]["scores"]["el2n"] = one  # which the first seed does not have
    assert "| el2n | 0.500 (1 of 2) | 0.250 (1 of 2) |" in render_scores(TABLE, found)
    never = [{**r, "issues": {"scores": {"epsilon": {**one, "auroc": None}}}} for r in results(0, 0, [0.9])]
    assert "| epsilon |  | 0.250 |" in render_scores(TABLE, never)
    assert render_scores(TABLE, results(0, 0, [0.9])) == ""


def test_other_networks_of_a_method():
    found = list(results(0, 0, [0.9, 0.9]))
    for result, accuracy in zip(found, (0.5, 0.6), strict=True):
        result["others"] = {"guider": accuracy}
    name = TABLE.columns[0].name
    assert f"| ce | {name} | guider | 55.00 ± 7.07 |" in render_others(TABLE, found)
    assert f"| ce | {name} | guider | 50.00 |" in render_others(replace(TABLE, measure="error"), found[:1])
    assert render_others(TABLE, results(0, 0, [0.9])) == ""


def test_a_page_has_all_parts_that_are_not_empty():
    quality = {"auroc": 0.5, "average_precision": 0.25, "precision": 0.5, "recall": 1.0, "f1": 0.75}
    issues = {**quality, "calibration_error": 0.125, "noise_rate": 0.3, "transition_error": 0.0625}
    issues["judgment"] = JUDGMENT
    found = [
        *results(0, 1, [0.9, 0.9], issues=issues, noise_rate=0.2),
        *results(1, 1, [0.9], others={"guider": 0.5}, noise_rate=0.2),
    ]
    text = render_page(TABLE, iter(found))
    assert [line for line in text.splitlines() if line.startswith("#")] == [
        "### Two by two",
        "### Other networks of the methods",
        "### Wrong labels found",
    ]
    assert "| ce | noisy | 0.5000 | 0.5000 | 1.0000 | 0.7500 | 0.1250 | 0.3000 | 0.2000 | 0.0625 |" in text
    found[0]["issues"] = {**issues, "auroc": None}  # no label is wrong
    found[1]["noise_rate"] = None  # no true label is known
    assert "| 0.5000 (1 of 2) | 0.5000 | 1.0000 | 0.7500 | 0.1250 | 0.3000 | 0.2000 (1 of 2) | 0.0625 |" in render_page(
        TABLE, found
    )


def test_a_row_of_an_older_judgment_is_marked():
    quality = {"auroc": 0.5, "average_precision": 0.25, "precision": 0.5, "recall": 1.0, "f1": 0.75}
    issues = {**quality, "calibration_error": 0.125, "noise_rate": 0.3, "transition_error": 0.0625}
    new, old = results(0, 1, [0.9, 0.9], issues=issues, noise_rate=0.2)
    new["issues"] = {**issues, "judgment": JUDGMENT}
    note = "† An older version of the judgment made this row."
    assert note not in render_page(TABLE, [new])
    assert "| ce † | noisy | 0.5000 |" in render_page(TABLE, [new, old])
    assert note in render_page(TABLE, [new, old])
