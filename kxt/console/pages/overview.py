"""How things stand: balance, pause and pace, what waits, what went out last, what needs a person."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from itertools import islice, pairwise
from typing import Any

from nicegui import ui

from kuaixintong.core.answers import Balance, CampaignLine, SendLine
from kuaixintong.core.beijing import BEIJING, day
from kuaixintong.core.lanes import Lane
from kuaixintong.core.rows import unsharded
from kxt.console.desk import Desk
from kxt.console.elements import badge, empty, facts, link, tag, when
from kxt.console.frame import address, campaign_address, mobile_address, send_address
from kxt.console.language import Words
from kxt.console.live import Keyed, Live

_NEWEST = 12
_CAMPAIGNS = 10
_LOOKED_THROUGH = 100

_ACCOUNT_EVERY = 6.0
_ATTENTION_EVERY = 10.0
_BALANCES_EVERY = 60.0

_SECONDS = len("2026-11-25T12:00:00")
"""As much of a time as a chart takes for the browser's own zone: so Beijing's is shown, wherever that is."""

_LISTING_CALLS = 5  # four shards and the rows
_ATTENTION_CALLS = 13  # reasons, and the shards of refused bodies


@dataclass(frozen=True, slots=True)
class HowItStands:
    """The account and the queues, as the page shows them."""

    account: Any
    queues: Mapping[Any, Any]
    pace: float | None


def today() -> str:
    """Return the Beijing day."""
    return day(datetime.now(UTC))


def standing(desk: Desk) -> HowItStands:
    """Ask for account, pace and queues: four calls, and once a minute one more."""
    view = desk.reading.account
    account = view.state()
    return HowItStands(account, view.queues(ages=True), view.pace(account))


def draw(desk: Desk, t: Words) -> None:
    """Draw the page."""
    with tag("div", classes="halves"):
        if desk.offers("account"):
            with tag("section", classes="card"):
                tag("h2", t("overview.account"))
                draw_standing(desk, t, every=_ACCOUNT_EVERY)
                _draw_balances(desk, t)
        with tag("section", classes="card"):
            tag("h2", t("overview.attention"))
            _draw_attention(desk, t)
            tag("h2", t("overview.campaigns"))
            _draw_campaigns(desk, t)
    with tag("section", classes="card"):
        tag("h2", t("overview.newest"))
        nothing = empty(t("overview.no-sends"))
        nothing.set_visibility(False)

        def show(page: Any) -> None:
            nothing.set_visibility(not page.items)
            newest.update((line.send_id, line) for line in page.items)

        live = Live(
            desk,
            t,
            lambda: desk.reading.lookup.of_day(today(), size=_NEWEST),
            show,
            calls=lambda page: _calls(page.items),
        )
        with live.body:
            newest = Keyed(partial(draw_line, t), element="ul", classes="list")


def _calls(lines: tuple[SendLine, ...]) -> int:
    return _LISTING_CALLS + sum(line.parts > 1 or "SPLIT" in line.states for line in lines)


def draw_line(t: Words, line: SendLine) -> None:
    """Draw one send of a list."""
    with tag("div", classes="entry"):
        for state in line.states or (None,):
            badge(t, "state", state)
        link(line.send_id, send_address(t, line.send_id), classes="id")
        if line.mobile and line.mobiles == 1:
            link(line.mobile, mobile_address(t, line.mobile))
        else:
            tag("span", t("sends.of-mobiles", n=f"{line.mobiles:,}"))
        when(t, line.created_at)
        if line.content:
            tag("span", line.content, classes="words")
        if line.words and line.state not in ("ACCEPTED", None):
            tag("span", line.words, classes="quiet words")


# --- the account ------------------------------------------------------------------------------------------------


def draw_standing(desk: Desk, t: Words, *, every: float) -> None:
    """Draw the account and the queues, asked again every so many seconds."""

    def show(found: HowItStands) -> None:
        box.clear()
        with box:
            draw_account(t, found)

    live = Live(desk, t, partial(standing, desk), show, calls=5, every=every)
    with live.body:
        box = tag("div")


def draw_account(t: Words, found: HowItStands) -> None:
    """Draw an account's balance, pause and pace, and the queues."""
    account = found.account
    if account is None:
        empty(t("account.never"))
    else:
        if account.paused(datetime.now(UTC)):
            until = account.pause_until.astimezone(BEIJING)
            tag("p", t("account.paused", reason=t.of("pause", account.pause_reason), until=f"{until:%H:%M:%S}"))
        facts(
            t,
            ("account.balance", None if account.sm_balance is None else f"{account.sm_balance:,}"),
            ("account.pace", t("account.no-pace") if found.pace is None else f"{found.pace:.3g}"),
        )
        if account.checked_at:
            with tag("div", classes="line"):
                tag("span", t("account.checked"), classes="quiet")
                when(t, account.checked_at.isoformat())
    for lane in (Lane.URGENT, Lane.ORDINARY, None):
        queue = found.queues.get(lane)
        if queue is not None:
            name = t(f"queue.{lane or 'dead'}")
            numbers = t("queue.holds", waiting=f"{queue.waiting:,}", in_hand=f"{queue.in_hand:,}")
            with tag("div", classes="line"):
                tag("span", name)
                warn = lane is None and queue.waiting
                tag("span", numbers, classes=f"badge {'warning' if warn else ''}")
                if queue.oldest:
                    tag("span", t("queue.oldest", minutes=f"{queue.oldest / 60:.0f}"), classes="quiet")


def _draw_balances(desk: Desk, t: Words) -> None:
    """The course of the balance, and how long it is enough if it goes on like that."""

    def ask() -> list[Balance]:
        account = desk.reading.account.state()
        return list(desk.reading.lookup.balances(account.cid)) if account else []

    def show(found: list[Balance]) -> None:
        points = [(each.at[:_SECONDS], each.sm_balance) for each in found if each.sm_balance is not None]
        chart.set_visibility(len(points) > 1)
        chart.options["series"][0]["data"] = [[at, balance] for at, balance in points]
        chart.update()
        days = lasts(found)
        told.set_text(t("account.lasts", days=f"{days:.1f}") if days is not None else "")

    live = Live(desk, t, ask, show, calls=2, every=_BALANCES_EVERY)
    with live.body:
        told = tag("p", classes="quiet")
        chart = ui.echart(
            _CHART | {"series": [{"type": "line", "showSymbol": False, "areaStyle": {}, "data": []}]}
        )
        chart.classes("chart").props(f'role="img" aria-label="{t("account.course")}"')
        chart.set_visibility(False)


_CHART = {
    "grid": {"left": 60, "right": 10, "top": 10, "bottom": 25},
    "xAxis": {"type": "time"},
    "yAxis": {"type": "value", "scale": True},
    "color": ["#0b5394"],
    "animation": False,
}


def lasts(balances: list[Balance]) -> float | None:
    """Return for how many days the balance is enough at the pace of what is known; ``None``: it does not fall.

    What was topped up in between does not count as gone up.
    """
    points = [
        (datetime.fromisoformat(each.at), each.sm_balance) for each in balances if each.sm_balance is not None
    ]
    used = sum(max(0, before - after) for (_, before), (_, after) in pairwise(points))
    if not used:
        return None
    days = (points[-1][0] - points[0][0]).total_seconds() / 86_400
    return points[-1][1] * days / used if days else None


# --- attention and campaigns ------------------------------------------------------------------------------------


def _draw_attention(desk: Desk, t: Words) -> None:
    def ask() -> dict[str, int]:
        counts: dict[str, int] = {}
        for row in islice(desk.reading.lookup.attention(), _LOOKED_THROUGH):
            reason = unsharded(row["attention"])
            counts[reason] = counts.get(reason, 0) + 1
        return counts

    def show(found: dict[str, int]) -> None:
        box.clear()
        with box:
            if not found:
                empty(t("attention.empty"))
            for reason, count in found.items():
                with tag("div", classes="line"):
                    badge(t, "attention", reason)
                    more = "+" if sum(found.values()) >= _LOOKED_THROUGH else ""
                    link(t("overview.see", n=f"{count}{more}"), address(t, "/attention"))

    live = Live(desk, t, ask, show, calls=_ATTENTION_CALLS, every=_ATTENTION_EVERY)
    with live.body:
        box = tag("div")


def _draw_campaigns(desk: Desk, t: Words) -> None:

    def show(page: Any) -> None:
        nothing.set_visibility(not page.items)
        lines.update((line.campaign, line) for line in page.items)

    live = Live(
        desk, t, lambda: desk.reading.lookup.campaigns_of_day(today(), size=_CAMPAIGNS), show, calls=1, every=4.0
    )
    with live.body:
        nothing = empty(t("campaigns.none-today"))
        nothing.set_visibility(False)
        lines = Keyed(partial(draw_campaign, t), element="ul", classes="list")


def draw_campaign(t: Words, line: CampaignLine) -> None:
    """Draw one campaign of a list."""
    with tag("div", classes="entry"):
        link(line.campaign, campaign_address(t, line.campaign))
        when(t, line.created_at)
        if line.source:
            tag("span", line.source, classes="quiet")
        if line.cancelled_at:
            badge(t, "state", "CANCELLED")
