"""Messages that the queue gives up on: rows that still tell the truth, and a redrive that goes on from there."""

import json

import boto3
import pytest

from kuaixintong.core.lanes import Lane
from kuaixintong.core.ledger import ADVICE, Attention
from kuaixintong.stores.queue import SendQueue
from local.simulator.settings import Memory
from tests.sending import (
    BODY,
    EIGHT,
    IN_AN_HOUR,
    MOBILE,
    MORE_THAN_ONE_PART,
    fails,
    fails_once,
    proven,
    remember,
    rows_of,
)
from tests.world import World

memories = pytest.mark.parametrize("memory", list(Memory))


def test_a_message_given_up_lies_in_the_dead_letter_queue_with_its_id(limited: World) -> None:
    line = proven(limited)
    line.fates += [1] * 3
    deliveries = [limited.deliver(BODY, receive_count=count) for count in (1, 2, 3)]
    assert [delivery.again is None for delivery in deliveries] == [False, False, True]
    assert limited.queue.buried == [BODY | {"id": "m-1"}]
    assert deliveries[2].attention == {Attention.GAVE_UP: 1}
    row = limited.row()
    assert (row["state"], row["attention"], row["advice"]) == (
        "WAITING",
        "GAVE_UP",
        ADVICE[Attention.GAVE_UP],
    )
    assert len(limited.queue.postponed) == 2


@memories
def test_a_redrive_goes_on_where_the_part_stood_under_another_message_id(limited: World, memory: Memory) -> None:
    line = proven(limited)
    remember(limited, memory)
    line.fates += ["held", "never", "never"]
    for count in (1, 2, 3):
        limited.deliver(BODY, receive_count=count)
        limited.pass_time(seconds=10)
    (body,) = limited.queue.buried
    limited.pass_time(minutes=50)
    limited.deliver(body, message_id="redriven")
    line.release()
    assert line.timestamps == [line.timestamps[0]] * 4
    assert limited.accepted() == [MOBILE]
    assert [row["send_id"] for row in limited.all_rows()] == ["m-1", "warm-up"]
    assert (limited.row()["state"], limited.row().get("attention")) == ("ACCEPTED", None)


def test_a_message_that_finishes_at_its_last_receive_is_not_given_up(limited: World) -> None:
    assert limited.deliver(BODY, receive_count=3).again is None
    assert limited.queue.buried == []


def test_a_wrong_body_at_its_last_receive_is_not_given_up(limited: World) -> None:
    assert limited.deliver("[]", receive_count=3).again is None
    assert limited.queue.buried == []


def test_every_unfinished_part_of_a_send_is_marked_when_it_is_given_up(limited: World) -> None:
    line = proven(limited)
    line.fates += [1]
    limited.deliver(BODY | {"mobiles": MORE_THAN_ONE_PART}, receive_count=3)
    rows = rows_of(limited)
    assert [(row["state"], row["attention"]) for row in rows] == [("WAITING", "GAVE_UP")] * 2


def test_halves_that_are_not_finished_are_marked_too(limited: World) -> None:
    line = proven(limited)
    line.fates += [310, "well", 310, 1]
    limited.deliver(BODY | {"mobiles": EIGHT[:4]}, receive_count=3)
    rows = rows_of(limited)
    assert [(row["part"], row["state"], row.get("attention")) for row in rows] == [
        ("1", "SPLIT", None),
        ("1.1", "ACCEPTED", None),
        ("1.2", "SPLIT", None),
        ("1.2.1", "WAITING", "GAVE_UP"),
        ("1.2.2", "WAITING", "GAVE_UP"),
    ]


def test_a_send_that_never_got_as_far_as_a_row_has_one_when_it_is_given_up(limited: World) -> None:
    limited.secrets.put_secret_value(SecretId=limited.secret_arn, SecretString="{}")
    delivery = limited.deliver(BODY, receive_count=3)
    assert delivery.again is None
    assert limited.queue.buried == [BODY | {"id": "m-1"}]
    row = limited.row()
    assert (row["state"], row["attention"]) == ("WAITING", "GAVE_UP")


def test_a_send_whose_result_cannot_be_written_is_marked_when_it_is_given_up(limited: World) -> None:
    proven(limited)
    limited.happens("SendsTable.update", fails_once)
    limited.deliver(BODY, receive_count=3)
    assert limited.queue.buried == [BODY | {"id": "m-1"}]
    row = limited.row()
    assert (row["state"], row["unanswered"], row["attention"]) == ("SUBMITTING", 1, "GAVE_UP")


def test_a_send_is_given_up_also_when_its_mark_cannot_be_written(limited: World) -> None:
    limited.happens("SendsTable.put", fails)
    assert limited.deliver(BODY, receive_count=3).again is None
    assert limited.queue.buried == [BODY | {"id": "m-1"}]


def test_a_body_of_any_size_or_text_is_taken_by_the_dead_letter_queue(
    limited: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    buried: list[str] = []
    monkeypatch.setattr(limited.queue, "bury", buried.append)
    line = proven(limited)
    line.fates += [1] * 2
    compact = json.dumps(BODY | {"mobiles": ["bad"] * 9 + [MOBILE]}, separators=(",", ":"), ensure_ascii=False)
    limited.deliver(compact, message_id="m-1", receive_count=3)
    odd = '{"mobiles":["\\ud83d","13708600860"],"content":"\\uffff\\u0001"}'
    limited.deliver(odd, message_id="m-2", receive_count=3)
    own = '{ "id" : "order-1", "mobiles": ["13708600860"], "content": "x" }'
    line.fates += [1]
    limited.deliver(own, message_id="m-3", receive_count=3)
    assert len(buried[0]) < len(compact) + 100
    # As ASCII, since neither UTF-8 nor SQS can carry what a defect might leave in it.
    expected = '{"mobiles":["\\ud83d","13708600860"],"content":"\\uffff\\u0001","id":"m-2"}'
    assert ascii(buried[1]) == ascii(expected)
    assert buried[2] == own


def test_a_send_given_up_that_lapses_after_its_redrive_asks_for_nothing_any_more(limited: World) -> None:
    body = BODY | {"id": "order-1", "validUntil": IN_AN_HOUR}
    limited.line.fates += [1] * 3
    for count in (1, 2, 3):
        limited.deliver(body, receive_count=count)
        limited.pass_time(seconds=30)
    assert limited.row("order-1")["attention"] == "GAVE_UP"
    limited.pass_time(hours=2)
    assert limited.deliver(body, message_id="redriven").again is None
    assert limited.row("order-1")["state"] == "EXPIRED"
    assert "attention" not in limited.row("order-1")


MESSAGE_ID = "059f36b4-87a3-44ab-83d2-661975830a7d"


def of_length(length: int) -> str:
    """A body without an id, of exactly so many bytes; one of its mobiles is unusable."""
    body = '{"mobiles":["13708600860",""],"content":"x"}'
    return body.replace('""]', f'"{"0" * (length - len(body))}"]')


def test_a_body_that_could_not_be_given_up_is_refused_at_once_and_the_longest_other_one_can_be(
    world: World, aws: None
) -> None:
    sqs = boto3.client("sqs")
    sends, dead = (sqs.create_queue(QueueName=name)["QueueUrl"] for name in ("sends", "dead"))
    world.queue = SendQueue(sqs, sends, dead, Lane.ORDINARY)  # type: ignore[assignment]
    world.receive_limit = 1
    world.line.fates.append(1)

    full = of_length(1_048_576)  # to the byte what SQS takes
    sqs.send_message(QueueUrl=sends, MessageBody=full)
    assert world.deliver(full, message_id=MESSAGE_ID).again is None
    row = world.row(MESSAGE_ID)
    assert (row["state"], "attention" in row) == ("REJECTED", True)
    assert row["words"].startswith("The body takes 1048620 bytes with its id in it; it must take at most 1048320")
    assert "Messages" not in sqs.receive_message(QueueUrl=dead)

    longest = of_length(1_048_320 - len(f',"id":"{MESSAGE_ID}"'))
    other = MESSAGE_ID.replace("0", "1")
    assert world.deliver(longest, message_id=other).again is None
    assert world.row(other)["attention"] == "GAVE_UP"
    (message,) = sqs.receive_message(QueueUrl=dead)["Messages"]
    assert json.loads(message["Body"])["id"] == other
