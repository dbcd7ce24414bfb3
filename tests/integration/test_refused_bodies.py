"""A refused body is listed for a person, and does not use up its id."""

import json
from collections import Counter
from datetime import timedelta
from typing import Any

import pytest

from kuaixintong.core.ledger import Attention
from kuaixintong.core.rails import Rails
from kuaixintong.stores.parts import Parts
from tests.template import resources, watched
from tests.world import World

GOOD: dict[str, Any] = {"id": "order-1", "mobiles": ["13708600860"], "content": "x"}
BAD = {"id": "order-1", "mobile": ["13708600860"], "content": "x"}


def listed(world: World) -> list[str]:
    return [row["send_id"] for row in Parts(world.table("SendsTable")).needing(Attention.REFUSED)]


def test_the_mended_body_takes_the_row_over_and_is_sent(world: World) -> None:
    assert world.deliver(BAD).attention == {Attention.REFUSED: 1}
    assert listed(world) == ["order-1"]
    assert world.row("order-1")["advice"]
    assert world.deliver(GOOD, message_id="m-2").again is None
    row = world.row("order-1")
    assert (row["state"], row.get("attention"), "body" in row) == ("ACCEPTED", None, False)
    assert world.accepted() == GOOD["mobiles"]
    assert listed(world) == []


def test_a_late_copy_of_a_refused_body_writes_nothing(world: World) -> None:
    world.deliver(BAD)
    world.deliver(GOOD, message_id="m-2")
    before = world.all_rows()
    assert world.deliver(BAD, receive_count=2).attention == {}
    assert world.all_rows() == before


def test_a_refused_body_after_the_send_stands_under_its_own_message(world: World) -> None:
    world.deliver(GOOD)
    world.deliver(BAD, message_id="m-2")
    assert [(row["send_id"], row["state"]) for row in world.all_rows()] == [
        ("m-2", "REJECTED"),
        ("order-1", "ACCEPTED"),
    ]
    assert "is taken by an earlier message" in world.row("m-2")["words"]
    assert listed(world) == ["m-2"]


@pytest.mark.parametrize("first", [None, GOOD, {"id": "order-1"}], ids=["free", "taken", "refused before"])
def test_a_refusal_whose_answer_was_lost_is_told_all_the_same(world: World, first: dict[str, Any] | None) -> None:
    if first:
        world.deliver(first, message_id="m-0")
    table = world.table("SendsTable")
    put = table.put

    def put_twice(*values: Any, **conditions: Any) -> None:
        """As AWS's client does when the first answer is lost."""
        put(*values, **conditions)
        put(*values, **conditions)

    table.put = put_twice  # type: ignore[method-assign]
    world.sender = world.new_sender()
    assert world.deliver(BAD, message_id="m-2").attention == {Attention.REFUSED: 1}


def test_a_refusal_that_nobody_heard_of_is_told_at_the_next_delivery(world: World) -> None:
    world.deliver(BAD)  # and the function is killed before its metrics are written
    before = world.all_rows()
    assert world.deliver(BAD, receive_count=2).attention == {Attention.REFUSED: 1}
    assert world.all_rows() == before


def test_another_refused_body_takes_the_refused_one_over_and_both_are_remembered(world: World) -> None:
    worse = BAD | {"contents": "y"}
    world.deliver(BAD)
    world.deliver(worse, message_id="m-2")
    world.deliver(GOOD, message_id="m-3")
    before = world.all_rows()
    for body in (BAD, worse):
        world.deliver(body, message_id="late")
    assert world.all_rows() == before


def test_a_mended_body_under_a_pause_takes_the_row_over_too(world: World) -> None:
    world.deliver(BAD)
    world.line.fates += [250]
    world.deliver({"mobiles": ["13500000000"], "content": "x"}, message_id="pauses")
    world.deliver(GOOD, message_id="m-2")
    assert world.row("order-1")["state"] == "WAITING"
    world.pass_time(minutes=6)
    world.deliver(GOOD, message_id="m-2", receive_count=2)
    assert world.row("order-1")["state"] == "ACCEPTED"


def test_two_workers_that_take_a_refused_body_over_are_one_acceptance(world: World) -> None:
    """The second has seen the refused body; the first has taken its place meanwhile."""
    world.deliver(BAD)
    other, overtaken = world.new_sender(), []

    def meanwhile(number: int) -> None:
        if number == 0:
            from kuaixintong.errand import QueueMessage  # noqa: PLC0415

            overtaken.append(other.take(QueueMessage("m-3", "r", json.dumps(GOOD), 1), world.life()))

    world.happens("SendsTable.put", meanwhile, after=True)
    world.deliver(GOOD, message_id="m-2")
    assert world.accepted() == GOOD["mobiles"]


def test_fifty_typing_errors_are_fifty_rows_in_one_list_and_all_are_sent_once_mended(world: World) -> None:
    for number in range(50):
        world.deliver(BAD | {"id": f"order-{number}"}, message_id=f"m-{number}")
    assert len(listed(world)) == 50
    for number in range(50):
        world.deliver(GOOD | {"id": f"order-{number}"}, message_id=f"n-{number}")
    assert len(world.accepted()) == 50
    assert listed(world) == []


def test_a_producers_typing_error_is_one_alarm_and_one_list_and_the_mended_bodies_are_sent(world: World) -> None:
    good = {f"order-{n}": GOOD | {"id": f"order-{n}", "mobiles": [f"137{n:08}"]} for n in range(50)}
    counted = Counter[str]()
    for send_id, body in good.items():
        mistyped = {"mobile" if name == "mobiles" else name: value for name, value in body.items()}
        for copy in (1, 2):  # a producer that enqueues it again tells nothing new
            delivery = world.deliver(mistyped, message_id=f"m-{copy}-{send_id}")
            counted.update(dict(delivery.counts()))
    assert counted["AttentionRefused"] == 50
    alarms = resources("AWS::CloudWatch::Alarm", watched())
    assert [name for name, each in alarms.items() if each["Properties"]["MetricName"] in counted] == [
        "RefusedAlarm"
    ]
    assert sorted(listed(world)) == sorted(good)
    assert all("mobile" in world.row(send_id)["words"] for send_id in good)
    for send_id, body in good.items():
        assert world.deliver(body, message_id=f"mended-{send_id}").again is None
    assert listed(world) == []
    assert sorted(world.accepted()) == sorted(body["mobiles"][0] for body in good.values())
    assert {row["send_id"] for row in world.all_rows()} == {*good}
    assert {send_id for _, send_id, _ in world.outbound()} == {*good}


def test_a_mended_body_that_guard_rails_look_up_waits_out_a_pause() -> None:
    world = World(rails=Rails(invalid_for=timedelta(days=30)))
    mended = GOOD | {"mobiles": ["13708600860", "18930612517"]}
    world.deliver(BAD)
    assert world.deliver(mended, message_id="m-2", seconds=0).again  # no time for as much as a row
    world.line.fates.extend([220])
    world.deliver(GOOD | {"id": "order-2"}, message_id="m-3")
    assert world.deliver(mended, message_id="m-2", receive_count=2).again
    assert (world.row("order-1")["state"], world.row("order-1")["mobiles"]) == ("WAITING", mended["mobiles"])
