"""The Reports table: one row per token, mobile, result code and success (contract, section 4).

A repeated report overwrites its row with the same words. ``received_at`` and ``expires_at`` tell of the latest
receipt, and ``extra`` and ``mobile_as_pushed`` are the latest's. To keep the first ones would take a condition,
and DynamoDB's batches have none; ten thousand single writes instead of four hundred batches would put the push's
answer in danger for them.

``success`` is part of the key although the result code ought to settle it: two reports that contradict each other
are both kept, in whatever order they come, and the status of the mobile is ``mixed``.
"""

from collections.abc import Collection, Iterator, Sequence
from typing import TYPE_CHECKING, Unpack

from kuaixintong.core.messages import Report
from kuaixintong.stores.batch import Stamp, Writer, optional
from kuaixintong.stores.query import Order, Sorted, rows_of

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

    from kuaixintong.stores.batch import Row
    from kuaixintong.stores.dynamo import Item

BY_MOBILE = "by-mobile"


class Reports:
    """Delivery reports, by the token of the part they belong to, and by mobile."""

    def __init__(self, client: "DynamoDBClient", table: str) -> None:
        self._client = client
        self._table = table

    def put(self, reports: Collection[Report], stamp: Stamp, writer: Writer, *, deadline: float) -> int:
        """Write reports, no two of one key, and return the number of rows.

        Raises :class:`~kuaixintong.core.errors.StoreUnavailable`.
        """
        writer.put(self._table, reports, lambda report: _row(report, stamp), deadline=deadline)
        return len(reports)

    def of_token(self, token: str, *, mobile: str | None = None, fields: Sequence[str] = ()) -> "Iterator[Item]":
        """Yield the reports of a part, or of one ``mobile`` of it, ordered by mobile, result code and success."""
        sort = Sorted("outcome", prefix=f"{mobile}#") if mobile else None
        return rows_of(self._client, self._table, "token", token, sort=sort, fields=fields)

    def of_mobile(self, mobile: str, *, up_to: str | None = None, **order: Unpack[Order]) -> "Iterator[Item]":
        """Yield the reports of a mobile, of all parts, in the order in which they were received.

        ``up_to`` leaves out those received later.
        """
        sort = Sorted("received_at", up_to=up_to)
        return rows_of(self._client, self._table, "mobile", mobile, index=BY_MOBILE, sort=sort, **order)


def _row(report: Report, stamp: Stamp) -> "Row":
    # spelled out: a push can hold ten thousand, and boto3's serializer takes ten times as long
    row: Row = {
        "token": {"S": report.token},
        "outcome": {"S": report.outcome},
        "mobile": {"S": report.mobile},
        "result_code": {"S": report.result_code},
        "success": {"BOOL": report.success},
        "received_at": {"S": stamp.received_at},
        "expires_at": {"N": str(stamp.expires_at)},
    }
    return row | optional(mobile_as_pushed=report.mobile_as_pushed, extra=report.extra)
