"""A receiver in one thread: its real handler, moto's tables made from the template, the spec's push account."""

import io
import json
from collections.abc import Callable, Iterable, Mapping
from contextlib import redirect_stdout
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, cast
from unittest.mock import patch
from urllib.parse import urlencode

from functions.receiver import handler
from kuaixintong.core.credentials import PushCredentials
from kuaixintong.core.optout_words import Words
from kuaixintong.intake import Intake
from kuaixintong.reception import Reception
from kuaixintong.stores import aws
from kuaixintong.stores.batch import Writer
from kuaixintong.stores.dynamo import from_item
from kuaixintong.stores.holding import Holding
from kuaixintong.stores.inbound import Inbound
from kuaixintong.stores.optouts import OptOutRows
from kuaixintong.stores.reports import Reports
from kuaixintong.stores.secrets import CachedSecret
from kuaixintong.stores.table import DynamoTable
from tests.spec_samples import PUSH_PWD, PUSH_UID
from tests.template import create_tables

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_secretsmanager import SecretsManagerClient

type Event = dict[str, Any]
type Row = dict[str, Any]

NOW = datetime(2026, 11, 23, 4, 0, tzinfo=UTC)
RETENTION = timedelta(days=180)
TABLE_KEYS = {
    "ReportsTable": ("token", "outcome"),
    "InboundTable": ("mobile", "message_key"),
    "QuarantineTable": ("digest", "chunk"),
    "MobilesTable": ("mobile", "what"),
}


@dataclass
class Context:
    """As much of Lambda's context as the handler and Powertools look at."""

    seconds_left: float = 28.0
    function_name: str = "receiver"
    memory_limit_in_mb: int = 512
    invoked_function_arn: str = "arn:aws:lambda:us-east-1:123456789012:function:receiver"
    aws_request_id: str = "7c9e6679-7425-40de-944b-e07fc1f90ae7"

    def get_remaining_time_in_millis(self) -> int:
        return int(self.seconds_left * 1000)


@dataclass(frozen=True)
class Answer:
    """What API Gateway would answer, and what the call left in the log, metrics included."""

    status: int
    body: str
    log: str


def event(body: str | None = None, *, content_type: str | None = None, **query: str) -> Event:
    """A REST API's proxy event with what matters here; ``events/`` has whole ones."""
    return {
        "httpMethod": "POST" if body else "GET",
        "path": "/receive",
        "headers": {"Content-Type": content_type} if content_type else {},
        "multiValueQueryStringParameters": {name: [value] for name, value in query.items()} or None,
        "queryStringParameters": query or None,
        "body": body,
        "isBase64Encoded": False,
    }


def push(kind: str, entries: Any, *, uid: str = PUSH_UID, pwd: str = PUSH_PWD) -> Event:
    """A push as the platform sends it: form-encoded. ``entries`` is text, or what becomes its JSON."""
    json_data = entries if isinstance(entries, str) else json.dumps(entries, ensure_ascii=False)
    form = {"uid": uid, "pwd": pwd, "type": kind, "jsonData": json_data}
    return event(urlencode(form), content_type="application/x-www-form-urlencoded; charset=UTF-8")


def report(number: int = 0, **fields: Any) -> dict[str, Any]:
    """An entry of a push of reports."""
    return {
        "token": 7331,
        "mobile": f"135{number:08}",
        "resultCode": "0",
        "success": True,
    } | fields


def mo(number: int = 0, **fields: Any) -> dict[str, Any]:
    """An entry of a push of MOs."""
    return {"mobile": f"135{number:08}", "content": "你好吗", "smgRecvDate": "2015-01-01 12:00:00"} | fields


@dataclass
class Receiver:
    """The receiver of one account. Needs moto switched on. ``now`` stands still until a test moves it."""

    uid: str = PUSH_UID
    pwd: str = PUSH_PWD
    prefix: str = "test-"
    now: datetime = NOW
    uptime: float = 1000.0
    backoff: Callable[[int], float] = lambda _: 0.0
    sent: list[tuple[str, dict[str, Any]]] = field(default_factory=list, repr=False)

    def __post_init__(self) -> None:
        self.dynamodb: DynamoDBClient = aws.dynamodb(connections=1)
        self.dynamodb.meta.events.register("before-parameter-build.dynamodb", self._note)
        self.names = create_tables(self.dynamodb, self.prefix)
        self.secrets: SecretsManagerClient = aws.secrets_manager()
        self.secret = self.secrets.create_secret(Name=f"{self.prefix}push", SecretString=self._secret_text())[
            "ARN"
        ]
        self.intake = Intake(
            reports=Reports(self.dynamodb, self.names["ReportsTable"]),
            inbound=Inbound(self.dynamodb, self.names["InboundTable"]),
            quarantine=Holding(self.dynamodb, self.names["QuarantineTable"]),
            opt_outs=OptOutRows(DynamoTable(self.dynamodb, self.names["MobilesTable"])),
            words=Words.of(),
            writer=Writer(self.dynamodb, threads=1, backoff=self.backoff),
            retention=RETENTION,
            clock=lambda: self.now,
        )
        self.reception = Reception(
            CachedSecret(self.secrets, self.secret, PushCredentials, monotonic=lambda: self.uptime), self.intake
        )
        self.sent.clear()

    def take(self, incoming: Event, *, seconds_left: float = 28.0) -> Answer:
        """Let the handler answer an event."""
        log = io.StringIO()
        with (
            patch.object(handler, "_reception", lambda: self.reception),
            patch.object(handler.logger.registered_handler, "stream", log),
            redirect_stdout(log),
        ):
            context = cast("LambdaContext", Context(seconds_left))
            answer = handler.lambda_handler(incoming, context)
        assert answer["headers"] == {"Content-Type": "text/plain; charset=utf-8"}
        return Answer(answer["statusCode"], answer["body"], log.getvalue())

    def rotate(self, pwd: str) -> None:
        """Change the secret, as an operator would."""
        self.pwd = pwd
        self.secrets.put_secret_value(SecretId=self.secret, SecretString=self._secret_text())

    @property
    def writes(self) -> list[str]:
        """The operations that wrote, or tried to, since ``sent`` was last cleared."""
        return [operation for operation, _ in self.sent]

    def reports(self) -> list[Row]:
        """All rows of Reports, in the order of their keys."""
        return self._rows("ReportsTable")

    def mos(self) -> list[Row]:
        """All rows of Inbound, in the order of their keys."""
        return self._rows("InboundTable")

    def mobiles(self) -> list[Row]:
        """All rows of Mobiles, in the order of their keys."""
        return self._rows("MobilesTable")

    def held(self) -> list[Row]:
        """Chunk 0 of every quarantine record, in the order of their digests."""
        return sorted(self.intake.quarantine.heads(), key=lambda row: row["digest"])

    def everything(self) -> list[Row]:
        """Every row there is."""
        return self.reports() + self.mos() + self.mobiles() + self._rows("QuarantineTable")

    def empty(self) -> None:
        """Forget all rows, and what was sent."""
        for table, keys in TABLE_KEYS.items():
            for row in self.dynamodb.scan(TableName=self.names[table])["Items"]:
                self.dynamodb.delete_item(TableName=self.names[table], Key={key: row[key] for key in keys})
        self.sent.clear()

    def _rows(self, table: str) -> list[Row]:
        pages = self.dynamodb.get_paginator("scan").paginate(TableName=self.names[table])
        rows = [from_item(item) for page in pages for item in page["Items"]]
        return sorted(rows, key=lambda row: [row[key] for key in TABLE_KEYS[table]])

    def _secret_text(self) -> str:
        return json.dumps({"uid": self.uid, "pwd": self.pwd})

    def _note(self, *, params: Mapping[str, Any], model: Any, **_: Any) -> None:
        if model.name not in ("CreateTable", "Query", "Scan"):
            check_limits(params)
            self.sent.append((model.name, dict(params)))


def check_limits(params: Mapping[str, Any]) -> None:
    """Hold a write to limits of DynamoDB's that moto lets pass."""
    rows = [params["Item"]] if "Item" in params else []
    for requests in params.get("RequestItems", {}).values():
        rows += [request["PutRequest"]["Item"] for request in requests]
        keys = {tuple(str(row[name]) for name in KEYS if name in row) for row in rows}
        assert len(keys) == len(requests) <= 25, "a batch has at most 25 rows, no two of one key"
    for row in rows:
        assert sum(len(name) + _size(value) for name, value in row.items()) <= 400 * 1024, (
            "a row has at most 400 KB"
        )
        assert all(0 < _size(row[name]) <= 1024 for name in KEYS if name in row), "a key has 1 to 1,024 bytes"
    _size(params.get("ExpressionAttributeValues", {}).get(":raw", {"S": ""}))


KEYS = ("token", "outcome", "mobile", "message_key", "day", "received_at", "digest", "chunk")


def _size(value: Mapping[str, Any]) -> int:
    ((kind, content),) = value.items()
    return len(content.encode()) if kind in ("S", "N") else len(content) if kind == "B" else 1


def without_times(rows: Iterable[Row]) -> list[Row]:
    """Rows less what tells when they were received."""
    return [
        {name: value for name, value in row.items() if name not in ("received_at", "expires_at")} for row in rows
    ]


def metrics(log: str) -> dict[str, float]:
    """The metrics in a log: CloudWatch's embedded format."""
    found: dict[str, float] = {}
    for line in map(json.loads, log.splitlines()):
        for group in line.get("_aws", {}).get("CloudWatchMetrics", ()):
            found |= {each["Name"]: sum(line[each["Name"]]) for each in group["Metrics"]}
    return found
