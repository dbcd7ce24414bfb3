"""Traffic (contract, section 2a): many senders, each a process with ten threads, in a clockwork's time.

The senders' real code, one table in memory, one simulated platform. Writes, ways and answers take their time,
drawn from a seed; every machine has a clock of its own.
"""

import heapq
import json
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import partial
from itertools import count, pairwise
from typing import Any, cast

import pytest

from kuaixintong.admission import Shown, Ticket
from kuaixintong.core.codec import encode
from kuaixintong.core.codes import Trouble
from kuaixintong.core.credentials import PlatformCredentials
from kuaixintong.core.lanes import Lane
from kuaixintong.core.messages import Answer, Login, SendSm
from kuaixintong.errand import QueueMessage
from kuaixintong.submission import Submitter
from tests.clockwork import Clockwork, Task, Turn
from tests.fake_platform import Line
from tests.sending import BODY, proven
from tests.world import START, World

LIFE = 60.0
BATCH = 10
LONGEST_REQUEST = 16.0
IDLE = 0.05
"""Seconds after which a sender with nothing to do looks at its queue again."""


@dataclass(order=True)
class Waiting:
    """A message of a queue: when it is to be seen, and how often it has been."""

    visible_at: float
    number: int
    body: str = field(compare=False)
    sent_at: datetime = field(compare=False)
    receives: int = field(default=0, compare=False)


class Traffic:
    """A platform, two queues, and senders on machines with clocks of their own."""

    def __init__(self, *, answers_after: float = 0.2, seed: int = 1, pace: float = 0, **platform: Any) -> None:
        self.clockwork = Clockwork(START)
        self.chance = random.Random(seed)
        self.pace = pace
        self.world = World(requests_per_second=pace)
        self.world.platform.change(platform)
        self.answers_after = answers_after
        self.arrivals: list[tuple[float, int]] = []
        """Of each request: when it reached the platform, and the code that it was answered."""
        self.accepted_at: dict[str, float] = {}
        """By mobile."""
        self.well_at = 0.0
        """When an outage ends: until then connections are refused."""
        self.refused_at: list[float] = []
        self.queues: dict[Lane, list[Waiting]] = {lane: [] for lane in Lane}
        self.open, self.stopped = 0, False
        self._numbers = count()

    # --- what happens -------------------------------------------------------------------------------------------

    def enqueue(self, *mobiles: str, lane: Lane = Lane.ORDINARY, at: float | None = None, **fields: Any) -> None:
        """Put a send into a lane, now or ``at`` a second."""
        number, seconds = next(self._numbers), self.clockwork.seconds if at is None else at
        body = json.dumps(BODY | {"id": f"s-{number}", "mobiles": mobiles} | fields, ensure_ascii=False)
        sent_at = START + timedelta(seconds=seconds)
        heapq.heappush(self.queues[lane], Waiting(seconds, number, body, sent_at))
        self.open += 1

    def happens(self, at: float, act: Callable[[], object]) -> None:
        """Let something happen at a second."""
        self.clockwork.spawn(act, after=at)

    def run(self, senders: int = 5, *, urgent: int = 0, skews: tuple[float, ...] = (0.0,)) -> None:
        """Let so many senders of each lane work until both queues are empty."""
        for lane, many in ((Lane.ORDINARY, senders), (Lane.URGENT, urgent)):
            for number in range(many):
                self._start(lane, skews[number % len(skews)])
        self.clockwork.run()
        assert self.stopped or not self.open

    def stop(self) -> None:
        """Let senders end when their batch is done with."""
        self.stopped = True

    # --- machines -----------------------------------------------------------------------------------------------

    def _start(self, lane: Lane, skew: float) -> None:
        machine = Machine(self, lane, skew)
        self.clockwork.spawn(lambda: self._poll(lane, machine.sender), after=self.chance.random() * IDLE)

    def _poll(self, lane: Lane, sender: Submitter) -> None:
        """What an event source does: a batch, and another when all of it is done with."""
        queue, poller = self.queues[lane], self.clockwork.current()
        while self.open and not self.stopped:
            batch: list[Waiting] = []
            while queue and queue[0].visible_at <= self.clockwork.seconds and len(batch) < BATCH:
                batch.append(heapq.heappop(queue))
            if not batch:
                self.clockwork.sleep(IDLE)
                continue
            ends, busy = self.clockwork.seconds + LIFE, [*batch]
            for message in batch:
                self.clockwork.spawn(partial(self._work, lane, sender, message, ends, busy, poller))
            self.clockwork.park()

    def _work(
        self, lane: Lane, sender: Submitter, message: Waiting, ends: float, busy: list[Waiting], poller: Task
    ) -> None:
        self._take(lane, sender, message, ends)
        busy.remove(message)
        if not busy:
            self.clockwork.wake(poller)

    def _take(self, lane: Lane, sender: Submitter, waiting: Waiting, ends: float) -> None:
        waiting.receives += 1
        name = f"m-{waiting.number}"
        message = QueueMessage(name, "receipt", waiting.body, waiting.receives, waiting.sent_at)
        progress = sender.take(message, lambda: ends - self.clockwork.seconds)
        if progress.again is None:
            self.open -= 1
            return
        waiting.visible_at = self.clockwork.seconds + round(progress.again.delay)
        heapq.heappush(self.queues[lane], waiting)

    def carry(self, line: Line, fields: dict[str, str]) -> Answer:
        """Bring a request to the platform, and its answer back."""
        self.clockwork.sleep(self.chance.uniform(0.002, 0.03))
        if self.clockwork.seconds < self.well_at:
            self.refused_at.append(self.clockwork.seconds)
            line.carry(fields, "unsent")
        answer = line.carry(fields, "well")
        self.arrivals.append((self.clockwork.seconds, answer.state_code))
        if answer.state_code == 0:
            for mobile in self.world.platform.messages[-1].mobiles:
                self.accepted_at[mobile] = self.clockwork.seconds
        self.clockwork.sleep(self.answers_after)
        return answer

    def before(self, call: str) -> None:
        """A gate: what every call to a table takes."""
        if "Table." in call:
            self.clockwork.sleep(self.chance.uniform(0.002, 0.01))

    def after(self, call: str) -> None:
        """A gate."""
        self.before(call)

    # --- what a test looks at -----------------------------------------------------------------------------------

    @property
    def requests_per_acceptance(self) -> float:
        """How often the platform was asked for each part that it took."""
        return len(self.arrivals) / sum(code == 0 for _, code in self.arrivals)

    @property
    def took(self) -> float:
        """Seconds from the first request to the last acceptance."""
        return max(at for at, code in self.arrivals if code == 0) - self.arrivals[0][0]

    def taken_until(self, seconds: float) -> int:
        """How many requests were accepted in the first seconds."""
        return sum(code == 0 and at <= seconds for at, code in self.arrivals)


class Machine(World):
    """A process of its own, on a clock of its own."""

    def __init__(self, traffic: Traffic, lane: Lane, skew: float) -> None:
        self.traffic, world = traffic, traffic.world
        self.__dict__.update({**world.__dict__, "line": Line(world.platform, lambda: traffic.clockwork.now)})
        turn = Turn(traffic.clockwork)
        made = self.new_sender(gate=traffic, platform=self, lane=lane, skew=timedelta(seconds=skew))
        made.admission._turn = cast("Any", turn)
        self.sender = replace(made, chance=traffic.chance.random, longest_request=LONGEST_REQUEST)

    address = "direct"

    def ask(self, request: Login | SendSm, credentials: PlatformCredentials, timestamp: str) -> Answer:
        """Ask as the client does."""
        return self.traffic.carry(self.line, encode(request, credentials, timestamp))

    @property
    def now(self) -> datetime:  # type: ignore[override]  # here time is the clockwork's
        """The moment."""
        return self.traffic.clockwork.now

    def _seconds(self) -> float:
        return self.traffic.clockwork.seconds

    def pass_time(self, **length: float) -> None:
        """Sleep."""
        self.traffic.clockwork.sleep(timedelta(**length).total_seconds())


def numbers(many: int, first: int = 0) -> Iterator[str]:
    """Mobiles."""
    return (f"137{first + number:08}" for number in range(many))


def slot(timestamp: str) -> float:
    """The moment that a timestamp says, in seconds."""
    whole = datetime.strptime(f"{timestamp[:14]}+0800", "%Y%m%d%H%M%S%z")
    return whole.timestamp() + int(timestamp[14:]) / 10_000


def most_in_a_second(moments: list[float]) -> int:
    """The most of these that fall into one second."""
    moments = sorted(moments)
    most = begin = 0
    for end, moment in enumerate(moments):
        while moments[begin] <= moment - 1:
            begin += 1
        most = max(most, end - begin + 1)
    return most


def test_eight_workers_with_clocks_apart_never_note_more_slots_in_a_second_than_the_pace() -> None:
    traffic = Traffic(pace=50)
    for mobile in numbers(600):
        traffic.enqueue(mobile)
    traffic.run(8, skews=(-1.0, 1.0, 0.0, 0.7, -0.5, 0.3, -0.9, 0.9))
    noted = [slot(row["timestamp"]) for row in traffic.world.all_rows()]
    assert len(noted) == 600
    assert most_in_a_second(noted) <= 50
    assert traffic.took <= 2 * 600 / 50, "and it is used"


def test_a_limit_that_is_known_is_kept_and_used() -> None:
    traffic = Traffic(pace=10, rate=10)
    for mobile in numbers(600):
        traffic.enqueue(mobile)
    traffic.run()
    assert traffic.requests_per_acceptance <= 1.02
    assert traffic.took <= 66


class Busy(Traffic):
    """Machines with so much to do that every tenth call to a table takes long, and every tenth request."""

    def before(self, call: str) -> None:
        super().before(call)
        if "Table." in call:
            self._dawdle(0.25)

    def carry(self, line: Line, fields: dict[str, str]) -> Answer:
        self._dawdle(0.08)
        return super().carry(line, fields)

    def _dawdle(self, longest: float) -> None:
        if self.chance.random() < 0.1:
            self.clockwork.sleep(self.chance.uniform(0.02, longest))


def test_a_limit_that_is_known_is_used_by_busy_machines_too() -> None:
    traffic = Busy(pace=10, rate=10)
    for mobile in numbers(300):
        traffic.enqueue(mobile)
    traffic.run()
    assert traffic.requests_per_acceptance <= 1.02
    assert traffic.took <= 1.1 * 300 * 0.103
    assert traffic.world.account()["handed"] <= 320, "few slots are missed"


@pytest.mark.parametrize(("kind", "seed"), [("window", 1), ("window", 2), ("bucket", 1)])
def test_a_limit_that_is_unknown_is_found_out(kind: str, seed: int) -> None:
    traffic = Traffic(seed=seed, rate=10, rate_kind=kind)
    for mobile in numbers(600):
        traffic.enqueue(mobile)
    traffic.run()
    assert traffic.requests_per_acceptance <= 1.25
    assert traffic.took <= 80


def test_a_limit_that_changes_is_followed() -> None:
    asked, used = changing_limit(30)
    assert asked <= 1.2
    assert used >= 0.7


def changing_limit(span: float) -> tuple[float, float]:
    """Return requests per acceptance, and the share used, of 20 a second for a span, 5 for one, 20 for four."""
    traffic = Traffic(rate=20)
    allowed = round(span * (20 + 5 + 4 * 20))
    for mobile in numbers(allowed):
        traffic.enqueue(mobile)
    traffic.happens(span, lambda: traffic.world.platform.change({"rate": 5}))
    traffic.happens(2 * span, lambda: traffic.world.platform.change({"rate": 20}))
    traffic.happens(6 * span, traffic.stop)
    traffic.run()
    asked, taken = sum(at <= 6 * span for at, _ in traffic.arrivals), traffic.taken_until(6 * span)
    return asked / taken, taken / allowed


def test_an_urgent_message_takes_the_next_slots_beside_a_backlog() -> None:
    traffic = Traffic(pace=10, rate=10)
    for mobile in numbers(200):
        traffic.enqueue(mobile)
    codes = [*numbers(5, first=90_000_000)]
    for number, mobile in enumerate(codes):
        traffic.enqueue(mobile, lane=Lane.URGENT, at=5.0 + 2 * number, category="otp")
    traffic.run(urgent=1)
    waited = [traffic.accepted_at[mobile] - (5.0 + 2 * number) for number, mobile in enumerate(codes)]
    assert max(waited) <= 3.0
    assert traffic.requests_per_acceptance <= 1.02


def test_in_a_process_without_a_good_answer_one_goes_alone_also_where_all_have_waited_for_slots() -> None:
    traffic = Traffic()
    proven(traffic.world)
    traffic.world.table("AccountTable").put(traffic.world.account() | {"handed": 1_000})  # a pace of many a second
    admission = Machine(traffic, Lane.ORDINARY, 0.0).sender.admission
    under_way: list[Ticket] = []
    at_once: list[int] = []

    def ask(trouble: Trouble | None) -> None:
        ticket = admission.enter(seconds=LIFE)
        under_way.append(ticket)
        at_once.append(len(under_way))
        traffic.clockwork.sleep(traffic.answers_after)
        under_way.remove(ticket)
        admission.leave(ticket, Shown(answered=True, trouble=trouble))

    for number in range(5):  # the first teaches a pace, so that the timestamps of before are no slots
        traffic.happens(number / 100, partial(ask, None if number else Trouble.PACE))
    traffic.clockwork.run()
    assert at_once == [1] * 5


def test_a_dear_part_waits_and_cheap_ones_go_on() -> None:
    traffic = Traffic(pace=50, balance=1_000)
    traffic.enqueue(*numbers(2_000))
    codes = [*numbers(20, first=90_000_000)]
    for number, mobile in enumerate(codes):
        traffic.enqueue(mobile, lane=Lane.URGENT, at=3.0 + number, category="otp")
    traffic.happens(30, lambda: traffic.world.platform.change({"balance": 5_000}))
    traffic.run(1, urgent=1)
    waited = [traffic.accepted_at[mobile] - (3.0 + number) for number, mobile in enumerate(codes)]
    assert max(waited) <= 1.0
    assert len(traffic.accepted_at) == 2_020, "the dear one in the end"


@pytest.mark.parametrize(("codes", "outage"), [(1, 20), (1, 60), (12, 60)])
def test_in_an_outage_one_probe_goes_every_two_seconds_and_codes_go_out_soon_after(
    codes: int, outage: int
) -> None:
    traffic = Traffic()
    traffic.well_at = float(outage)
    for mobile in numbers(codes):
        traffic.enqueue(mobile, lane=Lane.URGENT, category="otp")
    for mobile in numbers(30, first=90_000_000):
        traffic.enqueue(mobile)
    traffic.run(2, urgent=2)
    paused = traffic.refused_at[2:]  # each lane may meet the outage by itself first
    assert len(paused) >= outage / 8
    assert all(after - before >= 1.9 for before, after in pairwise(paused))
    assert max(traffic.accepted_at[mobile] for mobile in numbers(codes)) <= outage + 5
