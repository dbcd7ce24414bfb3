"""What a part has of a day's limit: charged once, whoever reserves, and given back if nothing went."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from kuaixintong.core.ledger import Bid, Lapse, Standing, State, Submit, WaitUntil, next_step
from kuaixintong.core.rails import Charge

NOW = datetime(2026, 11, 23, 4, 0, tzinfo=UTC)
TODAY, TOMORROW = "2026-11-23", "2026-11-24"
WAITING = Standing(State.WAITING, "fingerprint", 1)


def charge(cost: int, day: str = TODAY, cid: str = "12345678") -> Charge:
    return Charge(day, cost, cid)


def step(row: Standing | None, bid: Bid, expires: datetime | None = None) -> object:
    return next_step(row, bid, now=NOW, expires=expires, repeat_within=timedelta(hours=24))


@pytest.mark.parametrize(
    ("had", "knew", "reserved", "charged", "excess"),
    [
        (None, None, None, None, None),
        (None, None, charge(5), charge(5), None),
        (charge(5), charge(5), None, charge(5), None),
        (charge(5), charge(5), charge(8), charge(8), None),  # what the row knew of is in it
        # another delivery has reserved meanwhile: the dearer counts, and the rest was for the same
        (charge(5), None, charge(8), charge(8), charge(5)),
        (charge(8), None, charge(5), charge(8), charge(5)),
        (charge(5), charge(2), charge(8), charge(8), charge(3)),
        # of another day's limit, or another account's
        (charge(5, TOMORROW), None, charge(8), charge(8), None),
        (charge(5, cid="87654321"), None, charge(8), charge(8), None),
    ],
)
def test_a_part_is_charged_once(
    had: Charge | None, knew: Charge | None, reserved: Charge | None, charged: Charge | None, excess: Charge | None
) -> None:
    taken = step(replace(WAITING, charged=had), Bid("me", "fresh", charged=reserved, knew=knew))
    assert isinstance(taken, Submit)
    assert (taken.charged, taken.excess) == (charged, excess)


@pytest.mark.parametrize(
    ("unanswered", "state", "told"),
    [(0, State.EXPIRED, charge(5)), (1, State.UNCONFIRMED, None)],
)
def test_what_ends_with_nothing_accepted_tells_what_it_gives_back(
    unanswered: int, state: State, told: Charge | None
) -> None:
    end = step(replace(WAITING, charged=charge(5), unanswered=unanswered), Bid("me", "fresh"), expires=NOW)
    assert isinstance(end, Lapse)
    assert (end.state, end.charged) == (state, told)


def test_a_part_that_nobody_may_be_asked_for_gives_its_charge_back() -> None:
    end = step(replace(WAITING, charged=charge(5)), Bid("me", "fresh", nobody="all have opted out"))
    assert isinstance(end, Lapse)
    assert (end.state, end.charged) == (State.REJECTED, charge(5))


def test_a_part_waits_until_its_time_and_no_longer() -> None:
    for early, waits in ((timedelta(milliseconds=1), True), (timedelta(0), False)):
        found = step(replace(WAITING, waits_until=NOW + early), Bid("me", "fresh"))
        assert isinstance(found, WaitUntil) is waits
