"""The queues' edge: when a message comes back, and which lane one goes back to."""

import json
from typing import TYPE_CHECKING, Any, cast

import pytest

from kuaixintong.core.errors import StoreUnavailable
from kuaixintong.core.lanes import Lane
from kuaixintong.stores.queue import DeadLetter, DeadLetters, SendQueue
from tests.aws_faults import client_error

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient

LANES = {Lane.URGENT: "https://sqs.example/1/urgent", Lane.ORDINARY: "https://sqs.example/1/send"}


class Client:
    """SQS on paper: writes down what it is asked, and has some ``messages``."""

    def __init__(self, *messages: dict[str, Any], fails: bool = False) -> None:
        self.messages = messages
        self.fails = fails
        self.asked: list[tuple[str, dict[str, Any]]] = []

    def __getattr__(self, operation: str) -> Any:
        def call(**asked: Any) -> dict[str, Any]:
            if self.fails:
                raise client_error("InternalError", operation)
            self.asked.append((operation, asked))
            counts = {"ApproximateNumberOfMessages": "3", "ApproximateNumberOfMessagesNotVisible": "4"}
            return {"Attributes": counts, **({"Messages": self.messages} if self.messages else {})}

        return call


def queue(client: Client) -> SendQueue:
    return SendQueue(cast("SQSClient", client), LANES[Lane.ORDINARY], "dead", Lane.ORDINARY)


def letters(client: Client) -> DeadLetters:
    return DeadLetters(cast("SQSClient", client), "dead", LANES)


@pytest.mark.parametrize(
    ("seconds", "delay"),
    [(-5, 0), (0, 0), (1.4, 1), (1.6, 2), (43_199, 43_199), (43_200, 43_200), (99_999, 43_200)],
)
def test_a_message_comes_back_after_so_many_seconds_or_as_late_as_sqs_allows(seconds: float, delay: int) -> None:
    client = Client()
    queue(client).postpone("a-receipt", seconds)
    asked = {"QueueUrl": LANES[Lane.ORDINARY], "ReceiptHandle": "a-receipt", "VisibilityTimeout": delay}
    assert client.asked == [("change_message_visibility", asked)]


def test_a_message_that_is_given_up_carries_its_lane() -> None:
    client = Client()
    queue(client).bury("{}")
    lane = {"lane": {"DataType": "String", "StringValue": "ordinary"}}
    assert client.asked == [("send_message", {"QueueUrl": "dead", "MessageBody": "{}", "MessageAttributes": lane})]


def told(lane: str) -> dict[str, Any]:
    return {"MessageAttributes": {"lane": {"StringValue": lane}}}


def moved(queue: str) -> dict[str, Any]:
    return {"Attributes": {"DeadLetterQueueSourceArn": f"arn:aws-cn:sqs:cn-north-1:1:{queue}"}}


@pytest.mark.parametrize(
    ("message", "lane"),
    [
        (told("urgent"), Lane.URGENT),
        (told("ordinary") | moved("urgent"), Lane.ORDINARY),
        (told("another") | moved("urgent"), Lane.URGENT),
        (moved("urgent"), Lane.URGENT),
        (moved("send"), Lane.ORDINARY),
        ({}, Lane.ORDINARY),
    ],
)
def test_a_dead_letter_is_of_the_lane_that_it_tells_or_that_it_came_from(
    message: dict[str, Any], lane: Lane
) -> None:
    client = Client({"MessageId": "m-1", "ReceiptHandle": "a-receipt", "Body": '{"content": "secret"}'} | message)
    (letter,) = letters(client).receive(wait=3)
    assert letter == DeadLetter("m-1", "a-receipt", json.dumps({"content": "secret"}), lane)
    assert "secret" not in repr(letter)
    ((operation, asked),) = client.asked
    assert (operation, asked) == (
        "receive_message",
        {
            "QueueUrl": "dead",
            "MaxNumberOfMessages": 10,
            "WaitTimeSeconds": 3,
            "MessageAttributeNames": ["lane"],
            "MessageSystemAttributeNames": ["DeadLetterQueueSourceArn"],
        },
    )


def test_an_empty_queue_has_no_letters() -> None:
    assert letters(Client()).receive(wait=0) == []


def test_a_letter_is_put_back_before_it_is_removed() -> None:
    client = Client()
    letters(client).put_back(DeadLetter("m-1", "a-receipt", "old", Lane.URGENT), "new")
    assert client.asked == [
        ("send_message", {"QueueUrl": LANES[Lane.URGENT], "MessageBody": "new"}),
        ("delete_message", {"QueueUrl": "dead", "ReceiptHandle": "a-receipt"}),
    ]


def test_what_is_left_counts_what_somebody_has_received() -> None:
    client = Client()
    assert letters(client).left() == 7
    names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
    assert client.asked == [("get_queue_attributes", {"QueueUrl": "dead", "AttributeNames": names})]


def test_a_queue_that_fails_is_trouble_of_sqs() -> None:
    client = Client(fails=True)
    letter = DeadLetter("m-1", "a-receipt", "old", Lane.URGENT)
    for call in (
        lambda: queue(client).postpone("a-receipt", 1),
        lambda: queue(client).bury("{}"),
        lambda: letters(client).receive(wait=0),
        lambda: letters(client).put_back(letter, "new"),
        lambda: letters(client).left(),
    ):
        with pytest.raises(StoreUnavailable, match=r"^SQS \w+: InternalError$"):
            call()
