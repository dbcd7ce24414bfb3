"""Work in forked processes: some side by side, none for longer than it may, each ended with all it has started."""

import ctypes
import os
import resource
import shutil
import signal
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

_PR_SET_PDEATHSIG = 1

_MEMORY = 4 << 30
"""Bytes that a process may take: a fault in a loop can ask for all there are."""

_TOLD = 4_000
"""Characters of a process's output that are told."""

_TOO_LONG = -1
"""What stands for the exit status of a process that was ended for being slow."""


@dataclass(frozen=True, slots=True)
class Job[T]:
    """``work`` runs in a process of its own, with a folder for temporary files; it returns the exit status."""

    name: T
    work: Callable[[], int]
    seconds: float


@dataclass(frozen=True, slots=True)
class Ended[T]:
    """How a job ended: its exit status, below zero for a signal or for too long a run, and what it said last."""

    name: T
    status: int
    output: str


@dataclass(frozen=True, slots=True)
class _Running[T]:
    job: Job[T]
    process: psutil.Process
    folder: Path
    deadline: float


def run[T](jobs: Iterable[Job[T]], *, side_by_side: int) -> Iterator[Ended[T]]:
    """Yield how each job ended, as it does."""
    todo = iter(jobs)
    with tempfile.TemporaryDirectory(prefix="mutants-") as folder:
        running: list[_Running[T]] = []
        try:
            for job in todo:
                running.append(_start(job, Path(folder)))
                while len(running) >= side_by_side:
                    yield from _ended(running)
            while running:
                yield from _ended(running)
        finally:
            for each in running:
                _end(each)


def _start[T](job: Job[T], parent: Path) -> _Running[T]:
    folder = Path(tempfile.mkdtemp(dir=parent))
    pid = os.fork()
    if pid == 0:
        _child(job, folder)
    return _Running(job, psutil.Process(pid), folder, time.monotonic() + job.seconds)


def _child[T](job: Job[T], folder: Path) -> None:
    status = 70  # "internal software error"
    try:
        os.setsid()
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        _die_with_parent()
        resource.setrlimit(resource.RLIMIT_AS, (_MEMORY, _MEMORY))
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        output = os.open(folder / "output", os.O_WRONLY | os.O_CREAT)
        for stream in (1, 2):
            os.dup2(output, stream)
        sys.stdout, sys.stderr = sys.__stdout__, sys.__stderr__  # whoever may have put another there
        os.environ["TMPDIR"] = os.environ["HYPOTHESIS_STORAGE_DIRECTORY"] = tempfile.tempdir = str(folder)
        status = job.work()
    except BaseException:  # noqa: BLE001  # whatever it is: told, and never the parent's
        traceback.print_exc()
    finally:
        try:
            sys.stdout.flush()
            sys.stderr.flush()
        finally:  # whatever the work has done to them
            os._exit(status)


def _die_with_parent() -> None:
    """Whatever ends the parent ends the child, where the system knows how to (Linux)."""
    with suppress(AttributeError):
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def _ended[T](running: list[_Running[T]]) -> Iterator[Ended[T]]:
    """Wait for at least one of the processes."""
    while True:
        over = [(each, status) for each in running if (status := _status(each)) is not None]
        for each, status in over:
            running.remove(each)
            output = (each.folder / "output").read_text("utf-8", "replace")
            _end(each)
            yield Ended(each.job.name, status, output[-_TOLD:])
        if over:
            return
        time.sleep(0.005)


def _status[T](each: _Running[T]) -> int | None:
    pid, status = os.waitpid(each.process.pid, os.WNOHANG)
    if pid:
        return os.waitstatus_to_exitcode(status)
    return _TOO_LONG if time.monotonic() > each.deadline else None


def _end[T](each: _Running[T]) -> None:
    """End what is left of a process: itself, its children, and theirs."""
    with suppress(psutil.NoSuchProcess):
        for child in [*each.process.children(recursive=True), each.process]:
            child.kill()
    with suppress(ProcessLookupError):
        os.killpg(each.process.pid, signal.SIGKILL)
    with suppress(ChildProcessError):
        os.waitpid(each.process.pid, 0)
    shutil.rmtree(each.folder, ignore_errors=True)
