"""The Sends table: one row per part, every write of it conditional (contract, sections 2 and 4).

The time line of a row, and what each condition guards against::

    create              the row is not there yet: two first deliveries cannot both create it
    advance, claimed    the revision is the one the decision was made on: nobody has moved the row meanwhile
    settle, divide      the claim and the revision are the worker's own: a worker that was given up for dead,
                        and whose part another has taken over, writes nothing
    conclude            the state and the timestamp are those that were looked at, and no token has been noted:
                        what is known beside the row of a part that has ended is about this very request

What a row says is decided in ``core``; here it is put, compared and exchanged.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Any

from boto3.dynamodb.conditions import Attr

from kuaixintong.core.change import Change
from kuaixintong.core.ledger import Attention
from kuaixintong.core.rows import REFUSED_SHARDS, refused_shard
from kuaixintong.stores.dynamo import Item
from kuaixintong.stores.table import Moved, Put, Table, Update

BY_TOKEN = "by-token"  # noqa: S105  # the name of an index
BY_ATTENTION = "by-attention"
BY_CAMPAIGN = "by-campaign"
BY_DAY = "by-day"

_absent = Attr("send_id").not_exists


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

    def advance(self, send_id: str, part: str, change: Change, *, seen: int) -> None:
        """Change a row that nobody has moved since its revision was ``seen``. Raises :class:`Moved`."""
        self._table.update(_key(send_id, part), change, only_if=Attr("revision").eq(seen))

    def settle(self, send_id: str, part: str, change: Change, *, claim: str, revision: int) -> None:
        """Write a result, if the row is still the worker's own. Raises :class:`Moved`."""
        self._table.update(_key(send_id, part), change, only_if=_ours(claim, revision))

    def divide(
        self, send_id: str, part: str, change: Change, halves: Sequence[Item], *, claim: str, revision: int
    ) -> None:
        """Write, all or nothing, the end of a part and the beginning of its halves. Raises :class:`Moved`.

        So at every moment each mobile is in exactly one row that can still be sent.
        """
        whole = Update(_key(send_id, part), change, _ours(claim, revision))
        self._table.transact([whole, *(Put(half, _absent()) for half in halves)], token=claim)

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

    def states(self, send_id: str) -> Iterator[Item]:
        """Yield as much of a send's rows as a claim needs to know, read consistently: no failed write for each."""
        return self._table.query("send_id", send_id, fields=_DECIDING, consistent=True)

    def of_token(self, token: str) -> Item | None:
        """Return the part that the platform knows by ``token``; ``None`` if no row says so (yet)."""
        keys = next(self._table.query("token", token, index=BY_TOKEN), None)
        return self._table.get(_key(keys["send_id"], keys["part"]), consistent=False) if keys else None

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
)
"""What :meth:`kuaixintong.core.ledger.Standing.of` reads."""


def _ours(claim: str, revision: int) -> Any:
    return Attr("claim").eq(claim) & Attr("revision").eq(revision)


def _key(send_id: str, part: str) -> dict[str, str]:
    return {"send_id": send_id, "part": part}
