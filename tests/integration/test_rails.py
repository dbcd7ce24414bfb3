"""Guard rails in the sender: who is left out of a request, what its row says of it, and what it costs."""

import json
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest

from kuaixintong.claims import Claimed
from kuaixintong.core.beijing import iso
from kuaixintong.core.caps import Caps
from kuaixintong.core.delivery import left_out
from kuaixintong.core.ledger import Bid, Outcome, rule_for
from kuaixintong.core.messages import Answer
from kuaixintong.core.rails import Rails
from kuaixintong.core.sends import parse
from kuaixintong.errand import QueueMessage
from kuaixintong.stores.mobiles import Mobiles
from kuaixintong.stores.optouts import OptOutRows
from tests.gates import Life
from tests.sending import fails, proven
from tests.world import World

FIRST, SECOND, THIRD = "13700000001", "13700000002", "13700000003"
ALL = Rails(
    invalid_for=timedelta(days=30),
    caps=Caps(10, 20),
    otp_valid=timedelta(minutes=10),
    hours=("08:00:00", "21:00:00"),
)


def body(*mobiles: str, category: str = "marketing", **fields: Any) -> dict[str, Any]:
    return {"mobiles": [*mobiles], "content": "周末八折，拒收请回复R", "category": category, **fields}


def many(count: int) -> list[str]:
    return [f"{13_700_000_000 + number}" for number in range(count)]


@pytest.fixture
def world() -> World:
    return World(rails=ALL)


def opt_out(world: World, *mobiles: str, out: bool = True) -> None:
    rows = OptOutRows(world.table("MobilesTable"))
    for mobile in mobiles:
        rows.change(mobile, out=out, at=iso(world.now), by="mo")


# --- opt-outs --------------------------------------------------------------------------------------------------


def test_who_opted_out_gets_no_marketing_and_is_listed_with_the_reason(world: World) -> None:
    opt_out(world, SECOND)
    world.deliver(body(FIRST, SECOND, THIRD))
    assert sorted(world.accepted()) == [FIRST, THIRD]
    row = world.row()
    assert (row["state"], row["mobiles"], row["fee"]) == ("ACCEPTED", [FIRST, THIRD], 2)
    assert row["invalid_mobiles"] == [{"mobile": SECOND, "reason": "opted out"}]
    assert "left_out" not in row


def test_who_opted_out_gets_notices_and_codes(world: World) -> None:
    opt_out(world, FIRST)
    for number, category in enumerate(("notice", "otp")):
        world.deliver(body(FIRST, category=category), message_id=f"m-{number}")
    assert world.accepted() == [FIRST, FIRST]


def test_who_came_back_gets_marketing_again(world: World) -> None:
    opt_out(world, FIRST)
    world.pass_time(seconds=1)
    opt_out(world, FIRST, out=False)
    world.deliver(body(FIRST))
    assert world.accepted() == [FIRST]


def test_a_part_of_which_nobody_is_left_is_rejected_without_a_request_or_a_slot(world: World) -> None:
    opt_out(world, FIRST, SECOND)
    progress = world.deliver(body(FIRST, SECOND))
    row = world.row()
    assert (row["state"], row["words"]) == ("REJECTED", "Nobody is left of this part's mobiles: opted out.")
    assert left_out(row) == {FIRST: "opted out", SECOND: "opted out"}
    assert world.line.requests == []
    assert dict(progress.counts())["LeftOutOptedOut"] == 2
    assert world.deliver(body(FIRST, SECOND), receive_count=2).repeats == 1


def test_a_repetition_goes_to_whom_its_request_went_to(world: World) -> None:
    world.line.fates.extend(["never"])
    world.deliver(body(FIRST, SECOND))
    opt_out(world, SECOND)
    world.pass_time(seconds=100)
    world.deliver(body(FIRST, SECOND), receive_count=2)
    assert world.accepted() == [FIRST, SECOND]
    assert len({*world.line.timestamps}) == 1


def test_a_repetition_leaves_out_whom_its_request_left_out(world: World) -> None:
    opt_out(world, SECOND)
    world.line.fates.extend(["never"])
    world.deliver(body(FIRST, SECOND))
    assert world.row()["left_out"] == {"opted out": "1"}
    world.pass_time(seconds=100)
    opt_out(world, SECOND, out=False)
    world.deliver(body(FIRST, SECOND), receive_count=2)
    assert world.accepted() == [FIRST]
    assert left_out(world.row()) == {SECOND: "opted out"}


def test_a_fresh_timestamp_decides_anew(world: World) -> None:
    opt_out(world, SECOND)
    world.line.fates.extend([1])
    delivery = world.deliver(body(FIRST, SECOND))
    assert delivery.again
    assert "left_out" not in world.row()
    world.pass_time(seconds=delivery.again.delay + 1)
    opt_out(world, SECOND, out=False)
    opt_out(world, FIRST)
    world.deliver(body(FIRST, SECOND), receive_count=2)
    assert world.accepted() == [SECOND]


def test_a_part_whose_request_is_unanswered_is_not_rejected_because_all_have_opted_out_since(world: World) -> None:
    world.line.fates.extend(["lost"])
    world.deliver(body(FIRST))
    opt_out(world, FIRST)
    world.pass_time(seconds=100)
    for count in (1, 2):  # also a copy that looks like a first delivery
        again = world.deliver(body(FIRST), receive_count=count).again
    assert again is None
    assert (world.row()["state"], world.accepted()) == ("UNCONFIRMED", [FIRST])


def test_what_was_decided_for_a_request_goes_into_no_other(world: World) -> None:
    """A worker means to repeat a request; meanwhile that is answered, and the part may go out anew."""
    world.lease = timedelta(seconds=5)
    marketing = body(FIRST, SECOND)
    claims, send = world.new_sender().claims, parse(json.dumps(marketing), "m-1")
    part, began = send.parts[0], world.now
    taken = claims.claim(send, part, Bid("another", fresh="231123120000000001"), now=began)
    assert isinstance(taken, Claimed)
    busy = Outcome(Answer(1, "busy"), first_use=True, mobiles=2)

    def answered(call: int) -> None:
        if call == 0:
            claims.settle(send, part, taken, rule_for(busy), busy, now=world.now)
            world.pass_time(seconds=6)
            opt_out(world, SECOND)

    world.happens("AccountTable.*", answered)
    again = world.deliver(marketing, receive_count=2).again
    assert (world.accepted(), bool(again)) == ([], True)
    world.deliver(marketing, receive_count=3)
    assert world.accepted() == [FIRST]


def test_the_look_begins_no_more_than_five_seconds_before_the_request(world: World) -> None:
    world.happens("SendsTable.put", lambda _: world.pass_time(seconds=6))
    delivery = world.deliver(body(FIRST))
    assert delivery.again
    assert (world.line.requests, world.row()["state"], world.row()["unanswered"]) == ([], "WAITING", 0)
    opt_out(world, FIRST)
    world.gates.up.clear()
    world.deliver(body(FIRST), receive_count=2)
    assert (world.row()["state"], world.accepted()) == ("REJECTED", [])


def test_a_slot_that_is_longer_in_coming_than_a_look_lasts_is_no_reason_to_give_it_up(world: World) -> None:
    """At such a pace every try would end so, and no marketing would ever go out."""
    world.requests_per_second = 0.1
    proven(world)

    def second_opts_out(look: int) -> None:
        if look == 0:
            opt_out(world, SECOND)

    looks = world.happens("MobilesTable.get_all", second_opts_out, after=True)
    assert world.deliver(body(FIRST, SECOND)).again is None
    assert looks.count == 2
    assert (world.accepted(), left_out(world.row())) == ([FIRST], {SECOND: "opted out"})


def test_who_opts_out_while_a_send_waits_in_a_pause_is_left_out(world: World) -> None:
    mobiles = many(10_000)
    opt_out(world, *mobiles[:300])
    world.line.fates.extend([220])
    delivery = world.deliver(body(*mobiles))
    assert delivery.again
    opt_out(world, mobiles[5_000])
    world.pass_time(seconds=delivery.again.delay + 400)
    world.deliver(body(*mobiles), receive_count=2)
    assert len(world.accepted()) == 9_699
    reasons = left_out(world.row())
    assert (len(reasons), {*reasons.values()}) == (301, {"opted out"})
    assert {*reasons} == {*mobiles[:300], mobiles[5_000]}
    assert not {*reasons} & {*world.accepted()}


# --- numbers that are known to be invalid ----------------------------------------------------------------------


def test_what_a_split_has_isolated_is_not_asked_again_in_the_next_list(world: World) -> None:
    mobiles = many(10_000)
    bad = mobiles[::334]
    assert len(bad) == 30
    for mobile in bad:
        world.line.always[mobile] = 310
    world.deliver(body(*mobiles, category="notice"))
    accepted, asked = world.accepted(), len(world.line.requests)
    assert (len(accepted), asked > 100) == (9_970, True)
    world.deliver(body(*mobiles, category="notice"), message_id="m-2")
    assert (len(world.accepted()), len(world.line.requests)) == (2 * 9_970, asked + 1)
    assert left_out(world.row("m-2")) == dict.fromkeys(bad, "310, refused on 2026-11-23")


def test_a_send_to_a_refused_number_alone_asks_again(world: World) -> None:
    Mobiles(world.table("MobilesTable")).refuse(FIRST, now=world.now, keep=timedelta(days=30))
    world.deliver(body(FIRST, category="notice"))
    assert world.accepted() == [FIRST]


def test_a_refused_number_is_asked_again_after_its_days(world: World) -> None:
    Mobiles(world.table("MobilesTable")).refuse(FIRST, now=world.now, keep=timedelta(days=30))
    world.pass_time(days=29)
    world.deliver(body(FIRST, SECOND, category="notice"))
    world.pass_time(days=1, seconds=1)
    world.deliver(body(FIRST, SECOND, category="notice"), message_id="m-2")
    assert world.accepted() == [SECOND, FIRST, SECOND]


# --- caps ------------------------------------------------------------------------------------------------------


def codes(world: World, count: int, *, first: int = 0) -> Iterator[dict[str, Any]]:
    for number in range(first, first + count):
        name = f"code-{number}"
        world.deliver(body(FIRST, category="otp"), message_id=name)
        yield world.row(name)


def test_an_eleventh_code_in_an_hour_says_why_it_is_not_sent_and_until_when(world: World) -> None:
    rows = list(codes(world, 11))
    assert [row["state"] for row in rows] == ["ACCEPTED"] * 10 + ["REJECTED"]
    assert rows[-1]["words"] == (
        "Nobody is left of this part's mobiles: over the cap of 10 one-time codes in 60 minutes, "
        "until 2026-11-23 13:00."
    )
    world.pass_time(minutes=60)
    (row,) = codes(world, 1, first=11)
    assert row["state"] == "ACCEPTED"


def test_a_twenty_first_code_of_a_day_waits_for_midnight(world: World) -> None:
    for first in (0, 10):
        assert [row["state"] for row in codes(world, 10, first=first)] == ["ACCEPTED"] * 10
        world.pass_time(minutes=61)
    (row,) = codes(world, 1, first=20)
    assert row["words"].endswith("over the cap of 20 one-time codes a day, until 2026-11-24 00:00.")
    world.now = world.now.replace(hour=16, minute=0)  # midnight in Beijing
    (row,) = codes(world, 1, first=21)
    assert row["state"] == "ACCEPTED"


def test_a_send_counts_once_however_often_it_is_tried(world: World) -> None:
    world.rails = Rails(caps=Caps(1, 1))
    world.line.fates.extend([1, "unsent", 1])
    world.deliver_until_done(body(FIRST, category="otp"))
    assert (world.row()["state"], len(world.line.requests)) == ("ACCEPTED", 4)
    (row,) = codes(world, 1)
    assert row["state"] == "REJECTED"


def test_what_was_not_accepted_is_given_back(world: World) -> None:
    world.rails = Rails(caps=Caps(1, 1))
    world.line.fates.extend([320])
    assert [row["state"] for row in codes(world, 3)] == ["REJECTED", "ACCEPTED", "REJECTED"]


def test_what_is_in_doubt_is_not_given_back(world: World) -> None:
    world.rails = Rails(caps=Caps(1, 1))
    world.line.fates.extend(["lost"])
    world.deliver_until_done(body(FIRST, category="otp"))
    assert world.row()["state"] == "UNCONFIRMED"
    (row,) = codes(world, 1)
    assert row["state"] == "REJECTED"


def test_a_copy_that_comes_too_late_takes_back_no_count_that_the_other_relies_on(world: World) -> None:
    world.rails = Rails(caps=Caps(1, 1))
    other = world.new_sender()
    copy = QueueMessage("m-2", "receipt", json.dumps(body(FIRST, category="otp", id="code")), 1)

    def overtake(call: int) -> None:
        if call == 0:  # it finds the mobile counted, and sends
            other.take(copy, world.life())

    overtaken = world.happens("MobilesTable.update", overtake, after=True)
    assert world.deliver(copy.body).repeats == 1
    world.gates.up.remove(overtaken)
    (row,) = codes(world, 1)
    assert (world.accepted(), row["state"]) == ([FIRST], "REJECTED")


def test_a_copy_of_what_was_refused_meanwhile_leaves_no_count_behind(world: World) -> None:
    world.rails = Rails(caps=Caps(1, 1))
    world.line.fates.extend([320])
    other = world.new_sender()
    copy = QueueMessage("m-2", "receipt", json.dumps(body(FIRST, category="otp", id="code")), 1)

    def overtake(call: int) -> None:
        if call == 0:
            other.take(copy, world.life())

    overtaken = world.happens("MobilesTable.update", overtake)
    world.deliver(copy.body)
    world.gates.up.remove(overtaken)
    (row,) = codes(world, 1)
    assert (world.row("code")["state"], row["state"]) == ("REJECTED", "ACCEPTED")


def test_many_codes_are_counted_and_given_back_no_longer_than_the_worker_lives(world: World) -> None:
    """Killed in the middle, it would leave the requests of other messages unanswered."""

    def slow(_: int) -> None:
        world.pass_time(seconds=0.01)

    slowly, ends = world.happens("MobilesTable.*", slow), world.now + timedelta(seconds=10)
    again = world.deliver(body(*many(5_000), category="otp"), seconds=10).again
    assert again
    assert (world.now < ends, world.accepted()) == (True, [])
    world.gates.up.remove(slowly)
    world.line.fates.extend([320])
    world.happens("platform.ask", lambda _: world.gates.up.append(slowly), after=True)
    ends = world.now + timedelta(seconds=10)
    world.deliver(body(*many(5_000), category="otp"), seconds=10, receive_count=2)
    assert (world.row()["state"], world.now < ends) == ("REJECTED", True)


def test_a_worker_that_dies_anywhere_takes_no_cap_along_and_passes_none() -> None:
    for call in range(1, 30):
        world = World(rails=Rails(caps=Caps(1, 1)))
        died = world.dies_before(call, body(FIRST, category="otp"))
        world.pass_time(seconds=100)
        world.deliver_until_done(body(FIRST, category="otp"))
        (row,) = codes(world, 1)
        assert (len(world.accepted()), row["state"]) == (1, "REJECTED"), call
        if not died:
            return
    raise AssertionError("a send takes more calls than that?")


# --- validity, hours, allow-list -------------------------------------------------------------------------------


def test_a_code_expires_ten_minutes_after_it_was_enqueued_first(world: World) -> None:
    world.line.fates.extend([1])
    world.deliver(body(FIRST, category="otp"), sent_at=world.now)
    world.pass_time(minutes=10)
    # a redrive: another message, enqueued now
    world.deliver(body(FIRST, category="otp") | {"id": "m-1"}, message_id="m-2", sent_at=world.now)
    row = world.row()
    assert (row["state"], row["words"]) == (
        "EXPIRED",
        "This one-time code was valid until 2026-11-23T12:10:00.000+08:00.",
    )
    assert world.accepted() == []


def test_the_halves_of_a_code_expire_when_the_whole_would_have(world: World) -> None:
    code, began = body(FIRST, SECOND, category="otp", id="code"), world.now
    world.line.fates.extend([1, 310, 1, 1])
    world.deliver(code, sent_at=began)
    world.now = began + timedelta(minutes=9, seconds=30)
    redriven: Any = {"message_id": "m-2", "sent_at": began + timedelta(minutes=9)}
    world.deliver(code, **redriven)
    assert {row["part"]: row["state"] for row in world.all_rows()} == {
        "1": "SPLIT",
        "1.1": "WAITING",
        "1.2": "WAITING",
    }
    world.now = began + timedelta(minutes=15)
    world.deliver(code, receive_count=2, **redriven)
    assert {row["state"] for row in world.all_rows()} == {"SPLIT", "EXPIRED"}
    assert world.accepted() == []


def test_all_parts_of_a_code_expire_together_though_their_noting_was_cut_off() -> None:
    world = World(rails=Rails(otp_valid=timedelta(minutes=10)))
    code, began = body(*many(10_001), category="otp", id="code"), world.now
    world.happens("SendsTable.put", lambda call: fails() if call else None)
    world.deliver(code, sent_at=began)
    world.gates.up.clear()
    world.line.fates.extend([220])
    world.deliver(code, message_id="m-2", sent_at=began + timedelta(minutes=9))
    assert [row["otp_until"] for row in world.all_rows()] == ["2026-11-23T12:10:00.000+08:00"] * 2


def test_a_code_goes_by_what_its_row_says_of_its_end(world: World) -> None:
    code, began = body(FIRST, category="otp", id="code"), world.now
    world.line.fates.extend([1])
    world.deliver(code, message_id="m-2", sent_at=began)
    world.now = began + timedelta(minutes=9, seconds=30)
    # a copy that was enqueued a minute before the one that came first
    copy = world.deliver(code, message_id="m-1", sent_at=began - timedelta(minutes=1), receive_count=2)
    assert (copy.again, world.accepted()) == (None, [FIRST])
    assert [(row["send_id"], row["state"]) for row in world.all_rows()] == [("code", "ACCEPTED")]


def test_a_code_whose_copy_is_over_first_is_not_spent_by_it(world: World) -> None:
    code, began = body(FIRST, category="otp", id="code"), world.now
    world.now = began - timedelta(minutes=1)
    other = world.new_sender()
    first = QueueMessage("m-2", "receipt", json.dumps(code), 1, began)

    def overtake(call: int) -> None:
        if call == 0:  # the row comes to be between the look at it and the claim
            world.line.fates.extend([1])
            other.take(first, world.life())

    world.happens("SendsTable.put", overtake)
    world.now = began + timedelta(minutes=9, seconds=30)
    again = world.deliver(code, message_id="m-1", sent_at=began - timedelta(minutes=1)).again
    assert again
    assert {row["send_id"]: (row["state"], row["unanswered"]) for row in world.all_rows()} == {
        "code": ("WAITING", 0)
    }


def test_marketing_that_names_neither_end_gets_the_days_window(world: World) -> None:
    for number, fields in enumerate(({}, {"dailyEndTime": "22:00:00"})):
        world.deliver(body(FIRST, **fields), message_id=f"m-{number}")
    world.deliver(body(FIRST, category="notice"), message_id="m-2")
    windows = [(each.get("dailyBeginTime"), each.get("dailyEndTime")) for each in world.line.requests]
    assert windows == [("08:00:00", "21:00:00"), (None, "22:00:00"), (None, None)]


def test_a_repetition_has_its_requests_window_whatever_the_parameter_says_now(world: World) -> None:
    world.line.fates.extend(["never"])
    world.deliver(body(FIRST))
    world.rails = Rails(hours=("09:00:00", "10:00:00"))
    world.sender = world.new_sender()
    world.pass_time(seconds=100)
    world.deliver(body(FIRST), receive_count=2)
    assert [each["dailyBeginTime"] for each in world.line.requests] == ["08:00:00", "08:00:00"]


def test_nobody_beyond_the_allow_list_is_sent_to(world: World) -> None:
    world.allowed = frozenset({FIRST})
    world.deliver(body(FIRST, SECOND, category="notice"))
    world.deliver(body(SECOND, category="otp"), message_id="m-2")
    assert world.accepted() == [FIRST]
    assert left_out(world.row()) == {SECOND: "not in AllowList"}
    assert world.row("m-2")["words"] == "Nobody is left of this part's mobiles: not in AllowList."
    assert "otp" not in {row["what"] for row in world.memory["MobilesTable"].rows.values()}


# --- what it costs ---------------------------------------------------------------------------------------------


def test_a_single_number_notice_makes_the_very_calls_that_it_makes_without_rails() -> None:
    calls = []
    for rails in (Rails(), ALL):
        world, life = World(rails=rails), Life()
        world.sender = world.new_sender(gate=life)
        for number in range(3):
            world.deliver(body(FIRST, category="notice"), message_id=f"m-{number}")
        calls.append(life.calls)
    assert calls[0] == calls[1]
    assert not [call for call in calls[1] if call.startswith("MobilesTable")]


def test_a_code_costs_one_call_more() -> None:
    calls = []
    for rails in (Rails(), ALL):
        world, life = World(rails=rails), Life()
        world.sender = world.new_sender(gate=life)
        world.deliver(body(FIRST, category="otp"))
        calls.append(life.calls)
    assert sorted(calls[1]) == sorted([*calls[0], "MobilesTable.update"])
