"""Nobody waits for a slot that comes after its time: a function that is killed takes its whole batch along."""

import json

import pytest

from kuaixintong.core.lanes import Lane
from kuaixintong.errand import QueueMessage
from tests.sending import BODY, proven
from tests.world import World


@pytest.fixture
def urgent(world: World) -> World:
    """An urgent worker at a pace so slow that a slot can be many seconds ahead."""
    world.requests_per_second = 0.2
    proven(world)
    world.sender = world.new_sender(lane=Lane.URGENT)
    return world


def test_an_urgent_message_does_not_wait_for_a_slot_beyond_its_functions_life(urgent: World) -> None:
    for number in range(4):
        left = urgent.life(2)
        message = QueueMessage(f"u-{number}", "receipt", json.dumps(BODY), 1, urgent.now)
        again = urgent.sender.take(message, left).again
        assert left() >= 0
        assert again
        assert again.delay <= 5
        assert urgent.row(f"u-{number}")["state"] == "WAITING"


def test_a_claimed_part_is_put_back_where_its_other_slot_comes_too_late(urgent: World) -> None:
    urgent.pass_time(seconds=30)
    urgent.happens("SendsTable.put", lambda _: urgent.pass_time(seconds=0.5))
    left = urgent.life(3)
    again = urgent.sender.take(QueueMessage("u", "receipt", json.dumps(BODY), 1, urgent.now), left).again
    assert left() >= 0
    assert again
    row = urgent.row("u")
    assert (row["state"], row["unanswered"]) == ("WAITING", 0)
