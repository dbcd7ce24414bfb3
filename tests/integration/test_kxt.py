"""``kxt`` in this process, on a stack by moto: what it prints, what it says, and the status that it ends with."""

import csv
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError, EndpointConnectionError, NoCredentialsError
from typer.testing import CliRunner

from kuaixintong.core import sends
from kuaixintong.core.beijing import BEIJING
from kuaixintong.stack import Stack
from kuaixintong.stores import aws as edge
from kxt.commands import everything
from tests.aws_faults import client_error
from tests.deployed import Deployed, kxt

MOBILE, OTHER = "13700000001", "13700000002"


@pytest.fixture
def deployed(aws: None, monkeypatch: pytest.MonkeyPatch) -> Deployed:
    """A stack that every call of ``kxt`` finds, whatever it is called."""
    deployed = Deployed()
    monkeypatch.setattr(Stack, "of", lambda name, **_: deployed.stack(name))
    monkeypatch.setenv("KXT_STACK", "kuaixintong-test")
    return deployed


def listed(deployed: Deployed, send_id: str, *, campaign: str | None = None, **row: Any) -> None:
    """Put a send that its listings know."""
    listing = (
        {"campaign": campaign, "campaign_shard": f"{campaign}#0"} if campaign else {"day_shard": "2026-11-25#0"}
    )
    moment = {"created_at": "2026-11-25T12:00:00.000+08:00", "updated_at": "2026-11-25T12:00:01.000+08:00"}
    deployed.part(send_id, **(listing | moment | {"parts": 1, "content": "你好"} | row))


def reported(deployed: Deployed, mobile: str, *, success: bool = True) -> None:
    kept = {"mobile": mobile, "result_code": "0" if success else "2:46", "success": success}
    outcome = f"{mobile}#{kept['result_code']}#{success:d}"
    at = "2026-11-25T12:00:05.000+08:00"
    deployed.put("ReportsTable", {"token": "376", "outcome": outcome, "received_at": at} | kept)


def named(deployed: Deployed, campaign: str) -> None:
    created = {"created_at": "2026-11-25T12:00:00.000+08:00", "day": "2026-11-25"}
    deployed.put("CampaignsTable", {"campaign": campaign, "source": "people.csv"} | created)


# --- send -------------------------------------------------------------------------------------------------------


def test_a_send_is_enqueued_under_an_id_that_is_printed_alone(deployed: Deployed) -> None:
    told = kxt("send", MOBILE, "+86 137-0000-0002", "--text", "你好", "--id", "order-1", "--campaign", "spring")
    assert (told.status, told.printed) == (0, "order-1\n")
    assert deployed.enqueued() == [
        {"id": "order-1", "mobiles": [MOBILE, OTHER], "content": "你好", "campaign": "spring"}
    ]


def test_what_a_send_costs_and_what_cannot_be_used_is_said_before_it_goes(deployed: Deployed) -> None:
    told = kxt("send", MOBILE, OTHER, "12345", "--text", "字" * 71)
    assert "2 mobile(s) × 2 segment(s) = 4 message(s), ordinary lane" in told.said
    assert "left out: 12345" in told.said


def test_a_one_time_code_goes_into_the_urgent_lane(deployed: Deployed) -> None:
    assert kxt("send", MOBILE, "--text", "123456", "--category", "otp").status == 0
    assert (len(deployed.enqueued("UrgentQueue")), deployed.enqueued()) == (1, [])


def test_mobiles_can_come_from_stdin(deployed: Deployed) -> None:
    assert kxt("send", "-", "--text", "x", typed=f"{MOBILE}\n{OTHER}, 13700000003\n").status == 0
    assert deployed.enqueued()[0]["mobiles"] == [MOBILE, OTHER, "13700000003"]


def test_without_one_usable_mobile_nothing_is_enqueued(deployed: Deployed) -> None:
    told = kxt("send", "12345", "--text", "x")
    assert (told.status, deployed.enqueued()) == (1, [])
    assert "nothing was enqueued" in told.said


def test_a_send_that_breaks_rules_is_wrong_use_and_all_faults_are_told(deployed: Deployed) -> None:
    told = kxt("send", MOBILE, "--text", "", "--at", "tomorrow", "--id", "a b")
    assert (told.status, told.printed, deployed.enqueued()) == (2, "", [])
    assert [line.split()[0] for line in told.said.splitlines()] == ["content", "id", "atTime"]


def test_waiting_ends_when_every_part_is_accepted(deployed: Deployed) -> None:
    deployed.part("order-1")
    told = kxt("send", MOBILE, "--text", "x", "--id", "order-1", "--wait")
    assert told.status == 0
    assert ["1", "ACCEPTED", "376", "1", "", ""] in told.rows
    assert [MOBILE, "pending", ""] in told.rows


def test_waiting_says_so_where_an_earlier_send_has_the_id(deployed: Deployed) -> None:
    deployed.part("order-1", fingerprint="0" * 32)
    told = kxt("send", MOBILE, "--text", "x", "--id", "order-1", "--wait")
    assert (told.status, "another payload" in told.said) == (1, True)
    same = sends.parse(json.dumps({"id": "order-1", "mobiles": [MOBILE], "content": "x"}), "").fingerprint
    deployed.part("order-1", fingerprint=same)
    assert kxt("send", MOBILE, "--text", "x", "--id", "order-1", "--wait").status == 0
    deployed.part("order-1", fingerprint="1" * 32, refused=["1" * 32])  # a body that was refused leaves its id
    assert kxt("send", MOBILE, "--text", "x", "--id", "order-1", "--wait").status == 0


@pytest.mark.parametrize("state", ["REJECTED", "UNCONFIRMED", "EXPIRED"])
def test_waiting_for_what_is_not_accepted_ends_with_status_1(deployed: Deployed, state: str) -> None:
    deployed.part("order-1", state=state, token=None)
    assert kxt("send", MOBILE, "--text", "x", "--id", "order-1", "--wait").status == 1


def test_waiting_that_takes_too_long_says_how_to_go_on(deployed: Deployed) -> None:
    told = kxt("send", MOBILE, "--text", "x", "--id", "order-1", "--wait", "--timeout", "0.1")
    assert told.status == 1
    assert "kxt show order-1" in told.said


def test_ctrl_c_while_waiting_leaves_a_sentence(deployed: Deployed, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: Any, **__: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("kxt.commands.sending.until_final", interrupted)
    told = kxt("send", MOBILE, "--text", "x", "--id", "order-1", "--wait")
    assert told.status == 130
    assert "The send is enqueued and goes on: kxt show order-1" in told.said


# --- show -------------------------------------------------------------------------------------------------------


def test_a_send_is_shown_with_its_parts_and_mobiles(deployed: Deployed) -> None:
    deployed.part(mobiles=[MOBILE, OTHER], invalid_mobiles=[{"mobile": "123", "reason": "too short"}])
    reported(deployed, MOBILE)
    told = kxt("show", "order-1")
    assert told.status == 0
    assert told.rows[-3:] == [[MOBILE, "delivered", "0"], [OTHER, "pending", ""], ["123", "unsent", "too short"]]
    assert kxt("show", "order-1", "--json").json["parts"][0]["mobiles"] == {MOBILE: "delivered", OTHER: "pending"}


def test_many_mobiles_are_counted_unless_all_are_asked_for(deployed: Deployed) -> None:
    deployed.part(mobiles=[f"137{number:08}" for number in range(60)])
    assert ["pending", "60"] in kxt("show", "order-1").rows
    assert len(kxt("show", "order-1", "--all").rows) > 60


def test_an_unknown_send_is_a_sentence(deployed: Deployed) -> None:
    told = kxt("show", "nobody")
    assert (told.status, told.printed) == (1, "")
    assert "No send is known as nobody in the stack kuaixintong-test." in told.said


# --- what a person has to do ------------------------------------------------------------------------------------


def test_what_needs_a_person_is_listed_with_advice(deployed: Deployed) -> None:
    deployed.part(
        state="UNCONFIRMED",
        attention="UNCONFIRMED",
        advice="Ask the staff.",
        timestamp="202611251200000000",
        updated_at="2026-11-25T12:00:00.000+08:00",
        token=None,
    )
    told = kxt("attention")
    assert told.status == 0
    assert told.rows[1][:3] == ["order-1", "1", "UNCONFIRMED"]
    assert "UNCONFIRMED: Ask the staff." in told.said
    assert kxt("attention", "--json").json[0]["timestamp"] == "202611251200000000"


def test_nothing_that_needs_a_person_is_said_and_not_printed(deployed: Deployed) -> None:
    told = kxt("attention")
    assert (told.status, told.printed, told.said) == (0, "", "Nothing needs a person.\n")
    assert kxt("attention", "--json").json == []


def test_what_was_given_up_goes_back_into_its_lanes(deployed: Deployed, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("kuaixintong.redrive._WAIT", 0)
    for number, lane in enumerate(("urgent", "ordinary", "ordinary")):
        deployed.sqs.send_message(
            QueueUrl=deployed.outputs["DeadLetterQueueUrl"],
            MessageBody=json.dumps({"id": f"order-{number}", "mobiles": [MOBILE], "content": "x"}),
            MessageAttributes={"lane": {"DataType": "String", "StringValue": lane}},
        )
    told = kxt("redrive")
    assert (told.status, told.rows) == (0, [["lane", "back"], ["urgent", "1"], ["ordinary", "2"]])
    assert (len(deployed.enqueued("UrgentQueue")), len(deployed.enqueued())) == (1, 2)


def test_quarantine_is_listed_and_released(deployed: Deployed) -> None:
    raw = json.dumps({"token": "376", "mobile": MOBILE, "success": True, "resultCode": "0"})
    record = {
        "chunk": 0,
        "raw": raw,
        "type": "report",
        "kept": "entry",
        "reason": "odd",
        "entries": 1,
        "chunks": 1,
    }
    seen = {"seen": 2, "first_seen": "2026-11-25T12:00:00.000+08:00", "last_seen": "2026-11-25T12:00:00.000+08:00"}
    deployed.put("QuarantineTable", {"digest": "4fd1"} | record | seen)
    assert kxt("quarantine", "list").rows[1][:4] == ["4fd1", "report", "entry", "2"]
    told = kxt("quarantine", "release", "4fd1")
    assert (told.status, told.rows[1]) == (0, ["4fd1", "1", "0", "0"])
    assert [row["mobile"] for row in deployed.rows("ReportsTable")] == [MOBILE]
    assert kxt("quarantine", "list").said == "Nothing is in quarantine.\n"


def test_a_record_that_is_not_there_is_a_sentence(deployed: Deployed) -> None:
    told = kxt("quarantine", "release", "4fd1")
    assert (told.status, told.said) == (1, "No record is held as 4fd1.\n")


def test_release_wants_to_know_which(deployed: Deployed) -> None:
    assert kxt("quarantine", "release").status == 2


# --- account ----------------------------------------------------------------------------------------------------


def test_the_account_is_shown_with_its_queues(deployed: Deployed) -> None:
    deployed.put(
        "AccountTable",
        {"cid": "12345678", "sequence": 17, "sm_balance": 900, "checked_at": "2026-11-25T12:00:00.000+08:00"}
        | {"pause_reason": "authentication", "pause_until": "2099-11-25T12:00:00.000+08:00"},
    )
    deployed.put("AccountTable", {"cid": "12345678:balances"})
    kxt("send", MOBILE, "--text", "x")
    told = kxt("account")
    shown = {row[0]: row[1] for row in told.rows if len(row) > 1}
    assert (shown["account"], shown["balance, messages"], shown["ordinary"]) == ("12345678", "900", "1")
    assert shown["paused"].startswith("authentication, 2099-11-25")
    assert kxt("account", "--json").json["account"]["sm_balance"] == 900


def test_the_account_shows_how_old_the_oldest_message_is_where_it_may_be_asked(
    deployed: Deployed, monkeypatch: pytest.MonkeyPatch
) -> None:
    def oldest() -> list[Any]:
        queues = kxt("account", "--json").json["queues"]
        return [queues[name]["oldest"] for name in ("ordinary", "urgent", "given up")]

    kxt("send", MOBILE, "--text", "x")
    assert oldest() == [None, None, None]
    told = {
        "MetricName": "ApproximateAgeOfOldestMessage",
        "Timestamp": datetime.now(UTC) - timedelta(minutes=2),
        "Value": 340.0,
    }
    names = [{"Name": "QueueName", "Value": "SendQueue"}]
    boto3.client("cloudwatch").put_metric_data(
        Namespace="AWS/SQS",
        MetricData=[told | {"Dimensions": names}],  # type: ignore[list-item]
    )
    assert oldest() == [340, None, None]

    def refuse(self: Any, **_: Any) -> None:
        raise client_error("AccessDenied", "GetMetricData")

    monkeypatch.setattr(
        "kuaixintong.stores.aws.Person.cloudwatch", lambda _: type("", (), {"get_metric_data": refuse})()
    )
    assert oldest() == [None, None, None]


def test_an_account_that_was_never_asked_is_said(deployed: Deployed) -> None:
    told = kxt("account")
    assert (told.status, "The platform has not been asked yet." in told.said) == (0, True)


# --- errors are sentences ---------------------------------------------------------------------------------------


def refused(code: str, operation: str = "Query") -> ClientError:
    return client_error(code, operation)


@pytest.mark.parametrize(
    ("error", "sentence"),
    [
        (refused("AccessDeniedException"), "do not permit dynamodb:Query"),
        (refused("UnrecognizedClientException"), "AWS does not know these credentials"),
        (refused("ResourceNotFoundException"), "is not there"),
        (NoCredentialsError(), "No AWS credentials were found"),
        (EndpointConnectionError(endpoint_url="https://dynamodb"), "was not reached"),
    ],
)
def test_what_aws_refuses_is_told_and_no_traceback_is_shown(
    deployed: Deployed, monkeypatch: pytest.MonkeyPatch, error: Exception, sentence: str
) -> None:
    def fails(**_: Any) -> None:
        raise error

    client = boto3.client("dynamodb")
    monkeypatch.setattr(client, "query", fails)
    monkeypatch.setattr(edge.Person, "dynamodb", lambda _self: client)
    told = kxt("show", "order-1")
    assert (told.status, told.printed, "Traceback" in told.said) == (1, "", False)
    assert sentence in told.said


def test_what_nobody_foresaw_is_a_sentence_too(deployed: Deployed, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_: Any, **__: Any) -> None:
        raise ZeroDivisionError("by zero")

    monkeypatch.setattr("kuaixintong.status.Lookup.delivery_status", fails)
    told = kxt("show", "order-1")
    assert (told.status, "ZeroDivisionError: by zero" in told.said) == (1, True)


def test_without_a_stack_and_a_local_one_the_user_is_told_what_to_do(
    aws: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    monkeypatch.setenv("KUAIXINTONG_STACKS", str(tmp_path))
    monkeypatch.delenv("KXT_STACK", raising=False)
    told = kxt("show", "order-1")
    assert (told.status, "name it with --stack, or set KXT_STACK" in told.said) == (2, True)


def test_which_stack_is_taken_is_said_unless_it_was_named(deployed: Deployed) -> None:
    runner = CliRunner()
    assert runner.invoke(everything(), ["today"]).stderr.startswith("The stack kuaixintong-test (KXT_STACK)\n")
    assert "KXT_STACK" not in runner.invoke(everything(), ["today", "--stack", "kuaixintong-prod"]).stderr


def test_a_wrong_word_suggests_the_right_one() -> None:
    told = kxt("shwo", "order-1")
    assert (told.status, "Did you mean 'show'?" in told.said) == (2, True)


# --- questions --------------------------------------------------------------------------------------------------


def test_a_day_is_shown_with_its_campaigns_and_sends(deployed: Deployed) -> None:
    listed(deployed, "order-1")
    listed(deployed, "order-2", state="REJECTED", token=None, mobiles=[MOBILE, OTHER])
    named(deployed, "spring")
    told = kxt("today", "--day", "2026-11-25")
    assert told.status == 0
    assert [row[0] for row in told.rows][:2] == ["campaign", "spring"]
    assert {tuple(row[1:4]) for row in told.rows[-2:]} == {
        ("order-1", MOBILE, "ACCEPTED"), ("order-2", "2", "REJECTED")
    }  # fmt: skip
    shown = kxt("today", "--day", "2026-11-25", "--json").json
    assert ([each["send_id"] for each in shown["sends"]], shown["campaigns"][0]["campaign"]) == (
        ["order-2", "order-1"],
        "spring",
    )


def test_a_days_pages_follow_each_other(deployed: Deployed) -> None:
    for number in range(3):
        listed(deployed, f"order-{number}")
    first = kxt("today", "--day", "2026-11-25", "--size", "2", "--json").json
    assert (
        "There is more: kxt today --day 2026-11-25 --page "
        in kxt("today", "--day", "2026-11-25", "--size", "2").said
    )
    last = kxt("today", "--day", "2026-11-25", "--page", first["next"], "--json").json
    assert [each["send_id"] for each in (*first["sends"], *last["sends"])] == ["order-2", "order-1", "order-0"]


def test_an_empty_day_says_how_to_fill_it(deployed: Deployed) -> None:
    told = kxt("today", "--day", "2026-11-25")
    assert (told.status, told.printed) == (0, "")
    assert "kxt send" in told.said


@pytest.mark.parametrize(
    "arguments", [("today", "--day", "25.11.2026"), ("who", "12345"), ("today", "--size", "0")]
)
def test_what_is_no_day_and_no_mobile_is_wrong_use(deployed: Deployed, arguments: tuple[str, ...]) -> None:
    assert kxt(*arguments).status == 2


def test_a_page_that_is_none_is_a_sentence(deployed: Deployed) -> None:
    told = kxt("today", "--page", "x")
    assert (told.status, "page token" in told.said) == (1, True)


def test_a_mobile_is_shown_with_all_that_went_to_it_and_came_from_it(deployed: Deployed) -> None:
    listed(deployed, "order-1")
    deployed.put("OutboundTable", {"mobile": MOBILE, "send_id": "order-1", "part": "1"})
    reported(deployed, MOBILE)
    deployed.put(
        "InboundTable",
        {"mobile": MOBILE, "message_key": "2026-11-25 12:00:09#1", "day": "2026-11-25", "content": "收到"}
        | {"smg_recv_date": "2026-11-25 12:00:09", "received_at": "2026-11-25T12:00:09.000+08:00"},
    )
    told = kxt("who", "+86 137-0000-0001")
    assert [row[1:] for row in told.rows[1:]] == [
        ["← answer", "收到", ""],
        ["report", "delivered (0)", "order-1"],
        ["→ delivered", "你好", "order-1"],
    ]
    assert len(kxt("who", MOBILE, "--json").json["events"]) == 3


def test_what_holds_for_a_mobile_is_said_as_it_is_now(deployed: Deployed) -> None:
    kxt("optout", "add", MOBILE)
    now = datetime.now(UTC).astimezone(BEIJING)
    assert kxt("who", MOBILE).said.startswith(f"opted out of marketing, {now:%Y-%m-%d}")
    kxt("optout", "remove", MOBILE)
    deployed.put("MobilesTable", {"mobile": MOBILE, "what": "otp", "p00": "0"})
    assert kxt("who", MOBILE).said == "Nothing is known of this mobile.\n"
    deployed.put("MobilesTable", {"mobile": MOBILE, "what": "invalid", "refused_on": "2026-11-24"})
    assert "refused by the platform as no number (310), 2026-11-24\n" in kxt("who", MOBILE).said


def test_a_mobile_that_nobody_knows_is_said(deployed: Deployed) -> None:
    assert kxt("who", MOBILE).said == "Nothing is known of this mobile.\n"


@pytest.fixture
def spring(deployed: Deployed) -> Deployed:
    """A campaign of two people, one delivered and one failed."""
    named(deployed, "spring")
    listed(
        deployed,
        "spring:2",
        campaign="spring",
        accepted_at="2026-11-25T12:00:01.000+08:00",
        mobiles=[MOBILE, OTHER],
    )
    reported(deployed, MOBILE)
    reported(deployed, OTHER, success=False)
    return deployed


def test_a_campaign_is_counted(spring: Deployed) -> None:
    told = kxt("campaign", "spring")
    assert (told.status, told.rows) == (0, [["state", "parts"], ["ACCEPTED", "1"]])
    assert "by people.csv" in told.said
    assert kxt("campaign", "spring", "--json").json["counts"]["states"] == {"ACCEPTED": 1}
    assert kxt("campaign", "spring", "--watch").rows == told.rows
    assert sorted(kxt("campaign", "spring", "--people").rows[1:]) == [["delivered", "1"], ["failed", "1"]]
    assert kxt("campaign", "spring", "--sends").rows[1][1] == "spring:2"


def test_a_campaign_is_exported_a_row_a_person(spring: Deployed, tmp_path: Path) -> None:
    path = tmp_path / "spring.csv"
    assert kxt("campaign", "spring", "--export", str(path)).status == 0
    with path.open(encoding="utf-8-sig", newline="") as file:
        rows = {row.pop("mobile"): row for row in csv.DictReader(file)}
    at = "2026-11-25T12:00:05.000+08:00"
    assert rows == {
        MOBILE: {
            "status": "delivered",
            "state": "ACCEPTED",
            "code": "0",
            "time": at,
            "reason": "",
            "send_id": "spring:2",
        },
        OTHER: {
            "status": "failed",
            "state": "ACCEPTED",
            "code": "2:46",
            "time": at,
            "reason": "",
            "send_id": "spring:2",
        },
    }


def test_a_campaign_that_nobody_named_is_a_sentence(deployed: Deployed) -> None:
    told = kxt("campaign", "spring")
    assert (told.status, "No campaign is known as spring" in told.said) == (1, True)


def test_a_file_that_cannot_be_written_is_a_sentence(spring: Deployed, tmp_path: Path) -> None:
    told = kxt("campaign", "spring", "--export", str(tmp_path / "no" / "spring.csv"))
    assert (told.status, "cannot be written" in told.said) == (1, True)


# --- ending and settling ----------------------------------------------------------------------------------------


def test_a_send_that_nobody_has_seen_is_cancelled_before_it_comes(deployed: Deployed) -> None:
    told = kxt("cancel", "order-1")
    assert (told.status, told.rows[1]) == (0, ["1", "CANCELLED"])
    assert deployed.rows("SendsTable")[0]["state"] == "CANCELLED"
    # it may never come: a large send comes as several
    assert "kxt cancel --campaign order-1" in told.said
    assert "--campaign" not in kxt("cancel", "order-1").said


def test_what_is_with_the_platform_already_is_told(deployed: Deployed) -> None:
    deployed.part("order-1")
    told = kxt("cancel", "order-1")
    assert (told.status, told.rows[1]) == (1, ["1", "ACCEPTED"])
    assert "kxt show order-1" in told.said


@pytest.mark.parametrize("arguments", [(), ("order-1", "--campaign", "spring")])
def test_a_cancel_wants_one_thing(deployed: Deployed, arguments: tuple[str, ...]) -> None:
    assert kxt("cancel", *arguments).status == 2


def test_a_campaign_is_not_cancelled_unless_somebody_says_yes(spring: Deployed) -> None:
    told = kxt("cancel", "--campaign", "spring")
    assert (told.status, "1 send(s): 1 ACCEPTED" in told.said) == (2, True)
    assert "cancelled_at" not in spring.rows("CampaignsTable")[0]


def test_a_campaign_is_cancelled(spring: Deployed, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("kuaixintong.cancel._SETTLES", 0)
    told = kxt("cancel", "--campaign", "spring", "--yes")
    assert (told.status, told.rows[1]) == (0, ["ACCEPTED", "1"])
    assert "cancelled_at" in spring.rows("CampaignsTable")[0]


def unconfirmed(deployed: Deployed) -> None:
    deployed.part(
        "order-1", state="UNCONFIRMED", token=None, attention="UNCONFIRMED", timestamp="202611251200000000"
    )


def test_a_part_is_settled_by_its_token(deployed: Deployed) -> None:
    unconfirmed(deployed)
    assert kxt("confirm", "order-1", "1", "--token", "377").status == 0
    (row,) = deployed.rows("SendsTable")
    assert (row["state"], row["token"], "attention" in row) == ("ACCEPTED", "377", False)


def test_a_part_is_settled_by_who_says_that_it_was_not_accepted(deployed: Deployed) -> None:
    unconfirmed(deployed)
    told = kxt("confirm", "order-1", "1", "--not-accepted", "--by", "王芳")
    assert (told.status, "--id order-1-again" in told.said) == (0, True)
    (row,) = deployed.rows("SendsTable")
    assert (row["state"], "王芳" in row["words"]) == ("REJECTED", True)


def test_a_part_that_is_not_unconfirmed_is_a_sentence(deployed: Deployed) -> None:
    deployed.part("order-1")
    assert kxt("confirm", "order-1", "1", "--not-accepted", "--by", "王芳").status == 1


@pytest.mark.parametrize("arguments", [(), ("--token", "1", "--not-accepted"), ("--not-accepted",)])
def test_to_settle_a_part_one_thing_has_to_be_said(deployed: Deployed, arguments: tuple[str, ...]) -> None:
    assert kxt("confirm", "order-1", "1", *arguments).status == 2


# --- opt-outs ---------------------------------------------------------------------------------------------------


def test_opt_outs_are_added_listed_and_removed(deployed: Deployed) -> None:
    assert kxt("optout", "list").said == "Nobody has opted out.\n"
    assert kxt("optout", "add", MOBILE, "+86 137-0000-0002").rows[1:] == [
        [MOBILE, "noted"],
        ["+86 137-0000-0002", "noted"],
    ]
    assert {row[0] for row in kxt("optout", "list").rows[1:]} == {MOBILE, OTHER}
    assert kxt("optout", "remove", MOBILE).status == 0
    assert [each["mobile"] for each in kxt("optout", "list", "--json").json] == [OTHER]


def test_what_is_no_mobile_cannot_opt_out(deployed: Deployed) -> None:
    told = kxt("optout", "add", "12345")
    assert (told.status, "is no mobile" in told.said) == (2, True)


def test_opt_outs_go_through_files(deployed: Deployed, tmp_path: Path) -> None:
    brought, taken = tmp_path / "in.csv", tmp_path / "out.csv"
    brought.write_text(f"mobile\n{MOBILE}\n12345\n{OTHER}\n")
    told = kxt("optout", "import", str(brought))
    assert (told.status, told.rows[1]) == (1, ["2", "0", "1"])
    assert "line 3: " in told.said
    assert kxt("optout", "export", str(taken)).status == 0
    with taken.open(encoding="utf-8-sig", newline="") as file:
        assert {row["mobile"] for row in csv.DictReader(file)} == {MOBILE, OTHER}


@pytest.mark.parametrize("command", ["import", "export"])
def test_a_list_that_cannot_be_opened_is_a_sentence(deployed: Deployed, tmp_path: Path, command: str) -> None:
    told = kxt("optout", command, str(tmp_path / "no" / "list.csv"))
    assert (told.status, "cannot be" in told.said, "Traceback" in told.said) == (1, True, False)
