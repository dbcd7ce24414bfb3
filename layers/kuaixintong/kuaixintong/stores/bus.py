"""The event bus, and the queue for what cannot be put on it."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from kuaixintong.core.errors import StoreUnavailable
from kuaixintong.stores.aws import our_errors

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient

_ENTRIES = 10
_BYTES = 200_000
"""What one ``PutEvents`` carries at most: it takes ten entries and 256 KB, names and times included."""


_LARGEST = 255_000
"""Bytes of an event's detail that the bus ever takes."""

TOO_LARGE = "larger than an event may be"
"""Why an event is not taken, now or later."""


class EventsClient(Protocol):
    """As much of boto3's client of EventBridge as is asked for here."""

    def put_events(self, *, Entries: list[dict[str, str]]) -> dict[str, Any]:  # noqa: N803  # boto3's word
        """Put events on buses; the answer has an entry for each, with an ``ErrorCode`` if it was not taken."""


@dataclass(frozen=True, slots=True)
class Entry:
    """An event as the bus takes it; ``detail`` is JSON."""

    detail_type: str
    detail: str = field(repr=False)


class Bus:
    """Puts events on a bus, many at a time, and what cannot be put there into a queue."""

    def __init__(
        self, events: EventsClient, bus: str, sqs: "SQSClient", dead_letters: str, *, source: str
    ) -> None:
        self._events = events
        self._bus = bus
        self._sqs = sqs
        self._dead_letters = dead_letters
        self._source = source

    def put(self, entries: Sequence[Entry]) -> list[str | None]:
        """Put events; return for each why it was not taken, ``None`` if it was.

        One that is :data:`TOO_LARGE` is not even tried.
        """
        fits = [len(each.detail.encode()) <= _LARGEST for each in entries]
        due = [each for each, fit in zip(entries, fits, strict=True) if fit]
        answers = iter([why for some in _portions(due) for why in self._put(some)])
        return [next(answers) if fit else TOO_LARGE for fit in fits]

    def bury(self, entry: Entry, why: str) -> None:
        """Put an event into the dead-letter queue instead, whole. Raises :class:`StoreUnavailable`."""
        told = {"source": self._source, "detail-type": entry.detail_type, "why": why}
        body = json.dumps(told | {"detail": json.loads(entry.detail)}, ensure_ascii=False)
        with our_errors("SQS"):
            self._sqs.send_message(QueueUrl=self._dead_letters, MessageBody=body)

    def _put(self, entries: Sequence[Entry]) -> list[str | None]:
        try:
            with our_errors("EventBridge"):
                answer = self._events.put_events(
                    Entries=[
                        {
                            "EventBusName": self._bus,
                            "Source": self._source,
                            "DetailType": each.detail_type,
                            "Detail": each.detail,
                        }
                        for each in entries
                    ]
                )
        except StoreUnavailable as error:
            return [str(error)] * len(entries)
        return [each.get("ErrorCode") for each in answer["Entries"]]


def _portions(entries: Sequence[Entry]) -> Iterator[list[Entry]]:
    """Cut entries into requests; one that is larger than what is sent together goes alone."""
    portion: list[Entry] = []
    size = 0
    for each in entries:
        weight = len(each.detail.encode())
        if portion and (len(portion) == _ENTRIES or size + weight > _BYTES):
            yield portion
            portion, size = [], 0
        portion.append(each)
        size += weight
    if portion:
        yield portion
