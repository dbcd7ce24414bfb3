"""The producing side of the queues: messages in, ten a call."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from kuaixintong.core.enqueueing import Message
from kuaixintong.core.errors import StoreUnavailable
from kuaixintong.core.lanes import Lane
from kuaixintong.stores.access import refusals

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why one message of a batch was not taken.

    ``lasting`` if it will not be taken later either; not ``certain`` if it may be in the queue after all.
    """

    why: str
    lasting: bool
    certain: bool = True


class Lanes:
    """The queues that sends go into, by URL."""

    def __init__(self, client: "SQSClient", urls: Mapping[Lane, str]) -> None:
        self._client = client
        self._urls = urls

    def put_one(self, lane: Lane, body: str) -> None:
        """Enqueue one message. Raises as :meth:`put` does."""
        with refusals("sqs"):
            self._client.send_message(QueueUrl=self._urls[lane], MessageBody=body)

    def put(self, lane: Lane, messages: Sequence[Message]) -> dict[int, Refusal]:
        """Enqueue up to ten messages; return why some were not taken, by their places. The others are durable.

        Raises :class:`AccessRefused` if none was taken, :class:`StoreUnavailable` if that is not known.
        """
        with refusals("sqs"):
            answer = self._client.send_message_batch(
                QueueUrl=self._urls[lane],
                Entries=[{"Id": str(place), "MessageBody": each.body} for place, each in enumerate(messages)],
            )
        refused = {
            int(each["Id"]): Refusal(f"sqs {each['Code']}", lasting=each["SenderFault"])
            for each in answer.get("Failed", [])
        }
        if len(answer.get("Successful", [])) + len(refused) < len(messages):
            raise StoreUnavailable("sqs SendMessageBatch: the answer was cut off")
        return refused
