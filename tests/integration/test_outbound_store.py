"""Who is sent to: batches on threads of their own, what DynamoDB leaves undone, and the same rows each time."""

import threading
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError

from kuaixintong.core.errors import StoreUnavailable
from kuaixintong.stores.dynamo import Item
from kuaixintong.stores.outbound import AT_ONCE, Outbound
from tests.memory_table import MemoryTable

NOW = datetime(2026, 11, 23, 4, 0, tzinfo=UTC)
RETENTION = timedelta(days=180)
EXPIRES = int((NOW + RETENTION).timestamp())


class Reluctant(MemoryTable):
    """Takes of each batch what ``take`` says, and notes which thread brought how many rows."""

    def __init__(self, *takes: int) -> None:
        super().__init__("OutboundTable")
        self.takes = [*takes]
        self.brought: list[tuple[str, int]] = []

    def put_some(self, rows: Sequence[Mapping[str, Any]]) -> Sequence[Item]:
        self.brought.append((threading.current_thread().name, len(rows)))
        take = self.takes.pop(0) if self.takes else len(rows)
        if take:
            super().put_some(rows[:take])
        return [dict(row) for row in rows[take:]]


def mobiles(count: int) -> list[str]:
    return [f"137{number:08}" for number in range(count)]


@pytest.fixture
def pool() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(4, thread_name_prefix="outbound") as threads:
        yield threads


def put(table: MemoryTable, pool: ThreadPoolExecutor, count: int, *, seconds: float = 60) -> None:
    Outbound(table, RETENTION, pool, backoff=lambda _: 0).put(
        "order-1", "2", mobiles(count), now=NOW, seconds=seconds
    )


def row(mobile: str) -> dict[str, Any]:
    return {"mobile": mobile, "send_id": "order-1", "part": "2", "expires_at": EXPIRES}


@pytest.mark.parametrize("count", [1, 25, 26, 51, 1_000])
def test_every_mobile_of_a_part_gets_one_row(pool: ThreadPoolExecutor, count: int) -> None:
    table = MemoryTable("OutboundTable")
    put(table, pool, count)
    assert table.rows == {(mobile, "order-1"): row(mobile) for mobile in mobiles(count)}


def test_what_is_written_again_is_the_same(pool: ThreadPoolExecutor) -> None:
    table = MemoryTable("OutboundTable")
    put(table, pool, 60)
    once = table.rows.copy()
    put(table, pool, 60)
    assert table.rows == once


def test_up_to_25_rows_are_one_call_of_whoever_asks_and_more_are_the_pools(pool: ThreadPoolExecutor) -> None:
    small, large = Reluctant(), Reluctant()
    put(small, pool, 25)
    put(large, pool, 60)
    assert small.brought == [(threading.current_thread().name, 25)]
    assert sorted(count for _, count in large.brought) == [10, 25, 25]
    assert all(name.startswith("outbound") for name, _ in large.brought)


@pytest.mark.parametrize("count", [25, 60])
def test_rows_that_dynamodb_leaves_unprocessed_are_brought_again(pool: ThreadPoolExecutor, count: int) -> None:
    table = Reluctant(3, 0, 5, 1)
    put(table, pool, count)
    assert table.rows.keys() == {(mobile, "order-1") for mobile in mobiles(count)}
    assert sum(brought for _, brought in table.brought) > count


def test_rows_that_are_left_undone_for_too_long_are_told(pool: ThreadPoolExecutor) -> None:
    table = Reluctant(*[0] * 10_000)
    with pytest.raises(StoreUnavailable, match="no time left"):
        Outbound(table, RETENTION, pool, backoff=lambda _: 0.01).put("s", "1", ["1"], now=NOW, seconds=0.05)
    assert 1 < len(table.brought) < 10


def test_a_throttled_batch_is_brought_again(pool: ThreadPoolExecutor) -> None:
    class Throttled(Reluctant):
        times = 3

        def put_some(self, rows: Sequence[Mapping[str, Any]]) -> Sequence[Item]:
            if self.times:
                self.times -= 1
                answer: Any = {"Error": {"Code": "ProvisionedThroughputExceededException"}}
                raise StoreUnavailable("throttled") from ClientError(answer, "BatchWriteItem")
            return super().put_some(rows)

    table = Throttled()
    put(table, pool, 60)
    assert len(table.rows) == 60


def test_the_first_batch_that_fails_ends_the_part_and_begins_no_more(pool: ThreadPoolExecutor) -> None:
    class Broken(Reluctant):
        def put_some(self, rows: Sequence[Mapping[str, Any]]) -> Sequence[Item]:
            super().put_some(rows)
            raise StoreUnavailable("gone")

    table = Broken()
    with pytest.raises(StoreUnavailable, match="gone"):
        put(table, pool, 10_000)
    assert len(table.brought) <= 2 * AT_ONCE


def test_a_part_whose_rows_take_too_long_is_told_in_time() -> None:
    goes_on = threading.Event()

    class Stuck(Reluctant):
        def put_some(self, rows: Sequence[Mapping[str, Any]]) -> Sequence[Item]:
            goes_on.wait(60)
            return super().put_some(rows)

    with ThreadPoolExecutor(4) as pool:
        with pytest.raises(StoreUnavailable, match="too slow"):
            put(Stuck(), pool, 60, seconds=0.05)
        goes_on.set()


def test_two_large_parts_share_the_pool() -> None:
    """A small one of them is not behind all that the other one has to write."""
    first_has_begun, order = threading.Event(), list[str]()

    class Watched(MemoryTable):
        def put_some(self, rows: Sequence[Mapping[str, Any]]) -> Sequence[Item]:
            order.append(rows[0]["send_id"])
            first_has_begun.set()
            return super().put_some(rows)

    table = Watched("OutboundTable")
    with ThreadPoolExecutor(1) as pool, ThreadPoolExecutor(2) as parts:
        outbound = Outbound(table, RETENTION, pool)
        large = parts.submit(outbound.put, "large", "1", mobiles(10_000), now=NOW, seconds=60)
        first_has_begun.wait(60)
        parts.submit(outbound.put, "small", "1", mobiles(50), now=NOW, seconds=60).result(60)
        large.result(60)
    assert order.index("small") < 200
    assert order[-1] == "large"
