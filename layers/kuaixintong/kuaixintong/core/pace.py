"""The pace at which requests may go out: slots, and what a platform that says 210 teaches of its limit.

A *slot* is the moment at which one request may go out. Slots come from the account's sequence, the one that hands
out timestamps: a tick of it is a timestamp and a moment at once, and with a pace, each is a *step* after the last.
So one counter keeps all workers together at the platform's pace, without a write of its own.

An ordinary worker takes slots at most a second ahead: an urgent one, which may reach further, then finds the next
one free. Taken slots never move.

Pure: what is known of the account and the time come in, as ticks (see :mod:`kuaixintong.core.beijing`).
"""

from dataclasses import dataclass
from math import ceil

from kuaixintong.core.beijing import TICKS_PER_SECOND
from kuaixintong.core.lanes import Lane

SPACING = 1.03
"""Slots are this much further apart than the pace says, for the ways of two requests differ in length."""

MISSED = TICKS_PER_SECOND // 10
"""Ticks by which a request may be late for its slot; later, it takes another."""

_EARLY, _EARLIEST = TICKS_PER_SECOND // 20, TICKS_PER_SECOND // 2
"""Ticks before its slot at which a worker begins to claim its part, at least and at most."""

_ROOM, _FADES = 1.25, 0.98
"""How much longer than the longest of late a claim may take, and what share of that counts at the next."""

AHEAD = {Lane.ORDINARY: TICKS_PER_SECOND, Lane.URGENT: 20 * TICKS_PER_SECOND}
"""How many ticks ahead of its clock a worker of each lane takes slots."""

ASTRAY = 60 * TICKS_PER_SECOND
"""A sequence so many ticks ahead of a good clock was moved by a bad one."""

_AT_ONCE = 0.5
"""Seconds' worth of slots that a worker waits for at the most before it takes what there is."""

_AFTER_A_CUT = 0.93
_AFTER_A_LONE_REFUSAL = 0.97
_ALONE_AMONG = 10
"""Answers of one pace of which one refusal proves little: that two ways differed in length."""

_GROWTH = 1.01
"""A pace learnt rises by a hundredth a second, as long as it may be near what the platform takes …"""

_NEAR_FOR = 10.0
_HASTE = 0.1
"""… and after so many seconds without a refusal faster and faster: it doubles in 30 s and is tenfold in 52 s."""

_MOST = 0.7
"""The share of a pace from which on it counts as used in full."""

_SETTLING = 2 * TICKS_PER_SECOND
"""Ticks after a cut in which the requests from before it are still answered."""

_STILL_COUNTED = TICKS_PER_SECOND
"""Ticks after the last slot of before a cut in which a platform may still count those requests."""

_MANY = 5
"""Answers that show an overload even so."""

_SLOWEST, _FASTEST = 0.1, 1_000.0
"""Requests a second: slower is a platform that is away, faster none that needs a pace."""


@dataclass(frozen=True, slots=True)
class Learnt:
    """What the platform has taught: the pace was cut to ``rate`` requests a second from tick ``at`` on.

    That is the tick of the cut, or that of the last slot that had been taken by then.
    """

    rate: float
    at: int


def rate(configured: float, learnt: Learnt | None, *, now: int) -> float | None:
    """Return the requests a second that may go out now; ``None`` if nothing limits them.

    ``configured`` is the deployment's own limit, 0 for none: what is learnt never exceeds it.
    """
    limit = configured or _FASTEST
    if learnt is None:
        return configured or None
    quiet = min(max(now - learnt.at - _SETTLING, 0) / TICKS_PER_SECOND, 150)
    grown = learnt.rate * _GROWTH ** (quiet + _HASTE * max(quiet - _NEAR_FOR, 0) ** 2)
    return None if not configured and grown >= limit else min(grown, limit)


def step(requests_a_second: float | None) -> int:
    """Return the ticks from one slot to the next."""
    return ceil(SPACING * TICKS_PER_SECOND / requests_a_second) if requests_a_second else 1


def cut(current: float | None, *, handed_out: float, accepted: int, asked: int) -> float:
    """Return the pace after a 210: a little less than what the platform seems to take.

    ``current`` is the pace until now, ``handed_out`` the slots a second that all workers have been given lately.
    Of the ``asked`` requests of this worker's own at this pace, so many were ``accepted`` of late.
    """
    paced = current is not None
    alone = paced and asked - accepted == 1 and asked >= _ALONE_AMONG
    given = max(handed_out, _SLOWEST)
    if current and given >= _MOST * current:  # slots are taken some at a time: fewer in one second than in another
        given = current
    taken = min(current or _FASTEST, given) * max(_share(accepted, asked, paced=paced), 0.2)
    return max((_AFTER_A_LONE_REFUSAL if alone else _AFTER_A_CUT) * taken, _SLOWEST)


def _share(accepted: int, asked: int, *, paced: bool) -> float:
    """Return the share of requests that the platform seems to take, given what one worker has seen at this pace.

    Few answers prove little, and one of them is the refusal itself. A pace was right until a moment ago, and one
    refusal may be chance's, for ways differ in length; where there is none, the first answers are those of the
    requests that came before the crowd.
    """
    good, all_in_all = (4, 3) if paced else (2, 10)
    return (accepted + good) / (asked + all_in_all)


def too_fast(learnt: Learnt | None, *, slot: int, accepted: int, asked: int) -> bool:
    """Return whether a 210 to a request of this slot says that the pace is too fast.

    Shortly after a cut, the platform may still count the requests of before it. Then it takes many refusals.
    """
    if learnt is None or slot > learnt.at + _STILL_COUNTED:
        return True
    return asked >= _MANY and accepted < asked / 2


def claiming(before: float, *, took: float) -> float:
    """Return how many ticks claims have taken of late, after one that ``took`` so many."""
    return max(took, _FADES * before)


def early(claiming: float) -> int:
    """Return how many ticks before its slot a worker begins to claim its part; the request waits for the slot.

    Where claims take long, it begins earlier: a slot that is missed meanwhile is one for nobody.
    """
    return min(max(_EARLY, ceil(_ROOM * claiming)), _EARLIEST)


@dataclass(frozen=True, slots=True)
class Take:
    """Take ``count`` slots: from the clock on if the sequence is ``behind`` it, else after the last one taken."""

    count: int
    behind: bool


@dataclass(frozen=True, slots=True)
class Wait:
    """Look again after so many ticks: all slots that this worker may reach for are taken."""

    ticks: int


@dataclass(frozen=True, slots=True)
class Astray:
    """Take none: the sequence is ``ticks`` ahead of the clock. A clock far ahead must have moved it."""

    ticks: int


def plan(sequence: int | None, *, now: int, step: int, wanted: int, lane: Lane) -> Take | Wait | Astray:
    """Return how to take up to ``wanted`` slots, given the last one taken.

    Where there is no pace (a step of one tick) nobody waits: the tick is a timestamp and not a moment.
    """
    if sequence is not None and sequence - now > ASTRAY:
        return Astray(sequence - now)
    if sequence is None or sequence < now - step:
        return Take(_within(now, now, step, wanted, lane), behind=True)
    if step == 1:
        return Take(wanted, behind=False)
    count = _within(sequence + step, now, step, wanted, lane)
    enough = min(wanted, ceil(_AT_ONCE * TICKS_PER_SECOND / step))
    if count >= enough:
        return Take(count, behind=False)
    return Wait(sequence + enough * step - now - AHEAD[lane])


def _within(first: int, now: int, step: int, wanted: int, lane: Lane) -> int:
    """Return how many slots from ``first`` on lie within the lane's reach; the clock's own always does."""
    if step == 1:
        return wanted
    return min(wanted, (now + AHEAD[lane] - first) // step + 1)
