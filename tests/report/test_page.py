"""The report: its content, its independence of other files, and its display in a browser."""

from __future__ import annotations

import re

import numpy as np
import pytest
from PIL import Image

from goldvein import InputError, runs
from goldvein.report.appearance import open_data
from goldvein.report.page import write_report
from goldvein.runs.decisions import FILE, Log
from goldvein.runs.folder import SKIPPED

HOSTILE = ("<script>document.title='taken'</script>", "\"quoted\" & 'quoted'", "\u202eשלום\u202c", "long " * 2000)


def write(folder, path, **options) -> str:
    run = runs.open_run(folder)
    write_report(path, run, open_data(run), **options)
    return path.read_text(encoding="utf-8")


@pytest.fixture
def picture_run(make_run, tmp_path):
    """200 pictures of noise, which compress badly, in two classes."""
    folder = tmp_path / "pictures"
    rng = np.random.default_rng(0)
    ids = []
    for k in range(200):
        name = "cat" if k % 2 else "dog"
        (folder / name).mkdir(parents=True, exist_ok=True)
        pixels = rng.integers(0, 255, (300, 400, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(folder / name / f"{k}.jpg", quality=60)
        ids.append(f"{name}/{k}.jpg")
    spec = {"reader": "images", "size": [32, 32], "channels": 3}
    given = [row.partition("/")[0] for row in ids]
    return make_run(tmp_path / "run", given, source=str(folder), spec=spec, ids=ids)


def test_two_hundred_thumbnails_take_less_than_3_mb(picture_run, tmp_path):
    page = write(picture_run, tmp_path / "report.html")
    assert page.count("<img ") == page.count('src="data:image/jpeg;base64,') == 200
    assert (tmp_path / "report.html").stat().st_size < 3_000_000


def test_missing_pictures_are_counted_and_have_a_placeholder(picture_run, tmp_path):
    folder = tmp_path / "pictures"
    (folder / "dog" / "0.jpg").unlink()
    (folder / "cat" / "1.jpg").write_bytes(b"no image")
    run = runs.open_run(picture_run)
    assert write_report(tmp_path / "report.html", run, open_data(run)) == 2
    page = (tmp_path / "report.html").read_text()
    assert "<b>2 of 200</b> rows could not be shown" in page
    assert page.count('class="gone"') == 2
    assert "no such file" in page
    folder.rename(tmp_path / "moved")
    assert write_report(tmp_path / "report.html", run, open_data(run)) == 200
    assert "does not exist" in (tmp_path / "report.html").read_text()
    assert write_report(tmp_path / "report.html", run, open_data(run, str(tmp_path / "moved"))) == 2


def test_it_opens_offline_without_any_request(text_run, tmp_path, browser):
    path = tmp_path / "report.html"
    page = write(text_run, path)
    assert re.findall(r"""(?:src|href)=["'](?!data:)[^"']*""", page) == []
    tab = browser.page()
    tab.ask("Network.enable")
    tab.open(path.as_uri())
    asked = [e["params"]["request"]["url"] for e in browser.events if e["method"] == "Network.requestWillBeSent"]
    assert asked == [path.as_uri()]
    assert browser.complaints() == []
    assert not [e for e in browser.events if e["method"] == "Log.entryAdded"]


def test_hostile_names_are_text(make_run, tmp_path, browser):
    spec = {"reader": "text", "text": "text", "label": "label"}
    ids = [f"{name}{k}" for k, name in enumerate(HOSTILE)]
    folder = make_run(tmp_path / "run", [*HOSTILE], source="<b>gone<b>.csv", spec=spec, ids=ids, classes=[*HOSTILE])
    path = tmp_path / "report.html"
    page = write(folder, path)
    assert len(page) < 100_000  # the page contains a name of 10,000 characters only once in full
    assert page.count("<script") == 1
    tab = browser.page(path.as_uri())
    assert tab.run("document.title") == "Labels of <b>gone<b>.csv"
    cells = tab.run("[...document.querySelectorAll('td:first-child bdi.label')].map(cell => cell.textContent)")
    assert cells == [*HOSTILE]
    assert tab.run("document.documentElement.scrollWidth <= innerWidth")
    assert browser.complaints() == []


def test_the_gallery_is_filtered_sorted_and_navigated_with_the_keyboard(text_run, tmp_path, browser):
    write(text_run, tmp_path / "report.html", top=30)
    tab = browser.page((tmp_path / "report.html").as_uri())
    shown = "[...document.querySelectorAll('.card')].filter(card => !card.hidden)"
    assert tab.run(f"{shown}.length") == 30
    tab.run("document.querySelector('.pairs button').click()")
    assert tab.run("[given.value, suggested.value]") == ["0", "1"]
    assert tab.run(f"{shown}.every(card => card.dataset.given === '0' && card.dataset.suggested === '1')")
    assert tab.text("#count") == "10 of 30 shown"
    tab.press("Escape")
    assert tab.run(f"{shown}.length") == 30
    tab.run("""document.querySelector('[data-true="2"][data-given="1"]').dispatchEvent(new Event('click'))""")
    assert tab.run("[given.value, suggested.value]") == ["1", "2"]
    tab.press("Escape")
    tab.run("order.value = 'least'; order.dispatchEvent(new Event('change'))")
    ranks = tab.run(f"{shown}.map(card => +card.dataset.rank)")
    assert ranks == list(range(30, 0, -1))
    tab.press("g")
    for key, rank in (("ArrowRight", 29), ("End", 1), ("ArrowLeft", 2), ("Home", 30)):
        tab.press(key)
        assert tab.run("+document.activeElement.dataset.rank") == rank
    tab.press("f")
    assert tab.run("document.activeElement.id") == "given"


def test_it_prints_without_the_controls(text_run, tmp_path, browser):
    write(text_run, tmp_path / "report.html")
    tab = browser.page((tmp_path / "report.html").as_uri())
    tab.ask("Emulation.setEmulatedMedia", media="print")
    assert tab.run("getComputedStyle(document.querySelector('.tools')).display") == "none"
    assert tab.run("getComputedStyle(document.querySelector('.card')).breakInside") == "avoid"
    assert tab.run("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"


def test_values_of_a_table_are_shown(make_run, tmp_path):
    table = tmp_path / "wine.csv"
    table.write_text("id,acid,color,kind\nw0,1.5,<red>,a\nw1,,white,b\n")
    spec = {"reader": "table", "label": "kind", "columns": [{"name": "acid"}, {"name": "color"}]}
    page = write(make_run(tmp_path / "run", ["a", "b"], source=str(table), spec=spec, ids=["w0", "w1"]), tmp_path / "r")
    assert "<tr><th><bdi>acid</bdi></th><td><bdi>1.5</bdi></td></tr>" in page
    assert "&lt;red&gt;" in page
    assert "<bdi>kind</bdi>" not in page


def test_the_interval_of_the_run_is_shown(make_run, tmp_path):
    spec = {"reader": "text", "text": "text"}
    metrics = {"noise_rate": 0.25, "n_wrong_interval": [0.25, 1]}
    page = write(make_run(tmp_path / "a", ["a", "b"], source="x", spec=spec, metrics=metrics), tmp_path / "report.html")
    assert "25.0\xa0%</b> of 2 labels are wrong\n(90&nbsp;% interval: 12.5\xa0% to 50.0\xa0%)" in page


def test_a_skipped_file_with_a_line_end_in_its_name_counts_once(text_run, tmp_path):
    (text_run / SKIPPED).write_text('file,reason\n"a\nb.png",cut short\nc.png,cut short\n')
    assert "<dt>Skipped files</dt><dd>2 " in write(text_run, tmp_path / "report.html")


def test_reviewed_labels_are_counted_and_used_for_calibration(text_run, tmp_path):
    log = Log(text_run / FILE)
    for k in range(20):
        log.decide(f"m{k}", "relabel" if k < 15 else "keep", "abc"[(k + (k < 15)) % 3], client="me")
    log.decide("m30", "skip", client="me")
    page = write(text_run, tmp_path / "report.html")
    assert "<b>21</b> labels were reviewed: 5 kept,\n15 changed (15 as suggested), 0 dropped, 1 skipped." in page
    assert "Evidence: 20 reviewed labels" in page
    assert page.count("reviewed: relabel") == 15


def test_decisions_about_other_rows_are_refused(text_run, tmp_path):
    Log(text_run / FILE).decide("stranger", "drop", client="me")
    with pytest.raises(InputError, match="id 'stranger' has a decision but is not in the run"):
        write(text_run, tmp_path / "report.html")
    assert not (tmp_path / "report.html").exists()


@pytest.mark.parametrize(
    ("file", "content", "message"),
    [
        ("history.jsonl", "[1]\n", "history.jsonl is damaged"),
        ("metrics.json", "{}", "metrics.json is damaged"),
        ("environment.json", "x", "environment.json is damaged"),
        ("issues.csv", "id\n", "issues.csv is damaged"),
        (FILE, "not a database, and long enough for SQLite to notice", "cannot be read or written"),
    ],
)
def test_a_damaged_run_is_reported_and_an_older_report_stays(text_run, tmp_path, file, content, message):
    path = tmp_path / "report.html"
    path.write_text("older")
    (text_run / file).write_text(content)
    with pytest.raises(InputError, match=message):
        write(text_run, path)
    assert path.read_text() == "older"
    assert (text_run / file).read_text() == content
