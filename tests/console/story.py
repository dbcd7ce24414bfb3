"""The story that shows what the console is for, played in a browser: by tests, and for the pictures.

A text is composed and arrives on a handset, which opts out; marketing to it is refused, with the reason. Then the
platform accepts a request and its answer is lost: the time line tells it, and nobody gets a second SMS.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING

from playwright.sync_api import expect

from kxt.console.language import Words

if TYPE_CHECKING:
    from playwright.sync_api import Page

MOBILE, OTHER = "13800000860", "18930612517"

type Shot = Callable[["Page", str], None]


def no_shot(_page: "Page", _name: str) -> None:
    """Take no picture."""


class Story:
    """The steps, in their order. ``base`` is where the console is, ``patience`` milliseconds for a step."""

    def __init__(self, page: "Page", base: str, t: Words, *, shot: Shot = no_shot, patience: int = 30_000) -> None:
        self.page = page
        self.base = base
        self.t = t
        self.shot = shot
        self.patience = patience

    def go(self, path: str) -> None:
        """Open a page."""
        self.page.goto(f"{self.base}/{self.t.language}{path}")

    def sees(self, where: str, text: str) -> None:
        """Wait until a text is there."""
        expect(self.page.locator(where).first).to_contain_text(text, timeout=self.patience)

    def sends(self, mobile: str, content: str, *, category: str = "notice") -> None:
        """Compose a send and enqueue it; its page is shown then."""
        t, page = self.t, self.page
        self.go("/send")
        page.get_by_label(t("send.mobiles")).fill(mobile)
        page.get_by_label(t("send.content")).fill(content)
        if category != "notice":
            page.get_by_role("combobox").click()
            page.get_by_role("option", name=t(f"category.{category}")).click()
        button = page.get_by_role("button", name=t("send.button"), exact=True)
        expect(button).to_be_enabled(timeout=self.patience)
        page.wait_for_timeout(600)  # the last key's debounce
        button.click()
        page.wait_for_url("**/sends/**")

    def a_text_arrives_on_a_handset(self) -> None:
        """Compose a send; see it accepted, reported, and on the handset."""
        t = self.t
        self.sends(MOBILE, "周末的培训改到下午两点，收到请回复。")
        self.sees(".timeline", t("event.report"))
        self.go("/handsets")
        self.sees(f'.screen[aria-label*="{MOBILE}"]', "周末的培训改到下午两点")

    def the_handset_opts_out(self) -> None:
        """Answer TD from the handset; see that as an opt-out in the conversation."""
        t, page = self.t, self.page
        handset = page.get_by_role("region", name=t("handsets.of", mobile=MOBILE))
        handset.get_by_role("button", name="TD", exact=True).click()
        answers = handset.locator(".bubble.mine")
        expect(answers.filter(has_text="TD").first).to_be_visible(timeout=self.patience)
        self.shot(page, "handsets")
        self.go(f"/mobile/{MOBILE}")
        self.sees(".conversation", "TD")
        self.sees(".content", t("mobile.opted-out"))
        self.shot(page, "mobile")

    def marketing_is_refused(self) -> None:
        """Send marketing to the mobile that opted out; see that it was not sent, and why."""
        self.sends(MOBILE, "双十二全场八折，拒收请回复 TD。", category="marketing")
        self.sees(".content", self.t("delivery.unsent"))
        self.sees(".content", "opted out")
        self.shot(self.page, "refused")

    def an_answer_is_lost(self) -> None:
        """Let the next answer be cut off; see in the time line that nothing was sent twice."""
        t, page = self.t, self.page
        self.go("/platform")
        switch = page.get_by_role("switch", name=t("fault.cut-once"))
        expect(switch).to_be_visible(timeout=self.patience)
        switch.click()
        page.wait_for_timeout(500)
        self.sends(OTHER, "您的快递已到，取件码 4711。")
        self.sees(".timeline", t("event.NO_ANSWER"))
        expect(page.locator(".timeline")).to_contain_text("230", timeout=90_000)
        self.sees(".content", t("state.UNCONFIRMED"))
        self.shot(page, "timeline")
        self.go("/platform")
        self.sees("ol.log", "cut after")
        self.go("/handsets")
        handset = page.get_by_role("region", name=t("handsets.of", mobile=OTHER))
        expect(handset.locator(".bubble").filter(has_text="4711")).to_have_count(1, timeout=self.patience)
