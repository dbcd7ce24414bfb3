"""What is streamed fits into the same memory, however large a campaign and its parts are."""

import tracemalloc
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, cast

import pytest

from kuaixintong.core.delivery import Waiting
from kuaixintong.following import Following

if TYPE_CHECKING:
    from kuaixintong.stores.listings import Listings
    from kuaixintong.stores.reports import Reports

WAITING = Waiting(datetime(2026, 11, 23, 6, 0, tzinfo=UTC))
MOBILES = 1_000
NOON = "2026-11-23T12:00:00.000+08:00"


class Endless:
    """Listings and reports of a campaign of large parts, made up when they are asked for."""

    def __init__(self, parts: int) -> None:
        self.parts = parts

    def in_order(self, shard: str, *, at_once: int) -> Iterator[dict[str, Any]]:
        if shard.endswith("#0"):
            yield from ({"send_id": "order-1", "part": str(number + 1)} for number in range(self.parts))

    def rows(self, keys: Sequence[tuple[str, str]], fields: Sequence[str]) -> dict[tuple[str, str], Any]:
        return {key: self._row(*key) for key in keys}

    def parts_of(self, send_id: str, fields: Sequence[str]) -> Iterator[dict[str, Any]]:
        yield from (self._row(send_id, str(number + 1)) for number in range(self.parts))

    @staticmethod
    def _row(send_id: str, part: str) -> dict[str, Any]:
        accepted = {"state": "ACCEPTED", "token": part, "accepted_at": NOON}
        return {"send_id": send_id, "part": part, **accepted, "mobiles": list(_mobiles(part))}

    def of_token(self, token: str, *, fields: Sequence[str]) -> Iterator[dict[str, Any]]:
        return ({"mobile": mobile, "success": True} for mobile in _mobiles(token))


def _mobiles(part: str) -> Iterator[str]:
    begin = int(part) * MOBILES
    return (f"139{number:08}" for number in range(begin, begin + MOBILES))


def following(parts: int) -> Following:
    made_up = Endless(parts)
    return Following(cast("Listings", made_up), cast("Reports", made_up), threads=4)


def peak_of(stream: Iterator[Any], count: int) -> float:
    """Read a stream to its end, and return the megabytes that it took at its peak."""
    tracemalloc.start()
    try:
        assert sum(1 for _ in stream) == count
        return tracemalloc.get_traced_memory()[1] / 1_000_000
    finally:
        tracemalloc.stop()


@pytest.fixture(autouse=True)
def in_small(monkeypatch: pytest.MonkeyPatch) -> None:
    """A tenth of everything: mobiles of a part, and how many are read ahead."""
    monkeypatch.setattr("kuaixintong.following._MOBILES_AHEAD", 6 * MOBILES)


def test_a_large_send_takes_no_more_memory_than_one_half_as_large() -> None:
    half, whole = (
        peak_of(following(parts).of_send("order-1", WAITING, None), parts * MOBILES) for parts in (20, 40)
    )
    assert whole < 1.3 * half


def test_a_campaign_of_large_parts_takes_no_more_memory_than_one_half_as_large() -> None:
    half, whole = (
        peak_of(following(parts).of_campaign("autumn", WAITING, None), parts * MOBILES) for parts in (50, 100)
    )
    assert whole < 1.3 * half
