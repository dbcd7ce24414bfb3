"""How the account on the platform is, for a person: balances, pause, pace, and what waits in the queues."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from kuaixintong.core.gate import Account, Dear
from kuaixintong.core.lanes import Lane
from kuaixintong.stores import account
from kuaixintong.stores.access import refusals

if TYPE_CHECKING:
    from kuaixintong.stack import Stack

_COUNTED: tuple[Any, ...] = ("ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible")


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
    """Messages of a queue, more or less: those that wait, and those that are worked on or put off."""

    waiting: int
    in_hand: int


class AccountView:
    """Questions about the account. Raises :class:`~kuaixintong.core.errors.StoreUnavailable`."""

    def __init__(self, stack: "Stack") -> None:
        self._stack = stack

    def state(self) -> AccountState | None:
        """Return the account that was asked last; ``None`` if the platform has never been asked."""
        table = self._stack.output("AccountTableName")
        rows = [row for row in account.everything(self._stack.dynamodb, table) if "sequence" in row]
        return _state(max(rows, key=lambda row: row["sequence"])) if rows else None

    def queues(self) -> dict[Lane | None, QueueState]:
        """Return what each lane's queue holds and, under ``None``, the dead-letter queue."""
        urls = {Lane.URGENT: "UrgentQueueUrl", Lane.ORDINARY: "SendQueueUrl", None: "DeadLetterQueueUrl"}
        with refusals("sqs"):
            client = self._stack.person.sqs()
            return {
                lane: _queue(
                    client.get_queue_attributes(QueueUrl=self._stack.output(url), AttributeNames=[*_COUNTED])
                )
                for lane, url in urls.items()
            }

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


def _queue(answer: Mapping[str, Any]) -> QueueState:
    waiting, in_hand = (int(answer["Attributes"][name]) for name in _COUNTED)
    return QueueState(waiting, in_hand)
