"""The campaign: which mutants are tried, with which tests, and what became of each."""

import random
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import accumulate
from pathlib import Path

from tests.mutants import processes, trial
from tests.mutants.accepted import Accepted
from tests.mutants.faults import AT_IMPORT, Fault, Faults
from tests.mutants.modules import Module, near
from tests.mutants.processes import Ended, Job
from tests.mutants.trial import Coverage

_PATIENCE = 10.0
"""Seconds of tests per mutant: those that are named for its module first, then the quickest."""

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
class Tried:
    """A mutant by its number; ``None`` is the module as it is."""

    number: int | None
    sampled: bool = True


class Trial:
    """One module's mutants."""

    def __init__(self, module: Module, coverage: Coverage, equivalent: Sequence[Accepted]) -> None:
        self.module = module
        self._faults = Faults(module.path)
        self._coverage = coverage
        self._equivalent = {each.fault: each for each in equivalent if each.module == module.name}

    def run(self, *, most: int | None, seed: int, side_by_side: int, tell: Callable[[Result], None]) -> Result:
        """Try mutants, at most ``most`` of them, chosen by ``seed``. Raises :class:`TestsFail`."""
        result = Result(self.module, len(self._faults))
        known = self._known(result)
        chosen = list(range(len(self._faults)))
        if most is not None and most < len(chosen):
            chosen = sorted(random.Random(f"{seed} {self.module.name}").sample(chosen, most))
        extra = [Tried(number, sampled=False) for number in known if number not in chosen]
        for ended in processes.run(self._jobs([*map(Tried, chosen), *extra]), side_by_side=side_by_side):
            self._judge(ended, result, known)
            tell(result)
        return result

    def _known(self, result: Result) -> dict[int, Accepted]:
        """Return the accepted mutants by their numbers; tell of those that there are no more."""
        found: dict[int, Accepted] = {}
        for where in {fault.where for fault in self._equivalent}:
            for number in self._faults.inside(where):
                if entry := self._equivalent.get(self._faults.fault(number)):
                    found[number] = entry
        gone = set(self._equivalent.values()) - set(found.values())
        result.stale += [f"There is no such mutant any more: {entry}" for entry in gone]
        return found

    def _jobs(self, mutants: Sequence[Tried]) -> Iterator[Job[Tried]]:
        for each in [Tried(None), *mutants]:
            where = AT_IMPORT if each.number is None else self._faults.where(each.number)
            tests, seconds = self._tests(where)
            yield Job(each, partial(self._try, each.number, tests), 20 + 5 * seconds)

    def _try(self, number: int | None, tests: Sequence[str]) -> int:
        """Run in a process of its own."""
        source = self.module.path.read_text("utf-8") if number is None else self._faults.source(number)
        return trial.try_tests(self.module, source, tests)

    def _tests(self, where: str) -> tuple[list[str], float]:
        """Return the tests to ask, in their order, and how long they take."""
        found = self._coverage.of(self.module, where)
        found.sort(key=lambda each: (not self.module.names(Path(each.test.partition("::")[0])), each.seconds))
        until = list(accumulate(each.seconds for each in found))
        enough = [each for each, seconds in zip(found, until, strict=True) if seconds <= _PATIENCE] or found[:1]
        return [each.test for each in enough], sum(each.seconds for each in enough)

    def _judge(self, ended: Ended[Tried], result: Result, known: dict[int, Accepted]) -> None:
        number, survived = ended.name.number, ended.status in trial.NOTHING_NOTICED
        if ended.status == trial.NO_PROGRAM:
            return
        if number is None:
            _pass(ended)
        elif number in known:
            result.accepted += survived and ended.name.sampled
            result.noticed += ended.name.sampled and not survived
            if not survived:
                result.stale.append(f"It is noticed after all: {known[number]}")
        elif survived:
            result.survived.append(self._faults.fault(number))
        else:
            result.noticed += 1
