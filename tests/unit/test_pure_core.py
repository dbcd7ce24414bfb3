"""The pure core, ``core/``: no AWS, no HTTP, no environment, no log, no clock, no chance, however deep one looks.

Nobody keeps a list of what is pure: what lives in the room is.
"""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[2] / "layers" / "kuaixintong" / "kuaixintong"

CORE = PACKAGE / "core"

PURE = sorted(path.stem for path in CORE.glob("*.py"))

ALLOWED = {
    *("base64", "binascii", "codecs", "collections", "dataclasses", "datetime", "email", "enum"),
    *("functools", "hashlib", "itertools", "json", "math", "re", "types", "typing", "unicodedata"),
    "urllib.parse",
    "msgspec",
}

CLOCKS = {"now", "utcnow", "today"}


def parsed(module: str) -> ast.Module:
    return ast.parse((CORE / f"{module}.py").read_text("utf-8"))


def imports(tree: ast.Module) -> Iterator[str]:
    """Every module that is imported anywhere in the source, also inside functions and for types alone."""
    for node in ast.walk(tree):
        match node:
            case ast.Import(names):
                yield from (each.name for each in names)
            case ast.ImportFrom("kuaixintong", names):
                yield from (f"kuaixintong.{each.name}" for each in names)
            case ast.ImportFrom(str(module)):
                yield module
            case ast.ImportFrom():
                yield "a relative import"


def allowed(module: str) -> bool:
    return module in ALLOWED or module.partition(".")[0] in ALLOWED - {"urllib.parse"}


@pytest.mark.parametrize("module", PURE)
def test_a_pure_module_imports_nothing_that_reaches_outside(module: str) -> None:
    foreign = {each for each in imports(parsed(module)) if not each.startswith("kuaixintong")}
    assert {each for each in foreign if not allowed(each)} == set()


@pytest.mark.parametrize("module", PURE)
def test_no_import_points_from_the_core_outwards(module: str) -> None:
    ours = {each for each in imports(parsed(module)) if each.partition(".")[0] == "kuaixintong"}
    assert {each for each in ours if not re.fullmatch(r"kuaixintong\.core(\.\w+)?", each)} == set()


def test_the_core_has_rooms() -> None:
    assert {"codec", "gate", "ledger", "sends"} <= {*PURE}
    assert not [path for path in CORE.iterdir() if path.is_dir() and path.name != "__pycache__"]


@pytest.mark.parametrize("room", ["", "core", "wiring"])
def test_a_room_says_where_to_look_for_what(room: str) -> None:
    modules = {path.stem for path in (PACKAGE / room).glob("*.py")} - {"__init__"}
    said = (PACKAGE / room / "__init__.py").read_text("utf-8")
    assert {each for each in modules if f"``{each}``" not in said} == set()


@pytest.mark.parametrize("module", PURE)
def test_a_pure_module_asks_no_clock(module: str) -> None:
    asked = {node.attr for node in ast.walk(parsed(module)) if isinstance(node, ast.Attribute)}
    assert not asked & CLOCKS


@pytest.mark.parametrize("module", PURE)
def test_a_pure_module_opens_nothing(module: str) -> None:
    called = {
        node.func.id
        for node in ast.walk(parsed(module))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
    }
    assert not called & {"open", "print", "input", "exec", "eval", "__import__"}


def test_aws_is_spoken_in_the_stores_alone() -> None:
    speakers = {
        path.relative_to(PACKAGE).as_posix()
        for path in PACKAGE.rglob("*.py")
        for each in imports(ast.parse(path.read_text("utf-8")))
        if each.partition(".")[0] in ("boto3", "botocore")
    }
    assert {path for path in speakers if not path.startswith("stores/")} == set()


def test_http_is_spoken_in_the_client_alone() -> None:
    speakers = {
        path.name
        for path in PACKAGE.rglob("*.py")
        for each in imports(ast.parse(path.read_text("utf-8")))
        if each.partition(".")[0] in ("requests", "urllib3", "http", "socket", "ssl")
    }
    assert speakers == {"client.py"}
