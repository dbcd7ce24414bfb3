"""What a process remembers of its account's pace: nothing that the row does not say."""

from datetime import UTC, datetime

from kuaixintong.core import beijing
from kuaixintong.core.gate import Account
from kuaixintong.slots import Slots
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
