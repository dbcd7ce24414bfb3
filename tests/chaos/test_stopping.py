"""Cancels and due rows in the campaign of faults: nothing is cancelled and accepted, nothing held lost or twice.

A cancel comes before each call that a worker makes, whatever becomes of its request, and among the steps of
several workers; what is held meets deaths of all who have a part in it.
"""

import json
import os
import sys
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import timedelta
from itertools import product
from typing import Any

import pytest
from boto3.dynamodb.conditions import Attr

from kuaixintong.core import ledger
from kuaixintong.core.messages import Answer
from kuaixintong.core.rows import Rows
from kuaixintong.stores import parts
from local.simulator.settings import Memory
from tests.chaos.faults import (
    FAULTS,
    Answered,
    Clean,
    Fault,
    Kill,
    KillAfterActing,
    LateRequest,
    LostAnswer,
    LostRequest,
    Overtaken,
    Unheard,
    Unsent,
    Unwritten,
)
from tests.chaos.judge import judge
from tests.chaos.progress import Progress
from tests.chaos.run import FUNCTION_LIFE, MOBILE, Run, Schedule, Wire
from tests.chaos.steps import Actor, Choices, Paused, Worker, act, every_way
from tests.gates import Killed, Life
from tests.stopping import PaperLanes, calling_in, canceller
from tests.world import World

FULL = os.environ.get("CHAOS") == "full"
SHARDS = 8
TWO = (MOBILE, "13700000001")
CLEAN = Clean()


@dataclass(frozen=True, slots=True)
class Cancelled(Fault):
    """Somebody cancels the send before the worker's n-th call outside, whose own lot is another fault's."""

    call: int
    own: Fault = CLEAN

    @property
    def lost(self) -> bool:
        return self.own.lost

    @property
    def lied(self) -> bool:
        return self.own.lied

    def can_happen(self, calls: Sequence[str]) -> bool:
        return self.call <= len(calls)

    def before(self, wire: Wire, call: str) -> None:
        if wire.calls == self.call and not wire.happened:
            wire.happened = True
            canceller(wire.run.world).cancel(wire.run.send_id)
        self.own.before(wire, call)

    def after(self, wire: Wire, call: str) -> None:
        self.own.after(wire, call)

    def carry(self, wire: Wire, fields: dict[str, str]) -> Answer:
        return self.own.carry(wire, fields)


LOTS: tuple[Fault, ...] = (
    *(Clean(), LostAnswer(), LostRequest(), LateRequest(1), LateRequest(99), Unsent(), KillAfterActing()),
    *(Answered(code) for code in (1, 210, 230, 330, 999)),
)
CANCELS = tuple(Cancelled(call, own) for call, own in product(range(1, 13), LOTS))
GROUNDS = [
    Schedule((), memory, refused=refused, proven=proven)
    for memory, refused, proven in product(Memory, (False, True), (False, True))
]
BEFORE: tuple[Fault, ...] = FAULTS if FULL else (LostAnswer(), LateRequest(99), Kill(8), Answered(1), Overtaken(4))
AFTER: tuple[Fault, ...] = FAULTS[::7] if FULL else (LostAnswer(),)
SOME = tuple(each for each in CANCELS if each.own in LOTS[:2]) if FULL else CANCELS[::5]


def histories() -> list[tuple[Fault, ...]]:
    """Return every cancel alone and with a fault after it, and some of them with a fault before it."""
    alone: list[tuple[Fault, ...]] = [(cancel,) for cancel in CANCELS]
    return [*alone, *product(CANCELS if FULL else SOME, AFTER), *product(BEFORE, SOME)]


@pytest.mark.parametrize("ground", GROUNDS, ids=lambda ground: str(ground).replace(" ", "-")[:-2])
def test_nothing_is_both_cancelled_and_accepted(progress: Callable[..., Progress], ground: Schedule) -> None:
    states: Counter[str] = Counter()
    size = len(histories())
    how_far = progress(f"cancels-{ground}", size * len(GROUNDS))
    for faults in histories():
        schedule = replace(ground, faults=faults)
        run = Run.on(World(), schedule, mobiles=TWO)
        run.play()
        assert judge(run) == [], str(schedule)
        states.update(row["state"] for row in run.rows)
        how_far.add()
    sys.stdout.write(f"\n{size:,} schedules: {dict(states)}\n")
    assert states["CANCELLED"]
    assert states["ACCEPTED"]


# --- step by step -----------------------------------------------------------------------------------------------


def cancelling(run: Run) -> Paused:
    """A cancel, which stops before each of its calls as a worker does."""
    return Paused(lambda gate: canceller(run.world, gate).cancel(run.send_id))


BESIDE: tuple[Fault, ...] = (Clean(), LostAnswer(), Answered(1), Unsent(), LateRequest(99), Kill(7), Kill(9))
STEPS = [
    (refused, before, fault, workers)
    for refused, before, fault, workers in product(
        (False, True),
        (None, Answered(1), LostRequest()),
        BESIDE if FULL else BESIDE[:4],
        (1, 2) if FULL else (1,),
    )
]


@pytest.mark.parametrize("shard", range(SHARDS))
def test_whoever_is_next_nothing_is_both_cancelled_and_accepted(shard: int) -> None:
    ways = 0
    for refused, before, fault, workers in STEPS[shard::SHARDS]:

        def play(
            choices: Choices,
            refused: bool = refused,
            before: Fault | None = before,
            fault: Fault = fault,
            workers: int = workers,
        ) -> Run:
            ground = Schedule((), Memory.ACCEPTED, refused=refused, proven=True)
            run = Run.on(World(), ground, mobiles=TWO)
            if before:
                run.meet(before)
            actors: list[Actor] = [Worker(run, fault), cancelling(run)]
            actors += [Worker(run, Clean()) for _ in range(workers - 1)]
            act(actors, choices, switches=None if workers == 1 and not refused else 2)
            run.world.now += 6 * FUNCTION_LIFE
            run.finish()
            return run

        for run in every_way(play):
            assert judge(run) == [], (refused, before, fault, workers)
            ways += 1
    sys.stdout.write(f"\nplayed in {ways:,} ways\n")


# --- what is held -----------------------------------------------------------------------------------------------


class Held(Run):
    """A send that is held, its own message and those that refer to its row."""

    reference = ""
    """What is delivered instead of the message, if it is not empty."""

    def body(self) -> str:
        if self.reference:
            return self.reference
        fields = {"atTime": "2026-11-23 13:00:00", "hold": True}
        return json.dumps({"id": self.send_id, "mobiles": self.mobiles, "content": "x", **fields})


def play_held(schedule: Schedule, dies: tuple[str, ...], on_reference: Fault, *, cancelled: int = 0) -> Held:
    """Play a held send: its message with a schedule's faults, looks that die, and what they enqueue with a fault.

    A copy of the message itself comes late, beside the first of those. ``cancelled`` is before which of three
    moments somebody cancels it, if any: the message, the looks, the references.
    """
    run = Held.on(World(store_content=False), schedule, mobiles=TWO)
    lanes = PaperLanes()

    def cancel_at(moment: int) -> None:
        if cancelled == moment:
            canceller(run.world).cancel(run.send_id)

    cancel_at(1)
    run.play()
    cancel_at(2)
    run.world.now = max(run.world.now, run.world.now.replace(hour=5, minute=0, second=0))
    for call in dies:
        with suppress(Killed):  # its threads are as quick as they are: what it would die at may be done
            calling_in(run.world, lanes, Life(1, of=call)).run(seconds=50)
        run.world.now += timedelta(minutes=1)
    fault, late = on_reference, True
    for _ in range(60):
        calling_in(run.world, lanes).run(seconds=50)
        messages = lanes.take()
        if messages and late:
            messages.insert(1, "")
            late = False
        for reference in messages:
            cancel_at(3)
            run.reference, run.done, run._deliveries = reference, False, 0
            run.meet(fault)
            run.finish()
            fault = Clean()
        if not messages and not any("due_shard" in row for row in run.rows):
            return run
        run.world.now += timedelta(minutes=1)
    raise AssertionError(f"{schedule}: it is due for ever: {run.rows}")


HELD_FIRST: tuple[tuple[Fault, ...], ...] = (
    (),
    *((fault,) for fault in (*map(Kill, (1, 2)), Unwritten(1), Unheard(1))),
)
QUERY, PUT, UPDATE = "SendsTable.query", "lanes.put_one", "SendsTable.update"
DEATHS: tuple[tuple[str, ...], ...] = ((), (UPDATE,), (QUERY,), (PUT,), (PUT, UPDATE), (UPDATE, UPDATE))
"""Before which call the function that enqueues dies, look after look."""
ON_REFERENCE = FAULTS[::2] if FULL else FAULTS[::6]


@pytest.mark.parametrize("refused", [False, True])
@pytest.mark.parametrize("memory", Memory)
def test_nothing_that_is_held_is_lost_or_sent_twice(memory: Memory, refused: bool) -> None:
    states: Counter[str] = Counter()
    deaths = DEATHS if FULL else (*DEATHS[:2], DEATHS[-2])
    for first, dies, fault in product(HELD_FIRST, deaths, ON_REFERENCE):
        schedule = Schedule(first, memory, refused=refused, proven=True)
        run = play_held(schedule, dies, fault)
        assert judge(run) == [], (str(schedule), dies, fault)
        assert not any({"content", "content_lent"} & row.keys() for row in run.rows)
        states.update(row["state"] for row in run.rows)
    sys.stdout.write(f"\n{dict(states)}\n")
    assert states["ACCEPTED"]


@pytest.mark.parametrize("moment", [1, 2, 3])
def test_what_is_held_and_cancelled_is_not_sent(moment: int) -> None:
    for first, dies, fault in product(HELD_FIRST, DEATHS[:2], (Clean(), LostAnswer(), Kill(4))):
        schedule = Schedule(first, Memory.EVERY, proven=True)
        run = play_held(schedule, dies if moment == 3 else (), fault, cancelled=moment)
        assert judge(run) == []
        assert {row["state"] for row in run.rows} == {"CANCELLED"}
        assert run.platform.messages == []


# --- the tests' own tests: each rule taken out, they find what it was there for ---------------------------------


def found(**how: Any) -> str:
    """What is wrong somewhere among the cancels of a run."""
    wrong = []
    for cancel in CANCELS:
        run = Run.on(World(), Schedule((cancel,), Memory.ACCEPTED, proven=True, **how), mobiles=TWO)
        try:
            run.play()
        except AssertionError as error:
            wrong.append(str(error))
        else:
            wrong += judge(run)
    return " ".join(wrong)


BOTH = "says CANCELLED, but was accepted"


def test_a_note_that_raised_the_revision_would_throw_answers_away(monkeypatch: pytest.MonkeyPatch) -> None:
    noted = Rows.noted_cancel

    def revised(note: Any, *, now: Any) -> Any:
        change = noted(note, now=now)
        return type(change)(change.values, added={"revision": 1})

    assert not found()
    monkeypatch.setattr(Rows, "noted_cancel", staticmethod(revised))
    assert "one was thrown away" in found()


def test_halves_that_were_born_beside_a_note_without_it_would_be_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    def sent() -> bool:
        for call in range(1, 13):
            run = Run.on(
                World(), Schedule((Cancelled(call),), Memory.ACCEPTED, refused=True, proven=True), mobiles=TWO
            )
            run.play()
            out = [row for row in run.rows if row["state"] == "SPLIT" and "cancelled_at" in row]
            if out and run.platform.messages:
                return True
        return False

    assert not sent()
    monkeypatch.setattr(parts, "_not_noted", Attr("send_id").exists)
    assert sent()


def test_a_cancel_that_took_a_part_from_its_living_owner_would_lie(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ledger, "_is_held", lambda row, now: False)
    assert "thrown away" in found()


def test_an_end_that_forgot_what_is_unanswered_would_lie(monkeypatch: pytest.MonkeyPatch) -> None:
    lied = [
        what
        for before, cancel in product((LostAnswer(), KillAfterActing()), CANCELS[:: len(LOTS)])
        for what in judged_with(monkeypatch, before, cancel)
    ]
    assert any(BOTH in what for what in lied)


def judged_with(monkeypatch: pytest.MonkeyPatch, before: Fault, cancel: Fault) -> list[str]:
    stopped = ledger.stopped
    with monkeypatch.context() as patch:
        patch.setattr(ledger, "stopped", lambda unanswered, *others: stopped(0, *others))
        run = Run.on(World(), Schedule((before, cancel), Memory.ACCEPTED, proven=True), mobiles=TWO)
        run.play()
        return judge(run)
