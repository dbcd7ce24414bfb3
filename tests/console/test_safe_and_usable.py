"""The console under attack from other pages, read by machines, on small screens, and while the store is silent."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler
from typing import TYPE_CHECKING, Any

import pytest

from tests.console.running import RunningConsole, running_console

pytest.importorskip("nicegui", reason="the console is not installed: make .venv/marks/console")
pytest.importorskip("playwright.sync_api", reason="no Playwright: make .venv/marks/browser")

from playwright.sync_api import expect

from tests.serving import serving

if TYPE_CHECKING:
    from playwright.sync_api import Browser, BrowserContext, Page

PAGES = (
    *("", "/send", "/import", "/campaigns", "/attention", "/optouts", "/account", "/handsets", "/platform"),
    *("/mobile/13800000860", "/sends/order-4711", "/campaigns/autumn"),
)


@contextmanager
def another_page() -> Iterator[str]:
    """A page of somebody else's on another port of this machine."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = b"<!doctype html><title>elsewhere</title><body>elsewhere"
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            pass

    with serving(Handler) as address:
        yield f"{address}/"


READ = """async (url) => {
  try { return (await fetch(url, {credentials: "include"})).status } catch { return "refused" }
}"""
SOCKET = """(url) => new Promise((done) => {
  const socket = new WebSocket(url);
  socket.onopen = () => done("open");
  socket.onerror = () => done("refused");
})"""
POST = """async (url) => {
  const how = {method: "POST", mode: "no-cors", credentials: "include", body: new URLSearchParams({a: "1"})};
  try { await fetch(url, how) } catch {}
  const form = document.createElement("form");
  Object.assign(form, {method: "post", action: url});
  document.body.append(form);
  form.submit();
}"""


@pytest.fixture
def victim(chromium: "Browser", console: RunningConsole) -> Iterator["BrowserContext"]:
    """A browser that is let in, and goes elsewhere."""
    context = chromium.new_context()
    context.new_page().goto(console.link())
    yield context
    context.close()


@pytest.mark.parametrize("host", ["127.0.0.1", "evil.example"])
def test_a_page_elsewhere_neither_reads_nor_posts_nor_opens_a_web_socket(
    victim: "BrowserContext", console: RunningConsole, host: str
) -> None:
    statuses: list[tuple[str, int]] = []
    victim.on("response", lambda response: statuses.append((response.request.method, response.status)))
    with another_page() as elsewhere:
        page = victim.new_page()
        page.goto(elsewhere.replace("127.0.0.1", host))
        statuses.clear()
        assert page.evaluate(READ, f"{console.base}/en") == "refused"
        socket = f"ws{console.base.removeprefix('http')}/_nicegui_ws/socket.io/?EIO=4&transport=websocket"
        assert page.evaluate(SOCKET, socket) == "refused"
        page.evaluate(POST, f"{console.base}/_nicegui_ws/socket.io/?EIO=4&transport=polling")
        page.wait_for_url(f"{console.base}/**")
        expect(page.locator("body")).to_contain_text("This comes from another origin.")
        assert {status for method, status in statuses if method == "POST"} == {403}


def test_a_page_elsewhere_frames_nothing(victim: "BrowserContext", console: RunningConsole) -> None:
    with another_page() as elsewhere:
        page = victim.new_page()
        page.goto(elsewhere)
        with page.expect_response(f"{console.base}/en") as framed:
            page.evaluate(
                "(url) => document.body.append(Object.assign(document.createElement('iframe'), {src: url}))",
                f"{console.base}/en",
            )
        assert framed.value.status == 403


def test_a_name_that_is_made_to_lead_here_shows_nothing(victim: "BrowserContext", console: RunningConsole) -> None:
    page = victim.new_page()
    answer = page.goto(console.base.replace("127.0.0.1", "evil.example") + "/en")
    assert answer
    assert answer.status == 403
    expect(page.locator("body")).to_contain_text("This is not the console's host.")


def test_a_browser_without_the_link_is_told_how_to_get_one(chromium: "Browser", console: RunningConsole) -> None:
    context = chromium.new_context()
    page = context.new_page()
    page.goto(f"{console.base}/zh")
    expect(page.locator("body")).to_contain_text("请使用终端里打印的链接打开本页")
    context.close()


def test_what_comes_from_a_handset_is_never_markup(page: "Page", console: RunningConsole) -> None:
    hostile = "<img src=x onerror=\"document.title='taken'\"><script>document.title='taken'</script>{{7*7}}"
    mobile = "13900000066"
    console.steer("mo", mobile=mobile, content=hostile)
    for path in (f"/mobile/{mobile}", "/handsets", "/platform"):
        page.goto(f"{console.base}/en{path}")
        if path != "/platform":
            expect(page.locator(".content")).to_contain_text(hostile)
        assert page.locator(".content img").count() == 0
        assert "taken" not in page.title()
    page.goto(f"{console.base}/en/sends/%3Cimg%20src%3Dx%20onerror%3Dalert(1)%3E")
    expect(page.locator("h1")).to_contain_text("<img src=x onerror=alert(1)>")
    assert page.locator("h1 img").count() == 0


def test_nothing_of_a_person_is_in_the_log(page: "Page", console: RunningConsole) -> None:
    mobile = "13900000077"
    console.steer("mo", mobile=mobile, content="geheim")
    page.goto(f"{console.base}/en/mobile/{mobile}")
    expect(page.locator(".content")).to_contain_text("geheim")
    log = "".join(console.log)
    assert mobile not in log
    assert "geheim" not in log


@pytest.mark.parametrize("path", PAGES)
def test_a_page_meets_the_accessibility_guidelines_and_fits_a_narrow_screen(
    page: "Page", console: RunningConsole, path: str
) -> None:
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="no axe: make .venv/marks/browser")
    page.goto(f"{console.base}/en{path}")
    expect(page.get_by_text("Asking …").filter(visible=True)).to_have_count(0)
    found = axe.Axe().run(page, options={"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa"]})
    wrong = {(each["id"], node["html"][:200]) for each in found.response["violations"] for node in each["nodes"]}
    assert wrong == set()
    page.set_viewport_size({"width": 360, "height": 640})
    page.wait_for_timeout(200)
    assert page.evaluate("document.scrollingElement.scrollWidth") <= 360


def test_a_send_is_written_and_sent_with_the_keyboard_alone(page: "Page", console: RunningConsole) -> None:
    page.goto(f"{console.base}/en/send?mobile=13900000088")
    content = page.get_by_label("Text")
    content.focus()
    page.keyboard.type("by keyboard")
    page.wait_for_timeout(600)
    for _ in range(3):  # category, more, button
        page.keyboard.press("Tab")
    expect(page.get_by_role("button", name="Send", exact=True)).to_be_focused()
    page.keyboard.press("Enter")
    page.wait_for_url("**/sends/**")


def test_a_store_that_does_not_answer_is_told_and_asked_again_and_what_was_known_stays(
    page: "Page", console: RunningConsole
) -> None:
    mobile = "13900000099"
    console.steer("mo", mobile=mobile, content="before the silence")
    page.goto(f"{console.base}/en/mobile/{mobile}")
    expect(page.locator(".conversation")).to_contain_text("before the silence", timeout=60_000)
    console.process.send_signal(signal.SIGUSR1)
    try:
        told = page.get_by_role("status").filter(has_text="Asked again in").first
        expect(told).to_be_visible(timeout=60_000)
        expect(told).to_contain_text("DynamoDB")
        expect(page.locator(".conversation")).to_contain_text("before the silence")
    finally:
        console.process.send_signal(signal.SIGUSR1)
    expect(page.get_by_text("Asked again in").filter(visible=True)).to_have_count(0, timeout=40_000)


def test_read_only_offers_nothing_and_changes_nothing(chromium: "Browser") -> None:
    with running_console("--read-only") as console:
        context = chromium.new_context()
        page = context.new_page()
        page.goto(console.link())
        expect(page.get_by_text("read only")).to_be_visible()
        page.goto(f"{console.base}/en/send")
        expect(page.get_by_text("This console only reads")).to_be_visible()
        assert page.get_by_role("textbox").count() <= 1  # the search
        page.goto(f"{console.base}/en/platform")
        expect(page.get_by_role("switch").first).to_have_attribute("aria-disabled", "true")
        context.close()
