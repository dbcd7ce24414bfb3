"""The Inbound table: one row per MO (contract, section 4).

What makes two MOs different is the handset (the partition key), the second, and what was said (both in the sort
key). So a repeated push lands on the same row, and two texts of one handset in the same second do not. The one
thing that cannot be told apart from a repetition is the same handset saying the same twice in the same second:
that is one row, also within one push, for otherwise the rows would depend on how the platform batches.
"""

from collections.abc import Iterable, Iterator
from hashlib import sha256
from typing import TYPE_CHECKING

from kuaixintong.core.messages import MO
from kuaixintong.stores.batch import Stamp, Writer
from kuaixintong.stores.query import rows_of

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

    from kuaixintong.stores.batch import Row
    from kuaixintong.stores.dynamo import Item

BY_DAY = "by-day"


class Inbound:
    """Uplink messages, by mobile and by day."""

    def __init__(self, client: "DynamoDBClient", table: str) -> None:
        self._client = client
        self._table = table

    def put(self, mos: Iterable[MO], stamp: Stamp, writer: Writer, *, deadline: float) -> int:
        """Write MOs, each once, and return the number of rows.

        Raises :class:`~kuaixintong.core.errors.StoreUnavailable`.
        """
        different = dict.fromkeys(mos)
        writer.put(self._table, different, lambda mo: _row(mo, stamp), deadline=deadline)
        return len(different)

    def of_mobile(self, mobile: str) -> "Iterator[Item]":
        """Yield the MOs of a mobile, in the order in which the gateway received them."""
        return rows_of(self._client, self._table, "mobile", mobile)

    def of_day(self, day: str) -> "Iterator[Item]":
        """Yield the MOs of a Beijing day, ``yyyy-MM-dd``, in the order in which the gateway received them."""
        return rows_of(self._client, self._table, "day", day, index=BY_DAY)


def _message_key(mo: MO) -> str:
    # the length keeps content and extra apart: no other pair of them is the same text
    said = sha256(f"{len(mo.content)} {mo.content}{mo.extra}".encode()).hexdigest()
    return f"{mo.smg_recv_date}#{said[:32]}"


def _row(mo: MO, stamp: Stamp) -> "Row":
    row: Row = {
        "mobile": {"S": mo.mobile},
        "message_key": {"S": _message_key(mo)},
        "day": {"S": mo.smg_recv_date[:10]},
        "content": {"S": mo.content},
        "smg_recv_date": {"S": mo.smg_recv_date},
        "received_at": {"S": stamp.received_at},
        "expires_at": {"N": str(stamp.expires_at)},
    }
    return row | {"extra": {"S": mo.extra}} if mo.extra else row
