"""Several workers, and one that runs out of time."""

import json

import pytest

from kuaixintong.errand import QueueMessage
from tests.fake_platform import Line
from tests.sending import (
    BODY,
    MOBILE,
    MORE_THAN_ONE_PART,
    states,
)
from tests.world import LEASE, World

# --- another worker ----------------------------------------------------------------------------------------------


def test_a_part_that_another_worker_holds_is_left_alone_until_its_lease_ends(world: World, line: Line) -> None:
    world.pass_time(seconds=1)  # the sequence is behind the clock again, so that it takes one call
    assert world.dies_before(4, BODY)  # the secret, the sequence, the claim, and no request
    delivery = world.deliver(BODY, receive_count=2)
    assert delivery.again
    assert delivery.again.why == "another worker has it"
    assert delivery.again.delay == pytest.approx(LEASE.total_seconds() + 1, abs=0.01)
    assert line.requests == []
    world.pass_time(seconds=91)
    world.deliver(BODY, receive_count=3)
    row = world.row()
    assert (row["state"], row["uses"], row["attempts"]) == ("ACCEPTED", 2, 2)


def test_other_parts_of_a_send_go_on_while_one_is_held(world: World, line: Line) -> None:
    body = BODY | {"mobiles": MORE_THAN_ONE_PART}
    assert world.dies_before(1, body, of="platform.ask")
    delivery = world.deliver(body, receive_count=2)
    assert states(world) == {"1": "SUBMITTING", "2": "ACCEPTED"}
    assert delivery.again
    assert delivery.again.delay > 60
    world.pass_time(seconds=91)
    assert world.deliver(body, receive_count=3).again is None
    assert sorted(world.accepted()) == MORE_THAN_ONE_PART


def test_a_result_that_comes_after_the_lease_is_not_written_over_another_workers(world: World, line: Line) -> None:
    def overtaken() -> None:
        world.pass_time(seconds=91)
        other = world.new_sender()
        assert other.take(QueueMessage("m-1", "receipt", json.dumps(BODY), 2), world.life()).again is None

    line.fates += [overtaken]
    delivery = world.deliver(BODY)  # its request comes second, with the same timestamp: 230
    assert delivery.again
    assert delivery.again.why == "ClaimLost: The part has been taken over by another worker."
    assert (world.accepted(), states(world)) == ([MOBILE], {"1": "ACCEPTED"})


# --- time --------------------------------------------------------------------------------------------------------


def test_a_big_send_stops_in_time_and_goes_on_where_it_stood(world: World, line: Line) -> None:
    message = QueueMessage("m-1", "receipt", json.dumps(BODY | {"mobiles": MORE_THAN_ONE_PART}), 1)
    left = iter([60.0] * 3)  # looked at before, for Outbound, and after a ticket is taken: one request fits
    delivery = world.sender.take(message, lambda: next(left, 0.5))
    assert delivery.again
    assert delivery.again.why == "out of time"
    assert delivery.again.delay <= 1
    assert states(world) == {"1": "ACCEPTED", "2": "WAITING"}
    assert world.deliver(message.body, receive_count=2).again is None
    assert world.accepted() == MORE_THAN_ONE_PART
    assert len(line.requests) == 2


def test_a_ticket_that_came_too_late_is_handed_back_unused(world: World, line: Line) -> None:
    left = iter([60.0])
    message = QueueMessage("m-1", "receipt", json.dumps(BODY), 1)
    delivery = world.sender.take(message, lambda: next(left, 0.5))
    assert delivery.again
    assert delivery.again.why == "out of time"
    assert line.requests == []
    assert world.deliver(BODY, receive_count=2).again is None
