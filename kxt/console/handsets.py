"""Virtual handsets: what each has received and said, put together from what the simulator knows."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

FULL_CODE = "MBBMSG:FULL"
"""``resultCode`` of the piece of a long text for which a full handset has no room."""

SHOWN = 30
"""Bubbles on a handset."""


class Mode(StrEnum):
    """What a handset does with what comes."""

    ON = "on"
    OFF = "off"  # nothing arrives, reports fail
    FULL = "full"  # the last piece of a long text has no room
    OPTS_OUT = "opts-out"  # answers every text with an opt-out


@dataclass(frozen=True, slots=True)
class Bubble:
    """Something on a handset's screen; ``key`` is its own."""

    key: str
    text: str
    at: str
    sent: bool = False  # by the handset


@dataclass(frozen=True, slots=True)
class Screen:
    """One handset."""

    mobile: str
    mode: Mode
    bubbles: tuple[Bubble, ...]


def mode_of(mobile: str, settings: Mapping[str, Any]) -> Mode:
    """Return what the simulator's settings let a handset do."""
    does = settings["handsets"].get(mobile, {})
    if does.get("off"):
        return Mode.OFF
    if does.get("answers"):
        return Mode.OPTS_OUT
    return Mode.FULL if mobile in settings["failing_mobiles"] else Mode.ON


def bubbles(texts: Iterable[Mapping[str, Any]], mos: Iterable[Mapping[str, Any]]) -> tuple[Bubble, ...]:
    """Return what is on a screen, oldest first, the newest of it."""
    received = [Bubble(f"t{each['token']}", each["content"], each["accepted_at"]) for each in texts]
    said = [Bubble(f"m{each['sent_at']}", each["content"], each["sent_at"], sent=True) for each in mos]
    return tuple(sorted([*received, *said], key=lambda bubble: bubble.at)[-SHOWN:])
