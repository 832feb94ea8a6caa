import json
import multiprocessing
import os
import signal
import subprocess
import sys
from contextlib import suppress

import pytest

from goldvein.bench import plan
from goldvein.bench.code_version import find_code_version
from goldvein.bench.results import read_results
from goldvein.bench.run import run_table
from goldvein.errors import InputError

SMOKE = "digits_smoke"
QUICK = """
title = "quick"
citation = ""
source = ""
cost = ""
command = ""
seeds = [0]
data = {{ name = "digits" }}
estimator = {{ epochs = 1 }}
columns = [{{ name = "clean" }}]
rows = [{rows}]
"""
GOOD = '{ name = "good", method = "cross_entropy" }'


@pytest.fixture(scope="module")
def smoke(tmp_path_factory):
    """The file of results of digits_smoke, run by two workers."""
    path = tmp_path_factory.mktemp("bench") / "new" / "results.jsonl"
    assert run_table(plan.read_plan(SMOKE), path, jobs=2) == 0
    return path


@pytest.fixture
def no_workers(monkeypatch):
    def refuse(*values):
        raise AssertionError("a worker was started")

    monkeypatch.setattr("goldvein.bench.run.Worker", refuse)


def test_every_job_leaves_a_line(smoke):
    results = read_results(smoke)
    jobs = {job.key: job for job in plan.list_jobs(plan.read_plan(SMOKE))}
    assert len(results) == len(jobs) == 8
    for result in results:
        job = jobs.pop(result["key"])
        assert plan.Job(**result["job"]) == job
        assert 0.6 < result["accuracy"] <= 1
        assert 0.6 < result["balanced_accuracy"] <= 1
        assert 0.6 * (1 - job.rate) < result["validation_accuracy"] <= 1
        assert result["seconds"] > 0
        assert 50 < result["peak_mb"] < 20_000
        assert set(result["versions"]) >= {"python", "torch", "numpy", "sklearn", "goldvein", "cpu"}
        assert result["source"] == find_code_version()


def test_kept_labels_are_of_training_rows(smoke):
    for result in read_results(smoke):
        if result["job"]["method"] == "cross_entropy":
            assert "kept" not in result
            continue
        counts = result["kept"]
        assert 1070 < counts["rows"] < 1090  # nine tenths of 1,201
        assert sum(counts["given"]) == counts["rows"]
        assert 0 < sum(counts["kept"]) <= counts["rows"]
        assert [r + w for r, w in zip(counts["right"], counts["wrong"], strict=True)] == counts["kept"]
        assert sum(counts["wrong"]) <= (0.1 if result["job"]["rate"] else 0) * sum(counts["kept"])


def test_a_second_run_has_nothing_to_do(smoke, no_workers):
    before = smoke.read_bytes()
    assert run_table(plan.read_plan(SMOKE), smoke, jobs=2) == 0
    assert smoke.read_bytes() == before


def test_a_truncated_line_is_cut_off_and_run_again(smoke, tmp_path):
    path = tmp_path / "results.jsonl"
    lines = smoke.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join(lines[:-1]) + lines[-1][:-40])
    assert len(read_results(path)) == 7
    assert run_table(plan.read_plan(SMOKE), path) == 0
    again = path.read_bytes().splitlines(keepends=True)
    assert again[:7] == lines[:7]
    assert json.loads(again[7])["key"] == json.loads(lines[7])["key"]
    assert json.loads(again[7])["accuracy"] == json.loads(lines[7])["accuracy"]


def test_seeds_in_place_of_the_tables_own(smoke, no_workers, capsys):
    assert run_table(plan.read_plan(SMOKE), smoke, seeds=[1]) == 0
    assert run_table(plan.read_plan(SMOKE), smoke, seeds=[1, 2], limit_s=0) == 1
    assert "4 of 8 runs are not done" in capsys.readouterr().err


def test_a_limit_that_is_over_begins_nothing(tmp_path, no_workers):
    assert run_table(plan.read_plan(SMOKE), tmp_path / "results.jsonl", limit_s=0) == 1
    assert (tmp_path / "results.jsonl").read_bytes() == b""


def test_failures_do_not_stop_the_others(tmp_path, monkeypatch, capfd):
    (tmp_path / "bad_networks.py").write_text(
        "import os, signal\n"
        "def dies(shape, n_classes): os.kill(os.getpid(), signal.SIGKILL)\n"
        "def raises(shape, n_classes): raise RuntimeError('no network today')\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    bad = (
        f'{{ name = "{n}", method = "cross_entropy", estimator = {{ model = "bad_networks:{n}" }} }}'
        for n in ("dies", "raises")
    )
    table = tmp_path / "table.toml"
    table.write_text(QUICK.format(rows=", ".join([*bad, GOOD])))
    assert run_table(plan.read_plan(table), tmp_path / "results.jsonl") == 1
    (result,) = read_results(tmp_path / "results.jsonl")
    assert result["job"]["estimator"] == {"epochs": 1}
    printed = capfd.readouterr().err
    assert "failed: digits none 0 cross_entropy seed 0: its process ended with code -9" in printed
    assert "RuntimeError: no network today" in printed
    assert "2 of 3 runs are not done" in printed
    assert [child for child in multiprocessing.active_children() if "Spawn" in child.name] == []  # not those of others


def test_ctrl_c_leaves_what_is_finished(underway, hang):
    process, path = underway
    os.killpg(process.pid, signal.SIGINT)
    _, told = process.communicate(timeout=hang)  # ends once no process is left that could write
    assert process.returncode != 0
    assert "KeyboardInterrupt" in told
    assert len(read_results(path)) == 1
    assert path.read_bytes().endswith(b"}\n")


def test_workers_end_with_a_parent_that_is_killed(underway, hang):
    process, _ = underway
    process.kill()
    process.communicate(timeout=hang)


# a network whose training, of a million epochs, makes a file at its first step
ENDLESS = """
from pathlib import Path
from goldvein.training.network import build_network

def net(shape, n_classes):
    made = build_network("mlp", shape, n_classes)
    made.register_forward_pre_hook(lambda net, x: Path("{started}").touch())
    return made
"""


MAIN = """
import os, sys, threading
from goldvein.bench.plan import read_plan
from goldvein.bench.run import run_table

def end_with_the_tests():
    os.read(0, 1)
    os._exit(1)

if __name__ == "__main__":
    threading.Thread(target=end_with_the_tests, daemon=True).start()
    run_table(read_plan(sys.argv[1]), sys.argv[2])
"""


@pytest.fixture
def underway(tmp_path, wait_for, lifeline):
    """A run of three jobs in a process group of its own: the first is done, the second trains and never ends."""
    table, path, started = (tmp_path / name for name in ("table.toml", "results.jsonl", "started"))
    (tmp_path / "endless.py").write_text(ENDLESS.format(started=started))
    endless = (
        f'{{ name = "{lr}", method = "cross_entropy", '
        f'estimator = {{ model = "endless:net", lr = {lr}, epochs = 1_000_000 }} }}'
        for lr in (0.001, 0.002)
    )
    table.write_text(QUICK.format(rows=", ".join([GOOD, *endless])))
    (tmp_path / "main.py").write_text(MAIN)
    env = {**os.environ, "PYTHONPATH": os.pathsep.join([str(tmp_path), *sys.path])}
    command = [sys.executable, tmp_path / "main.py", table, path]
    pipes = {"stdin": lifeline, "stderr": subprocess.PIPE}
    process = subprocess.Popen(command, start_new_session=True, env=env, text=True, **pipes)
    try:
        wait_for(started, process)
        yield process, path
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def test_one_run_at_a_time_adds_to_a_file(tmp_path):
    fcntl = pytest.importorskip("fcntl")
    path = tmp_path / "results.jsonl"
    with path.open("ab") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        with pytest.raises(InputError, match="another run is adding"):
            run_table(plan.read_plan(SMOKE), path)


def test_wrong_arguments(tmp_path):
    with pytest.raises(InputError, match="jobs=0"):
        run_table(plan.read_plan(SMOKE), tmp_path / "results.jsonl", jobs=0)
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="cannot be written"):
        run_table(plan.read_plan(SMOKE), tmp_path / "file" / "results.jsonl")


def test_bench_needs_torch_numpy_and_scikit_learn_alone():
    code = (
        "import sys\n"
        "for name in ('pandas', 'rich', 'typer', 'PIL', 'matplotlib'): sys.modules[name] = None\n"
        "from goldvein.bench import job, plan, results, run, table\n"
        "assert 'torch' not in sys.modules\n"
        "print(job.run_job(plan.Job('digits', 'two_stage', 0, estimator={'epochs': 1}))['n_iter'])\n"
    )
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=env)
    assert out.returncode == 0, out.stderr
    assert int(out.stdout) >= 2
