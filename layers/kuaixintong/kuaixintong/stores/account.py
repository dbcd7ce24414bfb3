"""The Account table: one row per account, with its sequence, its pause and its balances (contract, section 4).

Every call here is one write that also answers with the row, so that no worker reads before it writes.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from kuaixintong.core import beijing
from kuaixintong.core.gate import Account
from kuaixintong.core.ledger import Trouble
from kuaixintong.stores.aws import our_errors
from kuaixintong.stores.dynamo import from_item, to_item

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

_COUNTERS = {Trouble.UNREACHABLE: "unanswered", Trouble.TIMESTAMP: "refused_timestamps"}


class Accounts:
    """Rows of accounts in one table, keyed by the platform's ``cid``."""

    def __init__(self, client: "DynamoDBClient", table: str) -> None:
        self._client = client
        self._table = table

    def reserve(self, cid: str, count: int, *, now: datetime) -> tuple[int, Account]:
        """Take ``count`` ticks that nobody else ever gets; return the first of them, and the account as it stands.

        The sequence follows the clock, so that a timestamp also tells the time. Where it is ahead of this
        machine's clock (workers at once, clocks apart), it counts on from where it is: it never goes back.
        """
        tick = beijing.ticks(now)
        try:
            row = self._update(
                cid,
                "SET #sequence = :to",
                {":from": tick, ":to": tick + count},
                "attribute_not_exists(#sequence) OR #sequence < :from",
            )
        except ClientError:
            row = self._update(cid, "ADD #sequence :count", {":count": count})
        return row["sequence"] - count + 1, _account(row)

    def begin_probe(self, cid: str, *, now: datetime, lease: timedelta) -> bool:
        """Win the right to be the only one who asks for now; ``False`` if somebody else has it."""
        return self._attempt(
            cid,
            "SET probe_until = :until",
            {":until": beijing.iso(now + lease), ":now": beijing.iso(now)},
            "attribute_not_exists(probe_until) OR probe_until <= :now",
        )

    def end_probe(self, cid: str) -> None:
        """Let the next worker probe: this one learnt nothing about the account."""
        self._update(cid, "REMOVE probe_until", {})

    def count(self, cid: str, trouble: Trouble) -> int:
        """Count a trouble that pauses the account only when it comes in a row; return how often it has come."""
        counter = _COUNTERS[trouble]
        count: int = self._update(cid, f"ADD {counter} :one", {":one": 1})[counter]
        return count

    def pause(self, cid: str, reason: Trouble, until: datetime, *, now: datetime) -> bool:
        """Hold every request back until ``until``; ``False`` if a pause holds already."""
        return self._attempt(
            cid,
            "SET pause_reason = :reason, pause_until = :until, paused_at = :now "
            "REMOVE probe_until, unanswered, refused_timestamps ADD pauses :one",
            {":reason": reason, ":until": beijing.iso(until), ":now": beijing.iso(now), ":one": 1},
            "attribute_not_exists(pause_until) OR pause_until <= :now",
        )

    def clear(self, cid: str, proven: str, *, asked_at: datetime) -> bool:
        """Note that the account works with this version of the secret: no pause, no probe, nothing in a row.

        ``asked_at`` is when the request went out: a pause that began since then is newer knowledge, and stays.
        """
        return self._attempt(
            cid,
            "SET proven = :proven "
            "REMOVE pause_reason, pause_until, paused_at, pauses, probe_until, unanswered, refused_timestamps",
            {":proven": proven, ":asked_at": beijing.iso(asked_at)},
            "attribute_not_exists(paused_at) OR paused_at < :asked_at",
        )

    def end_rows(self, cid: str, troubles: Iterable[Trouble]) -> None:
        """Note an answer that ends rows of these troubles, though it does not prove the account."""
        self._update(cid, f"REMOVE {', '.join(_COUNTERS[trouble] for trouble in troubles)}", {})

    def check(self, cid: str, *, sm_balance: int | None, mm_balance: int | None, now: datetime) -> None:
        """Write down the balances, in messages, and when they were asked for."""
        changes = {"sm_balance": sm_balance, "mm_balance": mm_balance, "checked_at": beijing.iso(now)}
        known = {name: value for name, value in changes.items() if value is not None}
        clauses = ", ".join(f"{name} = :{name}" for name in known)
        self._update(cid, f"SET {clauses}", {f":{name}": value for name, value in known.items()})

    def _attempt(self, cid: str, expression: str, values: Mapping[str, Any], condition: str) -> bool:
        try:
            self._update(cid, expression, values, condition)
        except ClientError:
            return False
        return True

    def _update(
        self, cid: str, expression: str, values: Mapping[str, Any], condition: str | None = None
    ) -> dict[str, Any]:
        """Write and return the whole row. A failed condition goes up as botocore's error; nothing else does."""
        request: dict[str, Any] = {
            "TableName": self._table,
            "Key": to_item({"cid": cid}),
            "ReturnValues": "ALL_NEW",
        }
        request["UpdateExpression"] = expression
        if condition:
            request["ConditionExpression"] = condition
        if values:
            request["ExpressionAttributeValues"] = to_item(values)
        if "#sequence" in expression:  # a reserved word
            request["ExpressionAttributeNames"] = {"#sequence": "sequence"}
        with our_errors():
            return from_item(self._client.update_item(**request)["Attributes"])


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
