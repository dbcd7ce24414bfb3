"""``kxt`` in this process, on a stack by moto: what it prints, what it says, and the status that it ends with."""

import json
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError, EndpointConnectionError, NoCredentialsError

from kuaixintong.stack import Stack
from kuaixintong.stores import aws as edge
from tests.deployed import Deployed, kxt

MOBILE, OTHER = "13700000001", "13700000002"


@pytest.fixture
def deployed(aws: None, monkeypatch: pytest.MonkeyPatch) -> Deployed:
    """A stack that every call of ``kxt`` finds, whatever it is called."""
    deployed = Deployed()
    monkeypatch.setattr(Stack, "of", lambda name, **_: deployed.stack(name))
    monkeypatch.setenv("KXT_STACK", "kuaixintong-test")
    return deployed


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
    deployed.put(
        "ReportsTable",
        {"token": "376", "outcome": f"{MOBILE}#0#1", "mobile": MOBILE, "result_code": "0", "success": True}
        | {"received_at": "2026-11-25T12:00:00.000+08:00"},
    )
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


def test_an_account_that_was_never_asked_is_said(deployed: Deployed) -> None:
    told = kxt("account")
    assert (told.status, "The platform has not been asked yet." in told.said) == (0, True)


# --- errors are sentences ---------------------------------------------------------------------------------------


def refused(code: str, operation: str = "Query") -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": "…"}}, operation)


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


def test_a_wrong_word_suggests_the_right_one() -> None:
    told = kxt("shwo", "order-1")
    assert (told.status, "Did you mean 'show'?" in told.said) == (2, True)
