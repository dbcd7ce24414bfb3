"""Imports that go on in the background, whatever page is looked at meanwhile."""

import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from time import monotonic
from typing import TYPE_CHECKING, Any

from kuaixintong.core.enqueueing import NotEnqueued
from kuaixintong.core.errors import KuaixintongError

if TYPE_CHECKING:
    from kuaixintong.importing import Import


@dataclass(frozen=True, slots=True)
class Going:
    """How far an import is, in sends. ``rate`` is a second's, ``trouble`` says why it has stopped, if it has."""

    campaign: str
    sends: int
    done: int = 0
    lost: int = 0
    running: bool = True
    rate: float = 0.0
    trouble: str | None = None

    @property
    def seconds_left(self) -> float | None:
        """How long it still takes at this rate."""
        return (self.sends - self.done) / self.rate if self.running and self.rate else None


class Imports:
    """The imports of this console, one at a time; the others wait."""

    def __init__(self) -> None:
        self._going: dict[str, Going] = {}
        self._lock = threading.Lock()
        self._threads = ThreadPoolExecutor(1, thread_name_prefix="import")
        self._stopping = threading.Event()

    def all(self) -> tuple[Going, ...]:
        """Return how far each is, newest first."""
        with self._lock:
            return tuple(reversed(self._going.values()))

    def start(self, stack: Any, people: "Import") -> None:
        """Write the campaign down and begin, or go on where it was cut off.

        Raises :class:`~kuaixintong.core.errors.FileRefused` if the campaign is another file's.
        """
        claimed = people.claim(stack.campaigns)
        with self._lock:
            known = self._going.pop(people.campaign, None)
            if known and known.running:
                self._going[people.campaign] = known
                return
            self._going[people.campaign] = Going(people.campaign, people.plan.sends)
        self._threads.submit(self._run, stack, claimed)

    def close(self) -> None:
        """Stop: what is enqueued is enqueued, and the same file goes on from there."""
        self._stopping.set()
        self._threads.shutdown(wait=False, cancel_futures=True)

    def _run(self, stack: Any, people: "Import") -> None:
        campaign, began = people.campaign, monotonic()
        bookmark = people.bookmark(stack.output("SendQueueUrl"))
        before = bookmark.place
        self._note(campaign, done=before)
        done, lost, why = before, 0, None
        try:
            for outcome in people.enqueue(stack.outbox, bookmark):
                if isinstance(outcome, NotEnqueued):
                    lost, why = lost + 1, outcome.why
                else:
                    done += 1
                rate = (done - before) / max(monotonic() - began, 0.1)
                self._note(campaign, done=done, lost=lost, rate=rate)
                if self._stopping.is_set():
                    break
            self._note(campaign, running=False, trouble=why)
        except KuaixintongError as error:
            self._note(campaign, running=False, trouble=str(error))
        except Exception as error:  # noqa: BLE001  # a thread's error would be nobody's
            self._note(campaign, running=False, trouble=type(error).__name__)

    def _note(self, campaign: str, **changes: Any) -> None:
        with self._lock:
            self._going[campaign] = replace(self._going[campaign], **changes)
