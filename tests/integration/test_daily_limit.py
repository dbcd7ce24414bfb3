"""The daily limit: reserved with the slots, exact under any number of workers, and for one day at a time."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from kuaixintong.core import beijing
from kuaixintong.core.rails import Rails
from kuaixintong.stores.mobiles import Mobiles
from kuaixintong.stores.optouts import OptOutRows
from tests.gates import Life
from tests.world import PWD, World

FIRST, SECOND, THIRD = "13700000001", "13700000002", "13700000003"


def body(*mobiles: str, category: str = "notice", **fields: Any) -> dict[str, Any]:
    return {"mobiles": [*(mobiles or (FIRST,))], "content": "停水通知", "category": category, **fields}


def limited(limit: int) -> World:
    return World(rails=Rails(daily_limit=limit))


def used(world: World) -> tuple[str, int]:
    row = world.account()
    return row["day"], row["day_cost"]


def test_what_does_not_fit_waits_for_the_next_day_as_a_row() -> None:
    world = limited(2)
    for number in range(3):
        progress = world.deliver(body(), message_id=f"m-{number}")
    row = world.row("m-2")
    assert (row["state"], row["waits_until"]) == ("WAITING", "2026-11-24T00:00:00.000+08:00")
    assert (
        row["words"] == "Its cost, 1, is more than DailyLimit (2 messages a day) lets out until the day has ended."
    )
    assert (len(world.accepted()), progress.again) == (2, None)
    counts = dict(progress.counts())
    assert (counts["PartsOverLimit"], counts["DailyLimitUsed"]) == (1, 100)
    world.now = datetime(2026, 11, 23, 16, 0, 1, tzinfo=UTC)
    world.deliver(body(), message_id="m-2", receive_count=2)
    assert (world.row("m-2")["state"], used(world)) == ("ACCEPTED", ("2026-11-24", 1))


def test_cheaper_parts_pass_one_that_does_not_fit() -> None:
    world = limited(3)
    world.deliver(body(FIRST, SECOND), message_id="m-1")
    world.deliver(body(FIRST, SECOND), message_id="m-2")
    world.deliver(body(FIRST), message_id="m-3")
    assert [world.row(name)["state"] for name in ("m-1", "m-2", "m-3")] == ["ACCEPTED", "WAITING", "ACCEPTED"]
    assert used(world) == ("2026-11-23", 3)


def test_what_is_dearer_than_any_day_is_rejected() -> None:
    world = limited(1)
    world.deliver(body(FIRST, SECOND))
    row = world.row()
    assert row["state"] == "REJECTED"
    assert row["words"] == "Its cost, 2, is more than DailyLimit (1 messages a day) lets out."


def test_codes_do_not_count() -> None:
    world = limited(1)
    for number in range(3):
        world.deliver(body(category="otp"), message_id=f"m-{number}")
    assert len(world.accepted()) == 3


def test_a_part_is_charged_once_a_day_however_often_it_is_tried() -> None:
    world = limited(1)
    world.line.fates.extend([1, "unsent", 210])
    world.deliver_until_done(body())
    assert (world.row()["state"], used(world)) == ("ACCEPTED", ("2026-11-23", 1))


def test_a_copy_of_a_message_that_waits_is_charged_once() -> None:
    world = limited(5)
    world.line.fates.extend([1])
    world.deliver(body())
    world.pass_time(minutes=5)
    world.deliver(body())  # it says that it comes for the first time
    assert (world.row()["state"], used(world)) == ("ACCEPTED", ("2026-11-23", 1))


def test_a_copy_that_knows_of_fewer_mobiles_than_the_request_that_it_repeats_takes_nothing_back() -> None:
    world = World(rails=Rails(daily_limit=10, invalid_for=timedelta(days=30)))
    many = body(FIRST, SECOND, THIRD)
    world.line.fates.extend(["never"])
    world.deliver(many)
    world.pass_time(minutes=5)
    for mobile in (SECOND, THIRD):
        Mobiles(world.table("MobilesTable")).refuse(mobile, now=world.now, keep=timedelta(days=30))
    for count in (1, 2):  # the first says that it comes for the first time
        world.deliver(many, receive_count=count)
        assert used(world) == ("2026-11-23", 3)
    assert world.accepted() == [FIRST, SECOND, THIRD]


def test_whoever_comes_back_while_a_slot_is_waited_for_is_charged_too() -> None:
    world = World(rails=Rails(daily_limit=2), requests_per_second=0.1)
    world.deliver(body(FIRST), message_id="m-0")
    optouts = OptOutRows(world.table("MobilesTable"))
    optouts.change(SECOND, out=True, at=beijing.iso(world.now), by="mo")
    world.pass_time(seconds=1)
    world.happens(
        "MobilesTable.get_all",
        lambda _: optouts.change(SECOND, out=False, at=beijing.iso(world.now), by="mo"),
        after=True,
    )
    for count in (1, 2):
        world.deliver(body(FIRST, SECOND, category="marketing"), receive_count=count)
    assert (world.accepted(), used(world)) == ([FIRST], ("2026-11-23", 2))
    assert world.row()["waits_until"] == "2026-11-24T00:00:00.000+08:00"


@pytest.mark.parametrize("fate", [320, 300])
def test_what_was_not_accepted_is_given_back_to_the_same_day(fate: int) -> None:
    world = limited(1)
    world.line.fates.extend([fate])
    world.deliver(body())
    world.deliver(body(), message_id="m-2")
    assert (world.row()["state"], world.row("m-2")["state"]) == ("REJECTED", "ACCEPTED")


def test_what_expires_is_given_back() -> None:
    world = limited(1)
    world.line.fates.extend([1])
    valid = body(validUntil="2026-11-23 12:05:00")
    world.deliver(valid)
    world.pass_time(minutes=6)
    world.deliver(valid, receive_count=2)
    assert (world.row()["state"], used(world)) == ("EXPIRED", ("2026-11-23", 0))


def test_what_is_in_doubt_stays_charged() -> None:
    world = limited(1)
    world.line.fates.extend(["lost"])
    world.deliver_until_done(body())
    assert (world.row()["state"], used(world)) == ("UNCONFIRMED", ("2026-11-23", 1))


def test_what_the_next_day_has_no_room_to_repeat_does_not_wait_for_longer_than_it_may_be_repeated() -> None:
    world = limited(1)
    world.now = datetime(2026, 11, 23, 15, 59, 50, tzinfo=UTC)
    world.line.fates.extend(["lost"])
    world.deliver(body())
    world.now += timedelta(seconds=20)
    world.deliver(body(SECOND), message_id="m-2")
    for count in range(2, 8):
        again = world.deliver(body(), receive_count=count).again
        if again is None:
            break
        world.pass_time(seconds=again.delay + 1)
    assert (world.row()["state"], world.row()["attention"]) == ("UNCONFIRMED", "UNCONFIRMED")
    assert len(world.line.requests) == 2


def test_the_halves_of_a_split_inherit_what_was_charged() -> None:
    world = limited(4)
    world.line.always[THIRD] = 310
    world.deliver(body(FIRST, SECOND, THIRD))
    assert sorted(world.accepted()) == [FIRST, SECOND]
    assert used(world) == ("2026-11-23", 2)  # the refused number's is given back


def test_a_part_that_is_tried_on_two_days_is_charged_on_both() -> None:
    world = limited(1)
    world.line.fates.extend([1])
    world.deliver(body())
    world.now = datetime(2026, 11, 23, 16, 0, 1, tzinfo=UTC)
    world.deliver(body(), receive_count=2)
    world.deliver(body(), message_id="m-2")
    assert used(world) == ("2026-11-24", 1)
    assert (world.row()["state"], world.row("m-2")["state"]) == ("ACCEPTED", "WAITING")


def test_clocks_around_midnight_do_not_start_a_day_twice() -> None:
    world = limited(3)
    world.now = datetime(2026, 11, 23, 15, 59, 59, 500_000, tzinfo=UTC)
    early, late = world.new_sender(skew=-timedelta(seconds=1)), world.new_sender(skew=timedelta(seconds=1))
    for number in range(20):
        world.sender = (early, late)[number % 2]
        world.deliver(body(), message_id=f"m-{number}")
        world.pass_time(seconds=0.2)
    accepted = [message.timestamp for message in world.platform.messages]
    by_day = {day: sum(each.startswith(day) for each in accepted) for day in ("20261123", "20261124")}
    assert max(by_day.values()) <= 3
    assert by_day["20261124"] == 3


def test_a_worker_that_dies_anywhere_passes_no_limit() -> None:
    for call in range(1, 40):
        world = limited(2)
        died = world.dies_before(call, body(FIRST, SECOND))
        world.pass_time(seconds=100)
        for number in range(3):
            world.deliver(body(), message_id=f"m-{number}", receive_count=2)
        world.deliver(body(FIRST, SECOND), receive_count=2)
        assert len(world.accepted()) <= 2, call
        if not died:
            return
    raise AssertionError("a send takes more calls than that?")


def test_what_one_account_was_charged_is_no_other_accounts() -> None:
    world, other, part = limited(4), "87654321", body(FIRST, SECOND, THIRD)
    world.line.fates.append(1)
    world.deliver(part)
    assert world.account()["day_cost"] == 3
    world.platform.change({"cid": other})
    world.change_secret(PWD, cid=other)
    world.sender = world.new_sender()
    world.pass_time(seconds=1)
    world.deliver(body(), message_id="m-2")
    world.line.fates.append(300)
    world.deliver(part, receive_count=2)
    assert (world.row()["state"], world.account(other)["day_cost"]) == ("REJECTED", 1)
    assert world.account()["day_cost"] == 3  # its day ends below the limit, and the other's never above


def test_it_costs_no_call_more() -> None:
    calls = []
    for limit in (0, 100):
        world, life = limited(limit), Life()
        world.sender = world.new_sender(gate=life)
        world.deliver(body())
        calls.append(life.calls)
    assert calls[0] == calls[1]
