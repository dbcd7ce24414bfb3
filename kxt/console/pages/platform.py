"""The simulated platform: its faults as switches, its settings, what was asked of it and what it pushed."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from types import MappingProxyType
from typing import Any

from nicegui import ui

from kxt.console.desk import Desk
from kxt.console.elements import empty, facts, tag, when
from kxt.console.language import Words
from kxt.console.live import Keyed, Live, act
from kxt.console.simulation import Simulation

type Rule = Mapping[str, Any]

_SHOWN = 50

_SEND = {"op": "sendSm"}

SWITCHES: Mapping[str, Rule] = MappingProxyType(
    {
        "cut-once": {"do": "cut", "when": "after", **_SEND, "times": 1},
        "cut": {"do": "cut", "when": "after", **_SEND},
        "silence": {"do": "silence", "when": "after", **_SEND},
        "late": {"do": "late", "seconds": 20, **_SEND},
        "delay": {"do": "delay", "seconds": 5, **_SEND},
        "garble": {"do": "garble", "when": "after", **_SEND},
        "status": {"do": "status", "status": 502, "when": "before", **_SEND},
        "code-1": {"do": "code", "code": 1, **_SEND},
        "code-210": {"do": "code", "code": 210, **_SEND, "chance": 0.5},
        "code-240": {"do": "code", "code": 240},
        "code-320": {"do": "code", "code": 320, **_SEND},
        "early": {"do": "early"},
        "duplicate": {"do": "duplicate"},
        "reorder": {"do": "reorder"},
        "hold": {"do": "hold"},
    }
)
"""The faults that have a switch, by name."""


@dataclass(frozen=True, slots=True)
class Platform:
    """What the page shows: counts, settings, rules in force, the newest requests and pushes."""

    state: Mapping[str, Any]
    settings: Mapping[str, Any]
    rules: Sequence[Rule]
    requests: Sequence[Mapping[str, Any]]
    pushes: Sequence[Mapping[str, Any]]


def looked_at(simulation: Simulation) -> Platform:
    """Ask for all of it."""
    return Platform(
        simulation.state(),
        simulation.settings(),
        simulation.faults(),
        simulation.requests(last=_SHOWN),
        simulation.pushes(last=_SHOWN),
    )


def same(rule: Rule, switch: Rule) -> bool:
    """Whether a rule in force is the switch's: the simulator names only what differs from its defaults."""
    return all(rule.get(name, value if name == "when" else None) == value for name, value in switch.items()) and {
        *rule
    } <= {*switch, "seen", "applied", "when"}


def switched(rules: Sequence[Rule], name: str, *, on: bool) -> list[Rule]:
    """Return the rules with a switch turned."""
    others = [rule for rule in rules if not same(rule, SWITCHES[name])]
    return [*others, SWITCHES[name]] if on else others


def draw(desk: Desk, t: Words) -> None:
    """Draw the page."""
    simulation = desk.simulation
    assert simulation
    with tag("div", classes="halves"):
        with tag("section", classes="card"):
            tag("h2", t("platform.faults"))
            tag("p", t("platform.faults-what"), classes="quiet")
            switches = {name: _switch(desk, t, name) for name in SWITCHES}
            outage = _outage(desk, t)
        with tag("section", classes="card"):
            tag("h2", t("platform.settings"))
            with tag("div") as about:
                pass
            if not desk.read_only:
                _settings(desk, t)

    def show(found: Platform) -> None:
        for switch in switches.values():
            switch.show(found.rules)
        outage.show(refusing=bool(found.state["refusing_connections"]))
        about.clear()
        with about:
            _draw_state(t, found)
        no_requests.set_visibility(not found.requests)
        requests.update((each["number"], each) for each in reversed(found.requests))
        no_pushes.set_visibility(not found.pushes)
        pushes.update((f"{each['push']}-{each['at']}", each) for each in reversed(found.pushes))

    live = Live(desk, t, partial(looked_at, simulation), show)
    with live.body, tag("div", classes="halves"):
        with tag("section", classes="card"):
            tag("h2", t("platform.requests"))
            no_requests = empty(t("platform.no-requests"))
            requests = Keyed(
                partial(_draw_request, t), element="ol", classes="log", scrolls=t("platform.requests")
            )
        with tag("section", classes="card"):
            tag("h2", t("platform.pushes"))
            no_pushes = empty(t("platform.no-pushes"))
            pushes = Keyed(partial(_draw_push, t), element="ol", classes="log", scrolls=t("platform.pushes"))


class _Switch:
    """A switch that shows what the simulator says, and changes it when a person turns it."""

    def __init__(self, label: str, mark: str, *, usable: bool) -> None:
        self.told = False
        self.element = ui.switch(label).mark(mark)
        self.count = tag("span", classes="quiet")
        if not usable:
            self.element.disable()

    def set(self, *, on: bool) -> None:
        """Show what is, without taking it for a person's doing."""
        if self.element.value != on:
            self.told = True
            self.element.set_value(on)

    def turned(self) -> bool:
        """Whether it was a person who turned it."""
        told, self.told = self.told, False
        return not told


class _FaultSwitch(_Switch):
    def __init__(self, desk: Desk, t: Words, name: str) -> None:
        super().__init__(t(f"fault.{name}"), f"fault-{name}", usable=not desk.read_only)
        self._name = name
        self._t = t

        async def turn() -> None:
            if self.turned():
                on = bool(self.element.value)
                await act(desk, t, lambda: desk.steering.set_faults(switched(desk.steering.faults(), name, on=on)))

        self.element.on_value_change(turn)

    def show(self, rules: Sequence[Rule]) -> None:
        """Show whether its rule is in force, and how often it struck; one that is used up is off."""
        rule = next((rule for rule in rules if same(rule, SWITCHES[self._name])), None)
        used_up = rule is not None and rule["applied"] >= rule.get("times", float("inf"))
        self.set(on=rule is not None and not used_up)
        self.count.set_text(self._t("platform.struck", n=rule["applied"]) if rule else "")


class _Outage(_Switch):
    def __init__(self, desk: Desk, t: Words) -> None:
        super().__init__(t("fault.outage"), "fault-outage", usable=not desk.read_only)

        async def turn() -> None:
            if self.turned():
                refused = bool(self.element.value)
                await act(desk, t, lambda: desk.steering.connections(refused=refused))

        self.element.on_value_change(turn)

    def show(self, *, refusing: bool) -> None:
        """Show whether connections are refused."""
        self.set(on=refusing)


def _switch(desk: Desk, t: Words, name: str) -> _FaultSwitch:
    with tag("div", classes="switch"):
        return _FaultSwitch(desk, t, name)


def _outage(desk: Desk, t: Words) -> _Outage:
    with tag("div", classes="switch"):
        return _Outage(desk, t)


def _draw_state(t: Words, found: Platform) -> None:
    pushes = found.state["pushes"]
    facts(
        t,
        ("platform.balance", f"{found.state['balance']:,}"),
        ("platform.accepted", f"{found.state['accepted']:,}"),
        ("platform.asked", f"{found.state['requests']:,}"),
        ("platform.late", str(found.state["late_requests"])),
        ("platform.held", str(pushes["held_pushes"])),
        (
            "platform.rate",
            t("platform.no-rate") if found.settings["rate"] is None else f"{found.settings['rate']:g}",
        ),
        ("platform.memory", t(f"memory.{found.settings['timestamps']}")),
        ("platform.segments", t(f"segments.{found.settings['segment_reports']}")),
        ("platform.push-url", found.settings["push_url"] or t("platform.no-push-url")),
    )


def _settings(desk: Desk, t: Words) -> None:
    async def put(name: str, text: str) -> None:
        try:
            value = float(text) if text.strip() else None
        except ValueError:
            ui.notify(t("platform.no-number"), type="warning")
            return
        if name == "balance":
            value = int(value or 0)
        await act(desk, t, lambda: desk.steering.change(**{name: value}), done=t("platform.changed"))

    for name in ("balance", "rate"):
        with tag("div", classes="line"):
            field = ui.input(t(f"platform.set-{name}")).props("outlined dense").mark(f"set-{name}")
            ui.button(t("platform.set"), on_click=partial(_put, put, name, field)).props("no-caps outline")
    with tag("div", classes="line"):
        ui.button(
            t("platform.release"),
            on_click=partial(act, desk, t, lambda: desk.steering.release(), done=t("platform.released")),  # noqa: PLW0108
        ).props("no-caps outline")
        ui.button(
            t("platform.all-off"),
            on_click=lambda: act(desk, t, lambda: desk.steering.set_faults([]), done=t("platform.changed")),
        ).props("no-caps outline")


async def _put(put: Any, name: str, field: ui.input) -> None:
    await put(name, str(field.value or ""))


def _draw_request(t: Words, request: Mapping[str, Any]) -> None:
    with tag("div", classes="entry"):
        tag("span", f"#{request['number']}", classes="quiet")
        tag("strong", request["fields"].get("op", "–"))
        when(t, request["received_at"])
        if request["fault"]:
            tag("span", request["fault"], classes="badge warning")
        outcome = t("platform.not-acted") if request["outcome"] is None else str(request["outcome"])
        tag("span", t("platform.outcome", outcome=outcome))
        if request["token"] is not None:
            tag("span", t("platform.token", token=request["token"]))
        with tag("details"):
            tag("summary", t("platform.details"))
            tag("pre", _message(request["fields"]))
            answer = request["body"] if request["status"] else t("platform.unanswered")
            tag("pre", f"{request['status'] or '–'}  {answer or ''}")


def _message(fields: Mapping[str, str]) -> str:
    """Return what was asked, without the digest, which is as good as the password."""
    try:
        message = json.loads(fields.get("message", ""))
        if "pwd" in message:
            message["pwd"] = f"{str(message['pwd'])[:4]}…"
        return json.dumps(message, ensure_ascii=False, indent=2)
    except (ValueError, TypeError):
        return "–"


def _draw_push(t: Words, push: Mapping[str, Any]) -> None:
    forbidden = push["status"] == 403
    taken = push["status"] == 200 and push["answer"] == "0"
    with tag("div", classes=f"entry {'forbidden' if forbidden else ''}"):
        tag("span", f"#{push['push']}", classes="quiet")
        tag("strong", t(f"push.{push['type']}"))
        tag("span", t("platform.entries", n=push["entries"]))
        when(t, push["at"])
        answer = f"{push['status'] or '–'} {push['answer']}"
        tag("span", answer, classes=f"badge {'good' if taken else 'bad' if forbidden else 'warning'}")
