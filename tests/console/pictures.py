"""``make pictures``: the pictures of the pages in README and docs, taken anew of the story, of made-up data.

They are small: few colours, and one size.
"""

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from playwright.sync_api import sync_playwright

from kxt.console.language import LANGUAGES, Words
from tests.console.running import browser_path, running_console
from tests.console.story import MOBILE, OTHER, Story

if TYPE_CHECKING:
    from playwright.sync_api import Page

_SIZE = (860, 560)


def main(folder: Path) -> None:
    """Take the pictures."""
    folder.mkdir(parents=True, exist_ok=True)
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=browser_path(), args=["--no-sandbox"])
        for language in LANGUAGES:
            with running_console() as console:
                width, height = _SIZE
                context = browser.new_context(viewport={"width": width, "height": height})
                page = context.new_page()
                page.goto(console.link())
                story = Story(page, console.base, Words(language), shot=_Camera(folder, language))
                story.a_text_arrives_on_a_handset()
                story.the_handset_opts_out()
                story.marketing_is_refused()
                story.an_answer_is_lost()
                for number in range(6):
                    story.sends(f"{MOBILE},{OTHER}" if number % 3 else OTHER, f"第 {number + 1} 期会员周报")
                story.go("")
                page.wait_for_timeout(4_000)
                story.shot(page, "overview")
                context.close()
        browser.close()


class _Camera:
    def __init__(self, folder: Path, language: str) -> None:
        self._folder = folder
        self._ending = "" if language == "en" else ".zh-CN"

    def __call__(self, page: "Page", name: str) -> None:
        path = self._folder / f"console-{name}{self._ending}.png"
        page.screenshot(path=path, animations="disabled")
        sys.stdout.write(f"{path} {path.stat().st_size // 1024} KB\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
