"""Processes that are started here, recorded, and stopped for certain: those and no others.

A process is known by its id and by when it began, so that an id which the system has given to somebody else is
never signalled, and none is mistaken for ours after a reboot.
"""

import os
import random
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

import psutil

_PATIENCE = 8.0  # seconds that a process may take to end after SIGTERM
_TAIL = 25  # lines of a log that an error quotes …
_WIDEST = 500  # … and characters of each

_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")

_PORTS = (20_000, 32_000)

_STOPPING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

_ours: "dict[Process, subprocess.Popen[bytes]]" = {}  # children to be waited for, or they stay as zombies


class Failed(Exception):
    """Something that had to happen did not: a sentence for a person, with the ends of the logs that tell why."""

    def __init__(self, sentence: str, log: Path | None = None) -> None:
        super().__init__(sentence)
        if log:
            self.quote(log)

    def quote(self, log: Path) -> None:
        """Add the end of a log."""
        if log.exists():
            lines = log.read_text("utf-8", errors="replace").splitlines()[-_TAIL:]
            self.add_note("\n".join([f"The end of {log.name}:", *(f"    {line[:_WIDEST]}" for line in lines)]))

    @property
    def explained(self) -> str:
        """The sentence with the logs."""
        return "\n".join([str(self), *getattr(self, "__notes__", ())])


@dataclass(frozen=True, slots=True)
class Process:
    """A running process. ``began`` tells it from every other that has had its id."""

    name: str
    pid: int
    began: str

    @classmethod
    def current(cls) -> "Process":
        """Return this very process."""
        return cls.of("owner", os.getpid())

    @classmethod
    def of(cls, name: str, pid: int) -> "Process":
        """Return the process that has this id now. Raises ``psutil.NoSuchProcess``."""
        return cls(name, pid, _began(pid))

    @property
    def alive(self) -> bool:
        """Whether it still runs; a process that has ended and was not waited for does not."""
        return self._found() is not None

    def stop(self) -> None:
        """End it and its children: SIGTERM, some patience, SIGKILL. Does nothing if it has ended."""
        if process := self._found():
            family = [*_children(process), process]
            _signal(process.terminate)
            psutil.wait_procs([process], timeout=_PATIENCE)
            for each in family:
                _signal(each.kill)
            psutil.wait_procs(family, timeout=_PATIENCE)
        if child := _ours.pop(self, None):
            child.wait(_PATIENCE)

    def _found(self) -> psutil.Process | None:
        try:
            process = psutil.Process(self.pid)
            same = _began(self.pid) == self.began
            return process if same and process.status() != psutil.STATUS_ZOMBIE else None
        except psutil.NoSuchProcess:
            return None


def _began(pid: int) -> str:
    """Return when a process began: which start of the system, and how long after it.

    Seconds since 1970 would not do: Linux reckons them from a clock that is set right now and then.
    """
    try:
        ticks = Path(f"/proc/{pid}/stat").read_text("utf-8", errors="replace").rpartition(")")[2].split()[19]
        return f"{_BOOT_ID.read_text('utf-8').strip()}+{ticks}"
    except (FileNotFoundError, ProcessLookupError):
        return f"{psutil.Process(pid).create_time():.2f}"  # no Linux; or no such process, which this raises


def _children(process: psutil.Process) -> list[psutil.Process]:
    try:
        return process.children(recursive=True)
    except psutil.NoSuchProcess:
        return []


def _signal(send: Callable[[], None]) -> None:
    with suppress(psutil.NoSuchProcess):  # it was quicker
        send()


def start(name: str, command: Sequence[str | Path], *, log: Path, env: Mapping[str, str], cwd: Path) -> Process:
    """Start a process in a session of its own, so that a Ctrl-C meant for us does not reach it first.

    What it prints goes to the end of ``log``. To be called in a block of :func:`signals_held`, or a Ctrl-C may
    come before the caller knows what it would have to stop. Raises :class:`Failed` if there is no such program.
    """
    with log.open("ab") as output:
        try:
            child = subprocess.Popen(
                command,
                env=env,
                cwd=cwd,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        except FileNotFoundError:  # also where a script's interpreter is not where it was
            raise Failed(
                f"{command[0]} does not run. `make` installs it, also after the folder has moved."
            ) from None
    process = Process.of(name, child.pid)
    _ours[process] = child
    return process


def run(
    name: str, command: Sequence[str | Path], *, log: Path, env: Mapping[str, str], cwd: Path, seconds: float
) -> None:
    """Run a command to its end. Raises :class:`Failed` if that is not a good one within ``seconds``."""
    process: Process | None = None
    try:
        with signals_held():
            process = start(name, command, log=log, env=env, cwd=cwd)
        status = _ours[process].wait(seconds)
    except subprocess.TimeoutExpired:
        raise Failed(f"{name} took longer than {seconds:.0f} s.", log) from None
    finally:
        if process:
            process.stop()
    if status != 0:
        raise Failed(f"{name} ended with status {status}.", log)


def free_port() -> int:
    """Return a TCP port of 127.0.0.1 that nobody listens on.

    It is none of those that systems hand out to outgoing connections, so nobody gets it by accident before it is
    listened on.
    """
    for port in random.sample(range(*_PORTS), 100):
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port
    raise Failed("100 ports of 127.0.0.1 are taken.")


def wait_until[T](
    condition: Callable[[], T | None], what: str, *, seconds: float = 60.0, pause: float = 0.05
) -> T:
    """Return the condition's first truthy value. Raises :class:`Failed`, which names ``what`` did not come."""
    deadline = time.monotonic() + seconds
    while not (value := condition()):
        if time.monotonic() > deadline:
            raise Failed(f"{what}: not within {seconds:.0f} s.")
        time.sleep(pause)
    return value


@contextmanager
def stopping_cleanly() -> Iterator[None]:
    """Turn SIGTERM and SIGHUP into ``SystemExit`` while the block lasts, so that ``finally`` and ``with`` work.

    SIGINT is heard as well, also where a shell has started this process in the background, deaf to it.
    """

    def leave(number: int, _frame: FrameType | None) -> None:
        raise SystemExit(128 + number)

    handlers = dict.fromkeys(_STOPPING, leave) | {signal.SIGINT: signal.default_int_handler}
    before = {number: signal.signal(number, handler) for number, handler in handlers.items()}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def signals_held() -> Iterator[None]:
    """Put Ctrl-C and its like off until the block has ended: what it starts has to be written down first.

    A handler is needed, not a mask and not deafness: a process that is started here would inherit those.
    """
    if threading.current_thread() is not threading.main_thread():
        yield  # signals are the main thread's business
        return
    came: list[int] = []
    before = {number: signal.signal(number, lambda number, _frame: came.append(number)) for number in _STOPPING}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        if came:
            signal.raise_signal(came[0])


@contextmanager
def undisturbed() -> Iterator[None]:
    """Be deaf to Ctrl-C and its like while the block cleans up: a second, impatient one must not cut it off."""
    if threading.current_thread() is not threading.main_thread():
        yield  # signals are the main thread's business
        return
    before = {number: signal.signal(number, signal.SIG_IGN) for number in _STOPPING}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
