"""What could not be read, and how it is kept: in the sender's own bytes, once, and without the password.

Reasons name fields and rules and never quote a value: they are logged.
"""

import json
from dataclasses import dataclass, field
from enum import StrEnum
from hashlib import sha256


class Kept(StrEnum):
    """Which piece of a push a quarantine record holds."""

    ENTRY = "entry"
    JSON_DATA = "jsonData"  # an array: very many entries of one push, which share a record
    BODY = "body"  # a whole push: its body and its query string
    CONTRADICTION = "contradiction"  # an entry that an earlier version had no second row for


@dataclass(frozen=True, slots=True)
class Unreadable:
    """What could not be read. ``raw`` is UTF-8 wherever the sender's text was text; ``entries`` is how many.

    ``query`` and ``content_type`` are a whole push's, and help to read it again.
    """

    type: str
    kept: Kept
    raw: bytes = field(repr=False)
    reason: str = field(compare=False)
    entries: int = field(default=1, compare=False)
    query: bytes = field(default=b"", repr=False)
    content_type: str = field(default="", repr=False)

    @property
    def digest(self) -> str:
        """64 hex digits that are the same whenever the same is pushed again, whatever the reason given."""
        if self.kept == Kept.BODY:
            about = json.dumps([self.type, self.content_type, len(self.query)])
        else:
            about = f"{self.type}\n{self.kept}\n"
        return sha256(about.encode() + self.query + self.raw).hexdigest()


def as_bytes(text: str) -> bytes:
    """Return text as it came: the bytes that were no UTF-8, and half characters, included."""
    try:
        return text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        return text.encode("utf-8", "surrogatepass")  # half characters that came as JSON escapes


def storable(text: str, longest: int) -> str:
    """Return the beginning of a text as DynamoDB can hold it."""
    return text[:longest].encode("utf-8", "backslashreplace").decode()
