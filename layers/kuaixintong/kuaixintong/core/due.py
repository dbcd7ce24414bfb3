"""Waiting for longer than a message can: as a row, which is enqueued again when it is due (contract, section 2b).

An invisible message is no place to wait in for hours: a queue has 120,000 of those, keeps them for 14 days, and
counts their receives. A row waits as long as it likes. While it does, it carries a shard and the moment of its
next look, and so stands in a sparse index, ``by-due``.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Self

from kuaixintong.core import beijing
from kuaixintong.core.delivery import left_out
from kuaixintong.core.lanes import Lane
from kuaixintong.core.ledger import WaitUntil
from kuaixintong.core.references import Reference
from kuaixintong.core.sends import Category, Excerpt, InvalidMobile, Part, Send

SHARDS = 8
"""Keys of the index: one takes a thousand writes a second, and a campaign is due in one minute."""

IN_THE_QUEUE = timedelta(minutes=15)
"""What waits no longer than this waits as a message."""

NEXT_LOOK = timedelta(minutes=15)
"""How long after it was enqueued a row is looked at again: its message may lie behind many others."""

WAITING = ("waits_until", "due_at", "due_shard")
"""What a row carries while it waits; a claim and a cancel take it away."""


def held(send: Send, *, now: datetime) -> WaitUntil | None:
    """Return what a send with ``hold`` waits for: its ``atTime``, as long as that lies ahead."""
    if not send.hold or not send.at_time:
        return None
    until = beijing.parse(send.at_time)
    return WaitUntil(until, f"Held until {send.at_time}, Beijing time.") if now < until else None


def waits_as_a_row(wait: WaitUntil, *, now: datetime) -> bool:
    """Return whether a wait is too long for a message."""
    return wait.until - now > IN_THE_QUEUE


def first_look(wait: WaitUntil, expires: datetime | None) -> datetime:
    """Return when a row that waits is looked at: when it is due, or when it expires before that, to say so."""
    return min(wait.until, expires) if expires else wait.until


def shard(send_id: str, part: str) -> str:
    """Return the key of the index that a row stands under while it waits."""
    digest = hashlib.sha256(f"{send_id}/{part}".encode()).hexdigest()
    return f"due#{int(digest[:8], 16) % SHARDS}"


def shards() -> list[str]:
    """Return every key of the index."""
    return [f"due#{number}" for number in range(SHARDS)]


@dataclass(frozen=True, slots=True)
class Due:
    """A row that is due: what is enqueued for it, where, and the moment for which it was."""

    reference: Reference
    lane: Lane
    due_at: str

    @classmethod
    def of(cls, row: Mapping[str, Any]) -> Self:
        """Return what the index holds of a row."""
        return cls(
            Reference(row["send_id"], row["part"], row["fingerprint"]),
            Lane.URGENT if row.get("lane") == Lane.URGENT else Lane.ORDINARY,
            row["due_at"],
        )


def restored(row: Mapping[str, Any], first_level: Mapping[str, Any], content: str) -> Send:
    """Return the send of a part as its ``row`` tells it; a half's mobiles stand in its ``first_level`` part's row.

    Nothing is read anew that was decided when the body came: which numbers are good, and what the fingerprint is.
    """
    part = part_of(row, first_level)
    return Send(
        send_id=row["send_id"],
        mobiles=part.mobiles,
        invalid_mobiles=part.invalid_mobiles,
        content=content,
        at_time=row.get("at_time"),
        daily_begin_time=row.get("daily_begin_time"),
        daily_end_time=row.get("daily_end_time"),
        valid_until=row.get("valid_until"),
        category=Category(row.get("category") or Category.NOTICE),
        campaign=row.get("campaign"),
        hold=row.get("hold", False),
        otp_until=beijing.from_iso(row["otp_until"]) if "otp_until" in row else None,
        excerpt=Excerpt(part, row.get("parts", 1), row["fingerprint"], lent=row.get("content_lent", False)),
    )


def part_of(row: Mapping[str, Any], first_level: Mapping[str, Any]) -> Part:
    """Return a part as it was parsed, from its ``row`` and that of the part that it was cut from."""
    whole: list[str] = first_level.get("divided") or first_level.get("mobiles") or []
    begin, end = row.get("positions") or (0, len(whole))
    invalid = tuple(InvalidMobile(mobile, reason) for mobile, reason in left_out(row).items())
    return Part(row["part"], tuple(whole[int(begin) : int(end)]), invalid, start=int(begin))
