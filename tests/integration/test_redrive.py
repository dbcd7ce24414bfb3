"""What was given up goes back to its own lane, under its own id, until nothing is left."""

import json
from typing import TYPE_CHECKING, Any

import pytest
from botocore.stub import Stubber

from kuaixintong.core.lanes import Lane
from kuaixintong.redrive import Redriven, redrive_from
from kuaixintong.stores.queue import DeadLetter, DeadLetters, SendQueue

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient


class Queues:
    """Both lanes and the dead-letter queue, in moto."""

    def __init__(self, sqs: "SQSClient") -> None:
        self.sqs = sqs
        self.dead = sqs.create_queue(QueueName="dead")["QueueUrl"]
        arn = sqs.get_queue_attributes(QueueUrl=self.dead, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
        policy = json.dumps({"deadLetterTargetArn": arn, "maxReceiveCount": 1})
        self.lanes = {
            lane: sqs.create_queue(QueueName=lane, Attributes={"RedrivePolicy": policy, "VisibilityTimeout": "0"})[
                "QueueUrl"
            ]
            for lane in Lane
        }
        self.letters = DeadLetters(sqs, self.dead, self.lanes)

    def bodies(self, lane: Lane) -> list[str]:
        found = []
        while messages := self.sqs.receive_message(QueueUrl=self.lanes[lane], MaxNumberOfMessages=10).get(
            "Messages"
        ):
            for each in messages:
                self.sqs.delete_message(QueueUrl=self.lanes[lane], ReceiptHandle=each["ReceiptHandle"])
                found.append(each["Body"])
        return found


@pytest.fixture
def queues(sqs: "SQSClient") -> Queues:
    return Queues(sqs)


@pytest.mark.parametrize("lane", Lane)
def test_a_message_goes_back_to_the_lane_whose_sender_gave_it_up(queues: Queues, lane: Lane) -> None:
    for number in range(25):
        SendQueue(queues.sqs, queues.lanes[lane], queues.dead, lane).bury(f'{{"id": "order-{number}"}}')
    told: list[int] = []
    done = redrive_from(queues.letters, progress=told.append, wait=0)
    assert done == (Redriven(urgent=25) if lane is Lane.URGENT else Redriven(ordinary=25))
    assert told[-1] == 25
    assert len({*queues.bodies(lane)}) == 25


def test_a_message_that_sqs_itself_moved_goes_back_under_the_id_that_it_was_known_by(queues: Queues) -> None:
    url = queues.lanes[Lane.ORDINARY]
    sent = queues.sqs.send_message(QueueUrl=url, MessageBody='{"mobiles": ["13708600860"], "content": "x"}')
    for _ in range(3):
        queues.sqs.receive_message(QueueUrl=url)
    redrive_from(queues.letters, wait=0)
    assert [json.loads(body)["id"] for body in queues.bodies(Lane.ORDINARY)] == [sent["MessageId"]]


@pytest.mark.parametrize("lane", Lane)
def test_the_lane_of_a_message_that_sqs_itself_moved_is_told_by_the_queue_that_it_came_from(
    queues: Queues, lane: Lane
) -> None:
    moved: Any = {
        "MessageId": "m-1",
        "ReceiptHandle": "handle",
        "Body": "{}",
        "Attributes": {"DeadLetterQueueSourceArn": f"arn:aws:sqs:us-east-1:123456789012:{lane}"},
    }
    with Stubber(queues.sqs) as stub:
        stub.add_response("receive_message", {"Messages": [moved]})
        assert [letter.lane for letter in queues.letters.receive(wait=0)] == [lane]


def test_what_is_no_json_goes_back_as_it_is(queues: Queues) -> None:
    queues.sqs.send_message(QueueUrl=queues.dead, MessageBody="not json")
    assert redrive_from(queues.letters, wait=0) == Redriven(ordinary=1)
    assert queues.bodies(Lane.ORDINARY) == ["not json"]


def test_an_empty_queue_is_looked_at_more_than_once(queues: Queues) -> None:
    looks: list[int] = []
    receive = queues.letters.receive

    class Shy(DeadLetters):
        """A queue whose first look comes back empty though there is something, as SQS's may."""

        def receive(self, *, wait: int) -> list[DeadLetter]:
            looks.append(wait)
            return [] if len(looks) == 1 else receive(wait=wait)

    queues.sqs.send_message(QueueUrl=queues.dead, MessageBody="{}")
    assert redrive_from(Shy(queues.sqs, queues.dead, queues.lanes), wait=0).ordinary == 1
