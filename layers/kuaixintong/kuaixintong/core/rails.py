"""Guard rails: who is left out of a request, and why (contract, section 2b).

Decided anew for each request with a fresh timestamp, and written down with it: a request that repeats a timestamp
repeats its mobiles, too, for copies of it may have been accepted. A part stays as it was parsed: who is left out
is told by positions in it, so that every delivery finds the same part, and the same halves of it.

Pure: what the tables say of the mobiles comes in, a value comes out. Caps, which are counted, are a room of their
own (:mod:`kuaixintong.core.caps`).
"""

from base64 import b64decode, b64encode
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Self

from kuaixintong.core import beijing
from kuaixintong.core.caps import Caps
from kuaixintong.core.sends import Category, InvalidMobile, Part, Send

OPTED_OUT = "opted out"
NOT_ALLOWED = "not in AllowList"

LOOK_LASTS = timedelta(seconds=5)
"""How long before a request the look at its mobiles may begin."""


class What(StrEnum):
    """What holds for a mobile: the sort key of Mobiles."""

    OPT_OUT = "opt-out"
    INVALID = "invalid"
    OTP = "otp"


@dataclass(frozen=True, slots=True)
class Known:
    """What the table says of some mobiles: who has opted out, and on which day the platform refused whom."""

    opted_out: frozenset[str] = frozenset()
    refused: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class LeftOut:
    """Who is left out of a request: for each reason the positions, rising, in the part as it was parsed."""

    positions: Mapping[str, Sequence[int]] = field(default_factory=dict)

    def __len__(self) -> int:
        return sum(map(len, self.positions.values()))

    def __bool__(self) -> bool:
        return bool(self.positions)

    @property
    def all_positions(self) -> frozenset[int]:
        """The positions of all who are left out."""
        return frozenset(position for each in self.positions.values() for position in each)

    def remaining[T](self, mobiles: Sequence[T]) -> tuple[T, ...]:
        """Return those who are sent to."""
        if not self.positions:
            return tuple(mobiles)
        out = self.all_positions
        return tuple(mobile for position, mobile in enumerate(mobiles) if position not in out)

    def named(self, mobiles: Sequence[str]) -> Iterator[InvalidMobile]:
        """Yield those who are left out, with the reason, reason by reason."""
        for reason, positions in self.positions.items():
            yield from (InvalidMobile(mobiles[position], reason) for position in positions)

    def and_also(self, reasons: Mapping[int, str]) -> Self:
        """Return who is left out if some more are; ``reasons`` by position."""
        before = {position: why for why, each in self.positions.items() for position in each}
        return type(self).of(before | dict(reasons))

    @classmethod
    def of(cls, reasons: Mapping[int, str]) -> Self:
        """Return who is left out; ``reasons`` by position."""
        by_reason: dict[str, list[int]] = {}
        for position in sorted(reasons):
            by_reason.setdefault(reasons[position], []).append(position)
        return cls(by_reason)

    def written(self) -> dict[str, str]:
        """Return it as a row keeps it: at most 2 KB for each reason, however many there are."""
        return {reason: _written(positions) for reason, positions in self.positions.items()}

    @classmethod
    def read(cls, written: Mapping[str, str]) -> Self:
        """Read back what :meth:`written` wrote."""
        return cls({reason: _read(text) for reason, text in written.items()})


NOBODY = LeftOut()


@dataclass(frozen=True, slots=True)
class Terms:
    """What the rails make of a request, the same for all requests with one timestamp.

    ``hours`` is the daily window that the send does not name and gets.
    """

    left_out: LeftOut = NOBODY
    hours: tuple[str, str] | None = None

    def written(self) -> dict[str, object]:
        """Return the attributes that a row keeps."""
        values: dict[str, object] = {}
        if self.left_out:
            values["left_out"] = self.left_out.written()
        if self.hours:
            values["hours"] = "-".join(self.hours)
        return values

    @classmethod
    def read(cls, row: Mapping[str, Any]) -> Self:
        """Return what :meth:`written` has left in a row."""
        begin, _, end = row.get("hours", "").partition("-")
        return cls(LeftOut.read(row.get("left_out", {})), (begin, end) if end else None)


TERMS = ("left_out", "hours")
"""The attributes of a row that hold :class:`Terms`."""

CHARGE = ("charged_day", "charged_cost", "charged_cid")
"""The attributes of a row that hold a :class:`Charge`."""

AS_ASKED = Terms()


@dataclass(frozen=True, slots=True)
class Charge:
    """What of a day's limit a part has: ``cost`` messages on a Beijing ``day`` of the account ``cid``."""

    day: str
    cost: int
    cid: str

    def beside(self, other: Self) -> bool:
        """Return whether both are of the same day's limit."""
        return (self.day, self.cid) == (other.day, other.cid)

    def share(self, part: Part, half: Part, left_out: LeftOut) -> Self | None:
        """Return what a half inherits: as the mobiles that are sent to are shared out."""
        out = left_out.all_positions
        first = half.start - part.start
        here = sum(position not in out for position in range(first, first + len(half.mobiles)))
        cost = self.cost * here // max(len(part.mobiles) - len(out), 1)
        return type(self)(self.day, cost, self.cid) if here else None


_KINDS = {OPTED_OUT: "OptedOut", NOT_ALLOWED: "NotAllowed", "310": "Invalid", "over": "Capped"}


def kinds(left_out: LeftOut) -> Counter[str]:
    """Return how many are left out, by rail as metrics call it."""
    counts = Counter[str]()
    for reason, positions in left_out.positions.items():
        kind = next(name for beginning, name in _KINDS.items() if reason.startswith(beginning))
        counts[kind] += len(positions)
    return counts


def words_for(left_out: LeftOut) -> str:
    """Return what the row of a part says of which nobody is left."""
    reasons = list(left_out.positions)
    if len(reasons) == 1:
        return f"Nobody is left of this part's mobiles: {reasons[0]}."
    return "Nobody is left of this part's mobiles; invalid_mobiles says why."


@dataclass(frozen=True, slots=True, kw_only=True)
class Rails:
    """The guard rails of a deployment. ``None``, 0 and nothing switch one off.

    ``hours`` is the daily window of marketing that names neither end. The allow-list is handed in by itself: it
    can change while a process lives.
    """

    invalid_for: timedelta = timedelta()
    caps: Caps | None = None
    otp_valid: timedelta = timedelta()
    daily_limit: int = 0
    hours: tuple[str, str] | None = None

    def asks(self, category: Category, mobiles: int) -> frozenset[What]:
        """Return what the table has to be asked about the mobiles of a first-level part."""
        asked = {
            What.OPT_OUT: category is Category.MARKETING,
            What.INVALID: bool(self.invalid_for) and mobiles > 1,
        }
        return frozenset(what for what, needed in asked.items() if needed)

    def capped(self, category: Category) -> bool:
        """Whether a send is counted for each of its mobiles."""
        return category is Category.OTP and bool(self.caps)

    def limited(self, category: Category) -> bool:
        """Whether a send's cost counts for the daily limit."""
        return category is not Category.OTP and self.daily_limit > 0

    @staticmethod
    def left_out(mobiles: Sequence[str], known: Known, allowed: frozenset[str] | None) -> LeftOut:
        """Return who is left out of a request to ``mobiles``, before anybody is counted.

        ``allowed`` are the only ones that are sent to, ``None`` for everybody.
        """
        reasons: dict[int, str] = {}
        for position, mobile in enumerate(mobiles):
            if allowed is not None and mobile not in allowed:
                reasons[position] = NOT_ALLOWED
            elif mobile in known.opted_out:
                reasons[position] = OPTED_OUT
            elif mobile in known.refused:
                reasons[position] = f"310, refused on {known.refused[mobile]}"
        return LeftOut.of(reasons)

    def window(self, send: Send) -> tuple[str, str] | None:
        """Return the daily window that a send does not name and gets."""
        if send.category is not Category.MARKETING or send.daily_begin_time or send.daily_end_time:
            return None
        return self.hours

    def valid_until(self, send: Send, enqueued_at: datetime | None) -> datetime | None:
        """Return when a one-time code that says nothing of it expires; ``None`` if it does not.

        ``enqueued_at`` is when its message was enqueued first.
        """
        if send.category is not Category.OTP or send.valid_until or not self.otp_valid:
            return None
        since = beijing.parse(send.at_time) if send.hold and send.at_time else enqueued_at
        return since + self.otp_valid if since else None


# --- as rows keep it --------------------------------------------------------------------------------------------

_LONGEST_RANGES = 1_600
"""Characters of ``0-4,7`` from which a bitmap is shorter: a part has 10,000 mobiles."""


def _written(positions: Sequence[int]) -> str:
    ranges = ",".join(f"{first}-{last}" if last > first else f"{first}" for first, last in _ranges(positions))
    if len(ranges) <= _LONGEST_RANGES:
        return ranges
    bits = bytearray(positions[-1] // 8 + 1)
    for position in positions:
        bits[position // 8] |= 1 << position % 8
    return f"~{b64encode(bits).decode()}"


def _read(text: str) -> tuple[int, ...]:
    if text.startswith("~"):
        bits = b64decode(text[1:])
        return tuple(place for place in range(len(bits) * 8) if bits[place // 8] >> place % 8 & 1)
    spans = [each.partition("-") for each in text.split(",")]
    return tuple(place for first, _, last in spans for place in range(int(first), int(last or first) + 1))


def _ranges(positions: Iterable[int]) -> Iterator[tuple[int, int]]:
    first = last = None
    for position in positions:
        if first is None or last is None or position != last + 1:
            if first is not None and last is not None:
                yield first, last
            first = position
        last = position
    if first is not None and last is not None:
        yield first, last


_FEW = 1_000
"""Unusable mobiles that a row lists one by one; more are listed reason by reason, since a row holds 400 KB."""


def listed(invalid: Collection[InvalidMobile]) -> list[dict[str, object]] | None:
    """Return ``invalid_mobiles`` as a row has them: ``{mobile, reason}``, or where many ``{reason, mobiles}``."""
    if len(invalid) <= _FEW:
        return [{"mobile": each.mobile, "reason": each.reason} for each in invalid] or None
    by_reason: dict[str, list[str]] = {}
    for each in invalid:
        by_reason.setdefault(each.reason, []).append(each.mobile)
    return [{"reason": reason, "mobiles": mobiles} for reason, mobiles in by_reason.items()]
