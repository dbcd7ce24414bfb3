"""How the account on the platform is, for a person: balances, pause, pace, and what waits in the queues."""

import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from kuaixintong.core.errors import KuaixintongError
from kuaixintong.core.gate import Account, Dear
from kuaixintong.core.lanes import Lane
from kuaixintong.stores import account
from kuaixintong.stores.access import refusals

if TYPE_CHECKING:
    from kuaixintong.stack import Stack

_COUNTED: tuple[Any, ...] = ("ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible")

_METRICS_BACK = timedelta(minutes=10)
"""How far back an age is looked for: SQS tells it once a minute, and minutes late."""

_AGES_FOR = 60.0
"""Seconds for which an age is shown before it is asked for again: each is charged for."""


@dataclass(frozen=True, slots=True)
class AccountState:
    """An account's row. Balances are in messages, ``checked_at`` is when they were asked for; ``None``: never.

    ``rate`` is what the platform's refusals have taught, in requests a second; ``None``: nothing.
    """

    cid: str
    sm_balance: int | None
    mm_balance: int | None
    checked_at: datetime | None
    pause_reason: str | None
    pause_until: datetime | None
    dear: Dear | None
    rate: float | None

    def paused(self, now: datetime) -> bool:
        """Whether every request is held back."""
        return self.pause_until is not None and now < self.pause_until


@dataclass(frozen=True, slots=True)
class QueueState:
    """Messages of a queue, more or less: those that wait, and those that are worked on or put off.

    ``oldest`` is for how many seconds the oldest has been in it, by CloudWatch, minutes late; ``None``: not known.
    """

    waiting: int
    in_hand: int
    oldest: int | None = None


class AccountView:
    """Questions about the account. Raises :class:`~kuaixintong.core.errors.StoreUnavailable`."""

    def __init__(self, stack: "Stack") -> None:
        self._stack = stack
        self._ages: dict[str, int] = {}
        self._ages_until = 0.0

    def state(self) -> AccountState | None:
        """Return the account that was asked last; ``None`` if the platform has never been asked."""
        table = self._stack.output("AccountTableName")
        rows = [row for row in account.everything(self._stack.dynamodb, table) if "sequence" in row]
        return _state(max(rows, key=lambda row: row["sequence"])) if rows else None

    def queues(self, *, ages: bool = False) -> dict[Lane | None, QueueState]:
        """Return what each lane's queue holds and, under ``None``, the dead-letter queue: three calls.

        With ``ages``, once a minute one more call asks how old the oldest message of each is.
        """
        names = {Lane.URGENT: "UrgentQueueUrl", Lane.ORDINARY: "SendQueueUrl", None: "DeadLetterQueueUrl"}
        urls = {lane: self._stack.output(name) for lane, name in names.items()}
        known = self._oldest([*urls.values()]) if ages else {}
        with refusals("sqs"):
            client = self._stack.person.sqs()
            return {
                lane: _queue(
                    client.get_queue_attributes(QueueUrl=url, AttributeNames=[*_COUNTED]), known.get(_name(url))
                )
                for lane, url in urls.items()
            }

    def _oldest(self, urls: list[str]) -> dict[str, int]:
        """Return the age of each queue's oldest message in seconds, by the queue's name, where it is known.

        Whoever may not read metrics sees the queues without it.
        """
        if time.monotonic() < self._ages_until:
            return self._ages
        now = datetime.now(UTC)
        with suppress(KuaixintongError), refusals("cloudwatch"):
            told = self._stack.person.cloudwatch().get_metric_data(
                MetricDataQueries=[_age_of(_name(url), place) for place, url in enumerate(urls)],
                StartTime=now - _METRICS_BACK,
                EndTime=now,
            )
            values = {each["Label"]: each["Values"] for each in told["MetricDataResults"]}  # the newest first
            self._ages = {name: int(found[0]) for name, found in values.items() if found}
        self._ages_until = time.monotonic() + _AGES_FOR
        return self._ages

    def pace(self, state: AccountState | None) -> float | None:
        """Return how many requests a second go out at most; ``None`` if nothing bounds them yet."""
        told = float(self._stack.parameter("RequestsPerSecond", "0") or 0)
        bounds = [rate for rate in (told, state.rate if state else None) if rate]
        return min(bounds, default=None)


def _state(row: Mapping[str, Any]) -> AccountState:
    seen: Account = account.account(row)
    checked = row.get("checked_at")
    return AccountState(
        cid=row["cid"],
        sm_balance=row.get("sm_balance"),
        mm_balance=row.get("mm_balance"),
        checked_at=datetime.fromisoformat(checked).astimezone(UTC) if checked else None,
        pause_reason=seen.pause_reason,
        pause_until=seen.pause_until,
        dear=seen.dear,
        rate=seen.learnt.rate if seen.learnt else None,
    )


def _queue(answer: Mapping[str, Any], oldest: int | None) -> QueueState:
    waiting, in_hand = (int(answer["Attributes"][name]) for name in _COUNTED)
    return QueueState(waiting, in_hand, oldest if waiting or in_hand else None)


def _name(url: str) -> str:
    return url.rpartition("/")[2]


def _age_of(queue: str, place: int) -> Any:
    metric = {
        "Namespace": "AWS/SQS",
        "MetricName": "ApproximateAgeOfOldestMessage",
        "Dimensions": [{"Name": "QueueName", "Value": queue}],
    }
    return {"Id": f"q{place}", "Label": queue, "MetricStat": {"Metric": metric, "Period": 60, "Stat": "Maximum"}}
