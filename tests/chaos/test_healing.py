"""What heals by its reports, while workers, persons and deaths come between: never a wrong token."""

import os
from collections.abc import Iterator
from itertools import product

import pytest

from kuaixintong.confirm import Confirmer
from kuaixintong.core import inference
from kuaixintong.core.errors import NotConfirmed, StoreUnavailable
from kuaixintong.core.inference import SETTLED, Candidate, Told, Verdict
from kuaixintong.stores.parts import Parts
from local.simulator.platform import Message
from local.simulator.settings import Memory
from tests.chaos.faults import Answered, Clean, Fault, LateRequest, LostAnswer, LostRequest, Unsent
from tests.chaos.run import MOBILE, Run, Schedule
from tests.chaos.steps import Actor, Choices, Paused, Worker, act, every_way
from tests.gates import Killed, Life, gated
from tests.world import CID, World

ANOTHER = "13500000000"
FIRST, SECOND = "first", "second"


def begin(*faults: Fault, memory: Memory = Memory.EVERY) -> tuple[World, Run]:
    """A send whose answer was lost and which is unconfirmed; its reports have come and are old enough."""
    world = World()
    run = Run.on(world, Schedule(faults, memory, proven=True), send_id=FIRST)
    run.play()
    assert [row["state"] for row in run.rows] == ["UNCONFIRMED"]
    world.push(*run.platform.messages)
    world.now += SETTLED
    return world, run


def second(world: World, *, mobiles: tuple[str, ...] = (MOBILE,)) -> Run:
    """Another send, on the same account."""
    return Run(world, Schedule((), Memory.EVERY, proven=True), send_id=SECOND, mobiles=mobiles)


def wrong(world: World) -> list[str]:
    """Whose row says a token that the platform gave to another request."""
    given = {str(message.token): message.timestamp for message in world.platform.messages}
    return [
        f"{row['send_id']} says token {row['token']}"
        for row in world.all_rows()
        if row.get("token") and given.get(row["token"]) != row["timestamp"]
    ]


def heal(world: World) -> None:
    """What the next checks do, with all reports there."""
    world.push(*world.platform.messages)
    world.now += SETTLED
    for _ in range(3):
        world.new_healing().run(CID)


# --- deaths ------------------------------------------------------------------------------------------------------


def lost(world: World, send_id: str, mobile: str) -> Message:
    run = Run(world, Schedule((), Memory.EVERY, proven=True), send_id=send_id, mobiles=(mobile,))
    run.meet(LostAnswer())
    run.finish()
    return world.platform.messages[-1]


def several() -> World:
    """Three sends that reports settle, and two that nobody can tell apart."""
    world, _ = begin(LostAnswer())
    for send_id, mobile in (("a", "13600000001"), ("b", "13600000002"), ("twin", ANOTHER), ("other", ANOTHER)):
        lost(world, send_id, mobile)
    world.push(*world.platform.messages)
    world.now += SETTLED
    return world


def deaths(*, after: bool) -> Iterator[World]:
    """The world of several after a look at it that died, before or after each of its calls."""
    calls = 0
    while True:
        calls += 1
        world = several()
        life = Life(calls)
        if after:  # what was asked for is done, and the answer is not heard
            life.before, life.after = life.after, life.before  # type: ignore[method-assign]
        try:
            world.new_healing(gate=life).run(CID)
        except Killed:
            yield world
        else:
            return


@pytest.mark.parametrize("after", [False, True], ids=["before it acts", "after it has acted"])
def test_wherever_a_look_dies_no_token_is_wrong_and_the_next_finds_the_rest(after: bool) -> None:
    died = 0
    for world in deaths(after=after):
        died += 1
        assert not wrong(world)
        world.new_healing().run(CID)
        assert not wrong(world)
        states = {row["send_id"]: row["state"] for row in world.all_rows()}
        assert states == {
            **dict.fromkeys((FIRST, "a", "b"), "ACCEPTED"),
            **dict.fromkeys(("twin", "other"), "UNCONFIRMED"),
        }
    assert died > 20


@pytest.mark.parametrize("call", range(1, 25))
def test_a_store_that_fails_anywhere_leaves_no_wrong_token(call: int) -> None:
    world = several()

    def fails(number: int) -> None:
        if number == call:
            raise StoreUnavailable("throttled")

    world.happens("*Table.*", fails)
    with pytest.raises(StoreUnavailable):
        world.new_healing().run(CID)
    assert not wrong(world)


# --- others at the same time ------------------------------------------------------------------------------------


def looking(world: World) -> Actor:
    """A look, on a thread that stops before each of its calls."""
    return Paused(lambda gate: world.new_healing(gate=gate).run(CID))


FULL = os.environ.get("CHAOS") == "full"
FATES: tuple[Fault, ...] = (
    *(Clean(), LostAnswer(), LateRequest(99)),
    *((LostRequest(), Unsent(), Answered(1), Answered(230), Answered(330)) if FULL else ()),
)
SWITCHES = 2 if FULL else 1
"""How often the baton is taken away."""


@pytest.mark.parametrize(("fate", "memory"), [*product(FATES, Memory)], ids=str)
def test_whatever_becomes_of_another_send_to_the_mobile_meanwhile(fate: Fault, memory: Memory) -> None:
    ways = 0

    def play(choices: Choices) -> None:
        world, _ = begin(LostAnswer(), Answered(230), memory=memory)
        other = second(world)
        act([looking(world), Worker(other, fate)], choices, switches=SWITCHES)
        assert not wrong(world)
        other.finish()
        heal(world)
        assert not wrong(world)

    for _ in every_way(play):
        ways += 1
    assert ways > 10


@pytest.mark.parametrize("fate", FATES, ids=str)
def test_another_sends_reports_while_its_answer_is_on_its_way_are_nobodys(fate: Fault) -> None:
    """The first was never accepted: whatever is reported for the mobile is the second's."""

    def play(choices: Choices) -> None:
        world = World()
        run = Run.on(world, Schedule((LostRequest(), Answered(230)), Memory.EVERY, proven=True), send_id=FIRST)
        run.play()
        assert not run.platform.messages
        other = second(world)
        act([looking(world), Worker(other, fate), _Reports(world), looking(world)], choices, switches=SWITCHES - 1)
        assert not wrong(world)
        other.finish()
        heal(world)
        assert not wrong(world)

    for _ in every_way(play):
        pass


class _Reports:
    """Everything that was accepted is reported, in one step."""

    def __init__(self, world: World) -> None:
        self._world = world

    def step(self) -> bool:
        self._world.push(*self._world.platform.messages)
        return False


def test_a_person_and_a_look_at_once_end_in_one_word() -> None:
    ends = set()

    def play(choices: Choices) -> None:
        world, _ = begin(LostAnswer())

        def word(gate: object) -> None:
            parts = Parts(gated(world.table("SendsTable"), "SendsTable", gate))  # type: ignore[arg-type]
            try:
                Confirmer(parts, world.rows(), lambda: world.now).not_accepted(FIRST, "1", "王芳")
            except NotConfirmed:
                ends.add("too late")

        act([looking(world), Paused(word)], choices, switches=3)
        [row] = world.all_rows()
        ends.add(row["state"])
        assert ("inferred" in row, "denied" in row) in ((True, False), (False, True))
        assert not wrong(world)

    for _ in every_way(play):
        pass
    assert ends == {"ACCEPTED", "REJECTED", "too late"}


# --- the tests' own test -----------------------------------------------------------------------------------------


def test_without_a_look_at_rivals_a_wrong_token_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    def found() -> list[str]:
        world = World()
        run = Run.on(world, Schedule((LostRequest(), Answered(230)), Memory.EVERY, proven=True), send_id=FIRST)
        run.play()
        second(world).meet(LostAnswer())
        heal(world)
        return wrong(world)

    def alone(part: Candidate, told: Told, *, others: object, **how: object) -> Verdict:
        return judge(part, told, others=(), **how)  # type: ignore[arg-type]

    judge = inference.judge
    assert not found()
    monkeypatch.setattr(inference, "judge", alone)
    assert found()
