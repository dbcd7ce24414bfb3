"""The send queue's edge: when a message comes back, and where it goes when it no longer does."""

from typing import TYPE_CHECKING

from kuaixintong.stores.aws import our_errors

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient

LONGEST_VISIBILITY = 43_200
"""Seconds that SQS can keep a message from view: twelve hours."""


class SendQueue:
    """The send queue and its dead-letter queue, by URL."""

    def __init__(self, client: "SQSClient", url: str, dead_letter_url: str) -> None:
        self._client = client
        self._url = url
        self._dead_letter_url = dead_letter_url

    def postpone(self, receipt_handle: str, seconds: float) -> None:
        """Let a received message come back after ``seconds``, whatever the queue's own visibility timeout is."""
        delay = max(0, min(round(seconds), LONGEST_VISIBILITY))
        with our_errors("SQS"):
            self._client.change_message_visibility(
                QueueUrl=self._url, ReceiptHandle=receipt_handle, VisibilityTimeout=delay
            )

    def bury(self, body: str) -> None:
        """Put a message into the dead-letter queue."""
        with our_errors("SQS"):
            self._client.send_message(QueueUrl=self._dead_letter_url, MessageBody=body)
