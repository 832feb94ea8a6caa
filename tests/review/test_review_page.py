"""The review page in a real browser, used with the keyboard."""

from __future__ import annotations

import signal

from goldvein.runs.decisions import FILE, Log


def decided(folder) -> dict:
    log = Log(folder / FILE)
    try:
        return log.current()
    finally:
        log.close()


def act(page, key: str) -> None:
    """Press a key that makes a decision, and wait for the next row."""
    before = page.run("document.body.dataset.done")
    page.press(key)
    page.wait(f"document.body.dataset.done !== {before!r}")
    page.ready()


def test_fifty_decisions_with_the_keyboard_survive_a_kill(text_run, serve, browser):
    server = serve(text_run)
    page = browser.page(server.address)
    page.ready()
    assert page.run("location.search") == ""  # the token does not stay in the address bar
    made = {}
    for k in range(30):
        key = "ktds"[k % 4]
        position, row = int(page.run("document.body.dataset.at")), page.text("#id")
        assert position == k
        assert page.text("#stage") == f"mail number {row[1:]}"
        act(page, key)
        given, suggested = "abc"[k % 3], "abc"[(k + 1) % 3]
        made[row] = {"k": ("keep", given), "t": ("relabel", suggested), "d": ("drop", None), "s": ("skip", None)}[key]
        found = decided(text_run)[row]
        assert (found.action, found.label) == made[row]  # the decision is on the disk when the next row appears
    server.kill()
    page.press("k")
    page.wait("document.querySelector('#note').innerText.includes('does not answer')")
    assert len(decided(text_run)) == 30
    server = serve(text_run)
    page.open(server.address)
    page.ready()
    assert page.run("document.body.dataset.done") == "30"
    for _ in range(20):
        made[page.text("#id")] = ("keep", page.text("#given"))
        act(page, "k")
    assert {row: (d.action, d.label) for row, d in decided(text_run).items()} == made
    assert len(made) == 50
    assert page.run("document.querySelector('#bar').value / document.querySelector('#bar').max") == 50 / 60
    assert browser.complaints() == []


def test_undo_returns_to_the_row_even_after_a_reload(text_run, serve, browser):
    page = browser.page(serve(text_run).address)
    page.ready()
    for key in "ktd":
        act(page, key)
    act(page, "u")
    assert page.run("document.body.dataset.at") == "2"
    assert sorted(decided(text_run)) == ["m0", "m1"]
    page.reload()
    page.ready()
    assert page.run("document.body.dataset.done") == "2"
    act(page, "u")
    assert page.run("document.body.dataset.at") == "1"
    assert page.text("#decision") == "none"
    act(page, "u")
    assert decided(text_run) == {}
    page.press("u")
    page.wait("document.querySelector('#note').innerText.includes('no decision left to undo')")


def test_any_class_can_be_chosen(text_run, serve, browser):
    page = browser.page(serve(text_run).address)
    page.ready()
    page.press("c")
    page.wait("document.querySelector('#choose').open")
    page.press("c")  # in the dialog, c is a letter of the search
    page.wait("document.querySelectorAll('#found li').length === 1")
    assert decided(text_run) == {}
    act(page, "Enter")
    assert decided(text_run)["m0"].label == "c"
    likely = page.run("card.likely[1][0]")
    act(page, "2")
    assert decided(text_run)["m1"].label == "abc"[likely]
    page.press("ArrowLeft")
    page.wait("document.body.dataset.at === '1' && !busy")
    assert "changed to" in page.text("#decision") or page.text("#decision") == "kept"
    page.press("k")
    page.wait("document.body.dataset.at === '2' && !busy")
    assert decided(text_run)["m1"].action == "keep"


def test_a_key_held_down_decides_once(text_run, serve, browser):
    page = browser.page(serve(text_run).address)
    page.ready()
    act(page, "k")
    for _ in range(5):
        page.ask("Input.dispatchKeyEvent", type="keyDown", key="k", text="k", autoRepeat=True)
    act(page, "d")  # keys come in order: had one before been taken, this would not fall on the second row
    assert {row: d.action for row, d in decided(text_run).items()} == {"m0": "keep", "m1": "drop"}


def test_two_tabs_do_not_lose_each_others_work(text_run, serve, browser):
    server = serve(text_run)
    first, second = browser.page(server.address, hidden=True), browser.page(server.address, hidden=True)
    first.ready()  # neither asks by itself what the other does
    second.ready()
    act(first, "k")
    second.press("d")  # this tab does not know the decision of the other tab
    second.wait("document.querySelector('#note').innerText.includes('Another tab')")
    assert decided(text_run)["m0"].action == "keep"
    second.press("d")  # now it knows
    second.wait("document.body.dataset.at === '1' && !busy")
    assert decided(text_run)["m0"].action == "drop"
    act(second, "t")
    first.press("u")  # undoes only the decision of this tab
    first.wait("document.querySelector('#note').innerText.includes('Decision undone')")
    first.ready()
    found = decided(text_run)
    assert (found["m0"].action, found["m1"].action) == ("drop", "relabel")
    assert first.run("document.body.dataset.done") == "2"


def test_the_end_of_the_plan(text_run, serve, browser):
    page = browser.page(serve(text_run, "--budget", "3").address)
    page.ready()
    assert page.text("#total") == "3"
    for key in "kkk":
        act(page, key)
    page.wait("document.querySelector('#note').innerText.includes('All listed labels are decided')")
    assert len(decided(text_run)) == 3


def test_ctrl_c_stops_the_server_and_prints_where_the_decisions_are(text_run, serve, browser, hang):
    server = serve(text_run)
    page = browser.page(server.address)
    page.ready()
    act(page, "k")
    server.process.send_signal(signal.SIGINT)
    assert server.process.stdout is not None
    assert f"1 decision in {text_run / FILE}" in server.process.stdout.read()
    assert server.process.wait(hang) == 0


def test_nothing_to_review(make_run, serve, browser, tmp_path):
    spec = {"reader": "text", "text": "text"}
    run = make_run(tmp_path / "run", ["a", "b"], source="gone.csv", spec=spec, p_wrong=[0.4, 0.1])
    page = browser.page(serve(run).address)
    page.wait("document.querySelector('#note').innerText.includes('--budget N')")
    page.open(serve(run, "--budget", "1").address)
    page.ready()
    assert "gone.csv does not exist" in page.text("#stage")
    assert page.run("document.querySelectorAll('#main button').length") == 1  # there is no suggestion
    act(page, "k")
