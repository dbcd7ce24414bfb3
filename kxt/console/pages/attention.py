"""What needs a person, each with what it means and the button that mends it."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from itertools import islice
from typing import Any

from nicegui import ui

from kuaixintong.core.rows import unsharded
from kuaixintong.quarantine import Released, release_from
from kuaixintong.redrive import Redriven, redrive_from
from kxt.console.desk import Desk
from kxt.console.elements import badge, empty, link, tag, when
from kxt.console.frame import send_address
from kxt.console.language import Words
from kxt.console.live import Keyed, Live, act, confirmed

_SHOWN = 300
_HELD_SHOWN = 100
_CALLS = 13
_EVERY = 4.0
_HELD_EVERY = 10.0

_SHOWN_FIELDS = ("send_id", "part", "attention", "updated_at", "code", "words", "timestamp", "state")


@dataclass(frozen=True, slots=True)
class Case:
    """A part that a person should look at."""

    send_id: str
    part: str
    reason: str
    row: Mapping[str, Any]


def cases(desk: Desk) -> list[Case]:
    """Return the first of them, oldest first within a reason."""
    rows = islice(desk.reading.lookup.attention(), _SHOWN)
    return [
        Case(
            row["send_id"],
            row["part"],
            unsharded(row["attention"]),
            {name: row[name] for name in _SHOWN_FIELDS if name in row},
        )
        for row in rows
    ]


def draw(desk: Desk, t: Words) -> None:
    """Draw the page."""
    with tag("section", classes="card"):

        def show(found: list[Case]) -> None:
            nothing.set_visibility(not found)
            more.set_visibility(len(found) >= _SHOWN)
            items.update(((case.send_id, case.part), case) for case in found)

        live = Live(desk, t, partial(cases, desk), show, calls=_CALLS, every=_EVERY)
        with live.body:
            nothing = empty(t("attention.empty"))
            more = tag("p", t("attention.more", n=_SHOWN), classes="note")
            items = Keyed(partial(_draw_case, desk, t), element="ul", classes="list")
    if desk.offers("dead_letters"):
        with tag("section", classes="card"):
            tag("h2", t("attention.dead"))
            _draw_dead_letters(desk, t)
    if desk.offers("quarantine"):
        with tag("section", classes="card"):
            tag("h2", t("attention.quarantine"))
            _draw_quarantine(desk, t)


def _draw_case(desk: Desk, t: Words, case: Case) -> None:
    row = case.row
    with tag("div", classes="entry"):
        badge(t, "attention", case.reason)
        link(case.send_id, send_address(t, case.send_id), classes="id")
        tag("span", t("sends.part", part=case.part))
        when(t, row.get("updated_at"))
    if row.get("words"):
        tag("p", str(row["words"]), classes="words")
    if row.get("timestamp"):
        tag("p", t("sends.timestamp", timestamp=row["timestamp"]), classes="quiet")
    tag("p", t.of("advice", case.reason), classes="quiet")
    if case.reason in ("UNCONFIRMED", "NO_TOKEN") and desk.offers("confirmer") and not desk.read_only:
        with tag("div", classes="buttons"):
            ui.button(t("attention.accepted"), on_click=partial(_accepted, desk, t, case)).props(
                "no-caps outline dense"
            )
            if case.reason == "UNCONFIRMED":
                ui.button(t("attention.not-accepted"), on_click=partial(_not_accepted, desk, t, case)).props(
                    "no-caps outline dense"
                )


async def _accepted(desk: Desk, t: Words, case: Case) -> None:
    token = await _asked(t, "attention.accepted", "attention.accepted-what", "attention.token", case)
    if token:
        await act(
            desk,
            t,
            lambda: desk.acting.confirmer.accepted(case.send_id, case.part, token),
            done=t("attention.confirmed"),
        )


async def _not_accepted(desk: Desk, t: Words, case: Case) -> None:
    by = await _asked(t, "attention.not-accepted", "attention.not-accepted-what", "attention.by", case)
    if by:
        await act(
            desk,
            t,
            lambda: desk.acting.confirmer.not_accepted(case.send_id, case.part, by),
            done=t("attention.confirmed"),
        )


async def _asked(t: Words, title: str, what: str, label: str, case: Case) -> str:
    """Say what will be done, and ask for what it needs; return that, or nothing."""
    with ui.dialog() as dialog, tag("div", classes="card dialog").props('role="dialog"'):
        tag("h2", t(title))
        tag("p", t(what, id=case.send_id, part=case.part))
        field = ui.input(t(label)).props("outlined dense autofocus").mark("asked")
        with tag("div", classes="buttons"):
            ui.button(t(title), on_click=lambda: dialog.submit(str(field.value or "").strip())).props(
                "no-caps"
            ).mark("yes")
            ui.button(t("page.no"), on_click=lambda: dialog.submit("")).props("outline no-caps")
    answer = await dialog
    return str(answer or "")


# --- dead letters -----------------------------------------------------------------------------------------------


def _draw_dead_letters(desk: Desk, t: Words) -> None:
    def show(left: int) -> None:
        told.set_text(t("attention.dead-holds", n=f"{left:,}") if left else t("attention.dead-empty"))
        if button:
            button.set_visibility(left > 0)

    async def redrive() -> None:
        lines = (told.text, t("attention.redrive-what"))
        if await confirmed(t, t("attention.redrive"), lines, t("attention.redrive")):
            done: Redriven | None = await act(desk, t, lambda: redrive_from(desk.acting.dead_letters))
            if done:
                back = done.urgent + done.ordinary
                ui.notify(t("attention.redriven", n=back, left=done.left), type="positive", timeout=8000)

    button: ui.button | None = None
    live = Live(desk, t, lambda: int(desk.reading.dead_letters.left()), show, calls=1, every=_EVERY)
    with live.body:
        told = tag("p")
        if not desk.read_only:
            button = ui.button(t("attention.redrive"), on_click=redrive).props("no-caps outline").mark("redrive")
            button.set_visibility(False)


# --- quarantine -------------------------------------------------------------------------------------------------


def _draw_quarantine(desk: Desk, t: Words) -> None:
    def show(found: list[Mapping[str, Any]]) -> None:
        nothing.set_visibility(not found)
        items.update((str(each["digest"]), each) for each in found)

    live = Live(
        desk,
        t,
        lambda: list(islice(desk.reading.quarantine.quarantine.heads(), _HELD_SHOWN)),
        show,
        calls=2,
        every=_HELD_EVERY,
    )
    with live.body:
        nothing = empty(t("attention.quarantine-empty"))
        items = Keyed(partial(_draw_held, desk, t), element="ul", classes="list")


def _draw_held(desk: Desk, t: Words, held: Mapping[str, Any]) -> None:
    async def release() -> None:
        if await confirmed(t, t("attention.release"), [t("attention.release-what")], t("attention.release")):
            done: Released | None = await act(desk, t, lambda: release_from(desk.acting.quarantine, digest))
            if done:
                ui.notify(
                    t("attention.released", rows=done.reports + done.mos, left=len(done.unreadable)),
                    type="positive" if not done.unreadable else "warning",
                    timeout=8000,
                )

    digest = str(held["digest"])
    with tag("div", classes="entry"):
        tag("strong", str(held.get("reason", "")))
        when(t, held.get("last_seen"))
        tag("span", t("attention.seen", n=held.get("seen", 1)), classes="quiet")
        tag("span", digest[:16], classes="quiet")
    if not desk.read_only:
        ui.button(t("attention.release"), on_click=release).props("no-caps outline dense")
