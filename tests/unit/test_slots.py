"""What a process remembers of its account's pace: nothing that the row does not say."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from kuaixintong.core import beijing
from kuaixintong.core.gate import Account
from kuaixintong.slots import Slot, Slots
from kuaixintong.stores.account import Accounts
from tests.memory_table import MemoryTable

CID = "12345678"
NOW = datetime(2026, 3, 1, 4, 0, tzinfo=UTC)


class OvertakenAccounts(Accounts):
    """Accounts that another worker cuts right before this one does."""

    def cut(self, cid: str, rate: float, *, at: int, seen: Account) -> bool:
        """Lose against a cut to 7 requests a second."""
        assert super().cut(cid, 7.0, at=at - 1, seen=seen)
        return super().cut(cid, rate, at=at, seen=seen)


def test_a_cut_that_another_worker_was_quicker_with_is_not_remembered() -> None:
    accounts = OvertakenAccounts(MemoryTable("AccountTable"))
    slots = Slots(accounts, clock=lambda: NOW, monotonic=lambda: 0.0, sleep=lambda _: None)
    slots.take(CID, 1, deadline=0)
    slot = slots.pop(CID)
    assert slot
    slots.slow(CID, slot, accepted=0, asked=1)
    learnt = accounts.look(CID).learnt
    assert learnt
    assert (learnt.rate, learnt.at) == (7.0, beijing.ticks(NOW) + 8)
    assert slots.last_known(CID) is None
    assert slots.pop(CID) is None


@pytest.mark.parametrize(("late", "early", "reached"), [(1_000, 0, True), (1_001, 0, False), (1_001, 500, False)])
def test_a_slot_is_missed_by_more_than_a_tenth_of_a_second(late: int, early: int, reached: bool) -> None:
    slots = Slots(Accounts(MemoryTable("AccountTable")), clock=lambda: NOW, sleep=lambda _: None)
    slot = Slot(beijing.ticks(NOW) - late, Account(), timed=True, taken_at=0.0)
    assert slots.reached(slot, early=early) is reached
    assert slots.reached(replace(slot, timed=False)), "a timestamp is no moment"
