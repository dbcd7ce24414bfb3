"""Calling in what is due: parts that have waited as rows go back into their lanes (contract, section 2b).

The order is the promise: a row is enqueued first, and only then is its next look put off. Cut off in between, it
is enqueued once more a minute later, and the second message finds what became of the first. A row leaves the list
by a worker's claim or a cancel alone, so that a message that was lost on its way is followed by another.
"""

from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from itertools import batched
from typing import Self

from kuaixintong.core import beijing, due, references
from kuaixintong.core.due import NEXT_LOOK, Due
from kuaixintong.core.errors import KuaixintongError
from kuaixintong.core.lanes import Lane
from kuaixintong.stores.lanes import Lanes
from kuaixintong.stores.parts import Parts

THREADS = 16
"""Calls side by side."""

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
        with (
            ThreadPoolExecutor(due.SHARDS, thread_name_prefix="look") as looking,
            ThreadPoolExecutor(THREADS, thread_name_prefix="due") as enqueueing,
        ):
            looks = list(looking.map(lambda shard: self._look(shard, deadline, enqueueing), due.shards()))
        return sum(looks, Called(Counter()))

    def _look(self, shard: str, deadline: float, threads: ThreadPoolExecutor) -> Called:
        """Enqueue what is due under one of the index's keys: the longest due first, urgent ones before others."""
        done = Called(Counter())
        for some in batched(self._parts.due(shard, beijing.iso(self._clock())), _AT_ONCE, strict=False):
            rows = sorted(some, key=lambda row: row.lane is not Lane.URGENT)
            done = sum(threads.map(lambda row: self._enqueue(row, deadline), rows), done)
            if done.left:
                break
        return done

    def _enqueue(self, row: Due, deadline: float) -> Called:
        """Enqueue a row; one that is in its queue then is not looked at for a while."""
        if self._monotonic() >= deadline:
            return Called(Counter(), left=True)
        now = self._clock()
        late = (now - beijing.from_iso(row.due_at)).total_seconds()
        try:
            self._lanes.put_one(row.lane, references.written(row.reference))
            self._parts.look_later(row, beijing.iso(now + NEXT_LOOK))
        except KuaixintongError:  # it may be in its queue or not: it is enqueued again
            return Called(Counter(), failed=1, late=late)
        return Called(Counter({row.lane: 1}), late=late)
