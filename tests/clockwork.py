"""A clock that jumps: threads of which one runs at a time, each asleep until a moment of its own.

What takes minutes in earnest takes as long here as its work takes, and every run is the same run. Whoever sleeps,
or waits for a :class:`Turn`, hands on to whoever is next to wake.
"""

import heapq
import threading
from collections import deque
from collections.abc import Callable
from datetime import datetime, timedelta
from itertools import count
from math import inf

_PATIENCE = 120.0
"""Real seconds for one turn of a thread's; more means waiting for what never comes."""


class Task:
    """A thread of a clockwork's."""

    def __init__(self, work: Callable[[], object]) -> None:
        self.go = threading.Semaphore(0)
        self.call = 0  # which of its calls to be woken holds; earlier ones have lapsed
        self.work = work


class Clockwork:
    """Simulated time, in seconds since ``start``."""

    def __init__(self, start: datetime) -> None:
        self.seconds = 0.0
        self._start = start
        self._calls: list[tuple[float, int, int, Task]] = []
        self._order = count()
        self._current: Task | None = None
        self._main = threading.Semaphore(0)
        self._error: BaseException | None = None

    @property
    def now(self) -> datetime:
        """The moment."""
        return self._start + timedelta(seconds=self.seconds)

    def spawn(self, work: Callable[[], object], *, after: float = 0.0) -> None:
        """Let ``work`` begin on a thread of its own."""
        task = Task(work)
        threading.Thread(target=self._run, args=(task,), daemon=True).start()
        self._call(task, after)

    def run(self) -> None:
        """Let everything run to its end. Raises what a thread has ended with."""
        while self._hand_on():
            assert self._main.acquire(timeout=_PATIENCE), "a thread waits for what never comes"
            if self._error:
                raise self._error

    def sleep(self, seconds: float) -> None:
        """Let the time pass for the thread that calls."""
        until = self.seconds + max(seconds, 0.0)
        if self._next() >= until:  # nobody else wakes before: no need to change threads
            self.seconds = until
            return
        self.park(seconds)

    def park(self, seconds: float | None = None) -> None:
        """Stop the thread that calls, until it is woken, or so many seconds have passed."""
        task = self.current()
        task.call += 1
        if seconds is not None:
            self._call(task, seconds)
        if not self._hand_on():
            self._main.release()
        assert task.go.acquire(timeout=_PATIENCE), "a thread waits for what never comes"

    def wake(self, task: Task) -> None:
        """Let a parked thread go on at this moment."""
        task.call += 1
        self._call(task, 0.0)

    def current(self) -> Task:
        """The thread that runs."""
        assert self._current, "only threads of the clockwork wait in it"
        return self._current

    def _call(self, task: Task, after: float) -> None:
        heapq.heappush(self._calls, (self.seconds + max(after, 0.0), next(self._order), task.call, task))

    def _next(self) -> float:
        while self._calls and self._calls[0][2] != self._calls[0][3].call:
            heapq.heappop(self._calls)
        return self._calls[0][0] if self._calls else inf

    def _hand_on(self) -> bool:
        if self._error or self._next() == inf:
            return False
        self.seconds, _, _, task = heapq.heappop(self._calls)
        task.call += 1
        self._current = task
        task.go.release()
        return True

    def _run(self, task: Task) -> None:
        task.go.acquire()
        try:
            task.work()
        except BaseException as error:  # noqa: BLE001  # it is raised in the thread that runs the clockwork
            self._error = error
        if not self._hand_on():
            self._main.release()


class Turn:
    """What :class:`threading.Condition` is, in a clockwork's time."""

    def __init__(self, clockwork: Clockwork) -> None:
        self._clockwork = clockwork
        self._held = False
        self._queue: deque[Task] = deque()
        self._waiting: list[Task] = []

    def acquire(self) -> bool:
        """Wait for the lock."""
        while self._held:
            self._queue.append(self._clockwork.current())
            self._clockwork.park()
        self._held = True
        return True

    def release(self) -> None:
        """Let the next have the lock."""
        self._held = False
        if self._queue:
            self._clockwork.wake(self._queue.popleft())

    def __enter__(self) -> None:
        self.acquire()

    def __exit__(self, *_: object) -> None:
        self.release()

    def wait(self, timeout: float | None = None) -> bool:
        """Wait to be notified; ``False`` if that takes longer."""
        task = self._clockwork.current()
        self._waiting.append(task)
        self.release()
        self._clockwork.park(timeout)
        notified = task not in self._waiting
        if not notified:
            self._waiting.remove(task)
        self.acquire()
        return notified

    def wait_for(self, predicate: Callable[[], bool], timeout: float | None = None) -> bool:
        """Wait until something holds."""
        ends = self._clockwork.seconds + (inf if timeout is None else timeout)
        while not predicate():
            rest = ends - self._clockwork.seconds
            if rest <= 0 or (not self.wait(None if rest == inf else rest) and not predicate()):
                return predicate()
        return True

    def notify_all(self) -> None:
        """Wake everybody who waits."""
        for task in self._waiting:
            self._clockwork.wake(task)
        self._waiting.clear()
