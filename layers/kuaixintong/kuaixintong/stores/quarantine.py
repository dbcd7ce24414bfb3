"""The Quarantine table: what could not be read, whole, once, and counted (contract, section 4).

A record is chunk 0, with the beginning of the raw text and all that is known of it, and as many further chunks
as the rest needs. Chunk 0 is written last: a record that is there is whole. Cut off before that, it is written
again by the next push, over the same chunks.

What is pushed again is only counted. A record of several chunks costs hundreds of write units, and the platform
pushes again and again, so whether the record is there is asked first, by the counting itself.
"""

from collections import Counter
from collections.abc import Iterable, Iterator
from functools import partial
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from kuaixintong.pushes import Kept, Unreadable
from kuaixintong.stores.batch import Patience, Stamp, Writer
from kuaixintong.stores.dynamo import Item, from_item, our_errors, to_item
from kuaixintong.stores.query import rows_of

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_dynamodb.type_defs import AttributeValueTypeDef, UpdateItemInputTypeDef

    from kuaixintong.stores.batch import Row

_HEAD_BYTES = 4_096
"""Raw text in chunk 0: enough to see what it is, and little, for each counting costs units by its size."""

_CHUNK_BYTES = 380_000
"""Raw text in a further chunk; an item has at most 400 KB."""


class Quarantine:
    """Unreadable pushes and entries, by digest."""

    def __init__(self, client: "DynamoDBClient", table: str) -> None:
        self._client = client
        self._table = table

    def keep(self, unreadable: Iterable[Unreadable], stamp: Stamp, writer: Writer, *, deadline: float) -> None:
        """Keep each, or count it if it is there. Raises :class:`~kuaixintong.errors.StoreUnavailable`."""
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
        return Unreadable(head["type"], Kept(head["kept"]), raw, head["reason"], head["entries"])

    def heads(self) -> Iterator[Item]:
        """Yield chunk 0 of every record,, in no order: what, why, when, how often. Reads the whole table."""
        for page in self._client.get_paginator("scan").paginate(
            TableName=self._table,
            FilterExpression="#chunk = :head",
            ExpressionAttributeNames={"#chunk": "chunk"},
            ExpressionAttributeValues={":head": {"N": "0"}},
        ):
            yield from map(from_item, page["Items"])

    def discard(self, digest: str) -> None:
        """Remove a record, chunk 0 first: what is left of a record that is cut off here is no record."""
        with our_errors():
            for chunk in list(rows_of(self._client, self._table, "digest", digest)):
                self._client.delete_item(TableName=self._table, Key=_key(digest, chunk["chunk"]))

    def _keep(self, each: Unreadable, seen: int, stamp: Stamp, writer: Writer, patience: Patience) -> None:
        digest = each.digest
        head, *rest = _pieces(each.raw)
        if rest:
            if self._counted(digest, seen, stamp, writer, patience):
                return
            for number, piece in enumerate(rest, start=1):
                row = _chunk(digest, number, piece, stamp)
                writer.persist(partial(self._client.put_item, TableName=self._table, Item=row), patience)
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
        writer.persist(partial(self._update, digest, known, seen, first_seen=stamp.received_at), patience)

    def _counted(self, digest: str, seen: int, stamp: Stamp, writer: Writer, patience: Patience) -> bool:
        """Count a record that is there, whole, and not about to be taken by TTL."""
        known = {"last_seen": stamp.received_at}
        try:
            writer.persist(partial(self._update, digest, known, seen, alive_at=stamp.received), patience)
        except ClientError as error:
            if error.response["Error"]["Code"] == "ConditionalCheckFailedException":
                return False
            raise
        return True

    def _update(
        self, digest: str, known: Item, seen: int, *, first_seen: str | None = None, alive_at: int | None = None
    ) -> None:
        assignments = [f"#{name} = :{name}" for name in known]
        values: Item = {f":{name}": value for name, value in known.items()} | {":times": seen}
        names = {f"#{name}": name for name in (*known, "seen")}
        request: UpdateItemInputTypeDef = {"TableName": self._table, "Key": _key(digest, 0)}
        if first_seen:
            assignments.append("#first_seen = if_not_exists(#first_seen, :first_seen)")
            values[":first_seen"], names["#first_seen"] = first_seen, "first_seen"
        if alive_at is not None:
            request["ConditionExpression"] = "attribute_exists(#seen) AND #expires_at > :alive_at"
            values[":alive_at"], names["#expires_at"] = alive_at, "expires_at"
        request["UpdateExpression"] = f"SET {', '.join(assignments)} ADD #seen :times"
        request["ExpressionAttributeNames"] = names
        request["ExpressionAttributeValues"] = to_item(values)
        self._client.update_item(**request)


def _key(digest: str, chunk: int) -> "dict[str, AttributeValueTypeDef]":
    return to_item({"digest": digest, "chunk": chunk})


def _chunk(digest: str, number: int, piece: object, stamp: Stamp) -> "Row":
    return to_item({"digest": digest, "chunk": number, "raw": piece, "expires_at": stamp.expires_at})


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
