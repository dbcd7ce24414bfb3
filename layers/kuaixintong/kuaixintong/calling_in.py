"""Calling in what is due: parts that have waited as rows go back into their lanes (contract, section 2b).

The order is the promise: a row is enqueued first, and only then is its next look put off. Cut off in between, it
is enqueued once more a minute later, and the second message finds what became of the first. A row leaves the list
by a worker's claim or a cancel alone, so that a message that was lost on its way is followed by another.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from itertools import batched, chain
from typing import Self

from kuaixintong.core import beijing, due, references
from kuaixintong.core.due import NEXT_LOOK, Due
from kuaixintong.core.enqueueing import Message
from kuaixintong.core.errors import KuaixintongError, StoreUnavailable
from kuaixintong.core.lanes import Lane
from kuaixintong.stores.lanes import Lanes
from kuaixintong.stores.parts import Parts

THREADS = 16
"""Calls side by side: two for each of the index's keys."""

_BATCH = 10
"""Messages that SQS takes in one call."""

_AT_ONCE = 500
"""Rows of a key that are taken in hand together, so that an end that comes early leaves few undone."""


@dataclass(frozen=True, slots=True)
class Called:
    """What one look has come to: rows enqueued, by lane, calls for rows that failed, how late the latest was."""

    enqueued: Counter[Lane]
    failed: int = 0
    late: float = 0.0  # seconds
    left: bool = False  # time ran out before it was through

    def __add__(self, other: Self) -> "Called":
        """Return what both have come to."""
        late, left = max(self.late, other.late), self.left or other.left
        return Called(self.enqueued + other.enqueued, self.failed + other.failed, late, left)


class CallingIn:
    """Enqueues what is due. ``clock`` tells the time, ``monotonic`` seconds that only rise."""

    def __init__(
        self, parts: Parts, lanes: Lanes, *, clock: Callable[[], datetime], monotonic: Callable[[], float]
    ) -> None:
        self._parts = parts
        self._lanes = lanes
        self._clock = clock
        self._monotonic = monotonic

    def run(self, *, seconds: float) -> Called:
        """Enqueue what is due now, as much of it as ``seconds`` allow.

        Raises :class:`StoreUnavailable` if the index cannot be read. What SQS does not take is counted, and taken
        up by the next look.
        """
        deadline = self._monotonic() + seconds
        with ThreadPoolExecutor(THREADS, thread_name_prefix="due") as threads:
            looks = list(threads.map(lambda shard: self._look(shard, deadline), due.shards()))
        return sum(looks, Called(Counter()))

    def _look(self, shard: str, deadline: float) -> Called:
        """Enqueue what is due under one of the index's keys, the longest due first."""
        done = Called(Counter())
        rows = self._parts.due(shard, beijing.iso(self._clock()))
        for some in batched(rows, _AT_ONCE, strict=False):
            by_lane = [[row for row in some if row.lane is lane] for lane in (Lane.URGENT, Lane.ORDINARY)]
            for ten in chain.from_iterable(batched(each, _BATCH, strict=False) for each in by_lane):
                if self._monotonic() >= deadline:
                    return done + Called(Counter(), left=True)
                done += self._enqueue(ten)
        return done

    def _enqueue(self, rows: Sequence[Due]) -> Called:
        """Enqueue up to ten rows of one lane; those that are in the queue then are not looked at for a while."""
        now, lane = self._clock(), rows[0].lane
        try:
            refused = self._lanes.put(lane, [_message(place, row) for place, row in enumerate(rows)])
        except KuaixintongError:  # none, or nobody knows which: they are enqueued again
            return Called(Counter(), failed=len(rows), late=_late(rows, now))
        enqueued = [row for place, row in enumerate(rows) if place not in refused]
        failed = len(refused)
        for row in enqueued:
            try:
                self._parts.look_later(row, beijing.iso(now + NEXT_LOOK))
            except StoreUnavailable:  # it is enqueued once more
                failed += 1
        return Called(Counter({lane: len(enqueued)}), failed, _late(rows, now))


def _late(rows: Sequence[Due], now: datetime) -> float:
    return max((now - beijing.from_iso(row.due_at)).total_seconds() for row in rows)


def _message(place: int, row: Due) -> Message:
    body = references.written(row.reference)
    return Message(place, row.reference.send_id, row.lane, None, body, len(body))
