"""A deployed stack as somebody outside it sees it, in one process: the template's tables and queues, by moto."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import boto3
from typer.testing import CliRunner

from kuaixintong.stack import Stack
from kuaixintong.stores import aws
from kuaixintong.stores.dynamo import from_item, to_item
from kuaixintong.stores.stack import Description
from kxt.commands import everything
from tests.template import create_tables

_WHICH_STACK = r"^The stack \S+ \(KXT_STACK\)\n"
"""What every call says first, and no test is about but one."""


@dataclass(frozen=True)
class Outcome:
    """What a call of ``kxt`` did."""

    status: int
    printed: str
    said: str

    @property
    def json(self) -> Any:
        """What it printed, read as JSON."""
        return json.loads(self.printed)

    @property
    def rows(self) -> list[list[str]]:
        """What it printed, as the cells of its lines."""
        return [line.split("\t") for line in self.printed.splitlines()]


class Deployed:
    """A stack's tables, queues and secrets."""

    def __init__(self) -> None:
        self._person = aws.Person()
        self.dynamodb = boto3.client("dynamodb")
        self.sqs = boto3.client("sqs")
        self.secrets = boto3.client("secretsmanager")
        self.tables = create_tables(self.dynamodb)
        queues = {
            f"{name}Url": self.sqs.create_queue(QueueName=name)["QueueUrl"]
            for name in ("SendQueue", "UrgentQueue", "DeadLetterQueue")
        }
        secret = self.secrets.create_secret(Name="platform", SecretString='{"cid": "", "uid": "", "pwd": ""}')
        self.outputs = {
            **queues,
            **{f"{name.removesuffix('Table')}TableName": table for name, table in self.tables.items()},
            "PlatformSecretArn": secret["ARN"],
            "PushUrl": "https://push.example/prod/receive",
            "AlarmTopicArn": "arn:aws:sns:us-east-1:123456789012:alarms",
        }
        self.parameters = {"RequestsPerSecond": "0", "RetentionDays": "180"}

    def stack(self, name: str = "kuaixintong-test") -> Stack:
        """The stack, new, as a new process would find it."""
        return Stack(self._person, Description(name, "CREATE_COMPLETE", self.outputs, self.parameters))

    def put(self, table: str, row: Mapping[str, Any]) -> None:
        """Put a row."""
        self.dynamodb.put_item(TableName=self.tables[table], Item=to_item(row))

    def rows(self, table: str) -> list[dict[str, Any]]:
        """All rows of a table."""
        return [from_item(item) for item in self.dynamodb.scan(TableName=self.tables[table])["Items"]]

    def part(self, send_id: str = "order-1", **row: Any) -> None:
        """Put the row of a part."""
        told = {
            "part": "1",
            "state": "ACCEPTED",
            "token": "376",
            "fee": 1,
            "mobiles": ["13700000001"],
            "revision": 1,
        }
        self.put("SendsTable", {"send_id": send_id} | told | row)

    def enqueued(self, queue: str = "SendQueue") -> list[dict[str, Any]]:
        """The bodies that lie in a queue, which is empty afterwards."""
        url = self.outputs[f"{queue}Url"]
        bodies: list[dict[str, Any]] = []
        while found := self.sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages"):
            for message in found:
                bodies.append(json.loads(message["Body"]))
                self.sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
        return bodies


def kxt(*arguments: str, typed: str | None = None) -> Outcome:
    """Call ``kxt`` in this process."""
    result = CliRunner().invoke(everything(), [*arguments], input=typed)
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return Outcome(result.exit_code, result.stdout, re.sub(_WHICH_STACK, "", result.stderr, flags=re.MULTILINE))
