"""What a person reads while the local stack works, and the commands that they can try themselves."""

import json
import shlex
import time
from collections.abc import Mapping
from typing import Any

SPEC_SEND = {
    "mobiles": ["13708600860", "18930612517"],
    "content": "周末参加不了培训了",
    "atTime": "",
    "dailyBeginTime": "08:00:00",
    "dailyEndTime": "18:00:00",
}
"""The spec's own sample send (3.2), as a message of the send queue."""


class Narrator:
    """Prints steps, each with the time since the first."""

    def __init__(self) -> None:
        self._began = time.monotonic()

    def step(self, text: str) -> None:
        """Print a step."""
        print(f"[{time.monotonic() - self._began:5.1f} s] {text}", flush=True)

    def detail(self, text: str) -> None:
        """Print something that belongs to the last step; every line of it is set in."""
        for line in text.splitlines():
            print(f"          {line}", flush=True)


def enqueue_command(outputs: Mapping[str, str], body: Mapping[str, Any]) -> str:
    """Return the AWS CLI command that enqueues a send."""
    return _command("sqs", "send-message", queue_url=outputs["SendQueueUrl"], message_body=_json(body))


def parts_command(outputs: Mapping[str, str], send_id: str) -> str:
    """Return the AWS CLI command that shows the parts of a send: state, token, fee."""
    return _query(outputs["SendsTableName"], "send_id", send_id)


def mos_command(outputs: Mapping[str, str], mobile: str) -> str:
    """Return the AWS CLI command that shows the MOs of a mobile."""
    return _query(outputs["InboundTableName"], "mobile", mobile)


def _query(table: str, key: str, value: str) -> str:
    return _command(
        "dynamodb",
        "query",
        table_name=table,
        key_condition_expression="#key = :value",  # "token" is a reserved word
        expression_attribute_names=_json({"#key": key}),
        expression_attribute_values=_json({":value": {"S": value}}),
    )


def _command(service: str, operation: str, **options: str) -> str:
    words = [f"--{name.replace('_', '-')} {shlex.quote(value)}" for name, value in options.items()]
    return " \\\n    ".join([f"aws {service} {operation}", *words])


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)
