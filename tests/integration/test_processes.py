"""The local stack's processes: stopped for certain, those and no others."""

import json
import os
import signal
import subprocess
import sys
from dataclasses import asdict, replace
from pathlib import Path

import psutil
import pytest

from local import processes, stack
from local.processes import Failed, Process, wait_until

SLEEPER = [sys.executable, "-c", "import time; time.sleep(60)"]
DEAF = [
    sys.executable,
    "-c",
    "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN);print('deaf', flush=True); time.sleep(60)",
]
PARENT = [sys.executable, "-c", f"import subprocess; subprocess.run({SLEEPER})"]


def started(folder: Path, command: list[str]) -> Process:
    return processes.start("sleeper", command, log=folder / "sleeper.log", env=os.environ, cwd=folder)


def test_a_process_is_stopped_with_its_children(tmp_path: Path) -> None:
    process = started(tmp_path, PARENT)
    [child] = wait_until(lambda: psutil.Process(process.pid).children(), "the child is there")
    process.stop()
    assert not process.alive
    assert not child.is_running()


def test_a_process_that_ignores_sigterm_is_killed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processes, "_PATIENCE", 0.2)
    process = started(tmp_path, DEAF)
    wait_until((tmp_path / "sleeper.log").read_text, "it is deaf")
    process.stop()
    assert not process.alive


def test_an_id_that_belongs_to_another_process_now_is_left_alone(tmp_path: Path) -> None:
    process = started(tmp_path, SLEEPER)
    earlier = replace(process, started=process.started - 3600)
    assert not earlier.alive
    earlier.stop()
    assert process.alive
    process.stop()


def test_a_command_that_fails_is_told_with_the_end_of_its_log(tmp_path: Path) -> None:
    complaint = [sys.executable, "-c", "raise SystemExit('no luck today')"]
    with pytest.raises(Failed) as failure:
        processes.run("luck", complaint, log=tmp_path / "luck.log", env=os.environ, cwd=tmp_path, seconds=20)
    assert failure.value.explained == "luck ended with status 1.\nThe end of luck.log:\n    no luck today"


def test_a_command_that_hangs_is_ended(tmp_path: Path) -> None:
    log = tmp_path / "hang.log"
    with pytest.raises(Failed, match="hang took longer than 0 s"):
        processes.run("hang", SLEEPER, log=log, env=os.environ, cwd=tmp_path, seconds=0.2)
    assert [process for process in processes._ours if process.name == "hang"] == []


def test_what_does_not_happen_in_time_is_named() -> None:
    with pytest.raises(Failed, match="the moon turns green: not within 0 s"):
        wait_until(lambda: False, "the moon turns green", seconds=0.05, pause=0.01)


def test_what_a_killed_run_left_behind_is_cleared_and_what_was_kept_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stack, "WORKPLACE", tmp_path)
    owner = subprocess.Popen(SLEEPER)
    dead = Process("owner", owner.pid, psutil.Process(owner.pid).create_time())
    owner.kill()
    owner.wait()
    owners = {"left": asdict(dead), "in-use": asdict(Process.current()), "kept": None}
    running = {}
    for name, its_owner in owners.items():
        (tmp_path / name).mkdir()
        running[name] = started(tmp_path / name, SLEEPER)
        state = {"name": name, "owner": its_owner, "processes": [asdict(running[name])]}
        (tmp_path / name / "state.json").write_text(json.dumps(state), "utf-8")
    try:
        assert stack.clear_leftovers(lambda _step: None) == 1
        assert {name for name, each in running.items() if each.alive} == {"in-use", "kept"}
        assert stack.kept_stacks() == ["kept"]
        assert stack.clear_leftovers(lambda _step: None, kept_too=True) == 1
        assert {name for name, each in running.items() if each.alive} == {"in-use"}
        assert [path.name for path in tmp_path.iterdir()] == ["in-use"]
    finally:
        for each in running.values():
            each.stop()


def test_sigterm_leaves_by_way_of_the_clean_up() -> None:
    with pytest.raises(SystemExit) as left, processes.stopping_cleanly():
        signal.raise_signal(signal.SIGTERM)
    assert left.value.code == 128 + signal.SIGTERM
