"""The Reports table: one row per token, mobile and result code (contract, section 4).

A repeated report overwrites its row with the same words. Only ``received_at`` and ``expires_at`` move: they tell
of the latest receipt. To keep the first one would take a condition, and DynamoDB's batches have none; ten
thousand single writes instead of four hundred batches would put the push's answer in danger for a time of day.

``success`` is no part of the key, for it says nothing of its own: it tells whether the *result code* means
success (spec 4.5). Should the platform take back what it said of one code, its later word stands.
"""

from collections.abc import Collection, Iterator
from typing import TYPE_CHECKING

from kuaixintong.core.messages import Report
from kuaixintong.stores.batch import Stamp, Writer
from kuaixintong.stores.query import rows_of

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

    def of_token(self, token: str) -> "Iterator[Item]":
        """Yield the reports of a part, ordered by mobile and result code."""
        return rows_of(self._client, self._table, "token", token)

    def of_mobile(self, mobile: str) -> "Iterator[Item]":
        """Yield the reports of a mobile, of all parts, in the order in which they were received."""
        return rows_of(self._client, self._table, "mobile", mobile, index=BY_MOBILE)


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
    return row | {"extra": {"S": report.extra}} if report.extra else row
