"""The daily limit as values: what is reserved with a slot, and when a part has to wait."""

from datetime import UTC, datetime, timedelta

import pytest

from kuaixintong.core import beijing
from kuaixintong.core.daily import Over, Reserve, Wish, plan, used
from kuaixintong.core.gate import Account
from kuaixintong.core.rails import Charge

CID = "12345678"

NOON = datetime(2026, 11, 23, 4, 0, tzinfo=UTC)
BEGINS = datetime(2026, 11, 22, 16, 0, tzinfo=UTC)
TODAY, TOMORROW = "2026-11-23", "2026-11-24"
TICK = beijing.ticks(NOON)


def reserve(cost: int, most: int, day: datetime = BEGINS, *, first: bool = False) -> Reserve:
    ends = day + timedelta(days=1)
    return Reserve(beijing.day(day), beijing.ticks(day), beijing.ticks(ends), cost, most, first)


@pytest.mark.parametrize(
    ("wish", "seen", "planned"),
    [
        (Wish(1, 5), Account(), reserve(1, 4, first=True)),
        (Wish(5, 5), Account(), reserve(5, 0, first=True)),
        (Wish(1, 5), Account(day="2026-11-22", day_cost=5), reserve(1, 4, first=True)),
        (Wish(1, 5), Account(day=TODAY, day_cost=4), reserve(1, 4)),
        (Wish(1, 5), Account(day=TODAY, day_cost=5), Over(BEGINS + timedelta(days=1))),
        (Wish(2, 5), Account(day=TODAY, day_cost=4), Over(BEGINS + timedelta(days=1))),
        (Wish(6, 5), Account(), Over(BEGINS + timedelta(days=1))),
        (Wish(3, 5, Charge(TODAY, 3, CID)), Account(day=TODAY, day_cost=5), reserve(0, 5)),
        (Wish(3, 5, Charge(TODAY, 2, CID)), Account(day=TODAY, day_cost=4), reserve(1, 4)),
        (Wish(3, 5, Charge(TODAY, 9, CID)), Account(day=TODAY, day_cost=5), reserve(0, 5)),
        (
            Wish(3, 5, Charge("2026-11-22", 3, CID)),
            Account(day=TODAY, day_cost=3),
            Over(BEGINS + timedelta(days=1)),
        ),
        (Wish(3, 5, Charge("2026-11-22", 3, CID)), Account(day=TODAY, day_cost=2), reserve(3, 2)),
    ],
)
def test_a_part_is_charged_once_a_day_and_waits_if_it_does_not_fit(
    wish: Wish, seen: Account, planned: Reserve | Over
) -> None:
    assert plan(wish, seen, tick=TICK) == planned


def test_a_slot_of_the_next_day_is_charged_to_that_day() -> None:
    midnight = BEGINS + timedelta(days=1)
    full = Account(day=TODAY, day_cost=5)
    assert plan(Wish(1, 5), full, tick=beijing.ticks(midnight)) == reserve(1, 4, midnight, first=True)
    assert isinstance(plan(Wish(1, 5), full, tick=beijing.ticks(midnight) - 1), Over)


def test_the_day_never_goes_back() -> None:
    late = Account(day=TOMORROW, day_cost=4)
    assert plan(Wish(1, 5), late, tick=TICK) == reserve(1, 4, BEGINS + timedelta(days=1))
    assert plan(Wish(2, 5), late, tick=TICK) == Over(BEGINS + timedelta(days=2))


def test_what_is_used_is_told_in_percent() -> None:
    assert [used(Account(day_cost=cost), 5) for cost in (0, 3, 4, 5)] == [0, 60, 80, 100]
    assert used(Account(day_cost=3), 0) == 0
