"""What is streamed is read ahead by no more than fits: memory does not grow with a campaign or its parts."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, cast

import pytest

from kuaixintong.core.delivery import Waiting
from kuaixintong.following import Following
from kuaixintong.stores.listings import ROWS_AT_ONCE

if TYPE_CHECKING:
    from kuaixintong.stores.listings import Listings
    from kuaixintong.stores.reports import Reports

WAITING = Waiting(datetime(2026, 11, 23, 6, 0, tzinfo=UTC))
NOON = "2026-11-23T12:00:00.000+08:00"
PARTS = 150


class MadeUp:
    """Listings and reports of parts of so many mobiles, made up when they are asked for.

    ``most`` is how many rows were under way at the most: handed out, and not yet done.
    """

    def __init__(self, mobiles: int) -> None:
        self.mobiles = mobiles
        self.handed = 0
        self.done = 0
        self.most = 0
        self.following = Following(cast("Listings", self), cast("Reports", self), threads=4)

    def progress(self, done: int) -> None:
        self.done = done

    def in_order(self, shard: str, *, at_once: int) -> Iterator[dict[str, Any]]:
        if shard.endswith("#0"):
            yield from ({"send_id": "order-1", "part": str(number + 1)} for number in range(PARTS))

    def rows(self, keys: Sequence[tuple[str, str]], fields: Sequence[str]) -> dict[tuple[str, str], Any]:
        return {key: self._row(*key) for key in keys}

    def parts_of(self, send_id: str, fields: Sequence[str]) -> Iterator[dict[str, Any]]:
        yield from (self._row(send_id, str(number + 1)) for number in range(PARTS))

    def _row(self, send_id: str, part: str) -> dict[str, Any]:
        self.handed += 1
        self.most = max(self.most, self.handed - self.done)
        accepted = {"state": "ACCEPTED", "token": part, "accepted_at": NOON}
        return {"send_id": send_id, "part": part, **accepted, "mobiles": self._mobiles(part)}

    def of_token(self, token: str, *, fields: Sequence[str]) -> Iterator[dict[str, Any]]:
        row = {"success": True, "result_code": "0", "received_at": NOON}
        return (row | {"mobile": mobile} for mobile in self._mobiles(token))

    def _mobiles(self, part: str) -> list[str]:
        begin = int(part) * self.mobiles
        return [f"139{number:08}" for number in range(begin, begin + self.mobiles)]


@pytest.mark.parametrize(("mobiles", "ahead"), [(1, 12), (50, 12), (100, 6), (600, 1), (900, 1)])
def test_parts_are_read_ahead_by_the_number_of_their_mobiles(
    monkeypatch: pytest.MonkeyPatch, mobiles: int, ahead: int
) -> None:
    monkeypatch.setattr("kuaixintong.following._MOBILES_AHEAD", 600)  # in small
    monkeypatch.setattr("kuaixintong.following._LEAST", 50)
    of_send, of_campaign = MadeUp(mobiles), MadeUp(mobiles)
    streamed = of_send.following.of_send("order-1", WAITING, of_send.progress)
    assert sum(1 for _ in streamed) == PARTS * mobiles
    assert of_send.most <= ahead + 1  # and the one that is weighed
    streamed = of_campaign.following.of_campaign("autumn", WAITING, of_campaign.progress)
    assert sum(1 for _ in streamed) == PARTS * mobiles
    of_few = mobiles <= 50
    assert of_campaign.most <= ahead + (2 if of_few else 1) * ROWS_AT_ONCE
