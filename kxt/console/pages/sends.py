"""One send: what became of it, part by part and mobile by mobile, and its time line."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import partial
from itertools import islice
from typing import Any

from nicegui import ui

from kuaixintong.core.answers import Happened, SendLine
from kuaixintong.core.delivery import MobileStatus
from kuaixintong.core.ledger import FINAL
from kuaixintong.core.rows import unsharded
from kxt.console.desk import Desk
from kxt.console.elements import badge, empty, facts, link, tag, when
from kxt.console.frame import campaign_address, mobile_address
from kxt.console.language import Words
from kxt.console.live import Keyed, Live, act, confirmed

_MOBILES_SHOWN = 5_000
_EVENTS_SHOWN = 500


@dataclass(frozen=True, slots=True)
class Tally:
    """A send's mobiles, counted: by part and state, by what became of them, and the first of them by name."""

    parts: Mapping[tuple[str, str], int] = field(default_factory=dict)
    deliveries: Mapping[str, int] = field(default_factory=dict)
    first: tuple[MobileStatus, ...] = ()


def tallied(statuses: Iterable[MobileStatus]) -> Tally:
    """Count a stream of mobiles; only the first are kept."""
    parts: Counter[tuple[str, str]] = Counter()
    deliveries: Counter[str] = Counter()
    first: list[MobileStatus] = []
    for each in statuses:
        parts[each.part, str(each.state)] += 1
        deliveries[str(each.delivery)] += 1
        if len(first) < _MOBILES_SHOWN:
            first.append(each)
    return Tally(dict(parts), dict(deliveries), tuple(first))


@dataclass(frozen=True, slots=True)
class SendView:
    """What the page shows. ``line`` is ``None`` for a send that nobody knows (yet)."""

    line: SendLine | None
    events: tuple[Happened, ...] = ()
    tally: Tally = Tally()  # it is frozen
    counting: int | None = None

    @property
    def calls(self) -> int:
        """How many calls to AWS it takes, more or less: the parts three times, and the tokens' reports twice."""
        parts = sum(self.line.states.values()) if self.line else 0
        return 3 + 2 * parts


def looked_at(desk: Desk, send_id: str) -> SendView:
    """Ask for all of it. A large send's mobiles are counted in the background."""
    lookup = desk.reading.lookup
    line = lookup.send(send_id)
    if line is None:
        return SendView(None)
    events = tuple(islice(lookup.history(send_id), _EVENTS_SHOWN))
    if line.parts == 1:
        return SendView(line, events, tallied(lookup.statuses(send_id)))

    def count(tell: Any) -> Tally:
        return tallied(lookup.statuses(send_id, progress=tell))

    standing = desk.jobs.standing(("send", send_id), count)
    return SendView(line, events, standing.result or Tally(), standing.seen if standing.running else None)


def draw(desk: Desk, t: Words, send_id: str) -> None:
    """Draw the page."""
    view = _View(desk, t, send_id)
    live = Live(desk, t, partial(looked_at, desk, send_id), view.show, calls=lambda found: found.calls)
    with live.body:
        view.draw()


class _View:
    def __init__(self, desk: Desk, t: Words, send_id: str) -> None:
        self._desk = desk
        self._t = t
        self._send_id = send_id
        self._about: Any = None
        self._buttons: set[str] = set()

    def draw(self) -> None:
        """Draw what stays."""
        t = self._t
        self._unknown = empty(t("sends.unknown"))
        self._unknown.set_visibility(False)
        with tag("div", classes="halves") as self._known:
            with tag("section", classes="card"):
                tag("h2", t("sends.what"))
                self._facts = tag("div")
                self._actions = tag("div", classes="buttons")
                tag("h2", t("sends.parts"))
                self._parts = Keyed(self._draw_part, element="ul", classes="list")
                tag("h2", t("sends.mobiles"))
                self._progress = tag("p", classes="quiet").props('role="status"')
                self._deliveries = tag("div", classes="line")
                self._mobiles = _mobiles_table(t)
            with tag("section", classes="card"):
                tag("h2", t("sends.timeline"))
                self._nothing = empty(t("sends.no-events"))
                self._timeline = Keyed(partial(_draw_event, t), element="ol", classes="timeline")
        self._known.set_visibility(False)

    def show(self, found: SendView) -> None:
        """Draw what has changed."""
        self._unknown.set_visibility(found.line is None)
        self._known.set_visibility(found.line is not None)
        if found.line is None:
            return
        t = self._t
        if self._about != found.line:
            self._about = found.line
            self._facts.clear()
            with self._facts:
                _draw_facts(t, found.line)
        self._draw_actions(found.line)
        self._parts.update((key, (*key, count)) for key, count in found.tally.parts.items())
        self._progress.set_text(t("sends.counting", n=f"{found.counting:,}") if found.counting is not None else "")
        self._deliveries.clear()
        with self._deliveries:
            for delivery, count in found.tally.deliveries.items():
                with tag("span"):
                    badge(t, "delivery", delivery)
                    tag("strong", f" {count:,}")
        self._mobiles.rows = [
            {
                "mobile": each.mobile,
                "part": each.part,
                "delivery": t.of("delivery", str(each.delivery)),
                "reason": each.reason or "",
                "to": mobile_address(t, each.mobile),
            }
            for each in found.tally.first
        ]
        self._nothing.set_visibility(not found.events)
        self._timeline.update((number, each) for number, each in enumerate(found.events))

    def _draw_actions(self, line: SendLine) -> None:
        wanted = {"cancel"} if self._may_cancel(line) else set()
        if wanted == self._buttons:
            return
        self._buttons = wanted
        self._actions.clear()
        if "cancel" in wanted:
            with self._actions:
                ui.button(self._t("sends.cancel"), on_click=self._cancel).props("no-caps outline").mark("cancel")

    def _may_cancel(self, line: SendLine) -> bool:
        unfinished = not line.states or any(state not in FINAL for state in line.states)
        return unfinished and self._desk.offers("canceller") and not self._desk.read_only

    async def _cancel(self) -> None:
        t, desk, send_id = self._t, self._desk, self._send_id
        lines = (t("sends.cancel-what", id=send_id), t("sends.cancel-limits"))
        if await confirmed(t, t("sends.cancel"), lines, t("sends.cancel-yes")):
            await act(desk, t, lambda: desk.acting.canceller.cancel(send_id), done=t("sends.cancelled"))

    def _draw_part(self, part: tuple[str, str, int]) -> None:
        name, state, mobiles = part
        with tag("div", classes="entry"):
            tag("strong", self._t("sends.part", part=name))
            badge(self._t, "state", state)
            tag("span", self._t("sends.of-mobiles", n=f"{mobiles:,}"))


def _draw_facts(t: Words, line: SendLine) -> None:
    with tag("div", classes="line"):
        for state, count in line.states.items():
            badge(t, "state", state)
            if line.parts > 1:
                tag("strong", f"{count:,}")
    facts(
        t,
        ("sends.id", line.send_id),
        ("sends.content", line.content),
        ("send.category", t.of("category", line.category)),
        ("send.atTime", line.at_time),
        ("sends.code", None if line.code is None else str(line.code)),
        ("sends.words", line.words),
    )
    with tag("div", classes="line"):
        tag("span", t("sends.noted"), classes="quiet")
        when(t, line.created_at)
    if line.campaign:
        with tag("p"):
            link(t("sends.campaign", campaign=line.campaign), campaign_address(t, line.campaign))
    if line.attention:
        tag("p", t.of("advice", unsharded(line.attention)), classes="note trouble")


def _mobiles_table(t: Words) -> ui.table:
    columns = [
        {"name": name, "label": t(f"sends.column-{name}"), "field": name, "align": "left", "sortable": True}
        for name in ("mobile", "delivery", "part", "reason")
    ]
    table = ui.table(columns=columns, rows=[], row_key="mobile", pagination=0)
    table.props('virtual-scroll dense flat hide-bottom style="max-height: 24rem"').mark("mobiles")
    table.add_slot("body-cell-mobile", '<q-td :props="props"><a :href="props.row.to">{{ props.value }}</a></q-td>')
    return table


def _draw_event(t: Words, event: Happened) -> None:
    with tag("div", classes="entry"):
        unanswered = event.event == "SUBMITTING" and event.timestamp is None
        tag("strong", t.of("event", "NO_ANSWER" if unanswered else event.event))
        when(t, event.at)
        if event.event == "report":
            outcome = "delivered" if event.success else "failed"
            badge(t, "delivery", outcome)
            if event.mobile:
                link(event.mobile, mobile_address(t, event.mobile))
            else:
                tag("span", t("sends.of-mobiles", n=f"{event.count:,}"))
        if event.part != "1":
            tag("span", t("sends.part", part=event.part))
        if event.code is not None:
            tag("span", t("sends.code-is", code=event.code), classes="badge")
        if event.words:
            tag("span", event.words)
        if event.timestamp:
            tag("span", t("sends.timestamp", timestamp=event.timestamp), classes="quiet")
