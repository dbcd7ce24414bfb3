"""The Mobiles table: what holds for a mobile, each thing in a row of its own (contract, sections 2b and 4).

=========  ==============================================================  ==========
``what``   the row                                                         it expires
=========  ==============================================================  ==========
opt-out    ``state``, ``out`` or ``in``, since ``changed_at``, by ``by``    never
invalid    the platform refused the number on the day ``refused_on``       after ``InvalidForDays``
otp        ``p00``, ``p01``, …: the one-time codes counted last            after two days
=========  ==============================================================  ==========

Every write is one conditional write, and none reads first. What AWS's client repeats after a lost answer changes
nothing more.
"""

import random
import time
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Executor
from datetime import datetime, timedelta
from itertools import batched

from boto3.dynamodb.conditions import Attr, ConditionBase

from kuaixintong.core import beijing, caps
from kuaixintong.core.caps import BLANK, Caps, place
from kuaixintong.core.change import Change
from kuaixintong.core.errors import StoreUnavailable
from kuaixintong.core.rails import Known, What
from kuaixintong.stores.dynamo import Item
from kuaixintong.stores.optouts import opted_out
from kuaixintong.stores.query import MOST_KEYS
from kuaixintong.stores.table import Moved, Table

_COUNTED_FOR = timedelta(days=2)
_TRIES = 5


class Mobiles:
    """Rows of mobiles. ``pool`` lends threads for reading many at once; without one, they are read in turn."""

    def __init__(self, table: Table, pool: Executor | None = None) -> None:
        self._table = table
        self._pool = pool

    # --- before a request ---------------------------------------------------------------------------------------

    def known(self, mobiles: Iterable[str], what: Collection[What], *, now: datetime) -> Known:
        """Return what the table says of mobiles, read consistently: what was stored before this call is heeded."""
        if not what:
            return Known()
        keys = [_key(mobile, each) for mobile in mobiles for each in sorted(what)]
        rows = list(self._read(keys))
        second = beijing.ticks(now) // beijing.TICKS_PER_SECOND
        return Known(
            opted_out=frozenset(row["mobile"] for row in rows if row["what"] == What.OPT_OUT and opted_out(row)),
            # expired rows can stand for days still
            refused={
                row["mobile"]: row["refused_on"]
                for row in rows
                if row["what"] == What.INVALID and row["expires_at"] > second
            },
        )

    def _read(self, keys: Sequence[Mapping[str, str]]) -> Iterator[Item]:
        calls = list(batched(keys, MOST_KEYS, strict=False))
        if self._pool is None or len(calls) == 1:
            for call in calls:
                yield from self._table.get_all(call)
            return
        for rows in self._pool.map(self._table.get_all, calls):
            yield from rows

    # --- numbers that are known to be invalid -------------------------------------------------------------------

    def refuse(self, mobile: str, *, now: datetime, keep: timedelta) -> str:
        """Note, for as long as ``keep``, that the platform has refused a number by itself; return the day."""
        day = beijing.day(now)
        values = {"refused_on": day, "expires_at": int((now + keep).timestamp())}
        self._table.update(_key(mobile, What.INVALID), Change(values))
        return day

    # --- caps ---------------------------------------------------------------------------------------------------

    def count(self, mobile: str, counted: str, cap: Caps, *, now: datetime) -> tuple[bool, str]:
        """Count a send for a mobile, unless that takes it over a cap, by one conditional write.

        ``counted`` tells the send, which is counted once. Returns whether this call has counted it, and which cap
        it would take the mobile over, if any.
        """
        change = Change(
            {place(0): caps.entry(counted, now), "expires_at": int((now + _COUNTED_FOR).timestamp())},
            handed_on={place(number): place(number - 1) for number in range(cap.places - 1, 0, -1)},
            blank=BLANK,
        )
        new = _all(~Attr(place(number)).contains(counted) for number in range(cap.places))
        free = _all(
            Attr(place(number)).not_exists() | Attr(place(number)).lte(bound)
            for number, bound in cap.free_since(now).items()
        )
        for _ in range(_TRIES):
            try:
                self._table.update(_key(mobile, What.OTP), change, only_if=new & free)
            except Moved as moved:
                standing = moved.standing or {}
                if caps.held(standing, counted) is not None:
                    return False, ""
                if over := cap.over(standing, now):
                    return False, over
            else:
                return True, ""
        raise StoreUnavailable("A row of Mobiles keeps moving.")

    def count_each(
        self, mobiles: Sequence[str], counted: str, cap: Caps, *, now: datetime
    ) -> list[tuple[bool, str]]:
        """Count a send for several mobiles, side by side; return of each what :meth:`count` does, in order."""

        def count(mobile: str) -> tuple[bool, str]:
            return self.count(mobile, counted, cap, now=now)

        return list(self._pool.map(count, mobiles) if self._pool and len(mobiles) > 1 else map(count, mobiles))

    def give_back(self, mobile: str, counted: str) -> None:
        """Count a send no longer, of which nothing was accepted: those that were counted before it close up."""
        key = _key(mobile, What.OTP)
        for attempt in range(_TRIES):
            row = self._table.get(key) or {}
            number = caps.held(row, counted)
            if number is None:
                return
            last = max(each for each in range(caps.MOST) if place(each) in row)
            closing = {place(each): place(each + 1) for each in range(number, last)}
            unmoved = Attr(place(number)).eq(row[place(number)])
            last_held = Attr(place(last)).eq(row[place(last)])
            change = Change(gone=(place(last),), handed_on=closing, blank=BLANK)
            try:
                self._table.update(key, change, only_if=unmoved & last_held)
            except Moved:
                time.sleep(random.uniform(0, 0.02 * 2**attempt))  # noqa: S311  # no secret
            else:
                return


def _key(mobile: str, what: What) -> dict[str, str]:
    return {"mobile": mobile, "what": what}


def _all(conditions: Iterable[ConditionBase]) -> ConditionBase:
    first, *others = conditions
    for each in others:
        first &= each
    return first
