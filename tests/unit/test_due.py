"""Waiting as a row: what is held until when, what waits as a message, and the send that a row tells."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from kuaixintong.core import due, sends
from kuaixintong.core.beijing import iso
from kuaixintong.core.due import Due
from kuaixintong.core.lanes import Lane
from kuaixintong.core.ledger import WaitUntil
from kuaixintong.core.references import Reference
from kuaixintong.core.rows import Rows
from kuaixintong.core.sends import Excerpt, Part, Send

NOW = datetime(2026, 11, 23, 4, 0, tzinfo=UTC)
SECOND, QUARTER = timedelta(seconds=1), timedelta(minutes=15)
NOON = "2026-11-23 12:00:00"
MOBILES = [f"1370000000{number}" for number in range(8)]
ROWS = Rows(timedelta(days=180), timedelta(seconds=90))


def send_of(**changes: Any) -> Send:
    return sends.parse(json.dumps({"id": "held", "mobiles": MOBILES, "content": "x"} | changes), "m-1")


# --- until when -------------------------------------------------------------------------------------------------


def test_a_held_send_waits_until_its_time_and_no_longer() -> None:
    held = send_of(atTime=NOON, hold=True)
    assert due.held(held, now=NOW - SECOND) == WaitUntil(NOW, f"Held until {NOON}, Beijing time.")
    assert due.held(held, now=NOW) is None


def test_a_send_that_is_not_held_does_not_wait_here() -> None:
    assert due.held(send_of(atTime=NOON), now=NOW - SECOND) is None
    assert due.held(send_of(), now=NOW) is None


@pytest.mark.parametrize(
    ("wait", "as_a_row"), [(QUARTER - SECOND, False), (QUARTER, False), (QUARTER + SECOND, True)]
)
def test_what_waits_for_more_than_a_quarter_of_an_hour_waits_as_a_row(wait: timedelta, as_a_row: bool) -> None:
    assert due.waits_as_a_row(WaitUntil(NOW + wait, ""), now=NOW) is as_a_row


def test_a_row_is_looked_at_when_it_is_due_or_expires_before() -> None:
    wait = WaitUntil(NOW, "")
    assert due.first_look(wait, None) == NOW
    assert due.first_look(wait, NOW + SECOND) == NOW
    assert due.first_look(wait, NOW - SECOND) == NOW - SECOND


# --- what is enqueued -------------------------------------------------------------------------------------------

INDEXED = {"send_id": "held", "part": "1", "fingerprint": "f" * 32, "due_at": "T", "due_shard": "due#1"}


@pytest.mark.parametrize(
    ("told", "lane"),
    [({"lane": "urgent"}, Lane.URGENT), ({"lane": "ordinary"}, Lane.ORDINARY), ({}, Lane.ORDINARY)],
)
def test_a_row_that_is_due_goes_back_into_its_own_lane(told: dict[str, str], lane: Lane) -> None:
    assert Due.of(INDEXED | told) == Due(Reference("held", "1", "f" * 32), lane, "T")


def test_the_shards_are_all_there_are() -> None:
    assert due.shards() == [f"due#{number}" for number in range(8)]
    assert {due.shard("held", str(part)) for part in range(200)} == {*due.shards()}


# --- the send that a row tells ----------------------------------------------------------------------------------

WHOLE = {
    "atTime": NOON,
    "dailyBeginTime": "08:00:00",
    "dailyEndTime": "18:00:00",
    "validUntil": "2026-11-25 12:00:00",
    "category": "marketing",
    "campaign": "autumn",
    "hold": True,
}


def told(row: dict[str, Any], first_level: dict[str, Any] | None = None) -> Send:
    kept = {name: value for name, value in row.items() if value is not None}
    return due.restored(kept, first_level or kept, "x")


def test_a_row_tells_all_that_its_send_says_of_it() -> None:
    send = send_of(**WHOLE, mobiles=[*MOBILES, "bad"])
    [part] = send.parts
    again = told(ROWS.noted(send, part, now=NOW))
    for name in ("send_id", "content", "at_time", "daily_begin_time", "daily_end_time", "valid_until"):
        assert getattr(again, name) == getattr(send, name)
    assert (again.category, again.campaign, again.hold) == (send.category, "autumn", True)
    assert (again.parts, again.fingerprint, again.expires) == (send.parts, send.fingerprint, send.expires)


def test_a_row_tells_until_when_its_code_is_good() -> None:
    until = NOW + timedelta(minutes=10)
    send = replace(send_of(category="otp"), otp_until=until)
    assert told(ROWS.noted(send, send.parts[0], now=NOW)).otp_until == until
    assert told(ROWS.noted(send_of(), send_of().parts[0], now=NOW)).otp_until is None


def test_a_row_tells_its_part_alone_and_of_how_many() -> None:
    send = send_of(mobiles=[f"137{number:08}" for number in range(10_001)])
    second = told(ROWS.noted(send, send.parts[1], now=NOW))
    assert (second.parts, second.parts_in_all) == ((send.parts[1],), 2)
    assert ROWS.noted(second, second.parts[0], now=NOW) == ROWS.noted(send, send.parts[1], now=NOW)


def test_a_halfs_mobiles_are_those_of_its_positions() -> None:
    send = send_of()
    half = send.parts[0].halves()[1].halves()[0]
    row = ROWS.noted(send, half, now=NOW)
    assert told(row, {"divided": MOBILES}).parts == (half,)
    assert told(row, {"mobiles": MOBILES}).parts == (Part("1.2.1", tuple(MOBILES[4:6]), start=4),)


def test_a_part_that_a_310_divided_is_told_whole() -> None:
    send = send_of()
    row = {**ROWS.noted(send, send.parts[0], now=NOW), "mobiles": None, "divided": MOBILES}
    assert told(row).parts == send.parts


def test_a_row_of_a_notice_from_before_there_was_hold_tells_the_defaults() -> None:
    again = due.restored(
        {"send_id": "a", "part": "1", "fingerprint": "f", "mobiles": MOBILES}, {"mobiles": MOBILES}, "x"
    )
    assert again.excerpt == Excerpt(Part("1", tuple(MOBILES)), 1, "f", lent=False)
    assert (again.category, again.hold, again.at_time) == (send_of().category, False, None)


# --- the rows themselves ----------------------------------------------------------------------------------------


def test_a_part_that_waits_as_a_row_lives_on_from_the_time_that_it_waits_for() -> None:
    send, until = send_of(**WHOLE), NOW + timedelta(days=1)
    change = ROWS.parked(send, send.parts[0], WaitUntil(until, "Because."), lane="urgent", now=NOW)
    told_of = {"state": "WAITING", "words": "Because.", "waits_until": iso(until), "due_at": iso(until)}
    told_of |= {"due_shard": due.shard("held", "1"), "lane": "urgent", "content": "x"}
    assert told_of.items() <= change.values.items()
    assert change.values["expires_at"] == int((until + timedelta(days=180)).timestamp())
    assert change.added == {"revision": 1}


@pytest.mark.parametrize("store_content", [True, False])
def test_a_text_is_lent_where_none_is_kept(store_content: bool) -> None:
    rows = Rows(timedelta(days=180), timedelta(seconds=90), store_content)
    send = send_of(**WHOLE)
    change = rows.parked(send, send.parts[0], WaitUntil(NOW, ""), lane="urgent", now=NOW)
    assert (change.values["content"], change.values["content_lent"]) == ("x", None if store_content else True)
    assert rows.noted(send, send.parts[0], now=NOW)["content"] == ("x" if store_content else None)
