"""Tests in a forked process that imports one module of ours with another text.

The parent imports what the tests need of other people's and nothing of ours; the child imports ours afresh, tables
and all. No file is written: the tree stays as it is.
"""

import importlib
import importlib.util
import json
import os
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from pathlib import Path
from types import CodeType
from typing import Any

import boto3
import pytest

from tests.mutants.faults import AT_IMPORT
from tests.mutants.modules import PACKAGE, ROOT, Module, near

_PRELOADED = (
    *("aiohttp.web", "aws_lambda_powertools.utilities.batch", "boto3.dynamodb.conditions", "hypothesis"),
    *("_hypothesis_pytestplugin", "hypothesis.stateful", "jsonschema"),
    *("moto.dynamodb", "moto.secretsmanager", "moto.sqs", "msgspec", "pydantic", "requests", "yaml"),
)

NOTHING_NOTICED = (0, pytest.ExitCode.NO_TESTS_COLLECTED)
"""Exit statuses of a trial that a mutant has survived."""

NO_PROGRAM = 80
"""Exit status of a trial of what is no Python."""

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

    ``failing`` are tests that fail without any fault. They are not asked.
    """

    tests: list[Watched] = field(default_factory=list)
    at_import: set[str] = field(default_factory=set)
    failing: set[str] = field(default_factory=set)

    def of(self, module: Module, where: str) -> list[Watched]:
        """Return the tests near to a module that run its function; all of them, if it is run at import."""
        files = {path.relative_to(ROOT).as_posix() for path in near(module)}
        tests = [each for each in self.tests if each.test.partition("::")[0] in files]
        name = f"{module.name}:{where}"
        if where == AT_IMPORT or name in self.at_import:
            return tests
        return [each for each in tests if name in each.functions]

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
