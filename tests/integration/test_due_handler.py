"""The function that enqueues what is due, and the module that cancels: from the environment to what they tell."""

import io
import json
from contextlib import redirect_stdout
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, cast
from unittest.mock import patch

import pytest

from functions.due import handler
from kuaixintong import cancel as cancelling
from kuaixintong.core.lanes import Lane
from kuaixintong.core.ledger import State
from kuaixintong.stores.table import DynamoTable
from tests.holding import hold
from tests.receiving import Context, metrics
from tests.sending import BODY
from tests.stopping import PaperLanes, calling_in
from tests.world import World

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_sqs import SQSClient


def look(function: Any) -> tuple[dict[str, float], list[dict[str, Any]]]:
    """Let the handler look once; return its metrics and what it logged."""
    log = io.StringIO()
    with (
        patch.object(handler, "_calling_in", lambda: function),
        patch.object(handler.logger.registered_handler, "stream", log),
        redirect_stdout(log),
    ):
        handler.lambda_handler({}, cast("LambdaContext", Context(seconds_left=58)))
    lines = [json.loads(line) for line in log.getvalue().splitlines()]
    return metrics(log.getvalue()), [line for line in lines if "_aws" not in line]


def test_a_look_that_finds_nothing_says_so_in_metrics_alone(world: World) -> None:
    assert look(calling_in(world, PaperLanes())) == ({"DueEnqueued": 0, "DueFailed": 0, "DueLate": 0}, [])


def test_a_look_tells_how_much_it_has_enqueued_in_which_lane_and_how_late(world: World) -> None:
    table = world.table("SendsTable")
    for number, lane in enumerate((Lane.ORDINARY, Lane.ORDINARY, Lane.URGENT)):
        hold(table, BODY | {"id": f"held-{number}"}, world.now - timedelta(seconds=30 * number), lane)
    measured, [line] = look(calling_in(world, PaperLanes()))
    assert measured == {"DueEnqueued": 3, "DueFailed": 0, "DueLate": 60}
    assert (line["enqueued"], line["failed"], line["late"], line["left"]) == (
        {"ordinary": 2, "urgent": 1},
        *(0, 60, False),
    )


def test_no_part_of_a_mobile_or_a_text_is_enqueued_or_logged(world: World) -> None:
    hold(world.table("SendsTable"), BODY | {"id": "held"}, world.now)
    lanes = PaperLanes()
    told = str((look(calling_in(world, lanes)), lanes.put_in))
    assert not any(each in told for each in (*BODY["mobiles"], BODY["content"]))


@pytest.fixture
def environment(
    dynamodb: "DynamoDBClient", sqs: "SQSClient", tables: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> dict[str, str]:
    """Tables and queues as the functions learn of them."""
    named = {"SENDS_TABLE": tables["SendsTable"], "CAMPAIGNS_TABLE": tables["CampaignsTable"]}
    named |= {f"{name}_QUEUE_URL": sqs.create_queue(QueueName=name)["QueueUrl"] for name in ("SEND", "URGENT")}
    for name, value in named.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(cancelling, "_canceller", cancelling._canceller.__wrapped__)
    return named


def test_from_its_environment_the_function_finds_what_is_due_and_its_queues(
    dynamodb: "DynamoDBClient", sqs: "SQSClient", environment: dict[str, str]
) -> None:
    table = DynamoTable(dynamodb, environment["SENDS_TABLE"])
    references = {
        lane: hold(table, BODY | {"id": f"held-{lane}"}, datetime.now(UTC) - timedelta(seconds=5), lane)
        for lane in Lane
    }
    look(handler._calling_in.__wrapped__())
    for lane, url in ((Lane.ORDINARY, "SEND_QUEUE_URL"), (Lane.URGENT, "URGENT_QUEUE_URL")):
        [message] = sqs.receive_message(QueueUrl=environment[url], MaxNumberOfMessages=10)["Messages"]
        assert json.loads(message["Body"])["row"]["send_id"] == references[lane].send_id
    look(handler._calling_in.__wrapped__())
    assert "Messages" not in sqs.receive_message(QueueUrl=environment["SEND_QUEUE_URL"])


def test_from_its_environment_a_cancel_finds_its_tables(
    dynamodb: "DynamoDBClient", environment: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    table = DynamoTable(dynamodb, environment["SENDS_TABLE"])
    hold(table, BODY | {"id": "held", "campaign": "spring"}, datetime.now(UTC) + timedelta(hours=1))
    assert cancelling.cancel("unknown").parts == {"1": State.CANCELLED}
    monkeypatch.setattr(cancelling, "_SETTLES", 0.0)
    stopped = cancelling.cancel_campaign("spring")
    assert (stopped.states, stopped.under_way) == ({State.CANCELLED: 1}, 0)
    assert cancelling.cancel("held").parts == {"1": State.CANCELLED}
