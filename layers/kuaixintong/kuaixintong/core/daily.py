"""The daily limit: what notices and marketing together may cost in a Beijing day (contract, section 2b).

A part's cost is reserved by the very write that takes its slot, so it costs no write of its own. The day is the
slot's. The account's sequence only rises, so the day does, too: it cannot start anew twice, whatever the clocks
around midnight say. What a worker dies with between that write and its claim stays reserved: a day may end a
little short of the limit, and never above it.

Pure: the account as it was seen comes in; what is to be written with the slot, and on which condition, comes out.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from kuaixintong.core import beijing
from kuaixintong.core.beijing import TICKS_PER_SECOND
from kuaixintong.core.gate import Account
from kuaixintong.core.rails import Charge

_DAY = 24 * 60 * 60 * TICKS_PER_SECOND


@dataclass(frozen=True, slots=True)
class Wish:
    """A part that costs ``cost`` messages wants a slot under a daily ``limit``; it ``has`` been charged before."""

    cost: int
    limit: int
    has: Charge | None = None

    def missing(self, day: str) -> int:
        """Return what is still to be reserved for a slot on this day: a part is charged once a day."""
        has = self.has.cost if self.has and self.has.day == day else 0
        return max(self.cost - has, 0)


@dataclass(frozen=True, slots=True)
class Reserve:
    """Reserve ``cost`` on ``day``, whose ticks are ``begins`` up to ``ends``, which is the next day's first.

    ``first``: it is the day's first, and starts the count anew. Else it fits while the day's cost is
    no more than ``most``.
    """

    day: str
    begins: int
    ends: int
    cost: int
    most: int
    first: bool


@dataclass(frozen=True, slots=True)
class Over:
    """It does not fit into the day any more: it waits ``until`` the next begins."""

    until: datetime


def plan(wish: Wish, seen: Account, *, tick: int) -> Reserve | Over:
    """Return what is written with a slot at or after ``tick``, given the account as it was ``seen``."""
    day = max(beijing.day(beijing.moment(tick)), seen.day or "")
    begins = beijing.ticks(beijing.day_begins(datetime.fromisoformat(f"{day}T00:00:00+08:00")))
    cost = wish.missing(day)
    spent = seen.day_cost if seen.day == day else 0
    if cost and spent + cost > wish.limit:
        return Over(beijing.moment(begins) + timedelta(days=1))
    return Reserve(day, begins, begins + _DAY, cost, wish.limit - cost, first=seen.day != day)


def used(seen: Account, limit: int) -> int:
    """Return how much of the limit is used, in percent."""
    return seen.day_cost * 100 // limit if limit else 0
