"""When a message comes back, and which times are over: seconds, for a given time and a given chance."""

from datetime import UTC, datetime, timedelta

import pytest

from kuaixintong.core import schedule
from kuaixintong.core.lanes import Lane
from kuaixintong.core.schedule import Waiting, after_hold, after_lease, after_trouble, backoff, in_time

NOW = datetime(2026, 11, 23, 4, 0, tzinfo=UTC)
PAST = NOW - timedelta(seconds=30)


def later(seconds: float) -> datetime:
    return NOW + timedelta(seconds=seconds)


# --- after an answer --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("tries", "longest"),
    [(0, 1), (1, 2), (2, 4), (3, 8), (9, 512), (10, 900), (11, 900), (500, 900), (10**6, 900)],
)
def test_backoff_doubles_to_a_quarter_of_an_hour_less_up_to_half(tries: int, longest: float) -> None:
    assert backoff(tries, 0.0) == longest
    assert backoff(tries, 0.5) == longest * 0.75
    assert backoff(tries, 1.0) == longest / 2


def test_a_message_comes_back_just_after_its_validity_ends_if_it_would_be_later() -> None:
    assert in_time(60.0, None, now=NOW) == 60.0
    assert in_time(60.0, later(60), now=NOW) == 60.0
    assert in_time(60.0, later(10), now=NOW) == 11.0
    assert in_time(60.0, later(-0.25), now=NOW) == 0.75
    assert in_time(60.0, PAST, now=NOW) == 0.0


def test_an_urgent_message_waits_in_place_for_half_a_minute() -> None:
    assert schedule.IN_PLACE == 30


# --- after a lease, and after a hold ----------------------------------------------------------------------------


def test_another_workers_lease_is_waited_out_and_a_second_more() -> None:
    assert after_lease(later(90), now=NOW) == 91.0
    assert after_lease(NOW, now=NOW) == 1.0
    assert after_lease(PAST, now=NOW) == 1.0


@pytest.mark.parametrize(("receives", "spread"), [(1, 3), (2, 6), (19, 57), (20, 60), (21, 60), (500, 60)])
def test_held_messages_come_back_after_their_time_spread_by_how_often_they_have_come(
    receives: int, spread: float
) -> None:
    waiting = Waiting(Lane.ORDINARY, receives)
    assert after_hold(later(120), waiting, now=NOW, chance=0.0) == 120
    assert after_hold(later(120), waiting, now=NOW, chance=0.5) == 120 + spread / 2
    assert after_hold(later(120), waiting, now=NOW, chance=1.0) == 120 + spread
    assert after_hold(PAST, waiting, now=NOW, chance=0.5) == spread / 2


def test_an_urgent_message_comes_back_within_five_seconds_in_its_first_hour() -> None:
    young = Waiting(Lane.URGENT, 700, timedelta(minutes=59, seconds=59.999))
    assert after_hold(later(300), young, now=NOW, chance=0.5) == 5
    assert after_hold(later(2), young, now=NOW, chance=0.5) == 2.5
    assert after_hold(PAST, young, now=NOW, chance=0.25) == 0.25
    assert after_hold(later(4.5), young, now=NOW, chance=0.5) == 5


def test_from_its_second_hour_on_an_urgent_message_takes_the_backoff_of_any_other() -> None:
    old = Waiting(Lane.URGENT, 4, timedelta(hours=1))
    assert after_hold(later(2), old, now=NOW, chance=0.0) == backoff(4, 0.0) == 16
    assert after_hold(PAST, old, now=NOW, chance=1.0) == 8
    assert after_hold(later(300), old, now=NOW, chance=0.0) == 300


@pytest.mark.parametrize(
    ("lane", "age", "tries", "delay"),
    [
        (Lane.ORDINARY, 0, 1, 1.5),
        (Lane.ORDINARY, 0, 4, 12.0),
        (Lane.URGENT, 0, 1, 1.5),
        (Lane.URGENT, 0, 4, 5.0),
        (Lane.URGENT, 60, 4, 12.0),
    ],
)
def test_after_trouble_a_message_takes_the_backoff_unless_somebody_waits_for_it(
    lane: Lane, age: int, tries: int, delay: float
) -> None:
    waiting = Waiting(lane, receives=9, age=timedelta(minutes=age))
    assert after_trouble(tries, waiting, 0.5) == delay


def test_a_message_whose_age_is_not_told_is_young() -> None:
    assert after_hold(later(300), Waiting(Lane.URGENT, 700), now=NOW, chance=0.5) == 5


# --- atTime -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("at_time", "handed_on", "near"),
    [
        (None, False, False),
        ("2026-11-23 11:59:59", False, True),
        ("2026-11-23 12:00:05", False, True),
        ("2026-11-23 12:00:06", True, True),
        ("2026-11-23 12:00:15", True, True),
        ("2026-11-23 12:00:16", True, False),
    ],
)
def test_a_time_for_sending_is_handed_on_while_it_is_to_come_and_near_while_the_platforms_clock_may_be_past_it(
    at_time: str | None, handed_on: bool, near: bool
) -> None:
    assert schedule.still_to_come(at_time, now=NOW) is handed_on
    assert schedule.near(at_time, now=NOW) is near
