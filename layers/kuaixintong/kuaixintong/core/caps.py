"""Caps on one-time codes: how many a mobile gets in any 60 minutes and in a Beijing day (contract, section 2b).

A mobile's row is a register: its newest entry in the first place, each entry moved a place on by the next. An
entry tells when a send was counted, and which. So "fewer than ten in the last hour" is "the tenth place holds
nothing younger", which one conditional write can ask without having read anything: it is exact, however many
workers write, and costs one write unit however it ends.
"""

from base64 import urlsafe_b64encode
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Any

from kuaixintong.core import beijing

MOST = 30
"""Places of the register at the most: a row stays under a kilobyte."""

_HOUR = timedelta(minutes=60)
_TIME_DIGITS = 11
"""Hexadecimal digits of milliseconds since 1970; they sort as the times do."""

BLANK = "0" * _TIME_DIGITS
"""What a place holds that has held nothing yet."""


def place(number: int) -> str:
    """Return the attribute's name of a place, the first being 0."""
    return f"p{number:02d}"


@dataclass(frozen=True, slots=True)
class Caps:
    """Codes that one mobile gets ``per_hour`` and ``per_day``; 0 is no cap."""

    per_hour: int
    per_day: int

    def __bool__(self) -> bool:
        return self.places > 0

    @property
    def places(self) -> int:
        """How many places of the register count."""
        return max(self.per_hour, self.per_day)

    def free_since(self, now: datetime) -> dict[int, str]:
        """Return for each place that decides the newest entry that it may hold."""
        bounds: dict[int, list[str]] = {}
        if self.per_hour:
            bounds.setdefault(self.per_hour - 1, []).append(stamp(now - _HOUR))
        if self.per_day:
            yesterday = beijing.day_begins(now) - timedelta(milliseconds=1)
            bounds.setdefault(self.per_day - 1, []).append(stamp(yesterday))
        # an entry is longer than a mere time by its digest: the bound is the last text with that time
        return {number: f"{min(each)}~" for number, each in bounds.items()}

    def over(self, row: Mapping[str, Any], now: datetime) -> str:
        """Return which cap a mobile is over, and until when; nothing if it is over none."""
        ends: dict[str, datetime] = {}
        if self.per_hour and (tenth := _time(row, self.per_hour - 1)) and tenth > now - _HOUR:
            ends[f"{self.per_hour} one-time codes in 60 minutes"] = tenth + _HOUR
        if self.per_day and (last := _time(row, self.per_day - 1)) and last >= beijing.day_begins(now):
            ends[f"{self.per_day} one-time codes a day"] = beijing.day_begins(now) + timedelta(days=1)
        if not ends:
            return ""
        cap, until = max(ends.items(), key=lambda each: each[1])
        return f"over the cap of {cap}, until {_minute(until)}"


def digest(send_id: str, fingerprint: str) -> str:
    """Return 8 bytes that tell a send from any other, as text."""
    return urlsafe_b64encode(sha256(f"{send_id} {fingerprint}".encode()).digest()[:8]).decode().rstrip("=")


def stamp(moment: datetime) -> str:
    """Return a moment as an entry begins with it."""
    return f"{beijing.ticks(moment) // (beijing.TICKS_PER_SECOND // 1_000):0{_TIME_DIGITS}x}"


def entry(counted: str, now: datetime) -> str:
    """Return what the first place holds once the send with this digest is counted."""
    return stamp(now) + counted


def held(row: Mapping[str, Any], counted: str) -> int | None:
    """Return the place that holds the send with this digest; ``None`` if none does."""
    for number in range(MOST):
        if str(row.get(place(number), BLANK))[_TIME_DIGITS:] == counted:
            return number
    return None


def _time(row: Mapping[str, Any], number: int) -> datetime | None:
    text = str(row.get(place(number), BLANK))[:_TIME_DIGITS]
    return None if text == BLANK else beijing.moment(int(text, 16) * (beijing.TICKS_PER_SECOND // 1_000))


def _minute(moment: datetime) -> str:
    """Return the minute by whose end ``moment`` is over, so that few reasons differ."""
    up = moment + timedelta(minutes=1) - timedelta(milliseconds=1)
    return up.astimezone(beijing.BEIJING).strftime("%Y-%m-%d %H:%M")
