"""A send: what a user enqueues in one SQS message (contract, section 1), and the parts that it is cut into.

A body is checked once, at the door, and trusted afterwards. A send is cut the same way every time, because a
redelivered message must find the parts that its first delivery wrote down.
"""

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from itertools import batched
from typing import Any

from kuaixintong.core import beijing, bodies
from kuaixintong.core.bodies import Category, schema, stamped
from kuaixintong.core.limits import MAX_MOBILES
from kuaixintong.core.mobiles import normalise

__all__ = [
    "NAMED_WITH_PART_ONE",
    "UNUSABLE",
    "Category",
    "InvalidMobile",
    "Part",
    "Send",
    "first_level",
    "normalise",
    "parse",
    "schema",
    "send_id_of",
    "stamped",
]

UNUSABLE = "not 11 digits beginning with 1"
NAMED_WITH_PART_ONE = 500
"""Unusable mobiles that stand in part 1's row; more get rows of their own, since a row holds 400 KB."""

_UNUSABLE_PER_ROW = 1_000
_LONGEST_WRITTEN = 40


@dataclass(frozen=True, slots=True)
class InvalidMobile:
    """A mobile that is not sent to, as the user wrote it (cut to 40 characters), and why."""

    mobile: str = field(repr=False)
    reason: str


@dataclass(frozen=True, slots=True)
class Part:
    """A slice of a send: at most 10,000 mobiles, or nothing but mobiles that cannot be used.

    ``start`` is where a half, however often halved, begins in the mobiles of its first-level part.
    """

    name: str
    mobiles: tuple[str, ...] = field(repr=False)
    invalid_mobiles: tuple[InvalidMobile, ...] = field(default=(), repr=False)
    start: int = 0

    @property
    def is_half(self) -> bool:
        """Whether a 310 brought this part forth."""
        return "." in self.name

    def halves(self) -> tuple["Part", "Part"]:
        """Return the two parts that a 310 divides this one into: the same two every time."""
        middle = len(self.mobiles) // 2
        return (
            Part(f"{self.name}.1", self.mobiles[:middle], start=self.start),
            Part(f"{self.name}.2", self.mobiles[middle:], start=self.start + middle),
        )


def first_level(part: str) -> str:
    """Return the name of the first-level part that a part, however often halved, is of: ``1`` for ``1.2.1``."""
    return part.partition(".")[0]


@dataclass(frozen=True, slots=True)
class Excerpt:
    """One part of a send, as its row tells it: the ``part``, of so many, and the whole send's ``fingerprint``.

    ``lent`` tells that its text stands in the row only until it has gone out.
    """

    part: Part
    parts: int
    fingerprint: str
    lent: bool = False


@dataclass(frozen=True)
class Send:
    """A send that keeps every rule: what its parts have in common, and the parts.

    With an ``excerpt`` it is not the body that came, but what a row tells of one part of it.
    """

    send_id: str
    mobiles: tuple[str, ...] = field(repr=False)
    invalid_mobiles: tuple[InvalidMobile, ...] = field(repr=False)
    content: str = field(repr=False)
    at_time: str | None = None
    daily_begin_time: str | None = None
    daily_end_time: str | None = None
    valid_until: str | None = None
    category: Category = Category.NOTICE
    campaign: str | None = None
    hold: bool = False
    excerpt: Excerpt | None = None
    otp_until: datetime | None = None
    """When a one-time code that says nothing of it expires: a rail's, and so no part of the fingerprint."""

    @cached_property
    def fingerprint(self) -> str:
        """32 hex digits that two bodies share exactly if they ask for the same thing.

        It is taken after normalisation, so the order of fields and the formatting of numbers do not count. The
        order of the mobiles does: it decides which part a mobile is in. It stands in rows, so it has to be the
        same in every release: a field that came later counts only where it says something else than its default.
        """
        if self.excerpt:
            return self.excerpt.fingerprint
        payload: list[Any] = [
            self.mobiles,
            [invalid.mobile for invalid in self.invalid_mobiles],
            self.content,
            self.at_time,
            self.daily_begin_time,
            self.daily_end_time,
            self.valid_until,
        ]
        if later := self._later_fields():
            payload.append(later)
        return hashlib.sha256(json.dumps(payload).encode()).hexdigest()[:32]

    def _later_fields(self) -> dict[str, Any]:
        category = None if self.category is Category.NOTICE else self.category
        fields = {"campaign": self.campaign, "category": category, "hold": self.hold}
        return {name: value for name, value in fields.items() if value}

    @cached_property
    def parts(self) -> tuple[Part, ...]:
        """The send's first-level parts, in order. At least one; every mobile, good or not, is in exactly one."""
        if self.excerpt:
            return (self.excerpt.part,)
        good = [self.mobiles[start : start + MAX_MOBILES] for start in range(0, len(self.mobiles), MAX_MOBILES)]
        few = len(self.invalid_mobiles) <= NAMED_WITH_PART_ONE
        with_first = self.invalid_mobiles if good and few else ()
        apart = () if with_first else batched(self.invalid_mobiles, _UNUSABLE_PER_ROW, strict=False)
        slices = [(mobiles, ()) for mobiles in good] + [((), invalid) for invalid in apart]
        return tuple(
            Part(str(number), mobiles, with_first if number == 1 and good else invalid)
            for number, (mobiles, invalid) in enumerate(slices, start=1)
        )

    @property
    def lent(self) -> bool:
        """Whether rows hold its text until it has gone out, whatever else is said of texts: there is no other."""
        return self.excerpt is not None and self.excerpt.lent

    @property
    def parts_in_all(self) -> int:
        """How many first-level parts the send has, whether or not it is known whole here."""
        return self.excerpt.parts if self.excerpt else len(self.parts)

    @cached_property
    def expires(self) -> datetime | None:
        """The moment of ``valid_until``, or of ``otp_until``."""
        return beijing.parse(self.valid_until) if self.valid_until else self.otp_until


def parse(body: str, message_id: str, *, longest: int | None = bodies.LONGEST_BODY) -> Send:
    """Check the body of the queue message ``message_id`` and return its send; ``longest`` is in bytes.

    Raises :class:`SendRefused` with every fault at once, each a sentence with the field, the value and the rule.
    """
    request = bodies.read(body, message_id, longest)
    mobiles, invalid = _normalised(request.mobiles)
    return Send(
        send_id=request.id or message_id,
        mobiles=mobiles,
        invalid_mobiles=invalid,
        content=request.content,
        at_time=request.atTime or None,
        daily_begin_time=request.dailyBeginTime or None,
        daily_end_time=request.dailyEndTime or None,
        valid_until=request.validUntil or None,
        category=Category(request.category or Category.NOTICE),
        campaign=request.campaign or None,
        hold=bool(request.hold),
    )


def send_id_of(body: str, message_id: str) -> str:
    """Return the id under which a refused body is known: its own if that is usable, else the message's."""
    return bodies.id_of(body) or message_id


def _normalised(raw: Iterable[str]) -> tuple[tuple[str, ...], tuple[InvalidMobile, ...]]:
    good: dict[str, None] = {}
    bad: dict[str, None] = {}
    for mobile in raw:
        digits = normalise(mobile)
        if digits:
            good[digits] = None
        else:
            bad[bodies.storable(mobile[:_LONGEST_WRITTEN])] = None
    return tuple(good), tuple(InvalidMobile(mobile, UNUSABLE) for mobile in bad)
