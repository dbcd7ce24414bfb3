"""The environment: read once, whole, and everything wrong with it told at once."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from kuaixintong.core.caps import MOST
from kuaixintong.core.errors import SettingsMissing
from kuaixintong.core.lanes import Lane
from kuaixintong.core.optout_words import Words
from kuaixintong.settings import (
    BalanceSettings,
    CancelSettings,
    DueSettings,
    IntakeSettings,
    RailSettings,
    ReceiverSettings,
    RedriveSettings,
    SenderSettings,
    TableNames,
)
from tests.environment import SENDER
from tests.template import resources

RECEIVER = {
    "PUSH_SECRET_ARN": "arn:aws:secretsmanager:…",
    "REPORTS_TABLE": "reports",
    "INBOUND_TABLE": "inbound",
    "QUARANTINE_TABLE": "quarantine",
    "MOBILES_TABLE": "mobiles",
    "OPT_OUT_WORDS": "",
    "RESUBSCRIBE_WORDS": "",
    "RETENTION_DAYS": "180",
}
BALANCE = {
    name: SENDER[name]
    for name in (
        "PLATFORM_URL",
        "PLATFORM_SECRET_ARN",
        "ACCOUNT_TABLE",
        "CONNECT_TIMEOUT_SECONDS",
        "ANSWER_TIMEOUT_SECONDS",
        "REQUESTS_PER_SECOND",
        "SENDS_TABLE",
        "OUTBOUND_TABLE",
        "RETENTION_DAYS",
    )
} | {"REPORTS_TABLE": "reports", "INFER_ACCEPTED": "true"}
QUEUES = {
    "SEND_QUEUE_URL": "https://queue.example/sends",
    "URGENT_QUEUE_URL": "https://queue.example/urgent",
    "DEAD_LETTER_QUEUE_URL": "https://queue.example/dead",
}
TABLES = {"SENDS_TABLE": "sends", "REPORTS_TABLE": "reports", "INBOUND_TABLE": "inbound"}

MAY_BE_MISSING = {"OPT_OUT_WORDS", "RESUBSCRIBE_WORDS"}
MAY_BE_EMPTY = MAY_BE_MISSING | {"MARKETING_HOURS", "ALLOW_LIST_PARAMETER"}

STORAGE = {name: value for name, value in RECEIVER.items() if name != "PUSH_SECRET_ARN"}

DUE = {"SENDS_TABLE": "sends", "SEND_QUEUE_URL": "https://sqs/sends", "URGENT_QUEUE_URL": "https://sqs/urgent"}
CANCEL = {"SENDS_TABLE": "sends", "CAMPAIGNS_TABLE": "campaigns"}
READERS: list[tuple[Callable[[dict[str, str]], Any], dict[str, str]]] = [
    (SenderSettings.read, SENDER),
    (ReceiverSettings.read, RECEIVER),
    (IntakeSettings.read, STORAGE),
    (BalanceSettings.read, BALANCE),
    (TableNames.read, TABLES),
    (RedriveSettings.read, QUEUES),
    (DueSettings.read, DUE),
    (CancelSettings.read, CANCEL),
]
readers = pytest.mark.parametrize(
    ("read", "environ"),
    READERS,
    ids=["sender", "receiver", "intake", "balance", "tables", "redrive", "due", "cancel"],
)


def test_the_senders_settings_are_what_its_environment_says() -> None:
    assert SenderSettings.read(SENDER | {"SOMETHING": "else"}) == SenderSettings(
        platform_url="https://platform.example/webservice/http/service",
        platform_secret_arn="arn:aws:secretsmanager:…",
        sends_table="sends",
        outbound_table="outbound",
        campaigns_table="campaigns",
        mobiles_table="mobiles",
        account_table="account",
        send_queue_url="https://queue.example/sends",
        dead_letter_queue_url="https://queue.example/dead",
        receive_limit=500,
        lease=90.0,
        retention=timedelta(days=180),
        store_content=True,
        repeat_within=timedelta(minutes=60),
        lane=Lane.ORDINARY,
        requests_per_second=0,
        connect_timeout=3.0,
        answer_timeout=10.5,
        rails=RailSettings(30, 10, 20, 10, 0, ("08:00:00", "21:00:00"), ""),
    )
    assert SenderSettings.read(SENDER | {"STORE_CONTENT": "false"}).store_content is False


def test_the_other_functions_settings_are_what_their_environments_say() -> None:
    storage = IntakeSettings("reports", "inbound", "quarantine", "mobiles", Words.of(), timedelta(days=180))
    assert IntakeSettings.read(STORAGE) == storage
    assert ReceiverSettings.read(RECEIVER) == ReceiverSettings("arn:aws:secretsmanager:…", storage)
    assert TableNames.read(TABLES) == TableNames("sends", "reports", "inbound")
    assert RedriveSettings.read(QUEUES) == RedriveSettings(
        "https://queue.example/sends", "https://queue.example/urgent", "https://queue.example/dead"
    )
    assert BalanceSettings.read(BALANCE) == BalanceSettings(
        platform_url="https://platform.example/webservice/http/service",
        platform_secret_arn="arn:aws:secretsmanager:…",
        account_table="account",
        connect_timeout=3.0,
        answer_timeout=10.5,
        requests_per_second=0.0,
        infer_accepted=True,
        sends_table="sends",
        reports_table="reports",
        outbound_table="outbound",
        retention=timedelta(days=180),
    )


def test_a_reader_may_name_more_tables_and_how_long_reports_are_waited_for() -> None:
    more = {f"{name}_TABLE": name.lower() for name in ("OUTBOUND", "CAMPAIGNS", "MOBILES", "ACCOUNT")}
    assert TableNames.read(TABLES | more | {"REPORTS_WITHIN_HOURS": "1.5"}) == TableNames(
        "sends", "reports", "inbound", "outbound", "campaigns", "mobiles", "account", timedelta(hours=1.5)
    )
    nothing = TableNames.read(TABLES | dict.fromkeys([*more, "REPORTS_WITHIN_HOURS"], ""))
    assert nothing == TableNames("sends", "reports", "inbound")
    assert nothing.reports_within == timedelta(hours=72)


@pytest.mark.parametrize("hours", ["0", "-1", "three", "nan", "inf", "1e300"])
def test_hours_that_are_none_are_told(hours: str) -> None:
    with pytest.raises(SettingsMissing, match=r": REPORTS_WITHIN_HOURS must be a number of hours above zero\.$"):
        TableNames.read(TABLES | {"REPORTS_WITHIN_HOURS": hours})


def test_the_least_and_the_largest_numbers_are_taken() -> None:
    settings = SenderSettings.read(SENDER | {"RECEIVE_LIMIT": "1", "LEASE_SECONDS": "0.001"})
    assert (settings.receive_limit, settings.lease) == (1, 0.001)
    assert SenderSettings.read(SENDER | {"RETENTION_DAYS": "3650"}).retention == timedelta(days=3650)
    assert SenderSettings.read(SENDER | {"REQUESTS_PER_SECOND": "0.5"}).requests_per_second == 0.5
    assert SenderSettings.read(SENDER | {"LANE": "urgent"}).lane is Lane.URGENT


def test_whatever_is_wrong_is_told_in_one_error() -> None:
    wrong = RECEIVER | {"RETENTION_DAYS": "forever", "PUSH_SECRET_ARN": "", "INBOUND_TABLE": ""}
    with pytest.raises(SettingsMissing) as caught:
        ReceiverSettings.read(wrong)
    assert str(caught.value) == (
        "The function's environment: PUSH_SECRET_ARN is missing; INBOUND_TABLE is missing; "
        "RETENTION_DAYS must be a whole number above zero."
    )


@readers
def test_every_missing_name_is_told_at_once(
    read: Callable[[dict[str, str]], Any], environ: dict[str, str]
) -> None:
    with pytest.raises(SettingsMissing) as caught:
        read({})
    for name in environ.keys() - MAY_BE_MISSING:
        assert str(caught.value).count(f"{name} is missing") == 1


@readers
def test_an_empty_variable_is_a_missing_one(
    read: Callable[[dict[str, str]], Any], environ: dict[str, str]
) -> None:
    for name in environ.keys() - MAY_BE_EMPTY:
        with pytest.raises(SettingsMissing, match=f": {name} is missing.$"):
            read(environ | {name: ""})


def test_what_may_be_empty_is_none_or_the_layers_own() -> None:
    rails = SenderSettings.read(SENDER | {"MARKETING_HOURS": "", "ALLOW_LIST_PARAMETER": "a-name"}).rails
    assert (rails.hours, rails.allow_list_parameter) == (None, "a-name")
    assert ReceiverSettings.read(RECEIVER).intake.words == Words.of()
    words = {"OPT_OUT_WORDS": r"\u9000, Stop", "RESUBSCRIBE_WORDS": "GO"}
    assert ReceiverSettings.read(RECEIVER | words).intake.words == Words(
        frozenset({"退", "stop"}), frozenset({"go"})
    )


@pytest.mark.parametrize("words", ["T,,R", "T,", "!", "T,\\u3002", "T,?", "\\u003f", "T?"])
def test_a_word_that_is_none_is_told(words: str) -> None:
    for name in ("OPT_OUT_WORDS", "RESUBSCRIBE_WORDS"):
        with pytest.raises(SettingsMissing, match="must be words without"):
            ReceiverSettings.read(RECEIVER | {name: words})


@pytest.mark.parametrize(
    ("name", "values", "rule"),
    [
        ("RECEIVE_LIMIT", ["0", "-1", "1.5", "many", "inf"], "a whole number above zero"),
        ("RETENTION_DAYS", ["0", "-1", "1.5", "forever", "999999999999"], "a whole number above zero"),
        ("LEASE_SECONDS", ["0", "-1", "1m", "nan", "inf"], "a number of seconds above zero"),
        ("CONNECT_TIMEOUT_SECONDS", ["0", "soon", "nan", "inf"], "a number of seconds above zero"),
        ("ANSWER_TIMEOUT_SECONDS", ["0", "-3", "nan", "inf"], "a number of seconds above zero"),
        ("REPEAT_WITHIN_MINUTES", ["0", "-1", "1.5", "long", "999999999999999"], "a whole number above zero"),
        ("REQUESTS_PER_SECOND", ["-0.1", "nan", "inf", "fast"], "a number that is not below zero"),
        ("LANE", ["URGENT", "otp", "urgent "], "urgent or ordinary"),
        ("INVALID_FOR_DAYS", ["-1", "366", "1.5", "many"], "a whole number from 0 to 365"),
        ("OTP_PER_HOUR", ["-1", str(MOST + 1)], f"a whole number from 0 to {MOST}"),
        ("OTP_PER_DAY", ["-1", str(MOST + 1)], f"a whole number from 0 to {MOST}"),
        ("OTP_VALID_MINUTES", ["-1", "1441"], "a whole number from 0 to 1440"),
        ("DAILY_LIMIT", ["-1", "1e3", "100000000"], "a whole number from 0 to 99999999"),
        ("MARKETING_HOURS", ["8-21", "21:00:00-08:00:00", "08:00:00", "08:00:00-24:00:00"], "two times of day"),
        ("STORE_CONTENT", ["yes", "True", "1", "no"], "true or false"),
    ],
)
def test_a_malformed_variable_is_told_with_its_rule(name: str, values: list[str], rule: str) -> None:
    for value in values:
        with pytest.raises(SettingsMissing, match=f"{name} must be {rule}"):
            SenderSettings.read(SENDER | {name: value})


def test_what_a_look_at_what_is_due_and_a_cancel_need_is_read() -> None:
    assert DueSettings.read(DUE) == DueSettings("sends", "https://sqs/sends", "https://sqs/urgent")
    assert CancelSettings.read(CANCEL) == CancelSettings("sends", "campaigns")


def test_a_lease_has_to_outlive_the_function() -> None:
    settings = SenderSettings.read(SENDER)
    settings.check_life(89.9)
    for life in (90.0, 300.0):
        with pytest.raises(SettingsMissing, match=rf"^LEASE_SECONDS is 90, but the function can live {life:g} "):
            settings.check_life(life)


@pytest.mark.parametrize(
    ("function", "environ"),
    [
        ("SenderFunction", SENDER),
        ("ReceiverFunction", RECEIVER),
        ("BalanceFunction", BALANCE),
        ("DueFunction", DUE),
    ],
)
def test_the_template_sets_what_a_function_reads(function: str, environ: dict[str, str]) -> None:
    given = resources("AWS::Serverless::Function")[function]["Properties"]["Environment"]["Variables"]
    assert {name for name in given if not name.startswith("POWERTOOLS_")} == {*environ}


def test_a_function_that_lives_shorter_than_a_request_refuses_to_work() -> None:
    settings = SenderSettings.read(SENDER | {"CONNECT_TIMEOUT_SECONDS": "3", "ANSWER_TIMEOUT_SECONDS": "10"})
    settings.check_life(16)
    with pytest.raises(SettingsMissing, match="one request can take 16"):
        settings.check_life(15.9)
