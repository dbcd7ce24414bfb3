"""What each answer of the platform makes of a part, and what a lost one does."""

import pytest

from kuaixintong.core.codes import Trouble
from kuaixintong.core.ledger import ADVICE, Attention
from local.simulator.settings import Memory
from tests.fake_platform import Line
from tests.sending import (
    BODY,
    MOBILE,
    bodies,
    remember,
    states,
)
from tests.world import World

memories = pytest.mark.parametrize("memory", list(Memory))


# --- definite answers --------------------------------------------------------------------------------------------


def test_a_busy_platform_is_asked_again_later_with_a_new_timestamp(world: World, line: Line) -> None:
    line.fates += [1, 1]
    first = world.deliver(BODY)
    assert first.again
    assert first.again.delay == pytest.approx(1.5)
    assert states(world) == {"1": "WAITING"}
    second = world.deliver(BODY, receive_count=2)
    assert second.again
    assert second.again.delay == pytest.approx(3)
    world.deliver(BODY, receive_count=3)
    assert world.accepted() == [MOBILE]
    assert len({*line.timestamps}) == 3
    assert [delay for _, delay in world.queue.postponed] == [first.again.delay, second.again.delay]


@pytest.mark.parametrize("code", [300, 320, 330, 340])
def test_what_the_platform_refuses_about_a_request_ends_it(world: World, line: Line, code: int) -> None:
    line.fates += [code]
    assert world.deliver(BODY).again is None
    row = world.row()
    assert (row["state"], row["code"], row.get("attention")) == ("REJECTED", code, None)
    world.deliver(BODY, receive_count=2)
    assert len(line.requests) == 1


@pytest.mark.parametrize("code", [100, 110, 120, 130, 350, 360, 999])
def test_a_disagreement_on_the_protocol_ends_it_and_asks_for_attention(
    world: World, line: Line, code: int
) -> None:
    line.fates += [code]
    delivery = world.deliver(BODY)
    assert delivery.again is None
    assert delivery.attention == {Attention.PROTOCOL: 1}
    row = world.row()
    assert (row["state"], row["code"], row["attention"]) == ("REJECTED", code, "PROTOCOL")
    assert dict(delivery.counts())["AttentionProtocol"] == 1


# --- the lost answer ---------------------------------------------------------------------------------------------


@memories
def test_an_acceptance_whose_answer_was_lost_is_unconfirmed_and_never_sent_again(
    world: World, line: Line, memory: Memory
) -> None:
    remember(world, memory)
    line.fates += ["lost"]
    assert world.deliver_until_done(BODY) == 2
    world.deliver(BODY, receive_count=3)
    assert line.timestamps == [line.timestamps[0]] * 2
    assert world.accepted() == [MOBILE]
    row = world.row()
    assert (row["state"], row["attention"], row["code"]) == ("UNCONFIRMED", "UNCONFIRMED", 230)
    assert row["advice"] == ADVICE[Attention.UNCONFIRMED]
    assert row["timestamp"] == line.timestamps[0]


@memories
def test_a_request_that_never_arrived_is_accepted_at_the_next_try(
    world: World, line: Line, memory: Memory
) -> None:
    remember(world, memory)
    line.fates += ["never", "never"]
    assert world.deliver_until_done(BODY) == 3
    assert line.timestamps == [line.timestamps[0]] * 3
    assert (world.accepted(), states(world)) == ([MOBILE], {"1": "ACCEPTED"})


@memories
def test_a_refusal_whose_answer_was_lost(world: World, line: Line, memory: Memory) -> None:
    remember(world, memory)
    world.platform.change({"balance": 0})
    line.fates += ["lost"]  # the platform says 400, and nobody hears it
    world.deliver(BODY)
    world.platform.change({"balance": 10})
    world.pass_time(minutes=1)
    assert world.deliver(BODY, receive_count=2).again is None
    # A platform that remembers every timestamp refuses it now; one that remembers the accepted ones takes it.
    ends = {Memory.EVERY: ([], "UNCONFIRMED"), Memory.ACCEPTED: ([MOBILE], "ACCEPTED")}
    assert (world.accepted(), world.row()["state"]) == ends[memory]


@memories
def test_a_request_held_up_past_a_later_answer_is_accepted_once_at_most(
    world: World, line: Line, memory: Memory
) -> None:
    remember(world, memory)
    line.fates += ["held", 210]
    for count in (1, 2, 3):
        world.deliver(BODY, receive_count=count)
        world.pass_time(seconds=30)
    line.release()
    assert line.timestamps == [line.timestamps[0]] * 3
    assert len(world.accepted()) <= 1
    assert world.row()["state"] == ("ACCEPTED" if memory is Memory.ACCEPTED else "UNCONFIRMED")


def test_a_lost_answer_keeps_the_row_submitting_and_comes_back_with_backoff(world: World, line: Line) -> None:
    line.fates += ["never"]
    delivery = world.deliver(BODY)
    assert delivery.again
    assert delivery.again.delay == pytest.approx(1.5)
    row = world.row()
    assert (row["state"], row["unanswered"]) == ("SUBMITTING", 1)
    assert "lease_until" not in row


@pytest.mark.parametrize("code", [100, 330, 999])
def test_a_refusal_after_a_lost_acceptance_does_not_say_that_nothing_was_sent(
    world: World, line: Line, code: int
) -> None:
    line.fates += ["lost", code]
    world.deliver_until_done(BODY)
    assert world.accepted() == [MOBILE]
    assert (world.row()["state"], world.row()["code"]) == ("UNCONFIRMED", code)


# --- refused timestamps ------------------------------------------------------------------------------------------


def test_three_fresh_timestamps_refused_in_a_row_pause_the_account_as_a_clock_fault(
    world: World, line: Line
) -> None:
    line.fates += [230, 230, 230]
    for count in (1, 2):
        delivery = world.deliver(BODY, receive_count=count)
        assert delivery.again
        assert delivery.again.delay == 1
        assert not delivery.pauses
    third = world.deliver(BODY, receive_count=3)
    assert third.pauses == {Trouble.TIMESTAMP: 1}
    assert len({*line.timestamps}) == 3
    assert world.account()["pause_reason"] == "timestamp"
    assert states(world) == {"1": "WAITING"}
    world.deliver(BODY, receive_count=4)
    assert len(line.requests) == 3
    world.pass_time(minutes=2)
    world.deliver(BODY, receive_count=5)
    assert world.accepted() == [MOBILE]
    assert "pause_reason" not in world.account()


def test_a_good_answer_between_refused_timestamps_begins_the_count_anew(world: World, line: Line) -> None:
    line.fates += [230, 230, "well", 230, 230]
    for message_id, body in bodies(5):
        world.deliver(body, message_id=message_id)
    assert "pause_reason" not in world.account()


def test_answers_between_refused_timestamps_end_the_row_of_them(world: World, line: Line) -> None:
    line.fates += [230, 1, 230, 1, 230]
    for _ in range(5):
        delivery = world.deliver(BODY)
        assert not delivery.pauses
        assert delivery.again
        world.pass_time(seconds=delivery.again.delay + 2)
    assert world.deliver(BODY).again is None
    assert states(world) == {"1": "ACCEPTED"}
