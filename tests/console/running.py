"""A console in a process of its own, and Debian's browser to look at it."""

import json
import queue
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

import pytest
import requests

from local.records import ROOT

if TYPE_CHECKING:
    from playwright.sync_api import Browser, BrowserContext

_START = 60.0  # seconds: moto takes its time to be imported
_END = 20.0

_ELSEWHERE = ("--host-resolver-rules=MAP evil.example 127.0.0.1",)
"""A name that somebody else has made to lead here."""


class RunningConsole:
    """A console that is up. ``control`` steers its simulated platform."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process
        self.log: list[str] = []
        self.control = ""
        self._links: queue.Queue[str] = queue.Queue()
        threading.Thread(target=self._read, daemon=True).start()
        self._link = self._first()

    def _first(self) -> str:
        deadline = time.monotonic() + _START
        while time.monotonic() < deadline and (self.process.poll() is None or not self._links.empty()):
            with suppress(queue.Empty):
                return self._links.get(timeout=0.2)
        raise AssertionError("".join(["The console did not start.\n", *self.log[-30:]]))

    def _read(self) -> None:
        assert self.process.stdout
        for line in self.process.stdout:
            if line.startswith('{"link"'):
                told = json.loads(line)
                self.control = told["control"]
                self._links.put(told["link"])
            elif line.startswith("http://127.0.0.1:"):
                self._links.put(line.strip())
            else:
                self.log.append(line)

    @property
    def base(self) -> str:
        """Where its pages are."""
        return self._link.partition("/open")[0]

    def link(self) -> str:
        """Return a link that nobody has used yet."""
        while not self._links.empty():
            self._link = self._links.get()
        return self._link

    def steer(self, name: str, **body: Any) -> Any:
        """Tell the simulated platform something."""
        answer = requests.post(f"{self.control}/{name}", json=body, timeout=30)
        answer.raise_for_status()
        return answer.json()

    def steer_list(self, name: str, body: list[Any]) -> None:
        """Tell it a list."""
        requests.post(f"{self.control}/{name}", json=body, timeout=30).raise_for_status()

    def platform(self, name: str, **query: Any) -> Any:
        """Ask the simulated platform."""
        return requests.get(f"{self.control}/{name}", params=query, timeout=30).json()


@contextmanager
def running_console(
    *options: str, module: str = "tests.console", env: Mapping[str, str] | None = None
) -> Iterator[RunningConsole]:
    """Run a console while the block lasts: with a made-up stack, unless ``module`` is ``kxt.console``."""
    process = subprocess.Popen(
        [sys.executable, "-m", module, *options],
        cwd=ROOT,
        env=env,
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
    look = [str(ROOT / "requirements" / "find-browser.sh"), "look"]
    found = subprocess.run(look, capture_output=True, text=True, check=False)
    return found.stdout.strip() if found.returncode == 0 else None


@contextmanager
def a_chromium() -> Iterator["Browser"]:
    """Run Debian's own browser while the block lasts; skip the test where there is none."""
    playwright = pytest.importorskip("playwright.sync_api", reason="no Playwright: make .venv/marks/browser")
    path = browser_path()
    if path is None:
        pytest.skip("there is no Chromium on this system")
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=path, args=["--no-sandbox", *_ELSEWHERE])
        yield browser
        browser.close()


@contextmanager
def a_visitor(chromium: "Browser", console: RunningConsole) -> Iterator["BrowserContext"]:
    """Let a browser in while the block lasts, and see at its end that it has asked nobody else."""
    context = chromium.new_context(viewport={"width": 1200, "height": 900})
    context.set_default_timeout(15_000)
    asked: list[str] = []
    context.on("request", lambda request: asked.append(request.url))
    page = context.new_page()
    page.goto(console.link())
    page.close()
    yield context
    context.close()
    own = (console.base, "data:", "blob:", f"ws{console.base.removeprefix('http')}")
    assert [url for url in asked if not url.startswith(own)] == []
