"""Timestamps as the spec has them, and times of day in Beijing wherever the machine thinks it is."""

import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kuaixintong.core import beijing

ticks = st.integers(0, 2**46)  # until the year 2192


@pytest.fixture(params=["UTC", "America/New_York", "Asia/Shanghai"], autouse=True)
def zone(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A Lambda runs in UTC, a developer's machine anywhere."""
    monkeypatch.setenv("TZ", request.param)
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


def test_a_timestamp_is_the_specs_18_digits_in_beijing_time() -> None:
    moment = datetime(2015, 1, 24, 12, 11, 31, 100_000, UTC)
    assert beijing.timestamp(beijing.ticks(moment)) == "201501242011311000"  # spec 2.2


def test_a_moment_between_two_ticks_belongs_to_the_earlier() -> None:
    moment = datetime(2015, 1, 24, 12, 11, 31, 100_099, UTC)
    assert beijing.timestamp(beijing.ticks(moment)) == "201501242011311000"
    assert beijing.timestamp(beijing.ticks(moment) + 1) == "201501242011311001"


def test_a_second_ends_where_the_next_begins() -> None:
    last = beijing.ticks(datetime(2015, 12, 31, 15, 59, 59, 999_999, UTC))
    assert beijing.timestamp(last) == "201512312359599999"
    assert beijing.timestamp(last + 1) == "201601010000000000"


@given(ticks, st.integers(1, 10**9))
def test_later_ticks_are_later_timestamps(tick: int, more: int) -> None:
    earlier, later = beijing.timestamp(tick), beijing.timestamp(tick + more)
    assert len(earlier) == len(later) == 18
    assert earlier.isdecimal()
    assert earlier < later


def test_the_specs_date_is_read_as_beijing_time() -> None:
    moment = beijing.parse("2015-04-01 12:00:00")
    assert moment == datetime(2015, 4, 1, 4, 0, tzinfo=UTC)
    assert moment.utcoffset() == timedelta(hours=8)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "2015-04-31 12:00:00",
        "2015-02-29 12:00:00",
        "2015-04-01 24:00:00",
        "2015-04-01 12:00:60",
        "2015-13-01 12:00:00",
        "2015-4-1 12:00:00",
        "2015-04-01T12:00:00",
        "2015-04-01 12:00",
        "2015-04-01 12:00:00 ",
        " 2015-04-01 12:00:00",
        "2015-04-01 12:00:00+0800",
        "0001-01-01 00:00:00",
        "0000-01-01 00:00:00",
        "２０１５-04-01 12:00:00",
    ],
)
def test_what_is_not_a_date_in_the_specs_form_is_refused(text: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011  # the words are the library's
        beijing.parse(text)


@given(st.integers(0, 2**52))
def test_iso_text_sorts_as_time_and_comes_back(microseconds: int) -> None:
    moment = datetime(2000, 1, 1, tzinfo=UTC) + timedelta(microseconds=microseconds)
    text = beijing.iso(moment)
    assert len(text) == len("2026-11-23T12:00:00.000+08:00")
    assert text.endswith("+08:00")
    assert timedelta() <= moment - beijing.from_iso(text) < timedelta(milliseconds=1)
    assert beijing.iso(moment + timedelta(milliseconds=1)) > text


def test_a_date_whose_parts_are_too_short_is_named_in_the_error() -> None:
    with pytest.raises(ValueError, match=r"^2015-4-1 12:00:00$"):
        beijing.parse("2015-4-1 12:00:00")


@pytest.mark.parametrize(
    ("asked", "answered", "ahead"),
    [
        (0.0, 0.5, 0.0),
        (0.9, 1.4, 0.0),
        (1.0, 1.5, 0.0),
        (1.25, 1.5, 0.25),
        (4.0, 9.0, 3.0),
        (-0.75, 0.25, 0.0),
        (-0.75, 0.0, 0.0),
        (-4.0, -3.5, -3.5),
    ],
    ids=[
        "in the same second",
        "within the second that the other tells whole",
        "a second later",
        "ahead by what that second leaves no room for",
        "however long the answer takes",
        "behind, if the other looked at once",
        "or at the very end",
        "behind even when the answer comes",
    ],
)
def test_a_clock_is_ahead_or_behind_by_what_is_certain(asked: float, answered: float, ahead: float) -> None:
    told = datetime(2026, 11, 23, 4, 0, tzinfo=UTC)
    seconds = [told + timedelta(seconds=each) for each in (asked, answered)]
    assert beijing.ahead(asked=seconds[0], told=told, answered=seconds[1]) == ahead
