"""A sender in a process of its own, that polls its queue as an event source does.

The environment is the sender's; ``CLOCK_AHEAD`` tells by how many seconds this machine's clock is ahead. It ends
when its standard input does.
"""

import os
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING
from unittest.mock import patch

import boto3

from kuaixintong import wiring
from kuaixintong.errand import QueueMessage
from kuaixintong.settings import SenderSettings
from kuaixintong.wiring.sender import submitter

if TYPE_CHECKING:
    from mypy_boto3_sqs.type_defs import MessageTypeDef

THREADS = 10
LIFE = 60.0


def main() -> None:
    """Work until told to end."""
    settings, ahead = SenderSettings.read(os.environ), timedelta(seconds=float(os.environ["CLOCK_AHEAD"]))
    right = wiring.now
    with patch("kuaixintong.wiring.sender.now", lambda: right() + ahead):
        sender = submitter(settings, threads=THREADS)
    sqs, queue = boto3.client("sqs"), settings.send_queue_url
    told_to_end = threading.Event()

    def listen() -> None:
        sys.stdin.read()
        told_to_end.set()

    threading.Thread(target=listen, daemon=True).start()
    print("ready", flush=True)
    with ThreadPoolExecutor(THREADS) as threads:
        while not told_to_end.is_set():
            found = sqs.receive_message(
                QueueUrl=queue,
                MaxNumberOfMessages=10,
                WaitTimeSeconds=1,
                VisibilityTimeout=120,
                MessageSystemAttributeNames=["ApproximateReceiveCount", "SentTimestamp"],
            ).get("Messages", [])
            ends = time.monotonic() + LIFE

            def take(message: "MessageTypeDef", ends: float = ends) -> None:
                attributes = message["Attributes"]
                done = sender.take(
                    QueueMessage(
                        message["MessageId"],
                        message["ReceiptHandle"],
                        message["Body"],
                        int(attributes["ApproximateReceiveCount"]),
                        datetime.fromtimestamp(int(attributes["SentTimestamp"]) / 1000, UTC),
                    ),
                    lambda: ends - time.monotonic(),
                )
                if done.again is None:
                    sqs.delete_message(QueueUrl=queue, ReceiptHandle=message["ReceiptHandle"])

            list(threads.map(take, found))


if __name__ == "__main__":
    main()
