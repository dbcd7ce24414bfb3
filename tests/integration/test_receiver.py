"""What the platform is answered, and what is durable by then: the table of contract 3, on the real handler."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest

from functions.receiver import handler
from kuaixintong.core.errors import SettingsMissing
from kuaixintong.status import Lookup, judge
from kuaixintong.stores.dynamo import to_item
from kuaixintong.stores.parts import Parts
from kuaixintong.stores.table import DynamoTable
from tests import spec_samples
from tests.receiving import (
    NOW,
    RETENTION,
    Event,
    Receiver,
    event,
    metrics,
    mo,
    push,
    report,
    without_times,
)

EVENTS = Path(__file__).parents[2] / "events"

REPORT_ROWS = [
    {"token": "7331", "outcome": "13500000000#0#1", "mobile": "13500000000", "result_code": "0", "success": True},
    {
        "token": "8469",
        "outcome": "13700000000#2:46#0",
        "mobile": "13700000000",
        "result_code": "2:46",
        "success": False,
    },
]


@pytest.fixture
def receiver(aws: None) -> Receiver:
    return Receiver()


def sample(name: str) -> Event:
    loaded = json.loads((EVENTS / f"{name}.json").read_text("utf-8"))
    assert isinstance(loaded, dict)
    return loaded


@pytest.mark.parametrize("name", ["push-reports-form", "push-reports-json"])
def test_the_specs_reports_are_two_rows_and_the_answer_is_0(receiver: Receiver, name: str) -> None:
    answer = receiver.take(sample(name))
    assert (answer.status, answer.body) == (200, "0")
    assert without_times(receiver.reports()) == REPORT_ROWS
    assert metrics(answer.log) == {"ReportsStored": 2, "MosStored": 0, "EntriesQuarantined": 0}


def test_the_specs_mos_are_two_rows_and_the_answer_is_0(receiver: Receiver) -> None:
    answer = receiver.take(sample("push-mos-form"))
    assert (answer.status, answer.body) == (200, "0")
    rows = receiver.mos()
    assert [(row["mobile"], row["content"], row["smg_recv_date"], row["day"]) for row in rows] == [
        ("13500000000", "你好吗", "2015-01-01 12:00:00", "2015-01-01"),
        ("13700000000", "我不好", "2015-01-01 12:00:00", "2015-01-01"),
    ]
    assert all(row["message_key"].startswith("2015-01-01 12:00:00") for row in rows)
    assert metrics(answer.log) == {"ReportsStored": 0, "MosStored": 2, "EntriesQuarantined": 0}


@pytest.mark.parametrize(
    "incoming",
    [
        event(spec_samples.REPORT_PUSH),
        event(uid="abc", pwd="123", type="report", jsonData=spec_samples.REPORT_JSON_DATA),
        event("uid=abc&pwd=123", type="report", jsonData=spec_samples.REPORT_JSON_DATA),
    ],
    ids=["the spec's notation", "the query of a GET", "body and query"],
)
def test_every_notation_ends_in_the_same_rows(receiver: Receiver, incoming: Event) -> None:
    assert receiver.take(incoming).body == "0"
    assert without_times(receiver.reports()) == REPORT_ROWS


def test_a_row_says_when_it_came_and_when_it_goes(receiver: Receiver) -> None:
    receiver.take(push("report", [report()]))
    (row,) = receiver.reports()
    assert row["received_at"] == "2026-11-23T12:00:00.000+08:00"
    assert row["expires_at"] == int((NOW + RETENTION).timestamp())


def test_rows_are_found_by_token_by_mobile_and_by_day(receiver: Receiver) -> None:
    receiver.take(push("report", [report(1, token=1), report(2, token=1), report(1, token=2)]))
    receiver.take(push("mo", [mo(1), mo(2), mo(1, smgRecvDate="2015-01-02 00:00:00")]))
    intake = receiver.intake
    assert [row["outcome"] for row in intake.reports.of_token("1")] == ["13500000001#0#1", "13500000002#0#1"]
    assert sorted(row["token"] for row in intake.reports.of_mobile("13500000001")) == ["1", "2"]
    assert [row["day"] for row in intake.inbound.of_mobile("13500000001")] == ["2015-01-01", "2015-01-02"]
    assert [row["mobile"] for row in intake.inbound.of_day("2015-01-01")] == ["13500000001", "13500000002"]


@pytest.mark.parametrize(
    "incoming",
    [
        sample("push-wrong-password"),
        push("report", [report()], uid="ABC"),
        push("report", [report()], uid=""),
        push("report", [report()], pwd=""),
        push("report", [report()], pwd="12"),
        push("report", [report()], pwd="1234"),
        push("report", "no JSON", pwd="密码"),
        event(),
        event("\x00\xff\ud800"),
        event("{" * 10_000),
        event("x" * 1_000_000),
        *(
            event(f"--x\r\nContent-Disposition: form-data; {name}\r\n\r\n1\r\n--x--")
            for name in ("name*=idna''x", "name*=a; name*0*=b", "name*=utf-8''\x00")
        ),
        event("--b", content_type="a/b; boundary*=a; boundary*0*=b"),
    ],
    ids=lambda incoming: str(incoming["body"])[:30].encode("unicode_escape").decode(),
)
def test_without_the_right_credentials_nothing_is_written_logged_or_told(
    receiver: Receiver, incoming: Event
) -> None:
    answer = receiver.take(incoming)
    assert (answer.status, answer.body) == (403, "forbidden")
    assert receiver.writes == []
    assert metrics(answer.log) == {"PushRefused": 1}
    assert len(answer.log.splitlines()) == 1  # the metric, and no word


def test_good_entries_are_rows_and_bad_ones_are_in_quarantine(receiver: Receiver) -> None:
    answer = receiver.take(push("report", [report(1), {"token": 1}, report(2), "坏的"]))
    assert (answer.status, answer.body) == (200, "0")
    assert [row["mobile"] for row in receiver.reports()] == ["13500000001", "13500000002"]
    assert sorted((row["raw"], row["reason"]) for row in receiver.held()) == [
        ('"坏的"', "The entry is no JSON object."),
        ('{"token": 1}', "mobile is missing."),
    ]
    assert metrics(answer.log) == {"ReportsStored": 2, "MosStored": 0, "EntriesQuarantined": 2}


@pytest.mark.parametrize(
    ("incoming", "reason"),
    [
        (push("reports", [report()]), "type is neither report nor mo"),
        (push("", [report()]), "type is neither report nor mo"),
        (push("report", report()), "jsonData is not a JSON array"),
        (push("mo", '[{"mobile": "135'), "jsonData is not a JSON array"),
        (push("mo", ""), "jsonData is not a JSON array"),
        (event("uid=abc&pwd=123"), "type is neither report nor mo"),
    ],
)
def test_a_push_that_cannot_be_read_is_told_so_and_held(receiver: Receiver, incoming: Event, reason: str) -> None:
    for _ in range(3):
        answer = receiver.take(incoming)
        assert (answer.status, answer.body) == (400, reason)
        assert metrics(answer.log) == {"PushesQuarantined": 1}
    (record,) = receiver.held()
    assert (record["reason"], record["seen"]) == (reason, 3)
    assert "123" not in record["raw"]


def test_a_report_pushed_again_is_one_row_and_an_mo_too(receiver: Receiver) -> None:
    for _ in range(3):
        receiver.take(push("report", [report(), report(), report(token="7331")]))
        receiver.take(push("mo", [mo(), mo()]))
    assert len(receiver.reports()) == 1
    assert len(receiver.mos()) == 1


def test_reports_of_one_mobile_with_different_codes_are_different_rows(receiver: Receiver) -> None:
    receiver.take(push("report", [report(resultCode="0"), report(resultCode="2:46", success=False)]))
    assert [row["outcome"] for row in receiver.reports()] == ["13500000000#0#1", "13500000000#2:46#0"]


def test_what_differs_in_handset_second_or_words_is_another_mo(receiver: Receiver) -> None:
    receiver.take(push("mo", [mo(1), mo(2), mo(1, content=""), mo(1, smgRecvDate="2015-01-01 12:00:01")]))
    assert len(receiver.mos()) == 4


def test_an_mo_is_one_row_whatever_unknown_fields_it_comes_with_and_however_its_second_is_written(
    receiver: Receiver,
) -> None:
    for changes in ({}, {"n": 1}, {"n": 2}, {"smgRecvDate": "2015-01-01 12:00:00.0"}):
        assert receiver.take(push("mo", [mo(), mo(**changes)])).body == "0"
    assert len(receiver.mos()) == 1


@pytest.mark.parametrize("turned", [False, True])
def test_contradicting_reports_are_two_rows_and_the_status_is_mixed_in_any_order(
    receiver: Receiver, turned: bool
) -> None:
    says = [False, True] if turned else [True, False]
    for success in says:
        answer = receiver.take(push("report", [report(success=success)]))
        assert (answer.body, metrics(answer.log)["EntriesQuarantined"]) == ("0", 0)
    part = {"part": "1", "state": "ACCEPTED", "token": "7331", "mobiles": ["13500000000"]}
    assert [row["success"] for row in receiver.reports()] == [False, True]
    assert judge(part, receiver.reports()).mobiles == {"13500000000": "mixed"}


def test_a_subscriber_is_found_under_11_digits_however_the_mobile_is_written(receiver: Receiver) -> None:
    parts = Parts(DynamoTable(receiver.dynamodb, receiver.names["SendsTable"]))
    lookup = Lookup(parts, receiver.intake.reports, receiver.intake.inbound)
    for written in ("8613500000000", "+86 135-0000-0000", 13500000000):
        receiver.take(push("mo", [mo(mobile=written)]))
        receiver.take(push("report", [report(mobile=written)]))
        for asked in ("13500000000", "+8613500000000"):
            for (row,) in ([*lookup.mos_of_mobile(asked)], [*lookup.reports_of_mobile(asked)]):
                assert row["mobile"] == "13500000000"
                assert row.get("mobile_as_pushed", 13500000000) == written


def test_every_value_of_json_data_is_taken_in(receiver: Receiver) -> None:
    pushed = push("report", [report(1)])
    pushed["body"] += "&" + push("report", [report(2), "bad"])["body"]
    pushed["multiValueQueryStringParameters"] = {"jsonData": [json.dumps([report(3)]), json.dumps([report(4)])]}
    assert receiver.take(pushed).body == "0"
    assert [row["mobile"][-1] for row in receiver.reports()] == ["1", "2", "3", "4"]
    assert [record["raw"] for record in receiver.held()] == ['"bad"']


def test_text_that_a_gateway_has_damaged_is_held(receiver: Receiver) -> None:
    damaged = "同意".encode("gbk").decode("utf-8", "replace")
    assert receiver.take(push("mo", [mo(content=damaged), mo(content="同意")])).body == "0"
    assert [row["content"] for row in receiver.mos()] == ["同意"]
    assert [damaged in record["raw"] for record in receiver.held()] == [True]


def test_utf_8_is_read_as_such_under_a_declared_gbk(receiver: Receiver) -> None:
    pushed = push("mo", [mo(content="同意")])
    pushed["headers"] = {"Content-Type": "application/x-www-form-urlencoded; charset=GBK"}
    assert receiver.take(pushed).body == "0"
    assert [row["content"] for row in receiver.mos()] == ["同意"]


def test_the_time_for_reading_counts(receiver: Receiver) -> None:
    for entries in ([report(number) for number in range(10)], [0] * 10_000):
        answer = receiver.take(push("report", entries), seconds_left=1.0)  # nothing is left but the margin
        assert (answer.status, answer.body, receiver.writes) == (500, "retry", [])
        assert "too large to be read" in answer.log


def test_fields_that_the_spec_does_not_name_are_kept(receiver: Receiver) -> None:
    receiver.take(push("report", [report(operator="移动", segments=[1, 2])]))
    (row,) = receiver.reports()
    assert json.loads(row["extra"]) == {"operator": "移动", "segments": [1, 2]}


@pytest.mark.parametrize("content", ["", "长" * 100_000, "👨‍👩‍👧‍👦🇨🇳" * 500])
def test_mos_that_are_empty_long_or_full_of_emoji_are_rows(receiver: Receiver, content: str) -> None:
    assert receiver.take(push("mo", [mo(content=content)])).body == "0"
    assert [row["content"] for row in receiver.mos()] == [content]


def test_a_push_is_written_in_full_batches_and_nothing_is_read(receiver: Receiver) -> None:
    asked: list[str] = []
    receiver.dynamodb.meta.events.register("before-call.dynamodb", lambda model, **_: asked.append(model.name))
    answer = receiver.take(push("report", [report(number) for number in range(1_010)]))
    assert (answer.status, answer.body) == (200, "0")
    assert asked == ["BatchWriteItem"] * 41
    assert len(receiver.reports()) == 1_010


def test_a_rotated_password_is_taken_at_its_first_use(receiver: Receiver) -> None:
    receiver.take(push("report", [report(1)]))
    receiver.uptime += 60
    receiver.rotate("new password")
    assert receiver.take(push("report", [report(2)], pwd="new password")).status == 200
    assert receiver.take(push("report", [report(3)])).status == 403


def test_a_flood_of_wrong_passwords_looks_at_the_secret_once_a_minute(receiver: Receiver) -> None:
    looks: list[str] = []
    receiver.secrets.meta.events.register(
        "before-parameter-build.secrets-manager.GetSecretValue", lambda **_: looks.append("look")
    )
    for _ in range(300):
        assert receiver.take(push("report", [], pwd="guess")).status == 403
        receiver.uptime += 1
    assert len(looks) == 5


def test_no_log_has_a_password_a_content_or_a_whole_mobile(receiver: Receiver) -> None:
    secrets = ["私房话", "13512345678", "pa55word"]
    receiver.rotate("pa55word")
    entries: list[Any] = [
        mo(mobile="13512345678", content="私房话"),
        {"mobile": "13512345678", "content": "私房话"},
    ]
    log = "".join(
        receiver.take(push(kind, what, pwd="pa55word")).log
        for kind, what in [("mo", entries), ("mo", "[" + json.dumps(entries)), ("私房话", entries)]
    )
    assert len(receiver.held()) == 3
    assert log
    assert not [secret for secret in secrets if secret in log or json.dumps(secret)[1:-1] in log]


def test_a_secret_that_cannot_be_used_is_no_reason_to_lose_a_push(receiver: Receiver) -> None:
    receiver.secrets.put_secret_value(SecretId=receiver.secret, SecretString='{"uid": "abc", "pwd": ""}')
    answer = receiver.take(push("report", [report()]))
    assert (answer.status, answer.body) == (500, "retry")
    assert "pwd is missing, empty, or no string" in answer.log


def test_the_handler_finds_its_account_by_its_environment(
    receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in {
        "PUSH_SECRET_ARN": receiver.secret,
        "REPORTS_TABLE": receiver.names["ReportsTable"],
        "INBOUND_TABLE": receiver.names["InboundTable"],
        "QUARANTINE_TABLE": receiver.names["QuarantineTable"],
        "MOBILES_TABLE": receiver.names["MobilesTable"],
        "RETENTION_DAYS": "1",
    }.items():
        monkeypatch.setenv(name, value)
    receiver.reception = handler._reception.__wrapped__()
    assert receiver.take(push("report", [report()])).body == "0"
    assert len(receiver.reports()) == 1


def test_the_handler_names_every_setting_that_is_missing() -> None:
    with (
        patch.dict("os.environ", clear=True),
        pytest.raises(SettingsMissing, match=r"PUSH_SECRET_ARN.*RETENTION_DAYS"),
    ):
        handler._reception.__wrapped__()


def modules_loaded_by_the_handler() -> set[str]:
    code = (
        "import sys; sys.path[:0] = ['.', 'layers/kuaixintong']; import functions.receiver.handler; "
        "print(*sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={},
        cwd=EVENTS.parent,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.stderr == ""
    return set(done.stdout.split())


def test_importing_the_handler_needs_no_environment_and_loads_nothing_heavy_and_nothing_of_the_senders() -> None:
    loaded = modules_loaded_by_the_handler()
    assert not loaded & {"pydantic", "requests", "moto", "msgspec"}
    senders = {
        "sends",
        "ledger",
        "gate",
        "codec",
        "schedule",
        "claims",
        "submission",
        "admission",
        "client",
        "account",
    }
    ours = {name for name in loaded if name.partition(".")[0] == "kuaixintong"}
    assert not {name for name in ours if senders & {*name.split(".")}}
    assert {"kuaixintong.reception", "kuaixintong.stores.reports"} <= ours


def test_a_report_before_its_token_is_noted_is_in_the_status_as_soon_as_the_token_is(receiver: Receiver) -> None:
    intake, sends = receiver.intake, receiver.names["SendsTable"]
    lookup = Lookup(Parts(DynamoTable(receiver.dynamodb, sends)), intake.reports, intake.inbound)
    part: dict[str, Any] = {"send_id": "order-1", "part": "1", "state": "SUBMITTING", "mobiles": ["13500000000"]}
    receiver.dynamodb.put_item(TableName=sends, Item=to_item(part))
    receiver.take(push("report", [report()]))
    assert lookup.delivery_status("order-1").mobiles == {"13500000000": "pending"}
    receiver.dynamodb.put_item(TableName=sends, Item=to_item(part | {"state": "ACCEPTED", "token": "7331"}))
    assert lookup.delivery_status("order-1").mobiles == {"13500000000": "delivered"}
