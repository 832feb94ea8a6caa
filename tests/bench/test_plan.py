import json
import tomllib
from dataclasses import asdict, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from goldvein.bench import plan, published
from goldvein.bench.plan import Job
from goldvein.config.names import names
from goldvein.errors import InputError

TABLES = published.TABLES
SMOKE = TABLES / "digits_smoke.toml"


@pytest.fixture
def write(tmp_path):
    """A table like digits_smoke with one text replaced by another."""

    def write(old="", new=""):
        text = SMOKE.read_text()
        assert old in text
        path = tmp_path / "table.toml"
        path.write_text(text.replace(old, new, 1))
        return path

    return write


def test_smoke_table_is_read():
    table = plan.read_plan(SMOKE)
    assert [row.name for row in table.rows] == ["cross-entropy", "two-stage"]
    assert [(column.noise, column.rate) for column in table.columns] == [("none", 0.0), ("symmetric", 0.2)]
    assert table.published["cross-entropy"]["clean"] == (91.2, None)
    assert table.published["two-stage"]["symmetric .2"] == (90.6, 0.5)
    assert table.seeds == (0, 1)
    plan.validate(table)


@pytest.mark.parametrize("path", sorted(TABLES.glob("*.toml")), ids=lambda path: path.stem)
def test_every_table_is_read_and_its_methods_exist(path):
    table = plan.read_plan(path)
    assert {row.method for row in table.rows} <= set(names("methods"))
    plan.validate(table)


def test_a_published_table_has_a_name(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert published.table_names() == sorted(path.stem for path in TABLES.glob("*.toml"))
    assert plan.read_plan("digits_smoke") == plan.read_plan(SMOKE)
    with pytest.raises(InputError, match=r"^unknown published table 'digit_smok': did you mean 'digits_smoke'\?"):
        plan.read_plan("digit_smok")
    with pytest.raises(InputError, match=r"tables/digits_smoke.toml cannot be read \(.*\): give digits_smoke$"):
        plan.read_plan("tables/digits_smoke.toml")
    (tmp_path / "own").write_text(SMOKE.read_text())
    assert plan.read_plan("own") == plan.read_plan(SMOKE)


def test_published_values_of_ding_table_3():
    table = plan.read_plan(TABLES / "ding_table3_mnist.toml")
    last = table.columns[-1]
    assert (last.noise, last.rate) == ("patrini_mnist", 0.6)
    cells = {row.name: table.published[row.name][last.name] for row in table.rows}
    assert len(cells) == 24  # the eleven of the paper and its own rule to the letter, each at two learning rates
    assert cells["cross-entropy [38]"] == (53.0, 0.6)
    assert cells["cross-entropy"] == (52.9, 0.6)
    assert cells["forward [38]"] == (64.9, 4.4)
    assert cells["ours"] == cells["ours, literal rule"] == (83.4, 1.3)
    assert len(plan.list_jobs(table)) == len(table.rows) * 4 * 5


def test_jobs_merge_the_estimator_and_go_seed_by_seed():
    table = plan.read_plan(SMOKE)
    jobs = plan.list_jobs(table)
    assert [job.seed for job in jobs] == [0] * 4 + [1] * 4
    own, shared = table.rows[1].estimator, table.estimator
    assert own["epochs"] != shared["epochs"]
    assert jobs[2].estimator == {**shared, **own}
    assert [job.seed for job in plan.list_jobs(table, [7])] == [7] * 4


def test_a_row_may_have_data_of_its_own():
    table = plan.read_plan(TABLES / "ding_table4_clothing1m.toml")
    data = {
        row.name: {job.data for job in plan.list_jobs(replace(table, rows=(row,), published={}))} for row in table.rows
    }
    assert data["4: cross-entropy"] == {"clothing1m_noisy"}
    assert data["8: ours, clean set"] == {"clothing1m"}
    assert data["10: cross-entropy, clean set alone"] == {"clothing1m_clean"}
    with pytest.raises(InputError, match="row '4: cross-entropy': mnist has other classes than clothing1m"):
        plan.validate(replace(table, rows=(replace(table.rows[0], data="mnist"),), published={}))


def test_a_column_may_add_hyper_parameters():
    table = plan.read_plan(TABLES / "umn_table1_mnist.toml")
    m_vae = next(row for row in table.rows if row.name == "M-VAE")
    jobs = plan.list_jobs(replace(table, rows=(m_vae,), published={}), [0])
    assert [job.params for job in jobs] == [{"z_b": 10, "noise_rate": job.rate} for job in jobs]
    assert [job.rate for job in jobs] == [0.1, 0.2, 0.3, 0.4, 0.5]
    with pytest.raises(InputError, match=r"unknown column in by_column of row 'M-VAE' '60 %'"):
        replace(table, rows=(replace(m_vae, by_column={"60 %": {}}),), published={})
    with pytest.raises(InputError, match="row 'M-VAE': unknown hyper-parameter 'rate'"):
        plan.validate(replace(table, rows=(replace(m_vae, by_column={"10 %": {"rate": 0.1}}),), published={}))


def test_some_rows_and_columns_alone():
    table = plan.read_plan(TABLES / "ding_table3_mnist.toml")
    some = plan.list_jobs(table, [3], ["ours", "savage"], ["p = 0"])
    assert [(job.method, job.noise, job.seed) for job in some] == [("savage", "none", 3), ("two_stage", "none", 3)]
    assert {job.key for job in some} < {job.key for job in plan.list_jobs(table, [3])}
    with pytest.raises(InputError, match="unknown row 'our': did you mean 'ours'"):
        plan.list_jobs(table, rows=["our"])
    with pytest.raises(InputError, match="unknown column 'p'"):
        plan.list_jobs(table, columns=["p"])


def test_equal_jobs_are_run_once():
    table = plan.read_plan(SMOKE)
    twin = replace(table.rows[0], name="twin")
    assert len(plan.list_jobs(replace(table, rows=(table.rows[0], twin), published={}))) == 4


def test_key_is_the_content():
    job = Job("digits", "two_stage", 0, params={"a": 1, "b": {"c": 2}})
    assert job.key == Job("digits", "two_stage", 0, params={"b": {"c": 2}, "a": 1}).key
    assert job.key == Job(**json.loads(json.dumps(asdict(job)))).key
    changes = [{"seed": 1}, {"rate": 0.1}, {"params": {"a": 1}}, {"issues": True}, {"labels_per_class": 10}]
    keys = {replace(job, **change).key for change in changes}
    assert len(keys | {job.key}) == 1 + len(changes)


def test_key_stays_the_same_over_versions():
    # results on the disk are found by it
    assert Job("digits", "cross_entropy", 0).key == "fd6902b359f2dabc"


@given(st.dictionaries(st.text(max_size=5), st.floats(allow_nan=False) | st.text(max_size=5), min_size=2))
def test_key_does_not_depend_on_the_order(params):
    turned = dict(reversed(params.items()))
    assert Job("digits", "m", 0, params=params).key == Job("digits", "m", 0, params=turned).key


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("seeds", "seedz", "unknown key of a table 'seedz': did you mean 'seeds'"),
        ("seeds = [0, 1]", "", "'seeds' is missing"),
        ("seeds = [0, 1]", "seeds = []", "has no seed"),
        ("seeds = [0, 1]", 'seeds = ["a"]', "whole numbers"),
        ("seeds = [0, 1]", "seeds = 0", "seeds=0: it must be a list"),
        ('name = "digits"', 'nam = "digits"', "it must hold a name, and may hold rows"),
        ("[data]", "[date]", "has no 'data'"),
        ('method = "cross_entropy"', "", "row 1: the key 'method' is missing"),
        ("rate = 0.2", "rat = 0.2", "column 2: unknown key 'rat': did you mean 'rate'"),
        ("rate = 0.2", 'rate = "much"', "column 2: rate='much': it must be a number"),
        ('name = "clean"', 'name = "symmetric .2"', "'symmetric .2' occurs twice"),
        ('"clean" = 91.2', '"cleen" = 91.2', "unknown column of published values 'cleen': did you mean 'clean'"),
        ("[published.cross-entropy]", "[published.ce]", "unknown row of published values 'ce'"),
        ("[90.6, 0.5]", "[90.6, 0.5, 1]", "a mean, or .mean, standard deviation."),
        ("[data]", "[data", "is not TOML"),
    ],
)
def test_a_wrong_file(write, old, new, message):
    path = write(old, new)
    with pytest.raises(InputError, match=message) as caught:
        plan.read_plan(path)
    assert str(caught.value).startswith(str(path))


def test_a_missing_file(tmp_path):
    with pytest.raises(InputError, match="cannot be read"):
        plan.read_plan(tmp_path / "none.toml")


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('name = "digits"', 'name = "digit"', "unknown data set 'digit': did you mean 'digits'"),
        ('noise = "symmetric"', 'noise = "symetric"', "column 'symmetric .2': unknown noise 'symetric'"),
        ("rate = 0.2", "rate = 1.2", "rate=1.2"),
        ('noise = "symmetric"', "", "rate=0.2 without noise"),
        ("rate = 0.2", 'rate = 0.2\ndraw = "exactly"', "unknown draw 'exactly': did you mean 'exact'"),
        ("rate = 0.2", "rate = 0.2\nlabels_per_class = 1", "labels_per_class=1"),
        ('method = "two_stage"', 'method = "two_stages"', "row 'two-stage': unknown method"),
        ("threshold = 0.8", "treshold = 0.8", "unknown hyper-parameter 'treshold': did you mean"),
        ("threshold = 0.8", 'threshold = "high"', "threshold='high': it must be a number"),
        ('model = "mlp"', 'model = "mpl"', "unknown model 'mpl': did you mean 'mlp'"),
        ('model = "mlp"', "modell = 3", "unknown argument of the estimator 'modell': did you mean 'model'"),
        ('model = "mlp"', "random_state = 3", "random_state=3 in estimator: the table sets this argument"),
        ('model = "mlp"', 'optimizer = "sdg"', "optimizer='sdg'"),
        ('model = "mlp"', "lr = 0", "lr=0.0: it must be a number above 0"),
    ],
)
def test_a_dry_run_finds_wrong_names_and_values(write, old, new, message):
    table = plan.read_plan(write(old, new))
    with pytest.raises(InputError, match=message):
        plan.validate(table)


def test_a_dry_run_reads_no_data_and_does_not_train(write, monkeypatch):
    from goldvein.classifier import NoisyLabelClassifier
    from goldvein.data import standard

    def refuse(*values, **options):
        raise AssertionError("a dry run went too far")

    monkeypatch.setattr(standard, "load_dataset", refuse)
    monkeypatch.setattr(NoisyLabelClassifier, "fit", refuse)
    plan.validate(plan.read_plan(write('name = "digits"', 'name = "mnist"')))


def test_the_head_of_the_module_shows_a_table_that_loads(tmp_path):
    block = plan.__doc__.split("::\n", 1)[1]
    lines = [
        line.split("   ")[0] if " = " in line or line.startswith("[") else ""
        for line in (line.removeprefix("    ") for line in block.splitlines())
    ]
    text = "\n".join(lines)
    assert "published" in tomllib.loads(text)
    (tmp_path / "shown.toml").write_text(text)
    plan.validate(plan.read_plan(tmp_path / "shown.toml"))


def test_a_method_that_needs_trusted_rows_gets_them_in_its_row_alone():
    table = plan.read_plan(TABLES / "umn_table1_cifar10.toml")
    assert {(job.method == "learning_to_reweight", job.trusted_per_class) for job in plan.list_jobs(table)} == {
        (True, 10),
        (False, 0),
    }
    with pytest.raises(InputError, match="trusted_per_class=-1: it must be 0 or more"):
        plan.validate(replace(table, rows=(replace(table.rows[0], trusted_per_class=-1),), published={}))
