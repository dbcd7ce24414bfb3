"""API event → push → rows → ``0`` (contract, section 3)."""

import os
from dataclasses import asdict
from functools import cache
from typing import TYPE_CHECKING, Any

from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.metrics import MetricUnit

from kuaixintong.core.errors import OperatorNeeded, PushForbidden, PushUnreadable, TryLater
from kuaixintong.core.gateway import Request
from kuaixintong.reception import Reception
from kuaixintong.settings import ReceiverSettings
from kuaixintong.wiring.receiver import reception

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext

GATEWAY_SECONDS = 27.0
"""API Gateway gives up 29 seconds after it called, a cold start included."""

MARGIN_SECONDS = 1.0
"""What the answer needs on its way out."""

logger = Logger()
metrics = Metrics()


@cache
def _reception() -> Reception:
    return reception(ReceiverSettings.read(os.environ))


@logger.inject_lambda_context
@metrics.log_metrics
def lambda_handler(event: dict[str, Any], context: "LambdaContext") -> dict[str, Any]:
    """Take one push in and answer as the contract's table says."""
    seconds = min(context.get_remaining_time_in_millis() / 1000, GATEWAY_SECONDS) - MARGIN_SECONDS
    try:
        stored = _reception().receive(Request.from_event(event), seconds=seconds)
    except PushForbidden:
        return _answer(403, "forbidden", "PushRefused")
    except PushUnreadable as fault:
        logger.warning("push in quarantine", extra={"reason": str(fault)})
        return _answer(400, str(fault), "PushesQuarantined")
    except (TryLater, OperatorNeeded) as trouble:
        # no traceback: it would chain AWS's own words, which may quote a row
        logger.error(  # noqa: TRY400
            "push not taken in; the platform will push it again", extra={"trouble": str(trouble)}
        )
        return _answer(500, "retry", "StoreErrors")
    logger.info("push taken in", extra=asdict(stored))
    metrics.add_metric("ReportsStored", MetricUnit.Count, stored.reports)
    metrics.add_metric("MosStored", MetricUnit.Count, stored.mos)
    for name, count in (("OptOuts", stored.opt_outs), ("Resubscribed", stored.resubscribed)):
        if count:
            metrics.add_metric(name, MetricUnit.Count, count)
    return _answer(200, "0", "EntriesQuarantined", stored.quarantined)


def _answer(status: int, body: str, metric: str, count: int = 1) -> dict[str, Any]:
    metrics.add_metric(metric, MetricUnit.Count, count)
    return {
        "statusCode": status,
        "headers": {"Content-Type": "text/plain; charset=utf-8"},
        "body": body,
        "isBase64Encoded": False,  # a load balancer asks for it
    }
