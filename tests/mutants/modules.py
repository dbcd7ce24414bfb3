"""What is put to the test: the layer's modules, and the test files that are near to each.

Near is a convention: tests that are named for the module (``core/ledger`` and ``test_ledger.py``,
``stores/account`` and ``test_account_store.py``), and tests that import it, for a shell or a store also by way of
other shells and of helpers such as ``tests/world.py``. What is pure has to be noticed by its unit tests. What has
no tests is tested through what imports it, so what is near to that is near to it. Of these tests, only the ones
that run a mutant's function are asked.
"""

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "layers" / "kuaixintong" / "kuaixintong"
TESTS = (ROOT / "tests" / "unit", ROOT / "tests" / "integration")

LEFT_OUT = {
    "client": "it talks to sockets, and a fault in it shows in a test's patience",
    "platform": "a protocol: nothing runs",
    "wiring": "objects handed to each other: the handlers' and the e2e tests' business, which need an emulator",
}


_SUBMISSION = frozenset(
    {"admission", "claims", "errand", "guards", "recipients", "request", "slots", "submission"}
)
"""What a send goes through between its decisions and its rows."""


@dataclass(frozen=True, slots=True)
class Module:
    """A module of the layer by its path in the package, without suffix: ``core/ledger``."""

    name: str

    @property
    def path(self) -> Path:
        """Its file."""
        return PACKAGE / f"{self.name}.py"

    @property
    def dotted(self) -> str:
        """Its name for an import."""
        return f"kuaixintong.{self.name.replace('/', '.')}"

    @property
    def is_of_the_heart(self) -> bool:
        """Whether it decides on sends, submits them, or keeps what became of them."""
        return self.name in _SUBMISSION or self.name.startswith(("core/", "stores/"))

    def names(self, test: Path) -> bool:
        """Whether a test file is named for it."""
        stem = self.name.rpartition("/")[2]
        return f"{test.stem.removeprefix('test_')}_".startswith(f"{stem}_")


@cache
def modules() -> tuple[Module, ...]:
    """Return every module that is put to the test."""
    found = (path.relative_to(PACKAGE).with_suffix("").as_posix() for path in sorted(PACKAGE.rglob("*.py")))
    return tuple(
        Module(name) for name in found if name.partition("/")[0] not in LEFT_OUT and not name.endswith("__init__")
    )


@cache
def near(module: Module) -> tuple[Path, ...]:
    """Return the test files that are near to a module."""
    files = [path for folder in TESTS for path in sorted(folder.glob("test_*.py"))]
    helped = not module.name.startswith("core/")
    found = {path for path in files if module.names(path) or module.dotted in _imports(path, helped=helped)}
    if not found:
        for other in modules():
            if other != module and module.dotted in _imports(other.path):
                found |= {*near(other)}
    units = {path for path in found if path.parent.name == "unit"}
    return tuple(sorted(found if helped else units or found))


@cache
def _imports(path: Path, *, helped: bool = False) -> frozenset[str]:
    """Return what a file imports, ``helped`` by what is imported by whatever only hands things on."""
    found, todo = set[str](), [path]
    while todo:
        new = _imported_by(todo.pop()) - found
        found |= new
        todo += [helper for name in new if helped and (helper := _helper(name))]
    return frozenset(found)


@cache
def _imported_by(path: Path) -> frozenset[str]:
    return frozenset(_names(ast.parse(path.read_text("utf-8"))))


def _helper(name: str) -> Path | None:
    """Return the file of what brings others together, a shell or a tests' helper; ``None`` for all else."""
    if name.startswith("tests."):
        path = ROOT / f"{name.replace('.', '/')}.py"
    elif name.startswith("kuaixintong.") and not name.startswith("kuaixintong.core."):
        path = PACKAGE.parent / f"{name.replace('.', '/')}.py"
    else:
        return None
    return path if path.exists() else None


def _names(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        match node:
            case ast.Import(names):
                yield from (each.name for each in names)
            case ast.ImportFrom(str(module), names):
                yield module
                yield from (f"{module}.{each.name}" for each in names)
