"""The Account table: one row per account, with its sequence, its pause and its balances (contract, section 4).

Every call here is one write that also answers with the row, so that no worker reads before it writes. A
conditional write that AWS's client repeats after a lost answer meets its own result: where that would look like
somebody else's, the write carries a name, and knows itself by it.
"""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from boto3.dynamodb.conditions import Attr, ConditionBase

from kuaixintong.core import beijing
from kuaixintong.core.change import Change
from kuaixintong.core.codes import Trouble
from kuaixintong.core.daily import Reserve
from kuaixintong.core.gate import Account, Dear
from kuaixintong.core.pace import Learnt, Take
from kuaixintong.core.rails import Charge
from kuaixintong.stores.dynamo import Item
from kuaixintong.stores.query import all_of
from kuaixintong.stores.table import Moved, Table, Update

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

_COUNTERS = {Trouble.UNREACHABLE: "unanswered", Trouble.TIMESTAMP: "refused_timestamps"}
_DEAR = ("dear_cost", "dear_since", "dear_until", "dear_times", "dear_probe_until", "dear_probe_by")
_PLACE = ("updated_at", "send_id", "part", "position", "why")
_MILLI = 1_000

BALANCES_KEPT = 300
"""Checks whose balances are kept: a day's and a little more, at one every five minutes."""

_BALANCES_IN_EXCESS = 30
"""Balances beyond those, after which the list is cut again: a write more in so many checks."""


class Accounts:
    """Rows of accounts in one table, keyed by the platform's ``cid``."""

    def __init__(self, table: Table) -> None:
        self._table = table

    def look(self, cid: str) -> Account:
        """Return the account as it stands."""
        return account(self._table.get({"cid": cid}) or {})

    # --- slots --------------------------------------------------------------------------------------------------

    def take(
        self,
        cid: str,
        take: Take,
        *,
        step: int,
        now: int,
        last: int,
        seen: Account,
        reserve: Reserve | None = None,
    ) -> tuple[list[int], Account]:
        """Take slots that nobody else ever gets, as planned; return them, and the account as it stands.

        They are ``step`` ticks apart, the first no earlier than the tick ``now`` and the last no later than
        ``last``: if the sequence has moved so that this no longer holds, or the pace has been cut since the
        account was ``seen``, none is taken, and :class:`Moved` tells the row. With ``reserve`` they are all on its
        day, and its cost is reserved by the same write.
        """
        first = now
        if reserve:
            first, last = max(now, reserve.begins), min(last, reserve.ends - 1)
        length = take.count * step
        counted = {"handed": take.count}
        if take.behind:
            change = Change({"sequence": first + length - step, **_marked(seen, now)}, added=counted)
            fits: ConditionBase = Attr("sequence").not_exists() | Attr("sequence").lt(first - step)
        else:
            change = Change(_marked(seen, now), added={"sequence": length, **counted})
            fits = Attr("sequence").between(first - step, max(last - length, first - step))
        if reserve:
            change, fits = _reserving(change, reserve), fits & _fitting(reserve)
        row = self._change(cid, change, fits & _uncut(seen))
        return [row["sequence"] - step * back for back in range(take.count - 1, -1, -1)], account(row)

    def give_back(self, charge: Charge, *, name: str) -> None:
        """Give back what was reserved of a day's limit, if it is that day still; under one ``name`` only once."""
        change = Change(added={"day_cost": -charge.cost})
        with suppress(Moved):
            self._table.transact([Update({"cid": charge.cid}, change, Attr("day").eq(charge.day))], token=name)

    def cut(self, cid: str, rate: float, *, at: int, seen: Account) -> bool:
        """Slow the account to ``rate`` requests a second from a tick on, unless it was cut since ``seen``."""
        change = Change({"rate_milli": max(round(rate * _MILLI), 1), "cut_at": at})
        return self._attempt(cid, change, _uncut(seen))

    # --- probes -------------------------------------------------------------------------------------------------

    def begin_probe(
        self, cid: str, *, by: str, now: datetime, lease: timedelta, every: timedelta | None = None
    ) -> bool:
        """Win the right to be the only one who asks for now; ``False`` if somebody else has it.

        With ``every``, also if the last one asked less than that ago.
        """
        stamp = beijing.iso(now)
        change = Change({"probe_until": beijing.iso(now + lease), "probed_at": stamp, "probe_by": by})
        free = _free("probe_until", stamp)
        due = free & _free("probed_at", beijing.iso(now - every)) if every else free
        return self._attempt(cid, change, due, ours=("probe_by", by))

    def end_probe(self, cid: str, *, by: str) -> None:
        """Let the next worker probe: this one learnt nothing about the account.

        Another's right stays: a worker that was held up for longer than its own lasted must not end that.
        """
        self._attempt(cid, Change(gone=("probe_until", "probe_by")), Attr("probe_by").eq(by))

    # --- troubles and pauses ------------------------------------------------------------------------------------

    def count(self, cid: str, trouble: Trouble) -> int:
        """Count a trouble that pauses the account only when it comes in a row; return how often it has come."""
        counter = _COUNTERS[trouble]
        count: int = self._change(cid, Change(added={counter: 1}))[counter]
        return count

    def pause(self, cid: str, reason: Trouble, until: datetime, *, by: str, now: datetime) -> bool:
        """Hold every request back until ``until``; ``False`` if a pause holds already."""
        stamp = beijing.iso(now)
        change = Change(
            {"pause_reason": reason, "pause_until": beijing.iso(until), "paused_at": stamp, "paused_by": by},
            gone=("probe_until", "probe_by", *_COUNTERS.values()),
            added={"pauses": 1},
        )
        return self._attempt(cid, change, _free("pause_until", stamp), ours=("paused_by", by))

    def clear(self, cid: str, proven: str, *, asked_at: datetime) -> bool:
        """Note that the account works with this version of the secret: no pause, no probe, nothing in a row.

        ``asked_at`` is when the request went out: a pause that began since then is newer knowledge, and stays.
        """
        gone = ("pause_reason", "pause_until", "paused_at", "paused_by", "pauses")
        probe = ("probe_until", "probe_by", "probed_at")
        change = Change({"proven": proven}, gone=(*gone, *probe, *_COUNTERS.values()))
        older = Attr("paused_at").not_exists() | Attr("paused_at").lt(beijing.iso(asked_at))
        return self._attempt(cid, change, older)

    def end_rows(self, cid: str, troubles: Iterable[Trouble]) -> None:
        """Note an answer that ends rows of these troubles, though it does not prove the account."""
        self._change(cid, Change(gone=tuple(_COUNTERS[trouble] for trouble in troubles)))

    # --- what the balance is below ------------------------------------------------------------------------------

    def begin_dear_probe(self, cid: str, dear: Dear, *, by: str, now: datetime, lease: timedelta) -> bool:
        """Win the right to ask whether the balance is still too low; ``False`` if somebody else has it."""
        change = Change({"dear_probe_until": beijing.iso(now + lease), "dear_probe_by": by})
        free = _free("dear_probe_until", beijing.iso(now)) & _knowing(dear)
        return self._attempt(cid, change, free, ours=("dear_probe_by", by))

    def know_dear(self, cid: str, dear: Dear, *, seen: Dear | None) -> bool:
        """Write down what a 400 has shown, unless what was ``seen`` before has changed since."""
        values = {
            "dear_cost": dear.cost,
            "dear_since": beijing.iso(dear.since),
            "dear_until": beijing.iso(dear.until),
            "dear_times": dear.times,
        }
        return self._attempt(cid, Change(values, gone=("dear_probe_until", "dear_probe_by")), _knowing(seen))

    def forget_dear(self, cid: str, dear: Dear) -> bool:
        """Note that the balance is no longer below ``dear``, unless that has changed since."""
        return self._attempt(cid, Change(gone=_DEAR), _knowing(dear))

    def end_dear_probe(self, cid: str, *, by: str) -> None:
        """Let the next part ask: this one learnt nothing about the balance. Another's right to ask stays."""
        change = Change(gone=("dear_probe_until", "dear_probe_by"))
        self._attempt(cid, change, Attr("dear_probe_by").eq(by))

    # --- balances -----------------------------------------------------------------------------------------------

    def check(self, cid: str, *, sm_balance: int | None, mm_balance: int | None, now: datetime) -> None:
        """Write down the balances, in messages, and when they were asked for."""
        self._change(
            cid, Change({"sm_balance": sm_balance, "mm_balance": mm_balance, "checked_at": beijing.iso(now)})
        )

    def remember_balances(
        self, cid: str, *, sm_balance: int | None, mm_balance: int | None, now: datetime
    ) -> None:
        """Add balances to those of earlier checks, in an item of their own.

        An update is charged by the whole item, and the account's own hands out timestamps.
        """
        key, stamp = f"{cid}:balances", beijing.iso(now)
        added = Change({"checked_at": stamp}, appended={"balances": [[stamp, sm_balance, mm_balance]]})
        known = self._change(key, added)["balances"]
        if len(known) > BALANCES_KEPT + _BALANCES_IN_EXCESS:
            self._attempt(key, Change({"balances": known[-BALANCES_KEPT:]}), Attr("checked_at").eq(stamp))

    # --- inference ----------------------------------------------------------------------------------------------

    def rest_inference(self, cid: str, until: datetime) -> None:
        """Let inference rest ``until`` then."""
        self._change(cid, Change({"inference_rests_until": beijing.iso(until)}))

    def inference_rests_until(self, cid: str) -> datetime | None:
        """Return until when inference rests, or did."""
        return _moment(self._table.get({"cid": cid}) or {}, "inference_rests_until")

    def begin_inference(self, cid: str, *, now: datetime) -> Mapping[str, Any]:
        """Return where inference goes on, or why it rests, and ``since`` when it looks at all.

        It is an item of its own, so that the other stays small.
        """
        key = {"cid": f"{cid}:inference"}
        if found := self._table.get(key):
            return found
        return self._table.update(key, Change({"since": beijing.iso(now)}), answer=True)

    def keep_place(self, cid: str, place: Mapping[str, Any]) -> None:
        """Write down where inference goes on, or why it rests."""
        gone = tuple(name for name in _PLACE if name not in place)
        self._change(f"{cid}:inference", Change(place, gone=gone))

    def _attempt(
        self, cid: str, change: Change, condition: ConditionBase, *, ours: tuple[str, str] | None = None
    ) -> bool:
        """Write if the condition holds. ``ours`` is the name under which this very write would stand there."""
        try:
            self._change(cid, change, condition)
        except Moved as moved:
            return bool(ours and moved.standing and moved.standing.get(ours[0]) == ours[1])
        return True

    def _change(self, cid: str, change: Change, condition: ConditionBase | None = None) -> Item:
        return self._table.update({"cid": cid}, change, only_if=condition, answer=True)


def _free(until: str, now: str) -> ConditionBase:
    return Attr(until).not_exists() | Attr(until).lte(now)


def _reserving(change: Change, reserve: Reserve) -> Change:
    if reserve.first:
        return replace(change, values={**change.values, "day": reserve.day, "day_cost": reserve.cost})
    return replace(change, added={**change.added, "day_cost": reserve.cost}) if reserve.cost else change


def _fitting(reserve: Reserve) -> ConditionBase:
    """The day only moves forward, and starts anew once."""
    if reserve.first:
        return Attr("day").not_exists() | Attr("day").lt(reserve.day)
    same_day: ConditionBase = Attr("day").eq(reserve.day)
    return same_day & Attr("day_cost").lte(reserve.most) if reserve.cost else same_day


def _uncut(seen: Account) -> ConditionBase:
    return Attr("cut_at").eq(seen.learnt.at) if seen.learnt else Attr("cut_at").not_exists()


def _knowing(dear: Dear | None) -> ConditionBase:
    if dear is None:
        return Attr("dear_cost").not_exists()
    return Attr("dear_cost").eq(dear.cost) & Attr("dear_since").eq(beijing.iso(dear.since))


def _marked(seen: Account, now: int) -> dict[str, int]:
    """Return a mark to tell slots a second by, if the last is over a second old.

    That one stays beside it, so that there is always one which tells the count of a second or more.
    """
    if seen.mark and now - seen.mark[0] <= beijing.TICKS_PER_SECOND:
        return {}
    mark = {"mark_at": now, "mark_handed": seen.handed}
    return mark | {"mark_before_at": seen.mark[0], "mark_before_handed": seen.mark[1]} if seen.mark else mark


def account(row: Mapping[str, Any]) -> Account:
    """Return what decisions need of an account's row; an empty one is an account that nothing is known of."""
    reason = row.get("pause_reason")
    return Account(
        pause_reason=Trouble(reason) if reason else None,
        pause_until=_moment(row, "pause_until"),
        pauses=row.get("pauses", 0),
        proven=row.get("proven"),
        probe_until=_moment(row, "probe_until"),
        probed_at=_moment(row, "probed_at"),
        unanswered=row.get("unanswered", 0),
        refused_timestamps=row.get("refused_timestamps", 0),
        dear=_dear(row),
        sequence=row.get("sequence"),
        learnt=Learnt(row["rate_milli"] / _MILLI, row["cut_at"]) if "cut_at" in row else None,
        handed=row.get("handed", 0),
        mark=(row["mark_at"], row["mark_handed"]) if "mark_at" in row else None,
        mark_before=(row["mark_before_at"], row["mark_before_handed"]) if "mark_before_at" in row else None,
        day=row.get("day"),
        day_cost=row.get("day_cost", 0),
    )


def _dear(row: Mapping[str, Any]) -> Dear | None:
    since, until = _moment(row, "dear_since"), _moment(row, "dear_until")
    if not (since and until):
        return None
    return Dear(row["dear_cost"], since, until, row["dear_times"], _moment(row, "dear_probe_until"))


def _moment(row: Mapping[str, Any], name: str) -> datetime | None:
    return beijing.from_iso(row[name]) if name in row else None


def everything(client: "DynamoDBClient", table: str) -> Iterator[Item]:
    """Yield all rows of the table, which holds an account or two. Raises :class:`StoreUnavailable`."""
    return all_of(client, table)
