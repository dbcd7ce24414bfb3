"""The deliberate faults of ``make mutants``: where they are put, whom they are shown to, and what it tells."""

import subprocess
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest

from tests.mutants import trial
from tests.mutants.accepted import accepted
from tests.mutants.faults import AT_IMPORT, Fault, Faults
from tests.mutants.modules import ROOT, Module, modules, near
from tests.mutants.processes import Job, run
from tests.mutants.swap import Functions

SOURCE = '''\
"""A module."""

from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from somewhere import Name

type Number = int | float

TABLE = (
    (1, "one"),
    (2, "two"),
)


class Counter:
    """Counts."""

    begin: int = 5

    @property
    def next(self) -> "Name":
        return self.begin + 1


@cache
def least(one: int, other: int) -> int:
    if one < other:
        return one
    raise ValueError("None of them is the least.")


def said(data: bytes) -> str:
    match data.decode("utf-8"):
        case "":
            return "nothing"
        case _:
            return "something"
'''


def faults_of(folder: Path) -> list[Fault]:
    path = folder / "module.py"
    path.write_text(SOURCE, "utf-8")
    faults = Faults(path)
    return [faults.fault(number) for number in range(len(faults))]


def test_faults_are_put_into_tables_defaults_and_functions_decorated_ones_too(tmp_path: Path) -> None:
    found = faults_of(tmp_path)
    for expected in (
        Fault(AT_IMPORT, '(1, "one"),', '(2, "one"),'),
        Fault(AT_IMPORT, '(2, "two"),', '(2, "TWO"),'),
        Fault(AT_IMPORT, "begin: int = 5", "begin: int = 6"),
        Fault("Counter.next", "return self.begin + 1", "return self.begin - 1"),
        Fault("least", "if one < other:", "if one <= other:"),
        Fault("said", 'case _:\n    return "something"', ""),
    ):
        assert expected in found


def test_types_sentences_and_spellings_of_an_encoding_are_left_alone(tmp_path: Path) -> None:
    told = "\n".join(fault.became for fault in faults_of(tmp_path))
    assert "TYPE_CHECKING" not in told
    assert "type Number" not in told
    assert "of them" not in told
    assert "raise ValueError(None)" in told
    assert "UTF-8" not in told
    assert "data.decode(None)" in told


def test_every_mutant_differs_from_the_module_in_the_lines_that_it_tells(tmp_path: Path) -> None:
    found = faults_of(tmp_path)
    assert all(fault.was != fault.became for fault in found)
    assert all(line.strip() in SOURCE for fault in found for line in fault.was.splitlines())


RUNNING = '''\
from collections.abc import Callable
from functools import cache

CODES = frozenset({"one", "two", "three", "four"})


class Counter:
    """Counts."""

    begin: int = 5

    @property
    def next(self) -> int:
        return self.begin + 1


class Later:
    """A class knows its line."""


@cache
def least(one: int, other: int = 4, by: Callable[[int], int] = lambda one: one + 0) -> int:
    return one if by(one) < by(other) else other


def first[A](one: A, other: A) -> A:
    return one


pair = (lambda: 1, lambda: 2)


def told() -> tuple[int, int, str, int, int]:
    return Counter().next, least(1, 2), first("a", "b"), pair[0](), pair[1]()
'''


@pytest.mark.parametrize(
    ("was", "becomes", "found"),
    [
        ("one if by", "other if by", (6, 2, "a", 1, 2)),  # of a function that a decorator has taken along
        ("begin + 1", "begin + 2", (7, 1, "a", 1, 2)),
        ("begin + 1", "begin + (lambda: 3)()", (8, 1, "a", 1, 2)),
        ("self.begin + 1", "(\n    self.begin + 4)", (9, 1, "a", 1, 2)),  # what follows stands a line further down
        ("return one\n", "return other\n", (6, 1, "b", 1, 2)),
        ("lambda: 1", "lambda: 3", (6, 1, "a", 3, 2)),
        ("lambda: 2", "lambda: 3", (6, 1, "a", 1, 3)),
        ("one + 0", "-one", (6, 2, "a", 1, 2)),
        ("begin + 1", "begin + 1\n\n    last = 3", None),
        ("other: int = 4", "other: int = 5", None),
        ("begin: int = 5", "begin: int = 6", None),
        ('"four"', '"five"', None),
        ("@cache", "", None),
        ("Counts", "Counts all", None),
        ("", "", None),
    ],
)
def test_a_fault_in_one_function_alone_is_put_into_a_program_that_runs(
    tmp_path: Path, was: str, becomes: str, found: tuple[int, int, str, int, int] | None
) -> None:
    path = tmp_path / "module.py"
    path.write_text(RUNNING, "utf-8")
    program: dict[str, Any] = {"__name__": "module"}
    exec(compile(RUNNING, str(path), "exec", dont_inherit=True), program)
    assert Functions(path).exchange(RUNNING.replace(was, becomes, 1)) == (found is not None)
    assert program["told"]() == (found or (6, 1, "a", 1, 2))


NUMBERS = Module("core/numbers")
ASKED = ["tests/unit/test_numbers.py"]


class Texts(Faults):
    """Faults of a module that stand here: a piece of its text, and what it becomes."""

    def __init__(self, *pairs: tuple[str, str]) -> None:
        self._pairs = pairs

    def source(self, number: int) -> str:
        was, becomes = self._pairs[number]
        source = NUMBERS.path.read_text("utf-8")
        assert was in source
        return source.replace(was, becomes, 1)


def status_of(work: Callable[[], int]) -> int:
    (ended,) = run([Job("one", work, 60)], side_by_side=1)
    return ended.status


def test_a_server_and_a_program_made_afresh_say_the_same_of_a_fault(tmp_path: Path) -> None:
    faults = Texts(
        ('lstrip("0")', 'lstrip("1")'),
        ("digits", "digits"),
        ("def whole(", "def whole(("),
        ("_DIGITS = ", "_DIGITS = 1 + "),
        ("there is no such text", ""),
    )
    tests = [test for test in collected() if "test_numbers" in test]
    asked = [trial.Asked(number, tests, 60) for number in range(5)]
    assert status_of(partial(trial.serve, NUMBERS, faults, asked, tmp_path / "result")) == 0
    served = dict(trial.read_served(tmp_path / "result"))
    assert served == {0: 1, 1: trial.NOT_HERE, 2: trial.NO_PROGRAM, 3: trial.NOT_HERE, 4: trial.NO_TRIAL}
    for number, status in ((0, 1), (1, 0), (2, trial.NO_PROGRAM)):
        assert status_of(partial(afresh, faults.source(number), tests)) == status


def forget(*beginnings: str) -> None:
    """Take back what this process has imported, as if it were `make mutants`, which imports nothing of ours."""
    for name in [name for name in sys.modules if name.startswith(beginnings)]:
        del sys.modules[name]


def afresh(source: str, tests: list[str]) -> int:
    forget("kuaixintong", "tests.unit.")
    return trial.try_tests(NUMBERS, source, tests)


def collected() -> list[str]:
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "--collect-only", "-q", *ASKED],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    return [line for line in done.stdout.splitlines() if "::" in line]


def test_what_fails_without_any_fault_has_noticed_none(tmp_path: Path) -> None:
    asked = [trial.Asked(0, [test for test in collected() if "test_a_whole_number_keeps" in test], 60)]
    serve = partial(trial.serve, NUMBERS, Texts(('lstrip("0")', 'lstrip("1")')), asked, tmp_path / "result")

    def broken() -> int:
        forget("tests.unit.")
        with patch("kuaixintong.core.numbers.whole", lambda _: None):
            return serve()

    assert status_of(serve) == 0
    assert status_of(broken) == pytest.ExitCode.TESTS_FAILED


def test_every_module_has_tests_near_to_it() -> None:
    assert {"core/ledger", "request", "stores/table", "status"} <= {module.name for module in modules()}
    assert [module.name for module in modules() if not near(module)] == []


def test_near_are_tests_that_are_named_for_a_module_or_import_it() -> None:
    def names(module: str) -> set[str]:
        return {path.name for path in near(Module(module))}

    assert {"test_ledger.py", "test_status.py"} <= names("core/ledger")
    assert "test_claims.py" not in names("core/ledger")  # it is no unit test, and the ledger is pure
    assert "test_account_store.py" in names("stores/account")
    assert "test_receiver.py" in names("reception")  # by way of tests/receiving.py
    assert "test_reading_lists.py" in names("listing")  # by way of tests/reading.py and the wiring
    assert "test_template.py" not in names("submission")


def test_every_accepted_mutant_is_of_a_module_and_has_a_reason() -> None:
    for entry in accepted():
        assert entry.module in {module.name for module in modules()}
        assert entry.why.endswith(".")
    assert len({*accepted()}) == len(accepted())


def test_a_module_is_tried_and_told_in_a_table() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tests.mutants", "--module", "core/numbers", "--sample", "4"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode in (0, 1), done.stderr
    (row, together) = [line.split() for line in done.stdout.splitlines() if " % " in f"{line} "][-2:]
    assert (row[0], row[2]) == ("core/numbers", "4")
    assert together[0] == "together"
    assert sum(map(int, row[3:6])) == 4


def test_a_module_that_does_not_exist_is_told() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tests.mutants", "--module", "core/nothing"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 2
    assert done.stdout.startswith("There is no module core/nothing. There are account_check, ")
