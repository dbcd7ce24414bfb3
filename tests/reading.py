"""The tables that are read, with rows as the contract has them, and a look-up on a client of its own."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import boto3

from kuaixintong.core.rows import campaign_shards, day_shards
from kuaixintong.settings import TableNames
from kuaixintong.stores.dynamo import to_item
from kuaixintong.wiring.reading import reader

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

FIRST, SECOND, THIRD = "13700000001", "13700000002", "13700000003"
TOKEN = "376"
DAY = "2026-11-23"
NOW = datetime(2026, 11, 23, 6, 0, tzinfo=UTC)


class Tables:
    """The tables that are read, filled row by row, and whoever asks them. ``now`` is the time of asking."""

    def __init__(self, client: "DynamoDBClient", names: dict[str, str]) -> None:
        self.client = client
        self.names = names
        self.now = NOW
        self.reader: DynamoDBClient = boto3.client("dynamodb")
        self.lookup = reader(names_of(names), self.reader, clock=lambda: self.now)
        self.asked: list[dict[str, Any]] = []
        self.operations: list[str] = []
        for operation in ("Query", "GetItem", "BatchGetItem"):
            self.reader.meta.events.register(f"provide-client-params.dynamodb.{operation}", self._note)
        self.page: int | None = None
        """Rows on a page at the most, as 1 MB is DynamoDB's own limit."""

    @property
    def environment(self) -> dict[str, str]:
        """What names the tables."""
        return _environment(self.names)

    def _note(self, params: dict[str, Any], model: Any, **_: Any) -> None:
        self.operations.append(model.name)
        if model.name == "Query":
            self.asked.append(dict(params))
            if self.page:
                params["Limit"] = self.page

    # --- rows ---------------------------------------------------------------------------------------------------

    def part(self, part: str = "1", *, send_id: str = "order-1", **row: Any) -> dict[str, Any]:
        """Put a part."""
        row = {"send_id": send_id, "part": part, "state": "WAITING", "mobiles": [FIRST]} | row
        return self.put("SendsTable", row)

    def send(
        self, send_id: str = "order-1", second: float = 0, /, *, shard: int = 0, part: str = "1", **row: Any
    ) -> dict[str, Any]:
        """Put a part as it is listed, ``second`` after the day's noon: by its campaign, or else by its day."""
        created = {"created_at": moment(second), "updated_at": moment(second), "parts": 1}
        if "campaign" in row:
            listed = {"campaign_shard": campaign_shards(row["campaign"])[shard]}
        else:
            listed = {"day_shard": day_shards(DAY)[shard]} if part == "1" else {}
        row = {"content": f"Text of {send_id}"} | created | listed | row
        return self.part(part, send_id=send_id, **row)

    def outbound(self, send_id: str = "order-1", *, mobile: str = FIRST, part: str = "1") -> dict[str, Any]:
        """Put down that a send goes to a mobile."""
        return self.put("OutboundTable", {"mobile": mobile, "send_id": send_id, "part": part, "expires_at": 1})

    def report(self, mobile: str = FIRST, code: str = "0", **row: Any) -> dict[str, Any]:
        """Put a report."""
        kept = {"token": TOKEN, "mobile": mobile, "result_code": code, "success": code == "0"} | row
        kept = {"received_at": moment(0), "outcome": f"{mobile}#{code}#{kept['success']:d}"} | kept
        return self.put("ReportsTable", kept)

    def mo(self, at: str, content: str = "你好吗", *, mobile: str = FIRST) -> dict[str, Any]:
        """Put an MO."""
        row = {"mobile": mobile, "message_key": f"{at}#{content}", "day": at[:10], "content": content}
        return self.put("InboundTable", row | {"smg_recv_date": at, "received_at": moment(0)})

    def campaign(self, campaign: str, second: float = 0, **row: Any) -> dict[str, Any]:
        """Put a campaign."""
        named = {"campaign": campaign, "day": DAY, "created_at": moment(second), "source": "queue"}
        return self.put("CampaignsTable", named | row)

    def put(self, table: str, row: dict[str, Any]) -> dict[str, Any]:
        """Put any row, without the attributes that are ``None``."""
        row = {name: value for name, value in row.items() if value is not None}
        self.client.put_item(TableName=self.names[table], Item=to_item(row))
        return row


def names_of(tables: Mapping[str, str]) -> TableNames:
    """Return the tables' names as a reader has them, by what the template calls them."""
    return TableNames.read(_environment(tables))


def _environment(tables: Mapping[str, str]) -> dict[str, str]:
    return {f"{logical.removesuffix('Table').upper()}_TABLE": name for logical, name in tables.items()}


def moment(second: float) -> str:
    """Return a moment of the day as rows have it: so many seconds after noon in Beijing, milliseconds counting."""
    minutes, rest = divmod(second, 60)
    return f"{DAY}T12:{int(minutes):02}:{rest:06.3f}+08:00"
