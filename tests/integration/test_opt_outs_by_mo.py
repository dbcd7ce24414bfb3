"""Opt-outs that handsets send: durable before the push is acknowledged, and free for all that are none."""

from datetime import datetime, timedelta

import pytest

from kuaixintong.core.beijing import BEIJING
from kuaixintong.wiring.optouts import optouts_of
from tests.aws_faults import client_error
from tests.receiving import Receiver, metrics, mo, push, report

MOBILE = "13500000000"


@pytest.fixture
def receiver(aws: None) -> Receiver:
    return Receiver()


def test_a_word_that_opts_out_is_noted_before_the_push_is_acknowledged(receiver: Receiver) -> None:
    answer = receiver.take(push("mo", [mo(content="退订。"), mo(1, content="你好")]))
    assert (answer.status, answer.body) == (200, "0")
    assert receiver.mobiles() == [
        {
            "mobile": MOBILE,
            "what": "opt-out",
            "state": "out",
            "changed_at": "2015-01-01T12:00:00.999+08:00",  # at the end of its second
            "by": "mo",
        }
    ]
    assert len(receiver.mos()) == 2
    assert metrics(answer.log)["OptOuts"] == 1


def test_a_word_that_comes_back_is_noted_too(receiver: Receiver) -> None:
    later = mo(content="START", smgRecvDate="2015-01-01 12:00:01")
    answer = receiver.take(push("mo", [later, mo(content="T")]))
    assert [row["state"] for row in receiver.mobiles()] == ["in"]
    assert metrics(answer.log)["Resubscribed"] == 1


def test_the_latest_counts_in_whatever_order_pushes_come(receiver: Receiver) -> None:
    pushes = [mo(content="T"), mo(content="订阅", smgRecvDate="2015-01-01 12:00:01")]
    for order in (pushes, pushes[::-1]):
        for each in order:
            receiver.take(push("mo", [each]))
        assert [row["state"] for row in receiver.mobiles()] == ["in"]
        receiver.empty()


def test_who_opts_out_in_the_second_in_which_a_person_put_the_mobile_back_is_out(receiver: Receiver) -> None:
    by_a_person = datetime(2015, 1, 1, 12, 0, 0, 700_000, tzinfo=BEIJING)
    listed = optouts_of(receiver.dynamodb, receiver.names["MobilesTable"])
    listed.remove(MOBILE, at=by_a_person)
    receiver.take(push("mo", [mo(content="T")]))
    assert [row["state"] for row in receiver.mobiles()] == ["out"]
    assert not listed.remove(MOBILE, at=by_a_person)
    assert listed.remove(MOBILE, at=by_a_person + timedelta(seconds=1))


def test_what_cannot_be_noted_is_not_acknowledged(receiver: Receiver) -> None:
    def refuse(**_: object) -> None:
        raise client_error("InternalServerError", "UpdateItem")

    receiver.dynamodb.meta.events.register("before-call.dynamodb.UpdateItem", refuse)
    answer = receiver.take(push("mo", [mo(content="T")]))
    assert (answer.status, answer.body) == (500, "retry")
    receiver.dynamodb.meta.events.unregister("before-call.dynamodb.UpdateItem", refuse)
    assert receiver.take(push("mo", [mo(content="T")])).body == "0"
    assert [row["state"] for row in receiver.mobiles()] == ["out"]


def test_reports_and_other_mos_cost_what_they_cost_before(receiver: Receiver) -> None:
    receiver.take(push("report", [report(content="T")]))
    receiver.take(push("mo", [mo(content="退货"), mo(1, content="T恤")]))
    assert receiver.writes == ["BatchWriteItem", "BatchWriteItem"]
    assert receiver.mobiles() == []


def test_many_opt_outs_of_one_push_are_a_write_each(receiver: Receiver) -> None:
    mos = [mo(number, content="R") for number in range(200)] + [mo(number, content="R ") for number in range(200)]
    answer = receiver.take(push("mo", mos))
    assert answer.body == "0"
    assert receiver.writes.count("UpdateItem") == 200
    assert metrics(answer.log)["OptOuts"] == 200
