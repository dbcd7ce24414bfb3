"""Virtual handsets: what the application sends arrives here, and is answered from here."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from nicegui import ui

from kuaixintong.core.mobiles import normalise
from kxt.console.desk import Desk
from kxt.console.elements import empty, link, scroll_to_end, tag, when
from kxt.console.frame import mobile_address, send_address
from kxt.console.handsets import FULL_CODE, SHOWN, Bubble, Mode, Screen, bubbles, mode_of
from kxt.console.language import Words
from kxt.console.live import Keyed, Live, act
from kxt.console.playing import Played
from kxt.console.simulation import Simulation

_MOST = 24
"""Handsets on the page: beyond them the newest texts decide which."""

_FROM = 400
"""Newest texts in which handsets are looked for."""

_OPT_OUT = "TD"


@dataclass(frozen=True, slots=True)
class Shelf:
    """The handsets on the page."""

    screens: tuple[Screen, ...]


def shelf(simulation: Simulation, added: Mapping[str, None]) -> Shelf:
    """Return the handsets that were put up, have settings of their own, or received something lately."""
    settings = simulation.settings()
    newest = simulation.messages(last=_FROM)
    known = dict.fromkeys([*added, *(mobile for mobile in settings["handsets"] if mobile != "*")])
    known |= dict.fromkeys(mobile for each in reversed(newest) for mobile in each["mobiles"][:_MOST])
    known |= dict.fromkeys(each["mobile"] for each in reversed(simulation.mos(last=_FROM)))
    shown = [*known][:_MOST]
    return Shelf(
        tuple(
            Screen(
                mobile,
                mode_of(mobile, settings),
                bubbles(simulation.messages(last=SHOWN, mobile=mobile), simulation.mos(last=SHOWN, mobile=mobile)),
            )
            for mobile in sorted(shown)
        )
    )


def set_mode(simulation: Simulation, mobile: str, mode: Mode) -> None:
    """Let a handset do this from now on, and nothing else."""
    settings = simulation.settings()
    failing = {each: code for each, code in settings["failing_mobiles"].items() if each != mobile}
    handset: dict[str, Any] = {}
    match mode:
        case Mode.OFF:
            handset = {"off": True}
        case Mode.OPTS_OUT:
            handset = {"answers": [{"content": _OPT_OUT}]}
        case Mode.FULL:
            failing[mobile] = FULL_CODE
        case Mode.ON:
            pass
    simulation.set_handset(mobile, handset)
    segments = {"segment_reports": "mixed"} if mode is Mode.FULL else {}
    simulation.change(failing_mobiles=failing, **segments)


def draw(desk: Desk, t: Words) -> None:
    """Draw the page."""
    simulation = desk.simulation
    assert simulation
    tag("p", t("handsets.what"), classes="lead")
    if not desk.read_only:
        _putting_up(desk, t)
        if desk.has_stack:
            _story(desk, t)

    def show(found: Shelf) -> None:
        nothing.set_visibility(not found.screens)
        screens.update((screen.mobile, screen) for screen in found.screens)

    live = Live(desk, t, lambda: shelf(simulation, desk.handsets), show)
    with live.body:
        nothing = empty(t("handsets.empty"))
        nothing.set_visibility(False)
        screens = Keyed(partial(_draw_screen, desk, t), classes="shelf")


def _putting_up(desk: Desk, t: Words) -> None:
    def put_up() -> None:
        mobile = normalise(str(field.value or ""))
        if mobile is None:
            ui.notify(t("handsets.no-mobile"), type="warning")
            return
        desk.handsets[mobile] = None
        field.set_value("")

    with tag("div", classes="line"):
        field = (
            ui.input(t("handsets.mobile")).props("outlined dense").on("keydown.enter", put_up).mark("new-handset")
        )
        ui.button(t("handsets.add"), on_click=put_up).props("no-caps outline")


def _story(desk: Desk, t: Words) -> None:
    """The demo's story at the press of a button, and how far it is."""

    def show(found: Played) -> None:
        box.clear()
        if not found.send_id:
            return
        with box:
            for step in found.steps:
                tag("li", t(step))
            with tag("li"):
                link(t("sends.title", id=found.send_id), send_address(t, found.send_id))
            if found.trouble:
                tag("li", t("play.trouble", why=found.trouble), classes="note trouble")
            elif not found.running:
                tag("li", t("play.done"))

    def play() -> None:
        desk.story.play(desk.acting, desk.steering)

    ui.button(t("play.button"), on_click=lambda: act(desk, t, play)).props("no-caps outline").mark("play")
    live = Live(desk, t, desk.story.played, show)
    with live.body:
        box = tag("ol").props('aria-live="polite"')


def _draw_screen(desk: Desk, t: Words, screen: Screen) -> Callable[[Screen], None]:
    """Draw a handset; what is being written on it stays while texts come in."""
    with tag("section", classes="handset") as card:
        card.props["aria-label"] = t("handsets.of", mobile=screen.mobile)
        with tag("div", classes="handset-top"):
            if desk.has_stack:
                link(screen.mobile, mobile_address(t, screen.mobile), classes="mobile")
            else:
                tag("span", screen.mobile, classes="mobile")
            choice = _Switch(desk, t, screen)
        with tag("div", classes="screen").props('tabindex="0" role="log"') as log:
            log.props["aria-label"] = t("handsets.screen", mobile=screen.mobile)
            nothing = tag("p", t("handsets.nothing"), classes="quiet")
            shown = Keyed(partial(_draw_bubble, t), classes="bubbles")
        last = {"key": ""}
        if not desk.read_only:
            _answering(desk, t, screen.mobile)

    def update(screen: Screen) -> None:
        card.classes(replace=f"handset mode-{screen.mode}")
        nothing.set_visibility(not screen.bubbles)
        shown.update((bubble.key, bubble) for bubble in screen.bubbles)
        choice.show(screen.mode)
        if screen.bubbles and screen.bubbles[-1].key != last["key"]:
            last["key"] = screen.bubbles[-1].key
            scroll_to_end(log)

    update(screen)
    return update


def _draw_bubble(t: Words, bubble: Bubble) -> None:
    with tag("div", classes=f"bubble {'mine' if bubble.sent else 'theirs'}"):
        tag("p", bubble.text, classes="text")
        when(t, bubble.at)


class _Switch:
    """What a handset does, to be chosen."""

    def __init__(self, desk: Desk, t: Words, screen: Screen) -> None:
        self._shown = screen.mode
        self._element = ui.select({mode.value: t(f"mode.{mode}") for mode in Mode}, value=screen.mode.value)
        self._element.props("dense options-dense borderless").mark(f"mode-{screen.mobile}")
        self._element.props["aria-label"] = t("handsets.switch", mobile=screen.mobile)
        if desk.read_only:
            self._element.disable()

        async def change() -> None:
            mode = Mode(str(self._element.value))
            if mode is not self._shown:
                self._shown = mode
                await act(desk, t, lambda: set_mode(desk.steering, screen.mobile, mode))

        self._element.on_value_change(change)

    def show(self, mode: Mode) -> None:
        """Show what is."""
        if mode is not self._shown:
            self._shown = mode
            self._element.set_value(mode.value)


def _answering(desk: Desk, t: Words, mobile: str) -> None:
    async def say(text: str) -> None:
        if text.strip():
            field.set_value("")
            await act(desk, t, lambda: desk.steering.mo(mobile, text))

    with tag("div", classes="answer"):
        field = ui.input(placeholder=t("handsets.answer"))
        field.props("dense outlined").mark(f"answer-{mobile}")
        field.props["aria-label"] = t("handsets.answer-of", mobile=mobile)
        field.on("keydown.enter", lambda: say(str(field.value or "")))
        ui.button(t("handsets.say"), on_click=lambda: say(str(field.value or ""))).props("dense no-caps")
        ui.button(_OPT_OUT, on_click=lambda: say(_OPT_OUT)).props("dense outline no-caps").mark(f"td-{mobile}")
