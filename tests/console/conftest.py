"""A console on a made-up stack, in a process of its own, and a real browser to look at it.

Without NiceGUI, Playwright or a Chromium, what needs them is skipped and says so.
"""

import json
import queue
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

import pytest
import requests

from local.records import ROOT

if TYPE_CHECKING:
    from playwright.sync_api import Browser, BrowserContext, Page

_START = 60.0  # seconds: moto takes its time to be imported
_END = 20.0

_ELSEWHERE = ("--host-resolver-rules=MAP evil.example 127.0.0.1",)
"""A name that somebody else has made to lead here."""


class RunningConsole:
    """A console that is up. ``control`` steers its simulated platform."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process
        self._lines: queue.Queue[dict[str, Any]] = queue.Queue()
        self.log: list[str] = []
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        first = self._first()
        self._link: str = first["link"]
        self.control: str = first["control"]

    def _first(self) -> dict[str, Any]:
        deadline = time.monotonic() + _START
        while time.monotonic() < deadline and (self.process.poll() is None or not self._lines.empty()):
            with suppress(queue.Empty):
                return self._lines.get(timeout=0.2)
        raise AssertionError("".join(["The console did not start.\n", *self.log[-30:]]))

    def _read(self) -> None:
        assert self.process.stdout
        for line in self.process.stdout:
            if line.startswith('{"link"'):
                self._lines.put(json.loads(line))
            else:
                self.log.append(line)

    @property
    def base(self) -> str:
        """Where its pages are."""
        return self._link.partition("/open")[0]

    def link(self) -> str:
        """Return a link that nobody has used yet."""
        while not self._lines.empty():
            self._link = self._lines.get()["link"]
        return self._link

    def steer(self, name: str, **body: Any) -> Any:
        """Tell the simulated platform something."""
        answer = requests.post(f"{self.control}/{name}", json=body, timeout=10)
        answer.raise_for_status()
        return answer.json()

    def steer_list(self, name: str, body: list[Any]) -> None:
        """Tell it a list."""
        requests.post(f"{self.control}/{name}", json=body, timeout=10).raise_for_status()

    def platform(self, name: str, **query: Any) -> Any:
        """Ask the simulated platform."""
        return requests.get(f"{self.control}/{name}", params=query, timeout=10).json()


@contextmanager
def running_console(*options: str) -> Iterator[RunningConsole]:
    """Run a made-up stack with its console while the block lasts."""
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.console", *options],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        yield RunningConsole(process)
    finally:
        process.terminate()
        try:
            process.wait(_END)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        assert process.stdout
        process.stdout.close()


def browser_path() -> str | None:
    """Return where a Chromium is, if there is one."""
    look = [ROOT / "requirements" / "find-browser.sh", "look"]
    found = subprocess.run(look, capture_output=True, text=True, check=False)
    return found.stdout.strip() if found.returncode == 0 else None


@pytest.fixture(scope="session")
def console() -> Iterator[RunningConsole]:
    """The console of the run."""
    pytest.importorskip("nicegui", reason="the console is not installed: make .venv/marks/console")
    with running_console() as running:
        yield running


@pytest.fixture(scope="session")
def chromium() -> Iterator["Browser"]:
    """Debian's own browser."""
    playwright = pytest.importorskip("playwright.sync_api", reason="no Playwright: make .venv/marks/browser")
    path = browser_path()
    if path is None:
        pytest.skip("there is no Chromium on this system")
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=path, args=["--no-sandbox", *_ELSEWHERE])
        yield browser
        browser.close()


@pytest.fixture
def visitor(chromium: "Browser", console: RunningConsole) -> Iterator["BrowserContext"]:
    """A browser that has used a link; everything that it asks for is written down in ``asked``."""
    context = chromium.new_context(viewport={"width": 1200, "height": 900})
    context.set_default_timeout(15_000)
    asked: list[str] = []
    context.on("request", lambda request: asked.append(request.url))
    page = context.new_page()
    page.goto(console.link())
    page.close()
    yield context
    context.close()
    own = (console.base, "data:", "blob:", "ws" + console.base.removeprefix("http"))
    assert [url for url in asked if not url.startswith(own)] == []


@pytest.fixture
def page(visitor: "BrowserContext") -> "Page":
    """A new tab."""
    return visitor.new_page()
