"""What is kept of a send, and what comes of a store or a queue that fails."""

import json

import pytest

from kuaixintong.core.errors import StoreUnavailable
from kuaixintong.errand import QueueMessage
from tests.fake_platform import Line
from tests.sending import (
    BODY,
    EIGHT,
    MOBILE,
    fails_once,
    proven,
    refuse,
    states,
)
from tests.world import World


def test_without_store_content_no_text_of_a_message_is_kept(world: World) -> None:
    world.store_content = False
    refuse(world, EIGHT[0])
    line = proven(world)
    line.fates += [1]
    body = BODY | {"content": "验证码 123456", "mobiles": EIGHT[:2]}
    world.deliver(body)
    world.deliver(body, receive_count=2)
    world.deliver(body | {"id": "m-1", "mobiles": [MOBILE]}, message_id="m-2")
    world.deliver(body | {"mobiles": []}, message_id="m-3")
    kept = [row for row in world.all_rows() if row["send_id"] != "warm-up"]
    assert len(kept) == 5
    assert "验证码" not in str(kept)
    assert "验证码" in world.platform.messages[0].content


def test_a_store_that_fails_leaves_the_message_in_the_queue(world: World, line: Line) -> None:
    world.happens("SendsTable.put", fails_once)
    delivery = world.deliver(BODY)
    assert delivery.again
    assert delivery.again.why == "StoreUnavailable: DynamoDB: Throttled"
    assert line.requests == []
    assert world.deliver_until_done(BODY) == 1


def test_a_result_that_cannot_be_written_is_an_answer_lost(world: World, line: Line) -> None:
    world.happens("SendsTable.update", fails_once)
    delivery = world.deliver(BODY)
    assert delivery.again
    assert world.row()["unanswered"] == 1
    world.pass_time(seconds=91)
    world.deliver(BODY, receive_count=2)
    assert world.accepted() == [MOBILE]
    assert line.timestamps == [line.timestamps[0]] * 2
    assert states(world) == {"1": "UNCONFIRMED"}


def test_a_queue_that_fails_is_no_secret(world: World, line: Line, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise StoreUnavailable("SQS")

    monkeypatch.setattr(world.queue, "postpone", fail)
    line.fates += [1]
    with pytest.raises(StoreUnavailable):
        world.deliver(BODY)
    assert states(world) == {"1": "WAITING"}


def test_a_message_does_not_show_what_it_carries() -> None:
    assert "培训" not in repr(QueueMessage("m-1", "receipt", json.dumps(BODY, ensure_ascii=False), 1))
