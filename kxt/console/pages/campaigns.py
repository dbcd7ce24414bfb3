"""Campaigns: those of a day, and one of them with its bar moving."""

from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import datetime
from functools import partial
from typing import Any

from nicegui import ui

from kuaixintong.core.answers import CampaignCounts, CampaignLine
from kuaixintong.core.delivery import MobileStatus
from kuaixintong.core.ledger import OPEN
from kuaixintong.exporting import statuses_as_csv
from kxt.console.desk import Desk
from kxt.console.elements import badge, empty, tag, when
from kxt.console.frame import campaign_address
from kxt.console.jobs import Standing, Tell
from kxt.console.language import Words
from kxt.console.live import Keyed, Live, act, confirmed
from kxt.console.pages.overview import draw_campaign, draw_line, today

_PAGE = 50
_SENDS = 10
_SENDS_EVERY = 6.0
_LISTING_CALLS = 9

_ORDER = ("ACCEPTED", "SUBMITTING", "WAITING", "UNCONFIRMED", "EXPIRED", "CANCELLED", "REJECTED")
_DELIVERIES = ("delivered", "mixed", "pending", "unreported", "failed", "unsent")


def draw(desk: Desk, t: Words) -> None:
    """Draw the campaigns of a day."""
    day = {"shown": today()}

    def show(page: Any) -> None:
        nothing.set_visibility(not page.items)
        lines.update((line.campaign, line) for line in page.items)

    def choose() -> None:
        try:
            datetime.strptime(str(field.value), "%Y-%m-%d")  # noqa: DTZ007  # a day, whoever's
        except ValueError:
            return
        day["shown"] = str(field.value)

    def find() -> None:
        if name.value:
            ui.navigate.to(campaign_address(t, str(name.value).strip()))

    with tag("div", classes="line"):
        field = ui.input(t("campaigns.day"), value=day["shown"], on_change=choose).props(
            "outlined dense type=date"
        )
        name = (
            ui.input(t("campaigns.find")).props("outlined dense").on("keydown.enter", find).mark("find-campaign")
        )
    with tag("section", classes="card"):
        live = Live(desk, t, lambda: desk.reading.lookup.campaigns_of_day(day["shown"], size=_PAGE), show, calls=1)
        with live.body:
            nothing = empty(t("campaigns.empty"))
            nothing.set_visibility(False)
            lines = Keyed(partial(draw_campaign, t), element="ul", classes="list")


def deliveries(statuses: Iterable[MobileStatus]) -> dict[str, int]:
    """Count a stream of mobiles by what became of them."""
    return dict(Counter(str(each.delivery) for each in statuses))


class _Progress:
    """What the campaign's page asks: counts go on in the background."""

    def __init__(self, desk: Desk, campaign: str) -> None:
        self._desk = desk
        self._campaign = campaign

    def states(self) -> Standing[CampaignCounts]:
        """How many parts are in which state."""

        def count(tell: Tell) -> CampaignCounts:
            counts: CampaignCounts = self._desk.reading.lookup.counts_of_campaign(self._campaign, progress=tell)
            return counts

        return self._desk.jobs.standing(("states", self._campaign), count)

    def statuses(self) -> Standing[dict[str, int]]:
        """What became of how many mobiles."""

        def count(tell: Tell) -> dict[str, int]:
            return deliveries(self._desk.reading.lookup.statuses_of_campaign(self._campaign, progress=tell))

        return self._desk.jobs.standing(("statuses", self._campaign), count)


def draw_one(desk: Desk, t: Words, campaign: str) -> None:
    """Draw one campaign."""
    progress = _Progress(desk, campaign)
    view = _CampaignView(desk, t, campaign)
    with tag("section", classes="card"):
        live = Live(desk, t, lambda: desk.reading.lookup.campaign(campaign), view.show_line, calls=1, every=4.0)
        with live.body:
            view.draw_about()
    with tag("div", classes="halves"):
        with tag("section", classes="card"):
            tag("h2", t("campaigns.states"))
            live = Live(desk, t, progress.states, view.show_states)
            with live.body:
                view.states.draw()
        with tag("section", classes="card"):
            tag("h2", t("campaigns.statuses"))
            live = Live(desk, t, progress.statuses, view.show_statuses)
            with live.body:
                view.statuses.draw()
    with tag("section", classes="card"):
        tag("h2", t("campaigns.sends"))
        live = Live(
            desk,
            t,
            lambda: desk.reading.lookup.of_campaign(campaign, size=_SENDS),
            view.show_sends,
            calls=_LISTING_CALLS + 1,
            every=_SENDS_EVERY,
        )
        with live.body:
            view.sends = Keyed(partial(draw_line, t), element="ul", classes="list")


class _Bar:
    """Shares of a whole, drawn and told: a bar with its numbers below."""

    def __init__(self, t: Words, kind: str, order: tuple[str, ...]) -> None:
        self._t = t
        self._kind = kind
        self._order = order
        self._shown: Mapping[str, int] | None = None

    def draw(self) -> None:
        """Draw what stays."""
        self._told = tag("p", classes="quiet").props('role="status"')
        self._box = tag("div")

    def show(self, counts: Mapping[str, int] | None, seen: int, *, running: bool, trouble: str | None) -> None:
        """Draw the counts, and how far the next ones are."""
        told = self._t("campaigns.counting", n=f"{seen:,}") if running else ""
        self._told.set_text(trouble or told)
        if counts is None or counts == self._shown:
            return
        self._shown = counts
        self._box.clear()
        whole = sum(counts.values())
        names = sorted(counts, key=lambda name: self._order.index(name) if name in self._order else 99)
        with self._box:
            with tag("div", classes="bar").props('aria-hidden="true"'):
                for name in names:
                    share = tag("span", classes=f"fill {self._kind}-{name.lower()}")
                    share.style(f"width: {100 * counts[name] / whole:.3f}%")
            for name in names:
                with tag("div", classes="line"):
                    badge(self._t, self._kind, name)
                    tag("strong", f"{counts[name]:,}")
                    tag("span", f"{100 * counts[name] / whole:.1f} %", classes="quiet")


class _CampaignView:
    def __init__(self, desk: Desk, t: Words, campaign: str) -> None:
        self._desk = desk
        self._t = t
        self._campaign = campaign
        self.states = _Bar(t, "state", _ORDER)
        self.statuses = _Bar(t, "delivery", _DELIVERIES)
        self.sends: Keyed
        self._finished: tuple[datetime, int] | None = None

    def draw_about(self) -> None:
        """Draw what stays of the campaign's own row, and the buttons."""
        t = self._t
        self._about = tag("div", classes="line")
        self._rate = tag("p", classes="quiet")
        with tag("div", classes="buttons"):
            ui.button(t("campaigns.export"), on_click=self._export).props("no-caps outline").mark("export")
            if self._desk.offers("canceller") and not self._desk.read_only:
                self._cancel_button = ui.button(t("campaigns.cancel"), on_click=self._cancel)
                self._cancel_button.props("no-caps outline").mark("cancel-campaign")

    def show_line(self, line: CampaignLine | None) -> None:
        """Draw what the campaign's row says."""
        t = self._t
        self._about.clear()
        with self._about:
            if line is None:
                empty(t("campaigns.unknown"))
                return
            tag("span", t("campaigns.since"), classes="quiet")
            when(t, line.created_at)
            if line.source:
                tag("span", t("campaigns.source", source=line.source))
            if line.cancelled_at:
                badge(t, "state", "CANCELLED")
                when(t, line.cancelled_at)

    def show_states(self, found: Standing[CampaignCounts]) -> None:
        """Draw the bar of states, and the rate since the last count."""
        counts = found.result
        self.states.show(
            counts.states if counts else None, found.seen, running=found.running, trouble=found.trouble
        )
        if counts:
            self._show_rate(counts)

    def _show_rate(self, counts: CampaignCounts) -> None:
        done = sum(count for state, count in counts.states.items() if state not in OPEN)
        now = datetime.now().astimezone()
        before, self._finished = self._finished, (now, done)
        text = self._t("campaigns.done", done=f"{done:,}", parts=f"{counts.parts:,}", sends=f"{counts.sends:,}")
        if before and done > before[1]:
            rate = (done - before[1]) / max((now - before[0]).total_seconds(), 1)
            text += self._t("campaigns.rate", rate=f"{rate:.1f}", left=f"{(counts.parts - done) / rate / 60:.0f}")
        self._rate.set_text(text)

    def show_statuses(self, found: Standing[dict[str, int]]) -> None:
        """Draw the bar of statuses."""
        self.statuses.show(found.result, found.seen, running=found.running, trouble=found.trouble)

    def show_sends(self, page: Any) -> None:
        """Draw the newest sends."""
        self.sends.update((line.send_id, line) for line in page.items)

    async def _export(self) -> None:
        lookup, campaign = self._desk.reading.lookup, self._campaign
        ui.notify(self._t("campaigns.exporting"))
        text = await act(self._desk, self._t, lambda: statuses_as_csv(lookup.statuses_of_campaign(campaign)))
        if text is not None:
            ui.download.content(text, f"{campaign}.csv", "text/csv")

    async def _cancel(self) -> None:
        t, desk, campaign = self._t, self._desk, self._campaign
        counts = _Progress(desk, campaign).states().result
        unfinished = sum(counts.states.get(state, 0) for state in OPEN) if counts else "?"
        lines = (
            t("campaigns.cancel-what", campaign=campaign, n=unfinished),
            t("sends.cancel-limits"),
        )
        if await confirmed(t, t("campaigns.cancel"), lines, t("campaigns.cancel-yes")):
            ui.notify(t("campaigns.cancelling"))
            stopped = await act(desk, t, lambda: desk.acting.canceller.cancel_campaign(campaign))
            desk.jobs.again(("states", campaign))
            if stopped:
                told = t("campaigns.cancelled", n=stopped.states.get("CANCELLED", 0), out=stopped.under_way)
                ui.notify(told, type="positive", timeout=10_000)
