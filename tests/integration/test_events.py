"""Rows that sender and receiver really write, told as events; what cannot be told comes back or is kept."""

import io
import json
from contextlib import redirect_stdout
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Any, cast
from unittest.mock import patch

import boto3
import pytest

from functions.events import handler
from kuaixintong.announcing import Announcer
from kuaixintong.core.announcements import GIVES_UP_AFTER, SOURCE, TOKEN_PATIENCE
from kuaixintong.settings import EventsSettings
from kuaixintong.stores.bus import Bus
from kuaixintong.stores.dynamo import to_item
from kuaixintong.stores.parts import Parts
from kuaixintong.wiring.events import announcer
from tests.aws_faults import client_error
from tests.gates import gated
from tests.receiving import Context, metrics
from tests.sending import BODY, MOBILE, proven
from tests.world import World

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext

TABLES = ("SendsTable", "ReportsTable", "InboundTable")


class PaperBus:
    """As much of EventBridge as takes events; it refuses those whose detail has one of ``refuses`` in it."""

    def __init__(self) -> None:
        self.entries: list[dict[str, str]] = []
        self.calls = 0
        self.refuses: set[str] = set()
        self.down = False

    def put_events(self, *, Entries: list[dict[str, str]]) -> dict[str, Any]:  # noqa: N803  # boto3's word
        self.calls += 1
        if self.down or len(Entries) > 10 or sum(len(each["Detail"].encode()) for each in Entries) > 256_000:
            raise client_error("ThrottlingException", "PutEvents")
        answers = [
            {"ErrorCode": "InternalFailure"} if self._refused(each) else {"EventId": "e"} for each in Entries
        ]
        self.entries += [each for each, said in zip(Entries, answers, strict=True) if "EventId" in said]
        return {"Entries": answers}

    def _refused(self, entry: dict[str, str]) -> bool:
        return any(each in entry["Detail"] for each in self.refuses)


class PaperQueue:
    """As much of SQS as takes messages."""

    def __init__(self) -> None:
        self.bodies: list[dict[str, Any]] = []
        self.down = False

    def send_message(self, *, QueueUrl: str, MessageBody: str) -> None:  # noqa: N803
        if self.down:
            raise client_error("ServiceUnavailable", "SendMessage")
        assert QueueUrl == "dead-letters"
        self.bodies.append(json.loads(MessageBody))


@dataclass
class Reacting:
    """The events' function behind the streams of a world's tables."""

    world: World
    bus: PaperBus = field(default_factory=PaperBus)
    dead: PaperQueue = field(default_factory=PaperQueue)
    log: str = ""
    _seen: dict[Any, dict[str, Any]] = field(default_factory=dict)
    _undone: list[dict[str, Any]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.changes()  # what was there before is not told

    def changes(self) -> list[dict[str, Any]]:
        """What the streams would hand over: a record for each row that is new, or written since."""
        found: list[dict[str, Any]] = []
        for table in TABLES:
            for key, row in list(self.world.memory[table].rows.items() if table in self.world.memory else ()):
                if self._seen.get((table, key)) != row:
                    kind = "MODIFY" if (table, key) in self._seen else "INSERT"
                    self._seen[table, key] = dict(row)
                    found.append(self._record(kind, table, row, len(self._seen) + len(found)))
        return [
            each for each in found if each["eventName"] == "INSERT" or "send_id" in each["dynamodb"]["NewImage"]
        ]

    def _record(self, kind: str, table: str, row: dict[str, Any], number: int) -> dict[str, Any]:
        at = self.world.now.timestamp()
        change = {
            "NewImage": to_item(row),
            "SequenceNumber": f"{table}-{number}",
            "ApproximateCreationDateTime": at,
        }
        return {"eventName": kind, "dynamodb": change}

    def run(self) -> int:
        """Let it take what is in the streams; return how many records come back, which they do next."""
        records = self._undone + self.changes()
        bus = Bus(self.bus, "bus", cast("Any", self.dead), "dead-letters", source=SOURCE)
        parts = Parts(gated(self.world.table("SendsTable"), "SendsTable", self.world.gates))
        told = Announcer(parts, bus, lambda: self.world.now)
        log = io.StringIO()
        with (
            patch.object(handler, "_announcer", lambda: told),
            patch.object(handler.logger.registered_handler, "stream", log),
            redirect_stdout(log),
        ):
            answer = handler.lambda_handler({"Records": records}, cast("LambdaContext", Context()))
        self.log = log.getvalue()
        failed = {each["itemIdentifier"] for each in answer["batchItemFailures"]}
        self._undone = [each for each in records if each["dynamodb"]["SequenceNumber"] in failed]
        return len(failed)

    def told(self) -> list[tuple[str, dict[str, Any]]]:
        """What has been told since the last look: each event's type and detail."""
        entries, self.bus.entries = self.bus.entries, []
        assert {(each["Source"], each["EventBusName"]) for each in entries} <= {("kuaixintong", "bus")}
        return [(each["DetailType"], json.loads(each["Detail"])) for each in entries]


@pytest.fixture
def reacting(world: World) -> Reacting:
    proven(world)
    return Reacting(world)


def mo(world: World, content: str, key: str = "k") -> None:
    row = {
        "mobile": "13500000000",
        "message_key": key,
        "content": content,
        "received_at": "2026-11-23T12:00:00+08:00",
    }
    world.table("InboundTable").put(row | {"smg_recv_date": "2026-11-23 12:00:00", "day": "2026-11-23"})


# --- what is told ------------------------------------------------------------------------------------------------


def test_a_parts_end_is_told_and_nothing_of_its_way_there(reacting: Reacting) -> None:
    reacting.world.line.fates.append(1)
    reacting.world.deliver(BODY | {"id": "s"})
    assert (reacting.run(), reacting.told()) == (0, [])
    reacting.world.deliver(BODY | {"id": "s"}, receive_count=2)
    assert reacting.run() == 0
    [(kind, detail)] = reacting.told()
    assert (kind, detail["send_id"], detail["state"]) == ("Part Ended", "s", "ACCEPTED")
    assert detail["token"] == str(reacting.world.platform.messages[-1].token)
    assert (reacting.run(), reacting.told()) == (0, [])


def test_an_end_that_is_found_later_is_told_by_an_event_of_its_own(reacting: Reacting) -> None:
    world = reacting.world
    world.line.fates.extend(["lost", 230])
    world.deliver_until_done(BODY | {"id": "s"})
    reacting.run()
    [(_, first)] = reacting.told()
    world.push(world.platform.messages[-1])
    world.pass_time(minutes=15)
    world.new_healing().run("12345678")
    reacting.run()
    second = next(detail for kind, detail in reacting.told() if kind == "Part Ended")
    assert (first["state"], first["attention"]) == ("UNCONFIRMED", "UNCONFIRMED")
    assert (second["state"], second["inferred"]) == ("ACCEPTED", True)
    assert first["id"] != second["id"]


def test_reports_are_told_with_their_send_which_is_looked_up_once_a_token(reacting: Reacting) -> None:
    world = reacting.world
    world.deliver(BODY | {"id": "s", "mobiles": [MOBILE, "13500000000"]})
    world.push(world.platform.messages[-1])
    looks = world.happens("SendsTable.query", lambda _: None)
    assert reacting.run() == 0
    assert looks.count == 1
    reports = [detail for kind, detail in reacting.told() if kind == "Report"]
    assert {each["mobile"]: (each["send_id"], each["part"]) for each in reports} == {
        MOBILE: ("s", "1"),
        "13500000000": ("s", "1"),
    }


def test_a_report_ahead_of_its_token_comes_back_until_the_token_is_noted(reacting: Reacting) -> None:
    world = reacting.world
    world.report("7331", MOBILE)
    assert (reacting.run(), reacting.told()) == (1, [])
    world.table("SendsTable").put({"send_id": "s", "part": "1", "state": "SUBMITTING", "token": "7331"})
    assert reacting.run() == 0
    assert [detail["send_id"] for _, detail in reacting.told()] == ["s"]


def test_a_report_whose_token_is_never_noted_is_told_without_a_send(reacting: Reacting) -> None:
    reacting.world.report("7331", MOBILE)
    reacting.world.now += TOKEN_PATIENCE
    assert reacting.run() == 0
    [(_, detail)] = reacting.told()
    assert "send_id" not in detail


def test_an_mo_is_told(reacting: Reacting) -> None:
    mo(reacting.world, "你好吗")
    assert reacting.run() == 0
    [(kind, detail)] = reacting.told()
    assert (kind, detail["content"], detail["mobile"]) == ("MO", "你好吗", "13500000000")


# --- what cannot be told -----------------------------------------------------------------------------------------


def test_what_the_bus_refuses_comes_back_and_the_others_are_told(reacting: Reacting) -> None:
    for number in range(25):
        mo(reacting.world, f"mo {number:02}", key=f"k-{number}")
    reacting.bus.refuses = {"mo 03", "mo 17"}
    assert reacting.run() == 2
    assert (len(reacting.told()), reacting.bus.calls) == (23, 3)
    reacting.bus.refuses.clear()
    assert reacting.run() == 0
    assert sorted(detail["content"] for _, detail in reacting.told()) == ["mo 03", "mo 17"]
    assert reacting.dead.bodies == []


def test_what_is_too_large_for_the_bus_is_not_tried_and_holds_nothing_up(reacting: Reacting) -> None:
    for key, content in (("a", "small"), ("b", "长" * 90_000), ("c", "small")):
        mo(reacting.world, content, key=key)
    assert reacting.run() == 0
    assert [detail["content"] for _, detail in reacting.told()] == ["small", "small"]
    [body] = reacting.dead.bodies
    assert (body["detail"]["content"], body["why"]) == ("长" * 90_000, "larger than an event may be")


def test_what_is_never_taken_goes_whole_into_the_dead_letter_queue(reacting: Reacting) -> None:
    mo(reacting.world, "refused", key="refused")
    mo(reacting.world, "x" * 240_000, key="large")
    mo(reacting.world, "small", key="small")
    reacting.bus.refuses = {"refused"}
    assert reacting.run() == 1
    assert [len(detail["content"]) for _, detail in reacting.told()] == [240_000, 5]
    reacting.world.now += GIVES_UP_AFTER - timedelta(seconds=1)
    assert reacting.run() == 1
    reacting.world.pass_time(seconds=1)
    assert reacting.run() == 0
    [body] = reacting.dead.bodies
    assert (body["source"], body["detail-type"], body["detail"]["content"]) == ("kuaixintong", "MO", "refused")
    assert body["why"] == "InternalFailure"
    assert metrics(reacting.log) == {"EventsTold": 0, "EventsGivenUp": 1}


def test_what_the_dead_letter_queue_does_not_take_comes_back(reacting: Reacting) -> None:
    mo(reacting.world, "x")
    reacting.bus.down = reacting.dead.down = True
    reacting.run()
    reacting.world.now += GIVES_UP_AFTER
    assert reacting.run() == 1
    reacting.dead.down = False
    assert reacting.run() == 0
    assert len(reacting.dead.bodies) == 1


def test_nothing_of_what_is_told_is_logged(reacting: Reacting) -> None:
    reacting.bus.down = True
    mo(reacting.world, "你好吗")
    reacting.world.report("7331", MOBILE)
    assert reacting.run() == 2
    assert "events put off" in reacting.log
    assert not [secret for secret in ("你好吗", MOBILE, "13500000000", "7331") if secret in reacting.log]
    assert metrics(reacting.log) == {"EventsTold": 0, "EventsGivenUp": 0}


# --- the wiring --------------------------------------------------------------------------------------------------


def test_the_settings_lead_to_the_tables_bus_and_queue(tables: dict[str, str], aws: None) -> None:
    boto3.client("events").create_event_bus(Name="bus")
    url = boto3.client("sqs").create_queue(QueueName="dead")["QueueUrl"]
    settings = EventsSettings.read(
        {"EVENT_BUS": "bus", "EVENTS_DEAD_LETTER_QUEUE_URL": url, "SENDS_TABLE": tables["SendsTable"]}
    )
    told = announcer(settings).tell([handler._record(Reacting(World())._record("INSERT", "InboundTable", MO, 1))])
    assert (told.told, told.given_up, told.again) == (1, 0, [])


MO = {
    "mobile": "13500000000",
    "message_key": "k",
    "content": "x",
    "smg_recv_date": "2026-11-23 12:00:00",
    "received_at": "2026-11-23T12:00:00+08:00",
}
