"""Which requests the review page accepts, and hostile names, which must stay text."""

from __future__ import annotations

import csv
import http.client
import json

import pytest
from PIL import Image

from goldvein.runs.decisions import FILE, Log

HOSTILE = (
    "<script>document.title='taken'</script>",
    "<img src=x onerror=\"document.title='taken'\">",
    "\"quoted\" & 'quoted'",
    "\u202eright to left\u202c שלום",
    "long " * 2000,
    "{{ 7 * 7 }}",
)


def send(server, method: str = "GET", path: str = "/start", body: object = None, **headers: str) -> tuple[int, str]:
    """Send a request as any program could."""
    _, _, port = server.origin.rpartition(":")
    connection = http.client.HTTPConnection("127.0.0.1", int(port), timeout=600)
    names = {name.replace("_", "-"): value for name, value in headers.items()}
    connection.request(method, path, None if body is None else json.dumps(body), names)
    answer = connection.getresponse()
    return answer.status, answer.read().decode()


@pytest.fixture(scope="module")
def reviewed(make_text_run, tmp_path_factory):
    """The run that the server shows; only one test makes a decision, about row 0."""
    return make_text_run(tmp_path_factory.mktemp("reviewed"))


@pytest.fixture(scope="module")
def server(reviewed, start_server):
    return start_server(reviewed)


@pytest.fixture
def allowed(server) -> dict[str, str]:
    """The headers of requests from the page itself."""
    port = server.origin.rpartition(":")[2]
    return {"Cookie": f"goldvein-{port}={server.token}", "Origin": server.origin, "Content_Type": "application/json"}


DECISION = {"position": 1, "action": "keep", "client": "me", "seen": 0}


def test_requests_of_the_page_are_accepted(server, allowed):
    status, page = send(server, path=f"/?token={server.token}")
    assert status == 200
    assert "Review" in page
    assert server.token not in page
    assert send(server, **allowed)[0] == 200
    status, answer = send(server, "POST", "/decide", {**DECISION, "position": 0}, **allowed)
    assert (status, json.loads(answer)["changes"]) == (200, [[0, [1, "keep", 0]]])
    assert send(server, path=f"/changes?since={10**30}", **allowed)[0] == 400


@pytest.mark.parametrize("path", ["/", "/start", "/card/0", "/picture/0", "/changes", "/?token=guess", "/x"])
def test_without_the_token_every_request_is_refused(server, path):
    status, answer = send(server, path=path)
    assert status == 403
    assert "mail number" not in answer
    port = server.origin.rpartition(":")[2]
    assert send(server, path=path, Cookie=f"goldvein-{port}=guess")[0] == 403


@pytest.mark.parametrize(
    "changed",
    [
        {"Cookie": "other=1"},
        {"Origin": "http://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://127.0.0.1:1"},
        {"Origin": ""},
        {"Host": "evil.example"},
        {"Sec_Fetch_Site": "cross-site"},
        {"Sec_Fetch_Site": "same-site"},
    ],
    ids=str,
)
def test_a_decision_from_elsewhere_is_refused_and_not_written(server, allowed, reviewed, changed):
    assert send(server, "POST", "/decide", DECISION, **{**allowed, **changed})[0] == 403
    without_origin = {name: value for name, value in allowed.items() if name != "Origin"}
    assert send(server, "POST", "/decide", DECISION, **without_origin)[0] == 403
    assert "m1" not in Log(reviewed / FILE).current()


def test_a_page_of_another_name_for_this_machine_is_refused(server, allowed):
    assert send(server, **{**allowed, "Host": "attacker.example:80"})[0] == 403
    assert send(server, path=f"/?token={server.token}", Host="attacker.example")[0] == 403


def test_only_the_loopback_address_is_bound(server):
    port = int(server.origin.rpartition(":")[2])
    with open("/proc/net/tcp") as file:
        local = [line.split()[1] for line in file if line.split()[3] == "0A"]
    assert [address for address in local if address.endswith(f":{port:04X}")] == [f"0100007F:{port:04X}"]


@pytest.mark.parametrize(
    ("asked", "status"),
    [
        ({"position": 60}, 404),
        ({"position": -1}, 404),
        ({"position": True}, 404),
        ({"position": "0"}, 404),
        ({"action": "burn"}, 400),
        ({"action": "relabel", "label": 3}, 400),
        ({"action": "relabel", "label": None}, 400),
        ({"action": "relabel", "label": "b"}, 400),
        ({"client": ""}, 400),
        ({"client": "x" * 101}, 400),
        ({"seen": "x"}, 400),
        ({"client": "x" * 70_000}, 413),
    ],
    ids=lambda value: str(value)[:40],
)
def test_bad_requests_are_reported_and_write_nothing(server, allowed, reviewed, asked, status):
    assert send(server, "POST", "/decide", {**DECISION, **asked}, **allowed)[0] == status
    assert "m1" not in Log(reviewed / FILE).current()


def test_forms_of_other_pages_cannot_post(server, allowed):
    for kind in ("text/plain", "application/x-www-form-urlencoded"):
        assert send(server, "POST", "/decide", DECISION, **{**allowed, "Content_Type": kind})[0] == 415


@pytest.fixture
def hostile_run(make_run, tmp_path):
    """Labels, ids and texts that would run code in a careless page."""
    table = tmp_path / "hostile.csv"
    rows = [f"{text} {k}" for k, text in enumerate(HOSTILE)]
    with table.open("w", newline="") as file:
        csv.writer(file).writerows([("id", "text", "label"), *((row, row, "a") for row in rows)])
    spec = {"reader": "text", "text": "text", "label": "label"}
    return make_run(tmp_path / "run", [*HOSTILE], source=str(table), spec=spec, ids=rows, classes=sorted(HOSTILE))


def test_hostile_names_are_text_on_the_review_page(hostile_run, serve, browser):
    page = browser.page(serve(hostile_run).address)
    page.ready()
    for k in range(len(HOSTILE)):
        assert page.run("document.querySelector('#given').textContent") == page.run("classes[card.given]")
        assert page.run("document.querySelector('#stage blockquote').textContent") == page.run("card.id")
        assert page.run("document.querySelector('#id').textContent") == page.run("card.id")
        page.press("t")
        page.wait(f"document.body.dataset.done === '{k + 1}' && !busy")
    assert page.run("document.querySelectorAll('main img, main script').length") == 0
    assert page.run("document.title") == "Review run"
    page.press("c")
    page.wait("document.querySelectorAll('#found li').length === 6")
    listed = page.run("[...document.querySelectorAll('#found li')].map(one => one.textContent)")
    assert sorted(listed) == sorted(HOSTILE)
    assert page.run("document.documentElement.scrollWidth <= innerWidth")
    assert browser.complaints() == []
    found = Log(hostile_run / FILE).current()
    assert len(found) == len(HOSTILE)
    assert {decision.label for decision in found.values()} == set(HOSTILE)


def test_a_missing_picture_has_a_placeholder_that_says_why(make_run, serve, browser, tmp_path):
    folder = tmp_path / "pictures"
    for name in ("cat", "dog"):
        (folder / name).mkdir(parents=True)
        Image.new("RGB", (300, 200), "red").save(folder / name / "<b>1.png")
    (folder / "cat" / "broken.png").write_bytes(b"no image")
    ids = ["cat/<b>1.png", "cat/broken.png", "cat/gone.png", "../outside.png", "dog/<b>1.png"]
    spec = {"reader": "images", "size": [32, 32], "channels": 3}
    given = ["cat", "cat", "cat", "cat", "dog"]
    page = browser.page(serve(make_run(tmp_path / "run", given, source=str(folder), spec=spec, ids=ids)).address)
    page.ready()
    shown = {}
    for k in range(len(ids)):
        text = page.text("#stage")
        shown[page.run("card.id")] = "picture" if page.run("!!document.querySelector('#stage img')") else text
        page.press("s")
        page.wait(f"document.body.dataset.done === '{k + 1}' && !busy")
    assert shown[ids[0]] == shown[ids[4]] == "picture"
    assert "not an image" in shown[ids[1]]
    assert "no such file" in shown[ids[2]]
    assert "its id is not a path inside the folder" in shown[ids[3]]
