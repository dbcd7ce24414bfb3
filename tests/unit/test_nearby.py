"""The local stack is found by what it has written down, and only while it is up."""

import json
import os
from pathlib import Path
from typing import Any

import pytest

from kuaixintong import nearby
from kuaixintong.nearby import local_stack

EXPORTS = {
    "AWS_ENDPOINT_URL": "http://127.0.0.1:24000",
    "AWS_DEFAULT_REGION": "us-east-1",
    "CONTROL": "http://127.0.0.1:24001/_sim",
    "PUSH": "http://127.0.0.1:24000/receive",
}
_NOBODY = 2**22 + 1  # above the system's highest process id


def write(folder: Path, *, pid: int | None = None, **changes: Any) -> None:
    record = {"name": "local", "exports": EXPORTS, "processes": [{"pid": pid or os.getpid()}]} | changes
    (folder / "local-1").mkdir(parents=True, exist_ok=True)
    (folder / "local-1" / "state.json").write_text(json.dumps(record))


@pytest.fixture
def stacks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("KUAIXINTONG_STACKS", str(tmp_path))
    return tmp_path


def test_a_stack_that_is_up_is_found_with_how_to_reach_it(stacks: Path) -> None:
    write(stacks)
    found = local_stack()
    assert found
    assert (found.name, found.emulator, found.control) == (
        "local",
        "http://127.0.0.1:24000",
        "http://127.0.0.1:24001/_sim",
    )


@pytest.mark.parametrize("changes", [{"pid": _NOBODY}, {"exports": {}}, {"processes": []}])
def test_one_that_has_ended_or_is_not_up_yet_is_none(stacks: Path, changes: dict[str, Any]) -> None:
    write(stacks, **changes)
    assert local_stack() is None


def test_one_that_leads_elsewhere_is_none(stacks: Path) -> None:
    write(stacks, exports=EXPORTS | {"AWS_ENDPOINT_URL": "https://sqs.evil.example"})
    assert local_stack() is None


@pytest.mark.parametrize("text", ["", "{", "[]", '{"name": 1}', '{"exports": 3}'])
def test_a_record_that_cannot_be_read_is_none(stacks: Path, text: str) -> None:
    write(stacks)
    (stacks / "local-1" / "state.json").write_text(text)
    assert local_stack() is None


def test_it_is_found_from_folders_below_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("KUAIXINTONG_STACKS", raising=False)
    monkeypatch.setattr(nearby, "__file__", "/usr/lib/python3/site-packages/kuaixintong/nearby.py")
    write(tmp_path / ".local")
    (tmp_path / "a" / "b").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "a" / "b")
    assert local_stack() is not None
    monkeypatch.chdir("/")
    assert local_stack() is None
