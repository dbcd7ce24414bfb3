"""Slots of the account's pace, and timestamps with them: how one process takes them from the account's sequence.

Carries out what :mod:`kuaixintong.core.pace` plans, and remembers for a moment how the account stands: whoever
takes slots sees the row, so that a pause costs no read.

Its owner lets one thread at a time in, but for what takes its time: :meth:`Slots.take`, :meth:`Slots.look` and
:meth:`Slots.slow` speak to the account's table, :meth:`Slots.reached` waits, and others go on meanwhile.
"""

import time
from collections import defaultdict, deque
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from math import inf

from kuaixintong.core import beijing, daily, pace
from kuaixintong.core.beijing import TICKS_PER_SECOND
from kuaixintong.core.daily import Over, Reserve, Wish
from kuaixintong.core.errors import ClockAstray
from kuaixintong.core.gate import Account
from kuaixintong.core.lanes import Lane
from kuaixintong.core.pace import Astray, Learnt, Take, Wait
from kuaixintong.core.rails import Charge
from kuaixintong.stores.account import Accounts, account
from kuaixintong.stores.table import Moved

MOST_SKEW = 2.0
"""Seconds that a worker's clock may be from AWS's; with more it takes no slots."""

_BLOCK = 10
"""Timestamps taken at a time where there is no pace: what one batch of the queue needs."""

_KNOWN_FOR = 1.0
"""Seconds for which a look at the account is good: a pause is seen no later. What is left of a block of timestamps
goes with it, for a timestamp should also tell the time."""

_LONGEST_LEAD = TICKS_PER_SECOND
"""Ticks by which slots are taken later at the most, for the time that the taking takes."""

_TRIES = 5
"""Plans for slots that others overtake before a worker comes back later."""


class Held(Exception):
    """No request may go out before ``until``."""

    def __init__(self, until: datetime, why: str) -> None:
        super().__init__(why)
        self.until = until


class OverLimit(Held):
    """This part does not fit into what the day may cost any more; ``never``: nor into what any day may."""

    def __init__(self, until: datetime, why: str, *, never: bool) -> None:
        super().__init__(until, why)
        self.never = never


class NoSlot(Held):
    """All slots that could be waited for are taken."""


@dataclass(frozen=True, slots=True)
class Slot:
    """A tick that is this process's alone, and the account as it stood when it was taken.

    ``timed``: there is a pace, and no request goes out before it. ``taken_at`` is by the monotonic clock.
    """

    tick: int
    seen: Account
    timed: bool
    taken_at: float


@dataclass(slots=True)
class _Kept:
    """What a process keeps of an account: how it stood ``at`` a moment of the monotonic clock, and its slots."""

    account: Account | None = None
    at: float = -inf
    slots: deque[Slot] = field(default_factory=deque)


class Slots:
    """Takes slots of accounts for one lane. A secret can name another account while slots are being taken.

    ``requests`` a second is the deployment's own pace, 0 for none. ``skew`` tells how many seconds this machine's
    clock is ahead of AWS's for certain.
    """

    def __init__(
        self,
        accounts: Accounts,
        *,
        clock: Callable[[], datetime],
        lane: Lane = Lane.ORDINARY,
        requests: float = 0,
        skew: Callable[[], float] = lambda: 0.0,
        monotonic: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.lane = lane
        self.clock = clock
        self.monotonic = monotonic
        self.sleep = sleep
        self._accounts = accounts
        self._requests = requests
        self._skew = skew
        self._kept: defaultdict[str, _Kept] = defaultdict(_Kept)
        self._write_takes = 0
        """Ticks that the last write took: a slot that comes sooner than that is missed before it is ours."""

    # --- how the account stands ---------------------------------------------------------------------------------

    def known(self, cid: str) -> Account | None:
        """Return the account if it has been looked at in the last second."""
        kept = self._kept[cid]
        return kept.account if self.monotonic() - kept.at <= _KNOWN_FOR else None

    def last_known(self, cid: str) -> Account | None:
        """Return the account as it was looked at last, however long ago."""
        return self._kept[cid].account

    def look(self, cid: str) -> Account:
        """Read how the account stands."""
        seen = self._accounts.look(cid)
        self._keep(cid, seen)
        return seen

    def forget(self, cid: str) -> None:
        """Forget what was known, slots included: the next who asks looks anew."""
        kept = self._kept[cid]
        kept.slots.clear()
        kept.account = None

    def doubt(self, cid: str) -> None:
        """Give up the slots that are left, and let the next who asks look whether what is known still holds."""
        kept = self._kept[cid]
        kept.slots.clear()
        kept.at = -inf

    def note_proof(self, cid: str, version: str) -> None:
        """Note what a good answer has cleared."""
        kept = self._kept[cid]
        kept.account = kept.account and kept.account.cleared(version)

    def _keep(self, cid: str, seen: Account) -> _Kept:
        kept = self._kept[cid]
        kept.account, kept.at = seen, self.monotonic()
        return kept

    # --- slots --------------------------------------------------------------------------------------------------

    def pop(self, cid: str) -> Slot | None:
        """Return a slot that is still to come, or a timestamp of the last second, if there is one left."""
        slots = self._kept[cid].slots
        while True:
            try:
                slot = slots.popleft()
            except IndexError:  # asked beforehand, another thread could drop them in between
                return None
            if self.good(slot):
                return slot

    def take(self, cid: str, wanted: int, *, deadline: float) -> None:
        """Take up to ``wanted`` slots, at least one, waiting for them until ``deadline`` (monotonic) if need be.

        Raises :class:`NoSlot`, :class:`ClockAstray`, and what the store raises.
        """
        slots, _ = self._take(cid, wanted, deadline, None)
        self._kept[cid].slots.extend(slots)

    def take_charged(self, cid: str, wish: Wish, *, deadline: float) -> tuple[Slot, Charge | None]:
        """Take one slot for a part that a daily limit holds for; return what was reserved with it, if anything.

        Raises :class:`OverLimit`, and as :meth:`take` does.
        """
        (slot,), charge = self._take(cid, 1, deadline, wish)
        return slot, charge

    def _take(self, cid: str, wanted: int, deadline: float, wish: Wish | None) -> tuple[list[Slot], Charge | None]:
        self._check_clock()
        seen = self.last_known(cid) or Account()
        overtaken = 0
        while overtaken < _TRIES:
            step = self.step(seen, self._now())
            now = self._now() + (self._write_takes if step > 1 else 0)
            many = wanted if step > 1 or wish else max(wanted, _BLOCK)
            planned = pace.plan(seen.sequence, now=now, step=step, wanted=many, lane=self.lane)
            match planned:
                case Astray(ticks):
                    raise ClockAstray(
                        f"The account's sequence is {ticks // TICKS_PER_SECOND} s ahead of the clock: a machine "
                        "whose clock was wrong has moved it. The runbook says how to set it back."
                    )
                case Wait(ticks):
                    self._wait(ticks / TICKS_PER_SECOND, deadline)
                    seen, overtaken = self._accounts.look(cid), 0
                case Take():
                    reserve = self._reserve(cid, wish, planned, step, now, seen) if wish else None
                    try:
                        slots = self._carry_out(cid, planned, step, now, seen, reserve)
                    except Moved as moved:
                        seen, overtaken = account(moved.standing or {}), overtaken + 1
                    else:
                        return slots, Charge(reserve.day, reserve.cost, cid) if reserve and reserve.cost else None
        raise NoSlot(self.clock() + timedelta(seconds=1), "other workers take all slots")

    def good(self, slot: Slot) -> bool:
        """Whether a slot is still to come, or is a timestamp of the last second."""
        if slot.timed:
            return self._now() - slot.tick <= pace.MISSED
        return self.monotonic() - slot.taken_at <= _KNOWN_FOR

    def too_late(self, slot: Slot, deadline: float) -> bool:
        """Whether a slot, which urgent workers take far ahead, comes after ``deadline`` (monotonic).

        A second more is in everybody's reckoning.
        """
        rest = max(deadline - self.monotonic(), 0) * TICKS_PER_SECOND + pace.AHEAD[Lane.ORDINARY]
        return slot.timed and slot.tick - self._now() > rest

    def reached(self, slot: Slot, *, early: int = 0) -> bool:
        """Wait for a slot, up to ``early`` ticks before it; ``False`` if it was missed."""
        if not slot.timed:
            return True
        now = self._now()
        if now < slot.tick - early:
            self.sleep((slot.tick - early - now) / TICKS_PER_SECOND)
            now = self._now()
        return now - slot.tick <= pace.MISSED

    def step(self, seen: Account, now: int) -> int:
        """Return the ticks from one slot to the next."""
        return pace.step(self.rate(seen, now))

    def rate(self, seen: Account, now: int) -> float | None:
        """Return the requests a second that may go out now."""
        return pace.rate(self._requests, seen.learnt, now=now)

    def slow(self, cid: str, refused: Slot, *, accepted: int, asked: int) -> None:
        """Cut the account's pace for a 210 to a request of this slot, unless it has been cut since.

        ``accepted`` of the ``asked`` requests of the last seconds and of this pace were taken by the platform, as
        far as is known.
        """
        since = refused.seen.learnt
        known = self.last_known(cid)
        if known and known.learnt != since:
            return
        if not pace.too_fast(since, slot=refused.tick, accepted=accepted, asked=asked):
            return
        now, seen = self._now(), self._accounts.look(cid)
        if seen.learnt != since:
            self.forget(cid)
            return
        current = self.rate(seen, now)
        slower = pace.cut(current, handed_out=seen.handed_out(now=now), accepted=accepted, asked=asked)
        at = min(max(now, seen.sequence or now), now + _LONGEST_LEAD)
        if not self._accounts.cut(cid, slower, at=at, seen=seen):  # another worker has, since we looked
            self.forget(cid)
            return
        kept = self._kept[cid]
        kept.account = replace(seen, learnt=Learnt(slower, at)) if kept.account else None
        if current is None:
            kept.slots.clear()  # timestamps of before there was a pace are no slots

    def _reserve(self, cid: str, wish: Wish, take: Take, step: int, now: int, seen: Account) -> Reserve:
        """Return what is reserved with a slot. Raises :class:`OverLimit`, if the table as it is now says so."""
        tick = now if take.behind or seen.sequence is None else seen.sequence + step
        planned = daily.plan(wish, seen, tick=tick)
        if isinstance(planned, Over):
            planned = daily.plan(wish, self._accounts.look(cid), tick=tick)
        if isinstance(planned, Over):
            never = wish.cost > wish.limit
            why = "" if never else " until the day has ended"
            words = f"Its cost, {wish.cost}, is more than DailyLimit ({wish.limit} messages a day) lets out{why}."
            raise OverLimit(planned.until, words, never=never)
        return planned

    def _carry_out(
        self, cid: str, take: Take, step: int, now: int, seen: Account, reserve: Reserve | None
    ) -> list[Slot]:
        last = now + (pace.AHEAD[self.lane] if step > 1 else pace.ASTRAY)
        began = self._now()
        ticks, seen = self._accounts.take(cid, take, step=step, now=now, last=last, seen=seen, reserve=reserve)
        self._write_takes = min(max(self._now() - began, 0), _LONGEST_LEAD)
        kept = self._keep(cid, seen)
        return [Slot(tick, seen, step > 1, kept.at) for tick in ticks]

    def _wait(self, seconds: float, deadline: float) -> None:
        if self.monotonic() + seconds > deadline:
            until = self.clock() + timedelta(seconds=max(seconds, 1))
            raise NoSlot(until, "all slots of the account's pace are taken")
        self.sleep(seconds)

    def _check_clock(self) -> None:
        ahead = self._skew()
        if abs(ahead) > MOST_SKEW:
            way = "ahead of" if ahead > 0 else "behind"
            raise ClockAstray(f"This machine's clock is {abs(ahead):.0f} s {way} AWS's; it takes no slots.")

    def _now(self) -> int:
        return beijing.ticks(self.clock())
