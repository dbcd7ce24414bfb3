"""Schedule → rows that are due → their lanes."""

import os
from functools import cache
from typing import TYPE_CHECKING, Any

from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.metrics import MetricUnit

from kuaixintong.calling_in import CallingIn
from kuaixintong.settings import DueSettings
from kuaixintong.wiring.due import calling_in

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext

_TO_END = 8.0
"""Seconds left to the calls that are under way; killed, the function would enqueue the same rows again."""

logger = Logger()
metrics = Metrics()


@cache
def _calling_in() -> CallingIn:
    return calling_in(DueSettings.read(os.environ))


@logger.inject_lambda_context
@metrics.log_metrics
def lambda_handler(event: dict[str, Any], context: "LambdaContext") -> None:  # noqa: ARG001  # a schedule says nothing
    """Enqueue what is due."""
    called = _calling_in().run(seconds=context.get_remaining_time_in_millis() / 1000 - _TO_END)
    metrics.add_metric("DueEnqueued", MetricUnit.Count, called.enqueued.total())
    metrics.add_metric("DueFailed", MetricUnit.Count, called.failed)
    metrics.add_metric("DueLate", MetricUnit.Seconds, called.late)
    if called.enqueued or called.failed:
        told = {str(lane): count for lane, count in called.enqueued.items()}
        extra = {"enqueued": told, "failed": called.failed, "late": round(called.late), "left": called.left}
        logger.info("due", extra=extra)
