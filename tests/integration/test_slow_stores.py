"""At a pace, on a store that answers more slowly than a slot may be missed by."""

from collections.abc import Callable

import pytest

from tests.sending import BODY, fails
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
