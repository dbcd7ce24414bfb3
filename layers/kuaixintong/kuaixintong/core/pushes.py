"""One push: its credentials, its type and its ``jsonData`` (spec 4.4, 5.4), and what is kept of it in the end."""

from dataclasses import dataclass, field

from kuaixintong.core.entries import Sorted, sort_out
from kuaixintong.core.errors import PushUnreadable
from kuaixintong.core.gateway import Request
from kuaixintong.core.parameters import parameters
from kuaixintong.core.unreadable import Kept, Unreadable, as_bytes, without

_LONGEST_TYPE = 100
"""Characters of ``type`` in a quarantine row; a longer one stays where it is, in the body."""


@dataclass(frozen=True, slots=True)
class Push:
    """One push (spec 4.4, 5.4), its ``jsonData`` not yet looked into. What was missing is empty."""

    uid: str
    pwd: str = field(repr=False)
    type: str
    json_data: str = field(repr=False)
    body: bytes = field(repr=False)

    def unreadable(self, reason: str) -> Unreadable:
        """Return the push for quarantine: its ``jsonData``, or its body where none was found.

        The password is cut out where it follows its name; every other byte is as it came.
        """
        kept = Kept.JSON_DATA if self.json_data and len(self.type) <= _LONGEST_TYPE else Kept.BODY
        raw = as_bytes(self.json_data) if kept == Kept.JSON_DATA else self.body
        kind = self.type[:_LONGEST_TYPE].encode("utf-8", "backslashreplace").decode()
        return Unreadable(kind, kept, without(self.pwd, raw), reason)


def read(request: Request) -> Push:
    """Find the parameters of a push. Never fails: a request without credentials has empty ones."""
    found = parameters(request)
    return Push(
        uid=found.get("uid", ""),
        pwd=found.get("pwd", ""),
        type=found.get("type", "").strip(),
        json_data=found.get("jsonData", ""),
        body=request.body,
    )


def reread(record: Unreadable) -> Sorted:
    """Return the messages in what could not be read at the time. Raises :class:`PushUnreadable` as ever."""
    text = record.raw.decode("utf-8", "surrogateescape")
    match record.kept:
        case Kept.ENTRY:
            return sort_out(record.type, f"[{text}]")
        case Kept.CONTRADICTION:
            raise PushUnreadable(record.reason)
        case Kept.JSON_DATA:
            return sort_out(record.type, text)
        case Kept.BODY:
            push = read(Request(body=record.raw))
            return sort_out(push.type or record.type, push.json_data)
