"""Many writes at once: throttling is waited out, the rest is told, and nobody waits beyond the time there is."""

import threading
import time
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, cast

import pytest
from botocore.exceptions import ClientError

from kuaixintong.core.errors import StoreUnavailable
from kuaixintong.stores.batch import Patience, Stamp, Writer, jittered, optional, persist
from tests.aws_faults import client_error

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

THROTTLED = (
    *("ProvisionedThroughputExceededException", "RequestLimitExceeded"),
    *("ThrottlingException", "ThrottledException"),
)


class Client:
    """Takes a few rows of each batch, and leaves the rest unprocessed."""

    def __init__(self, takes: int = 25) -> None:
        self.takes = takes
        self.batches: list[int] = []
        self.rows: list[Any] = []

    def batch_write_item(self, *, RequestItems: dict[str, Any]) -> dict[str, Any]:  # noqa: N803
        ((table, requests),) = RequestItems.items()
        assert table == "a-table"
        self.batches.append(len(requests))
        self.rows += [each["PutRequest"]["Item"] for each in requests[: self.takes]]
        left = requests[self.takes :]
        return {"UnprocessedItems": {table: left} if left else {}}


def writer(client: Client | None = None, waits: list[int] | None = None) -> Writer:
    def backoff(attempt: int) -> float:
        if waits is not None:
            waits.append(attempt)
        return 0.0

    return Writer(cast("DynamoDBClient", client or Client()), threads=4, backoff=backoff)


def patience(seconds: float = 60, waits: list[int] | None = None) -> Patience:
    def backoff(attempt: int) -> float:
        if waits is not None:
            waits.append(attempt)
        return 0.0

    return Patience(time.monotonic() + seconds, backoff=backoff)


def unavailable(code: str | None) -> StoreUnavailable:
    error = StoreUnavailable("DynamoDB: …")
    error.__cause__ = ClientError({"Error": {"Code": code}} if code else {}, "PutItem")
    return error


# --- what rows carry --------------------------------------------------------------------------------------------


def test_a_stamp_tells_when_a_row_came_and_when_it_goes() -> None:
    now = datetime(2026, 11, 23, 4, 0, 0, 999_000, tzinfo=UTC)
    second = int(now.timestamp())
    assert Stamp.at(now, timedelta(days=1)) == Stamp("2026-11-23T12:00:00.999+08:00", second, second + 86_400)


def test_what_there_is_nothing_to_say_of_is_no_attribute() -> None:
    assert optional(type="mo", words="") == {"type": {"S": "mo"}}


# --- throttling -------------------------------------------------------------------------------------------------


def test_pauses_grow_and_are_anywhere_below_what_they_could_be() -> None:
    longest = [max(jittered(attempt) for _ in range(300)) for attempt in range(9)]
    for found, most in zip(longest, (0.05, 0.1, 0.2, 0.4, 0.8, 1.6, 2, 2, 2), strict=True):
        assert 0.9 * most < found <= most
    assert min(jittered(5) for _ in range(300)) < 0.2


@pytest.mark.parametrize("code", THROTTLED)
def test_a_call_that_is_throttled_is_made_again_after_longer_and_longer(code: str) -> None:
    waits: list[int] = []
    calls = iter([unavailable(code), unavailable(code), unavailable(code)])

    def call() -> str:
        for error in calls:
            raise error
        return "done"

    assert persist(call, patience(waits=waits)) == "done"
    assert waits == [0, 1, 2]


@pytest.mark.parametrize("code", ["ValidationException", None])
def test_any_other_error_is_told_at_once(code: str | None) -> None:
    def call() -> None:
        raise unavailable(code)

    with pytest.raises(StoreUnavailable):
        persist(call, patience(0))


def test_a_call_is_ours_whatever_aws_raises() -> None:
    def call() -> None:
        raise client_error("ThrottlingException", "PutItem")

    out_of_time = Patience(time.monotonic(), backoff=lambda _: 0.0)
    with pytest.raises(StoreUnavailable, match="no time left to wait"):
        writer().persist(call, out_of_time)


def test_nobody_waits_for_longer_than_there_is_time() -> None:
    now = [10.0]
    some = Patience(12.0, backoff=lambda attempt: attempt, monotonic=lambda: now[0])
    assert some.left() == 2.0
    with pytest.raises(StoreUnavailable):
        some.wait(2)
    now[0] = 15.0
    assert some.left() == 0.0


def test_who_has_given_up_waits_no_more() -> None:
    some = Patience(time.monotonic() + 60, backoff=lambda _: 30.0)
    some.give_up()
    begun = time.monotonic()
    with pytest.raises(StoreUnavailable):
        some.wait(0)
    assert time.monotonic() - begun < 20


# --- many at once -----------------------------------------------------------------------------------------------


def test_what_is_left_unprocessed_is_put_again_until_all_of_it_is_there() -> None:
    client, waits = Client(takes=10), list[int]()
    writer(client, waits).put("a-table", range(30), lambda n: {"n": {"N": str(n)}}, deadline=time.monotonic() + 60)
    assert sorted(int(row["n"]["N"]) for row in client.rows) == [*range(30)]
    assert sorted(client.batches) == [5, 5, 15, 25]
    assert sorted(waits) == [0, 1]


def test_the_first_error_ends_all_and_is_the_one_that_is_told() -> None:
    begun = threading.Event()

    def waits(patience: Patience) -> None:
        begun.set()
        patience.wait(0)

    def fails(_: Patience) -> None:
        assert begun.wait(10)
        raise StoreUnavailable("it is this one")

    some = Writer(cast("DynamoDBClient", Client()), threads=2, backoff=lambda _: 30.0)
    with pytest.raises(StoreUnavailable, match="it is this one"):
        some.run([waits, fails], deadline=time.monotonic() + 60)


def test_what_takes_too_long_is_told_when_its_time_is_up() -> None:
    go = threading.Event()

    def waits(_: Patience) -> None:
        go.wait(10)

    try:
        with pytest.raises(StoreUnavailable, match="the time for this push is up"):
            writer().run([waits], deadline=time.monotonic() + 0.05)
    finally:
        go.set()
