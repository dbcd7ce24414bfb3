"""The campaign: which mutants are tried, with which tests, and what became of each."""

import random
import tempfile
from collections import Counter, deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import batched
from pathlib import Path

from tests.mutants import processes, trial
from tests.mutants.accepted import Accepted
from tests.mutants.faults import Fault, Faults
from tests.mutants.modules import Module, near
from tests.mutants.processes import Ended, Job
from tests.mutants.trial import Asked, Coverage, Watched

_PATIENCE = 6.0
"""Seconds of tests per mutant."""

_SERVED = 100
"""Mutants, at most, of one server."""

_PARTS = 6
"""Pieces into which the tests are cut to be watched, so that no process waits long for another's last."""


class TestsFail(Exception):
    """Tests cannot run, or fail where only the order is another: nothing can be learnt from them."""


@dataclass
class Result:
    """What became of a module's mutants. ``accepted`` ones survived, and are known to be equivalent."""

    module: Module
    there_are: int
    noticed: int = 0
    survived: list[Fault] = field(default_factory=list)
    accepted: int = 0
    stale: list[str] = field(default_factory=list)
    """What is wrong with the list of accepted ones."""

    @property
    def tried(self) -> int:
        """Mutants that were tried."""
        return self.noticed + len(self.survived) + self.accepted

    @property
    def share(self) -> float:
        """Per cent that were noticed of those that could be."""
        could_be = self.tried - self.accepted
        return 100 * self.noticed / could_be if could_be else 100.0


def watch(modules: Sequence[Module], *, side_by_side: int) -> Coverage:
    """Run every test that is near to one of the modules, and return what each runs. Raises :class:`TestsFail`."""
    files = sorted({path for module in modules for path in near(module)})
    coverage = Coverage()
    with tempfile.TemporaryDirectory(prefix="mutants-") as folder:
        pieces = {Path(folder) / str(n): piece for n in range(_PARTS) if (piece := files[n::_PARTS])}
        jobs = (Job(result, partial(_watch, piece, result), 1_200.0) for result, piece in pieces.items())
        for ended in processes.run(jobs, side_by_side=side_by_side):
            _pass(ended)
            coverage.add(ended.name)
    return coverage


def _watch(files: Sequence[Path], result: Path) -> int:
    return trial.watch_tests(files, result)


def _pass[T](ended: Ended[T]) -> None:
    if ended.status:
        raise TestsFail(ended.output)


@dataclass(frozen=True, slots=True)
class Served:
    """Mutants of a module that one server tries; what became of them will stand in ``result``."""

    module: Module
    result: Path


@dataclass(frozen=True, slots=True)
class Afresh:
    """A mutant that a program is made for, by its number; ``None`` is the module as it is."""

    module: Module
    number: int | None


type Name = Served | Afresh


def run(
    modules: Sequence[Module],
    coverage: Coverage,
    equivalent: Sequence[Accepted],
    *,
    most: int | None,
    seed: int,
    side_by_side: int,
) -> Iterator[Result]:
    """Try mutants of each module, at most ``most``, chosen by ``seed``; yield what became of each module's.

    Raises :class:`TestsFail`.
    """
    under_way: dict[Module, Mutants] = {}
    late = deque[
        Job[Name]
    ]()  # what could not be known before: what a server could not try, and the tests' own proof

    def jobs(folder: Path) -> Iterator[Job[Name]]:
        for module in modules:  # one after the other: the first are tried while the others are made
            under_way[module] = Mutants(module, coverage, equivalent, most=most, seed=seed)
            for job in under_way[module].jobs(folder):
                yield job
                while late:
                    yield late.popleft()

    with tempfile.TemporaryDirectory(prefix="mutants-") as folder:
        todo: Iterable[Job[Name]] = jobs(Path(folder))
        while todo:
            for ended in processes.run(todo, side_by_side=side_by_side):
                mutants = under_way[ended.name.module]
                late += mutants.judge(ended)
                if mutants.is_over:
                    yield under_way.pop(mutants.module).result
            todo = [*late]
            late.clear()
    yield from (mutants.result for mutants in under_way.values())  # modules that have none


class Mutants:
    """One module's mutants that are tried."""

    def __init__(
        self, module: Module, coverage: Coverage, equivalent: Sequence[Accepted], *, most: int | None, seed: int
    ) -> None:
        self.module = module
        self._faults = Faults(module.path)
        self._coverage = coverage
        self.result = Result(module, len(self._faults))
        self._known = self._find({each.fault: each for each in equivalent if each.module == module.name})
        self._chosen = list(range(len(self._faults)))
        if most is not None and most < len(self._chosen):
            self._chosen = sorted(random.Random(f"{seed} {module.name}").sample(self._chosen, most))
        self._open = {*self._chosen, *self._known}
        self._noticed: Counter[str] = Counter()
        self._proven = False

    @property
    def is_over(self) -> bool:
        """Whether it is known of every mutant what became of it, and that the tests pass without."""
        return not self._open and self._proven

    def _find(self, equivalent: Mapping[Fault, Accepted]) -> dict[int, Accepted]:
        """Return the accepted mutants by their numbers; tell of those that there are no more."""
        found: dict[int, Accepted] = {}
        for where in {fault.where for fault in equivalent}:
            for number in self._faults.inside(where):
                if entry := equivalent.get(self._faults.fault(number)):
                    found[number] = entry
        gone = set(equivalent.values()) - set(found.values())
        self.result.stale += [f"There is no such mutant any more: {entry}" for entry in gone]
        return found

    def jobs(self, folder: Path) -> Iterator[Job[Name]]:
        """Yield what is to be run, to :meth:`judge` how it ended. Servers write into ``folder``."""
        todo = [*self._open]
        for number, piece in enumerate(batched(filter(self._is_quick, todo), _SERVED, strict=False)):
            asked = [self._asked(each) for each in piece]
            name = Served(self.module, folder / f"{self.module.dotted}-{number}")
            work = partial(trial.serve, self.module, self._faults, asked, name.result)
            yield Job(name, work, 600 + sum(each.seconds for each in asked))
        yield from (self._afresh(self._asked(number)) for number in todo if not self._is_quick(number))

    def judge(self, ended: Ended[Name]) -> Iterable[Job[Name]]:
        """Note what became of mutants; return what is to be run yet. Raises :class:`TestsFail`."""
        match ended.name:
            case Served(_, result):
                _pass(ended)
                for number, status in trial.read_served(result):
                    if status == trial.NOT_HERE:
                        yield self._afresh(self._asked(number))
                    else:
                        self._judge(number, status)
            case Afresh(_, None):
                _pass(ended)
                self._proven = True
            case Afresh(_, int(number)):
                self._noticed.update(trial.failed(ended.output))
                self._judge(number, ended.status)
        if not self._open and not self._proven:
            if self._noticed:
                yield self._afresh(trial.unharmed(self._noticed))
            else:
                self._proven = True

    def _is_quick(self, number: int) -> bool:
        return not self._coverage.meets_all(self.module, self._faults.where(number))

    def _afresh(self, asked: Asked) -> Job[Name]:
        asked = asked.after(self._noticed)
        return Job(Afresh(self.module, asked.number), partial(self._try, asked), asked.seconds)

    def _try(self, asked: Asked) -> int:
        """Run in a process of its own."""
        number = asked.number
        source = self.module.path.read_text("utf-8") if number is None else self._faults.source(number)
        return trial.try_tests(self.module, source, asked.tests)

    def _asked(self, number: int) -> Asked:
        """Return the tests to ask about a mutant, in their order."""
        found = self._coverage.of(self.module, self._faults.where(number))
        found.sort(key=self._distance)
        enough, seconds = list[Watched](), 0.0
        for each in found:
            if seconds + each.seconds <= _PATIENCE or not enough:
                enough.append(each)
                seconds += each.seconds
        return Asked(number, [each.test for each in enough], 20 + 5 * seconds)

    def _distance(self, test: Watched) -> tuple[bool, bool, float]:
        """What tests are sorted by: named for the module, running any of it, and how quick they are."""
        named = self.module.names(Path(test.test.partition("::")[0]))
        runs_it = any(name.startswith(f"{self.module.name}:") for name in test.functions)
        return not named, not runs_it, test.seconds

    def _judge(self, number: int, status: int) -> None:
        self._open.remove(number)
        if status == trial.NO_TRIAL:
            raise TestsFail(f"{self.module.name}, mutant {number}: it could not be made.")
        if status == trial.NO_PROGRAM:
            return
        result, survived, sampled = self.result, status in trial.NOTHING_NOTICED, number in self._chosen
        if known := self._known.get(number):
            result.accepted += survived and sampled
            result.noticed += sampled and not survived
            if not survived:
                result.stale.append(f"It is noticed after all: {known}")
        elif survived:
            result.survived.append(self._faults.fault(number))
        else:
            result.noticed += 1
