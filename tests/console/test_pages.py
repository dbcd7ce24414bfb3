"""Each page's main path in a real browser, in both languages, on a stack that works."""

import re
import signal
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest
import requests

from local.processes import wait_until
from tests.console.running import RunningConsole

pytest.importorskip("nicegui", reason="the console is not installed: make .venv/marks/console")
pytest.importorskip("playwright.sync_api", reason="no Playwright: make .venv/marks/browser")

from playwright.sync_api import expect

from kxt.console.language import LANGUAGES, Words
from kxt.console.words import TEXTS

if TYPE_CHECKING:
    from playwright.sync_api import BrowserContext, Page

expect.set_options(timeout=60_000)

PAGES = ("", "/send", "/import", "/campaigns", "/attention", "/optouts", "/account", "/handsets", "/platform")
IN_TIME = 4_000  # milliseconds until what has happened is seen on an open page

FIRST, SECOND = "13800000860", "18930612517"


@pytest.fixture(params=LANGUAGES)
def t(request: pytest.FixtureRequest) -> Words:
    """The texts of the language that the test is played in."""
    return Words(request.param)


@pytest.fixture(autouse=True)
def as_new(console: RunningConsole) -> Iterator[None]:
    """A platform without faults and handsets without habits."""
    yield
    console.steer("connections", refused=False)
    console.steer_list("faults", [])
    console.steer("settings", handsets={}, failing_mobiles={}, segment_reports="whole", rate=None)


def at(console: RunningConsole, t: Words, path: str = "") -> str:
    return f"{console.base}/{t.language}{path}"


def composed(page: "Page", console: RunningConsole, t: Words, mobiles: str, content: str, **more: str) -> str:
    """Compose a send as a person does; return its id."""
    page.goto(at(console, t, "/send"))
    page.get_by_label(t("send.mobiles")).fill(mobiles)
    page.get_by_label(t("send.content")).fill(content)
    if more:
        page.get_by_text(t("send.more")).click()
    for name, value in more.items():
        page.get_by_label(t(f"send.{name}")).fill(value)
    button = page.get_by_role("button", name=t("send.button"), exact=True)
    expect(button).to_be_enabled()
    page.wait_for_timeout(500)  # the last key's debounce
    button.click()
    page.wait_for_url("**/sends/**")
    return page.url.rpartition("/")[2]


def test_every_page_opens_and_speaks_one_language(
    visitor: "BrowserContext", console: RunningConsole, t: Words
) -> None:
    page = visitor.new_page()
    foreign = [
        text[0 if t.language == "zh" else 1]
        for key, text in TEXTS.items()
        if key != "language.name" and text[0] != text[1] and "{" not in text[0] and len(text[0]) > 4
    ]
    for path in PAGES:
        page.goto(at(console, t, path))
        expect(page.locator("h1")).to_be_visible()
        expect(page.get_by_text(t("page.loading")).filter(visible=True)).to_have_count(0)
        assert page.locator("html").get_attribute("lang") == ("zh-CN" if t.language == "zh" else "en-US")
        shown = page.locator("body").inner_text()
        assert [text for text in foreign if re.search(rf"(?<!\w){re.escape(text)}(?!\w)", shown)] == [], path
        assert not re.search(r"\{\w*\}", shown), path


def test_a_page_leads_to_itself_in_the_other_language(page: "Page", console: RunningConsole, t: Words) -> None:
    page.goto(at(console, t, "/campaigns"))
    page.get_by_role("link", name=Words(t.other)("language.name")).click()
    page.wait_for_url(f"{console.base}/{t.other}/campaigns")


def test_a_send_is_counted_while_it_is_written_and_its_faults_are_told(
    page: "Page", console: RunningConsole, t: Words
) -> None:
    page.goto(at(console, t, "/send"))
    button = page.get_by_role("button", name=t("send.button"), exact=True)
    expect(button).to_be_disabled()
    page.get_by_label(t("send.mobiles")).fill(f"{FIRST}\n+86 {SECOND}，{FIRST}\n12")
    page.get_by_label(t("send.content")).fill("好" * 71)
    told = page.locator("section[aria-live]")
    expect(told).to_contain_text(t("send.messages", n="4"))
    expect(told).to_contain_text("71")
    expect(told).to_contain_text(t("send.invalid", n=1))
    page.get_by_label(t("send.content")).fill("好" * 1001)
    expect(told.locator(".faults")).to_contain_text("1000")
    expect(button).to_be_disabled()


def test_a_send_is_enqueued_and_its_parts_time_line_and_report_appear(
    page: "Page", console: RunningConsole, t: Words
) -> None:
    send_id = composed(page, console, t, FIRST, "周末参加不了培训了")
    expect(page.locator("h1")).to_have_text(t("sends.title", id=send_id))
    timeline = page.locator(".timeline")
    expect(timeline).to_contain_text(t("event.SUBMITTING"))
    expect(timeline).to_contain_text(t("event.ACCEPTED"))
    expect(timeline).to_contain_text(t("event.report"))
    expect(page.locator(".content")).to_contain_text(t("state.ACCEPTED"))
    expect(page.get_by_role("link", name=FIRST).first).to_be_visible()
    expect(page.locator(".content")).to_contain_text(t("delivery.delivered"))


def test_a_lost_answer_stands_in_the_time_line_and_there_is_no_second_sms(
    page: "Page", console: RunningConsole, t: Words
) -> None:
    console.steer_list("faults", [{"do": "cut", "when": "after", "op": "sendSm", "times": 1}])
    before = console.platform("mobiles").get(SECOND, 0)
    composed(page, console, t, SECOND, f"cut off {time.time()}")
    timeline = page.locator(".timeline")
    expect(timeline).to_contain_text(t("event.NO_ANSWER"))
    expect(timeline).to_contain_text(t("event.UNCONFIRMED"), timeout=60_000)
    expect(timeline).to_contain_text("230")
    assert console.platform("mobiles")[SECOND] == before + 1


def test_a_person_settles_what_is_in_doubt_with_the_token_that_the_platform_gave(
    page: "Page", console: RunningConsole, t: Words
) -> None:
    console.steer_list("faults", [{"do": "cut", "when": "after", "op": "sendSm", "times": 1}])
    send_id = composed(page, console, t, SECOND, f"in doubt {time.time()}")
    expect(page.locator(".timeline")).to_contain_text(t("event.UNCONFIRMED"), timeout=60_000)
    [message] = console.platform("messages", last=1)
    page.goto(at(console, t, "/attention"))
    case = page.locator(".list > .item").filter(has_text=send_id)
    expect(case).to_contain_text(t("advice.UNCONFIRMED")[:20])
    case.get_by_role("button", name=t("attention.accepted"), exact=True).click()
    asked = page.get_by_role("dialog").filter(has_text=send_id)
    asked.get_by_label(t("attention.token"), exact=True).fill(str(message["token"]))
    asked.get_by_role("button", name=t("attention.accepted"), exact=True).click()
    expect(case).to_have_count(0, timeout=60_000)
    page.goto(at(console, t, f"/sends/{send_id}"))
    expect(page.locator(".content")).to_contain_text(t("state.ACCEPTED"))
    expect(page.locator(".content")).to_contain_text(t("delivery.delivered"))


def test_what_could_not_be_read_is_shown_and_read_again(page: "Page", console: RunningConsole, t: Words) -> None:
    push_url = console.platform("settings")["push_url"]
    fields = {"uid": "abc", "pwd": "123", "type": "unknown", "jsonData": f"[{t.language!r}]"}
    assert requests.post(push_url, data=fields, timeout=30).status_code == 400
    page.goto(at(console, t, "/attention"))
    button = page.get_by_role("button", name=t("attention.release")).first
    button.click()
    dialog = page.get_by_role("alertdialog")
    expect(dialog).to_contain_text(t("attention.release-what"))
    dialog.get_by_role("button", name=t("attention.release"), exact=True).click()
    expect(page.get_by_text(t("attention.released", rows=0, left=1))).to_be_visible()


def test_what_was_given_up_goes_back(page: "Page", console: RunningConsole, t: Words) -> None:
    console.process.send_signal(signal.SIGUSR2)
    page.goto(at(console, t, "/attention"))
    page.get_by_role("button", name=t("attention.redrive")).click()
    dialog = page.get_by_role("alertdialog")
    expect(dialog).to_contain_text(t("attention.dead-holds", n="1"))
    expect(dialog).to_contain_text(t("attention.redrive-what"))
    dialog.get_by_role("button", name=t("attention.redrive"), exact=True).click()
    expect(page.get_by_text(t("attention.redriven", n=1, left=0))).to_be_visible(timeout=60_000)
    expect(page.get_by_text(t("attention.dead-empty"))).to_be_visible(timeout=60_000)
    page.goto(at(console, t, f"/sends/given-up-{1 if t.language == 'en' else 2}"))
    expect(page.locator(".content")).to_contain_text(t("state.ACCEPTED"))


def held(page: "Page", console: RunningConsole, t: Words, **more: str) -> str:
    """Compose a send that waits for years, as a person does; return its id."""
    page.goto(at(console, t, "/send"))
    page.get_by_label(t("send.mobiles")).fill(FIRST)
    page.get_by_label(t("send.content")).fill("to be cancelled")
    page.get_by_text(t("send.more")).click()
    for name, value in (more | {"atTime": "2030-01-01 08:00:00"}).items():
        page.get_by_label(t(f"send.{name}")).fill(value)
    page.get_by_role("switch", name=t("send.hold")).click()
    page.wait_for_timeout(600)
    page.get_by_role("button", name=t("send.button"), exact=True).click()
    page.wait_for_url("**/sends/**")
    return page.url.rpartition("/")[2]


def test_a_campaign_is_cancelled_and_says_what_that_means_first(
    page: "Page", console: RunningConsole, t: Words
) -> None:
    campaign = f"winter-{t.language}"
    send_id = held(page, console, t, campaign=campaign)
    expect(page.locator(".content")).to_contain_text(t("state.WAITING"))
    page.goto(at(console, t, f"/campaigns/{campaign}"))
    expect(page.locator(".content")).to_contain_text(t("state.WAITING"))
    page.get_by_role("button", name=t("campaigns.cancel")).click()
    dialog = page.get_by_role("alertdialog")
    expect(dialog).to_contain_text(t("campaigns.cancel-what", campaign=campaign, n=1))
    dialog.get_by_role("button", name=t("campaigns.cancel-yes"), exact=True).click()
    expect(page.get_by_text(t("campaigns.cancelled", n=1, out=0))).to_be_visible(timeout=60_000)
    page.goto(at(console, t, f"/sends/{send_id}"))
    expect(page.locator(".content")).to_contain_text(t("state.CANCELLED"))


def test_a_send_that_is_held_is_cancelled(page: "Page", console: RunningConsole, t: Words) -> None:
    held(page, console, t)
    page.get_by_role("button", name=t("sends.cancel")).click()
    dialog = page.get_by_role("alertdialog")
    expect(dialog).to_contain_text(t("sends.cancel-limits"))
    dialog.get_by_role("button", name=t("sends.cancel-yes"), exact=True).click()
    expect(page.locator(".content")).to_contain_text(t("state.CANCELLED"))
    expect(page.get_by_role("button", name=t("sends.cancel"))).to_have_count(0)


def test_a_mobile_is_a_conversation_and_what_it_says_appears_in_time(
    page: "Page", console: RunningConsole, t: Words
) -> None:
    mobile = "13900000001" if t.language == "en" else "13900000002"
    composed(page, console, t, mobile, "明天停水")
    page.goto(at(console, t, f"/mobile/{mobile}"))
    expect(page.locator(".conversation")).to_contain_text("明天停水")
    expect(page.locator(".conversation .delivery-delivered").first).to_be_visible()
    said = f"几点？{time.time()}"
    console.steer("mo", mobile=mobile, content=said)
    expect(page.locator(".conversation")).to_contain_text(said, timeout=IN_TIME)
    page.get_by_role("button", name=t("mobile.write")).click()
    expect(page.get_by_label(t("send.mobiles"))).to_have_value(mobile)


def test_a_handset_receives_answers_and_is_switched_off(page: "Page", console: RunningConsole, t: Words) -> None:
    mobile = "13900000003" if t.language == "en" else "13900000004"
    page.goto(at(console, t, "/handsets"))
    page.get_by_label(t("handsets.mobile"), exact=True).fill(mobile)
    page.get_by_role("button", name=t("handsets.add")).click()
    handset = page.get_by_role("region", name=t("handsets.of", mobile=mobile))
    expect(handset).to_be_visible()
    sender = page.context.new_page()
    composed(sender, console, t, mobile, "<b>您好</b>")
    wait_until(lambda: console.platform("mobiles").get(mobile), "the platform has it", seconds=60)
    expect(handset).to_contain_text("<b>您好</b>", timeout=IN_TIME)
    assert handset.locator("b").count() == 0
    handset.get_by_label(t("handsets.answer-of", mobile=mobile)).fill("收到")
    handset.get_by_role("button", name=t("handsets.say"), exact=True).click()
    expect(handset.locator(".bubble.mine")).to_contain_text("收到", timeout=IN_TIME)
    page.bring_to_front()  # a tab behind another opens no menu
    handset.get_by_role("combobox").click()
    page.get_by_role("option", name=t("mode.off")).click()
    expect(handset).to_have_class(re.compile("mode-off"))
    composed(sender, console, t, mobile, "再见")
    expect(sender.locator(".content")).to_contain_text(t("delivery.failed"))


def test_a_mobile_is_opted_out_listed_and_taken_out_again(
    page: "Page", console: RunningConsole, t: Words, tmp_path: Any
) -> None:
    mobile, brought = ("13900000021", "13900000022") if t.language == "en" else ("13900000023", "13900000024")
    page.goto(at(console, t, "/optouts"))
    table = page.locator(".q-table")
    page.get_by_label(t("handsets.mobile"), exact=True).fill(mobile)
    page.get_by_role("button", name=t("optouts.out"), exact=True).click()
    expect(page.get_by_role("alertdialog")).to_contain_text(t("mobile.opt-out-what"))
    page.get_by_role("alertdialog").get_by_role("button", name=t("optouts.out"), exact=True).click()
    expect(table).to_contain_text(mobile, timeout=60_000)
    expect(table).to_contain_text(t("by.person"))
    people = tmp_path / "list.csv"
    people.write_text(f"mobile\n{brought}\n12\n", "utf-8")
    page.locator("input[type=file]").set_input_files(people)
    expect(page.get_by_text(t("optouts.imported", noted=1, known=0, faults=1))).to_be_visible()
    expect(table).to_contain_text(brought, timeout=60_000)
    with page.expect_download() as download:
        page.get_by_role("button", name=t("campaigns.export")).click()
    assert {mobile, brought} <= set(re.findall(r"\d{11}", download.value.path().read_text("utf-8")))
    page.get_by_label(t("handsets.mobile"), exact=True).fill(mobile)
    page.get_by_role("button", name=t("optouts.in"), exact=True).click()
    page.get_by_role("alertdialog").get_by_role("button", name=t("optouts.in"), exact=True).click()
    expect(table).not_to_contain_text(mobile, timeout=60_000)


def test_the_demos_story_plays_at_the_press_of_a_button(page: "Page", console: RunningConsole, t: Words) -> None:
    page.goto(at(console, t, "/handsets"))
    page.get_by_role("button", name=t("play.button")).click()
    for step in ("play.enqueued", "play.accepted", "play.reported", "play.answered", "play.done"):
        expect(page.locator(".content")).to_contain_text(t(step), timeout=60_000)


def test_a_fault_is_a_switch_and_a_refused_push_is_marked_red(
    page: "Page", console: RunningConsole, t: Words
) -> None:
    page.goto(at(console, t, "/platform"))
    switch = page.get_by_role("switch", name=t("fault.code-320"))
    switch.click()
    expect(switch).to_have_attribute("aria-checked", "true")
    wait_until(lambda: console.platform("faults")["rules"], "the switch reaches the platform")
    sender = page.context.new_page()
    composed(sender, console, t, FIRST, "违规内容")
    expect(sender.locator(".content")).to_contain_text(t("state.REJECTED"))
    expect(page.locator("ol.log").first).to_contain_text("code before", timeout=IN_TIME)
    switch.click()
    expect(switch).to_have_attribute("aria-checked", "false")
    wait_until(lambda: console.platform("faults")["rules"] == [], "the switch is off at the platform")
    console.steer("settings", push_pwd="wrong")
    console.steer("mo", mobile=FIRST, content="?")
    expect(page.locator(".entry.forbidden").first).to_contain_text("403", timeout=IN_TIME)
    console.steer("settings", push_pwd="123")


def test_what_is_looked_for_is_found_from_every_page(page: "Page", console: RunningConsole, t: Words) -> None:
    page.goto(at(console, t, "/account"))
    search = page.get_by_label(t("page.search"))
    search.fill(f"+86 {FIRST}")
    search.press("Enter")
    page.wait_for_url(f"**/mobile/{FIRST}")
    page.get_by_label(t("page.search")).fill("order-4711")
    page.get_by_label(t("page.search")).press("Enter")
    page.wait_for_url("**/sends/order-4711")
    expect(page.locator(".content")).to_contain_text(t("sends.unknown"))


def test_a_campaign_shows_its_bars_and_is_exported(page: "Page", console: RunningConsole, t: Words) -> None:
    campaign = f"autumn-{t.language}"
    composed(page, console, t, f"{FIRST},{SECOND}", "秋季促销", campaign=campaign)
    page.goto(at(console, t, f"/campaigns/{campaign}"))
    expect(page.locator(".content")).to_contain_text(t("state.ACCEPTED"))
    expect(page.locator(".content")).to_contain_text("100.0 %")
    with page.expect_download() as download:
        page.get_by_role("button", name=t("campaigns.export")).click()
    text = download.value.path().read_text("utf-8-sig")
    assert {line.split(",")[0] for line in text.splitlines()[1:]} == {FIRST, SECOND}
    page.goto(at(console, t, "/campaigns"))
    page.get_by_role("link", name=campaign).click()
    page.wait_for_url(f"**/campaigns/{campaign}")


def test_a_file_is_checked_shown_and_enqueued(
    page: "Page", console: RunningConsole, t: Words, tmp_path: Any
) -> None:
    page.goto(at(console, t, "/import"))
    people = tmp_path / "people.csv"
    page.get_by_label(t("import.text")).fill("{name}，您好")
    page.get_by_label(t("send.campaign"), exact=True).fill(f"import-{t.language}")

    people.write_text("name,mobile\n王芳,13900000011\n李雷,123\n", "utf-8")
    page.locator("input[type=file]").set_input_files(people)
    expect(page.get_by_text(t("import.chosen", name="people.csv"))).to_be_visible()
    page.get_by_role("button", name=t("import.check")).click()
    expect(page.get_by_text(t("import.faults", n="1"))).to_be_visible()
    expect(page.get_by_role("button", name=t("import.start", n="1"))).to_have_count(0)

    people.write_text("name,mobile\n王芳,13900000011\n李雷,13900000012\n", "utf-8")
    page.locator("input[type=file]").set_input_files(people)
    page.wait_for_timeout(500)
    page.get_by_role("button", name=t("import.check")).click()
    page.get_by_role("button", name=t("import.start", n="2")).click()
    page.get_by_role("button", name=t("import.start-yes"), exact=True).click()
    expect(page.get_by_text(t("import.done", done="2", of="2"))).to_be_visible(timeout=IN_TIME + 2_000)
    page.get_by_role("link", name=f"import-{t.language}").click()
    expect(page.locator(".content")).to_contain_text(t("state.ACCEPTED"), timeout=60_000)
