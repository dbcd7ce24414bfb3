"""Guard rails at work: what is looked up for a part, what is counted, and what is noted of a refused number."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from kuaixintong.core.caps import Caps
from kuaixintong.core.daily import Wish
from kuaixintong.core.errors import StoreUnavailable, TooSlow
from kuaixintong.core.rails import NOBODY, Charge, LeftOut, Rails
from kuaixintong.core.sends import Category, Part, Send
from kuaixintong.guards import Counted, Guards
from kuaixintong.stores.mobiles import Mobiles
from tests.gates import Incident, gated
from tests.memory_table import MemoryTable

NOW = datetime(2026, 11, 23, 4, 0, tzinfo=UTC)
A, B, C = (f"1370000000{digit}" for digit in range(3))
MANY = tuple(f"{13_700_000_000 + number}" for number in range(250))
CAPPED = Rails(caps=Caps(2, 20))
FILTERING = Rails(invalid_for=timedelta(days=30))
LIMITED = Rails(daily_limit=5)
SEVERAL = Part("1", (A, B))
LONE = Part("1", (A,))
HALF = Part("1.1", (A,))


def send(category: Category = Category.NOTICE, send_id: str = "order-1", **fields: Any) -> Send:
    return Send(send_id, (A, B), (), "x", category=category, **fields)


@pytest.fixture
def table() -> MemoryTable:
    return MemoryTable("MobilesTable")


def guards(table: MemoryTable, rails: Rails, *gates: Incident) -> Guards:
    return Guards(rails, Mobiles(gated(table, "MobilesTable", *gates)), clock=lambda: NOW)


# --- whether anything is looked up at all -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("rails", "category", "part", "concern"),
    [
        (Rails(), Category.MARKETING, LONE, True),
        (Rails(), Category.NOTICE, SEVERAL, False),
        (FILTERING, Category.NOTICE, SEVERAL, True),
        (FILTERING, Category.NOTICE, LONE, False),
        (FILTERING, Category.NOTICE, HALF, True),
        (CAPPED, Category.OTP, LONE, True),
        (CAPPED, Category.NOTICE, LONE, False),
        (LIMITED, Category.NOTICE, LONE, True),
        (LIMITED, Category.OTP, LONE, False),
    ],
)
def test_a_part_concerns_the_rails_that_hold_for_it(
    table: MemoryTable, rails: Rails, category: Category, part: Part, concern: bool
) -> None:
    assert guards(table, rails).concern(send(category), part) is concern


def test_a_send_is_dated_by_the_rail_or_stays_as_it_is(table: MemoryTable) -> None:
    code, notice = send(Category.OTP), send()
    dated = guards(table, Rails(otp_valid=timedelta(minutes=10)))
    assert dated.dated(code, NOW) == replace(code, otp_until=NOW + timedelta(minutes=10))
    assert dated.dated(notice, NOW) is notice
    assert guards(table, Rails()).dated(code, NOW) is code


def test_a_wish_is_what_a_part_costs_and_what_it_has_already(table: MemoryTable) -> None:
    has = Charge("2026-11-23", 2, "1")
    assert guards(table, LIMITED).wish(send(), 4, has) == Wish(4, 5, has)
    assert guards(table, LIMITED).wish(send(Category.OTP), 4, has) is None
    assert guards(table, Rails()).wish(send(), 4, has) is None


# --- caps -------------------------------------------------------------------------------------------------------


def count(guard: Guards, some: Send, part: Part, left_out: LeftOut = NOBODY, seconds: float = 1) -> Counted:
    return guard.count(some, part, left_out, spare=lambda: seconds)


def test_a_send_is_counted_for_each_mobile_once(table: MemoryTable) -> None:
    guard, code = guards(table, CAPPED), send(Category.OTP)
    assert count(guard, code, SEVERAL) == Counted(NOBODY, (A, B))
    assert count(guard, code, SEVERAL) == Counted(NOBODY, ())


def test_who_is_over_a_cap_is_left_out_beside_the_others(table: MemoryTable) -> None:
    guard = guards(table, CAPPED)
    for number in range(2):
        count(guard, send(Category.OTP, f"order-{number}"), Part("1", (B,)))
    found = count(guard, send(Category.OTP, "order-9"), Part("1", (A, B, C)), LeftOut.of({2: "opted out"}))
    assert found.new == (A,)
    reasons = {each.mobile: each.reason for each in found.left_out.named((A, B, C))}
    assert reasons.keys() == {B, C}
    assert reasons[C] == "opted out"
    assert reasons[B].startswith("over")
    assert not any(row["mobile"] == C for row in table.rows.values())


def test_a_category_without_caps_counts_nothing(table: MemoryTable) -> None:
    out = LeftOut.of({0: "opted out"})
    assert count(guards(table, CAPPED), send(), SEVERAL, out) == Counted(out)
    assert count(guards(table, Rails()), send(Category.OTP), SEVERAL, out) == Counted(out)
    assert table.rows == {}


@pytest.mark.parametrize(("times", "counted"), [(0, 100), (1, 200), (2, 250)])
def test_many_are_counted_a_hundred_at_once_as_long_as_there_is_time(
    table: MemoryTable, times: int, counted: int
) -> None:
    spare = iter([0.0] * times)
    guard, code, part = guards(table, CAPPED), send(Category.OTP), Part("1", MANY)
    if counted < len(MANY):
        with pytest.raises(TooSlow, match="could not be counted in time"):
            guard.count(code, part, NOBODY, spare=lambda: next(spare, -1.0))
    else:
        assert guard.count(code, part, NOBODY, spare=lambda: next(spare, -1.0)).new == MANY
    assert len(table.rows) == counted


def test_what_was_counted_is_given_back_as_long_as_there_is_time(table: MemoryTable) -> None:
    guard, code = guards(table, CAPPED), send(Category.OTP)
    count(guard, code, SEVERAL)
    spare = iter([0.0, -1.0])
    guard.give_back(code, (A, B), spare=lambda: next(spare))
    assert count(guard, code, SEVERAL).new == (A,)
    guard.give_back(send(), (A, B), spare=lambda: 1.0)  # of no capped category
    assert count(guard, code, SEVERAL).new == ()


def test_a_row_that_cannot_be_given_back_is_left_at_that(table: MemoryTable) -> None:
    def fail(_: int) -> None:
        raise StoreUnavailable("throttled")

    code = send(Category.OTP)
    count(guards(table, CAPPED), code, SEVERAL)
    guards(table, CAPPED, Incident("*.update", fail)).give_back(code, (A, B), spare=lambda: 1.0)
    assert count(guards(table, CAPPED), code, SEVERAL).new == ()


# --- numbers that the platform refuses --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("rails", "part", "left_out", "noted"),
    [
        (FILTERING, HALF, NOBODY, {A: "2026-11-23"}),
        (FILTERING, SEVERAL, LeftOut.of({0: "opted out"}), {B: "2026-11-23"}),
        (FILTERING, LONE, NOBODY, {}),
        (Rails(), HALF, NOBODY, {}),
        (Rails(), SEVERAL, NOBODY, {}),
    ],
)
def test_a_refused_number_of_several_is_noted_with_the_day(
    table: MemoryTable, rails: Rails, part: Part, left_out: LeftOut, noted: dict[str, str]
) -> None:
    assert guards(table, rails).note_refused(part, left_out) == noted
    assert {row["mobile"]: row["refused_on"] for row in table.rows.values()} == noted


def test_a_number_that_cannot_be_noted_is_asked_for_again(table: MemoryTable) -> None:
    def fail(call: int) -> None:
        if call == 1:
            raise StoreUnavailable("throttled")

    guard = guards(table, FILTERING, Incident("*.update", fail))
    assert guard.note_refused(Part("1", (A, B, C)), NOBODY) == {A: "2026-11-23"}
