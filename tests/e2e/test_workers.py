"""What needs a DynamoDB that takes threads, and real queues: many workers on one message, giving up, redriving."""

import json
import os
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from unittest.mock import patch

import pytest

from kuaixintong.errand import Progress, QueueMessage
from kuaixintong.submission import Submitter
from kuaixintong.wiring.sender import submitter
from local.narrator import SPEC_SEND
from local.simulator.running import RunningSimulator
from tests.e2e.deployment import Deployment, record
from tests.template import load

WORKERS = 32
RECEIVE_LIMIT = load()["Parameters"]["ReceiveLimit"]["Default"]


@pytest.fixture
def workers(deployment: Deployment) -> Iterator[list[Submitter]]:
    """Senders as so many processes have them: nothing shared but the tables."""
    settings = deployment.sender_settings()
    with patch.dict(os.environ, deployment.stack.environment):
        yield [submitter(settings, threads=1) for _ in range(WORKERS)]


@pytest.mark.parametrize("known", [False, True], ids=["an account that nothing is known of", "a proven account"])
def test_thirty_two_workers_at_once_on_one_message_are_one_acceptance(
    deployment: Deployment, platform: RunningSimulator, workers: list[Submitter], known: bool
) -> None:
    if known:
        deployment.enqueue({**SPEC_SEND, "id": "proves-the-account"})
        deployment.settled("proves-the-account")
    before, starting = len(platform.messages()), threading.Barrier(WORKERS)
    send_id = f"at-once-{known}"
    body = json.dumps({**SPEC_SEND, "id": send_id}, ensure_ascii=False)

    def take(number: int) -> Progress:
        starting.wait(30)
        # A handle that the queue does not know: to come back later is the queue's business, not this test's.
        workers[number].queue.postpone = lambda *_: None  # type: ignore[method-assign]
        return workers[number].take(QueueMessage(f"copy-{number}", "handle", body, 1), lambda: 60.0)

    with ThreadPoolExecutor(WORKERS) as threads:
        taken = list(threads.map(take, range(WORKERS)))
    assert len(platform.messages()) - before == 1
    assert [part["state"] for part in deployment.parts(send_id)] == ["ACCEPTED"]
    assert all(set(map(str, each.states)) <= {"ACCEPTED"} for each in taken)


def redrive(deployment: Deployment) -> None:
    """Do what SQS does to redrive a dead-letter queue, and MiniStack does not: the same body, another id."""
    sqs, outputs = deployment.aws.sqs, deployment.outputs
    [dead] = sqs.receive_message(QueueUrl=outputs["DeadLetterQueueUrl"])["Messages"]
    sqs.send_message(QueueUrl=outputs["SendQueueUrl"], MessageBody=dead["Body"])
    sqs.delete_message(QueueUrl=outputs["DeadLetterQueueUrl"], ReceiptHandle=dead["ReceiptHandle"])


def test_a_send_given_up_comes_back_from_the_dead_letter_queue_and_goes_on_where_it_stood(
    deployment: Deployment, platform: RunningSimulator
) -> None:
    platform.faults([{"op": "sendSm", "do": "cut", "when": "before", "times": 1}])
    deployment.deliver(record("given-up-and-redriven", SPEC_SEND, receive_count=RECEIVE_LIMIT))
    [part] = deployment.parts("given-up-and-redriven")
    assert (part["state"], part["attention"]) == ("SUBMITTING", "GAVE_UP")
    assert deployment.messages_left("DeadLetterQueueUrl") == 1

    redrive(deployment)
    [accepted] = deployment.settled("given-up-and-redriven")
    assert accepted["state"] == "ACCEPTED"
    assert "attention" not in accepted
    assert accepted["timestamp"] == part["timestamp"], "a request with it was unanswered"
    assert [message.timestamp for message in platform.messages()] == [part["timestamp"]]
    assert [row["send_id"] for row in deployment.rows("Sends") if row.get("token") == accepted["token"]] == [
        "given-up-and-redriven"
    ]
