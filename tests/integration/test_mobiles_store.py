"""The Mobiles table: opt-outs in any order, refused numbers, and caps that are exact."""

import itertools
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import boto3
import pytest

from kuaixintong.core import caps
from kuaixintong.core.caps import Caps, place
from kuaixintong.core.errors import StoreUnavailable
from kuaixintong.core.rails import Known, What
from kuaixintong.stores.mobiles import Mobiles
from kuaixintong.stores.optouts import OptOutRows
from kuaixintong.stores.table import DynamoTable
from tests.gates import Incident, gated
from tests.memory_table import MemoryTable
from tests.template import create_tables

MOBILE, OTHER = "13700000001", "13700000002"
NOW = datetime(2026, 11, 23, 4, 0, tzinfo=UTC)
BOTH = {What.OPT_OUT, What.INVALID}


@pytest.fixture
def table() -> MemoryTable:
    return MemoryTable("MobilesTable")


# --- opt-outs --------------------------------------------------------------------------------------------------


def test_any_order_of_changes_ends_in_the_same_row() -> None:
    changes = [("2026-11-23T12:00:00", True), ("2026-11-23T12:00:01", False), ("2026-11-23T12:00:01", True)]
    ends = set()
    for count in (1, 2, 3):
        for order in itertools.permutations(changes * 2, count + 3):
            if {*order} != {*changes}:
                continue
            table = MemoryTable("MobilesTable")
            for at, out in order:
                OptOutRows(table).change(MOBILE, out=out, at=at, by="mo")
            ends.add(tuple(sorted(table.rows[MOBILE, "opt-out"].items())))
    assert len(ends) == 1
    assert dict(ends.pop())["state"] == "out"


def test_a_change_tells_whether_it_is_news(table: MemoryTable) -> None:
    rows = OptOutRows(table)
    assert rows.change(MOBILE, out=True, at="2", by="mo")
    assert not rows.change(MOBILE, out=True, at="2", by="mo")
    assert not rows.change(MOBILE, out=False, at="2", by="person")
    assert not rows.change(MOBILE, out=False, at="1", by="person")
    assert rows.change(MOBILE, out=False, at="3", by="person")
    assert rows.of(MOBILE) == {
        "mobile": MOBILE,
        "what": "opt-out",
        "state": "in",
        "changed_at": "3",
        "by": "person",
    }


# --- what is known ---------------------------------------------------------------------------------------------


def test_what_is_known_is_what_was_asked(table: MemoryTable) -> None:
    mobiles = Mobiles(table)
    OptOutRows(table).change(MOBILE, out=True, at="1", by="mo")
    OptOutRows(table).change(OTHER, out=False, at="1", by="mo")
    assert mobiles.refuse(OTHER, now=NOW, keep=timedelta(days=1)) == "2026-11-23"
    asked = (MOBILE, OTHER)
    assert mobiles.known(asked, BOTH, now=NOW) == Known(frozenset({MOBILE}), {OTHER: "2026-11-23"})
    assert mobiles.known(asked, {What.OPT_OUT}, now=NOW) == Known(frozenset({MOBILE}))
    assert mobiles.known(asked, {What.INVALID}, now=NOW) == Known(refused={OTHER: "2026-11-23"})
    late = NOW + timedelta(days=1)
    assert mobiles.known(asked, {What.INVALID}, now=late) == Known()
    assert mobiles.known(asked, set(), now=NOW) == Known()


def test_ten_thousand_are_read_side_by_side(table: MemoryTable) -> None:
    many = [f"{13_700_000_000 + number}" for number in range(10_000)]
    for mobile in many[::33]:
        OptOutRows(table).change(mobile, out=True, at="1", by="mo")
    with ThreadPoolExecutor(4) as pool:
        assert Mobiles(table, pool).known(many, BOTH, now=NOW).opted_out == {*many[::33]}


# --- caps ------------------------------------------------------------------------------------------------------


def count(mobiles: Mobiles, send_id: str, cap: Caps, now: datetime = NOW) -> tuple[bool, str]:
    return mobiles.count(MOBILE, caps.digest(send_id, "f"), cap, now=now)


def test_a_send_is_counted_once(table: MemoryTable) -> None:
    mobiles, cap = Mobiles(table), Caps(2, 2)
    assert [count(mobiles, name, cap) for name in ("a", "a", "b", "a", "b")] == [
        (True, ""),
        (False, ""),
        (True, ""),
        (False, ""),
        (False, ""),
    ]
    counted, over = count(mobiles, "c", cap)
    assert (counted, over[:12]) == (False, "over the cap")


def test_a_count_whose_answer_is_lost_counts_once(table: MemoryTable) -> None:
    def lose(number: int) -> None:
        if number == 0:
            raise StoreUnavailable("lost")

    mobiles = Mobiles(gated(table, "MobilesTable", Incident("*.update", lose, after=True)))
    with pytest.raises(StoreUnavailable):
        count(mobiles, "a", Caps(1, 1))
    assert count(mobiles, "a", Caps(1, 1)) == (False, "")
    assert count(mobiles, "b", Caps(1, 1))[1] != ""


def test_windows_slide(table: MemoryTable) -> None:
    mobiles, cap, now = Mobiles(table), Caps(2, 30), NOW
    accepted: list[datetime] = []
    for number in range(200):
        counted, over = count(mobiles, f"{number}", cap, now)
        assert counted is (not over)
        if counted:
            accepted.append(now)
        now += timedelta(minutes=7)
    assert all(
        later - earlier >= timedelta(hours=1) for earlier, later in zip(accepted, accepted[2:], strict=False)
    )
    assert len(accepted) > 30


@pytest.mark.parametrize("which", range(5))
def test_what_is_given_back_leaves_no_gap(table: MemoryTable, which: int) -> None:
    mobiles, cap = Mobiles(table), Caps(5, 5)
    for number in range(5):
        count(mobiles, f"{number}", cap, NOW + timedelta(minutes=number))
    mobiles.give_back(MOBILE, caps.digest(f"{which}", "f"))
    later = NOW + timedelta(minutes=6)
    assert count(mobiles, "new", cap, later) == (True, "")
    assert count(mobiles, "one too many", cap, later)[1] != ""
    held = [caps.held(table.rows[MOBILE, "otp"], caps.digest(f"{number}", "f")) for number in range(5)]
    assert [number for number, each in enumerate(held) if each is None] == [which]


def test_what_was_never_counted_is_not_given_back(table: MemoryTable) -> None:
    mobiles = Mobiles(table)
    mobiles.give_back(MOBILE, caps.digest("a", "f"))
    assert table.rows == {}
    count(mobiles, "a", Caps(1, 1))
    mobiles.give_back(MOBILE, caps.digest("b", "f"))
    assert place(0) in table.rows[MOBILE, "otp"]


def test_a_count_that_comes_between_is_not_lost_by_a_giving_back(table: MemoryTable) -> None:
    mobiles, cap = Mobiles(table), Caps(3, 3)
    count(mobiles, "a", cap)
    between = Incident("*.update", lambda number: count(mobiles, "b", cap) if number == 0 else None)
    Mobiles(gated(table, "MobilesTable", between)).give_back(MOBILE, caps.digest("a", "f"))
    row = table.rows[MOBILE, "otp"]
    assert (caps.held(row, caps.digest("a", "f")), caps.held(row, caps.digest("b", "f"))) == (None, 0)


# --- in DynamoDB's own words -----------------------------------------------------------------------------------


def test_counting_and_giving_back_are_what_dynamodb_takes(aws: None) -> None:
    client = boto3.client("dynamodb")
    mobiles = Mobiles(DynamoTable(client, create_tables(client, "caps-")["MobilesTable"]))
    cap = Caps(2, 30)
    assert [count(mobiles, name, cap) for name in ("a", "b", "a")] == [(True, ""), (True, ""), (False, "")]
    assert count(mobiles, "c", cap)[1].startswith("over the cap of 2 one-time codes in 60 minutes")
    mobiles.give_back(MOBILE, caps.digest("a", "f"))
    assert count(mobiles, "c", cap) == (True, "")
    assert count(mobiles, "d", cap, NOW + timedelta(minutes=60)) == (True, "")
    mobiles.refuse(MOBILE, now=NOW, keep=timedelta(days=1))
    assert mobiles.known([MOBILE, OTHER], BOTH, now=NOW) == Known(refused={MOBILE: "2026-11-23"})


def test_many_are_counted_side_by_side_each_with_its_own_outcome(table: MemoryTable) -> None:
    with ThreadPoolExecutor(4) as threads:
        mobiles, cap = Mobiles(table, threads), Caps(1, 1)
        assert mobiles.count(OTHER, "before", cap, now=NOW) == (True, "")
        counted = mobiles.count_each([MOBILE, OTHER], "this", cap, now=NOW)
        again = mobiles.count_each([MOBILE, OTHER], "this", cap, now=NOW)
    assert [new for new, _ in counted] == [True, False]
    assert [bool(over) for _, over in counted] == [False, True]
    assert again[0] == (False, "")
