"""Compose a send: what it is and costs is told while it is being written."""

from typing import Any

from nicegui import ui

from kuaixintong.core.enqueueing import Enqueued
from kxt.console.composing import Composition, Naming, composed, mobiles_of
from kxt.console.desk import Desk
from kxt.console.elements import facts, tag
from kxt.console.frame import send_address
from kxt.console.language import Words
from kxt.console.live import act

_LEAST_PAUSE = 0.3  # seconds from the last key to a count
_INVALID_SHOWN = 20

_CATEGORIES = ("notice", "otp", "marketing")


def draw(desk: Desk, t: Words, *, mobile: str = "") -> None:
    """Draw the page; ``mobile`` stands in it already."""
    if desk.read_only:
        tag("p", t("error.read-only"), classes="note trouble")
        return
    _Form(desk, t, mobile)


class _Form:
    def __init__(self, desk: Desk, t: Words, mobile: str) -> None:
        self._desk = desk
        self._t = t
        self._naming = Naming()
        with tag("div", classes="halves"):
            with tag("section", classes="card form"):
                self._draw_fields(mobile)
            with tag("section", classes="card").props('aria-live="polite"') as told:
                self._told = told
        self._count()

    def _draw_fields(self, mobile: str) -> None:
        t = self._t
        self._mobiles = self._text("send.mobiles", "mobiles", value=mobile)
        self._content = self._text("send.content", "content")
        self._category = ui.select({each: t(f"category.{each}") for each in _CATEGORIES}, value="notice")
        self._category.props(f'outlined dense label="{t("send.category")}"').on_value_change(self._count)
        self._category.mark("category").classes("field")
        with tag("details"):
            tag("summary", t("send.more"))
            self._more = {
                name: ui.input(t(f"send.{name}"), on_change=self._count)
                .props(f"outlined dense debounce=300 {_hint(name)}")
                .classes("field")
                .mark(name)
                for name in ("id", "campaign", "atTime", "validUntil")
            }
            self._hold = ui.switch(t("send.hold"), on_change=self._count)
        self._button = ui.button(t("send.button"), on_click=self._send).props("no-caps").mark("send")

    def _text(self, key: str, mark: str, value: str = "") -> ui.textarea:
        field = ui.textarea(self._t(key), value=value, on_change=self._count)
        return field.props(f"outlined autogrow debounce={int(_LEAST_PAUSE * 1000)}").classes("field").mark(mark)

    def _fields(self) -> dict[str, Any]:
        more = {name: str(field.value or "").strip() for name, field in self._more.items()}
        return {
            "mobiles": mobiles_of(str(self._mobiles.value or "")),
            "content": str(self._content.value or ""),
            "category": self._category.value,
            "hold": True if self._hold.value else None,
            **{name: value for name, value in more.items() if value},
        }

    def _count(self) -> None:
        fields = self._fields()
        begun = bool(fields["mobiles"] or fields["content"])
        found = composed(fields)
        self._button.set_enabled(bool(found.mobiles) and not found.faults)
        self._told.clear()
        with self._told:
            tag("h2", self._t("send.is"))
            _draw_composition(self._t, found, begun=begun)

    async def _send(self) -> None:
        fields = self._fields()
        fields |= {"id": self._naming.id_of(fields)}
        enqueued = await act(self._desk, self._t, lambda: _enqueued(self._desk, fields))
        if enqueued:
            ui.navigate.to(send_address(self._t, enqueued.send_ids[0]))


def _enqueued(desk: Desk, fields: dict[str, Any]) -> Enqueued:
    enqueued: Enqueued = desk.acting.outbox.send(**fields)
    return enqueued


def _draw_composition(t: Words, found: Composition, *, begun: bool) -> None:
    facts(
        t,
        ("send.units", str(found.units)),
        ("send.segments", str(found.segments if found.units else 0)),
        ("send.usable", f"{found.mobiles:,}"),
        ("send.requests", f"{found.requests:,}"),
        ("send.cost", t("send.messages", n=f"{found.cost:,}")),
    )
    if found.faults and begun:
        with tag("ul", classes="faults"):
            for fault in found.faults:
                tag("li", fault)
    if found.invalid:
        tag("h3", t("send.invalid", n=len(found.invalid)))
        with tag("ul"):
            for mobile, reason in found.invalid[:_INVALID_SHOWN]:
                tag("li", f"{mobile}: {reason}")


def _hint(name: str) -> str:
    return 'placeholder="2026-11-25 18:00:00"' if name in ("atTime", "validUntil") else ""
