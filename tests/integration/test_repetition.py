"""When a timestamp may be repeated and when not; what never left; a time for sending that came too near."""

from datetime import timedelta
from typing import Any

import pytest

from kuaixintong.core import beijing
from kuaixintong.core.errors import NoAnswer, Unanswered
from kuaixintong.core.ledger import State
from kuaixintong.core.messages import Answer, Login, SendSm
from tests.world import PWD, START, DirectLine, QuickWorld

SEND = {"id": "order-1", "mobiles": ["13708600860"], "content": "x"}
LOST = NoAnswer("The answer was lost.", Unanswered.RESET)
REFUSED = NoAnswer("The connection was refused.", Unanswered.REFUSED, left=False)


class Line(DirectLine):
    """A line on which chosen requests go wrong: an error is raised after the platform has acted, or instead."""

    def __init__(self, world: QuickWorld, *fates: NoAnswer | None, acts: bool = True) -> None:
        super().__init__(world.platform, lambda: world.now + self.ahead)
        self.fates = list(fates)
        self.acts = acts
        self.ahead = timedelta()
        world.sender = world.new_sender(platform=self)

    def ask(self, request: Login | SendSm, credentials: Any, timestamp: str) -> Answer:
        fate = self.fates.pop(0) if self.fates else None
        if fate and not (self.acts and fate.left):
            raise fate
        answer = super().ask(request, credentials, timestamp)
        if fate:
            raise fate
        return answer


@pytest.fixture
def world() -> QuickWorld:
    return QuickWorld()


def state(world: QuickWorld) -> tuple[str, str | None]:
    row = world.row("order-1")
    return row["state"], row.get("words")


# --- to whom ----------------------------------------------------------------------------------------------------


def test_a_timestamp_is_not_repeated_to_another_user_of_the_account(world: QuickWorld) -> None:
    Line(world, LOST)
    world.deliver(SEND)
    world.change_secret(PWD, uid="other")
    world.platform = world.open_platform(uid="other")  # the platform remembers per user, and knows nothing here
    line = Line(world)
    world.pass_time(minutes=6)
    world.deliver(SEND, receive_count=2)
    assert line.requests == []
    assert state(world)[0] == "UNCONFIRMED"
    assert "user has changed" in (state(world)[1] or "")


def test_nor_to_another_address(world: QuickWorld) -> None:
    Line(world, LOST)
    world.deliver(SEND)
    world.platform = world.open_platform()
    line = Line(world)
    line.address = "http://elsewhere"
    world.pass_time(minutes=6)
    world.deliver(SEND, receive_count=2)
    assert line.requests == []
    assert "address has changed" in (state(world)[1] or "")


def test_a_new_password_alone_changes_nothing(world: QuickWorld) -> None:
    line = Line(world, LOST)
    world.deliver(SEND)
    first = line.requests[0]["timestamp"]
    world.change_secret("another")
    world.platform.change({"pwd": "another"})
    world.sender = world.new_sender(platform=line)
    world.pass_time(minutes=6)
    world.deliver(SEND, receive_count=2)
    assert line.requests[1]["timestamp"] == first


# --- how long ---------------------------------------------------------------------------------------------------


def test_within_the_hour_the_platform_itself_refuses_the_repetition(world: QuickWorld) -> None:
    line = Line(world, LOST)
    world.deliver(SEND)
    world.pass_time(minutes=59)
    world.deliver(SEND, receive_count=2)
    assert len(line.requests) == 2
    assert state(world)[0] == "UNCONFIRMED"
    assert world.accepted() == SEND["mobiles"]


def test_after_the_hour_nobody_is_asked(world: QuickWorld) -> None:
    line = Line(world, LOST)
    world.deliver(SEND)
    world.pass_time(minutes=61)
    world.deliver(SEND, receive_count=2)
    assert len(line.requests) == 1
    assert state(world)[0] == "UNCONFIRMED"
    assert "60 minutes" in (state(world)[1] or "")


def test_without_the_bound_a_platform_that_forgets_would_accept_twice(
    world: QuickWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    line = Line(world, LOST)
    world.deliver(SEND)
    world.platform._timestamps.clear()
    world.pass_time(days=2)
    world.repeat_within = timedelta(days=9)
    world.sender = world.new_sender(platform=line)
    world.deliver(SEND, receive_count=2)
    assert len(world.accepted()) == 2, "what the bound saves us from"


# --- atTime -----------------------------------------------------------------------------------------------------


def at(seconds: float) -> str:
    return beijing.iso(START + timedelta(seconds=seconds))[:19].replace("T", " ")


def test_a_time_that_has_passed_by_the_platforms_clock_is_sent_at_once(world: QuickWorld) -> None:
    line = Line(world)
    line.ahead = timedelta(seconds=10)
    world.deliver(SEND | {"atTime": at(8)})
    assert [each["atTime"] for each in line.requests] == [at(8), ""]
    assert len({each["timestamp"] for each in line.requests}) == 2
    assert state(world)[0] == "ACCEPTED"
    assert world.row("order-1")["at_time_over"]


def test_a_refused_time_that_is_not_near_is_refused_for_good(world: QuickWorld) -> None:
    line = Line(world)
    line.ahead = timedelta(minutes=10)
    world.deliver(SEND | {"atTime": at(60)})
    assert len(line.requests) == 1
    assert state(world)[0] == "REJECTED"


def test_a_request_without_a_time_that_is_refused_for_its_time_does_not_go_round(world: QuickWorld) -> None:
    class Stubborn(Line):
        def ask(self, request: Login | SendSm, credentials: Any, timestamp: str) -> Answer:
            super().ask(request, credentials, timestamp)
            return Answer(330, "定时时间不正确")

    line = Stubborn(world)
    world.deliver(SEND | {"atTime": at(8)})
    assert [each["atTime"] for each in line.requests] == [at(8), ""]
    assert state(world) == ("REJECTED", "定时时间不正确")


# --- what never left --------------------------------------------------------------------------------------------


def test_what_never_left_expires_and_is_not_in_doubt(world: QuickWorld) -> None:
    Line(world, *[REFUSED] * 20)
    body = SEND | {"validUntil": at(60)}
    world.deliver(body)
    assert state(world) == ("WAITING", "The connection was refused.")
    assert world.row("order-1")["unanswered"] == 0
    world.pass_time(minutes=2)
    world.deliver(body, receive_count=2)
    assert state(world)[0] == "EXPIRED"


def test_what_never_left_after_a_lost_answer_stays_in_doubt(world: QuickWorld) -> None:
    line = Line(world, LOST, REFUSED)
    for count in (1, 2):
        world.deliver(SEND, receive_count=count)
        world.pass_time(minutes=6)
    assert (state(world)[0], world.row("order-1")["unanswered"]) == ("SUBMITTING", 1)
    world.deliver(SEND, receive_count=3)
    assert state(world)[0] == "UNCONFIRMED"
    assert len({each["timestamp"] for each in line.requests}) == 1


def test_refused_connections_pause_the_account_as_unreachable(world: QuickWorld) -> None:
    Line(world, REFUSED)
    progress = world.deliver(SEND)
    assert [*progress.pauses] == ["unreachable"]


# --- validUntil, right before the request -----------------------------------------------------------------------


@pytest.mark.parametrize(("lost_before", "end"), [(False, State.EXPIRED), (True, State.UNCONFIRMED)])
def test_validity_that_ends_while_the_claim_is_written_ends_the_part(
    world: QuickWorld, lost_before: bool, end: State
) -> None:
    line = Line(world, *([LOST] if lost_before else []))
    body = SEND | {"validUntil": at(3600)}
    if lost_before:
        world.deliver(body)
    world.now = START + timedelta(seconds=3599)
    table = world.memory["SendsTable"]
    for name in ("put", "update"):
        monkey = getattr(table, name)

        def slow(*values: Any, write: Any = monkey, **named: Any) -> Any:
            world.now = START + timedelta(seconds=3601)
            return write(*values, **named)

        setattr(table, name, slow)
    asked = len(line.requests)
    progress = world.deliver(body, receive_count=2)
    assert progress.states == {end: 1}
    assert len(line.requests) == asked
    assert world.row("order-1")["state"] == end
    assert "lease_until" not in world.row("order-1")
