"""Import a file of people: checked as a whole, shown, and enqueued with progress."""

import tempfile
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from nicegui import ui
from nicegui.events import UploadEventArguments

from kuaixintong.importing import Import
from kxt.console.desk import Desk
from kxt.console.elements import empty, facts, file_field, link, tag
from kxt.console.frame import campaign_address
from kxt.console.imports import Going
from kxt.console.language import Words
from kxt.console.live import Keyed, Live, act, confirmed

_LARGEST = 100_000_000
_FAULTS_SHOWN = 5_000
_CATEGORIES = ("notice", "otp", "marketing")


@dataclass(slots=True)
class _Chosen:
    """The file that was chosen, in a folder that goes with the page."""

    folder: tempfile.TemporaryDirectory[str]
    path: Path | None = None


def draw(desk: Desk, t: Words) -> None:
    """Draw the page."""
    tag("p", t("import.what"), classes="lead")
    if desk.read_only:
        tag("p", t("error.read-only"), classes="note trouble")
    else:
        _Form(desk, t)
    with tag("section", classes="card"):
        tag("h2", t("import.going"))

        def show(found: tuple[Going, ...]) -> None:
            nothing.set_visibility(not found)
            going.update((each.campaign, each) for each in found)

        live = Live(desk, t, desk.imports.all, show)
        with live.body:
            nothing = empty(t("import.none"))
            going = Keyed(partial(_draw_going, t), element="ul", classes="list")


class _Form:
    def __init__(self, desk: Desk, t: Words) -> None:
        self._desk = desk
        self._t = t
        self._chosen = _Chosen(tempfile.TemporaryDirectory(prefix="kxt-import-"))
        ui.context.client.on_delete(self._chosen.folder.cleanup)
        with tag("div", classes="halves"):
            with tag("section", classes="card form"):
                self._draw_fields()
            with tag("section", classes="card").props('aria-live="polite"'):
                tag("h2", t("import.preview"))
                self._preview = tag("div")
                with self._preview:
                    empty(t("import.nothing-checked"))

    def _draw_fields(self) -> None:
        t = self._t
        file_field(t("import.file"), ".csv,.txt,.tsv,.xlsx,.xls,.ods", _LARGEST, self._take)
        self._name = tag("p", t("import.no-file"), classes="quiet")
        self._text = ui.textarea(t("import.text")).props("outlined autogrow").classes("field").mark("text")
        tag("p", t("import.text-what"), classes="quiet")
        self._campaign = ui.input(t("send.campaign")).props("outlined dense").classes("field").mark("campaign")
        self._category = ui.select({each: t(f"category.{each}") for each in _CATEGORIES}, value="notice")
        self._category.props(f'outlined dense label="{t("send.category")}"').classes("field")
        with tag("details"):
            tag("summary", t("import.more"))
            self._more = {
                name: ui.input(t(label)).props("outlined dense").classes("field").mark(name)
                for name, label in (
                    ("mobile", "import.mobile"),
                    ("sheet", "import.sheet"),
                    ("atTime", "send.atTime"),
                    ("validUntil", "send.validUntil"),
                )
            }
            self._hold = ui.switch(t("send.hold"))
            self._leave_out = ui.switch(t("import.leave-out"))
        ui.button(t("import.check"), on_click=self._check).props("no-caps").mark("check")

    async def _take(self, event: UploadEventArguments) -> None:
        path = Path(self._chosen.folder.name) / (Path(event.file.name).name or "file")
        await event.file.save(path)
        self._chosen.path = path
        self._name.set_text(self._t("import.chosen", name=path.name))
        event.sender.reset()  # type: ignore[attr-defined]  # it is the upload

    def _read(self) -> Import:
        assert self._chosen.path
        more = {name: str(field.value or "").strip() or None for name, field in self._more.items()}
        return Import.read(
            self._chosen.path,
            text=str(self._text.value or ""),
            campaign=str(self._campaign.value or "").strip(),
            mobile=more["mobile"],
            sheet=more["sheet"],
            leave_out=bool(self._leave_out.value),
            category=str(self._category.value),
            atTime=more["atTime"],
            validUntil=more["validUntil"],
            hold=True if self._hold.value else None,
        )

    async def _check(self) -> None:
        t = self._t
        if self._chosen.path is None:
            ui.notify(t("import.no-file"), type="warning")
            return
        self._preview.clear()
        with self._preview:
            tag("p", t("import.checking"), classes="quiet")
        people = await act(self._desk, t, self._read)
        balance = await act(self._desk, t, partial(_balance, self._desk))
        self._preview.clear()
        with self._preview:
            if people is None:
                empty(t("import.nothing-checked"))
            else:
                self._draw_preview(people, balance)

    def _draw_preview(self, people: Import, balance: int | None) -> None:
        t, made = self._t, people.plan
        if made.faults:
            tag("p", t("import.faults", n=f"{len(made.faults):,}"), classes="note trouble").mark("faults")
            _faults_table(t, [(fault.line, fault.words) for fault in made.faults[:_FAULTS_SHOWN]])
        for note in made.notes[:10]:
            tag("p", str(note), classes="quiet")
        if not made.sends:
            return
        facts(
            t,
            ("import.people", f"{made.mobiles:,}"),
            ("import.column", made.mobile_column),
            ("import.sends", f"{made.sends:,}"),
            ("send.cost", t("send.messages", n=f"{made.cost:,}")),
            ("account.balance", None if balance is None else f"{balance:,}"),
        )
        with tag("div", classes="bubble theirs"):
            tag("p", made.example(), classes="text")
        if balance is not None and balance < made.cost:
            tag("p", t("import.too-dear", n=f"{made.cost - balance:,}"), classes="note trouble")
        if not made.faults or self._leave_out.value:
            ui.button(t("import.start", n=f"{made.sends:,}"), on_click=partial(self._start, people)).props(
                "no-caps"
            ).mark("start")

    async def _start(self, people: Import) -> None:
        t, desk, made = self._t, self._desk, people.plan
        lines = (t("import.start-what", people=f"{made.mobiles:,}", messages=f"{made.cost:,}"), t("import.once"))
        if await confirmed(t, t("import.start", n=f"{made.sends:,}"), lines, t("import.start-yes")):
            await act(desk, t, lambda: desk.imports.start(desk.acting, people), done=t("import.started"))


def _balance(desk: Desk) -> int | None:
    account = desk.reading.account.state()
    return account.sm_balance if account else None


def _faults_table(t: Words, faults: list[tuple[int, str]]) -> None:
    columns: list[dict[str, Any]] = [
        {"name": "line", "label": t("import.line"), "field": "line", "align": "left", "sortable": True},
        {"name": "words", "label": t("import.wrong"), "field": "words", "align": "left"},
    ]
    rows = [{"key": number, "line": line or "–", "words": words} for number, (line, words) in enumerate(faults)]
    table = ui.table(columns=columns, rows=rows, row_key="key", pagination=0)
    table.props('virtual-scroll dense flat wrap-cells hide-bottom style="max-height: 24rem"')


def _draw_going(t: Words, going: Going) -> None:
    with tag("div", classes="entry"):
        link(going.campaign, campaign_address(t, going.campaign))
        tag("span", t("import.done", done=f"{going.done:,}", of=f"{going.sends:,}")).mark("import-done")
        if going.running:
            left = going.seconds_left
            tag("span", t("import.rate", rate=f"{going.rate:.0f}", left="–" if left is None else f"{left:.0f}"))
        else:
            tag("span", t("import.over" if going.done >= going.sends else "import.stopped"), classes="badge")
        if going.trouble:
            tag("p", t("import.trouble", n=f"{going.lost:,}", why=going.trouble), classes="note trouble")
    share = going.done / going.sends if going.sends else 1
    bar = ui.linear_progress(share, show_value=False)
    bar.props["aria-label"] = going.campaign
