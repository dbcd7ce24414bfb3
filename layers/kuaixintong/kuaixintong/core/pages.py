"""Where a page ends, as text that can travel: in a URL, on a command line, through somebody else's hands."""

import base64
import binascii
from collections.abc import Sequence
from dataclasses import dataclass

import msgspec

from kuaixintong.core.errors import PageUnknown

LARGEST_PAGE = 1_000


@dataclass(frozen=True, slots=True)
class Page[T]:
    """A page of a listing, newest first. ``next`` asks for the one after it; ``None``: this is the last."""

    items: tuple[T, ...]
    next: str | None = None


def token(listing: str, subject: str, place: Sequence[str]) -> str:
    """Return the token of what comes after ``place`` in a listing of a subject: letters, digits, ``-``, ``_``."""
    told = msgspec.json.encode([listing, subject, *place])
    return base64.urlsafe_b64encode(told).decode().rstrip("=")


def place(text: str | None, listing: str, subject: str) -> tuple[str, ...] | None:
    """Read back where a page begins; ``None`` for the first.

    Raises :class:`PageUnknown` if it is no token, or one of another listing or subject.
    """
    if text is None:
        return None
    try:
        padded = text.encode("ascii") + b"=" * (-len(text) % 4)
        told = msgspec.json.decode(base64.b64decode(padded, altchars=b"-_", validate=True), type=list[str])
    except (ValueError, binascii.Error, msgspec.MsgspecError) as error:
        raise PageUnknown("This is no page token of a listing.") from error
    if told[:2] != [listing, subject] or len(told) == 2:
        raise PageUnknown(f"This page token belongs to another listing than {listing} {subject}.")
    return tuple(told[2:])


def sized(size: int) -> int:
    """Return a page's size within what is reasonable: 1 to :data:`LARGEST_PAGE`."""
    return max(1, min(size, LARGEST_PAGE))
