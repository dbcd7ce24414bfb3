"""Several workers at once, let go step by step: one step is what a process does up to its next call outside.

Each worker is the sender's real code on a thread of its own, and of all threads only the one runs that holds the
baton. Who gets it next is a *choice*; :func:`every_way` plays a scene again and again until all choices have been
made, so that what two workers can do to each other is not left to chance.
"""

import random
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Protocol

from tests.chaos.faults import Fault
from tests.chaos.run import FUNCTION_LIFE, Run
from tests.gates import Gate
from tests.world import World

_PATIENCE = 60.0
"""Seconds for one step, which takes less than a hundredth of one: more means waiting for what never comes."""


# --- who acts ---------------------------------------------------------------------------------------------------


class Actor(Protocol):
    """Somebody who acts in steps."""

    def step(self) -> bool:
        """Take a step; return whether there may be another."""


class Paused:
    """Some work, on a thread that stops before each of its calls outside until it is let go on.

    The work is given the gate that its calls have to pass.
    """

    def __init__(self, work: Callable[[Gate], object]) -> None:
        self._go, self._stopped = threading.Lock(), threading.Lock()  # held is "not yet"
        self._go.acquire()
        self._stopped.acquire()
        self._ended = False
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._work, args=(work,), daemon=True)

    def step(self) -> bool:
        """Let it go on to its next call, or to its end. Raises what it ended with."""
        if self._thread.ident is None:
            self._thread.start()
        self._go.release()
        assert self._stopped.acquire(timeout=_PATIENCE), "a worker waits for something that never comes"
        if self._error:
            raise self._error
        return not self._ended

    def _work(self, work: Callable[[Gate], object]) -> None:
        try:
            self._go.acquire()
            work(self)
        except BaseException as error:  # noqa: BLE001  # it is raised in the thread that let this one go
            self._error = error
        self._ended = True
        self._stopped.release()

    def before(self, call: str) -> None:
        """Stop, and go on when it is this one's turn."""
        self._stopped.release()
        self._go.acquire()

    def after(self, call: str) -> None:
        """Let a result through."""


class Worker(Paused):
    """One delivery, which stops before each of its calls outside."""

    def __init__(self, run: Run, fault: Fault) -> None:
        super().__init__(lambda gate: run.attempt(fault, lambda: gate.before("")))


@dataclass
class Network:
    """What was held up on its way arrives, all of it, in one step."""

    runs: list[Run]

    def step(self) -> bool:
        """Let it arrive."""
        for run in self.runs:
            run.release(everything=True)
        return False


@dataclass
class Stall:
    """Time passes in one step: nearly as much as a function has to live, and more than a probe may take."""

    world: World

    def step(self) -> bool:
        """Let it pass."""
        self.world.now += FUNCTION_LIFE * 0.9
        return False


# --- who is next ------------------------------------------------------------------------------------------------


class Choices(Protocol):
    """Says who is next."""

    def pick(self, options: int) -> int:
        """Return a number below ``options``."""


class Listed:
    """Choices that are written down; beyond the list, always the first option, which is written down too."""

    def __init__(self, path: list[tuple[int, int]]) -> None:
        self._path = path
        self._at = 0

    def pick(self, options: int) -> int:
        """Return what is written down."""
        if self._at == len(self._path):
            self._path.append((0, options))
        choice, offered = self._path[self._at]
        assert offered == options, "the same choices have led elsewhere: something is left to chance"
        self._at += 1
        return choice


class Thrown:
    """Choices by a die."""

    def __init__(self, seed: int) -> None:
        self._chance = random.Random(seed)

    def pick(self, options: int) -> int:
        """Throw it."""
        return self._chance.randrange(options)


def every_way[T](play: Callable[[Choices], T]) -> Iterator[T]:
    """Play again and again, each time with other choices, until all have been made."""
    path: list[tuple[int, int]] = []
    while True:
        yield play(Listed(path))
        while path and path[-1][0] + 1 == path[-1][1]:
            path.pop()
        if not path:
            return
        choice, options = path.pop()
        path.append((choice + 1, options))


def act(actors: list[Actor], choices: Choices, *, switches: int | None = None) -> None:
    """Let actors take their steps until all have ended.

    With ``switches``, the baton is taken from somebody who could go on so many times at the most.
    """
    left, current = list(actors), None
    while left:
        if switches == 0 and current in left:
            chosen = current
        else:
            options = [current, *(each for each in left if each is not current)] if current in left else left
            chosen = options[choices.pick(len(options))]
            if switches is not None and current in left and chosen is not current:
                switches -= 1
        current = chosen
        assert chosen is not None
        if not chosen.step():
            left.remove(chosen)
