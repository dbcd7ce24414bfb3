"""``validUntil`` and ``atTime``: what comes too late is never sent, and what is due is sent at once."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from kuaixintong.core.ledger import Attention, State
from tests.fake_platform import Fate, Line
from tests.sending import (
    BODY,
    IN_AN_HOUR,
    MOBILE,
    states,
)
from tests.world import START, World

# --- validity ----------------------------------------------------------------------------------------------------


def with_validity(**changes: Any) -> dict[str, Any]:
    return BODY | {"validUntil": IN_AN_HOUR} | changes


def test_a_send_past_its_validity_is_never_sent(world: World, line: Line) -> None:
    world.pass_time(hours=1)
    assert world.deliver(with_validity()).states == {State.EXPIRED: 1}
    assert line.requests == []
    assert (states(world), "attention" in world.row()) == ({"1": "EXPIRED"}, False)


def test_a_send_is_sent_until_its_validity_ends(world: World) -> None:
    world.pass_time(seconds=3_599.999)
    world.deliver(with_validity())
    assert world.accepted() == [MOBILE]


@pytest.mark.parametrize(
    ("fates", "state", "attention"),
    [
        ([1], "EXPIRED", None),
        ([230], "EXPIRED", None),
        ([400], "EXPIRED", None),
        (["never"], "UNCONFIRMED", "UNCONFIRMED"),
        (["lost"], "UNCONFIRMED", "UNCONFIRMED"),
        (["held", 1], "UNCONFIRMED", "UNCONFIRMED"),
        (["never", 400], "UNCONFIRMED", "UNCONFIRMED"),
    ],
)
def test_validity_that_ends_while_a_part_waits_ends_it_without_a_call(
    world: World, line: Line, fates: list[Fate], state: str, attention: str | None
) -> None:
    line.fates += fates
    for count in range(len(fates)):
        world.deliver(with_validity(), receive_count=count + 1)
    world.pass_time(hours=1)
    delivery = world.deliver(with_validity(), receive_count=9)
    assert delivery.again is None
    assert len(line.requests) == len(fates)
    row = world.row()
    assert (row["state"], row.get("attention")) == (state, attention)
    assert delivery.attention == ({Attention(attention): 1} if attention else {})


def test_what_was_accepted_in_time_stays_accepted(world: World) -> None:
    world.deliver(with_validity())
    world.pass_time(hours=2)
    world.deliver(with_validity(), receive_count=2)
    assert states(world) == {"1": "ACCEPTED"}


def test_a_message_comes_back_from_a_pause_when_its_validity_ends(world: World, line: Line) -> None:
    line.fates += [250]
    world.deliver(BODY, message_id="m-0")
    delivery = world.deliver(with_validity(validUntil="2026-11-23 12:00:10"))
    assert delivery.again
    assert delivery.again.delay == pytest.approx(11)
    world.pass_time(seconds=11)
    assert world.deliver(with_validity(validUntil="2026-11-23 12:00:10"), receive_count=2).again is None
    assert states(world) == {"1": "EXPIRED"}


def test_validity_that_ends_while_a_request_waits_its_turn_ends_it(world: World, line: Line) -> None:
    world.pass_time(minutes=59)
    # Each answer of the account's row takes two minutes; by then it is too late to ask the platform.
    world.happens("AccountTable.update", lambda _: world.pass_time(minutes=2))
    assert world.deliver(with_validity(), seconds=600).states == {State.EXPIRED: 1}
    assert line.requests == []
    assert states(world) == {"1": "EXPIRED"}


def test_a_clock_that_steps_back_at_the_moment_of_expiry_does_no_harm(world: World, line: Line) -> None:
    ticking = iter([timedelta(hours=1)] * 2)  # when the message is taken up, and when its validity is looked at
    world.sender = replace(world.sender, clock=lambda: START + next(ticking, timedelta()))
    assert world.deliver(with_validity()).states == {State.EXPIRED: 1}
    assert line.requests == []


# --- atTime ------------------------------------------------------------------------------------------------------


def test_a_time_to_come_is_handed_on_and_one_gone_by_means_at_once(world: World, line: Line) -> None:
    body = BODY | {"atTime": IN_AN_HOUR}
    line.fates += [1]
    world.deliver(body)
    world.pass_time(hours=1)
    world.deliver(body, receive_count=2)
    assert [request["atTime"] for request in line.requests] == [IN_AN_HOUR, ""]
    assert world.accepted() == [MOBILE]
    assert world.row()["at_time"] == IN_AN_HOUR


def test_a_time_gone_by_is_sent_at_once_unless_validity_has_passed_too(world: World) -> None:
    world.deliver(BODY | {"atTime": "2026-11-22 12:00:00"}, message_id="m-1")
    gone = {"atTime": "2026-11-22 12:00:00", "validUntil": "2026-11-22 13:00:00"}
    world.deliver(BODY | gone, message_id="m-2")
    assert (states(world, "m-1"), states(world, "m-2")) == ({"1": "ACCEPTED"}, {"1": "EXPIRED"})
