"""Where a promise could be broken at its edge: another account, a redelivered split, a store that fails midway."""

import json
from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from moto import mock_aws

from kuaixintong.core.codec import decode_answer, encode
from kuaixintong.core.credentials import PlatformCredentials
from kuaixintong.core.errors import NoAnswer, Unanswered
from kuaixintong.core.masking import mask_all
from kuaixintong.core.messages import Answer, Login, SendSm
from kuaixintong.core.pace import Lane
from kuaixintong.stores.queue import SendQueue
from tests.chaos.campaign import Cut
from tests.world import World

SEND = {"id": "order-1", "mobiles": ["13708600860"], "content": "x"}


@pytest.fixture
def world() -> Iterator[World]:
    with mock_aws():
        yield World()


class Line:
    """A network that does what a test says, request by request: a state code, ``lost``, or nothing out of line."""

    address = "direct"

    def __init__(self, world: World, *script: int | str | None) -> None:
        self._world = world
        self._script = list(script)

    def ask(self, request: Login | SendSm, credentials: PlatformCredentials, timestamp: str) -> Answer:
        step = self._script.pop(0) if self._script else None
        fields = encode(request, credentials, timestamp)
        instead = step if isinstance(step, int) else None
        answer = self._world.platform.receive(fields, self._world.now, instead=instead).answer.body
        if step == "lost":
            raise NoAnswer("lost on the way back", Unanswered.RESET)
        return decode_answer(answer)


def test_another_account_is_not_asked_about_a_timestamp_that_it_cannot_know(world: World) -> None:
    world.sender = world.new_sender(platform=Line(world, "lost"))
    delivery = world.deliver(SEND)
    assert delivery.again
    world.pass_time(seconds=delivery.again.delay + 60)
    world.secrets.put_secret_value(
        SecretId=world.secret_arn, SecretString='{"cid": "87654321", "uid": "test", "pwd": "secret"}'
    )
    world.platform.change({"cid": "87654321"})
    world.platform._timestamps.clear()
    world.sender = world.new_sender()
    assert world.deliver(SEND, receive_count=2).again is None
    row = world.row("order-1")
    assert (row["state"], row["attention"]) == ("UNCONFIRMED", "UNCONFIRMED")
    assert "12345678" in row["words"]
    assert len(world.accepted()) == 1


@pytest.mark.parametrize("code", [100, 330, 999])
def test_a_refusal_after_a_lost_acceptance_does_not_say_that_nothing_was_sent(world: World, code: int) -> None:
    world.sender = world.new_sender(platform=Line(world, "lost", code))
    world.deliver_until_done(SEND)
    row = world.row("order-1")
    assert len(world.accepted()) == 1
    assert (row["state"], row["code"]) == ("UNCONFIRMED", code)


class Counted:
    """A gate that lets every call pass, and counts."""

    def __init__(self) -> None:
        self.calls = 0

    def pass_(self) -> None:
        self.calls += 1


def test_a_redelivered_split_reads_its_finished_rows_at_once(world: World) -> None:
    mobiles = [f"139{number:08d}" for number in range(64)]
    world.platform.change({"refused_mobiles": mobiles[::8]})
    body: dict[str, Any] = {"id": "split", "mobiles": mobiles, "content": "x"}
    assert world.deliver(body).again is None
    rows = len(world.all_rows())
    requests, gate = len(world.line.requests), Counted()
    world.sender = world.new_sender(dynamodb=Cut(world.dynamodb, gate))
    assert world.deliver(body, receive_count=2).again is None
    assert len(world.line.requests) == requests
    assert rows > 60
    assert gate.calls < 6


def test_answers_between_refused_timestamps_end_the_row_of_them(world: World) -> None:
    world.sender = world.new_sender(platform=Line(world, 230, 210, 230, 210, 230))
    for _ in range(5):
        delivery = world.deliver(SEND)
        assert not delivery.pauses
        assert delivery.again
        world.pass_time(seconds=delivery.again.delay + 2)
    assert world.deliver(SEND).again is None
    assert world.row("order-1")["state"] == "ACCEPTED"


def test_a_send_given_up_that_lapses_after_its_redrive_asks_for_nothing_any_more(world: World) -> None:
    world.receive_limit = 2
    body = {**SEND, "validUntil": "2026-11-23 13:00:00"}
    world.sender = world.new_sender(platform=Line(world, 1, 1))
    for count in (1, 2):
        world.deliver(body, receive_count=count)
        world.pass_time(seconds=30)
    assert world.row("order-1")["attention"] == "GAVE_UP"
    world.pass_time(hours=2)
    assert world.deliver(body, message_id="redriven").again is None
    assert world.row("order-1")["state"] == "EXPIRED"
    assert "attention" not in world.row("order-1")


MESSAGE_ID = "059f36b4-87a3-44ab-83d2-661975830a7d"


def of_length(length: int) -> str:
    """A body without an id, of exactly so many bytes; one of its mobiles is unusable."""
    body = '{"mobiles":["13708600860",""],"content":"x"}'
    return body.replace('""]', f'"{"0" * (length - len(body))}"]')


def test_a_body_that_could_not_be_given_up_is_refused_at_once_and_the_longest_other_one_can_be(
    world: World,
) -> None:
    sqs = boto3.client("sqs")
    sends, dead = (sqs.create_queue(QueueName=name)["QueueUrl"] for name in ("sends", "dead"))
    world.queue = SendQueue(sqs, sends, dead, Lane.ORDINARY)  # type: ignore[assignment]
    world.receive_limit = 1
    world.sender = world.new_sender(platform=Line(world, 1))

    full = of_length(1_048_576)  # to the byte what SQS takes
    sqs.send_message(QueueUrl=sends, MessageBody=full)
    assert world.deliver(full, message_id=MESSAGE_ID).again is None
    row = world.row(MESSAGE_ID)
    assert (row["state"], "attention" in row) == ("REJECTED", False)
    assert row["words"].startswith("The body takes 1048620 bytes with its id in it; it must take at most 1048320")
    assert "Messages" not in sqs.receive_message(QueueUrl=dead)

    longest = of_length(1_048_320 - len(f',"id":"{MESSAGE_ID}"'))
    other = MESSAGE_ID.replace("0", "1")
    assert world.deliver(longest, message_id=other).again is None
    assert world.row(other)["attention"] == "GAVE_UP"
    (message,) = sqs.receive_message(QueueUrl=dead)["Messages"]
    assert json.loads(message["Body"])["id"] == other


def test_an_id_made_of_a_mobile_is_masked_before_it_is_logged() -> None:
    assert mask_all("13708600860-otp-4711") == "137****0860-otp-4711"
