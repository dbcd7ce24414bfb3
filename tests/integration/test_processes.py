"""The local stack's processes: stopped for certain, those and no others."""

import os
import signal
import sys
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from local import processes
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
    earlier = replace(process, began=f"{process.began}0")
    assert not earlier.alive
    earlier.stop()
    assert process.alive
    process.stop()


def test_a_process_is_known_again_whatever_the_clock_has_been_set_to(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    process = started(tmp_path, SLEEPER)
    monkeypatch.setattr(psutil.Process, "create_time", lambda _self: 1.0)
    assert process.alive
    process.stop()
    assert not process.alive


def test_a_ctrl_c_while_a_process_starts_comes_when_the_process_is_known(tmp_path: Path) -> None:
    known = []

    def start() -> None:
        with processes.signals_held():
            signal.raise_signal(signal.SIGINT)
            known.append(started(tmp_path, SLEEPER))

    with processes.stopping_cleanly(), pytest.raises(KeyboardInterrupt):
        start()
    [process] = known
    assert signal.SIGINT not in deaf_to(process)
    process.stop()
    assert not process.alive


def deaf_to(process: Process) -> set[int]:
    """Return the signals that a process is deaf to, as Linux tells them."""
    lines = Path(f"/proc/{process.pid}/status").read_text("utf-8").splitlines()
    masks = [int(line.split()[1], 16) for line in lines if line.startswith(("SigIgn", "SigBlk"))]
    return {number for number in range(1, 32) for mask in masks if mask >> (number - 1) & 1}


def test_a_program_that_the_folders_move_has_cut_off_is_told_in_a_sentence(tmp_path: Path) -> None:
    script = tmp_path / "tool"
    script.write_text("#!/where/it/was/bin/python\n", "utf-8")
    script.chmod(0o755)
    with pytest.raises(Failed, match="tool does not run"):
        started(tmp_path, [str(script)])


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


def test_sigterm_leaves_by_way_of_the_clean_up() -> None:
    with pytest.raises(SystemExit) as left, processes.stopping_cleanly():
        signal.raise_signal(signal.SIGTERM)
    assert left.value.code == 128 + signal.SIGTERM
