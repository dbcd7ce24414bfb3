"""A console on a made-up stack, and a real browser to look at it.

Without NiceGUI, Playwright or a Chromium, what needs them is skipped and says so.
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

from tests.console.running import RunningConsole, a_chromium, a_visitor, running_console

if TYPE_CHECKING:
    from playwright.sync_api import Browser, BrowserContext, Page


@pytest.fixture(scope="package")
def console() -> Iterator[RunningConsole]:
    """The console of these tests. It works while it is up, which later tests would pay for."""
    pytest.importorskip("nicegui", reason="the console is not installed: make .venv/marks/console")
    with running_console() as running:
        yield running


@pytest.fixture(scope="module")
def chromium() -> Iterator["Browser"]:
    """Debian's own browser, for a module's tests: while Playwright runs, its event loop keeps off any other."""
    with a_chromium() as browser:
        yield browser


@pytest.fixture
def visitor(chromium: "Browser", console: RunningConsole) -> Iterator["BrowserContext"]:
    """A browser that has used a link."""
    with a_visitor(chromium, console) as context:
        yield context


@pytest.fixture
def page(visitor: "BrowserContext") -> "Page":
    """A new tab."""
    return visitor.new_page()
