"""The Outbound table: a row says that a send goes to a mobile, and in which of its first-level parts (section 4).

It is there before the part's first request goes out, so that a mobile without a report is found, too. What a row
says follows from the send alone: whoever writes it again, and however often, writes the same.

A large part's rows are written on threads of their own, a few batches at a time, so that two large parts share
them, and nothing that is small waits: up to 25 rows are written by whoever asks for it.
"""

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Executor, Future, wait
from datetime import datetime, timedelta
from functools import partial
from itertools import batched
from typing import Any

from kuaixintong.core.errors import StoreUnavailable
from kuaixintong.core.limits import BATCH_ITEMS
from kuaixintong.stores.batch import Patience, jittered, persist
from kuaixintong.stores.table import Table

AT_ONCE = 6
"""Batches of one part under way at a time."""

type Row = Mapping[str, Any]


class Outbound:
    """Who is sent to. Safe between threads; the table's client has to allow as many more as ``pool`` has."""

    def __init__(
        self,
        table: Table,
        retention: timedelta,
        pool: Executor,
        *,
        backoff: Callable[[int], float] = jittered,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._table = table
        self._retention = retention
        self._pool = pool
        self._backoff = backoff
        self._monotonic = monotonic

    def put(self, send_id: str, part: str, mobiles: Sequence[str], *, now: datetime, seconds: float) -> None:
        """Write a row for each mobile of a first-level part, no mobile twice.

        Raises :class:`~kuaixintong.core.errors.StoreUnavailable` if not all are durable within ``seconds``. Some
        may be then: writing the same again does no harm.
        """
        expires_at = int((now + self._retention).timestamp())
        rows: Iterable[Row] = (
            {"mobile": mobile, "send_id": send_id, "part": part, "expires_at": expires_at} for mobile in mobiles
        )
        patience = Patience(self._monotonic() + seconds, backoff=self._backoff, monotonic=self._monotonic)
        if len(mobiles) <= BATCH_ITEMS:
            self._put_batch(tuple(rows), patience)
        else:
            self._put_side_by_side(batched(rows, BATCH_ITEMS, strict=False), patience)

    def _put_side_by_side(self, batches: Iterable[tuple[Row, ...]], patience: Patience) -> None:
        """Keep a few batches under way until all are written; what fails ends all."""
        running: set[Future[None]] = set()
        try:
            for batch in batches:
                if len(running) == AT_ONCE:
                    running = self._some_done(running, patience)
                running.add(self._pool.submit(self._put_batch, batch, patience))
            while running:
                running = self._some_done(running, patience)
        finally:
            patience.give_up()
            for each in running:
                each.cancel()

    @staticmethod
    def _some_done(running: set[Future[None]], patience: Patience) -> set[Future[None]]:
        done, rest = wait(running, timeout=patience.left(), return_when=FIRST_COMPLETED)
        for each in done:
            each.result()
        if not done:
            raise StoreUnavailable("DynamoDB is too slow for the rows of this part.")
        return rest

    def _put_batch(self, batch: Sequence[Row], patience: Patience) -> None:
        """Write up to 25 rows, coming back for those that DynamoDB leaves unprocessed."""
        attempt = 0
        while batch := persist(partial(self._table.put_some, batch), patience):
            patience.wait(attempt)
            attempt += 1
