"""Schedule → login → balances, metrics, end of a pause."""

import os
from functools import cache
from typing import TYPE_CHECKING, Any

from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.metrics import MetricUnit

from kuaixintong.account_check import AccountCheck, Checked
from kuaixintong.settings import BalanceSettings
from kuaixintong.wiring.balance import account_check

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext

logger = Logger()
metrics = Metrics()


@cache
def _check() -> AccountCheck:
    return account_check(BalanceSettings.read(os.environ))


@logger.inject_lambda_context
@metrics.log_metrics
def lambda_handler(event: dict[str, Any], context: "LambdaContext") -> None:  # noqa: ARG001  # a schedule says nothing
    """Check the account once."""
    checked = _check().run()
    _measure(checked)
    told = _told(checked)
    if checked.good:
        logger.info("login", extra=told)
    else:
        logger.warning("login failed", extra=told)


def _told(checked: Checked) -> dict[str, Any]:
    about = {"paused": checked.paused, "lifted": checked.lifted}
    if checked.unanswered:
        return {"no_answer": checked.unanswered.reason, "words": str(checked.unanswered), **about}
    answer = checked.answer
    return {"code": answer and answer.state_code, "words": answer and answer.message, **about}


def _measure(checked: Checked) -> None:
    metrics.add_metric("LoginFailed", MetricUnit.Count, 0 if checked.good else 1)
    metrics.add_metric("AccountPaused", MetricUnit.Count, 1 if checked.paused else 0)
    if checked.answer and checked.good:
        balances = {"SmBalance": checked.answer.sm_balance, "MmBalance": checked.answer.mm_balance}
        for name, balance in balances.items():
            if balance is not None:
                metrics.add_metric(name, MetricUnit.Count, balance)
