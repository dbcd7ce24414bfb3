"""The opt-out list: looked at, changed by a person, brought along from elsewhere, and taken away."""

import io
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from nicegui import ui
from nicegui.events import UploadEventArguments

from kuaixintong.core.mobiles import normalise
from kxt.console.desk import Desk
from kxt.console.elements import empty, file_field, tag
from kxt.console.frame import mobile_address
from kxt.console.jobs import Standing, Tell
from kxt.console.language import Words
from kxt.console.live import Live, act, confirmed

_SHOWN = 5_000
_TOLD_EVERY = 500
_LARGEST = 100_000_000


@dataclass(frozen=True, slots=True)
class Listed:
    """How many have opted out, and the first of them: mobile, since, by whom."""

    count: int
    first: tuple[tuple[str, str, str], ...]


def listed(everybody: Iterable[Any], tell: Tell) -> Listed:
    """Count the list; only the first are kept."""
    first: list[tuple[str, str, str]] = []
    count = 0
    for each in everybody:
        count += 1
        if len(first) < _SHOWN:
            first.append((each.mobile, each.since, each.by))
        if count % _TOLD_EVERY == 0:
            tell(count)
    return Listed(count, tuple(sorted(first, key=lambda row: row[1], reverse=True)))


def draw(desk: Desk, t: Words) -> None:
    """Draw the page."""
    tag("p", t("optouts.what"), classes="lead")
    if not desk.read_only:
        with tag("div", classes="halves"):
            with tag("section", classes="card"):
                _draw_one(desk, t)
            with tag("section", classes="card"):
                _draw_files(desk, t)
    with tag("section", classes="card"):
        _draw_list(desk, t)


def _draw_one(desk: Desk, t: Words) -> None:
    async def change(*, out: bool) -> None:
        mobile = normalise(str(field.value or ""))
        if mobile is None:
            ui.notify(t("handsets.no-mobile"), type="warning")
            return
        kind = "out" if out else "in"
        if await confirmed(
            t, t(f"optouts.{kind}-title", mobile=mobile), [t(f"mobile.opt-{kind}-what")], t(f"optouts.{kind}")
        ):

            def note() -> bool:
                optouts = desk.acting.optouts
                return bool((optouts.add if out else optouts.remove)(mobile))

            await act(desk, t, note, done=t("mobile.noted"))
            desk.jobs.again("optouts")
            field.set_value("")

    tag("h2", t("optouts.one"))
    with tag("div", classes="line"):
        field = ui.input(t("handsets.mobile")).props("outlined dense").mark("optout-mobile")
        ui.button(t("optouts.out"), on_click=lambda: change(out=True)).props("no-caps").mark("opt-out")
        ui.button(t("optouts.in"), on_click=lambda: change(out=False)).props("no-caps outline").mark("opt-in")


def _draw_files(desk: Desk, t: Words) -> None:
    async def bring(event: UploadEventArguments) -> None:
        text = (await event.file.read()).decode("utf-8-sig", "replace")
        event.sender.reset()  # type: ignore[attr-defined]  # it is the upload
        done = await act(desk, t, lambda: desk.acting.optouts.import_csv(io.StringIO(text, newline="")))
        desk.jobs.again("optouts")
        if done:
            told.set_text(t("optouts.imported", noted=done.noted, known=done.known, faults=done.faults))
            faults.clear()
            with faults:
                for wrong in done.wrong[:20]:
                    tag("li", t("optouts.wrong", line=wrong.line, why=wrong.why))

    async def take() -> None:
        text = await act(desk, t, lambda: _exported(desk))
        if text is not None:
            ui.download.content(text, "opt-outs.csv", "text/csv")

    tag("h2", t("optouts.files"))
    file_field(t("optouts.import"), ".csv,.txt", _LARGEST, bring)
    told = tag("p", classes="quiet").props('role="status"')
    faults = tag("ul")
    ui.button(t("campaigns.export"), on_click=take).props("no-caps outline").mark("export-optouts")


def _exported(desk: Desk) -> str:
    text = io.StringIO(newline="")
    desk.reading.optouts.export_csv(text)
    return "\ufeff" + text.getvalue()


def _draw_list(desk: Desk, t: Words) -> None:
    def ask() -> Standing[Listed]:
        return desk.jobs.standing("optouts", lambda tell: listed(desk.reading.optouts.list(), tell))

    def show(found: Standing[Listed]) -> None:
        told.set_text(found.trouble or (t("campaigns.counting", n=f"{found.seen:,}") if found.running else ""))
        if found.result is None:
            return
        count.set_text(t("optouts.count", n=f"{found.result.count:,}"))
        nothing.set_visibility(not found.result.count)
        table.set_visibility(bool(found.result.count))
        table.rows = [
            {
                "mobile": mobile,
                "since": since[:19].replace("T", " "),
                "by": t.of("by", by),
                "to": mobile_address(t, mobile),
            }
            for mobile, since, by in found.result.first
        ]

    live = Live(desk, t, ask, show)
    with live.body:
        count = tag("h2", t("nav.optouts"))
        told = tag("p", classes="quiet").props('role="status"')
        nothing = empty(t("optouts.empty"))
        nothing.set_visibility(False)
        columns = [
            {"name": name, "label": t(f"optouts.column-{name}"), "field": name, "align": "left", "sortable": True}
            for name in ("mobile", "since", "by")
        ]
        table = ui.table(columns=columns, rows=[], row_key="mobile", pagination=0)
        table.props('virtual-scroll dense flat hide-bottom style="max-height: 32rem"')
        table.add_slot(
            "body-cell-mobile", '<q-td :props="props"><a :href="props.row.to">{{ props.value }}</a></q-td>'
        )
        table.set_visibility(False)
