"""Parts of a send and their halves: where each stands, and what of them is never shown."""

from datetime import UTC, datetime

from kuaixintong.core.sends import Category, InvalidMobile, Part, Send, first_level

MOBILES = tuple(f"1370000000{number}" for number in range(7))


def test_halves_tell_where_they_stand_in_the_part_that_was_divided_first() -> None:
    whole = Part("2", MOBILES)
    first, second = whole.halves()
    assert (whole.start, first.start, second.start) == (0, 0, 3)
    assert [half.start for half in first.halves()] == [0, 1]
    assert [half.start for half in second.halves()] == [3, 5]
    for half in (*first.halves(), *second.halves()):
        assert half.mobiles == MOBILES[half.start : half.start + len(half.mobiles)]


def test_a_half_is_of_the_part_that_was_divided_first_however_often_it_was() -> None:
    assert [*map(first_level, ("1", "12", "12.1", "12.1.2"))] == ["1", "12", "12", "12"]


def test_a_part_is_a_half_by_its_name() -> None:
    whole = Part("10", MOBILES)
    assert not whole.is_half
    assert all(half.is_half for half in whole.halves())


def test_neither_a_part_nor_a_send_shows_whom_it_is_for_or_what_it_says() -> None:
    bad = (InvalidMobile("12345", "not 11 digits"),)
    part = Part("1", MOBILES, bad)
    send = Send("order-1", MOBILES, bad, "周末参加不了培训了")
    for shown in (repr(part), repr(send)):
        assert not [text for text in (MOBILES[0], "InvalidMobile", "12345", "周末") if text in shown]
    assert "name='1'" in repr(part)
    assert "order-1" in repr(send)


def test_what_a_send_leaves_out_is_not_there_and_it_is_a_notice() -> None:
    assert Send("order-1", MOBILES, (), "x") == Send(
        "order-1",
        MOBILES,
        (),
        "x",
        at_time=None,
        daily_begin_time=None,
        daily_end_time=None,
        valid_until=None,
        category=Category.NOTICE,
        campaign=None,
        hold=False,
    )
    assert Part("1", MOBILES) == Part("1", MOBILES, invalid_mobiles=(), start=0)


def test_a_send_expires_at_its_validity_in_beijing() -> None:
    until = Send("order-1", MOBILES, (), "x", valid_until="2026-11-23 12:00:00")
    assert until.expires == datetime(2026, 11, 23, 4, 0, tzinfo=UTC)
    assert Send("order-1", MOBILES, (), "x").expires is None
