"""An urgent message that asks in an outage is held up no longer than those that wait for what it finds."""

import json
from datetime import datetime, timedelta

import pytest

from kuaixintong.core.lanes import Lane
from kuaixintong.errand import Progress, QueueMessage
from tests.fake_platform import Fate
from tests.sending import BODY, MOBILE, proven
from tests.world import World


def deliver(world: World, enqueued: datetime, count: int) -> Progress:
    message = QueueMessage("m-1", "receipt", json.dumps(BODY), count, enqueued)
    return world.sender.take(message, world.life())


@pytest.mark.parametrize("fate", ["unsent", 240])
def test_an_urgent_message_comes_back_within_five_seconds_for_an_hour_and_then_with_the_backoff(
    world: World, fate: Fate
) -> None:
    world.repeat_within, world.receive_limit = timedelta(days=2), 10_000
    line = proven(world)
    line.always[MOBILE] = fate
    world.sender = world.new_sender(lane=Lane.URGENT)
    enqueued, count = world.now, 0
    delays: dict[bool, list[float]] = {True: [], False: []}
    while world.now - enqueued < timedelta(days=1):
        young = world.now - enqueued < timedelta(minutes=59)
        progress = deliver(world, enqueued, count := count + 1)
        assert progress.again
        delays[young].append(progress.again.delay)
        world.pass_time(seconds=max(round(progress.again.delay), 1))
    assert max(delays[True]) <= 5
    assert max(delays[False]) >= 450
    assert count < 900, "a day's outage stays within the receive limit"
