"""The commands that only print: methods, data, help and version; and bench."""

from __future__ import annotations

import inspect
import json
import os
import re
import subprocess
import sys

import pytest

from goldvein import __version__
from goldvein.config.names import find, names
from goldvein.data import standard


def test_methods_are_listed_with_a_description(goldvein):
    lines = goldvein("methods").stdout.splitlines()
    assert [line.split()[0] for line in lines[1:]] == names("methods")
    (line,) = (line for line in lines if line.startswith("cross_entropy "))
    assert line.removeprefix("cross_entropy").strip().startswith("Cross-entropy on the given labels")


@pytest.mark.parametrize("method", names("methods"))
def test_a_method_is_shown_with_its_defaults(goldvein, method):
    printed = goldvein("methods", method).stdout
    assert printed.startswith(str(inspect.getdoc(inspect.getmodule(find("methods", method)))).splitlines()[0])
    _, _, table = printed.rpartition("hyper-parameter")
    shown = [line.split()[0] for line in table.splitlines()[1:]]
    cls = find("methods", method)
    own = [arg.name for arg in inspect.signature(cls).parameters.values() if arg.kind is not arg.VAR_KEYWORD]
    assert shown[: len(own)] == own
    assert sorted(shown) == sorted(cls().get_params(deep=False))
    assert ":`" not in printed


def test_a_hyper_parameter_is_shown_with_its_range(goldvein):
    lines = [line.split(maxsplit=2) for line in goldvein("methods", "umn").stdout.splitlines()[-12:]]
    assert lines[0] == ["labeled", "'linear'", "one of linear, ce, marginal"]
    assert ["weight", "1.0", "a number of at least 0"] in lines  # of the parent
    assert ["z_a", "none", "a whole number of at least 1, or none"] in lines


@pytest.mark.parametrize(("method", "of_parent"), [("umn", "Smallest probability"), ("forward_correction", "anchor")])
def test_the_hyper_parameters_of_a_parent_are_described_after_those_of_the_method(goldvein, method, of_parent):
    text, _, _ = goldvein("methods", method).stdout.rpartition("hyper-parameter")
    assert of_parent in text[text.index("Parameters\n----------") :]
    assert not any(word in text for word in (">>>", "A method that", "A method whose"))


OWN = '''"""Mine: first line."""
from goldvein.config.ranges import Count
from goldvein.methods import CrossEntropy
class Mine(CrossEntropy):
    """My own.

    Parameters
    ----------
    depth : int, default=2
        Number of layers.
    """
    def __init__(self, depth: Count = 2, **parent):
        super().__init__(**parent)
        self.depth = depth
'''


def test_a_method_of_ones_own_is_shown_by_its_full_name(goldvein, refused, tmp_path, monkeypatch):
    (tmp_path / "my_own.py").write_text(OWN)
    monkeypatch.syspath_prepend(tmp_path)
    text, _, table = goldvein("methods", "my_own:Mine").stdout.rpartition("hyper-parameter")
    assert text.startswith("Mine: first line.")
    assert [line.split()[:2] for line in table.splitlines()[1:]] == [["depth", "2"], ["balance", "false"]]
    assert "a whole number of at least 1" in table
    assert "Draw every given class equally often." in text
    assert "my_own:Yours" in refused("methods", "my_own:Yours")


def test_unknown_names(refused):
    assert refused("methods", "pi_modle").startswith("unknown method 'pi_modle': did you mean 'pi_model'?")
    assert refused("data", "minst").startswith("unknown data set 'minst': did you mean 'mnist'?")


def test_data_sets_are_listed_with_missing_files(goldvein, tmp_path):
    lines = goldvein("data", "--data-dir", tmp_path).stdout.splitlines()
    assert [line.split()[0] for line in lines[1:]] == standard.dataset_names()
    svhn = next(line for line in lines if line.startswith("svhn"))
    assert "0 of 2 files" in svhn
    assert "http://ufldl.stanford.edu/housenumbers/" in svhn
    (tmp_path / "SVHN").mkdir()
    (tmp_path / "SVHN" / "test_32x32.mat").touch()
    shown = goldvein("data", "svhn", "--data-dir", tmp_path).stdout
    assert "10 classes, 1 of 2 files" in shown
    assert [line.split() for line in shown.splitlines()[-2:]] == [
        ["SVHN/train_32x32.mat", "missing"],
        ["SVHN/test_32x32.mat", "found"],
    ]
    assert "built in" in goldvein("data", "digits").stdout


def test_version(goldvein):
    assert goldvein("--version").stdout == f"goldvein {__version__}\n"


@pytest.mark.parametrize("arguments", [["--help"], ["train", "--help"], ["methods"], ["data"]], ids=" ".join)
def test_commands_that_only_print_do_not_import_torch(arguments):
    code = (
        "import sys\nfrom typer.testing import CliRunner\nfrom goldvein.cli import app\n"
        f"assert CliRunner().invoke(app, {arguments}).exit_code == 0\n"
        "assert not {'torch', 'sklearn', 'pandas'} & set(sys.modules), 'slow to start'"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_usage_errors_and_bad_input_exit_with_2(tmp_path):
    for arguments in (["train"], ["nonsense"], ["train", "digitz", "--out", str(tmp_path / "run")]):
        command = [sys.executable, "-m", "goldvein", *arguments]
        done = subprocess.run(command, capture_output=True, text=True, env={**os.environ, "OMP_NUM_THREADS": "1"})
        assert done.returncode == 2
        assert "Traceback" not in done.stderr
        assert done.stdout == ""


TABLE = """
title = "Digits"
citation = "none"
source = "none"
cost = "seconds"
command = "goldvein bench digits.toml"
seeds = [0, 1]
estimator = { epochs = 2 }
[data]
name = "digits"
[[rows]]
name = "ce"
method = "cross_entropy"
[[columns]]
name = "clean"
"""


def test_bench_knows_the_published_tables_from_anywhere(goldvein, refused, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    printed = goldvein("bench", "ding_table3_mnist", "--dry-run").stdout
    assert re.search(r"training runs to do: [1-9]\d*\n$", printed)
    assert "did you mean 'ding_table3_mnist'?" in refused("bench", "ding_table3_mnits", "--dry-run")


def test_bench_runs_what_is_missing_and_prints_the_table(goldvein, refused, tmp_path):
    table, results = tmp_path / "digits.toml", tmp_path / "results.jsonl"
    table.write_text(TABLE)
    assert goldvein("bench", table, "--results", results, "--dry-run").stdout.endswith("training runs to do: 2\n")
    assert not results.exists()
    printed = goldvein("bench", table, "--results", results, "--seeds", "1").stdout
    assert "### Digits" in printed
    assert [json.loads(line)["job"]["seed"] for line in results.read_text().splitlines()] == [1]
    left = goldvein("bench", table, "--results", results, "--dry-run").stdout
    assert left.endswith("training runs to do: 1\n")
    assert "--seeds 1,x: seeds must be whole numbers" in refused("bench", table, "--seeds", "1,x")
    table.write_text(TABLE.replace("cross_entropy", "cross_entrophy"))
    assert "did you mean 'cross_entropy'?" in refused("bench", table, "--dry-run")
