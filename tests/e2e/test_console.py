"""The console on the deployed stack, as `make up` starts it: its story, played in a browser."""

import os

import pytest

from local.simulator.running import RunningSimulator
from tests.console.running import a_chromium, a_visitor, running_console
from tests.e2e.deployment import Deployment

pytest.importorskip("nicegui", reason="the console is not installed: make .venv/marks/console")
pytest.importorskip("playwright.sync_api", reason="no Playwright: make .venv/marks/browser")

from kxt.console.language import Words
from tests.console.story import MOBILE, OTHER, Story


def test_a_text_arrives_the_handset_opts_out_and_a_lost_answer_sends_nothing_twice(
    deployment: Deployment, platform: RunningSimulator
) -> None:
    stack = deployment.stack
    with (
        running_console(
            *("--stack", stack.name, "--simulator", platform.control_url),
            module="kxt.console",
            env={**os.environ, **stack.environment},
        ) as console,
        a_chromium() as chromium,
        a_visitor(chromium, console) as visitor,
    ):
        story = Story(visitor.new_page(), console.base, Words("zh"), patience=60_000)
        story.a_text_arrives_on_a_handset()
        story.the_handset_opts_out()
        story.marketing_is_refused()
        story.an_answer_is_lost()
    assert platform.acceptances() == {MOBILE: 1, OTHER: 1}
