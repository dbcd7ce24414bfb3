"""Stream record → event of your own: an MO, an opt-out, or what became of a send's mobile.

Events go to one SQS queue. Streams deliver at least once, so an event can come twice; its ``key`` stays the same.
"""

import json
import os
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import TYPE_CHECKING, Any

import boto3
from aws_lambda_powertools.utilities.batch import BatchProcessor, EventType, process_partial_response

from kuaixintong.core.beijing import from_iso
from kuaixintong.status import lookup

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.batch.types import PartialItemFailureResponse
    from aws_lambda_powertools.utilities.data_classes.dynamo_db_stream_event import DynamoDBRecord
    from aws_lambda_powertools.utilities.typing import LambdaContext
    from mypy_boto3_sqs import SQSClient

OPT_OUT = frozenset({"TD", "T", "退订"})

PATIENCE = timedelta(minutes=2)
"""How long a report may be ahead of the token that the sender notes; a retry of the stream brings it back."""


class TokenNotNotedYet(Exception):
    """The report has overtaken the answer to the request that it belongs to."""


@cache
def _sqs() -> "SQSClient":
    return boto3.client("sqs")


def lambda_handler(event: dict[str, Any], context: "LambdaContext") -> "PartialItemFailureResponse":
    """React to a batch of one of the two streams; return the records that have to come back."""
    processor = BatchProcessor(EventType.DynamoDBStreams, raise_on_entire_batch_failure=False)
    return process_partial_response(event=event, record_handler=_react, processor=processor, context=context)


def _react(record: "DynamoDBRecord") -> None:
    if record.raw_event["eventName"] != "INSERT":
        return  # MODIFY is the same thing pushed again, REMOVE is its expiry
    row = record.dynamodb.new_image if record.dynamodb else {}
    told = of_mo(row) if "message_key" in row else of_report(row, now=datetime.now(UTC))
    _sqs().send_message(QueueUrl=os.environ["EVENTS_URL"], MessageBody=json.dumps(told, ensure_ascii=False))


def of_mo(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return the event of an MO; a handset that wants no more is an event of its own."""
    kind = "opt-out" if row["content"].strip().upper() in OPT_OUT else "mo"
    key = f"{row['mobile']}#{row['message_key']}"
    return {"event": kind, "key": key, "mobile": row["mobile"], "content": row["content"]}


def of_report(row: Mapping[str, Any], *, now: datetime) -> dict[str, Any]:
    """Return the event of a report, with the send that it is about.

    Raises :class:`TokenNotNotedYet` while the send may still become known. It never does for a part that is
    ``UNCONFIRMED``, or that somebody else sent through the same account: then ``send_id`` is ``None``.
    """
    part = lookup().part_of(row["token"])
    if part is None and now - from_iso(row["received_at"]) < PATIENCE:
        raise TokenNotNotedYet(row["token"])
    return {
        "event": "delivered" if row["success"] else "failed",
        "key": f"{row['token']}#{row['outcome']}",
        "send_id": part["send_id"] if part else None,
        "mobile": row["mobile"],
        "result_code": row["result_code"],
    }
