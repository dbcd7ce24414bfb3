"""Who is left out of a request and why, as values; and how a row keeps it."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kuaixintong.core.caps import Caps
from kuaixintong.core.delivery import left_out as told
from kuaixintong.core.rails import (
    AS_ASKED,
    NOBODY,
    Charge,
    Known,
    LeftOut,
    Rails,
    Terms,
    What,
    kinds,
    listed,
    words_for,
)
from kuaixintong.core.sends import Category, InvalidMobile, Part, Send

CID = "12345678"

MOBILES = tuple(f"{13_700_000_000 + number}" for number in range(4))
A, B, C, D = MOBILES
NOW = datetime(2026, 11, 23, 4, 0, tzinfo=UTC)
ON = Rails(
    invalid_for=timedelta(days=30),
    caps=Caps(10, 20),
    otp_valid=timedelta(minutes=10),
    daily_limit=5,
    hours=("08:00:00", "21:00:00"),
)
OFF = Rails()


def send(category: Category = Category.NOTICE, *, hold: bool = False, **fields: str) -> Send:
    return Send("m-1", MOBILES, (), "x", category=category, hold=hold, **fields)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("category", "mobiles", "asked"),
    [
        (Category.NOTICE, 1, set()),
        (Category.NOTICE, 2, {What.INVALID}),
        (Category.OTP, 1, set()),
        (Category.OTP, 2, {What.INVALID}),
        (Category.MARKETING, 1, {What.OPT_OUT}),
        (Category.MARKETING, 2, {What.OPT_OUT, What.INVALID}),
    ],
)
def test_what_is_looked_up_for_whom(category: Category, mobiles: int, asked: set[What]) -> None:
    assert ON.asks(category, mobiles) == asked
    assert OFF.asks(category, mobiles) == asked - {What.INVALID}


def test_caps_hold_for_codes_and_the_limit_for_all_others() -> None:
    assert [ON.capped(each) for each in Category] == [each is Category.OTP for each in Category]
    assert [ON.limited(each) for each in Category] == [each is not Category.OTP for each in Category]
    assert not any(OFF.capped(each) or OFF.limited(each) for each in Category)


KNOWN = Known(frozenset({B, C}), {C: "2026-11-01", D: "2026-11-02"})


def test_the_first_reason_that_holds_is_told() -> None:
    assert ON.left_out(MOBILES, KNOWN, None) == LeftOut({"opted out": [1, 2], "310, refused on 2026-11-02": [3]})
    allowed = frozenset({A, C})
    assert ON.left_out(MOBILES, KNOWN, allowed) == LeftOut({"not in AllowList": [1, 3], "opted out": [2]})
    assert ON.left_out(MOBILES, Known(), None) == NOBODY
    assert ON.left_out(MOBILES, Known(), frozenset()).remaining(MOBILES) == ()


def test_who_remains_stays_in_order() -> None:
    out = LeftOut({"opted out": [0, 2]})
    assert (out.remaining(MOBILES), len(out), bool(out)) == ((B, D), 2, True)
    assert list(out.named(MOBILES)) == [InvalidMobile(A, "opted out"), InvalidMobile(C, "opted out")]
    more = out.and_also({1: "over the cap"})
    assert more == LeftOut({"opted out": [0, 2], "over the cap": [1]})
    assert (NOBODY.remaining(MOBILES), len(NOBODY), bool(NOBODY)) == (MOBILES, 0, False)


@given(st.dictionaries(st.integers(0, 9_999), st.sampled_from(["opted out", "310, refused on 2026-11-01"])))
def test_a_row_gives_back_what_it_was_given(reasons: dict[int, str]) -> None:
    out = LeftOut.of(reasons)
    again = LeftOut.read(out.written())
    assert {why: tuple(each) for why, each in again.positions.items()} == {
        why: tuple(each) for why, each in out.positions.items()
    }


@pytest.mark.parametrize(
    ("positions", "written"), [([0], "0"), ([0, 1, 2, 5], "0-2,5"), ([1, 3], "1,3"), ([9_998, 9_999], "9998-9999")]
)
def test_positions_are_written_as_ranges(positions: list[int], written: str) -> None:
    assert LeftOut({"x": positions}).written() == {"x": written}


def test_however_many_are_left_out_a_row_has_room_for_it() -> None:
    every_other = list(range(0, 10_000, 2))
    (text,) = LeftOut({"opted out": every_other}).written().values()
    assert (len(text) < 2_000, text[0]) == (True, "~")
    assert LeftOut.read({"opted out": text}).positions["opted out"] == tuple(every_other)


def test_terms_come_back_from_a_row() -> None:
    terms = Terms(LeftOut({"opted out": [1]}), ("08:00:00", "21:00:00"))
    assert terms.written() == {"left_out": {"opted out": "1"}, "hours": "08:00:00-21:00:00"}
    assert Terms.read(terms.written()) == Terms(LeftOut({"opted out": (1,)}), ("08:00:00", "21:00:00"))
    assert (AS_ASKED.written(), Terms.read({})) == ({}, AS_ASKED)


def test_few_are_listed_one_by_one_and_many_by_reason() -> None:
    few = [InvalidMobile(f"{number}", "r") for number in range(1_000)]
    assert listed(few) == [{"mobile": each.mobile, "reason": "r"} for each in few]
    many = [*few, InvalidMobile("x", "s")]
    assert listed(many) == [
        {"reason": "r", "mobiles": [each.mobile for each in few]},
        {"reason": "s", "mobiles": ["x"]},
    ]
    assert listed([]) is None
    for invalid in (few, many):
        assert told({"invalid_mobiles": listed(invalid)}) == {each.mobile: each.reason for each in invalid}


def test_the_words_of_a_part_of_which_nobody_is_left() -> None:
    assert words_for(LeftOut({"opted out": [0]})) == "Nobody is left of this part's mobiles: opted out."
    both = LeftOut({"opted out": [0], "not in AllowList": [1]})
    assert words_for(both) == "Nobody is left of this part's mobiles; invalid_mobiles says why."


def test_metrics_tell_the_rail() -> None:
    out = LeftOut(
        {
            "opted out": [0, 1],
            "not in AllowList": [2],
            "310, refused on 2026-11-01": [3],
            "310, refused on 2026-11-02": [4],
            "over the cap of 10 one-time codes in 60 minutes, until 2026-11-23 13:00": [5],
        }
    )
    assert kinds(out) == {"OptedOut": 2, "NotAllowed": 1, "Invalid": 2, "Capped": 1}
    assert kinds(NOBODY) == {}


def test_marketing_that_names_neither_end_gets_the_window() -> None:
    assert ON.window(send(Category.MARKETING)) == ("08:00:00", "21:00:00")
    assert OFF.window(send(Category.MARKETING)) is None
    for each in (
        send(Category.NOTICE),
        send(Category.OTP),
        send(Category.MARKETING, daily_begin_time="09:00:00"),
        send(Category.MARKETING, daily_end_time="09:00:00"),
    ):
        assert ON.window(each) is None


def test_a_code_expires_after_it_was_enqueued_or_held() -> None:
    until = NOW + timedelta(minutes=10)
    assert ON.valid_until(send(Category.OTP), NOW) == until
    assert ON.valid_until(send(Category.OTP, at_time="2026-11-23 13:00:00"), NOW) == until
    held = send(Category.OTP, hold=True, at_time="2026-11-23 13:00:00")
    assert ON.valid_until(held, NOW) == ON.valid_until(held, None) == NOW + timedelta(minutes=70)
    assert ON.valid_until(send(Category.OTP), None) is None
    assert OFF.valid_until(send(Category.OTP), NOW) is None
    assert ON.valid_until(send(Category.NOTICE), NOW) is None
    assert ON.valid_until(send(Category.OTP, valid_until="2026-11-23 13:00:00"), NOW) is None


def test_the_halves_of_a_part_share_what_it_was_charged() -> None:
    part = Part("1", MOBILES)
    first, second = part.halves()
    charge = Charge("2026-11-23", 9, CID)  # three mobiles of three segments
    out = LeftOut({"opted out": [0]})
    assert charge.share(part, first, out) == Charge("2026-11-23", 3, CID)
    assert charge.share(part, second, out) == Charge("2026-11-23", 6, CID)
    assert charge.share(part, first, LeftOut({"opted out": [0, 1]})) is None
    one, two = second.halves()
    assert Charge("2026-11-23", 6, CID).share(second, two, NOBODY) == Charge("2026-11-23", 3, CID)
    assert one.start == 2
