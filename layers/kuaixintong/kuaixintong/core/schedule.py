"""When a message comes back: how long to wait after what, and which times are over.

Pure, like the ledger beside it: the time and a number between 0 and 1 come in, seconds come out.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from kuaixintong.core import beijing
from kuaixintong.core.lanes import Lane

LONGEST_BACKOFF = 900.0
"""Seconds between two tries of a message at the most."""

SOON = 1.0
"""Seconds until a try that waits for nothing in particular."""

_FIRST_BACKOFF = 2.0

_AFTER_A_PAUSE = 3.0
"""Seconds, for each receive so far, over which the messages of a pause come back: soon after a short one, and not
all at once after a long one, so that few lose the race for the probe and an outage does not use up receives."""

_LONGEST_AFTER_A_PAUSE = 60.0

_ON_ITS_WAY = timedelta(seconds=5)
"""A time for sending this near can pass before the platform reads it, by its clock; it would be refused (330)."""


NEAR = timedelta(seconds=15)
"""A time for sending this near may have passed by the platform's clock, which is nobody's to set."""


def backoff(tries: int, chance: float) -> float:
    """Return seconds until the next try: doubling with each, less up to half by ``chance`` (0 to 1)."""
    whole = min(_FIRST_BACKOFF * 2.0 ** min(tries - 1, 16), LONGEST_BACKOFF)
    return whole * (1 - chance / 2)


IN_PLACE = 30.0
"""Seconds for which an urgent message waits here and now before it goes back to the queue."""

_URGENT_COMES_BACK = 5.0
_URGENT_FOR = timedelta(hours=1)
"""How long an urgent message hurries; in a day's outage it would use up its receives."""


@dataclass(frozen=True, slots=True)
class Waiting:
    """A message that waits: its lane, how often it has been received, and how long it has been in the queue."""

    lane: Lane
    receives: int
    age: timedelta = timedelta()

    @property
    def hurries(self) -> bool:
        """Whether somebody waits for it: an urgent message of the last hour."""
        return self.lane is Lane.URGENT and self.age < _URGENT_FOR


def after_hold(until: datetime, waiting: Waiting, *, now: datetime, chance: float) -> float:
    """Return seconds until a message comes back that was held back: ``until`` then, and up to a minute longer.

    An urgent one comes back within five seconds; from its second hour on it takes the backoff of any other.
    """
    rest = max((until - now).total_seconds(), 0)
    if waiting.hurries:
        return min(rest + chance, _URGENT_COMES_BACK)
    if waiting.lane is Lane.URGENT:
        return max(rest, backoff(waiting.receives, chance))
    return rest + chance * min(_AFTER_A_PAUSE * waiting.receives, _LONGEST_AFTER_A_PAUSE)


def after_trouble(tries: int, waiting: Waiting, chance: float) -> float:
    """Return seconds until a message comes back that has met trouble of the account's, after so many tries.

    An urgent one that asked for all that wait is held up no longer than those that did not ask.
    """
    delay = backoff(tries, chance)
    return min(delay, _URGENT_COMES_BACK) if waiting.hurries else delay


def after_lease(until: datetime, *, now: datetime) -> float:
    """Return seconds until another worker's lease has run out for certain."""
    return max((until - now).total_seconds(), 0) + SOON


def in_time(delay: float, expires: datetime | None, *, now: datetime) -> float:
    """Return ``delay``, but no more than to just after ``validUntil``, so that the row says so when it is."""
    if expires is None:
        return delay
    return min(delay, max((expires - now).total_seconds() + SOON, 0))


def still_to_come(at_time: str | None, *, now: datetime) -> bool:
    """Return whether ``atTime`` is handed to the platform: a time that has passed means "at once"."""
    return at_time is not None and beijing.parse(at_time) > now + _ON_ITS_WAY


def near(at_time: str | None, *, now: datetime) -> bool:
    """Return whether ``atTime`` is so close that the platform's clock may already be past it."""
    return at_time is not None and beijing.parse(at_time) <= now + NEAR
