"""The account check: what it writes down, what it ends, what it tells metrics and log (contract, section 6)."""

import io
import json
from contextlib import redirect_stdout
from typing import TYPE_CHECKING, Any, cast
from unittest.mock import patch

import pytest

from functions.balance import handler
from kuaixintong.account_check import AccountCheck
from kuaixintong.core.credentials import PlatformCredentials
from kuaixintong.core.errors import CredentialsUnusable
from kuaixintong.stores.account import Accounts
from kuaixintong.stores.secrets import CachedSecret
from tests.receiving import Context, metrics
from tests.sending import fails
from tests.world import CID, PWD, World

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext

SEND = {"mobiles": ["13708600860"], "content": "周末参加不了培训了"}


def checker(world: World) -> AccountCheck:
    secret = CachedSecret(world.secrets, world.secret_arn, PlatformCredentials, max_age=0)
    accounts = Accounts(world.table("AccountTable"))
    return AccountCheck(accounts, secret, world.line, world.new_slots(accounts))


def check(world: World, *, infers: bool = False) -> tuple[dict[str, float], list[dict[str, Any]]]:
    """Let the handler check the account; return its metrics and what it logged."""
    log = io.StringIO()
    with (
        patch.object(handler, "_check", lambda: checker(world)),
        patch.object(handler, "_healing", lambda: world.new_healing() if infers else None),
        patch.object(handler.logger.registered_handler, "stream", log),
        redirect_stdout(log),
    ):
        handler.lambda_handler({}, cast("LambdaContext", Context()))
    lines = [json.loads(line) for line in log.getvalue().splitlines()]
    return metrics(log.getvalue()), [line for line in lines if "_aws" not in line]


# --- balances ---------------------------------------------------------------------------------------------------


def test_a_good_login_writes_the_balances_down_and_when_they_were_true(world: World) -> None:
    measured, _ = check(world)
    row = world.account()
    assert (row["sm_balance"], row["mm_balance"]) == (10_000_000, 0)
    assert row["checked_at"] == "2026-11-23T12:00:00.000+08:00"
    assert measured == {"LoginFailed": 0, "AccountPaused": 0, "SmBalance": 10_000_000, "MmBalance": 0}


def test_balances_of_good_logins_are_remembered_one_after_the_other(world: World) -> None:
    check(world)
    world.deliver(SEND)
    world.pass_time(minutes=5)
    check(world)
    world.platform.settings = world.settings.changed({"account_disabled": True})
    check(world)
    row = world.table("AccountTable").get({"cid": f"{CID}:balances"})
    assert row is not None
    assert [balance[1:] for balance in row["balances"]] == [[10_000_000, 0], [9_999_999, 0]]


def test_the_balance_falls_as_sends_are_accepted(world: World) -> None:
    world.deliver(SEND)
    measured, _ = check(world)
    assert measured["SmBalance"] == 9_999_999


def test_a_failed_login_leaves_the_balances_with_the_time_at_which_they_were_true(world: World) -> None:
    check(world)
    before = world.account()
    world.pass_time(minutes=5)
    world.platform.settings = world.settings.changed({"account_disabled": True})
    measured, [line] = check(world)
    after = world.account()
    assert {name: after[name] for name in ("sm_balance", "mm_balance", "checked_at")} == {
        name: before[name] for name in ("sm_balance", "mm_balance", "checked_at")
    }
    assert measured == {"LoginFailed": 1, "AccountPaused": 0}
    assert (line["level"], line["message"], line["code"]) == ("WARNING", "login failed", 250)


def test_no_answer_is_a_failed_login(world: World) -> None:
    world.line.fates += ["never"]
    measured, [line] = check(world)
    assert measured == {"LoginFailed": 1, "AccountPaused": 0}
    assert (line["no_answer"], line["words"]) == ("reset", "lost on the way")
    assert "code" not in line  # there was none; Powertools leaves out what is None


def test_a_check_tells_what_it_found_and_of_which_account(world: World) -> None:
    found = checker(world).run()
    assert (found.cid, found.good, found.paused, found.lifted) == (CID, True, None, False)
    assert found.unanswered is None
    world.line.fates += ["never"]
    found = checker(world).run()
    assert (found.cid, found.good, found.answer, found.paused, found.lifted) == (CID, False, None, None, False)
    assert found.unanswered is not None


def test_a_check_takes_as_much_of_the_pace_as_a_send(world: World) -> None:
    world.deliver(SEND)
    of_a_send = world.account()["handed"]
    checker(world).run()
    assert world.account()["handed"] == 2 * of_a_send


def test_a_login_shares_no_timestamp_with_a_send(world: World) -> None:
    check(world)
    world.deliver(SEND)
    check(world)
    timestamps = [request["timestamp"] for request in world.line.requests]
    assert len(timestamps) == len(set(timestamps)) == 3


# --- pauses -----------------------------------------------------------------------------------------------------


def pause(world: World, **changes: Any) -> None:
    """Let a send run into a platform that is set differently, and set it right again."""
    world.platform.settings = world.settings.changed(changes)
    world.deliver(SEND)
    assert "pause_reason" in world.account()
    world.platform.settings = world.settings
    world.pass_time(seconds=1)


@pytest.mark.parametrize(
    "changes",
    [{"account_disabled": True}, {"organisation_disabled": True}, {"pwd": "changed"}, {"allowed_sources": ["x"]}],
    ids=["account disabled", "organisation disabled", "authentication", "source address"],
)
def test_a_good_login_ends_a_pause_before_its_time(world: World, changes: dict[str, Any]) -> None:
    pause(world, **changes)
    measured, [line] = check(world)
    assert "pause_reason" not in world.account()
    assert line["lifted"] is True
    assert "paused" not in line
    assert measured["AccountPaused"] == 0
    assert world.deliver(SEND, receive_count=2).again is None
    assert len(world.accepted()) == 1


def test_a_failed_login_leaves_a_pause_as_it_is(world: World) -> None:
    pause(world, account_disabled=True)
    world.platform.settings = world.settings.changed({"account_disabled": True})
    before = world.account()
    measured, _ = check(world)
    after = world.account()
    assert (after["pause_reason"], after["pause_until"]) == ("account disabled", before["pause_until"])
    assert measured == {"LoginFailed": 1, "AccountPaused": 1}


def test_a_pause_is_told_also_where_the_login_has_no_answer(world: World) -> None:
    pause(world, account_disabled=True)
    world.line.fates += ["never"]
    measured, [line] = check(world)
    assert (measured["AccountPaused"], line["paused"]) == (1, "account disabled")


@pytest.mark.parametrize(("balance", "waits"), [(99, True), (100, False)])
def test_a_login_that_shows_enough_lets_a_dear_part_go(world: World, balance: int, waits: bool) -> None:
    world.platform.balance = 50
    world.deliver(SEND, message_id="proof")
    dear = SEND | {"mobiles": [f"138{number:08}" for number in range(100)]}
    assert world.deliver(dear).again
    assert world.account()["dear_cost"] == 100
    world.platform.balance = balance
    world.pass_time(seconds=1)
    check(world)
    assert ("dear_cost" in world.account()) is waits


def test_a_pause_for_the_balance_ends_when_there_is_one(world: World) -> None:
    world.platform.balance = 0
    world.deliver(SEND)
    world.pass_time(seconds=1)
    measured, [line] = check(world)
    assert world.account()["pause_reason"] == "balance"
    assert (line["lifted"], measured["AccountPaused"], measured["SmBalance"]) == (False, 1, 0)
    world.platform.balance = 1
    world.pass_time(seconds=1)
    _, [line] = check(world)
    assert "pause_reason" not in world.account()
    assert line["lifted"] is True


# --- the secret -------------------------------------------------------------------------------------------------


def test_a_rotated_secret_is_tried_at_once(world: World) -> None:
    world.platform.settings = world.settings.changed({"pwd": "rotated"})
    assert check(world)[0]["LoginFailed"] == 1
    world.change_secret("rotated")
    world.pass_time(seconds=1)
    assert check(world)[0]["LoginFailed"] == 0


def test_the_secret_that_waits_to_be_filled_in_is_an_error_that_names_its_fields_and_not_its_values(
    world: World,
) -> None:
    placeholder = json.dumps({"cid": CID, "uid": "", "pwd": ""})
    world.secrets.put_secret_value(SecretId=world.secret_arn, SecretString=placeholder)
    with pytest.raises(CredentialsUnusable, match="uid, pwd"), pytest.warns(UserWarning, match="No application"):
        check(world)
    assert world.line.requests == []


def test_nothing_secret_is_logged(world: World) -> None:
    _, lines = check(world)
    [request] = world.line.requests
    log = json.dumps(lines)
    assert [word for word in (PWD, request["pwd"]) if word in log] == []


# --- acceptances that reports prove -----------------------------------------------------------------------------


def unconfirmed(world: World) -> str:
    """Let a part be accepted, its answer be lost, its time be over and its report come; return its token."""
    check(world)
    body = SEND | {"id": "13708600860-1", "validUntil": "2026-11-23 12:05:00"}
    world.line.fates.append("lost")
    world.deliver(body)
    world.pass_time(minutes=10)
    world.deliver(body, receive_count=2)
    [message] = world.platform.messages
    world.push(message)
    world.pass_time(minutes=15)
    return str(message.token)


def test_a_check_infers_acceptances_that_reports_prove_and_counts_them(world: World) -> None:
    token = unconfirmed(world)
    measured, lines = check(world, infers=True)
    assert (world.row("13708600860-1")["state"], world.row("13708600860-1")["token"]) == ("ACCEPTED", token)
    assert (measured["PartsInferred"], measured["InferenceResting"]) == (1, 0)
    assert [line["parts"] for line in lines if line["message"] == "acceptances inferred"] == [["137****0860-1 1"]]
    measured, lines = check(world, infers=True)
    assert measured["PartsInferred"] == 0
    assert [line["message"] for line in lines] == ["login"]


def test_where_it_is_switched_off_nothing_is_inferred(world: World) -> None:
    unconfirmed(world)
    measured, _ = check(world)
    assert world.row("13708600860-1")["state"] == "UNCONFIRMED"
    assert "PartsInferred" not in measured


def test_a_check_says_that_inference_rests_as_long_as_it_does(world: World) -> None:
    token = unconfirmed(world)
    world.report("777", "13708600860")
    world.report("777", "13655555555")
    world.pass_time(minutes=15)
    measured, lines = check(world, infers=True)
    assert (measured["PartsInferred"], measured["InferenceResting"]) == (0, 1)
    [line] = [line for line in lines if line["message"] == "inference rests"]
    assert (line["level"], "777" in line["why"], token in line["why"]) == ("WARNING", True, False)
    assert "13655555555" not in json.dumps(lines)
    measured, lines = check(world, infers=True)
    assert measured["InferenceResting"] == 1
    assert [line["message"] for line in lines] == ["login"]


def test_a_failed_login_keeps_nothing_from_being_inferred(world: World) -> None:
    unconfirmed(world)
    world.line.fates.append("never")
    assert check(world, infers=True)[0]["PartsInferred"] == 1


def test_a_store_that_fails_breaks_the_look_off_and_not_the_check(world: World) -> None:
    unconfirmed(world)
    world.happens("ReportsTable.query", fails)
    measured, lines = check(world, infers=True)
    assert measured["SmBalance"] == 9_999_999
    assert "PartsInferred" not in measured
    assert [line["message"] for line in lines] == ["login", "inference broken off"]
