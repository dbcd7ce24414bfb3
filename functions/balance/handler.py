"""Schedule → login → balances, metrics, end of a pause; then a look for acceptances that reports prove."""

import os
from collections.abc import Callable
from functools import cache
from typing import TYPE_CHECKING, Any

from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.metrics import MetricUnit

from kuaixintong.account_check import AccountCheck, Checked
from kuaixintong.core.errors import StoreUnavailable
from kuaixintong.core.masking import mask_all
from kuaixintong.healing import Healing
from kuaixintong.settings import BalanceSettings
from kuaixintong.wiring.balance import account_check, healing

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext

_SPARE = 10.0
"""Seconds of the function's life that a look at the tables leaves for its last part, and for what is told."""

logger = Logger()
metrics = Metrics()


@cache
def _check() -> AccountCheck:
    return account_check(BalanceSettings.read(os.environ))


@cache
def _healing() -> Healing | None:
    return healing(BalanceSettings.read(os.environ))


@logger.inject_lambda_context
@metrics.log_metrics
def lambda_handler(event: dict[str, Any], context: "LambdaContext") -> dict[str, Any]:
    """Check the account once, and heal what can be healed in the time that is left; return what the check found.

    Whoever only wants to know says ``{"only": "login"}``.
    """
    checked = _check().run()
    _measure(checked)
    told = _told(checked)
    if checked.good:
        logger.info("login", extra=told)
    else:
        logger.warning("login failed", extra=told)
    if event.get("only") != "login" and (heals := _healing()):
        _heal(heals, checked.cid, lambda: context.get_remaining_time_in_millis() / 1000 - _SPARE)
    return told


def _heal(heals: Healing, cid: str, left: Callable[[], float]) -> None:
    try:
        healed = heals.run(cid, left)
    except StoreUnavailable as error:  # nothing is lost: the next check goes on from there
        logger.warning("inference broken off", extra={"words": str(error)})
        return
    metrics.add_metric("PartsInferred", MetricUnit.Count, len(healed.inferred))
    metrics.add_metric("InferenceResting", MetricUnit.Count, 1 if healed.rests_until else 0)
    if healed.inferred:
        parts = [f"{mask_all(send_id)} {part}" for send_id, part in healed.inferred]
        logger.info("acceptances inferred", extra={"parts": parts})
    if healed.why:
        logger.warning("inference rests", extra={"why": healed.why, "until": str(healed.rests_until)})


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
