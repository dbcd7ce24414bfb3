"""A part that is too dear holds back nobody else, nor does it throw away the slots that others have waited for."""

from typing import TYPE_CHECKING

import pytest

from kuaixintong.admission import OutOfBalance, Shown
from kuaixintong.core.codes import Trouble
from kuaixintong.stores.account import Accounts
from tests.sending import proven
from tests.world import CID, World

if TYPE_CHECKING:
    from kuaixintong.slots import Slots


def test_slots_that_were_taken_for_cheap_parts_outlast_one_that_is_too_dear(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.requests_per_second = 10
    proven(world)
    world.pass_time(seconds=5)
    slots: Slots = world.new_slots(Accounts(world.table("AccountTable")))
    monkeypatch.setattr(world, "new_slots", lambda *_, **__: slots)
    admission = world.new_sender().admission
    admission.leave(admission.enter(cost=10), Shown(answered=True, trouble=Trouble.BALANCE))
    slots.take(CID, 5, deadline=world.now.timestamp() + 10)  # as for five threads that wait
    taken = world.account()["sequence"]
    for _ in range(5):
        with pytest.raises(OutOfBalance):
            admission.enter(cost=10)
        admission.leave(admission.enter(cost=1, seconds=10), Shown(answered=True, accepted=True, proof=True))
    assert world.account()["sequence"] == taken
