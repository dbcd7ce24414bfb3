"""In an outage one request probes every two seconds for the urgent messages of all workers."""

import pytest

from kuaixintong.admission import Paused, Shown
from kuaixintong.core.codes import Trouble
from kuaixintong.core.lanes import Lane
from tests.sending import proven
from tests.world import World

LOST = Shown(trouble=Trouble.UNREACHABLE)


def test_one_whose_account_was_seen_before_the_last_probe_waits_as_well(world: World) -> None:
    proven(world)
    first, second = (world.new_sender(lane=Lane.URGENT).admission for _ in range(2))
    for each in (first, second):
        each.leave(each.enter(), Shown(answered=True, accepted=True, proof=True))
    for ticket in [first.enter() for _ in range(5)]:
        first.leave(ticket, LOST)
    assert world.account()["pause_reason"] == "unreachable"
    world.pass_time(seconds=3)

    def another_probes(call: int) -> None:
        if call == 1:  # the second worker has looked, and would begin its own
            first.leave(first.enter(), LOST)

    world.happens("AccountTable.update", another_probes)
    with pytest.raises(Paused):
        second.enter()
