"""What has happened to a part: its last events, which its row keeps, written with the row's own writes.

An event is told by what a write changes: what the row says now is its name. A timestamp stands where a request was
claimed with it, and counts for the answer that follows.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from kuaixintong.core import beijing
from kuaixintong.core.codes import SUCCESS

KEPT = 20
"""Events that a row keeps, the last ones."""

_LONGEST_WORDS = 120
"""Characters of an event's words: a row is charged by its size at every write."""

type Event = dict[str, Any]


def event(name: str, values: Mapping[str, Any], *, now: datetime) -> Event:
    """Return an event of a row that gets these ``values``: no more than they say, and not that all is well."""
    code = values.get("code")
    words = None if code == SUCCESS else values.get("words")
    told = {
        "time": beijing.iso(now),
        "event": str(name),
        "timestamp": values.get("timestamp"),
        "code": code,
        "words": words[:_LONGEST_WORDS] if words else None,
    }
    return {each: value for each, value in told.items() if value is not None}


def too_many(history: Sequence[Mapping[str, Any]]) -> bool:
    """Return whether a row has to let go of events before a request and its answer are added."""
    return len(history) + 2 > KEPT


def latest(history: Sequence[Mapping[str, Any]], new: Event) -> list[Mapping[str, Any]]:
    """Return what is kept when a request is added, with room for its answer."""
    return [*history[len(history) + 2 - KEPT :], new]
