"""The send queue's edge: when a message comes back, and where it goes when it no longer does."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from kuaixintong.core.lanes import Lane
from kuaixintong.stores.aws import our_errors

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient

LONGEST_VISIBILITY = 43_200
"""Seconds that SQS can keep a message from view: twelve hours."""


LANE = "lane"
"""Name of the message attribute."""


class SendQueue:
    """One lane's queue and the dead-letter queue of both, by URL."""

    def __init__(self, client: "SQSClient", url: str, dead_letter_url: str, lane: Lane) -> None:
        self._client = client
        self._url = url
        self._dead_letter_url = dead_letter_url
        self._lane = lane

    def postpone(self, receipt_handle: str, seconds: float) -> None:
        """Let a received message come back after ``seconds``, whatever the queue's own visibility timeout is."""
        delay = max(0, min(round(seconds), LONGEST_VISIBILITY))
        with our_errors("SQS"):
            self._client.change_message_visibility(
                QueueUrl=self._url, ReceiptHandle=receipt_handle, VisibilityTimeout=delay
            )

    def bury(self, body: str) -> None:
        """Put a message into the dead-letter queue; an attribute tells the lane that it belongs to."""
        with our_errors("SQS"):
            self._client.send_message(
                QueueUrl=self._dead_letter_url,
                MessageBody=body,
                MessageAttributes={LANE: {"DataType": "String", "StringValue": self._lane}},
            )


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """A message that was given up, and the lane that it belongs to."""

    message_id: str
    receipt_handle: str
    body: str = field(repr=False)
    lane: Lane


class DeadLetters:
    """The dead-letter queue, and the queues that its messages go back to."""

    def __init__(self, client: "SQSClient", url: str, lanes: Mapping[Lane, str]) -> None:
        self._client = client
        self._url = url
        self._lanes = lanes

    def receive(self, *, wait: int) -> list[DeadLetter]:
        """Take up to ten messages, waiting up to ``wait`` seconds for the first."""
        with our_errors("SQS"):
            answer = self._client.receive_message(
                QueueUrl=self._url,
                MaxNumberOfMessages=10,
                WaitTimeSeconds=wait,
                MessageAttributeNames=[LANE],
                MessageSystemAttributeNames=["DeadLetterQueueSourceArn"],
            )
        return [
            DeadLetter(each["MessageId"], each["ReceiptHandle"], each["Body"], self._lane_of(each))
            for each in answer.get("Messages", [])
        ]

    def put_back(self, letter: DeadLetter, body: str) -> None:
        """Enqueue a message in its lane, then remove it here: cut off in between, it is there twice, not never."""
        with our_errors("SQS"):
            self._client.send_message(QueueUrl=self._lanes[letter.lane], MessageBody=body)
            self._client.delete_message(QueueUrl=self._url, ReceiptHandle=letter.receipt_handle)

    def left(self) -> int:
        """Return how many messages the queue holds, more or less: those that somebody has received count, too."""
        names: list[Any] = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
        with our_errors("SQS"):
            found = self._client.get_queue_attributes(QueueUrl=self._url, AttributeNames=names)
        return sum(int(count) for count in found["Attributes"].values())

    def _lane_of(self, message: Mapping[str, Any]) -> Lane:
        """Tell the lane by what the sender wrote when it gave up, or SQS when it moved the message itself."""
        told = message.get("MessageAttributes", {}).get(LANE, {}).get("StringValue")
        if told in {*Lane}:
            return Lane(told)
        source = message.get("Attributes", {}).get("DeadLetterQueueSourceArn", "").rpartition(":")[2]
        urgent = self._lanes[Lane.URGENT].rpartition("/")[2]
        return Lane.URGENT if source and source == urgent else Lane.ORDINARY
