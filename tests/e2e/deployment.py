"""What e2e tests do with the one deployment: enqueue, push, look, wait."""

import json
import time
from collections.abc import Mapping
from contextlib import suppress
from functools import cached_property
from typing import Any

import psutil
import requests

from kuaixintong.core import ledger
from kuaixintong.settings import SenderSettings, TableNames
from kuaixintong.status import Lookup
from kuaixintong.stores.dynamo import Item, from_item, to_item
from kuaixintong.stores.query import rows_of
from kuaixintong.wiring.reading import reader
from local.processes import Failed, wait_until
from local.simulator.running import RunningSimulator
from local.simulator.settings import Settings
from local.stack import Clients, EmulatedStack

ACCOUNT = Settings(pwd="Rz7-kept-by-the-platform")
"""The account that the shared platform knows; its password is a word that no line of code says by itself."""

_READ = ("sends", "reports", "inbound", "outbound", "campaigns", "mobiles", "account")
_QUEUES = ("SendQueueUrl", "UrgentQueueUrl", "DeadLetterQueueUrl")
_COUNTS = "ApproximateNumberOfMessages"  # … and …NotVisible and …Delayed


class Deployment:
    """The deployed stack with its platform."""

    def __init__(self, stack: EmulatedStack, platform: RunningSimulator) -> None:
        self.stack = stack
        self.platform = platform
        self.aws = stack.aws
        self.push_credentials = stack.push_credentials()

    @property
    def outputs(self) -> Mapping[str, str]:
        """The stack's outputs."""
        return self.stack.outputs

    @cached_property
    def lookup(self) -> Lookup:
        """The layer's read side on the deployed tables."""
        names: Any = {each: self.outputs[f"{each.capitalize()}TableName"] for each in _READ}
        return reader(TableNames(**names), self.aws.dynamodb)

    def begin_anew(self) -> None:
        """Empty the queues, forget the account and its mobiles, put the secret right and the platform as it was.

        A mobile that one test has found invalid would be left out of another's sends.
        """
        for queue in _QUEUES:
            self.aws.sqs.purge_queue(QueueUrl=self.outputs[queue])
        for row in self.rows("Mobiles"):
            key = to_item({name: row[name] for name in ("mobile", "what")})
            self.aws.dynamodb.delete_item(TableName=self.outputs["MobilesTableName"], Key=key)
        key = {"cid": {"S": ACCOUNT.cid}}
        self.aws.dynamodb.delete_item(TableName=self.outputs["AccountTableName"], Key=key)
        self.stack.fill_in_platform_secret(cid=ACCOUNT.cid, uid=ACCOUNT.uid, pwd=ACCOUNT.pwd)
        push = {f"push_{name}": value for name, value in self.push_credentials.items()}
        # tokens go on rising: rows of earlier tests must not answer for them
        settings = ACCOUNT.model_dump(exclude={"first_token"}) | push | {"push_url": self.stack.push_url}
        self.platform.accept_connections()
        self.platform.faults([])
        self.platform.change(**settings)
        self.platform.reset()

    def enqueue(self, body: Mapping[str, Any] | str) -> str:
        """Put a send on the queue and return the SQS message id."""
        text = body if isinstance(body, str) else json.dumps(body, ensure_ascii=False)
        return self.aws.sqs.send_message(QueueUrl=self.outputs["SendQueueUrl"], MessageBody=text)["MessageId"]

    def push(self, **fields: str) -> requests.Response:
        """Push as the platform does: form-encoded, with the right credentials unless ``fields`` says otherwise."""
        return requests.post(self.stack.push_url, data={**self.push_credentials, **fields}, timeout=30)

    def deliver(self, *records: Mapping[str, Any]) -> dict[str, Any]:
        """Hand records to the sender as the queue does, and return its answer; :func:`record` makes them."""
        answer: dict[str, Any] = self.invoke("SenderFunction", {"Records": records})
        return answer

    def invoke(self, function: str, event: Mapping[str, Any]) -> Any:
        """Call a function of the template and return its answer."""
        answer = self.aws.functions.invoke(FunctionName=self.physical(function), Payload=json.dumps(event))
        payload = json.loads(answer["Payload"].read())
        assert "FunctionError" not in answer, payload
        return payload

    def physical(self, logical: str) -> str:
        """Return the name that a resource of the template has got."""
        found = self.aws.cloudformation.describe_stack_resource(
            StackName=self.stack.name, LogicalResourceId=logical
        )
        return found["StackResourceDetail"]["PhysicalResourceId"]

    def workers(self, function: str) -> list[psutil.Process]:
        """Return a function's processes: descendants of this one, which has started the emulator."""
        name, found = self.physical(function), []
        for process in psutil.Process().children(recursive=True):
            with suppress(psutil.Error):
                if process.environ().get("AWS_LAMBDA_FUNCTION_NAME") == name:
                    found.append(process)
        return found

    def sender_settings(self, function: str = "SenderFunction") -> SenderSettings:
        """Return the settings of one of the deployed senders, from its own environment."""
        found = self.aws.functions.get_function_configuration(FunctionName=self.physical(function))
        return SenderSettings.read(found["Environment"]["Variables"])

    def acting_as(self, role: str) -> Clients:
        """Return clients that may do what a role of the template allows, and no more."""
        account = self.outputs["SendQueueArn"].split(":")[4]
        given = self.aws.sts.assume_role(
            RoleArn=f"arn:aws:iam::{account}:role/{self.physical(role)}", RoleSessionName="test"
        )["Credentials"]
        return Clients(
            {
                **self.stack.environment,
                "AWS_ACCESS_KEY_ID": given["AccessKeyId"],
                "AWS_SECRET_ACCESS_KEY": given["SecretAccessKey"],
                "AWS_SESSION_TOKEN": given["SessionToken"],
            }
        )

    def parts(self, send_id: str) -> list[Item]:
        """Return the rows of a send's parts, as they are at this moment."""
        table = self.outputs["SendsTableName"]
        return list(rows_of(self.aws.dynamodb, table, "send_id", send_id, consistent=True))

    def settled(self, send_id: str, *, seconds: float = 300.0) -> list[Item]:
        """Return the rows of a send's parts as soon as each has come to its end."""

        def final() -> list[Item]:
            parts = self.parts(send_id)
            return parts if all(part["state"] not in ("WAITING", "SUBMITTING") for part in parts) else []

        return wait_until(final, f"{send_id} comes to its end", seconds=seconds)

    def account(self) -> dict[str, Any]:
        """Return the account's row, empty if there is none: others that tell of it have a colon in their key."""
        return next((row for row in self.rows("Account") if ":" not in row["cid"]), {})

    def rows(self, table: str) -> list[Item]:
        """Return every row of a table, named as in the outputs without ``TableName``."""
        pages = self.aws.dynamodb.get_paginator("scan").paginate(
            TableName=self.outputs[f"{table}TableName"], ConsistentRead=True
        )
        return [from_item(item) for page in pages for item in page["Items"]]

    def put(self, table: str, row: Mapping[str, Any]) -> None:
        """Put a row into the table that an output names."""
        self.aws.dynamodb.put_item(TableName=self.outputs[table], Item=to_item(row))

    def messages_left(self, queue: str = "SendQueueUrl") -> int:
        """Return how many messages a queue holds: waiting, in flight and delayed."""
        found = self.aws.sqs.get_queue_attributes(QueueUrl=self.outputs[queue], AttributeNames=["All"])
        counts = {name: value for name, value in found["Attributes"].items() if name.startswith(_COUNTS)}
        return sum(int(count) for count in counts.values())

    def queue_runs_empty(self, *, seconds: float = 300.0) -> None:
        """Wait until every message has left the send queue. What is left is told, and what holds it up."""
        try:
            # asked twenty times a second, an emulator on a busy machine gets round to little else
            wait_until(lambda: self.messages_left() == 0, "The send queue runs empty", seconds=seconds, pause=0.5)
        except Failed as error:
            parts = [
                {name: value for name, value in part.items() if name not in ("mobiles", "content")}
                for part in sorted(self.rows("Sends"), key=lambda part: part["created_at"])
                if part["state"] in ledger.OPEN
            ][-5:]
            counts = [f"{left} of {queue}" for queue in _QUEUES if (left := self.messages_left(queue))]
            raise Failed(f"{error} There are {counts}. Open: {parts}. Account: {self.account()}") from error


def record(message_id: str, body: Mapping[str, Any], *, receive_count: int = 1) -> dict[str, Any]:
    """Return an SQS message as Lambda hands it over, sent just now: codes that are days old go nowhere."""
    sent = str(int(time.time() * 1000))
    return {
        "messageId": message_id,
        "receiptHandle": f"handle-of-{message_id}",
        "body": json.dumps(body, ensure_ascii=False),
        "attributes": {
            "ApproximateReceiveCount": str(receive_count),
            "SentTimestamp": sent,
            "SenderId": "test",
            "ApproximateFirstReceiveTimestamp": sent,
        },
        "messageAttributes": {},
        "md5OfBody": "",
        "eventSource": "aws:sqs",
        "eventSourceARN": "arn:aws:sqs:us-east-1:000000000000:sends",
        "awsRegion": "us-east-1",
    }
