"""The local stack is found by what it has written down, and only while it is up."""

import json
import os
from pathlib import Path
from typing import Any

import pytest

from kuaixintong import nearby
from kuaixintong.nearby import LocalStack, local_stack

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
    assert local_stack() == LocalStack(
        name="local",
        folder=stacks / "local-1",
        emulator="http://127.0.0.1:24000",
        region="us-east-1",
        control="http://127.0.0.1:24001/_sim",
        push_url="http://127.0.0.1:24000/receive",
        processes=(os.getpid(),),
    )


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "[::1]"])
def test_it_is_on_this_machine(stacks: Path, host: str) -> None:
    write(stacks, exports=EXPORTS | {"AWS_ENDPOINT_URL": f"http://{host}:24000"})
    assert local_stack() is not None


def test_of_several_the_first_that_is_up_is_found(stacks: Path) -> None:
    write(stacks, pid=_NOBODY)
    (stacks / "local-0").mkdir()
    (stacks / "local-0" / "state.json").write_text("{")
    (stacks / "local-2").mkdir()
    record = {"name": "up", "exports": EXPORTS, "processes": [{"pid": _NOBODY}, {"pid": os.getpid()}]}
    (stacks / "local-2" / "state.json").write_text(json.dumps(record))
    found = local_stack()
    assert found is not None
    assert found.name == "up"


def test_a_process_of_somebody_elses_is_a_process(stacks: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def kill(pid: int, signal: int) -> None:
        assert signal == 0  # asked, and nothing more
        raise PermissionError

    write(stacks)
    monkeypatch.setattr("kuaixintong.nearby.os.kill", kill)
    assert local_stack() is not None


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


def test_it_is_found_from_the_checkout_that_the_package_lies_in(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("KUAIXINTONG_STACKS", raising=False)
    monkeypatch.setattr(nearby, "__file__", str(tmp_path / "layers" / "kuaixintong" / "nearby.py"))
    monkeypatch.chdir("/")
    write(tmp_path / ".local")
    assert local_stack() is None  # nothing says that this is a checkout of ours
    (tmp_path / "samconfig.toml").touch()
    assert local_stack() is not None


def test_where_stacks_are_named_no_other_folder_is_looked_into(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KUAIXINTONG_STACKS", str(tmp_path / "elsewhere"))
    write(tmp_path / ".local")
    monkeypatch.chdir(tmp_path)
    assert local_stack() is None
