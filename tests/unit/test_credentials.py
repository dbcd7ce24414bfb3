"""Secrets' values: read whole or refused by field, equal by what they say, and never shown."""

import json
import traceback
from typing import Any

import pytest

from kuaixintong.core.credentials import Credentials, PlatformCredentials, PushCredentials
from kuaixintong.core.errors import CredentialsUnusable

PLATFORM = {"cid": "12345678", "uid": "test", "pwd": "a-password"}
PUSH = {"uid": "abc", "pwd": "a-password"}


def test_a_secret_is_read_by_its_fields() -> None:
    assert PlatformCredentials.parse(json.dumps(PLATFORM), "v1") == PlatformCredentials("v1", **PLATFORM)
    assert PushCredentials.parse(json.dumps(PUSH), "v1") == PushCredentials("v1", **PUSH)


def test_more_fields_than_needed_do_no_harm() -> None:
    credentials = PushCredentials.parse(json.dumps(PUSH | {"note": "rotated in May"}), "v1")
    assert (credentials.uid, credentials.pwd, credentials.version) == ("abc", "a-password", "v1")


@pytest.mark.parametrize("value", ["", None, 12345678, [], True])
def test_a_field_that_is_missing_empty_or_no_text_is_named(value: Any) -> None:
    for secret in (PLATFORM | {"cid": value}, {name: PLATFORM[name] for name in ("uid", "pwd")}):
        with pytest.raises(CredentialsUnusable, match="field cid is missing, empty, or no string"):
            PlatformCredentials.parse(json.dumps(secret), "v1")


def test_all_fields_at_fault_are_named_at_once() -> None:
    with pytest.raises(CredentialsUnusable, match="field cid, uid, pwd is"):
        PlatformCredentials.parse("{}", "v1")


@pytest.mark.parametrize("text", ["", "a-password", '{"pwd": "a-password"', '["a-password"]', '"a-password"', "1"])
def test_a_secret_that_is_no_json_object_is_refused_without_a_word_of_it(text: str) -> None:
    with pytest.raises(CredentialsUnusable, match="no JSON object with the fields cid, uid, pwd") as caught:
        PlatformCredentials.parse(text, "v1")
    told = "".join(traceback.format_exception(caught.value))
    assert "a-password" not in told


@pytest.mark.parametrize(
    "credentials", [PlatformCredentials("v1", **PLATFORM), PushCredentials("v1", **PUSH)], ids=["platform", "push"]
)
def test_a_password_masks_itself(credentials: Credentials) -> None:
    for shown in (
        repr(credentials),
        str(credentials),
        f"{credentials}",
        repr([credentials]),
        repr({1: credentials}),
    ):
        assert "a-password" not in shown
        assert credentials.version in shown


def test_a_version_is_no_part_of_what_credentials_say() -> None:
    assert PushCredentials("v1", **PUSH) == PushCredentials("v2", **PUSH)
    assert PushCredentials("v1", **PUSH) != PushCredentials("v1", "abc", "another")
