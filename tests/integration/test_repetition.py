"""When a timestamp may be repeated and when not; what never left; a time for sending that came too near."""

from datetime import timedelta

import pytest

from kuaixintong.core import beijing
from kuaixintong.core.lanes import Lane
from kuaixintong.core.ledger import State
from tests.fake_platform import Line
from tests.sending import proven
from tests.world import PWD, START, World

SEND = {"id": "order-1", "mobiles": ["13708600860"], "content": "x"}


def elsewhere(world: World, **settings: str) -> Line:
    """Let another platform stand there, which knows nothing of what the one has seen."""
    world.meet(world.open_platform(**settings))
    world.sender = world.new_sender()
    return world.line


def state(world: World) -> tuple[str, str | None]:
    row = world.row("order-1")
    return row["state"], row.get("words")


# --- to whom ----------------------------------------------------------------------------------------------------


def test_a_timestamp_is_not_repeated_to_another_user_of_the_account(world: World) -> None:
    world.line.fates.append("lost")
    world.deliver(SEND)
    world.change_secret(PWD, uid="other")
    line = elsewhere(world, uid="other")  # the platform remembers per user, and knows nothing here
    world.pass_time(minutes=6)
    world.deliver(SEND, receive_count=2)
    assert line.requests == []
    assert state(world)[0] == "UNCONFIRMED"
    assert "user has changed" in (state(world)[1] or "")


def test_nor_to_another_address(world: World) -> None:
    world.line.fates.append("lost")
    world.deliver(SEND)
    line = elsewhere(world)
    line.address = "http://elsewhere"
    world.pass_time(minutes=6)
    world.deliver(SEND, receive_count=2)
    assert line.requests == []
    assert "address has changed" in (state(world)[1] or "")


def test_a_new_password_alone_changes_nothing(world: World) -> None:
    line = world.line
    line.fates.append("lost")
    world.deliver(SEND)
    first = line.requests[0]["timestamp"]
    world.change_secret("another")
    world.platform.change({"pwd": "another"})
    world.sender = world.new_sender()
    world.pass_time(minutes=6)
    world.deliver(SEND, receive_count=2)
    assert line.requests[1]["timestamp"] == first


# --- how long ---------------------------------------------------------------------------------------------------


def test_within_the_hour_the_platform_itself_refuses_the_repetition(world: World) -> None:
    line = world.line
    line.fates.append("lost")
    world.deliver(SEND)
    world.pass_time(minutes=59)
    world.deliver(SEND, receive_count=2)
    assert len(line.requests) == 2
    assert state(world)[0] == "UNCONFIRMED"
    assert world.accepted() == SEND["mobiles"]


def test_after_the_hour_nobody_is_asked(world: World) -> None:
    line = world.line
    line.fates.append("lost")
    world.deliver(SEND)
    world.pass_time(minutes=61)
    world.deliver(SEND, receive_count=2)
    assert len(line.requests) == 1
    assert state(world)[0] == "UNCONFIRMED"
    assert "60 minutes" in (state(world)[1] or "")


@pytest.mark.parametrize("seconds", [1, 3], ids=["within the hour", "after it"])
def test_a_claim_that_takes_until_the_hour_is_over_asks_nobody(world: World, seconds: int) -> None:
    line = world.line
    line.fates.append("lost")
    world.deliver(SEND)
    world.now = START + timedelta(minutes=60, seconds=-2)
    world.happens("SendsTable.update", lambda _: world.pass_time(seconds=seconds), after=True)
    progress = world.deliver(SEND, receive_count=2)
    assert len(line.requests) == (2 if seconds == 1 else 1)
    assert progress.states == {State.UNCONFIRMED: 1}, "the platform has said so, or nobody knows"
    row = world.row("order-1")
    assert ("60 minutes" in row["words"], row["unanswered"]) == ((False, 1) if seconds == 1 else (True, 1))


def test_without_the_bound_a_platform_that_forgets_would_accept_twice(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    line = world.line
    line.fates.append("lost")
    world.deliver(SEND)
    world.platform._timestamps.clear()
    world.pass_time(days=2)
    world.repeat_within = timedelta(days=9)
    world.sender = world.new_sender()
    world.deliver(SEND, receive_count=2)
    assert len(world.accepted()) == 2, "what the bound saves us from"


# --- atTime -----------------------------------------------------------------------------------------------------


def at(seconds: float) -> str:
    return beijing.iso(START + timedelta(seconds=seconds))[:19].replace("T", " ")


def test_a_time_that_has_passed_by_the_platforms_clock_is_sent_at_once(world: World) -> None:
    line = world.line
    line.ahead = timedelta(seconds=10)
    world.deliver(SEND | {"atTime": at(8)})
    assert [each["atTime"] for each in line.requests] == [at(8), ""]
    assert len({each["timestamp"] for each in line.requests}) == 2
    assert state(world)[0] == "ACCEPTED"
    assert world.row("order-1")["at_time_over"]


def test_a_refused_time_that_is_not_near_is_refused_for_good(world: World) -> None:
    line = world.line
    line.ahead = timedelta(minutes=10)
    world.deliver(SEND | {"atTime": at(60)})
    assert len(line.requests) == 1
    assert state(world)[0] == "REJECTED"


def test_a_request_without_a_time_that_is_refused_for_its_time_does_not_go_round(world: World) -> None:
    line = world.line
    line.fates += [330, 330, 330]
    world.deliver(SEND | {"atTime": at(8)})
    assert [each["atTime"] for each in line.requests] == [at(8), ""]
    assert state(world) == ("REJECTED", "定时时间不正确")


# --- what never left --------------------------------------------------------------------------------------------


def test_what_never_left_expires_and_is_not_in_doubt(world: World) -> None:
    world.line.fates += ["unsent"] * 20
    body = SEND | {"validUntil": at(60)}
    world.deliver(body)
    assert state(world) == ("WAITING", "nobody listens")
    assert world.row("order-1")["unanswered"] == 0
    world.pass_time(minutes=2)
    world.deliver(body, receive_count=2)
    assert state(world)[0] == "EXPIRED"


def test_what_never_left_after_a_lost_answer_stays_in_doubt(world: World) -> None:
    line = world.line
    line.fates += ["lost", "unsent"]
    for count in (1, 2):
        world.deliver(SEND, receive_count=count)
        world.pass_time(minutes=6)
    assert (state(world)[0], world.row("order-1")["unanswered"]) == ("SUBMITTING", 1)
    world.deliver(SEND, receive_count=3)
    assert state(world)[0] == "UNCONFIRMED"
    assert len({each["timestamp"] for each in line.requests}) == 1


def test_refused_connections_pause_the_account_as_unreachable(world: World) -> None:
    world.line.fates.append("unsent")
    progress = world.deliver(SEND)
    assert [*progress.pauses] == ["unreachable"]


def test_a_slot_that_comes_after_the_hour_asks_nobody(world: World) -> None:
    world.requests_per_second = 0.2  # slots five seconds apart
    line = proven(world)
    line.fates.append("lost")
    world.deliver(SEND)
    world.sender = world.new_sender(lane=Lane.URGENT)
    asked_at = beijing.from_iso(world.row("order-1")["asked_at"])
    world.now = asked_at + timedelta(minutes=60, seconds=-3)
    world.happens("SendsTable.update", lambda _: world.pass_time(seconds=1), after=True)  # its slot is missed
    assert world.deliver(SEND, receive_count=2).states == {State.UNCONFIRMED: 1}
    assert world.now > asked_at + timedelta(minutes=60)
    assert len(line.requests) == 1


# --- validUntil, right before the request -----------------------------------------------------------------------


@pytest.mark.parametrize(("lost_before", "end"), [(False, State.EXPIRED), (True, State.UNCONFIRMED)])
def test_validity_that_ends_while_the_claim_is_written_ends_the_part(
    world: World, lost_before: bool, end: State
) -> None:
    line = world.line
    body = SEND | {"validUntil": at(3600)}
    if lost_before:
        line.fates.append("lost")
        world.deliver(body)
    world.now = START + timedelta(seconds=3599)
    world.happens("SendsTable.*", lambda _: world.pass_time(seconds=2), after=True)
    asked = len(line.requests)
    progress = world.deliver(body, receive_count=2)
    assert progress.states == {end: 1}
    assert len(line.requests) == asked
    assert world.row("order-1")["state"] == end
    assert "lease_until" not in world.row("order-1")
