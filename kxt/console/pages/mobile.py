"""A mobile as a conversation: what was sent to it and what became of that, its reports, what it said."""

from functools import partial

from nicegui import ui

from kuaixintong.core.answers import Answered, Conversation, Event, Fact, Reported, Sent
from kxt.console.desk import Desk
from kxt.console.elements import badge, empty, link, scroll_to_end, tag, when
from kxt.console.frame import address, send_address
from kxt.console.language import Words
from kxt.console.live import Keyed, Live, act, confirmed

_HEAD = 5
"""Newest events that are looked at at every refresh: as many calls as one may take."""

_PAGE = 40
_ONCE = float("inf")
_OLDER_EVERY = 20.0
"""Seconds until some of the older events are looked at again, a few at a time."""

_NEVER = "9"
"""After every moment: a send whose row is not there yet."""


def calls(found: Conversation) -> int:
    """Return how many calls to AWS a page took: five for the lists, one for the token of a send or a report."""
    return 5 + sum(
        isinstance(each, Reported) or bool(isinstance(each, Sent) and each.token) for each in found.events
    )


def key_of(event: Event) -> tuple[str, ...]:
    """Return what an event is known by while its state changes."""
    match event:
        case Sent():
            return ("sent", event.send_id)
        case Reported():
            return ("report", event.token, event.result_code, str(event.success))
        case Answered():
            return ("mo", event.smg_recv_date, event.content)


def draw(desk: Desk, t: Words, mobile: str) -> None:
    """Draw the page."""
    view = _View(desk, t, mobile)
    view.draw()
    with tag("div"):
        Live(desk, t, lambda: desk.reading.lookup.of_mobile(mobile, size=_HEAD), view.show, calls=calls)
        Live(desk, t, view.older, view.show, calls=calls, every=_OLDER_EVERY)
        Live(
            desk,
            t,
            lambda: desk.reading.lookup.of_mobile(mobile, size=_PAGE),
            view.show_page,
            calls=calls,
            every=_ONCE,
        )


class _View:
    def __init__(self, desk: Desk, t: Words, mobile: str) -> None:
        self._desk = desk
        self._t = t
        self._mobile = mobile
        self._known: dict[tuple[str, ...], Event] = {}
        self._facts: tuple[Fact, ...] | None = None
        self._next: str | None = None
        self._earlier_shown = False
        self._newest = ""
        self._cursor: str | None = None

    def draw(self) -> None:
        """Draw what stays."""
        t = self._t
        self._about = tag("div", classes="line")
        if not self._desk.read_only:
            ui.button(t("mobile.write"), on_click=lambda: ui.navigate.to(self._write_address())).props(
                "no-caps"
            ).mark("write")
        self._nothing = empty(t("mobile.empty"))
        self._nothing.set_visibility(False)
        with tag("div", classes="card talk").props('tabindex="0" role="log"') as self._talk:
            self._talk.props["aria-label"] = t("mobile.title", mobile=self._mobile)
            self._more = ui.button(t("mobile.earlier"), on_click=self._earlier).props("no-caps outline dense")
            self._more.mark("earlier").set_visibility(False)
            self._events = Keyed(partial(_draw_event, t), classes="conversation")

    def _write_address(self) -> str:
        return f"{address(self._t, '/send')}?mobile={self._mobile}"

    def older(self) -> Conversation:
        """Ask for the next few of the older events; after the oldest that is shown, for the newest again."""
        found: Conversation = self._desk.reading.lookup.of_mobile(self._mobile, size=_HEAD, page=self._cursor)
        oldest = min((event.at or _NEVER for event in found.events), default="")
        shown = min((event.at or _NEVER for event in [*self._known.values()]), default="")
        self._cursor = found.next if oldest > shown else None
        return found

    def show(self, found: Conversation) -> None:
        """Show newer events and newer states of those that are known."""
        self._known |= {key_of(event): event for event in found.events}
        self._nothing.set_visibility(not self._known)
        self._events.update(
            (key, self._known[key]) for key in sorted(self._known, key=lambda key: self._known[key].at or _NEVER)
        )
        newest = max((event.at or "" for event in found.events), default="")
        if newest > self._newest:
            self._newest = newest
            scroll_to_end(self._talk)
        if found.facts != self._facts:
            self._facts = found.facts
            self._draw_facts()

    def show_page(self, found: Conversation) -> None:
        """Show the newest page of the conversation; what is older is asked for by a person."""
        self.show(found)
        if not self._earlier_shown:
            self._next = found.next
            self._more.set_visibility(found.next is not None)

    async def _earlier(self) -> None:
        desk, mobile, page = self._desk, self._mobile, self._next
        found: Conversation | None = await act(
            desk, self._t, lambda: desk.reading.lookup.of_mobile(mobile, size=_PAGE, page=page)
        )
        if found:
            self._earlier_shown = True
            self._next = found.next
            self._more.set_visibility(found.next is not None)
            self.show(found)

    def _draw_facts(self) -> None:
        t = self._t
        self._about.clear()
        facts = {fact.what: fact for fact in self._facts or ()}
        with self._about:
            if fact := facts.get("invalid"):
                tag("span", t("mobile.invalid"), classes="badge bad")
                when(t, _moment(fact))
            out = facts.get("opt-out")
            if out and _is_out(out):
                tag("span", t("mobile.opted-out"), classes="badge warning").mark("opted-out")
                when(t, _moment(out))
            if self._desk.offers("optouts") and not self._desk.read_only:
                self._draw_opt_out(out=bool(out and _is_out(out)))

    def _draw_opt_out(self, *, out: bool) -> None:
        t, desk, mobile = self._t, self._desk, self._mobile

        async def change() -> None:
            kind = "in" if out else "out"
            if await confirmed(
                t, t(f"mobile.opt-{kind}"), [t(f"mobile.opt-{kind}-what")], t(f"mobile.opt-{kind}")
            ):

                def note() -> bool:
                    optouts = desk.acting.optouts
                    return bool((optouts.remove if out else optouts.add)(mobile))

                await act(desk, t, note, done=t("mobile.noted"))

        ui.button(t("mobile.opt-in" if out else "mobile.opt-out"), on_click=change).props("no-caps outline dense")


def _is_out(fact: Fact) -> bool:
    return fact.row.get("state") == "out"


def _moment(fact: Fact) -> str | None:
    return fact.row.get("changed_at") or fact.row.get("refused_on")


def _draw_event(t: Words, event: Event) -> None:
    match event:
        case Sent():
            _draw_sent(t, event)
        case Reported():
            with tag("div", classes="entry report"):
                badge(t, "delivery", "delivered" if event.success else "failed")
                tag("span", t("mobile.report", code=event.result_code))
                when(t, event.at)
        case Answered():
            with tag("div", classes="bubble theirs"):
                tag("p", event.content, classes="text")
                when(t, event.at)


def _draw_sent(t: Words, event: Sent) -> None:
    with tag("div", classes="bubble mine"):
        tag("p", event.content or t("mobile.no-content"), classes="text")
        with tag("div", classes="line"):
            badge(t, "delivery", str(event.delivery))
            if event.state:
                badge(t, "state", event.state)
            if event.category != "notice":
                tag("span", t.of("category", event.category), classes="badge")
        words = event.reason or (event.words if event.state != "ACCEPTED" else None)
        if words:
            tag("p", words, classes="quiet")
        with tag("div", classes="line"):
            when(t, event.at)
            link(t("mobile.send"), send_address(t, event.send_id))
