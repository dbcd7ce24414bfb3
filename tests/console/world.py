"""A local stack in one process, for looking at: moto's AWS, the functions' own code on threads, and the simulator.

It is up in a few seconds and needs no emulator. What is looked at are pages; that never twice is sent under lost
answers and many workers is shown elsewhere, on stores that can be trusted with it.
"""

import json
import os
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, redirect_stdout
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler
from io import StringIO
from typing import Any

import boto3
from moto import mock_aws

from functions.receiver import handler as receiver
from kuaixintong.errand import QueueMessage
from kuaixintong.settings import SenderSettings
from kuaixintong.stack import Stack
from kuaixintong.stores.aws import Person
from kuaixintong.stores.stack import Description
from kuaixintong.submission import Submitter
from kuaixintong.wiring.sender import submitter
from local.simulator.running import RunningSimulator, running_simulator
from local.simulator.settings import Settings
from tests import cloudformation
from tests.receiving import Context
from tests.serving import serving
from tests.template import create_tables, load, resources

NAME = "kuaixintong-made-up"
_LIFE = 20.0  # seconds of a delivery

_PARAMETERS = {
    "Stage": "local",
    "OnAws": "false",
    "ConnectTimeout": "1",
    "AnswerTimeout": "2",
    "SenderTimeout": "10",
}


class _Template(cloudformation.Stack):
    """The template, with the tables, queues and secrets that were made for it."""

    made: Mapping[str, str] = {}

    def _reference(self, name: str) -> Any:
        return self.made.get(name) or super()._reference(name)

    def _attribute(self, name: str, attribute: str) -> Any:
        known = self.made.get(name) if attribute in ("Id", "Name") else None
        return known or super()._attribute(name, attribute)


class LocalWorld:
    """A stack that works: what is enqueued is sent, what is pushed is stored."""

    def __init__(self, platform: RunningSimulator) -> None:
        self.platform = platform
        self._stopping = threading.Event()
        self.template = _Template(load(), _PARAMETERS | {"PlatformUrl": platform.url}, name=NAME)
        self.template.made = self._make()
        self.stack = Stack(Person(), self._description())
        self._lock = threading.Lock()  # moto is for one writer at a time

    def _make(self) -> dict[str, str]:
        sqs, secrets = boto3.client("sqs"), boto3.client("secretsmanager")
        queues = {
            name: sqs.create_queue(QueueName=name, Attributes={"VisibilityTimeout": "30"})["QueueUrl"]
            for name in resources("AWS::SQS::Queue")
        }
        account, push = Settings(), {"uid": "abc", "pwd": "123"}
        texts = {
            "PlatformSecret": {"cid": account.cid, "uid": account.uid, "pwd": account.pwd},
            "PushSecret": push,
        }
        arns = {
            name: secrets.create_secret(Name=name, SecretString=json.dumps(text))["ARN"]
            for name, text in texts.items()
        }
        return create_tables(boto3.client("dynamodb")) | queues | arns

    def _description(self) -> Description:
        outputs = {}
        for name, output in self.template.template["Outputs"].items():
            try:
                outputs[name] = str(self.template.value(output["Value"]))
            except (KeyError, NotImplementedError):  # of a stack within the stack, which nobody has made here
                continue
        parameters = {name: str(self.template.parameter(name)) for name in self.template.template["Parameters"]}
        return Description(NAME, "UPDATE_COMPLETE", outputs, parameters)

    def environment(self, function: str) -> dict[str, str]:
        """Return the environment that the template gives to a function."""
        properties = self.template.template["Resources"][function]["Properties"]
        return {
            name: str(value) for name, value in self.template.value(properties["Environment"]["Variables"]).items()
        }

    @contextmanager
    def working(self) -> Iterator[None]:
        """Let senders and receiver work while the block lasts."""
        os.environ.update(self.environment("ReceiverFunction"))
        with self._receiver() as push_url:
            self.platform.change(push_url=push_url, push_uid="abc", push_pwd="123")
            threads = [
                threading.Thread(target=self._send, args=(function,), daemon=True)
                for function in ("SenderFunction", "UrgentSenderFunction")
            ]
            for thread in threads:
                thread.start()
            try:
                yield
            finally:
                self._stopping.set()
                for thread in threads:
                    thread.join(_LIFE)

    def _send(self, function: str) -> None:
        settings = SenderSettings.read(self.environment(function))
        sender = submitter(settings, threads=2)
        sqs = boto3.client("sqs")
        while not self._stopping.is_set():
            with self._lock:
                answer = sqs.receive_message(
                    QueueUrl=settings.send_queue_url, MessageSystemAttributeNames=["All"], MaxNumberOfMessages=1
                )
            if not answer.get("Messages"):
                self._stopping.wait(0.1)
            for message in answer.get("Messages", ()):
                again = self._take(sender, message)
                if not again:
                    sqs.delete_message(QueueUrl=settings.send_queue_url, ReceiptHandle=message["ReceiptHandle"])

    @staticmethod
    def _take(sender: Submitter, message: Any) -> object:
        """Let the sender take a message; return why it has to come back, if it has to."""
        deadline = time.monotonic() + _LIFE
        attributes = message["Attributes"]
        taken = QueueMessage(
            message["MessageId"],
            message["ReceiptHandle"],
            message["Body"],
            int(attributes["ApproximateReceiveCount"]),
            datetime.fromtimestamp(int(attributes["SentTimestamp"]) / 1000, UTC),
        )
        return sender.take(taken, lambda: deadline - time.monotonic()).again

    @contextmanager
    def _receiver(self) -> Iterator[str]:
        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"])).decode("ascii")
                event = {
                    "httpMethod": "POST",
                    "headers": dict(self.headers.items()),
                    "multiValueHeaders": {name: [value] for name, value in self.headers.items()},
                    "multiValueQueryStringParameters": None,
                    "body": body,
                    "isBase64Encoded": False,
                }
                with redirect_stdout(StringIO()):
                    answer = receiver.lambda_handler(event, Context())
                text = answer["body"].encode()
                self.send_response(answer["statusCode"])
                self.send_header("Content-Length", str(len(text)))
                self.end_headers()
                self.wfile.write(text)

            def log_message(self, *_: Any) -> None:
                pass

        with serving(Handler) as address:
            yield f"{address}/receive"


@contextmanager
def local_world(**settings: Any) -> Iterator[LocalWorld]:
    """A world at work while the block lasts; ``settings`` are the simulator's."""
    with mock_aws(), running_simulator(**{"balance": 10_000, **settings}) as platform:
        world = LocalWorld(platform)
        with world.working():
            yield world
