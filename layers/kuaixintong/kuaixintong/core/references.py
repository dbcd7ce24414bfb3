"""What is enqueued for a part that has waited as a row: no body of a send, but where its row is found.

A body rebuilt from a row would not be the body that came: an unusable mobile is kept cut, and can be a good number
where it is cut. So the row is named, by its send, its part and the send's fingerprint, and the row is believed.

Whoever may write to a queue can write such a message. It brings about nothing by itself: it holds no number and no
text, a row that is not there or has another fingerprint is told as a refused message, and one that is there is
looked at as any late copy of its message would: what is final stays, what is not due waits on.
"""

import json
import re
from dataclasses import dataclass
from typing import Any

_FIELD = "row"
"""The only field of such a message. A send has none of this name."""

_PATTERNS = {
    "send_id": re.compile(r"[A-Za-z0-9._:\-]{1,128}"),
    "part": re.compile(r"[1-9][0-9]{0,5}(\.[12]){0,20}"),
    "fingerprint": re.compile(r"[0-9a-f]{32}"),
}

_LONGEST = 400
"""Characters; a longer message is no reference, whatever it begins with."""


@dataclass(frozen=True, slots=True)
class Reference:
    """A part's row, by its key, and the fingerprint that it has to have."""

    send_id: str
    part: str
    fingerprint: str


def written(reference: Reference) -> str:
    """Return the body of the message."""
    values = {name: getattr(reference, name) for name in _PATTERNS}
    return json.dumps({_FIELD: values}, separators=(",", ":"))


def read(body: str) -> Reference | None:
    """Return what a message refers to; ``None`` if it is no reference, but a send or what should be one."""
    if len(body) > _LONGEST or f'"{_FIELD}"' not in body:
        return None
    try:
        values = json.loads(body)
    except (ValueError, RecursionError):
        return None
    match values:
        case {"row": dict(fields)} if len(values) == 1 and fields.keys() == _PATTERNS.keys():
            return Reference(**fields) if all(_fits(name, value) for name, value in fields.items()) else None
        case _:
            return None


def _fits(name: str, value: Any) -> bool:
    return isinstance(value, str) and _PATTERNS[name].fullmatch(value) is not None
