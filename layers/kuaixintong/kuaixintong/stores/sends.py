"""The Sends table: one row per part, every write of it conditional (contract, sections 2 and 4).

The time line of a row, and what each condition guards against::

    put, claimed        the row is not there yet: two first deliveries cannot both create it
    update, claimed     the revision is the one the decision was made on: nobody has moved the row meanwhile
    update, result      the claim and the revision are the worker's own: a worker that was given up for dead,
                        and whose part another has taken over, writes nothing

A put or update that AWS's client repeats after a lost answer finds its own claim in the row, and knows it.
"""

import hashlib
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, cast

from botocore.exceptions import ClientError

from kuaixintong.core import beijing
from kuaixintong.core.codes import INVALID_NUMBERS
from kuaixintong.core.errors import ClaimLost, StoreUnavailable
from kuaixintong.core.ledger import (
    ADVICE,
    Attention,
    Busy,
    Finished,
    Lapse,
    Rule,
    Standing,
    State,
    Submit,
    next_step,
    unanswered_after,
)
from kuaixintong.core.messages import Answer
from kuaixintong.core.sends import InvalidMobile, Part, Send
from kuaixintong.stores.aws import our_errors
from kuaixintong.stores.dynamo import from_item, to_item

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_dynamodb.type_defs import AttributeValueTypeDef, QueryInputTypeDef

_ABSENT = "attribute_not_exists(send_id)"
_UNMOVED = "revision = :seen_revision"
_OURS = "claim = :our_claim AND revision = :our_revision"

_TRIES = 3
"""Decisions per claim: a row that other workers move three times under ours is busy by any name."""

_CONFLICT_PAUSES = (0.05, 0.1, 0.2, 0.4)
"""Seconds between tries of a transaction that another write of the same row has cancelled."""

_LONGEST_BODY = 90_000
"""Characters of a refused body that are kept; a row holds 400 KB, and a character is at most four bytes."""


@dataclass(frozen=True, slots=True)
class Conflict:
    """The id belongs to a send with another payload."""


@dataclass(frozen=True, slots=True)
class Claimed:
    """A part that is this worker's until its lease runs out: the request may go out."""

    submit: Submit
    claim: str
    revision: int


class Sends:
    """Rows of parts in one table.

    ``retention`` is how long a row lives after its last write; ``lease`` how long a claim keeps others away,
    which has to be longer than a function can live. With ``store_content`` off, no text of a message is kept.
    """

    def __init__(
        self,
        client: "DynamoDBClient",
        table: str,
        *,
        retention: timedelta,
        lease: timedelta,
        store_content: bool = True,
    ) -> None:
        self._client = client
        self._table = table
        self._retention = retention
        self._lease = lease
        self._store_content = store_content

    # --- before a request ---------------------------------------------------------------------------------------

    def note(self, send: Send, part: Part, *, now: datetime) -> Standing | Conflict | None:
        """Write down a part that cannot be asked for yet; return what stands there if it is known already.

        A part without usable mobiles is born ``REJECTED``.
        """
        row = self._born(send, part, now) | _opening(part)
        standing = self._put(row)
        return Conflict() if standing and standing.fingerprint != send.fingerprint else standing

    def claim(
        self,
        send: Send,
        part: Part,
        *,
        fresh: str,
        claim: str,
        now: datetime,
        known: Standing | None = None,
        cid: str | None = None,
    ) -> Claimed | Finished | Lapse | Busy | Conflict:
        """Take a part for this worker, its timestamp written down: ``fresh``, unless one is to be repeated.

        ``known`` is the row if the caller has just seen it; without it, the first write supposes a new part and
        learns otherwise from the failed condition, so that a new send costs no read. ``cid`` is the account to be
        asked. A part that may no longer be asked for is ended instead, and the :class:`Lapse` returned.
        """
        standing = known
        for _ in range(_TRIES):
            if standing and standing.claim == claim:  # our own write, whose answer AWS's client never saw
                return self._claimed_before(standing)
            if standing and standing.fingerprint != send.fingerprint:
                return Conflict()
            step = next_step(standing, fresh=fresh, now=now, expires=send.expires, cid=cid)
            match step:
                case Finished() | Busy():
                    return step
                case Lapse():
                    standing = self._lapse(send, part, standing, step, claim, now)
                    if standing is None:
                        return step
                case Submit():
                    moved = self._take(send, part, standing, step, claim, cid, now)
                    if moved is None:
                        return Claimed(step, claim, standing.revision + 1 if standing else 1)
                    standing = moved
        return Busy(now)

    def _claimed_before(self, row: Standing) -> Claimed | Finished:
        if row.state.final:
            return Finished(row.state)
        submit = Submit(row.timestamp or "", row.uses, row.unanswered, row.attempts)
        return Claimed(submit, row.claim or "", row.revision)

    def _take(
        self,
        send: Send,
        part: Part,
        standing: Standing | None,
        step: Submit,
        claim: str,
        cid: str | None,
        now: datetime,
    ) -> Standing | None:
        changes = {
            "cid": cid,
            "state": State.SUBMITTING,
            "timestamp": step.timestamp,
            "uses": step.uses,
            "unanswered": step.unanswered,
            "attempts": step.attempts,
            "claim": claim,
            "lease_until": beijing.iso(now + self._lease),
        }
        if standing is None:
            return self._put(self._born(send, part, now) | changes)
        return self._advance(send.send_id, part.name, standing, changes, now, forget=("attention", "advice"))

    def _lapse(
        self, send: Send, part: Part, standing: Standing | None, lapse: Lapse, claim: str, now: datetime
    ) -> Standing | None:
        words = lapse.words or f"validUntil {send.valid_until} has passed."
        changes = {"state": lapse.state, "words": words, "claim": claim, **_attention(lapse.attention)}
        if standing is None:
            return self._put(self._born(send, part, now) | changes)
        stale = () if lapse.attention else ("attention", "advice")
        return self._advance(send.send_id, part.name, standing, changes, now, forget=("lease_until", *stale))

    # --- after a request ----------------------------------------------------------------------------------------

    def settle(
        self, send: Send, part: Part, held: Claimed, rule: Rule, answer: Answer | None, *, now: datetime
    ) -> None:
        """Write down what came back. Raises :class:`ClaimLost` if the part is no longer this worker's."""
        changes: dict[str, Any] = {
            "state": rule.state,
            "unanswered": unanswered_after(held.submit, answer),
            **_attention(rule.attention),
        }
        if answer:
            changes |= {"code": answer.state_code, "words": answer.message or answer.meaning.meaning}
        if answer and rule.state is State.ACCEPTED:
            changes |= {"token": answer.token, "fee": answer.fee, "accepted_at": beijing.iso(now)}
        if answer and rule.state is State.REJECTED and rule.attention is None and len(part.mobiles) == 1:
            changes |= _named_alone(part, answer)
        stale = () if rule.attention else ("attention", "advice")
        update = self._update(send.send_id, part.name, changes, now, forget=("lease_until", *stale))
        self._write_ours(update, held)

    def split(self, send: Send, part: Part, held: Claimed, answer: Answer, *, now: datetime) -> None:
        """Divide a part after a 310: in one transaction the halves come to be and the whole ceases to be sendable.

        So at every moment each mobile is in exactly one row that can still be sent. Raises :class:`ClaimLost`.
        """
        changes = {
            "state": State.SPLIT,
            "unanswered": unanswered_after(held.submit, answer),
            "code": answer.state_code,
            "words": answer.message or answer.meaning.meaning,
        }
        gone = ("lease_until", "mobiles", "attention", "advice")
        whole = self._update(send.send_id, part.name, changes, now, forget=gone)
        halves = [self._born(send, half, now) | _opening(half) for half in part.halves()]
        puts = [
            {"Put": {"TableName": self._table, "Item": to_item(half), "ConditionExpression": _ABSENT}}
            for half in halves
        ]
        self._transact([{"Update": self._conditioned(whole, held)}, *puts], token=held.claim)

    def final_states(self, send_id: str) -> dict[str, State]:
        """Return the parts of a send that have come to their end, by name.

        A part divided many times has hundreds of rows. One read of them replaces a failed write for each.
        """
        request: QueryInputTypeDef = {
            "TableName": self._table,
            "KeyConditionExpression": "send_id = :send_id",
            "ProjectionExpression": "part, #state",
            "ExpressionAttributeNames": {"#state": "state"},
            "ExpressionAttributeValues": {":send_id": {"S": send_id}},
            "ConsistentRead": True,
        }
        states: dict[str, State] = {}
        while True:
            with our_errors():
                page = self._client.query(**request)
            states |= {row["part"]: State(row["state"]) for row in map(from_item, page["Items"])}
            if not (last := page.get("LastEvaluatedKey")):
                return {name: state for name, state in states.items() if state.final}
            request["ExclusiveStartKey"] = last

    def give_up(self, send: Send, part: Part, *, now: datetime) -> None:
        """Mark an unfinished part whose message goes to the dead-letter queue; the part itself stays as it is."""
        standing = self.note(send, part, now=now)
        if isinstance(standing, Conflict) or (standing and standing.state.final):
            return
        # No revision is taken: another copy of the message may hold the part, and its result must still fit.
        mark = to_item({f":{name}": text for name, text in _attention(Attention.GAVE_UP).items()})
        open_states = to_item({":waiting": State.WAITING, ":submitting": State.SUBMITTING})
        with suppress(ClientError), our_errors():  # a failed condition: the part was finished after all
            self._client.update_item(
                TableName=self._table,
                Key=to_item({"send_id": send.send_id, "part": part.name}),
                UpdateExpression="SET attention = :attention, advice = :advice, updated_at = :now",
                ConditionExpression="#state IN (:waiting, :submitting)",
                ExpressionAttributeNames={"#state": "state"},
                ExpressionAttributeValues=mark | open_states | to_item({":now": beijing.iso(now)}),
            )

    # --- sends that are none ------------------------------------------------------------------------------------

    def refuse(self, send_id: str, message_id: str, faults: Sequence[str], body: str, *, now: datetime) -> None:
        """Write a ``REJECTED`` row for a body that is no send, under its own id or, if taken, the message's.

        The row keeps the body (its first 90,000 characters), so that nothing is lost by the refusal.
        """
        print_ = hashlib.sha256(body.encode()).hexdigest()[:32]
        row = self._refused(send_id, print_, " ".join(faults), body, now)
        standing = self._put(row)
        if standing and standing.fingerprint != print_ and send_id != message_id:
            taken = f"The id {send_id} is taken by an earlier message, which stands."
            self._put(self._refused(message_id, print_, " ".join([*faults, taken]), body, now))

    def refuse_conflict(self, send: Send, message_id: str, body: str, *, now: datetime) -> None:
        """Write a ``REJECTED`` row under the message's id for a body whose ``id`` another payload has taken."""
        fault = (
            f"id is {send.send_id}, which an earlier message with another payload has taken. What became of "
            "that one stands, and this one is not sent: the same id means the same send. Enqueue this payload "
            "under an id of its own."
        )
        self._put(self._refused(message_id, send.fingerprint, fault, body, now))

    def _refused(self, send_id: str, fingerprint: str, words: str, body: str, now: datetime) -> dict[str, Any]:
        return {
            "send_id": send_id,
            "part": "1",
            "parts": 1,
            "state": State.REJECTED,
            "words": words,
            "body": body[:_LONGEST_BODY] if self._store_content else None,
            "fingerprint": fingerprint,
            **self._dated(now),
        }

    # --- rows ---------------------------------------------------------------------------------------------------

    def _born(self, send: Send, part: Part, now: datetime) -> dict[str, Any]:
        return {
            "send_id": send.send_id,
            "part": part.name,
            "parts": len(send.parts),
            "mobiles": list(part.mobiles),
            "invalid_mobiles": _listed(part.invalid_mobiles),
            "content": send.content if self._store_content else None,
            "at_time": send.at_time,
            "daily_begin_time": send.daily_begin_time,
            "daily_end_time": send.daily_end_time,
            "valid_until": send.valid_until,
            "fingerprint": send.fingerprint,
            **self._dated(now),
        }

    def _dated(self, now: datetime) -> dict[str, Any]:
        stamp = beijing.iso(now)
        return {"revision": 1, "created_at": stamp, "updated_at": stamp, "expires_at": self._expiry(now)}

    def _expiry(self, now: datetime) -> int:
        return int((now + self._retention).timestamp())

    # --- DynamoDB -----------------------------------------------------------------------------------------------

    def _put(self, row: Mapping[str, Any]) -> Standing | None:
        """Create a row; return what stands there if it is taken, which also tells a repeated put of our own."""
        try:
            with our_errors():
                self._client.put_item(
                    TableName=self._table,
                    Item=to_item(row),
                    ConditionExpression=_ABSENT,
                    ReturnValuesOnConditionCheckFailure="ALL_OLD",
                )
        except ClientError as error:
            return _standing_in(error)
        return None

    def _advance(
        self,
        send_id: str,
        part: str,
        seen: Standing,
        changes: Mapping[str, Any],
        now: datetime,
        *,
        forget: tuple[str, ...] = (),
    ) -> Standing | None:
        """Change a row that nobody has moved since it was seen; return what stands there if somebody has."""
        update = self._update(send_id, part, changes, now, forget=forget)
        update["ExpressionAttributeValues"] |= to_item({":seen_revision": seen.revision})
        try:
            with our_errors():
                self._client.update_item(
                    **update, ConditionExpression=_UNMOVED, ReturnValuesOnConditionCheckFailure="ALL_OLD"
                )
        except ClientError as error:
            return _standing_in(error)
        return None

    def _write_ours(self, update: dict[str, Any], held: Claimed) -> None:
        try:
            with our_errors():
                self._client.update_item(
                    **self._conditioned(update, held), ReturnValuesOnConditionCheckFailure="ALL_OLD"
                )
        except ClientError as error:
            standing = _standing_in(error)
            if standing.claim != held.claim:
                raise ClaimLost("The part has been taken over by another worker.") from error
            # else: our own result, written by a try whose answer AWS's client never saw

    def _transact(self, items: list[dict[str, Any]], *, token: str) -> None:
        """Write all or nothing; ``token`` makes a repeated call the same transaction.

        Another delivery that merely looks at the row cancels the transaction as a conflict. That is no answer to
        the condition, and the 310 that led here must not be lost to it, so it is tried again.
        """
        for pause in (*_CONFLICT_PAUSES, None):
            cancelled = self._cancelled(items, token)
            if cancelled is None:
                return
            if "ConditionalCheckFailed" in cancelled:
                raise ClaimLost("The part has been taken over by another worker.")
            if pause is not None:
                time.sleep(pause)
        raise StoreUnavailable("DynamoDB TransactWriteItems: TransactionCanceled")

    def _cancelled(self, items: list[dict[str, Any]], token: str) -> set[str] | None:
        """Write a transaction; return the reasons for which it was cancelled, ``None`` if it was not."""
        try:
            with our_errors():
                self._client.transact_write_items(TransactItems=cast(Any, items), ClientRequestToken=token)
        except ClientError as error:
            return {each.get("Code", "") for each in error.response.get("CancellationReasons", [])}
        return None

    def _conditioned(self, update: dict[str, Any], held: Claimed) -> dict[str, Any]:
        ours = to_item({":our_claim": held.claim, ":our_revision": held.revision})
        return update | {
            "ConditionExpression": _OURS,
            "ExpressionAttributeValues": update["ExpressionAttributeValues"] | ours,
        }

    def _update(
        self, send_id: str, part: str, changes: Mapping[str, Any], now: datetime, *, forget: tuple[str, ...]
    ) -> dict[str, Any]:
        dated = {**changes, "updated_at": beijing.iso(now), "expires_at": self._expiry(now)}
        setting = {name: value for name, value in dated.items() if value is not None}
        clauses = [f"#{name} = :{name}" for name in setting] + ["revision = revision + :one"]
        removing = f" REMOVE {', '.join(forget)}" if forget else ""
        return {
            "TableName": self._table,
            "Key": to_item({"send_id": send_id, "part": part}),
            "UpdateExpression": f"SET {', '.join(clauses)}{removing}",
            "ExpressionAttributeNames": {f"#{name}": name for name in setting},
            "ExpressionAttributeValues": to_item(
                {f":{name}": value for name, value in setting.items()} | {":one": 1}
            ),
        }


def _opening(part: Part) -> dict[str, Any]:
    if part.mobiles:
        return {"state": State.WAITING}
    return {"state": State.REJECTED, "words": "No mobile of this part is usable; invalid_mobiles says why."}


def _named_alone(part: Part, answer: Answer) -> dict[str, Any]:
    """A number that stands alone and is refused as a number (310): it moves to where the unusable ones are."""
    if answer.state_code != INVALID_NUMBERS:
        return {}
    reason = f"{INVALID_NUMBERS} {answer.meaning.meaning}"
    return {"mobiles": [], "invalid_mobiles": _listed([InvalidMobile(part.mobiles[0], reason)])}


def _listed(invalid: Sequence[InvalidMobile]) -> list[dict[str, str]] | None:
    return [{"mobile": each.mobile, "reason": each.reason} for each in invalid] or None


def _attention(attention: Attention | None) -> dict[str, str]:
    return {"attention": attention, "advice": ADVICE[attention]} if attention else {}


def _standing_in(error: ClientError) -> Standing:
    """Return the row that made a condition fail, which DynamoDB sends along: the read that a write spares."""
    old = cast("Mapping[str, AttributeValueTypeDef] | None", error.response.get("Item"))
    if old is None:
        raise ClaimLost("The row has gone.") from error
    row = from_item({name: old[name] for name in _DECIDING if name in old})
    lease = row.get("lease_until")
    return Standing(
        state=State(row["state"]),
        fingerprint=row["fingerprint"],
        revision=row["revision"],
        claim=row.get("claim"),
        lease_until=beijing.from_iso(lease) if lease else None,
        timestamp=row.get("timestamp"),
        uses=row.get("uses", 0),
        unanswered=row.get("unanswered", 0),
        attempts=row.get("attempts", 0),
        cid=row.get("cid"),
    )


_DECIDING = (
    "state",
    "fingerprint",
    "revision",
    "claim",
    "lease_until",
    "timestamp",
    "uses",
    "unanswered",
    "attempts",
    "cid",
)
