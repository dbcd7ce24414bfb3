"""The account's row: a sequence that never repeats, pauses that end when they should, AWS's errors made ours."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from botocore.exceptions import ConnectionClosedError, ReadTimeoutError

from kuaixintong.core import beijing
from kuaixintong.core.codes import Trouble
from kuaixintong.core.errors import StoreUnavailable
from kuaixintong.core.gate import Account
from kuaixintong.stores.account import Accounts
from tests.aws_faults import Faults, refusal
from tests.world import CID, World

NOW = datetime(2026, 11, 23, 4, 0, tzinfo=UTC)
SECOND = timedelta(seconds=1)
MINUTE = timedelta(minutes=1)


@pytest.fixture
def accounts(world: World) -> Accounts:
    return Accounts(world.table("AccountTable"))


def account(accounts: Accounts, now: datetime = NOW) -> Account:
    return accounts.reserve(CID, 1, now=now)[1]


# --- the sequence -----------------------------------------------------------------------------------------------


def test_a_reserved_tick_tells_the_time(accounts: Accounts) -> None:
    first, known = accounts.reserve(CID, 10, now=NOW)
    assert known == Account()
    assert first == beijing.ticks(NOW) + 1
    assert beijing.timestamp(first) == "202611231200000001"


def test_no_tick_is_given_twice_however_clocks_stand(accounts: Accounts) -> None:
    clocks = [0, 0, 0.0003, -5, 0, 60, 59.9995, 60, -3600, 60.001, 61]
    taken: list[int] = []
    for count, seconds in enumerate(clocks, start=1):
        first, _ = accounts.reserve(CID, count, now=NOW + timedelta(seconds=seconds))
        taken += range(first, first + count)
    assert taken == sorted(set(taken))


def test_a_sequence_that_is_ahead_of_a_clock_counts_on(accounts: Accounts) -> None:
    first, _ = accounts.reserve(CID, 10, now=NOW + MINUTE)
    assert accounts.reserve(CID, 10, now=NOW)[0] == first + 10


def test_each_account_has_a_sequence_of_its_own(accounts: Accounts) -> None:
    accounts.reserve(CID, 10, now=NOW + MINUTE)
    assert accounts.reserve("87654321", 1, now=NOW)[0] == beijing.ticks(NOW) + 1


@pytest.mark.parametrize("ahead", [False, True])
def test_a_block_whose_answer_was_lost_is_never_given_to_another(
    accounts: Accounts, world: World, ahead: bool
) -> None:
    start = NOW + MINUTE if ahead else NOW - MINUTE
    before, _ = accounts.reserve(CID, 10, now=start)
    lost = ConnectionClosedError(endpoint_url="https://dynamodb")
    fail = (lambda n: lost if n == 1 else None) if ahead else (lambda n: lost if n == 0 else None)
    faults = Faults(world.dynamodb, "UpdateItem", fail, after=True)
    first, _ = accounts.reserve(CID, 10, now=NOW)
    assert faults.failed == 1
    assert first >= before + 20
    assert accounts.reserve(CID, 1, now=NOW)[0] == first + 10


# --- pauses and probes ------------------------------------------------------------------------------------------


def test_a_pause_is_read_back_with_its_reason(accounts: Accounts) -> None:
    assert accounts.pause(CID, Trouble.BALANCE, NOW + MINUTE, now=NOW)
    assert account(accounts) == Account(pause_reason=Trouble.BALANCE, pause_until=NOW + MINUTE, pauses=1)


def test_of_two_pauses_the_first_holds(accounts: Accounts) -> None:
    accounts.pause(CID, Trouble.BALANCE, NOW + MINUTE, now=NOW)
    assert not accounts.pause(CID, Trouble.UNREACHABLE, NOW + 5 * MINUTE, now=NOW + SECOND)
    assert account(accounts).pause_reason is Trouble.BALANCE
    assert accounts.pause(CID, Trouble.UNREACHABLE, NOW + 5 * MINUTE, now=NOW + MINUTE)
    assert account(accounts) == Account(pause_reason=Trouble.UNREACHABLE, pause_until=NOW + 5 * MINUTE, pauses=2)


def test_one_worker_wins_the_probe_until_it_is_over_or_overdue(accounts: Accounts) -> None:
    lease = 20 * SECOND
    assert accounts.begin_probe(CID, now=NOW, lease=lease)
    assert not accounts.begin_probe(CID, now=NOW + 19 * SECOND, lease=lease)
    assert account(accounts).probe_until == NOW + lease
    accounts.end_probe(CID)
    assert accounts.begin_probe(CID, now=NOW + SECOND, lease=lease)
    assert accounts.begin_probe(CID, now=NOW + 22 * SECOND, lease=lease)


def test_a_pause_ends_the_probe_and_what_was_in_a_row(accounts: Accounts) -> None:
    accounts.begin_probe(CID, now=NOW, lease=MINUTE)
    accounts.count(CID, Trouble.UNREACHABLE)
    accounts.count(CID, Trouble.TIMESTAMP)
    accounts.pause(CID, Trouble.UNREACHABLE, NOW + MINUTE, now=NOW)
    assert account(accounts) == Account(pause_reason=Trouble.UNREACHABLE, pause_until=NOW + MINUTE, pauses=1)


def test_troubles_in_a_row_are_counted_each_kind_for_itself(accounts: Accounts) -> None:
    assert [accounts.count(CID, Trouble.UNREACHABLE) for _ in range(3)] == [1, 2, 3]
    assert accounts.count(CID, Trouble.TIMESTAMP) == 1
    assert account(accounts) == Account(unanswered=3, refused_timestamps=1)
    accounts.end_rows(CID, [Trouble.UNREACHABLE])
    assert account(accounts) == Account(refused_timestamps=1)


def test_a_good_answer_clears_everything_and_proves_the_secret(accounts: Accounts) -> None:
    accounts.pause(CID, Trouble.AUTHENTICATION, NOW + MINUTE, now=NOW)
    accounts.begin_probe(CID, now=NOW + MINUTE, lease=MINUTE)
    accounts.count(CID, Trouble.TIMESTAMP)
    assert accounts.clear(CID, "v2", asked_at=NOW + MINUTE)
    assert account(accounts) == Account(proven="v2")


def test_a_good_answer_to_an_older_question_ends_no_newer_pause(accounts: Accounts) -> None:
    accounts.pause(CID, Trouble.BALANCE, NOW + MINUTE, now=NOW)
    assert not accounts.clear(CID, "v1", asked_at=NOW - SECOND)
    assert not accounts.clear(CID, "v1", asked_at=NOW)
    assert account(accounts).pause_reason is Trouble.BALANCE
    assert accounts.clear(CID, "v1", asked_at=NOW + SECOND)


def test_balances_are_written_beside_everything_else(accounts: Accounts, world: World) -> None:
    accounts.pause(CID, Trouble.BALANCE, NOW + MINUTE, now=NOW)
    accounts.check(CID, sm_balance=5, mm_balance=0, now=NOW)
    accounts.check(CID, sm_balance=4, mm_balance=None, now=NOW + SECOND)
    assert world.account() == {
        "cid": CID,
        "pause_reason": "balance",
        "pause_until": "2026-11-23T12:01:00.000+08:00",
        "paused_at": "2026-11-23T12:00:00.000+08:00",
        "pauses": 1,
        "sm_balance": 4,
        "mm_balance": 0,
        "checked_at": "2026-11-23T12:00:01.000+08:00",
    }


# --- AWS's errors -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "fault",
    [
        refusal("ThrottlingException"),
        refusal("InternalServerError", 500),
        refusal("ResourceNotFoundException"),
        refusal("AccessDeniedException"),
        ReadTimeoutError(endpoint_url="https://dynamodb"),
    ],
    ids=lambda fault: type(fault).__name__,
)
def test_what_aws_raises_is_ours_and_quotes_nothing(accounts: Accounts, world: World, fault: Any) -> None:
    Faults(world.dynamodb, "UpdateItem", lambda _: fault)
    calls = (
        lambda: accounts.reserve(CID, 1, now=NOW),
        lambda: accounts.begin_probe(CID, now=NOW, lease=MINUTE),
        lambda: accounts.end_probe(CID),
        lambda: accounts.count(CID, Trouble.UNREACHABLE),
        lambda: accounts.pause(CID, Trouble.BALANCE, NOW + MINUTE, now=NOW),
        lambda: accounts.clear(CID, "v1", asked_at=NOW),
        lambda: accounts.end_rows(CID, [Trouble.TIMESTAMP]),
        lambda: accounts.check(CID, sm_balance=1, mm_balance=1, now=NOW),
    )
    for call in calls:
        with pytest.raises(StoreUnavailable) as caught:
            call()
        assert "words that may quote a row" not in str(caught.value)
        assert str(caught.value).startswith("DynamoDB")
