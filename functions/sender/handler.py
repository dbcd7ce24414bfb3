"""SQS records → one platform request per part → partial failures."""

import asyncio
import os
import time
import traceback
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from functools import cache
from typing import TYPE_CHECKING, Any

from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.metrics import MetricUnit
from aws_lambda_powertools.utilities.batch import AsyncBatchProcessor, EventType, async_process_partial_response

from kuaixintong.core.errors import TryLater
from kuaixintong.core.masking import mask_all
from kuaixintong.errand import Progress, QueueMessage
from kuaixintong.settings import SenderSettings
from kuaixintong.submission import Submitter
from kuaixintong.wiring.sender import submitter

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.batch.types import PartialItemFailureResponse
    from aws_lambda_powertools.utilities.data_classes.sqs_event import SQSRecord
    from aws_lambda_powertools.utilities.typing import LambdaContext

THREADS = 10
"""Records at work side by side: the largest batch that the template allows."""

logger = Logger()
metrics = Metrics()


@cache
def _settings() -> SenderSettings:
    return SenderSettings.read(os.environ)


@cache
def _submitter() -> Submitter:
    return submitter(_settings(), threads=THREADS)


@cache
def _threads() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(THREADS, thread_name_prefix="record")


@logger.inject_lambda_context
@metrics.log_metrics
def lambda_handler(event: dict[str, Any], context: "LambdaContext") -> "PartialItemFailureResponse":
    """Take a batch of the send queue; return the records that have to come back."""
    lifetime = context.get_remaining_time_in_millis() / 1000
    _settings().check_life(lifetime)
    deadline = time.monotonic() + lifetime
    sender = _submitter()  # here and not in the threads, which would each build one, side by side

    def time_left() -> float:
        return deadline - time.monotonic()

    async def take(record: "SQSRecord") -> None:
        message = QueueMessage(
            record.message_id,
            record.receipt_handle,
            record.body,
            int(record.attributes.approximate_receive_count),
            datetime.fromtimestamp(int(record.attributes.sent_timestamp) / 1000, UTC),
        )
        work = asyncio.get_running_loop().run_in_executor(_threads(), sender.take, message, time_left)
        try:
            progress = await work
        except Exception as error:
            _tell_fault(message, error)
            raise
        _account_for(message, progress)

    # A batch that fails whole is no error of the function's: its records come back when each has asked to.
    processor = AsyncBatchProcessor(EventType.SQS, raise_on_entire_batch_failure=False)
    return async_process_partial_response(event=event, record_handler=take, processor=processor, context=context)


def _tell_fault(message: QueueMessage, error: Exception) -> None:
    """Make visible what the batch does not: it hands the message back without a word, whatever was raised.

    Where it happened is told, and not what the error says: that may quote the send.
    """
    metrics.add_metric("SendErrors", MetricUnit.Count, 1)
    at = traceback.extract_tb(error.__traceback__)[-1]
    where = f"{at.filename}:{at.lineno} {at.name}"
    extra = {"message_id": message.message_id, "error": type(error).__name__, "where": where}
    logger.error("send failed", extra=extra)


def _account_for(message: QueueMessage, progress: Progress) -> None:
    """Tell metrics and log what became of a delivery, and the batch whether the message comes back."""
    for name, count in progress.counts():
        metrics.add_metric(name, MetricUnit.Count, count)
    states = {str(state): count for state, count in progress.states.items()}
    again = progress.again
    extra = {
        "message_id": message.message_id,  # SQS's own, whole: what a masked id can be found again by
        "send_id": mask_all(progress.send_id),
        "receive_count": message.receive_count,
        "states": states,
    }
    if again:
        logger.info("put off", extra=extra | {"why": again.why, "delay": round(again.delay, 1)})
        raise TryLater(again.why)
    logger.info("done", extra=extra)
