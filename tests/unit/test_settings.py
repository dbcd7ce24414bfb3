"""The environment: read once, whole, and everything wrong with it told at once."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from kuaixintong.core.errors import SettingsMissing
from kuaixintong.settings import BalanceSettings, ReceiverSettings, SenderSettings, TableNames
from tests.template import resources

SENDER = {
    "PLATFORM_URL": "https://platform.example/webservice/http/service",
    "PLATFORM_SECRET_ARN": "arn:aws:secretsmanager:…",
    "SENDS_TABLE": "sends",
    "ACCOUNT_TABLE": "account",
    "SEND_QUEUE_URL": "https://queue.example/sends",
    "DEAD_LETTER_QUEUE_URL": "https://queue.example/dead",
    "RECEIVE_LIMIT": "500",
    "LEASE_SECONDS": "90",
    "RETENTION_DAYS": "180",
    "STORE_CONTENT": "true",
    "REPEAT_WITHIN_MINUTES": "60",
    "CONNECT_TIMEOUT_SECONDS": "3",
    "ANSWER_TIMEOUT_SECONDS": "10.5",
}
RECEIVER = {
    "PUSH_SECRET_ARN": "arn:aws:secretsmanager:…",
    "REPORTS_TABLE": "reports",
    "INBOUND_TABLE": "inbound",
    "QUARANTINE_TABLE": "quarantine",
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
    )
}
TABLES = {"SENDS_TABLE": "sends", "REPORTS_TABLE": "reports", "INBOUND_TABLE": "inbound"}

READERS: list[tuple[Callable[[dict[str, str]], Any], dict[str, str]]] = [
    (SenderSettings.read, SENDER),
    (ReceiverSettings.read, RECEIVER),
    (BalanceSettings.read, BALANCE),
    (TableNames.read, TABLES),
]
readers = pytest.mark.parametrize(("read", "environ"), READERS, ids=["sender", "receiver", "balance", "tables"])


def test_the_senders_settings_are_what_its_environment_says() -> None:
    settings = SenderSettings.read(SENDER | {"SOMETHING": "else"})
    assert settings.receive_limit == 500
    assert (settings.lease, settings.connect_timeout, settings.answer_timeout) == (90.0, 3.0, 10.5)
    assert settings.retention == timedelta(days=180)
    assert settings.store_content is True
    assert SenderSettings.read(SENDER | {"STORE_CONTENT": "false"}).store_content is False


@readers
def test_every_missing_name_is_told_at_once(
    read: Callable[[dict[str, str]], Any], environ: dict[str, str]
) -> None:
    with pytest.raises(SettingsMissing) as caught:
        read({})
    for name in environ:
        assert str(caught.value).count(f"{name} is missing") == 1


@readers
def test_an_empty_variable_is_a_missing_one(
    read: Callable[[dict[str, str]], Any], environ: dict[str, str]
) -> None:
    for name in environ:
        with pytest.raises(SettingsMissing, match=f": {name} is missing.$"):
            read(environ | {name: ""})


@pytest.mark.parametrize(
    ("name", "values", "rule"),
    [
        ("RECEIVE_LIMIT", ["0", "-1", "1.5", "many", "inf"], "a whole number above zero"),
        ("RETENTION_DAYS", ["0", "-1", "1.5", "forever"], "a whole number above zero"),
        ("LEASE_SECONDS", ["0", "-1", "1m", "nan", "inf"], "a number of seconds above zero"),
        ("CONNECT_TIMEOUT_SECONDS", ["0", "soon", "nan", "inf"], "a number of seconds above zero"),
        ("ANSWER_TIMEOUT_SECONDS", ["0", "-3", "nan", "inf"], "a number of seconds above zero"),
        ("STORE_CONTENT", ["yes", "True", "1", "no"], "true or false"),
    ],
)
def test_a_malformed_variable_is_told_with_its_rule(name: str, values: list[str], rule: str) -> None:
    for value in values:
        with pytest.raises(SettingsMissing, match=f"{name} must be {rule}"):
            SenderSettings.read(SENDER | {name: value})


def test_a_lease_has_to_outlive_the_function() -> None:
    settings = SenderSettings.read(SENDER)
    settings.check_life(89.9)
    for life in (90.0, 300.0):
        with pytest.raises(SettingsMissing, match=r"LEASE_SECONDS is 90, but the function can live"):
            settings.check_life(life)


@pytest.mark.parametrize(
    ("function", "environ"),
    [("SenderFunction", SENDER), ("ReceiverFunction", RECEIVER), ("BalanceFunction", BALANCE)],
)
def test_the_template_sets_what_a_function_reads(function: str, environ: dict[str, str]) -> None:
    given = resources("AWS::Serverless::Function")[function]["Properties"]["Environment"]["Variables"]
    assert {name for name in given if not name.startswith("POWERTOOLS_")} == {*environ}


def test_a_function_that_lives_shorter_than_a_request_refuses_to_work() -> None:
    settings = SenderSettings.read(SENDER | {"CONNECT_TIMEOUT_SECONDS": "3", "ANSWER_TIMEOUT_SECONDS": "10"})
    settings.check_life(16)
    with pytest.raises(SettingsMissing, match="one request can take 16"):
        settings.check_life(15.9)
