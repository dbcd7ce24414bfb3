"""Scenes: some workers on one account at once, each with its own fault; how one is played, and which there are."""

import threading
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import timedelta
from functools import lru_cache
from itertools import combinations_with_replacement, product

from local.simulator.settings import Memory
from tests.chaos.faults import (
    Answered,
    Clean,
    Fault,
    Kill,
    LateRequest,
    LostAnswer,
    LostRequest,
    Unheard,
    Unsent,
    Unwritten,
)
from tests.chaos.run import FUNCTION_LIFE, Run, Schedule
from tests.chaos.steps import Actor, Choices, Network, Stall, Thrown, Worker, act
from tests.world import World

CLEAN, LATE, TOO_FAST = Clean(), LateRequest(99), Answered(210, times=2)


@dataclass(frozen=True, slots=True)
class Part:
    """One worker's part in a scene: which send it has got, and what goes wrong for it."""

    send: int = 0
    fault: Fault = CLEAN


@dataclass(frozen=True, slots=True)
class Scene:
    """Some workers at once, and what else happens meanwhile: ``late`` requests arriving, time passing.

    Before it begins, the first send has met the faults of ``ground``.
    """

    ground: Schedule
    parts: tuple[Part, ...]
    late: bool = False
    stall: bool = False

    @property
    def slow(self) -> bool:
        """Whether somebody in it asks again and again, each time in his turn."""
        return any(part.fault == TOO_FAST for part in self.parts)

    def play(self, choices: Choices, *, switches: int | None = None) -> list[Run]:
        """Play it in a world in memory, and let every message do its duty; return a run for each send."""
        runs = _beside(self._begun())
        world = runs[0].world
        actors: list[Actor] = [Worker(runs[part.send], part.fault) for part in self.parts]
        if self.late:
            actors.append(Network(runs))
        if self.stall:
            actors.append(Stall(world))
        act(actors, choices, switches=switches)
        return _ended(runs)

    def play_at_once(self, world: World) -> list[Run]:
        """Play it on threads that run as they like, in an order that nobody chooses."""
        runs = self._begin(world)
        together = threading.Barrier(len(self.parts))

        def work(part: Part) -> None:
            together.wait(60)
            runs[part.send].attempt(part.fault)

        with ThreadPoolExecutor(len(self.parts)) as threads:
            list(threads.map(work, self.parts))
        return _ended(runs)

    @lru_cache(maxsize=1)  # noqa: B019  # one scene is played again and again, then the next
    def _begun(self) -> list[Run]:
        return self._begin(World())

    def _begin(self, world: World) -> list[Run]:
        name = uuid.uuid4().hex
        runs = [Run.on(world, self.ground, send_id=f"{name}-0")]
        for fault in self.ground.faults:
            runs[0].meet(fault)
        runs += [
            Run(world, self.ground, send_id=f"{name}-{send}", mobiles=(f"1370000000{send}",))
            for send in range(1, 1 + max(part.send for part in self.parts))
        ]
        return runs

    def __str__(self) -> str:
        told = " beside ".join(f"{part.fault} of send {part.send}" for part in self.parts)
        return f"{self.ground} then {told}{', late' if self.late else ''}{', a stall' if self.stall else ''}"


def _beside(runs: list[Run]) -> list[Run]:
    """Return runs as these are now, in one world, for another future."""
    world = runs[0].world.fork()
    return [run.fork(world) for run in runs]


def _ended(runs: list[Run]) -> list[Run]:
    runs[0].world.now += 6 * FUNCTION_LIFE + timedelta(milliseconds=1)
    for run in runs:
        run.finish()
    return runs


# --- which ------------------------------------------------------------------------------------------------------

FATES: tuple[Fault, ...] = (
    *(CLEAN, LostAnswer(), LATE, Answered(1), LostRequest(), Unsent(), Answered(230), Answered(999)),
    *(Kill(4), Kill(7), Unheard(3), Unheard(4), Unwritten(7), Answered(330), Answered(400), TOO_FAST),
)
HISTORIES: tuple[tuple[Fault, ...], ...] = ((), (Answered(1),), (LostRequest(),), (TOO_FAST,))
"""What the first message has met before: nothing; or it waits, has a request unanswered, is on a slow account."""


def scenes(fates: tuple[Fault, ...], histories: tuple[tuple[Fault, ...], ...]) -> Iterator[Scene]:
    """Yield scenes of two: two copies of one message, whatever happens to each, and two messages."""
    for memory, proven, history in product(Memory, (True, False), histories):
        ground = Schedule(history, memory, proven=proven)
        for one, other in combinations_with_replacement(fates, 2):
            yield Scene(ground, (Part(0, one), Part(0, other)), late=LATE in (one, other))
        for one in fates:
            yield Scene(ground, (Part(0, one), Part(1)), late=one == LATE)
        yield Scene(ground, (Part(), Part()), stall=True)


def trios(fates: tuple[Fault, ...]) -> Iterator[Scene]:
    """Yield scenes of three: copies of one message, or two and another message."""
    for memory, proven, fault, send in product(Memory, (True, False), fates, (0, 1)):
        yield Scene(Schedule((), memory, proven=proven), (Part(0, fault), Part(), Part(send)))


def crowd(seed: int, *, copies: int) -> Scene:
    """Return a scene by a die: so many workers, each with one of two sends and a fate of its own."""
    die = Thrown(seed)
    ground = Schedule(HISTORIES[die.pick(len(HISTORIES))], list(Memory)[die.pick(2)], proven=bool(die.pick(2)))
    return Scene(ground, tuple(Part(die.pick(2), FATES[die.pick(len(FATES))]) for _ in range(copies)))
