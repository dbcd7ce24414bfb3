"""Thousands of schedules of faults: which, how they are played, and what they have shown.

A *schedule* is some deliveries of one queue message with one fault each; after them, deliveries without a fault go
on until the message has done its duty. Whatever the platform has been made to act on late is acted on then at the
latest. Schedules form a tree: what has the same beginning is played once, and its world forked for each way on.
"""

import hashlib
import random
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from itertools import product

from local.simulator.settings import Memory
from tests.chaos.faults import FAULTS, Clean
from tests.chaos.judge import judge, judge_healed
from tests.chaos.run import Run, Schedule
from tests.world import World

# --- which ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Branch:
    """A schedule, and all that grow from it up to ``longest`` faults in a row."""

    root: Schedule
    longest: int

    @property
    def size(self) -> int:
        """How many schedules these are."""
        return 1 + below(self.root, self.longest)


def below(schedule: Schedule, longest: int) -> int:
    """Return how many schedules of up to ``longest`` faults begin with this one, itself not counted."""
    return sum(len(FAULTS) ** more for more in range(1, longest - len(schedule.faults) + 1))


def grounds() -> list[Schedule]:
    """Return every ground, without a fault yet: memories, a number refused, an account proven, or with a pace.

    On the last two the account is proven and the number fine: one with a pace, one where the send has a campaign.
    """
    plain = [Schedule((), *each) for each in product(Memory, (False, True), (False, True))]
    fine = [ground for ground in plain if ground.proven and not ground.refused]
    paced = [replace(ground, paced=True) for ground in fine]
    return [*plain, *paced, *(replace(ground, campaign=True) for ground in fine)]


def everything(longest: int, *, unproven: int | None = None) -> list[Branch]:
    """Return every schedule of up to so many faults; on the grounds that are not plain, one fault fewer.

    Of an account that is not proven up to ``unproven`` faults, if that is another number.
    """

    def most(ground: Schedule) -> int:
        plainly = longest if ground.proven or unproven is None else unproven
        return min(plainly, longest - max(ground.refused, ground.paced, ground.campaign))

    return [Branch(ground.then(fault), most(ground)) for ground, fault in product(grounds(), FAULTS)]


def some(count: int, longest: int, *, seed: int) -> list[Branch]:
    """Return a choice of schedules: so many beginnings, each with every last fault."""
    chance = random.Random(seed)
    places = [ground for ground in grounds() if not ground.refused]

    def beginning() -> Schedule:
        ground = chance.choice(places)
        return replace(ground, faults=tuple(chance.choices(FAULTS, k=longest - 1)))

    return [Branch(beginning(), longest) for _ in range(count)]


# --- how --------------------------------------------------------------------------------------------------------


def grown(branch: Branch, *, known: "Known | None" = None) -> Iterator[Run]:
    """Yield the ends of a branch's runs, in worlds in memory.

    Three things are left out, and told to ``known``, in schedules. A message that has done its duty has left the
    queue: one copy more can still come, and no third. A fault that never comes about is a delivery without one,
    which is played once. And what stands as another run did has the same futures, also from branch to branch.
    """
    known = known or Known()
    run = Run.on(World(), branch.root)
    for fault in branch.root.faults:
        run.meet(fault)
    return _futures(run, branch.longest, known)


@dataclass
class Known:
    """How runs have stood on one ground, with so many faults still to come; what is ``spared`` by that is told."""

    spared: Callable[[int], object] = lambda _: None
    _seen: set[tuple[int, bytes]] = field(default_factory=set)

    def has(self, run: Run, rest: int) -> bool:
        """Return whether a run has stood like this before; from now on, one has."""
        seen = rest, hashlib.blake2b(run.standing().encode(), digest_size=12).digest()
        if seen in self._seen:
            return True
        self._seen.add(seen)
        return False


def _futures(run: Run, longest: int, known: Known) -> Iterator[Run]:
    rest = longest - len(run.schedule.faults)
    if known.has(run, rest):
        known.spared(1 + below(run.schedule, longest))
        return
    if run.over:
        known.spared(below(run.schedule, longest))
    elif rest > 0:
        for other in _onwards(run):
            if other:
                yield from _futures(other, longest, known)
            else:
                known.spared(1 + below(run.schedule, longest - 1))
    run.finish()
    yield run


def _onwards(run: Run) -> Iterator[Run | None]:
    """Yield a run for each fault that can come next; for those that cannot come about one, and then ``None``."""
    clean = run.fork()
    clean.over = run.done
    delivered = clean.deliver(Clean())
    idle: Run | None = clean
    for fault in FAULTS:
        if delivered.done and not fault.can_happen(delivered.calls):
            if idle:
                idle.schedule = run.schedule.then(fault)
            yield idle
            idle = None
        else:
            other = run.fork()
            other.schedule = run.schedule.then(fault)
            other.meet(fault)
            yield other


def in_turn(world: World, todo: Iterable[Schedule]) -> Iterator[Run]:
    """Yield the ends of runs, one after the other in one world, each with a send and a platform of its own."""
    for number, schedule in enumerate(todo):
        run = Run.on(world, schedule, send_id=f"run-{number}")
        run.play()
        yield run


# --- counting ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Breach:
    """A broken promise."""

    schedule: Schedule
    what: str

    def __str__(self) -> str:
        return f"{self.what} — {self.schedule}"


@dataclass
class Result:
    """What a campaign has shown."""

    schedules: int = 0
    acceptances: Counter[int] = field(default_factory=Counter)
    states: Counter[str] = field(default_factory=Counter)
    healed: int = 0
    breaches: list[Breach] = field(default_factory=list)

    def count(self, run: Run, *, heals: bool = False) -> None:
        """Judge the end of a run, and once more when it has been given time to heal.

        Runs that share tables do not heal: they send to the same mobile, and nobody could tell whose a token is.
        """
        self.schedules += 1
        self.acceptances[len(run.platform.messages)] += 1
        self.states.update(row["state"] for row in run.rows)
        self.breaches += [Breach(run.schedule, what) for what in judge(run)]
        if heals:
            self.breaches += [Breach(run.schedule, what) for what in judge_healed(run)]
            self.healed += sum("inferred" in row for row in run.rows)

    def __str__(self) -> str:
        per_part = ", ".join(f"{n}: {count} parts" for n, count in sorted(self.acceptances.items()))
        ends = ", ".join(f"{state} {count}" for state, count in sorted(self.states.items()))
        unaccounted = sum("unaccounted" in breach.what for breach in self.breaches)
        return (
            f"schedules run: {self.schedules}\nacceptances per part: {per_part}\nends: {ends}\n"
            f"UNCONFIRMED and healed by their reports: {self.healed}\n"
            f"parts unaccounted for: {unaccounted or 'none'}\nbroken promises: {len(self.breaches) or 'none'}"
        )


def campaign(ends: Iterable[Run]) -> Result:
    """Judge the ends of runs."""
    result = Result()
    for run in ends:
        result.count(run)
    return result
