"""Caps on one-time codes: a register of times, and what decides in it."""

from datetime import UTC, datetime, timedelta

import pytest

from kuaixintong.core import caps
from kuaixintong.core.caps import BLANK, MOST, Caps, place

NOW = datetime(2026, 11, 23, 4, 0, tzinfo=UTC)  # noon in Beijing
HOUR = timedelta(hours=1)
TWO = Caps(per_hour=2, per_day=3)


def register(*ages: timedelta) -> dict[str, str]:
    return {place(number): caps.entry(f"digest-{number:04}", NOW - age) for number, age in enumerate(ages)}


@pytest.mark.parametrize(
    ("ages", "over"),
    [
        ([], ""),
        ([timedelta()], ""),
        ([timedelta(), HOUR], ""),
        (
            [timedelta(), HOUR - timedelta(milliseconds=1)],
            "2 one-time codes in 60 minutes, until 2026-11-23 12:01",
        ),
        ([timedelta(), timedelta(minutes=1)], "2 one-time codes in 60 minutes, until 2026-11-23 12:59"),
        ([HOUR, HOUR, 12 * HOUR], "3 one-time codes a day, until 2026-11-24 00:00"),
        ([HOUR, HOUR, 12 * HOUR + timedelta(milliseconds=1)], ""),
        ([timedelta(), timedelta(), timedelta()], "3 one-time codes a day, until 2026-11-24 00:00"),
    ],
)
def test_the_later_of_the_ends_is_told(ages: list[timedelta], over: str) -> None:
    row = register(*ages)
    assert TWO.over(row, NOW) == (f"over the cap of {over}" if over else "")
    free = all(row.get(place(number), "") <= bound for number, bound in TWO.free_since(NOW).items())
    assert free is (not over)  # the condition of the write, and the words, say the same


def test_a_cap_of_nothing_is_none() -> None:
    assert not Caps(0, 0)
    assert (Caps(0, 0).places, Caps(0, 0).free_since(NOW), Caps(0, 0).over(register(HOUR), NOW)) == (0, {}, "")
    assert Caps(1, 0).over(register(timedelta()), NOW).startswith("over the cap of 1 one-time codes in 60")
    assert Caps(0, 1).over(register(timedelta()), NOW).startswith("over the cap of 1 one-time codes a day")


def test_one_place_can_decide_for_both() -> None:
    same = Caps(2, 2)
    assert list(same.free_since(NOW)) == [1]
    assert same.over(register(timedelta(), 2 * HOUR), NOW).endswith("a day, until 2026-11-24 00:00")
    early = datetime(2026, 11, 22, 16, 30, tzinfo=UTC)  # half past midnight: yesterday's code is of this hour
    row = {place(1): caps.entry("x", early - timedelta(minutes=40))}
    assert same.over(row, early) == "over the cap of 2 one-time codes in 60 minutes, until 2026-11-23 00:50"
    assert not row[place(1)] <= same.free_since(early)[1]


def test_a_place_that_has_held_nothing_is_free() -> None:
    assert TWO.over({place(1): BLANK, place(2): BLANK}, NOW) == ""
    assert all(bound > BLANK for bound in TWO.free_since(NOW).values())


def test_a_send_is_known_by_eight_bytes() -> None:
    digest = caps.digest("m-1", "f")
    assert len(digest) == 11
    assert len({digest, caps.digest("m-2", "f"), caps.digest("m-1", "g")}) == 3
    row = register(HOUR, HOUR) | {place(2): caps.entry(digest, NOW)}
    assert (caps.held(row, digest), caps.held(row, caps.digest("m-2", "f")), caps.held({}, digest)) == (
        2,
        None,
        None,
    )


def test_an_entry_is_eleven_digits_of_time_and_the_digest() -> None:
    assert caps.entry("digest-0001", NOW) == f"{1_795_406_400_000:011x}digest-0001"
    assert BLANK == "00000000000"


def test_times_sort_as_text() -> None:
    moments = [datetime(year, 1, 1, tzinfo=UTC) for year in (1970, 2001, 2026, 2106, 2500)]
    stamps = [caps.stamp(moment) for moment in moments]
    assert stamps == sorted(stamps)
    assert {len(each) for each in stamps} == {len(BLANK)}


def test_a_full_register_is_under_a_kilobyte() -> None:
    row = {place(number): caps.entry(caps.digest("m", "f"), NOW) for number in range(MOST)}
    row |= {"mobile": "13700000001", "what": "otp"}
    assert sum(len(name) + len(value) for name, value in row.items()) + len("expires_at") + 10 < 1_024
