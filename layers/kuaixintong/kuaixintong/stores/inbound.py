"""The Inbound table: one row per MO (contract, section 4).

What makes two MOs different is the handset (the partition key), the moment, and what was said (both in the sort
key). So a repeated push lands on the same row, whatever fields it has beyond the spec's, and two texts of one
handset in the same second do not. The one thing that cannot be told apart from a repetition is the same handset
saying the same twice in the same second: that is one row, also within one push, for otherwise the rows would
depend on how the platform batches.
"""

from collections.abc import Collection, Iterator
from typing import TYPE_CHECKING, Unpack

from kuaixintong.core.messages import MO
from kuaixintong.stores.batch import Stamp, Writer, optional
from kuaixintong.stores.query import Order, Sorted, rows_of

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

    def put(self, mos: Collection[MO], stamp: Stamp, writer: Writer, *, deadline: float) -> int:
        """Write MOs, no two of one key, and return the number of rows.

        Raises :class:`~kuaixintong.core.errors.StoreUnavailable`.
        """
        writer.put(self._table, mos, lambda mo: _row(mo, stamp), deadline=deadline)
        return len(mos)

    def of_mobile(self, mobile: str, *, up_to: str | None = None, **order: Unpack[Order]) -> "Iterator[Item]":
        """Yield the MOs of a mobile, in the order in which the gateway received them.

        ``up_to`` leaves out those whose key is greater.
        """
        sort = Sorted("message_key", up_to=up_to)
        return rows_of(self._client, self._table, "mobile", mobile, sort=sort, **order)

    def of_day(self, day: str) -> "Iterator[Item]":
        """Yield the MOs of a Beijing day, ``yyyy-MM-dd``, in the order in which the gateway received them."""
        return rows_of(self._client, self._table, "day", day, index=BY_DAY)


def _row(mo: MO, stamp: Stamp) -> "Row":
    row: Row = {
        "mobile": {"S": mo.mobile},
        "message_key": {"S": mo.message_key},
        "day": {"S": mo.smg_recv_date[:10]},
        "content": {"S": mo.content},
        "smg_recv_date": {"S": mo.smg_recv_date},
        "received_at": {"S": stamp.received_at},
        "expires_at": {"N": str(stamp.expires_at)},
    }
    return row | optional(mobile_as_pushed=mo.mobile_as_pushed, extra=mo.extra)
