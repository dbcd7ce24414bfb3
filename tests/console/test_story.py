"""The console's story, played in a browser on the made-up stack; ``e2e`` plays it on the deployed one."""

from typing import TYPE_CHECKING

import pytest

from tests.console.running import RunningConsole

pytest.importorskip("nicegui", reason="the console is not installed: make .venv/marks/console")
pytest.importorskip("playwright.sync_api", reason="no Playwright: make .venv/marks/browser")

from kxt.console.language import Words
from tests.console.story import MOBILE, OTHER, Story

if TYPE_CHECKING:
    from playwright.sync_api import Page


def test_a_text_arrives_the_handset_opts_out_and_a_lost_answer_sends_nothing_twice(
    page: "Page", console: RunningConsole
) -> None:
    before = console.platform("mobiles")
    story = Story(page, console.base, Words("en"))
    story.a_text_arrives_on_a_handset()
    story.the_handset_opts_out()
    story.marketing_is_refused()
    story.an_answer_is_lost()
    after = console.platform("mobiles")
    assert [after[mobile] - before.get(mobile, 0) for mobile in (MOBILE, OTHER)] == [1, 1]
