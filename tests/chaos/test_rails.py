"""Rails under faults: every two strikes at any two calls of two deliveries, and then all goes well.

A strike is a death before a call, a call that is not made, or one whose answer is lost. Whatever comes of it,
nobody is sent to who had opted out before the look began, no cap and no limit is passed by one, and rows tell the
truth.
"""

import json
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest

from kuaixintong.core.beijing import iso
from kuaixintong.core.caps import Caps
from kuaixintong.core.delivery import left_out
from kuaixintong.core.errors import NoAnswer, StoreUnavailable, Unanswered
from kuaixintong.core.rails import Rails
from kuaixintong.errand import QueueMessage
from kuaixintong.stores.optouts import OptOutRows
from tests.gates import Killed
from tests.world import World

A, B, C = "13700000001", "13700000002", "13700000003"
KINDS = ("death", "not made", "answer lost")


@dataclass
class Strike:
    """What happens at a process's n-th call, counted from 1; the process may be dead from then on."""

    at: int
    kind: str
    calls: int = 0
    dead: bool = False

    def before(self, call: str) -> None:
        self.calls += 1
        if self.dead:
            raise Killed
        if self.calls == self.at and self.kind == "death":
            self.dead = True
            raise Killed
        if self.calls == self.at and self.kind == "not made":
            raise _trouble(call, left=False)

    def after(self, call: str) -> None:
        if self.calls == self.at and self.kind == "answer lost":
            raise _trouble(call, left=True)

    @property
    def struck(self) -> bool:
        return self.calls >= self.at


def _trouble(call: str, *, left: bool) -> Exception:
    if call == "platform.ask":
        return NoAnswer("struck", Unanswered.RESET, left=left)
    return StoreUnavailable("struck")


@dataclass
class Play:
    """One world's story."""

    world: World
    claimed_before: frozenset[str] = frozenset()
    """Timestamps that were written down before the change in the middle: their requests are to be repeated."""

    def deliver(self, body: dict[str, Any], strike: Strike | None, times: int = 1) -> None:
        """Deliver to a new process."""
        sender = self.world.new_sender(gate=strike) if strike else self.world.new_sender()
        message = QueueMessage(body["id"], "receipt", json.dumps(body), times, self.world.now)
        with suppress(Killed):
            sender.take(message, self.world.life())

    def finish(self, body: dict[str, Any]) -> None:
        """Deliver until it is done, whatever was struck before."""
        for times in range(3, 40):
            self.world.pass_time(seconds=100)
            sender = self.world.new_sender()
            message = QueueMessage(body["id"], "receipt", json.dumps(body), times, self.world.now)
            if sender.take(message, self.world.life()).again is None:
                return
        raise AssertionError("it is never done")


@dataclass(frozen=True)
class Story:
    """What is sent under which rails, what changes meanwhile, and what must hold in the end."""

    rails: Rails
    body: dict[str, Any]
    judge: Callable[[Play], None]
    others: tuple[dict[str, Any], ...] = ()
    set_up: Callable[[World], None] = lambda _: None
    meanwhile: Callable[[World], None] = lambda _: None


def send(name: str, *mobiles: str, category: str) -> dict[str, Any]:
    return {"id": name, "mobiles": [*mobiles], "content": "x", "category": category}


def opt_out(*mobiles: str) -> Callable[[World], None]:
    def note(world: World) -> None:
        for mobile in mobiles:
            OptOutRows(world.table("MobilesTable")).change(mobile, out=True, at=iso(world.now), by="mo")

    return note


def nobody_who_opted_out(play: Play) -> None:
    for request in play.world.line.requests:
        assert B not in request["mobiles"]
        assert A not in request["mobiles"] or request["timestamp"] in play.claimed_before, (
            "asked anew after A had opted out"
        )
    row = play.world.row("m-1")
    if row["state"] == "ACCEPTED":
        assert play.world.accepted() == row["mobiles"]
    if row["state"] == "REJECTED":
        assert play.world.accepted() == []
    assert left_out(row).get(B) == "opted out"
    assert Counter(play.world.accepted()).most_common(1)[:1] in ([], [(C, 1)], [(A, 1)])


def no_more_than(most: int) -> Callable[[Play], None]:
    def judge(play: Play) -> None:
        assert len(play.world.accepted()) <= most
        for row in play.world.all_rows():
            gone_out = [
                message for message in play.world.platform.messages if str(message.token) == row.get("token")
            ]
            if row["state"] == "ACCEPTED":
                assert [list(message.mobiles) for message in gone_out] == [row["mobiles"]]

    return judge


def good_ones_once_a_send(play: Play) -> None:
    assert B not in play.world.accepted()
    times = Counter(play.world.accepted())
    assert all(times[mobile] <= 2 for mobile in (A, C))
    assert left_out(play.world.row("m-2")).keys() == {B} or "m-2" not in _whole(play.world)


def _whole(world: World) -> set[str]:
    """The sends that no 310 has divided."""
    return {row["send_id"] for row in world.all_rows()} - {
        row["send_id"] for row in world.all_rows() if row["state"] == "SPLIT"
    }


def refuses(mobile: str) -> Callable[[World], None]:
    def set_up(world: World) -> None:
        world.line.always[mobile] = 310

    return set_up


def answers(*codes: int) -> Callable[[World], None]:
    def set_up(world: World) -> None:
        world.line.fates.extend(codes)

    return set_up


STORIES = {
    "opt-outs": Story(
        Rails(invalid_for=timedelta(days=30), hours=("08:00:00", "21:00:00")),
        send("m-1", A, B, C, category="marketing"),
        nobody_who_opted_out,
        set_up=opt_out(B),
        meanwhile=opt_out(A),
    ),
    "a cap": Story(
        Rails(caps=Caps(1, 1)),
        send("m-1", A, category="otp"),
        no_more_than(1),
        others=(send("m-2", A, category="otp"), send("m-3", A, category="otp")),
    ),
    "a cap that is given back": Story(
        Rails(caps=Caps(1, 2)),
        send("m-1", A, category="otp"),
        no_more_than(1),
        others=(send("m-2", A, category="otp"), send("m-3", A, category="otp")),
        set_up=answers(320),
    ),
    "a daily limit": Story(
        Rails(daily_limit=2),
        send("m-1", A, B, category="notice"),
        no_more_than(2),
        others=(send("m-2", A, category="notice"), send("m-3", A, B, category="notice")),
    ),
    "a daily limit and a refused number": Story(
        Rails(daily_limit=3, invalid_for=timedelta(days=30)),
        send("m-1", A, B, C, category="notice"),
        no_more_than(3),
        others=(send("m-2", A, category="notice"), send("m-3", A, C, category="notice")),
        set_up=refuses(B),
    ),
    "known to be invalid": Story(
        Rails(invalid_for=timedelta(days=30)),
        send("m-1", A, B, C, category="notice"),
        good_ones_once_a_send,
        others=(send("m-2", A, B, C, category="notice"),),
        set_up=refuses(B),
    ),
}


_FIRST, _SECOND = 12, 9
"""Calls up to which two strikes are played; a split has more, and each of them is struck alone."""


def told(story: Story, first: Strike | None, second: Strike | None) -> None:
    world = World(rails=story.rails)
    story.set_up(world)
    play = Play(world)
    play.deliver(story.body, first)
    world.pass_time(seconds=100)
    play.claimed_before = frozenset(row.get("timestamp", "") for row in world.all_rows())
    story.meanwhile(world)
    play.deliver(story.body, second, times=2)
    for body in (story.body, *story.others):
        play.finish(body)
    story.judge(play)


def strikes() -> Iterator[tuple[int, str]]:
    yield from ((at, kind) for at in range(1, 60) for kind in KINDS)


@pytest.mark.parametrize("name", STORIES)
def test_any_two_strikes_pass_no_rail(name: str) -> None:
    story, played = STORIES[name], 0
    for at, kind in strikes():
        first = Strike(at, kind)
        told(story, first, None)
        if not first.struck:
            break
        for later, other in strikes() if at <= _FIRST else ():
            second = Strike(later, other)
            told(story, Strike(at, kind), second)
            played += 1
            if not second.struck or later > _SECOND:
                break
    assert played > 50
