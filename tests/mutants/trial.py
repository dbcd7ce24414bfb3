"""Tests in a forked process in which one module of ours has another text.

Two ways lead there. What is run at import, a table say, is another only if all that takes it along is imported
after it: the parent imports what the tests need of other people's and nothing of ours; the child imports ours
afresh. A fault in one function can be put into a program that has imported everything, its tests too: such a
program, a server, is made once for many faults, and forks a child for each. No file is written: the tree stays as
it is.
"""

import gc
import importlib
import importlib.util
import json
import os
import re
import sys
import time
import traceback
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from itertools import zip_longest
from pathlib import Path
from types import CodeType
from typing import Any

import boto3
import pytest

from tests.mutants import processes
from tests.mutants.faults import AT_IMPORT, Faults
from tests.mutants.modules import PACKAGE, ROOT, Module, near
from tests.mutants.processes import Ended, Job
from tests.mutants.swap import Functions

_PRELOADED = (
    *("aiohttp.web", "aws_lambda_powertools.utilities.batch", "boto3.dynamodb.conditions", "hypothesis"),
    *("_hypothesis_pytestplugin", "hypothesis.stateful", "jsonschema"),
    *("moto.dynamodb", "moto.secretsmanager", "moto.sqs", "msgspec", "pydantic", "requests", "yaml"),
)

NOTHING_NOTICED = (0, pytest.ExitCode.NO_TESTS_COLLECTED)
"""Exit statuses of a trial that a mutant has survived."""

NO_PROGRAM = 80
"""Exit status of a trial of what is no Python."""

NOT_HERE = 81
"""Exit status for a fault that a server cannot put in: it is tried afresh."""

NO_TRIAL = 82
"""Exit status for a fault that could not be made."""

_QUIETLY = ("-q", "-p", "no:cacheprovider", "--assert=plain", "--hypothesis-seed=0")


def preload(bytecode: Path) -> None:
    """Import other people's modules once for all children, and read the models of AWS's services.

    ``bytecode`` is a folder in which the children find what one of them has compiled.
    """
    for name in _PRELOADED:
        importlib.import_module(name)
    for service in ("dynamodb", "secretsmanager", "sqs"):
        boto3.client(service, region_name="us-east-1", aws_access_key_id="x", aws_secret_access_key="x")
    sys.pycache_prefix, sys.dont_write_bytecode = str(bytecode), False


# --- a trial ----------------------------------------------------------------------------------------------------


def try_tests(module: Module, source: str, tests: Sequence[str]) -> int:
    """Run tests in their order against ``source`` until one fails; return pytest's exit status, or NO_PROGRAM."""
    try:
        compile(source, "<mutant>", "exec", dont_inherit=True)
    except SyntaxError:
        return NO_PROGRAM
    if not tests:
        return pytest.ExitCode.NO_TESTS_COLLECTED
    sys.meta_path.insert(0, _Exchange(module, source))
    os.chdir(ROOT)
    files = dict.fromkeys(test.partition("::")[0] for test in tests)
    return pytest.main([*_QUIETLY, "-x", *files], plugins=[_Chosen(tests)])


@dataclass
class _Chosen:
    tests: Sequence[str]

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        """Keep the chosen tests, in their order."""
        order = {test: number for number, test in enumerate(self.tests)}
        items[:] = sorted((each for each in items if each.nodeid in order), key=lambda each: order[each.nodeid])


@dataclass
class _Exchange(MetaPathFinder):
    module: Module
    source: str

    def find_spec(self, fullname: str, *_: object) -> ModuleSpec | None:
        """Find the one module whose text is exchanged."""
        if fullname != self.module.dotted:
            return None
        loader = _Given(fullname, str(self.module.path), self.source)
        return importlib.util.spec_from_loader(fullname, loader)


class _Given(SourceFileLoader):
    def __init__(self, name: str, path: str, source: str) -> None:
        super().__init__(name, path)
        self._source = source

    def get_code(self, fullname: str) -> CodeType:
        code = compile(self._source, self.path, "exec", dont_inherit=True)
        assert isinstance(code, CodeType)
        return code


# --- many trials, by a server -----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Asked:
    """A fault by its number, the tests that are asked about it, and the seconds that they may take.

    ``None`` is the module as it is.
    """

    number: int | None
    tests: Sequence[str]
    seconds: float

    def after(self, noticed: Mapping[str, int]) -> "Asked":
        """Return this with the tests first that have noticed the most of other faults."""
        return replace(self, tests=sorted(self.tests, key=lambda test: -noticed.get(test, 0)))


def unharmed(noticed: Mapping[str, int]) -> Asked:
    """Ask about the module as it is, of the tests that have noticed a fault: they have to pass."""
    return Asked(None, [*noticed], 600)


def serve(module: Module, faults: Faults, asked: Sequence[Asked], result: Path) -> int:
    """Try faults one after the other; write down the exit status of each. Returns 0, or pytest's status.

    The statuses are those of :func:`try_tests`, and NOT_HERE; :func:`read_served` reads them.
    """
    os.chdir(ROOT)
    server = _Server(module, faults, asked, result)
    files = dict.fromkeys(test.partition("::")[0] for each in asked for test in each.tests)
    if not files:  # pytest would take that for all there are
        server.write({each.number: pytest.ExitCode.NO_TESTS_COLLECTED for each in asked})
        return 0
    # without capturing: a child writes its own output into its own file
    return pytest.main([*_QUIETLY, "--capture=no", *files], plugins=[server])


def read_served(result: Path) -> Sequence[tuple[int, int]]:
    """Return each fault's number and exit status."""
    return [(number, status) for number, status in json.loads(result.read_text("utf-8"))]


def failed(output: str) -> Sequence[str]:
    """Return the test that failed, by what pytest prints at its end; none if it was no test."""
    return re.findall(r"^(?:FAILED|ERROR) (\S+::.+?)(?: - .*)?$", output, re.MULTILINE)[-1:]


@dataclass
class _Server:
    module: Module
    faults: Faults
    asked: Sequence[Asked]
    result: Path

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Tell what failed; a trial never comes to pytest's own summary."""
        if report.failed:
            print(f"\n{report.longreprtext}\nFAILED {report.nodeid}")

    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        """Try the faults instead of running the tests; each trial runs some of them."""
        if session.testsfailed:
            return False  # some could not be imported: pytest tells which
        items = {item.nodeid: item for item in session.items}
        assert all(test in items for each in self.asked for test in each.tests)
        functions = Functions(self.module.path)
        gc.collect()
        gc.freeze()
        statuses: dict[int | None, int] = {}
        noticed: Counter[str] = Counter()

        def run(asked: Iterable[Asked]) -> Iterator[Ended[int | None]]:
            work = partial(self._try, session, functions, items)
            jobs = (Job(each.number, partial(work, each.after(noticed)), each.seconds) for each in asked)
            return processes.run(jobs, side_by_side=1)

        for ended in run(self.asked):
            statuses[ended.name] = ended.status
            noticed.update(failed(ended.output))
        for ended in run([unharmed(noticed)] if noticed else []):
            if ended.status:
                print(f"Without any fault, and after each other:\n{ended.output}")
                session.testsfailed = 1
        self.write(statuses)
        return True

    def write(self, statuses: Mapping[int | None, int]) -> None:
        """Keep the exit statuses for another process."""
        self.result.write_text(json.dumps([*statuses.items()]), "utf-8")

    def _try(
        self, session: pytest.Session, functions: Functions, items: Mapping[str, pytest.Item], asked: Asked
    ) -> int:
        """Run in a process of its own."""
        try:
            if asked.number is not None and not functions.exchange(self.faults.source(asked.number)):
                return NOT_HERE
        except SyntaxError:
            return NO_PROGRAM
        except Exception:  # noqa: BLE001  # the tool's own, which no test has noticed
            traceback.print_exc()
            return NO_TRIAL
        chosen = [items[test] for test in asked.tests]
        for item, following in zip_longest(chosen, chosen[1:]):
            item.ihook.pytest_runtest_protocol(item=item, nextitem=following)
            if session.testsfailed:
                return pytest.ExitCode.TESTS_FAILED
        return pytest.ExitCode.OK


# --- which test runs what ---------------------------------------------------------------------------------------


@dataclass
class Watched:
    """A test: how long it took, and the functions that it ran, as ``core/ledger:next_step``."""

    test: str
    seconds: float = 0.0
    functions: set[str] = field(default_factory=set)


@dataclass
class Coverage:
    """What tests run. ``at_import`` are functions that are run before any test: a fault there meets every test.

    ``failing`` are tests that fail without any fault. They are not asked. What a cache keeps, or a fixture of
    several tests has done, is run by the first of them alone.
    """

    tests: list[Watched] = field(default_factory=list)
    at_import: set[str] = field(default_factory=set)
    failing: set[str] = field(default_factory=set)

    def of(self, module: Module, where: str) -> list[Watched]:
        """Return the tests near to a module that run its function; all of them, if it is run at import."""
        files = {path.relative_to(ROOT).as_posix() for path in near(module)}
        tests = [each for each in self.tests if each.test.partition("::")[0] in files]
        if self.meets_all(module, where):
            return tests
        return [each for each in tests if f"{module.name}:{where}" in each.functions]

    def meets_all(self, module: Module, where: str) -> bool:
        """Whether a module's function is run at import, so that a fault in it meets every test."""
        return where == AT_IMPORT or f"{module.name}:{where}" in self.at_import

    def write(self, path: Path) -> None:
        """Keep this for another process."""
        tests = [[each.test, each.seconds, sorted(each.functions)] for each in self.tests]
        kept = {"tests": tests, "at_import": sorted(self.at_import), "failing": sorted(self.failing)}
        path.write_text(json.dumps(kept), "utf-8")

    def add(self, path: Path) -> None:
        """Add what another process has kept."""
        kept = json.loads(path.read_text("utf-8"))
        self.failing |= set(kept["failing"])
        self.at_import |= set(kept["at_import"])
        self.tests += [
            Watched(test, seconds, set(functions))
            for test, seconds, functions in kept["tests"]
            if test not in self.failing
        ]


def watch_tests(files: Sequence[Path], result: Path) -> int:
    """Run test files; write down what each test has run. Returns 0, or pytest's status if they could not run."""
    recorder = _Recorder()
    sys.meta_path.insert(0, recorder)
    os.chdir(ROOT)
    status = pytest.main([*_QUIETLY, *map(str, files)], plugins=[recorder])
    recorder.coverage.write(result)
    return 0 if status == pytest.ExitCode.TESTS_FAILED else status


class _Recorder(MetaPathFinder):
    """Imports our modules so that every start of a function in them is told, and knows which test it was in."""

    def __init__(self) -> None:
        self.coverage = Coverage()
        self._functions = self.coverage.at_import
        sys.monitoring.use_tool_id(_TOOL, "mutants")
        sys.monitoring.register_callback(_TOOL, sys.monitoring.events.PY_START, self._started)

    def find_spec(self, fullname: str, path: Any = None, target: Any = None) -> ModuleSpec | None:
        """Find our own modules."""
        if not fullname.startswith("kuaixintong."):
            return None
        spec = PathFinder.find_spec(fullname, path, target)
        if spec and isinstance(spec.loader, SourceFileLoader):
            spec.loader = _Told(spec.loader.name, spec.loader.path)
        return spec

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Iterator[None]:
        """Watch one test."""
        watched = Watched(item.nodeid)
        self.coverage.tests.append(watched)
        self._functions = watched.functions
        sys.monitoring.restart_events()
        begun = time.perf_counter()
        result = yield
        watched.seconds = time.perf_counter() - begun
        return result

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Note a test that fails."""
        if report.failed:
            self.coverage.failing.add(report.nodeid)

    def _started(self, code: CodeType, _: int) -> object:
        module = Path(code.co_filename).relative_to(PACKAGE).with_suffix("").as_posix()
        self._functions.add(f"{module}:{code.co_qualname.partition('.<locals>')[0]}")
        return sys.monitoring.DISABLE  # until the next test


_TOOL = sys.monitoring.PROFILER_ID


class _Told(SourceFileLoader):
    def get_code(self, fullname: str) -> CodeType | None:
        code = super().get_code(fullname)
        if code:
            _tell_starts(code)
        return code


def _tell_starts(code: CodeType) -> None:
    sys.monitoring.set_local_events(_TOOL, code, sys.monitoring.events.PY_START)
    for each in code.co_consts:
        if isinstance(each, CodeType):
            _tell_starts(each)
