"""The Sends table: one row per part, every write of it conditional (contract, sections 2 and 4).

The time line of a row, and what each condition guards against::

    create              the row is not there yet: two first deliveries cannot both create it
    advance, claimed    the revision is the one the decision was made on: nobody has moved the row meanwhile
    settle, divide      the claim and the revision are the worker's own: a worker that was given up for dead,
                        and whose part another has taken over, writes nothing
                        … and nothing but a part's end is written past a note that it is cancelled, unseen
    stop, note_cancel   the revision is the one that the cancel was decided on
    look_later          the row is due at the moment for which it was enqueued: nobody has claimed it since
    conclude            the state and the timestamp are those that were looked at, and no token has been noted:
                        what is known beside the row of a part that has ended is about this very request

What a row says is decided in ``core``; here it is put, compared and exchanged.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Any

from boto3.dynamodb.conditions import Attr

from kuaixintong.core.change import Change
from kuaixintong.core.due import Due
from kuaixintong.core.ledger import Attention
from kuaixintong.core.rails import CHARGE, TERMS
from kuaixintong.core.rows import REFUSED_SHARDS, campaign_shards, refused_shard
from kuaixintong.stores.dynamo import Item
from kuaixintong.stores.query import Sorted
from kuaixintong.stores.table import Moved, Put, Table, Update

BY_TOKEN = "by-token"  # noqa: S105  # the name of an index
BY_ATTENTION = "by-attention"
BY_CAMPAIGN = "by-campaign"
BY_DAY = "by-day"
BY_DUE = "by-due"

_absent = Attr("send_id").not_exists
_not_noted = Attr("cancelled_at").not_exists


class Parts:
    """Rows of parts, whole, as the contract's section 4 describes them."""

    def __init__(self, table: Table) -> None:
        self._table = table

    # --- writing ------------------------------------------------------------------------------------------------

    def create(self, row: Mapping[str, Any]) -> None:
        """Put a row that is not there yet. Raises :class:`Moved` with what stands there."""
        self._table.put(row, only_if=_absent())

    def replace(self, row: Mapping[str, Any], *, seen: int) -> None:
        """Put a row in the place of one that nobody has moved since it was ``seen``. Raises :class:`Moved`."""
        self._table.put(row, only_if=Attr("revision").eq(seen))

    def advance(self, send_id: str, part: str, change: Change, *, seen: int, noted: bool = False) -> None:
        """Change a row that nobody has moved since its revision was ``seen``, or has ``noted`` as cancelled.

        Raises :class:`Moved`.
        """
        condition = Attr("revision").eq(seen)
        self._table.update(_key(send_id, part), change, only_if=condition if noted else condition & _not_noted())

    def settle(
        self, send_id: str, part: str, change: Change, *, claim: str, revision: int, unless_noted: bool = False
    ) -> None:
        """Write a result, if the row is still the worker's own, ``unless_noted`` as cancelled.

        Raises :class:`Moved`. The note takes no revision: whoever's claim and revision still stand there knows
        that it was the note.
        """
        condition = _ours(claim, revision)
        self._table.update(
            _key(send_id, part), change, only_if=condition & _not_noted() if unless_noted else condition
        )

    def divide(
        self,
        send_id: str,
        part: str,
        change: Change,
        halves: Sequence[Item],
        *,
        claim: str,
        revision: int,
        noted: bool = False,
    ) -> None:
        """Write, all or nothing, the end of a part and the beginning of its halves. Raises :class:`Moved`.

        So at every moment each mobile is in exactly one row that can still be sent. Nothing is written over a
        note that the part is cancelled, unless the halves were made knowing that it is ``noted``.
        """
        condition = _ours(claim, revision)
        whole = Update(_key(send_id, part), change, condition if noted else condition & _not_noted())
        token = f"{claim}-c" if noted else claim  # another transaction than the one that met the note
        self._table.transact([whole, *(Put(half, _absent()) for half in halves)], token=token)

    def look_later(self, row: Due, due_at: str) -> None:
        """Let a row that has been enqueued be looked at again later, unless a worker has taken it meanwhile."""
        key = _key(row.reference.send_id, row.reference.part)
        with suppress(Moved):
            self._table.update(key, Change({"due_at": due_at}), only_if=Attr("due_at").eq(row.due_at))

    def mark(self, send_id: str, part: str, change: Change, *, states: Collection[str]) -> None:
        """Change a row without moving it, if its state is one of ``states``; else leave it alone."""
        with suppress(Moved):
            self._table.update(_key(send_id, part), change, only_if=Attr("state").is_in(list(states)))

    def conclude(self, row: Mapping[str, Any], change: Change) -> None:
        """Write what has become known of a part since it ended as ``row`` says. Raises :class:`Moved`."""
        same = Attr("state").eq(row["state"]) & Attr("timestamp").eq(row["timestamp"])
        self._table.update(_key(row["send_id"], row["part"]), change, only_if=same & Attr("token").not_exists())

    # --- reading ------------------------------------------------------------------------------------------------

    def of_send(self, send_id: str) -> Iterator[Item]:
        """Yield a send's parts; a part that a 310 divided comes before its halves."""
        return self._table.query("send_id", send_id)

    def histories(self, send_id: str) -> Iterator[Item]:
        """Yield of each of a send's parts what it is called, its token and its last events."""
        return self._table.query("send_id", send_id, fields=("part", "token", "history"))

    def row(self, send_id: str, part: str) -> Item | None:
        """Return the whole row of a part, read consistently."""
        return self._table.get(_key(send_id, part))

    def states(self, send_id: str) -> Iterator[Item]:
        """Yield as much of a send's rows as a claim needs to know, read consistently: no failed write for each."""
        return self._table.query("send_id", send_id, fields=_DECIDING, consistent=True)

    def to_stop(self, send_id: str) -> list[Item]:
        """Return what a cancel needs to know of a send's rows, read consistently."""
        fields = (*_DECIDING, "send_id", "positions", "content_lent")
        return list(self._table.query("send_id", send_id, fields=fields, consistent=True))

    def of_campaign(self, campaign: str) -> Iterator[Item]:
        """Yield keys and state of a campaign's parts, as far as the index knows of them, in no order."""
        for shard in campaign_shards(campaign):
            yield from self._table.query("campaign_shard", shard, index=BY_CAMPAIGN)

    def texts(self, send_id: str) -> Iterator[str]:
        """Yield the texts that a send's rows hold, of as many of them as do."""
        rows = self._table.query("send_id", send_id, fields=("part", "content"), consistent=True)
        return (row["content"] for row in rows if "content" in row)

    def due(self, shard: str, moment: str) -> Iterator[Due]:
        """Yield the rows of one of the index's shards whose next look is at ``moment`` or before, oldest first."""
        rows = self._table.query("due_shard", shard, index=BY_DUE, sort=Sorted("due_at", up_to=moment))
        return map(Due.of, rows)

    def of_token(self, token: str) -> Item | None:
        """Return the part that the platform knows by ``token``; ``None`` if no row says so (yet)."""
        owner = self.owner_of(token)
        return self._table.get(_key(*owner), consistent=False) if owner else None

    def owner_of(self, token: str) -> tuple[str, str] | None:
        """Return send and part whose row has ``token``; ``None`` if no row has it (yet)."""
        keys = next(self._table.query("token", token, index=BY_TOKEN), None)
        return (keys["send_id"], keys["part"]) if keys else None

    def needing(self, attention: Attention) -> Iterator[Item]:
        """Yield the parts that a person should look at for this reason, the longest untouched first.

        The index holds what a person reads first; the whole row is one ``of_send`` away. Refused bodies come
        shard by shard.
        """
        keys = [refused_shard(shard) for shard in range(REFUSED_SHARDS)]
        for key in keys if attention is Attention.REFUSED else [attention]:
            yield from self._table.query("attention", key, index=BY_ATTENTION)


_DECIDING = (
    *("part", "state", "fingerprint", "revision", "claim", "lease_until"),
    *("timestamp", "uses", "unanswered", "attempts", "cid", "uid", "server", "asked_at"),
    *("with_at_time", "at_time_over", "refused", "outbound", "history"),
    *("cancelled_at", "cancels_send", "waits_until", "parts"),
    *(*TERMS, *CHARGE, "otp_until"),
)
"""What :meth:`kuaixintong.core.ledger.Standing.of` reads."""


def _ours(claim: str, revision: int) -> Any:
    return Attr("claim").eq(claim) & Attr("revision").eq(revision)


def _key(send_id: str, part: str) -> dict[str, str]:
    return {"send_id": send_id, "part": part}
