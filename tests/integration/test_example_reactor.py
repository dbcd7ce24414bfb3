"""docs/examples/reactor on what the receiver really writes, so that docs/streams.md stays true."""

import json
from datetime import timedelta
from typing import TYPE_CHECKING, Any, cast

import boto3
import pytest

from docs.examples.reactor import handler
from kuaixintong import status
from kuaixintong.core.beijing import iso
from kuaixintong.stores.dynamo import to_item
from tests.receiving import NOW, Receiver, mo, push, report

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext

TOKEN = "7331"


class Reactor:
    """The example behind both streams of a receiver's tables."""

    def __init__(self, receiver: Receiver) -> None:
        self.receiver = receiver
        self._sqs = boto3.client("sqs")
        self.events_url = self._sqs.create_queue(QueueName="events")["QueueUrl"]
        self._seen: dict[str, Any] = {}
        self._undone: list[dict[str, Any]] = []

    def note_token(self, send_id: str) -> None:
        """Write the row that the sender writes when the platform has accepted a part."""
        row = {"send_id": send_id, "part": "1", "state": "ACCEPTED", "token": TOKEN}
        self.receiver.dynamodb.put_item(TableName=self.receiver.names["SendsTable"], Item=to_item(row))

    def run(self) -> int:
        """Let it take what is in the streams; return how many records have to come back, which they do next."""
        records = self._undone + self._changes("ReportsTable") + self._changes("InboundTable")
        answer = handler.lambda_handler({"Records": records}, cast("LambdaContext", object()))
        failed = {each["itemIdentifier"] for each in answer["batchItemFailures"]}
        self._undone = [each for each in records if each["dynamodb"]["SequenceNumber"] in failed]
        return len(failed)

    def told(self) -> list[dict[str, Any]]:
        """What has been told since the last look."""
        messages = self._sqs.receive_message(QueueUrl=self.events_url, MaxNumberOfMessages=10).get("Messages", [])
        for message in messages:
            self._sqs.delete_message(QueueUrl=self.events_url, ReceiptHandle=message["ReceiptHandle"])
        return [json.loads(message["Body"]) for message in messages]

    def _changes(self, table: str) -> list[dict[str, Any]]:
        """What the table's stream would deliver: a record for each row that is new, or written since."""
        changes = []
        for row in self.receiver.dynamodb.scan(TableName=self.receiver.names[table])["Items"]:
            key = json.dumps([row[name] for name in ("token", "outcome", "mobile", "message_key") if name in row])
            if self._seen.get(key) != row:
                kind = "MODIFY" if key in self._seen else "INSERT"
                self._seen[key] = row
                number = f"{table}-{len(self._seen)}-{kind}"
                changes.append({"eventName": kind, "dynamodb": {"NewImage": row, "SequenceNumber": number}})
        return changes


@pytest.fixture
def reactor(aws: None, monkeypatch: pytest.MonkeyPatch) -> Reactor:
    reactor = Reactor(Receiver())
    monkeypatch.setenv("EVENTS_URL", reactor.events_url)
    for name in ("Sends", "Reports", "Inbound"):
        monkeypatch.setenv(f"{name.upper()}_TABLE", reactor.receiver.names[f"{name}Table"])
    status.lookup.cache_clear()
    handler._sqs.cache_clear()
    return reactor


def test_an_mo_is_told_once_however_often_it_is_pushed(reactor: Reactor) -> None:
    for _ in range(3):
        reactor.receiver.take(push("mo", [mo()]))
        reactor.receiver.now += timedelta(seconds=1)
        assert reactor.run() == 0
    [told] = reactor.told()
    assert told["key"].startswith("13500000000#2015-01-01 12:00:00#")
    assert (told["event"], told["mobile"], told["content"]) == ("mo", "13500000000", "你好吗")


@pytest.mark.parametrize("content", ["TD", " td ", "退订"])
def test_a_handset_that_wants_no_more_is_an_opt_out(reactor: Reactor, content: str) -> None:
    reactor.receiver.take(push("mo", [mo(content=content)]))
    assert reactor.run() == 0
    assert [told["event"] for told in reactor.told()] == ["opt-out"]


def test_reports_are_told_with_their_send(reactor: Reactor) -> None:
    reactor.note_token("order-4711")
    reactor.receiver.take(push("report", [report(0), report(1, resultCode="2:46", success=False)]))
    assert reactor.run() == 0
    by_mobile = {told["mobile"]: told for told in reactor.told()}
    assert by_mobile["13500000000"]["event"] == "delivered"
    assert by_mobile["13500000001"] == {
        "event": "failed",
        "key": "7331#13500000001#2:46#0",
        "send_id": "order-4711",
        "mobile": "13500000001",
        "result_code": "2:46",
    }


def test_a_report_ahead_of_its_token_comes_back_until_the_token_is_noted(
    reactor: Reactor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(handler, "PATIENCE", timedelta.max)
    reactor.receiver.take(push("report", [report()]))
    assert reactor.run() == 1
    assert reactor.told() == []
    reactor.note_token("order-4711")
    assert reactor.run() == 0
    assert [told["send_id"] for told in reactor.told()] == ["order-4711"]


def test_a_report_whose_token_is_never_noted_is_told_without_a_send(reactor: Reactor) -> None:
    row = {
        "token": TOKEN,
        "outcome": "13500000000#0#1",
        "mobile": "13500000000",
        "result_code": "0",
        "success": True,
    }
    late = handler.of_report(row | {"received_at": iso(NOW)}, now=NOW + handler.PATIENCE)
    assert late["send_id"] is None
    with pytest.raises(handler.TokenNotNotedYet):
        handler.of_report(row | {"received_at": iso(NOW)}, now=NOW)
