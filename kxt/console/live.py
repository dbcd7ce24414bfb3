"""Parts of a page that are asked again and again, and change only where the answer has changed."""

import asyncio
import logging
import time
import traceback
from collections import deque
from collections.abc import Callable, Hashable, Iterable
from contextlib import suppress
from typing import Any, Protocol

from nicegui import ui

from kuaixintong.core.errors import KuaixintongError
from kxt.console.desk import Desk, ReadOnly
from kxt.console.elements import Tag, tag
from kxt.console.language import Words
from kxt.console.simulation import SimulatorSilent

REFRESH = 2.0
"""Seconds from an answer to the next question, at least."""

CALLS = 10
"""Calls to AWS that a refresh may take."""

_LONGEST_PAUSE = 30.0

logger = logging.getLogger("kxt.console")


def sentence(t: Words, error: Exception) -> str:
    """Return what a person is told of an error. What nobody expected is logged by where it happened alone."""
    match error:
        case ReadOnly():
            return t("error.read-only")
        case SimulatorSilent():
            return t("error.simulator", why=str(error))
        case KuaixintongError():
            return str(error)
        case _:
            at = traceback.extract_tb(error.__traceback__)[-1]
            logger.error("%s at %s:%d", type(error).__name__, at.filename, at.lineno)  # it may quote
            return t("error.unexpected", kind=type(error).__name__)


class Turns:
    """Who is asked at which refresh: as much as ten calls to AWS cost, and no more on average.

    What costs more than that is asked less often: its cost is paid off before anything else is asked. The first
    time, when a page opens, everything is asked once.
    """

    def __init__(self) -> None:
        self._owed = 0
        self._begun = False
        self._line: deque[Asked] = deque()

    def add(self, asked: "Asked") -> None:
        """Ask this, too."""
        self._line.append(asked)

    def next(self) -> "list[Asked]":
        """Return who is asked now."""
        if not self._begun:
            self._begun = True
            return [*self._line]
        self._owed = max(0, self._owed - CALLS)
        taken: list[Asked] = []
        for each in [*self._line]:
            fits = self._owed + each.cost <= CALLS or each.cost == 0
            if each.wanted and (fits or not (taken or self._owed)):
                taken.append(each)
                self._owed += each.cost
        for each in taken:  # whoever was asked goes to the end of the line
            self._line.remove(each)
            self._line.append(each)
        return taken


class Asked(Protocol):
    """A question of a page's. ``cost`` is how many calls to AWS it takes."""

    cost: int

    @property
    def wanted(self) -> bool:
        """Whether it is time to ask it."""

    async def refresh(self) -> None:
        """Ask it."""


class Pace:
    """Asks what one open page shows, every two seconds."""

    def __init__(self) -> None:
        self._turns = Turns()
        self.timer = ui.timer(REFRESH, self._tick)

    @classmethod
    def of_this_page(cls) -> "Pace":
        """Return the pace of the page that is being drawn."""
        client = ui.context.client
        if client.id not in _paces:
            _paces[client.id] = cls()
            client.on_delete(lambda: _paces.pop(client.id, None))
        return _paces[client.id]

    def add(self, asked: Asked) -> None:
        """Ask this, too."""
        self._turns.add(asked)

    async def _tick(self) -> None:
        await asyncio.gather(*(each.refresh() for each in self._turns.next()))


_paces: dict[str, Pace] = {}
"""The open pages' own, by their ids."""


class Live:
    """Shows what ``ask`` returns, which is called in a thread, at most every two seconds.

    ``show`` is called with an answer that differs from the last one, and draws it within :attr:`body`. While the
    store does not answer, what was known stays, the page says so, and asks again later and later.
    """

    def __init__[A](
        self,
        desk: Desk,
        t: Words,
        ask: Callable[[], A],
        show: Callable[[A], object],
        *,
        calls: int | Callable[[A], int] = 0,
        every: float = REFRESH,
    ) -> None:
        """``calls`` is how many calls to AWS an answer takes, ``every`` the seconds until the next is of use."""
        self._desk = desk
        self._t = t
        self._ask: Callable[[], Any] = ask
        self._show: Callable[[Any], object] = show
        self._calls: Callable[[Any], int] = calls if callable(calls) else lambda _answer: calls
        self._every = every
        self._last: Any = self
        self._failures = 0
        self._not_before = 0.0
        self.cost = calls if isinstance(calls, int) else CALLS
        self.note = tag("p", classes="note trouble").props('role="status"')
        self.note.set_visibility(False)
        self.waiting = tag("p", t("page.loading"), classes="quiet")
        self.body = tag("div")
        Pace.of_this_page().add(self)

    @property
    def wanted(self) -> bool:
        """Whether it is time to ask again."""
        return time.monotonic() >= self._not_before

    async def refresh(self) -> None:
        """Ask, and show what has changed."""
        try:
            answer = await self._desk.ask(self._ask)
        except Exception as error:  # noqa: BLE001  # whatever it is, the page stays and says so
            self._tell(error)
            return
        self._failures, self._not_before = 0, time.monotonic() + self._every - 0.5
        self.cost = self._calls(answer)
        self.waiting.set_visibility(False)
        self.note.set_visibility(False)
        if answer != self._last:
            self._last = answer
            with self.body:
                self._show(answer)

    def _tell(self, error: Exception) -> None:
        self._failures += 1
        pause = min(REFRESH * 2 ** (self._failures - 1), _LONGEST_PAUSE)
        self._not_before = time.monotonic() + pause - 0.1
        self.note.set_text(self._t("page.again", why=sentence(self._t, error), seconds=f"{pause:g}"))
        self.note.set_visibility(True)


class Keyed:
    """A list whose items keep their elements: what has not changed is not drawn again, so that nothing jumps.

    ``draw`` draws an item. It may return a function that takes the item's next value; without one, an item that
    has changed is drawn anew. One that scrolls by itself has the name ``scrolls``, and the keyboard gets there.
    """

    def __init__[V](
        self,
        draw: Callable[[V], Callable[[V], None] | None],
        *,
        element: str = "div",
        classes: str = "",
        scrolls: str = "",
    ) -> None:
        self._draw: Callable[[Any], Callable[[Any], None] | None] = draw
        self._holder = tag(element, classes=classes)
        if scrolls:
            self._holder.props["tabindex"], self._holder.props["aria-label"] = "0", scrolls
        self._items: dict[Hashable, _Item] = {}
        self._element = "li" if element in ("ul", "ol") else "div"

    def update(self, items: Iterable[tuple[Hashable, Any]]) -> None:
        """Show these items, in their order."""
        wanted = dict(items)
        for key in [key for key in self._items if key not in wanted]:
            self._items.pop(key).frame.delete()
        for place, (key, value) in enumerate(wanted.items()):
            item = self._items.get(key) or self._added(key)
            if self._holder.default_slot.children[place] is not item.frame:
                item.frame.move(target_index=place)
            if item.value != value:
                self._show(item, value)

    def _added(self, key: Hashable) -> "_Item":
        with self._holder:
            item = self._items[key] = _Item(tag(self._element, classes="item"))
        return item

    def _show(self, item: "_Item", value: Any) -> None:
        item.value = value
        if item.update:
            item.update(value)
            return
        item.frame.clear()
        with item.frame:
            item.update = self._draw(value)

    @property
    def empty(self) -> bool:
        """Whether there is nothing in it."""
        return not self._items


class _Item:
    def __init__(self, frame: Tag) -> None:
        self.frame = frame
        self.value: Any = self  # equal to nothing
        self.update: Callable[[Any], None] | None = None


async def act[A](desk: Desk, t: Words, what: Callable[[], A], *, done: str = "") -> A | None:
    """Do something in a thread; tell how it went in a notice, and return what came of it."""
    try:
        result = await desk.ask(what)
    except Exception as error:  # noqa: BLE001  # whatever it is, the page stays and says so
        ui.notify(sentence(t, error), type="negative", multi_line=True, timeout=8000, close_button=t("page.close"))
        return None
    if done:
        ui.notify(done, type="positive")
    return result


async def confirmed(t: Words, title: str, lines: Iterable[str], button: str) -> bool:
    """Say what is about to be done, and ask; return whether a person said yes."""
    with ui.dialog() as dialog, tag("div", classes="card dialog").props('role="alertdialog"'):
        tag("h2", title)
        for line in lines:
            tag("p", line)
        with tag("div", classes="buttons"):
            ui.button(button, on_click=lambda: dialog.submit(result=True)).props("no-caps").mark("yes")
            ui.button(t("page.no"), on_click=lambda: dialog.submit(result=False)).props("outline no-caps")
    with suppress(asyncio.CancelledError):
        return bool(await dialog)
    return False
