"""Many writes at once: side by side, throttling waited out, all of them done or an error before the time is up."""

import random
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import FIRST_EXCEPTION, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from itertools import batched
from typing import TYPE_CHECKING, Any, Self

from botocore.exceptions import ClientError

from kuaixintong.core.beijing import iso
from kuaixintong.core.errors import StoreUnavailable
from kuaixintong.core.limits import BATCH_ITEMS
from kuaixintong.stores.aws import our_errors

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_dynamodb.type_defs import AttributeValueTypeDef, WriteRequestUnionTypeDef

    type Row = dict[str, AttributeValueTypeDef]

_FIRST_PAUSE = 0.05
_LONGEST_PAUSE = 2.0

_THROTTLED = frozenset(
    {"ProvisionedThroughputExceededException", "RequestLimitExceeded", "ThrottlingException", "ThrottledException"}
)


@dataclass(frozen=True, slots=True)
class Stamp:
    """What every row of a push carries: when it came (ISO 8601, and in epoch seconds) and when it goes."""

    received_at: str
    received: int
    expires_at: int

    @classmethod
    def at(cls, now: datetime, retention: timedelta) -> Self:
        """Return the stamp of rows received at an aware ``now`` and kept for ``retention``."""
        return cls(iso(now), int(now.timestamp()), int((now + retention).timestamp()))


def optional(**texts: str) -> "Row":
    """Return the attributes of a row that are there only if there is something to say."""
    return {name: {"S": text} for name, text in texts.items() if text}


def jittered(attempt: int) -> float:
    """Return the seconds to wait before the next try: exponential, capped, anywhere below ("full jitter")."""
    return random.uniform(0, min(_LONGEST_PAUSE, _FIRST_PAUSE * 2**attempt))  # noqa: S311 - no secret


class Patience:
    """How long a set of writes may still take; runs out early when one of them has failed."""

    def __init__(
        self, deadline: float, *, backoff: Callable[[int], float], monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self._deadline = deadline
        self._backoff = backoff
        self._monotonic = monotonic
        self._over = threading.Event()

    def left(self) -> float:
        """Return the seconds left, never negative."""
        return max(0.0, self._deadline - self._monotonic())

    def give_up(self) -> None:
        """Let whoever waits stop waiting."""
        self._over.set()

    def wait(self, attempt: int) -> None:
        """Wait before try ``attempt`` + 1. Raises :class:`StoreUnavailable` if there is no time for it."""
        pause = self._backoff(attempt)
        if pause >= self.left() or self._over.wait(pause):
            raise StoreUnavailable("DynamoDB throttles, and there is no time left to wait.")


type Job = Callable[[Patience], None]


class Writer:
    """Writes to DynamoDB on a bounded number of threads, which it keeps. ``client`` has to allow as many."""

    def __init__(
        self, client: "DynamoDBClient", *, threads: int, backoff: Callable[[int], float] = jittered
    ) -> None:
        self.client = client
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="writer")
        self._backoff = backoff

    def put[T](self, table: str, things: Iterable[T], to_row: "Callable[[T], Row]", *, deadline: float) -> None:
        """Put a row for each of many things, in any order; their keys must differ.

        Rows are made when it is their turn, for the whole of a large push in rows is many times its size.
        Raises :class:`StoreUnavailable` if not all are durable by ``deadline`` (``time.monotonic``). Some may be
        then, and some may become so still: putting the same rows again does no harm.
        """
        batches = batched(things, BATCH_ITEMS, strict=False)
        self.run((partial(self._put_batch, table, batch, to_row) for batch in batches), deadline=deadline)

    def run(self, jobs: Iterable[Job], *, deadline: float) -> None:
        """Run jobs side by side. Raises the first error of one, or :class:`StoreUnavailable` at ``deadline``."""
        patience = Patience(deadline, backoff=self._backoff)
        running = [self._pool.submit(job, patience) for job in jobs]
        done, late = wait(running, timeout=patience.left(), return_when=FIRST_EXCEPTION)
        failure = next((error for each in done if (error := each.exception())), None)
        if late or failure:
            _abandon(late, patience)
            raise failure or StoreUnavailable("DynamoDB is too slow; the time for this push is up.")

    def _put_batch[T](
        self, table: str, batch: Sequence[T], to_row: "Callable[[T], Row]", patience: Patience
    ) -> None:
        """Put up to 25 rows, coming back for those that DynamoDB leaves unprocessed."""
        requests: Sequence[WriteRequestUnionTypeDef] = [{"PutRequest": {"Item": to_row(each)}} for each in batch]
        attempt = 0
        while requests:
            answer = self.persist(partial(self.client.batch_write_item, RequestItems={table: requests}), patience)
            requests = answer["UnprocessedItems"].get(table, [])
            if requests:
                patience.wait(attempt)
                attempt += 1

    def persist[T](self, call: Callable[[], T], patience: Patience) -> T:
        """Make one call of the client, again and again while DynamoDB throttles it."""

        def ours() -> T:
            with our_errors():
                return call()

        return persist(ours, patience)


def persist[T](call: Callable[[], T], patience: Patience) -> T:
    """Make one call, which raises errors of ours, again and again while DynamoDB throttles it."""
    attempt = 0
    while True:
        try:
            return call()
        except StoreUnavailable as error:
            if not _throttled(error):
                raise
            patience.wait(attempt)
            attempt += 1


def _throttled(error: StoreUnavailable) -> bool:
    cause: Any = error.__cause__
    return isinstance(cause, ClientError) and cause.response.get("Error", {}).get("Code") in _THROTTLED


def _abandon(late: Iterable[Future[None]], patience: Patience) -> None:
    patience.give_up()
    for each in late:
        each.cancel()
