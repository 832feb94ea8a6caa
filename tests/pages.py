"""Fixtures: run folders without training, the review server as a process, and a real browser."""

from __future__ import annotations

import fcntl
import itertools
import json
import os
import select
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from goldvein.runs.tables import write_json, write_table

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
PATIENCE = 600  # seconds: it ends a hang, and the busiest machine needs less


def write_run(
    folder: Path,
    given: list[str],
    *,
    source: str,
    spec: dict[str, Any],
    ids: list[str] | None = None,
    classes: list[str] | None = None,
    p_wrong: list[float] | None = None,
    metrics: dict[str, Any] | None = None,
    config: dict[str, Any] | None = None,
) -> Path:
    """Write a complete run without weights; each suggestion is the next class, and p_wrong falls from row to row."""
    n = len(given)
    names = classes or sorted(set(given))
    ids = ids or [f"row {k}" for k in range(n)]
    wrong = np.array(p_wrong if p_wrong is not None else np.linspace(0.99, 0.51, n))
    after = dict(zip(names, [*names[1:], names[0]], strict=True))
    other = [after[label] if p > 0.5 else label for label, p in zip(given, wrong, strict=True)]
    probs = np.full((n, len(names)), 0.1 / max(len(names) - 1, 1))
    probs[np.arange(n), [names.index(label) for label in other]] = 0.9
    folder.mkdir(parents=True)
    issues = {
        "id": ids,
        "given_label": given,
        "suggested_label": other,
        "label_quality": 1 - wrong,
        "p_wrong": wrong,
        "is_issue": wrong > 0.5,
        "rank": np.arange(1, n + 1),
        "reason": [f"looks like {label}" for label in other],
    }
    write_table(folder / "issues.csv", pd.DataFrame(issues))
    columns = {f"prob_{label}": probs[:, k] for k, label in enumerate(names)}
    predictions = {"id": ids, "predicted": other, "confidence": np.full(n, 0.9), **columns}
    write_table(folder / "predictions.csv", pd.DataFrame(predictions))
    found = {"n_rows": n, "n_labeled": n, "n_epochs": 2, "n_issues": int((wrong > 0.5).sum())}
    made = {"noise_rate": float(wrong.mean()), "transition": np.eye(len(names))}
    write_json(folder / "metrics.json", {**found, **made, **(metrics or {})})
    write_json(folder / "environment.json", {"goldvein": "0", "python": "3"})
    epochs = [{"stage": 0, "epoch": k, "loss": 1 / (k + 1), "validation_accuracy": 0.5, "seconds": 1} for k in range(2)]
    (folder / "history.jsonl").write_text("".join(json.dumps(epoch) + "\n" for epoch in epochs))
    kept = {"format": 1, "data": {"source": source}, "method": {"name": "cross_entropy", "params": {}}}
    rest = {"estimator": {"random_state": 0}, "network": {"model": "mlp", "params": {}}, "classes": names, "spec": spec}
    write_json(folder / "config.json", {**kept, **rest, **(config or {})})
    return folder


@pytest.fixture(scope="session")
def make_run() -> Callable[..., Path]:
    return write_run


def write_text_run(folder: Path) -> Path:
    """Write a run on 60 short texts of three classes; all labels are issues."""
    table = folder / "mail.csv"
    table.write_text("id,text,label\n" + "".join(f"m{k},mail number {k},{'abc'[k % 3]}\n" for k in range(60)))
    spec = {"reader": "text", "text": "text", "label": "label"}
    given = ["abc"[k % 3] for k in range(60)]
    return write_run(folder / "run", given, source=str(table), spec=spec, ids=[f"m{k}" for k in range(60)])


@pytest.fixture(scope="session")
def make_text_run() -> Callable[[Path], Path]:
    return write_text_run


@pytest.fixture
def text_run(tmp_path: Path) -> Path:
    return write_text_run(tmp_path)


class Server:
    """``goldvein review`` as a separate process."""

    def __init__(self, folder: Path, *options: str) -> None:
        command = [sys.executable, "-m", "goldvein", "review", str(folder), *options]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        assert self.process.stdout is not None
        self.printed = ""
        for line in self.process.stdout:
            self.printed += line
            if line.startswith("open "):
                self.address = line.split()[1]
                return
        raise AssertionError(self.printed)

    @property
    def origin(self) -> str:
        return self.address.partition("/?")[0]

    @property
    def token(self) -> str:
        return self.address.partition("token=")[2]

    def kill(self) -> None:
        self.process.send_signal(signal.SIGKILL)
        self.process.wait(PATIENCE)


def _starting() -> Iterator[Callable[..., Server]]:
    started: list[Server] = []

    def start(folder: Path, *options: str) -> Server:
        started.append(Server(folder, *options))
        return started[-1]

    yield start
    for server in started:
        server.kill()


@pytest.fixture
def serve() -> Iterator[Callable[..., Server]]:
    """``serve(run, *options)`` starts a server that is stopped after the test."""
    yield from _starting()


@pytest.fixture(scope="module")
def start_server() -> Iterator[Callable[..., Server]]:
    """As ``serve``, but the server is stopped after the last test of the module."""
    yield from _starting()


class Page:
    """A tab of the browser."""

    def __init__(self, browser: Browser) -> None:
        self.browser = browser
        self.target = browser.ask("Target.createTarget", url="about:blank")["targetId"]
        self.session = browser.ask("Target.attachToTarget", targetId=self.target, flatten=True)["sessionId"]
        self.ask("Page.enable")
        self.ask("Runtime.enable")
        self.ask("Log.enable")

    def ask(self, method: str, **params: Any) -> dict[str, Any]:
        return self.browser.ask(method, self.session, **params)

    def open(self, address: str) -> None:
        self.run("window.old = true")
        self.ask("Page.navigate", url=address)
        self.wait("!window.old && document.readyState === 'complete'")

    def reload(self) -> None:
        self.run("window.old = true")
        self.ask("Page.reload")
        self.wait("!window.old && document.readyState === 'complete'")

    def run(self, code: str) -> Any:
        """Return the value of an expression in the page."""
        answer = self.ask("Runtime.evaluate", expression=code, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in answer, answer
        return answer["result"].get("value")

    def wait(self, condition: str) -> None:
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end:
            answer = self.browser.answer("Runtime.evaluate", self.session, expression=f"!!({condition})")
            if answer.get("result", {}).get("result", {}).get("value") is True:  # in between pages it is an error
                return
            time.sleep(0.005)
        raise AssertionError(f"never true: {condition}\n{self.run('document.body.innerText')}")

    def press(self, key: str) -> None:
        """Press and release a key."""
        text = {"text": key} if len(key) == 1 else ({"text": "\r"} if key == "Enter" else {})
        self.ask("Input.dispatchKeyEvent", type="keyDown", key=key, **text)
        self.ask("Input.dispatchKeyEvent", type="keyUp", key=key)

    def ready(self) -> None:
        """Wait until the row is shown and keys work."""
        self.wait("document.body.dataset.ready === '1' && !busy")

    def text(self, selector: str) -> str:
        return self.run(f"document.querySelector({json.dumps(selector)}).innerText")


class Browser:
    """Headless Chromium, controlled through two pipes with its DevTools protocol."""

    def __init__(self, profile: Path) -> None:
        to_read, self.to = (_high(end) for end in os.pipe())
        self.answers, to_write = (_high(end) for end in os.pipe())
        switches = "--headless --no-sandbox --disable-gpu --disable-dev-shm-usage --remote-debugging-pipe"
        command = f'exec "$0" "$@" 3<&{to_read} 4>&{to_write}'
        self.process = subprocess.Popen(
            ["bash", "-c", command, str(CHROMIUM), *switches.split(), f"--user-data-dir={profile}"],
            pass_fds=(to_read, to_write),
            stderr=subprocess.DEVNULL,
        )
        os.close(to_read)
        os.close(to_write)
        self.numbers = itertools.count(1)
        self.buffer = b""
        self.events: list[dict[str, Any]] = []
        self.tabs: list[Page] = []

    def ask(self, method: str, session: str | None = None, **params: Any) -> dict[str, Any]:
        answer = self.answer(method, session, **params)
        assert "error" not in answer, answer
        return answer["result"]

    def answer(self, method: str, session: str | None = None, **params: Any) -> dict[str, Any]:
        number = next(self.numbers)
        message = {"id": number, "method": method, "params": params, **({"sessionId": session} if session else {})}
        os.write(self.to, json.dumps(message).encode() + b"\0")
        while (answer := self._next()).get("id") != number:
            self.events.append(answer)
        return answer

    def complaints(self) -> list[str]:
        """Return the errors and dialogs of all pages."""
        kinds = ("Runtime.exceptionThrown", "Page.javascriptDialogOpening")
        return [json.dumps(event) for event in self.events if event.get("method") in kinds]

    def page(self, address: str | None = None, *, hidden: bool = False) -> Page:
        """A new tab; one that thinks that nobody looks at it does nothing by itself."""
        self.tabs.append(Page(self))
        if hidden:
            source = "Object.defineProperty(document, 'hidden', { value: true })"
            self.tabs[-1].ask("Page.addScriptToEvaluateOnNewDocument", source=source)
        if address is not None:
            self.tabs[-1].open(address)
        return self.tabs[-1]

    def clear(self) -> None:
        """Close all tabs."""
        while self.tabs:
            self.ask("Target.closeTarget", targetId=self.tabs.pop().target)
        self.events.clear()

    def close(self) -> None:
        self.process.terminate()
        self.process.wait(PATIENCE)
        os.close(self.to)
        os.close(self.answers)

    def _next(self) -> dict[str, Any]:
        end = time.monotonic() + PATIENCE
        while b"\0" not in self.buffer:
            ready, _, _ = select.select([self.answers], [], [], max(0, end - time.monotonic()))
            part = os.read(self.answers, 1 << 16) if ready else b""
            assert part, "the browser does not answer"
            self.buffer += part
        line, _, self.buffer = self.buffer.partition(b"\0")
        return json.loads(line)


def _high(end: int) -> int:
    """Return the same end of a pipe under a number above 9, because the browser uses 3 and 4."""
    high = fcntl.fcntl(end, fcntl.F_DUPFD_CLOEXEC, 10)
    os.close(end)
    return high


@pytest.fixture(scope="session")
def chromium(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    if CHROMIUM is None:
        pytest.skip("there is no chromium to drive: apt-get install chromium")
    started = Browser(tmp_path_factory.mktemp("chromium"))
    yield started
    started.close()


@pytest.fixture
def browser(chromium: Browser) -> Iterator[Browser]:
    yield chromium
    chromium.clear()
