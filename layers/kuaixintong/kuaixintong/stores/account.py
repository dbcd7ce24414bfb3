"""The Account table: one row per account, with its sequence, its pause and its balances (contract, section 4).

Every call here is one write that also answers with the row, so that no worker reads before it writes.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any

from boto3.dynamodb.conditions import Attr, ConditionBase

from kuaixintong.core import beijing
from kuaixintong.core.change import Change
from kuaixintong.core.codes import Trouble
from kuaixintong.core.gate import Account
from kuaixintong.stores.dynamo import Item
from kuaixintong.stores.table import Moved, Table

_COUNTERS = {Trouble.UNREACHABLE: "unanswered", Trouble.TIMESTAMP: "refused_timestamps"}


class Accounts:
    """Rows of accounts in one table, keyed by the platform's ``cid``."""

    def __init__(self, table: Table) -> None:
        self._table = table

    def reserve(self, cid: str, count: int, *, now: datetime) -> tuple[int, Account]:
        """Take ``count`` ticks that nobody else ever gets; return the first of them, and the account as it stands.

        The sequence follows the clock, so that a timestamp also tells the time. Where it is ahead of this
        machine's clock (workers at once, clocks apart), it counts on from where it is: it never goes back.
        """
        tick = beijing.ticks(now)
        behind = Attr("sequence").not_exists() | Attr("sequence").lt(tick)
        try:
            row = self._change(cid, Change({"sequence": tick + count}), behind)
        except Moved:
            row = self._change(cid, Change(added={"sequence": count}))
        return row["sequence"] - count + 1, _account(row)

    def begin_probe(self, cid: str, *, now: datetime, lease: timedelta) -> bool:
        """Win the right to be the only one who asks for now; ``False`` if somebody else has it."""
        free = Attr("probe_until").not_exists() | Attr("probe_until").lte(beijing.iso(now))
        return self._attempt(cid, Change({"probe_until": beijing.iso(now + lease)}), free)

    def end_probe(self, cid: str) -> None:
        """Let the next worker probe: this one learnt nothing about the account."""
        self._change(cid, Change(gone=("probe_until",)))

    def count(self, cid: str, trouble: Trouble) -> int:
        """Count a trouble that pauses the account only when it comes in a row; return how often it has come."""
        counter = _COUNTERS[trouble]
        count: int = self._change(cid, Change(added={counter: 1}))[counter]
        return count

    def pause(self, cid: str, reason: Trouble, until: datetime, *, now: datetime) -> bool:
        """Hold every request back until ``until``; ``False`` if a pause holds already."""
        stamp = beijing.iso(now)
        change = Change(
            {"pause_reason": reason, "pause_until": beijing.iso(until), "paused_at": stamp},
            gone=("probe_until", "unanswered", "refused_timestamps"),
            added={"pauses": 1},
        )
        return self._attempt(cid, change, Attr("pause_until").not_exists() | Attr("pause_until").lte(stamp))

    def clear(self, cid: str, proven: str, *, asked_at: datetime) -> bool:
        """Note that the account works with this version of the secret: no pause, no probe, nothing in a row.

        ``asked_at`` is when the request went out: a pause that began since then is newer knowledge, and stays.
        """
        gone = ("pause_reason", "pause_until", "paused_at", "pauses", "probe_until")
        change = Change({"proven": proven}, gone=(*gone, *_COUNTERS.values()))
        older = Attr("paused_at").not_exists() | Attr("paused_at").lt(beijing.iso(asked_at))
        return self._attempt(cid, change, older)

    def end_rows(self, cid: str, troubles: Iterable[Trouble]) -> None:
        """Note an answer that ends rows of these troubles, though it does not prove the account."""
        self._change(cid, Change(gone=tuple(_COUNTERS[trouble] for trouble in troubles)))

    def check(self, cid: str, *, sm_balance: int | None, mm_balance: int | None, now: datetime) -> None:
        """Write down the balances, in messages, and when they were asked for."""
        self._change(
            cid, Change({"sm_balance": sm_balance, "mm_balance": mm_balance, "checked_at": beijing.iso(now)})
        )

    def _attempt(self, cid: str, change: Change, condition: ConditionBase) -> bool:
        try:
            self._change(cid, change, condition)
        except Moved:
            return False
        return True

    def _change(self, cid: str, change: Change, condition: ConditionBase | None = None) -> Item:
        return self._table.update({"cid": cid}, change, only_if=condition, answer=True)


def _account(row: Mapping[str, Any]) -> Account:
    reason, until, probe = row.get("pause_reason"), row.get("pause_until"), row.get("probe_until")
    return Account(
        pause_reason=Trouble(reason) if reason else None,
        pause_until=beijing.from_iso(until) if until else None,
        pauses=row.get("pauses", 0),
        proven=row.get("proven"),
        probe_until=beijing.from_iso(probe) if probe else None,
        unanswered=row.get("unanswered", 0),
        refused_timestamps=row.get("refused_timestamps", 0),
    )
