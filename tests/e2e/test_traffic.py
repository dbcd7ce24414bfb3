"""Traffic on the deployed stack, in small: lanes, pace, dear parts, outages, and the way back from giving up.

``make bench`` measures the same in earnest; here counts and orders are looked at, not times.
"""

import json
import os
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import batched, pairwise
from typing import Any
from unittest.mock import patch

import pytest

from kuaixintong.core.beijing import from_iso
from kuaixintong.errand import QueueMessage
from kuaixintong.redrive import Redriven, redrive_from
from kuaixintong.settings import RedriveSettings
from kuaixintong.submission import Submitter
from kuaixintong.wiring.redriving import dead_letters
from kuaixintong.wiring.sender import submitter
from local.processes import wait_until
from local.simulator.running import RunningSimulator
from tests.e2e.deployment import Deployment, record
from tests.template import load

RECEIVE_LIMIT = load()["Parameters"]["ReceiveLimit"]["Default"]
THREADS = 10


def send(name: str, *mobiles: str, **fields: Any) -> dict[str, Any]:
    return {"id": name, "mobiles": mobiles or ["13700000000"], "content": "验证码 1234", **fields}


def enqueue(deployment: Deployment, queue: str, *bodies: dict[str, Any]) -> None:
    for batch in batched(bodies, 10, strict=False):
        entries: Any = [{"Id": str(at), "MessageBody": json.dumps(body)} for at, body in enumerate(batch)]
        answer = deployment.aws.sqs.send_message_batch(QueueUrl=deployment.outputs[queue], Entries=entries)
        assert not answer.get("Failed")


def taken(platform: RunningSimulator) -> list[str]:
    """The first mobile of each part that the platform has taken, in order."""
    return [message.mobiles[0] for message in platform.messages()]


def test_the_first_code_on_a_fresh_account_goes_out(deployment: Deployment, platform: RunningSimulator) -> None:
    enqueue(deployment, "UrgentQueueUrl", send("first-code", category="otp"))
    wait_until(platform.messages, "The first code is accepted", seconds=120)
    [part] = deployment.settled("first-code")
    assert (part["state"], len(platform.messages())) == ("ACCEPTED", 1)


def test_a_code_does_not_wait_for_what_is_in_the_other_queue(
    deployment: Deployment, platform: RunningSimulator
) -> None:
    platform.faults([{"op": "sendSm", "do": "delay", "when": "before", "seconds": 0.3}])
    others = [f"137{number:08}" for number in range(150)]
    enqueue(deployment, "SendQueueUrl", *(send(f"greeting-{mobile}", mobile) for mobile in others))
    enqueue(deployment, "UrgentQueueUrl", send("code", "13911111111", category="otp"))
    wait_until(lambda: "13911111111" in taken(platform), "The code is accepted", seconds=120)
    assert taken(platform).index("13911111111") < len(others) // 2
    platform.faults([])
    deployment.queue_runs_empty()


def test_what_is_too_dear_waits_and_codes_go_out(deployment: Deployment, platform: RunningSimulator) -> None:
    platform.change(balance=1_000)
    dear = send("dear", *(f"138{number:08}" for number in range(2_000)))
    enqueue(deployment, "SendQueueUrl", dear)
    [part] = wait_until(
        lambda: [row for row in deployment.parts("dear") if "balance" in row.get("words", "")],
        "The row says what it waits for",
        seconds=120,
    )
    assert part["state"] == "WAITING"
    assert "2000" in part["words"]

    codes = [f"139{number:08}" for number in range(20)]
    enqueue(deployment, "UrgentQueueUrl", *(send(f"cheap-{code}", code, category="otp") for code in codes))
    wait_until(lambda: {*codes} <= {*taken(platform)}, "All codes are accepted", seconds=120)
    assert deployment.parts("dear")[0]["state"] == "WAITING"

    platform.change(balance=5_000)
    deployment.invoke("BalanceFunction", {})  # a login clears up to the balance that it shows
    deployment.deliver(record("again", dear))  # the queue's own copy comes when its two minutes are over
    assert deployment.parts("dear")[0]["state"] == "ACCEPTED"
    assert taken(platform).count("13800000000") == 1


def probes(deployment: Deployment) -> str | None:
    account = deployment.account()
    probed_at: str | None = account.get("probed_at")
    return probed_at


def test_in_an_outage_a_code_probes_every_two_seconds_and_goes_out_when_it_ends(
    deployment: Deployment, platform: RunningSimulator
) -> None:
    platform.refuse_connections()
    enqueue(deployment, "UrgentQueueUrl", send("in-an-outage", category="otp"))
    seen: list[str] = []
    ends = time.monotonic() + 8
    while time.monotonic() < ends or len(seen) < 2:
        assert time.monotonic() < ends + 20, "nobody probes"
        if (probed_at := probes(deployment)) and probed_at not in seen:
            seen.append(probed_at)
    platform.accept_connections()
    [part] = deployment.settled("in-an-outage")
    assert part["state"] == "ACCEPTED"
    moments = [from_iso(each) for each in seen]
    assert all(after - before >= timedelta(seconds=1.99) for before, after in pairwise(moments))
    assert len(platform.messages()) == 1


def test_a_code_given_up_lies_with_its_lane_and_goes_back_into_it(
    deployment: Deployment, platform: RunningSimulator
) -> None:
    platform.faults([{"op": "sendSm", "do": "code", "code": 1}])
    body = send("given-up-code", category="otp")
    given_up = record("given-up-code", body, receive_count=RECEIVE_LIMIT)
    deployment.invoke("UrgentSenderFunction", {"Records": [given_up]})
    sqs, dead = deployment.aws.sqs, deployment.outputs["DeadLetterQueueUrl"]
    [letter] = sqs.receive_message(QueueUrl=dead, MessageAttributeNames=["lane"], VisibilityTimeout=0)["Messages"]
    assert letter["MessageAttributes"]["lane"]["StringValue"] == "urgent"

    platform.faults([])
    with patch.dict(os.environ, deployment.stack.environment):
        queues = RedriveSettings(
            *(deployment.outputs[f"{name}QueueUrl"] for name in ("Send", "Urgent", "DeadLetter"))
        )
        assert redrive_from(dead_letters(queues), wait=0) == Redriven(urgent=1)
    [part] = deployment.settled("given-up-code")
    assert part["state"] == "ACCEPTED"
    assert "attention" not in part


# --- the pace ---------------------------------------------------------------------------------------------------


@pytest.fixture
def senders(deployment: Deployment, requests: float) -> Iterator[list[Submitter]]:
    """Senders as three processes have them."""
    settings = replace(deployment.sender_settings(), requests_per_second=requests)
    with patch.dict(os.environ, deployment.stack.environment):
        made = [submitter(settings, threads=THREADS) for _ in range(3)]
        for each in made:  # to come back later is the queue's business, and these messages are in none
            each.queue.postpone = lambda *_: None  # type: ignore[method-assign]
        yield made


@pytest.mark.parametrize(
    ("requests", "most"), [(10.0, 66), (0.0, 200)], ids=["a limit that is known", "one that is unknown"]
)
def test_sixty_sends_at_ten_a_second_are_few_requests(
    senders: list[Submitter], platform: RunningSimulator, requests: float, most: int
) -> None:
    platform.change(rate=10)

    def bring(number: int) -> None:
        name = f"paced-{requests}-{number}"
        body = json.dumps(send(name, f"136{number:08}"))
        for receives in range(1, 20):
            message = QueueMessage(name, "handle", body, receives, datetime.now(UTC))
            if senders[number % len(senders)].take(message, lambda: 60.0).again is None:
                return
        raise AssertionError("it never comes to its end")

    with ThreadPoolExecutor(len(senders) * THREADS) as threads:
        list(threads.map(bring, range(60)))
    assert platform.state()["accepted"] == 60
    assert len(platform.requests()) <= most
