"""At a pace, on a store that answers more slowly than a slot may be missed by."""

from collections.abc import Callable

import pytest

from kuaixintong.slots import NoSlot
from tests.sending import BODY, fails, proven
from tests.world import World


@pytest.fixture
def paced(world: World) -> World:
    world.requests_per_second = 10
    return world


def slowly(world: World, seconds: float, most: int = 100) -> Callable[[int], None]:
    """Let a write take its time; fail where there is no end of writes."""

    def act(call: int) -> None:
        assert call < most, "it is written again and again, to no purpose"
        world.pass_time(seconds=seconds)

    return act


@pytest.mark.parametrize("seconds", [0.05, 0.11, 0.2, 0.5, 0.9])
def test_a_probe_is_sent_though_its_slot_passes_while_the_right_to_it_is_won(paced: World, seconds: float) -> None:
    writes = paced.happens("AccountTable.update", slowly(paced, seconds))
    assert paced.deliver(BODY).again is None
    assert paced.row()["state"] == "ACCEPTED"
    assert writes.count <= 5


def test_slots_that_are_missed_again_and_again_are_asked_for_no_longer_than_there_is_time(paced: World) -> None:
    proven(paced)
    paced.pass_time(seconds=5)

    def slower_each_time(call: int) -> None:
        assert call < 10, "it is written again and again, to no purpose"
        paced.pass_time(seconds=0.3 * 2**call)

    paced.happens("AccountTable.update", slower_each_time)
    with pytest.raises(NoSlot, match="missed before they are ours"):
        paced.new_sender().admission.enter(seconds=2)


def test_a_part_whose_slot_cannot_be_taken_is_put_back_for_its_request_never_left(paced: World) -> None:
    line = proven(paced)
    paced.pass_time(seconds=5)
    paced.happens("SendsTable.put", lambda _: paced.pass_time(seconds=0.5))  # so that the first slot is missed
    paced.happens("AccountTable.update", lambda call: fails() if call else None)
    again = paced.deliver(BODY).again
    assert again
    assert again.why == "StoreUnavailable: DynamoDB: Throttled"
    assert not line.requests
    row = paced.row()
    assert (row["state"], row["uses"], row["unanswered"]) == ("WAITING", 0, 0)
    assert "lease_until" not in row
