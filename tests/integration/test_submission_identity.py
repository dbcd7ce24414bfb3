"""One send, once: what makes two messages the same send, and what a send's parts are."""

import pytest

from kuaixintong.core.ledger import State
from tests.fake_platform import Line
from tests.sending import (
    BODY,
    MOBILE,
    MORE_THAN_ONE_PART,
    states,
)
from tests.world import CID, UID, World


def test_the_specs_own_send_goes_through_unchanged(world: World, line: Line) -> None:
    sample = {
        "mobiles": ["13708600860", "18930612517"],
        "content": "周末参加不了培训了",
        "atTime": "",
        "dailyBeginTime": "08:00:00",
        "dailyEndTime": "18:00:00",
    }
    delivery = world.deliver(sample)
    assert delivery.again is None
    assert delivery.states == {State.ACCEPTED: 1}
    (request,) = line.requests
    assert {name: request[name] for name in sample} == sample
    assert (request["cid"], request["uid"]) == (CID, UID)
    (message,) = world.platform.messages
    row = world.row()
    assert (row["state"], row["token"], row["fee"]) == ("ACCEPTED", str(message.token), 2)
    assert row["timestamp"] == message.timestamp


def test_the_same_message_delivered_three_times_is_one_acceptance(world: World, line: Line) -> None:
    deliveries = [world.deliver(BODY, receive_count=count) for count in (1, 2, 3)]
    assert all(delivery.again is None for delivery in deliveries)
    assert world.accepted() == [MOBILE]
    assert [delivery.repeats for delivery in deliveries] == [0, 1, 1]
    assert len(line.requests) == 1


def test_the_same_id_with_the_same_payload_is_one_send_whichever_message_brings_it(world: World) -> None:
    for number, body in enumerate((BODY, {"content": BODY["content"], "mobiles": [f"+86 {MOBILE}"]})):
        world.deliver(body | {"id": "order-1"}, message_id=f"m-{number}")
        world.pass_time(days=30)
    assert world.accepted() == [MOBILE]
    assert [row["send_id"] for row in world.all_rows()] == ["order-1"]


def test_the_same_id_with_another_payload_is_refused_and_the_first_stands(world: World) -> None:
    world.deliver(BODY | {"id": "order-1"}, message_id="m-1")
    other = BODY | {"id": "order-1", "content": "别的"}
    for count in (1, 2):
        delivery = world.deliver(other, message_id="m-2", receive_count=count)
        assert (delivery.again, delivery.send_id, delivery.states) == (None, "m-2", {State.REJECTED: 1})
    world.deliver(BODY | {"id": "order-1"}, message_id="m-3")
    assert [message.content for message in world.platform.messages] == ["周末参加不了培训了"]
    assert {row["send_id"]: row["state"] for row in world.all_rows()} == {
        "order-1": "ACCEPTED",
        "m-2": "REJECTED",
    }
    assert world.row("m-2")["words"].startswith("id is order-1, which ")


@pytest.mark.parametrize("count", [1, 10_001])
def test_a_conflict_is_found_before_anything_is_sent_or_noted(world: World, line: Line, count: int) -> None:
    world.deliver(BODY | {"id": "order-1", "validUntil": "2026-11-22 00:00:00"}, message_id="m-1")
    mobiles = MORE_THAN_ONE_PART[:count]
    world.deliver({"id": "order-1", "mobiles": mobiles, "content": "x"}, message_id="m-2")
    assert line.requests == []
    assert states(world, "order-1") == {"1": "EXPIRED"}
    assert states(world, "m-2") == {"1": "REJECTED"}


def test_a_conflict_under_a_pause_is_found_too(world: World, line: Line) -> None:
    line.fates += [400]
    world.deliver(BODY | {"id": "order-1"}, message_id="m-1")
    delivery = world.deliver(BODY | {"id": "order-1", "content": "x"}, message_id="m-2")
    assert delivery.again is None
    assert states(world, "m-2") == {"1": "REJECTED"}


def test_without_an_id_every_message_is_a_send_of_its_own(world: World) -> None:
    for message_id in ("m-1", "m-2"):
        world.deliver(BODY, message_id=message_id)
    assert world.accepted() == [MOBILE, MOBILE]
    assert [row["send_id"] for row in world.all_rows()] == ["m-1", "m-2"]


def test_25_000_mobiles_are_three_parts_three_tokens_and_no_number_twice(world: World) -> None:
    mobiles = [f"137{number:08}" for number in range(25_000)]
    delivery = world.deliver({"mobiles": mobiles, "content": "x"})
    assert delivery.states == {State.ACCEPTED: 3}
    assert world.accepted() == mobiles
    rows = world.all_rows()
    assert [(row["part"], row["parts"], len(row["mobiles"])) for row in rows] == [
        ("1", 3, 10_000),
        ("2", 3, 10_000),
        ("3", 3, 5_000),
    ]
    assert len({row["token"] for row in rows}) == 3


def test_unusable_mobiles_are_listed_and_the_good_ones_sent(world: World) -> None:
    world.deliver(BODY | {"mobiles": ["12345", MOBILE, "\ud83d"]})
    assert world.accepted() == [MOBILE]
    assert [each["mobile"] for each in world.row()["invalid_mobiles"]] == ["12345", "?"]


def test_a_send_of_nothing_but_unusable_mobiles_is_rejected_without_a_call(world: World, line: Line) -> None:
    for count in (1, 2):
        assert world.deliver(BODY | {"mobiles": ["12345"]}, receive_count=count).again is None
    assert line.requests == []
    row = world.row()
    assert (row["state"], row["words"]) == (
        "REJECTED",
        "No mobile of this part is usable; invalid_mobiles says why.",
    )
