"""The sender's handler: a batch in, partial failures out, and nothing in the log that does not belong there."""

import io
import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import redirect_stdout, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import boto3
import pytest

from functions.sender import handler
from kuaixintong.core.errors import SettingsMissing
from kuaixintong.core.ledger import State
from kuaixintong.errand import Progress, QueueMessage
from local.simulator.running import running_simulator
from tests.environment import SENDER
from tests.receiving import Context, metrics
from tests.sending import fails
from tests.world import DynamoWorld, World

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext

ROOT = Path(__file__).parents[2]
BATCH = ROOT / "events" / "sqs-batch.json"

SPEC_SAMPLE, GOOD, NO_JSON, WRONG, A_LIST, CONFLICT, PUT_OFF = range(7)
LATER = "13500000000"
"""A mobile that the platform has no time for now (1)."""

nothing_to_measure = pytest.mark.filterwarnings("ignore:No application metrics to publish")


@dataclass(frozen=True)
class Invocation:
    """What Lambda gets back, and what the call left in the log, metrics included."""

    failed: list[str]
    log: str

    @property
    def lines(self) -> list[dict[str, Any]]:
        """The log's lines that are no metrics."""
        return [line for line in map(json.loads, self.log.splitlines()) if "_aws" not in line]


def batch() -> dict[str, Any]:
    loaded = json.loads(BATCH.read_text("utf-8"))
    assert isinstance(loaded, dict)
    return loaded


def records(*numbers: int) -> dict[str, Any]:
    return {"Records": [batch()["Records"][number] for number in numbers]}


def ids(*numbers: int) -> list[str]:
    return [record["messageId"] for record in records(*numbers)["Records"]]


def invoke(event: dict[str, Any], seconds_left: float = 60.0) -> Invocation:
    log = io.StringIO()
    stream = handler.logger.registered_handler.stream  # type: ignore[attr-defined]
    handler.logger.registered_handler.stream = log  # type: ignore[attr-defined]
    try:
        with redirect_stdout(log):
            answer = handler.lambda_handler(event, cast("LambdaContext", Context(seconds_left)))
    finally:
        handler.logger.registered_handler.stream = stream  # type: ignore[attr-defined]
    return Invocation([each["itemIdentifier"] for each in answer["batchItemFailures"]], log.getvalue())


@pytest.fixture(autouse=True)
def process(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A new process of the function, of one thread: a world's platform is for one."""
    environment = SENDER | {"PLATFORM_URL": "http://127.0.0.1:9/", "ANSWER_TIMEOUT_SECONDS": "5"}
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    cached = (handler._settings, handler._submitter)
    for each in cached:
        each.cache_clear()
    with ThreadPoolExecutor(1) as threads:
        monkeypatch.setattr(handler, "_threads", lambda: threads)
        yield
    for each in cached:
        each.cache_clear()


@pytest.fixture
def sender(world: World, monkeypatch: pytest.MonkeyPatch) -> World:
    """A world that the handler submits in."""
    world.line.always[LATER] = 1
    monkeypatch.setattr(handler, "_submitter", lambda: world.sender)
    return world


# --- a batch ----------------------------------------------------------------------------------------------------


def test_of_a_batch_only_what_is_not_finished_comes_back(sender: World) -> None:
    invocation = invoke(batch())
    assert invocation.failed == ids(PUT_OFF)
    states = {row["send_id"]: row["state"] for row in sender.all_rows()}
    spec_sample, no_json, wrong, a_list, conflict, put_off = ids(
        SPEC_SAMPLE, NO_JSON, WRONG, A_LIST, CONFLICT, PUT_OFF
    )
    assert states == {
        spec_sample: "ACCEPTED",
        "order-2026-11-23:1": "ACCEPTED",
        no_json: "REJECTED",
        wrong: "REJECTED",
        a_list: "REJECTED",
        conflict: "REJECTED",
        put_off: "WAITING",
    }
    assert sender.accepted() == ["13708600860", "18930612517", "13700000000"]
    assert [handle for handle, _ in sender.queue.postponed] == [
        record["receiptHandle"] for record in records(PUT_OFF)["Records"]
    ]
    assert sender.queue.buried == []


def test_a_batch_delivered_again_changes_nothing(sender: World) -> None:
    invoke(batch())
    rows = [row for row in sender.all_rows() if row["state"] != "WAITING"]
    assert invoke(batch()).failed == ids(PUT_OFF)
    assert [row for row in sender.all_rows() if row["state"] != "WAITING"] == rows
    assert len(sender.accepted()) == 3


def test_a_batch_in_which_nothing_is_finished_fails_record_by_record(sender: World) -> None:
    assert invoke(records(PUT_OFF)).failed == ids(PUT_OFF)


def test_the_delivery_counts_as_the_queue_says(sender: World) -> None:
    invoke(records(PUT_OFF))
    (_, delay) = sender.queue.postponed[0]
    assert delay == pytest.approx(1.5)  # the third receive, and the first try


class Broken:
    """A submitter with a defect that shows at one message."""

    def __init__(self, error: Exception) -> None:
        self._error = error

    def take(self, message: QueueMessage, time_left: Any) -> Progress:
        if message.message_id == ids(GOOD)[0]:
            raise self._error
        delivery = Progress(message.message_id)
        delivery.states[State.ACCEPTED] += 1
        return delivery


@pytest.mark.parametrize("error", [KeyError("周末参加不了培训了"), ValueError("13708600860"), OSError()])
def test_a_defect_at_one_record_fails_that_record_alone_and_is_seen(
    monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    monkeypatch.setattr(handler, "_submitter", lambda: Broken(error))
    invocation = invoke(records(SPEC_SAMPLE, GOOD, NO_JSON))
    assert invocation.failed == ids(GOOD)
    assert metrics(invocation.log)["PartsAccepted"] == 2
    (told,) = [line for line in invocation.lines if line["level"] == "ERROR"]
    assert (told["message_id"], told["error"]) == (ids(GOOD)[0], type(error).__name__)
    assert "培训" not in invocation.log
    assert "13708600860" not in invocation.log


# --- what is told -----------------------------------------------------------------------------------------------


def test_the_metrics_tell_what_became_of_every_part(sender: World) -> None:
    told = metrics(invoke(batch()).log)
    assert {name: told[name] for name in ("Deliveries", "PartsAccepted", "PartsRejected", "PartsWaiting")} == {
        "Deliveries": 7,
        "PartsAccepted": 2,
        "PartsRejected": 4,
        "PartsWaiting": 1,
    }


def test_every_record_has_a_line_with_its_send_and_why_it_comes_back(sender: World) -> None:
    lines = invoke(records(GOOD, PUT_OFF)).lines
    assert [(line["message"], line["send_id"]) for line in lines] == [
        ("done", "order-2026-11-23:1"),
        ("put off", ids(PUT_OFF)[0]),
    ]
    assert lines[1]["why"] == "the platform asks to come later"
    assert lines[1]["receive_count"] == 3


def test_no_content_mobile_or_password_is_ever_logged(sender: World) -> None:
    sender.platform.change({"pwd": "a-password"})
    sender.change_secret("a-password")
    log = invoke(batch()).log
    sender.platform.change({"pwd": "another-secret"})
    sender.pass_time(hours=1)
    log += invoke(records(PUT_OFF)).log
    sender.secrets.put_secret_value(SecretId=sender.secret_arn, SecretString='"another-secret"')
    sender.pass_time(hours=1)
    log += invoke(records(PUT_OFF)).log
    assert "CredentialsUnusable" in log
    for record in batch()["Records"]:
        assert record["body"] not in log
    for hidden in (
        "周末",
        "快递",
        "稍后",
        "另一条",
        "a-password",
        "another-secret",
        "13708600860",
        "13700000000",
        LATER,
    ):
        assert hidden not in log
    for request in sender.line.requests:
        assert request["pwd"] not in log, "a digest can be searched for a short password"


MOBILE_IN_AN_ID = {
    "otp-135-0000-0000-x": "otp-135-****-0000-x",
    "2026112513500001234": "2026112********1234",
    "86.135_0000:0000": "86.135_****:0000",
}


@pytest.mark.parametrize(("send_id", "shown"), MOBILE_IN_AN_ID.items(), ids=MOBILE_IN_AN_ID)
@pytest.mark.parametrize("number", [GOOD, PUT_OFF], ids=["done", "put off"])
def test_an_id_made_of_a_mobile_is_logged_without_it_beside_a_message_id_to_find_it_by(
    sender: World, send_id: str, shown: str, number: int
) -> None:
    event = records(number)
    record = event["Records"][0]
    record["body"] = json.dumps(json.loads(record["body"]) | {"id": send_id})
    invocation = invoke(event)
    assert [(line["send_id"], line["message_id"]) for line in invocation.lines] == [(shown, record["messageId"])]
    assert sender.row(send_id)["state"] == ("ACCEPTED" if number == GOOD else "WAITING")
    assert send_id not in invocation.log


def test_an_id_that_is_made_of_a_mobile_is_logged_masked_however_the_delivery_ends(sender: World) -> None:
    event = records(GOOD, PUT_OFF, WRONG)
    for record in event["Records"]:
        record["body"] = json.dumps(json.loads(record["body"]) | {"id": f"13912345678-{record['messageId'][:4]}"})
    lines = invoke(event).lines
    assert [line["message"] for line in lines] == ["done", "put off", "done"]
    assert [line["send_id"][:12] for line in lines] == ["139****5678-"] * 3
    assert {row["send_id"][:12] for row in sender.all_rows()} == {"13912345678-"}
    assert "13912345678" not in "".join(json.dumps(line) for line in lines)


def test_the_log_has_the_token_of_an_acceptance_that_no_row_could_take(sender: World) -> None:
    invoke(records(GOOD))
    sender.happens("*.update", fails)
    (line,) = invoke(records(SPEC_SAMPLE)).lines
    accepted = sender.platform.messages[-1]
    assert accepted.mobiles == ("13708600860", "18930612517")
    assert f"as token {accepted.token}" in line["why"]
    assert accepted.timestamp in line["why"]


# --- the function's own ground ----------------------------------------------------------------------------------


@nothing_to_measure
def test_a_lease_that_the_function_could_outlive_stops_it_before_anything_is_sent(sender: World) -> None:
    for seconds in (90.0, 900.0):
        with pytest.raises(SettingsMissing, match="LEASE_SECONDS"):
            invoke(batch(), seconds)
    assert sender.line.requests == []
    assert sender.all_rows() == []


@nothing_to_measure
def test_a_missing_setting_stops_it_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SENDS_TABLE")
    with pytest.raises(SettingsMissing, match="SENDS_TABLE is missing"):
        invoke(batch())


def test_importing_the_handler_needs_no_environment_and_no_aws() -> None:
    code = "import functions.sender.handler as handler; assert handler._submitter.cache_info().currsize == 0"
    subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        cwd=ROOT,
        env={"PYTHONPATH": os.pathsep.join(map(str, (ROOT, ROOT / "layers" / "kuaixintong")))},
        check=True,
        timeout=60,
    )


@dataclass
class Wired:
    """What ``submitter`` was asked for, by how many threads at once at the most."""

    meeting: threading.Barrier = field(default_factory=lambda: threading.Barrier(2))
    built: list[int] = field(default_factory=list)
    together: bool = False

    def submitter(self, settings: Any, *, threads: int) -> Broken:
        self.built.append(threads)
        with suppress(threading.BrokenBarrierError):
            self.meeting.wait(0.2)
            self.together = True
        return Broken(KeyError())


def test_a_first_batch_is_wired_once_for_all_its_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    wired = Wired()
    monkeypatch.setattr(handler, "submitter", wired.submitter)
    with ThreadPoolExecutor(handler.THREADS) as threads:
        monkeypatch.setattr(handler, "_threads", lambda: threads)
        invoke(batch())
        invoke(batch())
    assert wired.built == [handler.THREADS]
    assert not wired.together


# --- the whole, wired for real ----------------------------------------------------------------------------------


def test_wired_for_real_a_send_goes_over_http_and_its_row_and_queue_tell(
    moto_world: DynamoWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    world, sqs = moto_world, boto3.client("sqs")
    queue, dead = (sqs.create_queue(QueueName=name)["QueueUrl"] for name in ("sends", "dead-letters"))
    with running_simulator() as platform:
        monkeypatch.setenv("PLATFORM_URL", platform.url)
        monkeypatch.setenv("PLATFORM_SECRET_ARN", world.secret_arn)
        monkeypatch.setenv("SENDS_TABLE", world.tables["SendsTable"])
        monkeypatch.setenv("MOBILES_TABLE", world.tables["MobilesTable"])
        monkeypatch.setenv("OUTBOUND_TABLE", world.tables["OutboundTable"])
        monkeypatch.setenv("CAMPAIGNS_TABLE", world.tables["CampaignsTable"])
        monkeypatch.setenv("ACCOUNT_TABLE", world.tables["AccountTable"])
        monkeypatch.setenv("SEND_QUEUE_URL", queue)
        monkeypatch.setenv("DEAD_LETTER_QUEUE_URL", dead)
        monkeypatch.setenv("RECEIVE_LIMIT", "3")
        platform.faults([{"do": "code", "code": 1, "mobile": LATER}])
        for number in (SPEC_SAMPLE, PUT_OFF):
            sqs.send_message(QueueUrl=queue, MessageBody=records(number)["Records"][0]["body"])
        received = sqs.receive_message(
            QueueUrl=queue, MaxNumberOfMessages=10, VisibilityTimeout=60, MessageSystemAttributeNames=["All"]
        )["Messages"]
        event = batch()
        event["Records"] = [
            template
            | {
                "messageId": message["MessageId"],
                "receiptHandle": message["ReceiptHandle"],
                "body": message["Body"],
                "attributes": message["Attributes"],
            }
            for template, message in zip(event["Records"], received, strict=False)
        ]
        sample, later = (record["messageId"] for record in event["Records"])
        assert invoke(event).failed == [later]
        assert [message.content for message in platform.messages()] == ["周末参加不了培训了"]
        for record in event["Records"]:
            record["attributes"]["ApproximateReceiveCount"] = "3"
        assert invoke(event).failed == []
    assert world.row(sample)["state"] == "ACCEPTED"
    assert (world.row(later)["state"], world.row(later)["attention"]) == ("WAITING", "GAVE_UP")
    (buried,) = sqs.receive_message(QueueUrl=dead)["Messages"]
    assert json.loads(buried["Body"])["id"] == later
    assert {send_id for _, send_id, _ in world.outbound()} == {sample, later}
