"""Tickets for requests: whose turn it is, with which timestamp, and what a request's end shows the others."""

from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from kuaixintong.admission import Admission, OutOfBalance, Paused, Shown, Ticket
from kuaixintong.core import beijing
from kuaixintong.core.change import Change
from kuaixintong.core.codes import Trouble
from kuaixintong.core.errors import StoreUnavailable
from kuaixintong.core.rails import Charge
from kuaixintong.stores.account import Accounts
from tests.sending import fails_once
from tests.world import CID, PROBE_LEASE, START, World

ANOTHER = "87654321"


def process(world: World) -> Admission:
    """The admission of a process of its own."""
    return world.new_sender().admission


@pytest.fixture
def admission(world: World) -> Admission:
    return process(world)


def good(admission: Admission, ticket: Ticket) -> None:
    assert admission.leave(ticket, Shown(answered=True, trouble=None, proof=True)) is None


def lost(admission: Admission, ticket: Ticket) -> Trouble | None:
    return admission.leave(ticket, Shown(answered=False, trouble=Trouble.UNREACHABLE, proof=False))


def prove(admission: Admission) -> None:
    good(admission, admission.enter())


def refused(admission: Admission) -> tuple[datetime, Trouble | None]:
    with pytest.raises(Paused) as caught:
        admission.enter()
    return caught.value.until, caught.value.reason


# --- timestamps -------------------------------------------------------------------------------------------------


def test_no_two_tickets_of_any_process_share_a_timestamp(world: World) -> None:
    processes = [process(world) for _ in range(3)]
    for each in processes:
        prove(each)
    timestamps = []
    for number in range(60):
        each = processes[number % 3]
        ticket = each.enter()
        timestamps.append(ticket.timestamp)
        good(each, ticket)
        world.pass_time(milliseconds=50)
    assert len({*timestamps}) == 60


def test_ten_tickets_of_one_second_cost_one_write(world: World, admission: Admission) -> None:
    prove(admission)
    world.pass_time(seconds=2)
    writes = world.happens("AccountTable.update", lambda _: None)
    for _ in range(10):
        prove(admission)
    assert writes.count == 1


def test_a_timestamp_tells_the_time_to_the_second(world: World, admission: Admission) -> None:
    prove(admission)
    for seconds in (0.5, 1.5, 600):
        world.pass_time(seconds=seconds)
        ticket = admission.enter()
        good(admission, ticket)
        told = datetime.strptime(f"{ticket.timestamp[:14]}+0800", "%Y%m%d%H%M%S%z")
        assert abs(told - world.now) <= timedelta(seconds=2)


def test_a_slot_that_was_slept_through_is_given_up_for_another(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.requests_per_second = 2
    prove(process(world))
    too_long = iter([0.5])
    slots = world.new_slots(
        Accounts(world.table("AccountTable")),
        sleep=lambda seconds: world.pass_time(seconds=seconds + next(too_long, 0)),
    )
    monkeypatch.setattr(world, "new_slots", lambda *_, **__: slots)
    ticket = process(world).enter(seconds=10)
    assert next(too_long, None) is None
    assert slots.good(ticket.slot)


@pytest.mark.parametrize(("day", "sent"), [("2026-11-23", True), ("2026-11-22", False)])
def test_a_slot_of_another_day_than_what_it_was_charged_to_is_none(world: World, day: str, sent: bool) -> None:
    world.requests_per_second = 10
    admission = process(world)
    prove(admission)
    ticket = replace(admission.enter(), charged=Charge(day, 1, CID))
    assert admission.at_slot(ticket, seconds=5)  # its own, which the limit was asked for
    world.pass_time(minutes=1)  # it is missed
    assert admission.at_slot(ticket, seconds=5) is sent


def test_the_slower_claims_are_the_earlier_a_ticket_is_given(world: World) -> None:
    world.requests_per_second = 1
    admission = process(world)
    prove(admission)
    ticket = admission.enter(seconds=10)
    assert beijing.moment(ticket.slot.tick) - world.now <= timedelta(seconds=0.05)
    world.pass_time(seconds=0.2)  # so long does its claim take
    assert admission.at_slot(ticket, seconds=10)
    good(admission, ticket)
    early = beijing.moment(admission.enter(seconds=10).slot.tick) - world.now
    assert timedelta(seconds=0.2) <= early <= timedelta(seconds=0.5)


def test_no_slot_is_waited_for_that_comes_too_late(world: World) -> None:
    world.requests_per_second = 1
    admission = process(world)
    prove(admission)
    ticket = admission.enter(seconds=10)
    world.pass_time(minutes=1)  # it is missed, and others have all that come next
    sequence = world.account()["sequence"] + 80 * beijing.TICKS_PER_SECOND
    world.table("AccountTable").update({"cid": CID}, Change({"sequence": sequence}))
    begun = world.now
    assert not admission.at_slot(ticket, seconds=1)
    assert world.now - begun <= timedelta(seconds=1)


# --- probes -----------------------------------------------------------------------------------------------------


def test_with_nothing_known_one_request_goes_first_among_all_processes(world: World, admission: Admission) -> None:
    ticket = admission.enter()
    assert (ticket.probing, ticket.alone) == (True, True)
    other = process(world)
    assert refused(other) == (START + PROBE_LEASE, None)
    good(admission, ticket)
    second = other.enter()
    assert (second.probing, second.alone) == (False, True)  # the account is proven; this process is not yet


def test_a_probe_that_never_comes_back_is_followed_by_another(world: World, admission: Admission) -> None:
    admission.enter()
    other = process(world)
    world.pass_time(seconds=20)
    assert other.enter().probing


@pytest.mark.parametrize("answered", [True, False])
def test_a_probe_that_shows_nothing_lets_the_next_one_go(
    world: World, admission: Admission, answered: bool
) -> None:
    assert admission.leave(admission.enter(), Shown(answered=answered, trouble=None, proof=False)) is None
    assert process(world).enter().probing


def test_a_refused_timestamp_of_a_probe_lets_the_next_one_go(world: World, admission: Admission) -> None:
    ticket = admission.enter()
    assert admission.leave(ticket, Shown(answered=True, trouble=Trouble.TIMESTAMP, proof=False)) is None
    assert process(world).enter().probing


def test_a_lost_probe_pauses_the_account_at_once(world: World, admission: Admission) -> None:
    assert lost(admission, admission.enter()) is Trouble.UNREACHABLE
    assert refused(admission) == (START + timedelta(seconds=20), Trouble.UNREACHABLE)
    assert refused(process(world)) == (START + timedelta(seconds=20), Trouble.UNREACHABLE)


def test_a_probe_that_ends_after_its_time_leaves_the_next_one_alone(world: World, admission: Admission) -> None:
    late = admission.enter()
    other = process(world)
    world.pass_time(seconds=20)
    assert other.enter().probing
    admission.leave(late, Shown(answered=True, trouble=Trouble.TIMESTAMP, proof=False))
    assert refused(process(world)) == (START + 2 * PROBE_LEASE, None)


def test_a_dear_part_that_asked_for_too_long_leaves_the_next_one_alone(world: World) -> None:
    def dear(admission: Admission) -> Ticket:
        return admission.enter(cost=10)

    prove(process(world))
    first, second, third = (process(world) for _ in range(3))
    first.leave(dear(first), Shown(answered=True, trouble=Trouble.BALANCE))
    world.pass_time(minutes=2)
    late = dear(first)
    world.pass_time(seconds=20)
    assert dear(second).of_balance
    first.leave(late, Shown(answered=True))
    with pytest.raises(OutOfBalance, match="below 10 messages"):
        dear(third)


def test_a_dear_part_that_shows_nothing_lets_the_next_one_ask(world: World) -> None:
    prove(process(world))
    first, second = process(world), process(world)
    first.leave(first.enter(cost=10), Shown(answered=True, trouble=Trouble.BALANCE))
    world.pass_time(minutes=2)
    ticket = first.enter(cost=10)
    assert ticket.of_balance
    with pytest.raises(OutOfBalance):
        second.enter(cost=10)
    first.leave(ticket, Shown(answered=False))
    world.pass_time(seconds=2)
    assert second.enter(cost=10).of_balance


def test_who_comes_second_to_a_probe_comes_back_in_a_second(world: World, admission: Admission) -> None:
    other = process(world)

    def win(call: int) -> None:
        if call == 1:  # the first write takes slots, the second the right to probe
            assert other.enter().probing

    world.happens("AccountTable.update", win)
    assert refused(admission) == (world.now + timedelta(seconds=1), None)


def test_another_secret_has_to_be_proven_first(world: World, admission: Admission) -> None:
    prove(admission)
    world.change_secret("new")
    world.pass_time(seconds=299)
    ticket = admission.enter()
    assert (ticket.credentials.pwd, ticket.probing) == ("secret", False)
    good(admission, ticket)
    world.pass_time(seconds=1)  # a secret is cached for five minutes
    ticket = admission.enter()
    assert (ticket.credentials.pwd, ticket.probing) == ("new", True)


def test_after_a_pause_for_authentication_the_probe_carries_the_newest_secret(
    world: World, admission: Admission
) -> None:
    ticket = admission.enter()
    admission.leave(ticket, Shown(answered=True, trouble=Trouble.AUTHENTICATION, proof=False))
    world.change_secret("new")
    world.pass_time(seconds=60)
    assert admission.enter().credentials.pwd == "new"


def test_a_probe_whose_secret_is_found_to_be_another_accounts_is_none(world: World, admission: Admission) -> None:
    admission.leave(admission.enter(), Shown(answered=True, trouble=Trouble.AUTHENTICATION))
    world.change_secret("new", cid=ANOTHER)
    world.pass_time(seconds=60)
    assert refused(admission) == (world.now, None)
    assert "probe_until" not in world.account()
    ticket = admission.enter()
    assert (ticket.credentials.cid, ticket.probing) == (ANOTHER, True)


def test_slots_of_an_account_that_come_after_its_secret_has_changed_are_not_the_new_accounts(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    prove(process(world))
    slots = world.new_slots(Accounts(world.table("AccountTable")))
    monkeypatch.setattr(world, "new_slots", lambda *_, **__: slots)
    admission = process(world)
    prove(admission)
    world.pass_time(minutes=5)
    world.change_secret("another", cid=ANOTHER)
    admission.leave(admission.enter(), Shown())
    slots.take(CID, 1, deadline=world.now.timestamp())  # as another thread does that began before
    ticket = admission.enter()
    assert ticket.credentials.cid == ANOTHER
    assert ticket.account.proven is None
    assert ticket.probing


def test_whether_a_refused_secret_has_changed_is_looked_up(world: World, admission: Admission) -> None:
    ticket = admission.enter()
    assert not admission.changed_secret(ticket)
    world.change_secret("new")
    assert admission.changed_secret(ticket)


# --- what a request's end shows ---------------------------------------------------------------------------------


def test_lost_answers_of_all_processes_count_together(world: World) -> None:
    processes = [process(world) for _ in range(2)]
    for each in processes:
        prove(each)
        prove(each)
    shown = [lost(each, each.enter()) for each in [*processes, *processes, processes[0]]]
    assert shown == [None] * 4 + [Trouble.UNREACHABLE]
    assert refused(processes[1])[1] is Trouble.UNREACHABLE


def test_a_good_answer_makes_lost_ones_count_anew(admission: Admission) -> None:
    prove(admission)
    for _ in range(3):
        for _ in range(4):
            assert lost(admission, admission.enter()) is None
        prove(admission)


def test_an_answer_that_came_from_before_a_pause_does_not_end_it(world: World, admission: Admission) -> None:
    prove(admission)
    early = admission.enter()
    world.pass_time(seconds=1)
    other = process(world)
    prove(other)
    other.leave(other.enter(), Shown(answered=True, trouble=Trouble.BALANCE, proof=False))
    good(admission, early)
    assert world.account()["pause_reason"] == "balance"
    world.pass_time(seconds=2)
    assert refused(admission)[1] is Trouble.BALANCE


def test_of_troubles_side_by_side_the_first_pauses_and_the_rest_find_it_paused(
    world: World, admission: Admission
) -> None:
    prove(admission)
    tickets = [admission.enter() for _ in range(5)]
    shown = [
        admission.leave(ticket, Shown(answered=True, trouble=Trouble.BALANCE, proof=False)) for ticket in tickets
    ]
    assert shown == [Trouble.BALANCE] + [None] * 4
    assert world.account()["pauses"] == 1


def test_a_ticket_handed_back_unused_costs_nothing(world: World, admission: Admission) -> None:
    prove(admission)
    ticket = admission.enter()
    calls = world.happens("*", lambda _: None)
    assert admission.leave(ticket, Shown(answered=False, trouble=None, proof=False)) is None
    assert calls.count == 0


# --- a process's threads ----------------------------------------------------------------------------------------


class Threads:
    """One process with a proven account, whose threads ask for tickets."""

    def __init__(self, world: World, probe_lease: timedelta = PROBE_LEASE) -> None:
        prove(process(world))
        self.admission = world.new_sender(probe_lease=probe_lease).admission
        self._pool = ThreadPoolExecutor(4)

    def ask(self) -> Future[Ticket]:
        return self._pool.submit(self.admission.enter)

    def close(self) -> None:
        self._pool.shutdown()


@pytest.fixture
def threads(world: World) -> Iterator[Threads]:
    threads = Threads(world)
    yield threads
    threads.close()


def waits(future: Future[Ticket]) -> bool:
    """Whether a thread is still waiting for its turn, a moment later."""
    return bool(wait([future], 0.05).not_done)


def test_in_a_process_with_no_good_answer_yet_one_thread_goes_first(threads: Threads) -> None:
    first = threads.ask().result(5)
    assert (first.alone, first.probing) == (True, False)
    others = [threads.ask() for _ in range(3)]
    assert all(waits(each) for each in others)
    good(threads.admission, first)
    tickets = [each.result(5) for each in others]  # side by side: none has left yet
    assert not any(ticket.alone for ticket in tickets)
    assert len({ticket.timestamp for ticket in (first, *tickets)}) == 4


def test_what_the_first_thread_finds_out_keeps_the_others_from_asking(threads: Threads) -> None:
    first = threads.ask().result(5)
    others = [threads.ask() for _ in range(3)]
    threads.admission.leave(first, Shown(answered=True, trouble=Trouble.BALANCE, proof=False))
    for each in others:
        with pytest.raises(Paused, match="balance"):
            each.result(5)


def test_when_the_first_thread_learns_nothing_the_next_goes_alone(threads: Threads) -> None:
    first = threads.ask().result(5)
    other = threads.ask()
    assert waits(other)
    threads.admission.leave(first, Shown(answered=True, trouble=None, proof=False))
    assert other.result(5).alone


def test_a_thread_waits_no_longer_for_another_than_a_probe_can_take(world: World) -> None:
    threads = Threads(world, timedelta(seconds=0.05))
    threads.ask().result(5)
    with pytest.raises(Paused):
        threads.ask().result(5)
    threads.close()


def test_a_store_that_fails_when_the_first_thread_leaves_holds_nobody_up(world: World, threads: Threads) -> None:
    first = threads.ask().result(5)
    other = threads.ask()
    world.happens("AccountTable.update", fails_once)
    with pytest.raises(StoreUnavailable):
        threads.admission.leave(first, Shown(answered=False, trouble=Trouble.UNREACHABLE, proof=False))
    assert other.result(5).alone


def test_a_secret_that_fails_when_a_thread_enters_holds_nobody_up(world: World, threads: Threads) -> None:
    world.happens("secret.get_secret_value", fails_once)
    with pytest.raises(StoreUnavailable):
        threads.ask().result(5)
    assert threads.ask().result(5).alone
