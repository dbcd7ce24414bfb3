"""Counts that take long: they go on in the background, show how far they are, and end when nobody looks."""

import threading
import time
from collections.abc import Callable, Hashable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from kuaixintong.core.errors import KuaixintongError

_AT_ONCE = 2
_KEPT = 40
_UNWATCHED = 20.0
"""Seconds after which a count that nobody has asked for any more gives up."""

_REST = 4.0
"""A count begins again after so many times as long as it took, so that it is a small part of what AWS is asked."""

_LEAST_REST = 10.0

type Tell = Callable[[int], None]


class _Unwatched(Exception):
    """Nobody looks at the page any more."""


@dataclass(frozen=True, slots=True)
class Standing[A]:
    """How far a count is. ``result`` is the last whole one, ``seen`` what the one under way has seen so far."""

    result: A | None
    seen: int
    running: bool
    trouble: str | None = None


class Jobs:
    """Counts by name, shared by all open pages."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._jobs: dict[Hashable, _Job] = {}
        self._lock = threading.Lock()
        self._threads = ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="job")

    def standing[A](self, name: Hashable, work: Callable[[Tell], A]) -> Standing[A]:
        """Return how far the count ``name`` is, and begin it (again) if it is time to.

        ``work`` is given a function to tell how many things it has seen, and has to call it now and then.
        """
        with self._lock:
            job = self._jobs.pop(name, None) or _Job()
            self._jobs[name] = job  # the last asked for is the last in line
            while len(self._jobs) > _KEPT:
                self._jobs.pop(next(iter(self._jobs)))
            job.watched = self._clock()
            if not job.running and self._clock() >= job.not_before:
                job.running = True
                job.seen = 0
                self._threads.submit(self._run, job, work)
            return Standing(job.result, job.seen, job.running, job.trouble)

    def again(self, name: Hashable) -> None:
        """Let a count begin anew when it is next asked for."""
        with self._lock:
            if job := self._jobs.get(name):
                job.not_before = 0.0

    def close(self) -> None:
        """Let go of what is under way."""
        self._jobs.clear()
        self._threads.shutdown(wait=False, cancel_futures=True)

    def _run(self, job: "_Job", work: Callable[[Tell], Any]) -> None:
        began = self._clock()

        def tell(seen: int) -> None:
            job.seen = seen
            if self._clock() - job.watched > _UNWATCHED:
                raise _Unwatched

        try:
            job.result, job.trouble = work(tell), None
        except _Unwatched:
            pass
        except KuaixintongError as error:
            job.trouble = str(error)
        except Exception as error:  # noqa: BLE001  # a thread's error would be nobody's
            job.trouble = type(error).__name__
        finally:
            job.not_before = self._clock() + max(_LEAST_REST, _REST * (self._clock() - began))
            job.running = False


class _Job:
    def __init__(self) -> None:
        self.result: Any = None
        self.seen = 0
        self.running = False
        self.trouble: str | None = None
        self.watched = 0.0
        self.not_before = float("-inf")
