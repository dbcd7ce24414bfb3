"""The account's row: a sequence that never repeats, pauses that end when they should, AWS's errors made ours."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ConnectionClosedError, ReadTimeoutError

from kuaixintong.core import beijing
from kuaixintong.core.codes import Trouble
from kuaixintong.core.errors import StoreUnavailable
from kuaixintong.core.gate import Account, Dear
from kuaixintong.core.lanes import Lane
from kuaixintong.core.pace import ASTRAY, Learnt, Take, plan
from kuaixintong.stores.account import Accounts
from kuaixintong.stores.table import Moved
from tests.aws_faults import Faults, refusal
from tests.gates import gated
from tests.world import CID, DynamoWorld, World

if TYPE_CHECKING:
    from collections.abc import Callable

NOW = datetime(2026, 11, 23, 4, 0, tzinfo=UTC)
SECOND = timedelta(seconds=1)
MINUTE = timedelta(minutes=1)


@pytest.fixture
def accounts(world: World) -> Accounts:
    return Accounts(world.table("AccountTable"))


def account(accounts: Accounts) -> Account:
    return replace(accounts.look(CID), sequence=None, handed=0, mark=None, mark_before=None, probed_at=None)


def reserve(
    accounts: Accounts, cid: str, count: int, *, now: datetime, step: int = 1, lane: Lane = Lane.ORDINARY
) -> tuple[list[int], Account]:
    """Take slots as a process does that has just looked at the account."""
    tick, seen = beijing.ticks(now), accounts.look(cid)
    planned = plan(seen.sequence, now=tick, step=step, wanted=count, lane=lane)
    assert isinstance(planned, Take)
    return accounts.take(cid, planned, step=step, now=tick, last=tick + ASTRAY, seen=seen)


# --- the sequence -----------------------------------------------------------------------------------------------


def test_a_tick_tells_the_time(accounts: Accounts) -> None:
    ticks, known = reserve(accounts, CID, 10, now=NOW)
    assert ticks == list(range(beijing.ticks(NOW), beijing.ticks(NOW) + 10))
    assert beijing.timestamp(ticks[1]) == "202611231200000001"
    assert known == Account(sequence=ticks[-1], handed=10, mark=(ticks[0], 0))


def test_no_tick_is_given_twice_however_clocks_stand(accounts: Accounts) -> None:
    clocks = [0, 0, 0.0003, -5, 0, 30, 29.9995, 30, -20, 30.001, 31]
    taken: list[int] = []
    for count, seconds in enumerate(clocks, start=1):
        taken += reserve(accounts, CID, count, now=NOW + timedelta(seconds=seconds))[0]
    assert taken == sorted(set(taken))


def test_a_sequence_that_is_ahead_of_a_clock_counts_on(accounts: Accounts) -> None:
    first, _ = reserve(accounts, CID, 10, now=NOW + SECOND)
    assert reserve(accounts, CID, 10, now=NOW)[0][0] == first[-1] + 1


def test_slots_are_a_step_apart_whoever_takes_them(accounts: Accounts) -> None:
    first, _ = reserve(accounts, CID, 3, now=NOW, step=500)
    second, _ = reserve(accounts, CID, 2, now=NOW + 0.05 * SECOND, step=500)
    assert [*first, *second] == [beijing.ticks(NOW) + 500 * number for number in range(5)]


def test_slots_are_not_taken_where_another_worker_has_been_since(accounts: Accounts) -> None:
    tick, seen = beijing.ticks(NOW), accounts.look(CID)
    reserve(accounts, CID, 20, now=NOW, step=500)
    for take in (Take(1, behind=True), Take(1, behind=False)):
        with pytest.raises(Moved) as moved:
            accounts.take(CID, take, step=500, now=tick, last=tick + 9_000, seen=seen)
        assert (moved.value.standing or {})["handed"] == 20


def test_slots_are_not_taken_at_a_pace_that_has_been_cut(accounts: Accounts) -> None:
    _, seen = reserve(accounts, CID, 1, now=NOW)
    assert accounts.cut(CID, 10.0, at=beijing.ticks(NOW), seen=seen)
    assert not accounts.cut(CID, 5.0, at=beijing.ticks(NOW + SECOND), seen=seen), "fifty refusals are one cut"
    tick = beijing.ticks(NOW + MINUTE)
    with pytest.raises(Moved):
        accounts.take(CID, Take(1, behind=True), step=1, now=tick, last=tick, seen=seen)
    assert accounts.look(CID).learnt == Learnt(10.0, beijing.ticks(NOW))


def test_how_many_slots_are_handed_out_a_second_is_told_by_a_second_or_more(accounts: Accounts) -> None:
    for tenth in range(32):
        reserve(accounts, CID, 2, now=NOW + 0.1 * tenth * SECOND, step=500)
        if tenth > 10:
            told = accounts.look(CID).handed_out(now=beijing.ticks(NOW + 0.1 * tenth * SECOND))
            assert told == pytest.approx(20, rel=0.1), "also right after a mark"


def test_each_account_has_a_sequence_of_its_own(accounts: Accounts) -> None:
    reserve(accounts, CID, 10, now=NOW + MINUTE)
    assert reserve(accounts, "87654321", 1, now=NOW)[0] == [beijing.ticks(NOW)]


def test_a_block_whose_answer_was_lost_is_never_given_to_another(moto_world: DynamoWorld) -> None:
    accounts = Accounts(moto_world.table("AccountTable"))
    before, _ = reserve(accounts, CID, 10, now=NOW + SECOND)
    lost = ConnectionClosedError(endpoint_url="https://dynamodb")
    faults = Faults(moto_world.dynamodb, "UpdateItem", lambda n: lost if n == 0 else None, after=True)
    first, _ = reserve(accounts, CID, 10, now=NOW)
    assert faults.failed == 1
    assert first[0] >= before[-1] + 10
    assert reserve(accounts, CID, 1, now=NOW)[0] == [first[-1] + 1]


# --- pauses and probes ------------------------------------------------------------------------------------------


def test_a_pause_is_read_back_with_its_reason(accounts: Accounts) -> None:
    assert accounts.pause(CID, Trouble.BALANCE, NOW + MINUTE, by="me", now=NOW)
    assert account(accounts) == Account(pause_reason=Trouble.BALANCE, pause_until=NOW + MINUTE, pauses=1)


def test_of_two_pauses_the_first_holds(accounts: Accounts) -> None:
    accounts.pause(CID, Trouble.BALANCE, NOW + MINUTE, by="me", now=NOW)
    assert not accounts.pause(CID, Trouble.UNREACHABLE, NOW + 5 * MINUTE, by="another", now=NOW + SECOND)
    assert account(accounts).pause_reason is Trouble.BALANCE
    assert accounts.pause(CID, Trouble.UNREACHABLE, NOW + 5 * MINUTE, by="me", now=NOW + MINUTE)
    assert account(accounts) == Account(pause_reason=Trouble.UNREACHABLE, pause_until=NOW + 5 * MINUTE, pauses=2)


def test_one_worker_wins_the_probe_until_it_is_over_or_overdue(accounts: Accounts) -> None:
    lease = 20 * SECOND
    assert accounts.begin_probe(CID, by="me", now=NOW, lease=lease)
    assert not accounts.begin_probe(CID, by="another", now=NOW + 19 * SECOND, lease=lease)
    assert account(accounts).probe_until == NOW + lease
    accounts.end_probe(CID, by="me")
    assert accounts.begin_probe(CID, by="me", now=NOW + SECOND, lease=lease)
    assert accounts.begin_probe(CID, by="me", now=NOW + 22 * SECOND, lease=lease)


@pytest.mark.parametrize("write", ["probe", "dear probe", "pause"])
def test_a_write_that_is_repeated_after_a_lost_answer_knows_itself(moto_world: DynamoWorld, write: str) -> None:
    accounts = Accounts(moto_world.table("AccountTable"))
    dear = Dear(2_000, NOW, NOW)
    accounts.know_dear(CID, dear, seen=None)
    writes: dict[str, Callable[[str], bool]] = {
        "probe": lambda by: accounts.begin_probe(CID, by=by, now=NOW, lease=MINUTE),
        "dear probe": lambda by: accounts.begin_dear_probe(CID, dear, by=by, now=NOW, lease=MINUTE),
        "pause": lambda by: accounts.pause(CID, Trouble.BALANCE, NOW + MINUTE, by=by, now=NOW),
    }
    lost = ConnectionClosedError(endpoint_url="https://dynamodb")
    faults = Faults(moto_world.dynamodb, "UpdateItem", lambda n: lost if n == 0 else None, after=True)
    assert writes[write]("me")
    assert (faults.failed, faults.calls) == (1, 2)
    assert not writes[write]("another")
    assert moto_world.account().get("pauses", 1) == 1


def test_what_is_known_of_the_balance_is_changed_by_whoever_saw_it_last(accounts: Accounts) -> None:
    first, second = Dear(2_000, NOW, NOW + MINUTE), Dear(1_500, NOW + SECOND, NOW + MINUTE, times=2)
    assert accounts.know_dear(CID, first, seen=None)
    assert not accounts.know_dear(CID, second, seen=None)
    assert accounts.know_dear(CID, second, seen=first)
    assert accounts.look(CID).dear == second
    assert not accounts.forget_dear(CID, first)
    assert accounts.forget_dear(CID, second)
    assert accounts.look(CID).dear is None


def test_a_pause_ends_the_probe_and_what_was_in_a_row(accounts: Accounts) -> None:
    accounts.begin_probe(CID, by="me", now=NOW, lease=MINUTE)
    accounts.count(CID, Trouble.UNREACHABLE)
    accounts.count(CID, Trouble.TIMESTAMP)
    accounts.pause(CID, Trouble.UNREACHABLE, NOW + MINUTE, by="me", now=NOW)
    assert account(accounts) == Account(pause_reason=Trouble.UNREACHABLE, pause_until=NOW + MINUTE, pauses=1)


def test_troubles_in_a_row_are_counted_each_kind_for_itself(accounts: Accounts) -> None:
    assert [accounts.count(CID, Trouble.UNREACHABLE) for _ in range(3)] == [1, 2, 3]
    assert accounts.count(CID, Trouble.TIMESTAMP) == 1
    assert account(accounts) == Account(unanswered=3, refused_timestamps=1)
    accounts.end_rows(CID, [Trouble.UNREACHABLE])
    assert account(accounts) == Account(refused_timestamps=1)


def test_a_good_answer_clears_everything_and_proves_the_secret(accounts: Accounts) -> None:
    accounts.pause(CID, Trouble.AUTHENTICATION, NOW + MINUTE, by="me", now=NOW)
    accounts.begin_probe(CID, by="me", now=NOW + MINUTE, lease=MINUTE)
    accounts.count(CID, Trouble.TIMESTAMP)
    assert accounts.clear(CID, "v2", asked_at=NOW + MINUTE)
    assert account(accounts) == Account(proven="v2")


def test_a_good_answer_to_an_older_question_ends_no_newer_pause(accounts: Accounts) -> None:
    accounts.pause(CID, Trouble.BALANCE, NOW + MINUTE, by="me", now=NOW)
    assert not accounts.clear(CID, "v1", asked_at=NOW - SECOND)
    assert not accounts.clear(CID, "v1", asked_at=NOW)
    assert account(accounts).pause_reason is Trouble.BALANCE
    assert accounts.clear(CID, "v1", asked_at=NOW + SECOND)


def remembered(world: World) -> list[Any]:
    found = world.table("AccountTable").get({"cid": f"{CID}:balances"})
    assert found is not None
    balances: list[Any] = found["balances"]
    return balances


def test_balances_are_remembered_beside_the_account_with_their_times(accounts: Accounts, world: World) -> None:
    accounts.remember_balances(CID, sm_balance=5, mm_balance=0, now=NOW)
    accounts.remember_balances(CID, sm_balance=4, mm_balance=None, now=NOW + SECOND)
    assert remembered(world) == [
        ["2026-11-23T12:00:00.000+08:00", 5, 0],
        ["2026-11-23T12:00:01.000+08:00", 4, None],
    ]
    assert world.table("AccountTable").get({"cid": CID}) is None


def test_the_last_300_balances_are_remembered_and_only_a_few_more(accounts: Accounts, world: World) -> None:
    updates = world.happens("AccountTable.update", lambda _: None)
    accounts = Accounts(gated(world.table("AccountTable"), "AccountTable", world.gates))
    for number in range(700):
        accounts.remember_balances(CID, sm_balance=number, mm_balance=0, now=NOW + number * MINUTE)
        known = [each[1] for each in remembered(world)]
        assert known == list(range(number + 1 - len(known), number + 1))
        assert min(number + 1, 300) <= len(known) <= 330
    assert updates.count == 700 + 12


def test_a_balance_that_comes_while_the_list_is_cut_is_not_lost(accounts: Accounts, world: World) -> None:
    for number in range(330):
        accounts.remember_balances(CID, sm_balance=number, mm_balance=0, now=NOW + number * MINUTE)

    def another(call: int) -> None:
        if call == 1:  # the write that cuts
            accounts.remember_balances(CID, sm_balance=331, mm_balance=0, now=NOW + 331 * MINUTE)

    world.happens("AccountTable.update", another)
    ours = Accounts(gated(world.table("AccountTable"), "AccountTable", world.gates))
    ours.remember_balances(CID, sm_balance=330, mm_balance=0, now=NOW + 330 * MINUTE)
    assert [each[1] for each in remembered(world)][-3:] == [329, 330, 331]


def test_balances_are_written_beside_everything_else(accounts: Accounts, world: World) -> None:
    accounts.pause(CID, Trouble.BALANCE, NOW + MINUTE, by="me", now=NOW)
    accounts.check(CID, sm_balance=5, mm_balance=0, now=NOW)
    accounts.check(CID, sm_balance=4, mm_balance=None, now=NOW + SECOND)
    assert world.account() == {
        "cid": CID,
        "pause_reason": "balance",
        "pause_until": "2026-11-23T12:01:00.000+08:00",
        "paused_at": "2026-11-23T12:00:00.000+08:00",
        "paused_by": "me",
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
def test_what_aws_raises_is_ours_and_quotes_nothing(moto_world: DynamoWorld, fault: Any) -> None:
    accounts = Accounts(moto_world.table("AccountTable"))
    Faults(moto_world.dynamodb, "UpdateItem", lambda _: fault)
    calls = (
        lambda: reserve(accounts, CID, 1, now=NOW),
        lambda: accounts.begin_probe(CID, by="me", now=NOW, lease=MINUTE),
        lambda: accounts.end_probe(CID, by="me"),
        lambda: accounts.count(CID, Trouble.UNREACHABLE),
        lambda: accounts.pause(CID, Trouble.BALANCE, NOW + MINUTE, by="me", now=NOW),
        lambda: accounts.clear(CID, "v1", asked_at=NOW),
        lambda: accounts.end_rows(CID, [Trouble.TIMESTAMP]),
        lambda: accounts.check(CID, sm_balance=1, mm_balance=1, now=NOW),
    )
    for call in calls:
        with pytest.raises(StoreUnavailable) as caught:
            call()
        assert "words that may quote a row" not in str(caught.value)
        assert str(caught.value).startswith("DynamoDB")
