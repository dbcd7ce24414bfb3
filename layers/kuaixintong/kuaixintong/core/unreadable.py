"""What could not be read, and how it is kept: in the sender's own words, once, without the password.

Reasons name fields and rules and never quote a value: they are logged.
"""

import json
import re
from dataclasses import dataclass, field
from enum import StrEnum
from hashlib import sha256
from urllib.parse import quote, quote_plus

_NEAR = 128
"""Bytes between the name ``pwd`` and the password itself, in any notation: a multipart header fits."""


class Kept(StrEnum):
    """Which piece of a push a quarantine record holds."""

    ENTRY = "entry"
    CONTRADICTION = "contradiction"  # readable, but the push says otherwise too: for a person to judge
    JSON_DATA = "jsonData"
    BODY = "body"


@dataclass(frozen=True, slots=True)
class Unreadable:
    """What could not be read. ``raw`` is UTF-8 wherever the sender's text was text; ``entries`` is how many."""

    type: str
    kept: Kept
    raw: bytes = field(repr=False)
    reason: str = field(compare=False)
    entries: int = field(default=1, compare=False)

    @property
    def digest(self) -> str:
        """64 hex digits that are the same whenever the same is pushed again, whatever the reason given."""
        return sha256(f"{self.type}\n{self.kept}\n".encode() + self.raw).hexdigest()


def as_bytes(text: str) -> bytes:
    """Return text as it came: the bytes that were no UTF-8, and half characters, included."""
    try:
        return text.encode("utf-8", "surrogateescape")  # the very bytes that were no UTF-8 on the way in
    except UnicodeEncodeError:
        return text.encode("utf-8", "surrogatepass")  # half characters that came as JSON escapes


def without(password: str, raw: bytes) -> bytes:
    """Cut the password out where its name stands shortly before it: as it is, as in JSON, and as in a form."""
    if b"pwd" not in raw:
        return raw
    secret = as_bytes(password)
    forms = {secret, as_bytes(json.dumps(password)[1:-1]), quote(secret).encode(), quote_plus(secret).encode()}
    pattern = b"|".join(re.escape(form) for form in sorted(forms, key=len, reverse=True))

    def cut(found: re.Match[bytes]) -> bytes:
        named = b"pwd" in raw[max(0, found.start() - _NEAR) : found.start()]
        return b"" if named else found.group()

    return re.sub(pattern, cut, raw)
