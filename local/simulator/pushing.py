"""Reports and MOs on their way to the customer (spec 4, 5): posted again and again until the answer is ``0``."""

import asyncio
import random
from collections import Counter, deque
from collections.abc import Callable, Coroutine, Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice
from typing import Any, Literal
from urllib.parse import urlencode

import aiohttp

from local.simulator.faults import DuplicateFault, EarlyFault, FaultBook, HoldFault, ReorderFault
from local.simulator.platform import MO, Message, Report, compact, reports_of
from local.simulator.settings import Segments, Settings

type Kind = Literal["report", "mo"]
type Entry = Report | MO

_ACCEPTED = b"0"  # spec 4.7, 5.7: exactly this
_FORM = "application/x-www-form-urlencoded; charset=UTF-8"
_IN_FLIGHT = 1_000  # pushes that wait for their next try at most: bounds memory while the customer is away
_ATTEMPTS_KEPT = 1_000
_ANSWER_KEPT = 200  # bytes


@dataclass(slots=True)
class Push:
    """A batch of one kind."""

    number: int
    kind: Kind
    entries: list[Entry]

    def concerns(self, mobile: str) -> bool:
        """Whether one of the entries is about this mobile."""
        return any(entry.mobile == mobile for entry in self.entries)


@dataclass(frozen=True, slots=True)
class Attempt:
    """One try to deliver a push; ``status`` is ``None`` and ``answer`` names the error when no answer came."""

    push: int
    kind: Kind
    entries: int
    at: datetime
    status: int | None
    answer: str

    def as_json(self) -> dict[str, Any]:
        """For ``GET /_sim/pushes``."""
        return {
            "push": self.push,
            "type": self.kind,
            "entries": self.entries,
            "at": self.at.isoformat(),
            "status": self.status,
            "answer": self.answer,
        }


def form(push: Push, uid: str, pwd: str) -> bytes:
    """Return a push's body, form-encoded (spec 4.4, 5.4)."""
    data = compact([entry.as_json() for entry in push.entries])
    return urlencode({"uid": uid, "pwd": pwd, "type": push.kind, "jsonData": data}).encode("ascii")


class Pusher:
    """Collects reports and MOs into pushes and delivers them. Lives on one event loop."""

    def __init__(self, settings: Callable[[], Settings], faults: FaultBook) -> None:
        self._settings = settings
        self._faults = faults
        self._die = random.Random(0)  # noqa: S311 - shuffles, keeps no secret
        self.attempts: deque[Attempt] = deque(maxlen=_ATTEMPTS_KEPT)
        self._session: aiohttp.ClientSession | None = None
        self._tasks: set[asyncio.Task[Any]] = set()
        self._clear()

    def _clear(self) -> None:
        self.attempts.clear()
        self._queues: dict[Kind, deque[Iterator[Entry]]] = {"report": deque(), "mo": deque()}
        self._waiting: Counter[Kind] = Counter()
        self._delivered: Counter[Kind] = Counter()
        self._pushes = 0
        self._attempt_count = 0
        self._held: list[Push] = []
        self._overtaken: list[_Overtaken] = []
        self._work = asyncio.Event()
        self._room = asyncio.Semaphore(_IN_FLIGHT)
        self._hands = asyncio.Semaphore(self._settings().push_workers)
        self._in_flight: Counter[Kind] = Counter()

    async def start(self) -> None:
        """Begin to push."""
        # no cookies, no proxy from the environment: what is pushed depends on the settings alone
        self._session = aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar(), trust_env=False)
        self._begin(self._run())

    async def stop(self) -> None:
        """Let go of everything."""
        await self._cancel()
        if self._session is not None:
            await self._session.close()

    async def forget(self) -> None:
        """Drop everything that waits and all counts, and start afresh; also takes up a new ``push_workers``."""
        await self._cancel()
        self._clear()
        self._begin(self._run())

    def report(self, message: Message) -> None:
        """Queue an accepted part's reports. Which of them fail is settled when they are batched."""
        self._add("report", reports_of(message, self._settings()), self._report_count(message))

    def uplink(self, mo: MO) -> None:
        """Queue an MO."""
        self._add("mo", iter([mo]), 1)

    async def report_early(self, message: Message, rule: EarlyFault) -> None:
        """Push an accepted part's reports at once and wait until they were taken, or the rule's time is over."""
        reports: Iterator[Entry] = reports_of(message, self._settings())
        tasks = []
        while batch := list(islice(reports, self._settings().push_batch)):
            push = self._new_push("report", batch)
            tasks.append(self._begin(self._deliver_early(push)))
        await asyncio.wait(tasks, timeout=rule.seconds)

    def release(self) -> int:
        """Let go of the pushes that a fault holds back; return how many."""
        held, self._held = self._held, []
        for push in held:
            self._begin(self._deliver(push))
        return len(held)

    def kick(self) -> None:
        """Look again whether there is a push URL."""
        self._work.set()

    def as_json(self) -> dict[str, Any]:
        """Counts of entries by type and of pushes."""
        return {
            "waiting": {kind: self._waiting[kind] for kind in self._queues},
            "in_flight": {kind: self._in_flight[kind] for kind in self._queues},
            "delivered": {kind: self._delivered[kind] for kind in self._queues},
            "held_pushes": len(self._held),
            "attempts": self._attempt_count,
        }

    def _report_count(self, message: Message) -> int:
        whole = self._settings().segment_reports is Segments.WHOLE
        return len(message.mobiles) * (1 if whole else message.segments)

    def _add(self, kind: Kind, entries: Iterator[Entry], count: int) -> None:
        self._queues[kind].append(entries)
        self._waiting[kind] += count
        self._work.set()

    async def _run(self) -> None:
        while True:
            await self._work.wait()
            self._work.clear()
            await asyncio.sleep(self._settings().push_delay)
            if self._settings().push_url is None:
                continue  # a change of settings kicks
            for kind in self._queues:
                await self._push_all(kind)

    async def _push_all(self, kind: Kind) -> None:
        while batch := self._next_batch(kind):
            self._waiting[kind] -= len(batch)
            await self._room.acquire()
            self._send_off(self._new_push(kind, batch))

    def _next_batch(self, kind: Kind) -> list[Entry]:
        queue, size = self._queues[kind], self._settings().push_batch
        batch: list[Entry] = []
        while queue and len(batch) < size:
            batch.extend(islice(queue[0], size - len(batch)))
            if len(batch) < size:
                queue.popleft()
        return batch

    def _new_push(self, kind: Kind, entries: list[Entry]) -> Push:
        self._pushes += 1
        self._in_flight[kind] += len(entries)
        return Push(self._pushes, kind, entries)

    def _send_off(self, push: Push) -> None:
        match self._faults.of_push(push.kind, push.concerns):
            case DuplicateFault(copies=copies):
                self._begin(self._deliver(push, copies))
            case ReorderFault() as rule:
                self._overtake(push, rule)
            case HoldFault() as rule:
                self._hold(push, rule)
            case None:
                self._begin(self._deliver(push))

    def _hold(self, push: Push, rule: HoldFault) -> None:
        self._held.append(push)
        if rule.seconds is not None:
            self._begin(self._unhold(push, rule.seconds))

    async def _unhold(self, push: Push, seconds: float) -> None:
        await asyncio.sleep(seconds)
        if push in self._held:
            self._held.remove(push)
            await self._deliver(push)

    def _overtake(self, push: Push, rule: ReorderFault) -> None:
        self._die.shuffle(push.entries)
        overtaken = _Overtaken(rule.behind)
        self._overtaken.append(overtaken)
        self._begin(self._deliver_overtaken(push, overtaken, rule.seconds))

    async def _deliver_overtaken(self, push: Push, overtaken: "_Overtaken", seconds: float) -> None:
        with suppress(TimeoutError):
            await asyncio.wait_for(overtaken.over.wait(), seconds)
        self._overtaken.remove(overtaken)
        await self._deliver(push)

    async def _deliver_early(self, push: Push) -> None:
        await self._room.acquire()
        await self._deliver(push)

    async def _deliver(self, push: Push, copies: int = 0) -> None:
        for _ in range(1 + copies):
            await self._post_until_taken(push)
        self._delivered[push.kind] += len(push.entries)
        self._in_flight[push.kind] -= len(push.entries)
        self._room.release()
        for overtaken in self._overtaken:
            overtaken.pass_by()

    async def _post_until_taken(self, push: Push) -> None:
        pause = self._settings().push_retry
        while not await self._post(push):
            await asyncio.sleep(pause)
            pause = min(pause * 2, self._settings().push_retry_cap)

    async def _post(self, push: Push) -> bool:
        async with self._hands:
            # read at the last moment: a new URL or password holds for the next try of an old push too
            settings = self._settings()
            at = datetime.now(UTC)
            status, answer = await self._answer(push, settings)
        self._attempt_count += 1
        shown = answer[:_ANSWER_KEPT].decode("utf-8", "replace")
        self.attempts.append(Attempt(push.number, push.kind, len(push.entries), at, status, shown))
        return (status, answer) == (200, _ACCEPTED)

    async def _answer(self, push: Push, settings: Settings) -> tuple[int | None, bytes]:
        if self._session is None or settings.push_url is None:
            return None, b"no push URL"
        try:
            async with self._session.post(
                settings.push_url,
                data=form(push, settings.push_uid, settings.push_pwd),
                headers={"Content-Type": _FORM},
                timeout=aiohttp.ClientTimeout(total=settings.push_timeout),
                allow_redirects=False,
            ) as response:
                return response.status, await response.read()
        except (aiohttp.ClientError, TimeoutError, ValueError) as error:
            return None, f"{type(error).__name__}: {error}".encode()

    def _begin(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def _cancel(self) -> None:
        tasks = [*self._tasks]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


class _Overtaken:
    """A push that waits until ``left`` others have passed by."""

    def __init__(self, left: int) -> None:
        self.left = left
        self.over = asyncio.Event()

    def pass_by(self) -> None:
        self.left -= 1
        if self.left <= 0:
            self.over.set()
