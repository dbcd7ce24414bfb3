"""The Quarantine table: what could not be read, whole, once, and counted (contract, section 4).

A record is chunk 0, with the beginning of the raw text and all that is known of it, and as many further chunks
as the rest needs. The raw text of a whole push is its query string, of ``query_bytes`` bytes, and then its body.
Chunk 0 is written last: a record that is there is whole. Cut off before that, it is written again by the next
push, over the same chunks.

What is pushed again is only counted. A record of several chunks costs hundreds of write units, and the platform
pushes again and again, so whether the record is there is asked first, by the counting itself.
"""

from collections import Counter
from collections.abc import Iterable, Iterator
from functools import partial
from typing import TYPE_CHECKING, Any

from kuaixintong.core.limits import ITEM_BYTES
from kuaixintong.core.unreadable import Kept, Unreadable
from kuaixintong.stores.aws import our_errors
from kuaixintong.stores.batch import Patience, Stamp, Writer
from kuaixintong.stores.dynamo import Item, to_item
from kuaixintong.stores.query import all_of, rows_of

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_dynamodb.type_defs import AttributeValueTypeDef

    type Key = dict[str, AttributeValueTypeDef]

_HEAD_BYTES = 4_096
"""Raw text in chunk 0: enough to see what it is, and little, for each counting costs units by its size."""

_CHUNK_BYTES = ITEM_BYTES - 20_000
"""Raw text in a further chunk; the rest is names, key and time."""


class Holding:
    """Unreadable pushes and entries, by digest."""

    def __init__(self, client: "DynamoDBClient", table: str) -> None:
        self._client = client
        self._table = table

    def keep(self, unreadable: Iterable[Unreadable], stamp: Stamp, writer: Writer, *, deadline: float) -> None:
        """Keep each, or count it if it is there. Raises :class:`~kuaixintong.core.errors.StoreUnavailable`."""
        times = Counter(unreadable)
        writer.run(
            (partial(self._keep, each, seen, stamp, writer) for each, seen in times.items()), deadline=deadline
        )

    def read(self, digest: str) -> Unreadable | None:
        """Return what was kept under ``digest``, put together again; ``None`` if it is not there whole."""
        chunks = list(rows_of(self._client, self._table, "digest", digest))
        if not chunks or chunks[0].get("chunks") != len(chunks):
            return None
        head = chunks[0]
        raw = b"".join(_bytes(chunk["raw"]) for chunk in chunks)
        query = head.get("query_bytes", 0)
        return Unreadable(
            type=head["type"],
            kept=Kept(head["kept"]),
            raw=raw[query:],
            reason=head["reason"],
            entries=head["entries"],
            query=raw[:query],
            content_type=head.get("content_type", ""),
        )

    def heads(self) -> Iterator[Item]:
        """Yield chunk 0 of every record, in no order: what, why, when, how often. Reads the whole table.

        Raises :class:`~kuaixintong.core.errors.StoreUnavailable`.
        """
        return all_of(self._client, self._table, chunk=0)

    def discard(self, digest: str) -> None:
        """Remove a record, chunk 0 first: what is left of a record that is cut off here is no record."""
        with our_errors():
            for chunk in list(rows_of(self._client, self._table, "digest", digest)):
                self._client.delete_item(TableName=self._table, Key=_key(digest, chunk["chunk"]))

    def _keep(self, each: Unreadable, times: int, stamp: Stamp, writer: Writer, patience: Patience) -> None:
        key = _key(each.digest, 0)
        head, *rest = _pieces(each.query + each.raw)
        if rest:
            if writer.persist(partial(self._counted, key, times, stamp), patience):
                return
            for number, piece in enumerate(rest, start=1):
                chunk = {"digest": each.digest, "chunk": number, "raw": piece, "expires_at": stamp.expires_at}
                put = partial(self._client.put_item, TableName=self._table, Item=to_item(chunk))
                writer.persist(put, patience)
        known = {
            "raw": head,
            "type": each.type,
            "kept": str(each.kept),
            "reason": each.reason,
            "entries": each.entries,
            "chunks": 1 + len(rest),
            "last_seen": stamp.received_at,
            "expires_at": stamp.expires_at,
        }
        if each.kept == Kept.BODY:
            known |= {"query_bytes": len(each.query), "content_type": each.content_type}
        writer.persist(partial(self._write_head, key, known, times), patience)

    def _counted(self, key: "Key", times: int, stamp: Stamp) -> bool:
        """Count a record, if it is there. Its other chunks are then too: chunk 0 is the last to be written."""
        there = "attribute_exists(#seen)"
        whole = "#expires_at > :now"  # after that, TTL takes the chunks one by one and at its leisure
        try:
            self._client.update_item(
                TableName=self._table,
                Key=key,
                ConditionExpression=f"{there} AND {whole}",
                UpdateExpression="SET #last_seen = :last_seen ADD #seen :times",
                ExpressionAttributeNames={f"#{name}": name for name in ("seen", "last_seen", "expires_at")},
                ExpressionAttributeValues=to_item(
                    {":last_seen": stamp.received_at, ":times": times, ":now": stamp.received}
                ),
            )
        except self._client.exceptions.ConditionalCheckFailedException:
            return False
        return True

    def _write_head(self, key: "Key", known: Item, times: int) -> None:
        assignments = ", ".join(f"#{name} = :{name}" for name in known)
        self._client.update_item(
            TableName=self._table,
            Key=key,
            UpdateExpression=(
                f"SET {assignments}, #first_seen = if_not_exists(#first_seen, :last_seen) ADD #seen :times"
            ),
            ExpressionAttributeNames={f"#{name}": name for name in (*known, "first_seen", "seen")},
            ExpressionAttributeValues=to_item({f":{name}": known[name] for name in known} | {":times": times}),
        )


def _key(digest: str, chunk: int) -> "Key":
    return to_item({"digest": digest, "chunk": chunk})


def _pieces(raw: bytes) -> list[bytes] | list[str]:
    """Cut the raw text into chunk 0's and the others'; as text if it is text, and then between characters."""
    pieces: list[bytes] = []
    start, size = 0, _HEAD_BYTES
    while start < len(raw) or not pieces:
        end = _boundary(raw, start + size)
        pieces.append(raw[start:end])
        start, size = end, _CHUNK_BYTES
    try:
        return [piece.decode() for piece in pieces]
    except UnicodeDecodeError:
        return pieces


def _boundary(raw: bytes, end: int) -> int:
    """Move ``end`` back to where a UTF-8 character begins; one is at most four bytes long."""
    for start in range(end, max(end - 4, 0), -1):
        if start >= len(raw) or raw[start] & 0xC0 != 0x80:
            return start
    return end


def _bytes(piece: Any) -> bytes:
    return piece.encode() if isinstance(piece, str) else bytes(piece)
