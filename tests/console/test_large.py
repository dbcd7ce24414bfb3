"""The console before a campaign of 100,000, a send of 10,000 and a conversation of 1,000: it stays usable."""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.console.running import RunningConsole, a_visitor, running_console

pytest.importorskip("nicegui", reason="the console is not installed: make .venv/marks/console")
pytest.importorskip("playwright.sync_api", reason="no Playwright: make .venv/marks/browser")

from playwright.sync_api import expect

from tests.console.large import EVENTS, MOBILES, mobile

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

MEMORY = 300_000  # kB
FRAME = 1.5  # seconds, of the best of three: what else the machine does is no matter of the page's


@pytest.fixture(scope="module")
def large() -> Iterator[RunningConsole]:
    """A console before large tables."""
    with running_console(module="tests.console.large") as running:
        yield running


@pytest.fixture
def tab(chromium: "Browser", large: RunningConsole) -> Iterator["Page"]:
    """A tab of it."""
    with a_visitor(chromium, large) as visitor:
        yield visitor.new_page()


def frame(tab: "Page", url: str) -> float:
    """Open a page; return the seconds until its frame is there."""
    began = time.monotonic()
    tab.goto(url, wait_until="commit")
    tab.locator("h1").wait_for()
    return time.monotonic() - began


def test_a_frame_is_there_at_once_and_its_lists_after_it(tab: "Page", large: RunningConsole) -> None:
    for path in ("/campaigns/autumn", "/sends/large", "/mobile/13800000860"):
        took = [frame(tab, f"{large.base}/en{path}") for _ in range(3)]
        assert min(took) <= FRAME, (path, took)


def test_a_count_of_a_hundred_thousand_goes_on_in_the_background_and_shows_how_far_it_is(
    tab: "Page", large: RunningConsole
) -> None:
    tab.goto(f"{large.base}/en/campaigns/winter")
    expect(tab.get_by_text("Counting: ").first).to_be_visible(timeout=60_000)
    expect(tab.locator(".content")).to_contain_text("99,990", timeout=60_000)
    expect(tab.locator(".content")).to_contain_text("100,000 of 100,000 parts are done", timeout=60_000)
    expect(tab.get_by_text("delivered").first).to_be_visible(timeout=60_000)


def test_a_table_of_five_thousand_draws_what_is_looked_at(tab: "Page", large: RunningConsole) -> None:
    tab.goto(f"{large.base}/en/sends/large")
    expect(tab.get_by_role("link", name=mobile(0))).to_be_visible(timeout=60_000)
    expect(tab.locator(".content")).to_contain_text(f"{MOBILES:,} mobiles")
    assert tab.locator(".q-table tbody tr").count() < 500
    tab.locator(".q-table__middle").evaluate("box => { box.scrollTop = box.scrollHeight }")
    expect(tab.get_by_role("link", name=mobile(4_999))).to_be_visible(timeout=60_000)


def test_a_conversation_of_a_thousand_is_read_back_page_by_page(tab: "Page", large: RunningConsole) -> None:
    tab.goto(f"{large.base}/en/mobile/13800000860")
    expect(tab.get_by_text("text 0", exact=True)).to_be_visible(timeout=60_000)
    expect(tab.locator(".conversation > .item")).to_have_count(40)
    tab.get_by_role("button", name="Earlier").click()
    expect(tab.locator(".conversation > .item")).to_have_count(80)
    assert EVENTS > 80


def test_it_takes_no_more_than_three_hundred_megabytes(tab: "Page", large: RunningConsole) -> None:
    tab.goto(f"{large.base}/en/campaigns/spring")
    expect(tab.locator(".content")).to_contain_text("99,990", timeout=60_000)
    status = Path(f"/proc/{large.process.pid}/status")
    if not status.exists():
        pytest.skip("this system does not tell a process's memory in /proc")
    peak = next(line for line in status.read_text("ascii").splitlines() if line.startswith("VmHWM"))
    assert int(peak.split()[1]) <= MEMORY, peak
