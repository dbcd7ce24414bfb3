"""Stream records of new rows → events on the bus; what cannot be told yet comes back."""

import os
from datetime import UTC, datetime
from functools import cache
from typing import TYPE_CHECKING, Any

from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.metrics import MetricUnit

from kuaixintong.announcing import Announcer, Record
from kuaixintong.settings import EventsSettings
from kuaixintong.stores.dynamo import from_item
from kuaixintong.wiring.events import announcer

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.batch.types import PartialItemFailureResponse
    from aws_lambda_powertools.utilities.typing import LambdaContext

logger = Logger()
metrics = Metrics()


@cache
def _announcer() -> Announcer:
    return announcer(EventsSettings.read(os.environ))


@logger.inject_lambda_context
@metrics.log_metrics
def lambda_handler(event: dict[str, Any], context: "LambdaContext") -> "PartialItemFailureResponse":  # noqa: ARG001
    """Tell a batch of one of the three streams; return the records that have to come back."""
    told = _announcer().tell([_record(each) for each in event["Records"]])
    metrics.add_metric("EventsTold", MetricUnit.Count, told.told)
    metrics.add_metric("EventsGivenUp", MetricUnit.Count, told.given_up)
    if told.given_up or told.again:  # how many, and nothing of what they say
        logger.warning("events put off", extra={"again": len(told.again), "given_up": told.given_up})
    return {"batchItemFailures": [{"itemIdentifier": number} for number in told.again]}


def _record(raw: dict[str, Any]) -> Record:
    change = raw["dynamodb"]
    at = datetime.fromtimestamp(float(change["ApproximateCreationDateTime"]), UTC)
    return Record(change["SequenceNumber"], from_item(change["NewImage"]), at)
