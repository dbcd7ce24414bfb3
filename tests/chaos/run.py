"""One message's deliveries with their faults, the platform that they meet, and what is still on its way."""

import json
import re
from collections.abc import Callable
from copy import copy
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import cache
from typing import Any, Self

from kuaixintong.core import beijing
from kuaixintong.core.codec import encode
from kuaixintong.core.credentials import PlatformCredentials
from kuaixintong.core.inference import SETTLED
from kuaixintong.core.messages import Answer, Login, SendSm
from kuaixintong.errand import QueueMessage
from local.simulator.platform import Platform
from local.simulator.settings import Memory, Settings
from tests.chaos.faults import Clean, Fault
from tests.fake_platform import Fate
from tests.gates import Killed
from tests.world import CID, PWD, UID, World

FUNCTION_LIFE = timedelta(seconds=60)
MOBILE, ANOTHER = "13708600860", "18930612517"
MOST_DELIVERIES = 40


_NOBODY_NOTICES = ("secret.", "OutboundTable.")
"""Calls before which no worker need be stopped: a secret that stands still, rows that are the same whoever writes
them and that no sender reads. What comes before such a call might as well come after it."""

_WAITING, _LOOKS = ("bed.sleep", "AccountTable.get"), 2
"""What a worker that waits for its slot or for another's probe does again and again, and how often it is stopped
before each of them: one look more is as good as another."""


@dataclass(frozen=True, slots=True)
class Schedule:
    """Faults of successive deliveries, and the ground that they meet.

    ``memory`` is what the platform remembers; ``refused`` whether it refuses the number (310); ``proven`` whether
    the account is known to work when the run begins, so that no probe comes first; ``paced`` whether it has learnt
    a pace, and the part goes to two numbers, so that it can be too dear for a balance that is not empty;
    ``campaign`` whether the send belongs to one, which nobody has named before.
    """

    faults: tuple[Fault, ...]
    memory: Memory
    refused: bool = False
    proven: bool = False
    paced: bool = False
    campaign: bool = False

    def then(self, fault: Fault) -> "Schedule":
        """Return this schedule with one fault more."""
        return replace(self, faults=(*self.faults, fault))

    def __str__(self) -> str:
        told = [name for name in ("refused", "proven", "paced", "campaign") if getattr(self, name)]
        return f"{' '.join([self.memory, *told])}: {', '.join(map(str, self.faults))}"


class Wire:
    """Every call of one worker to anything outside, counted: the place where its fault happens."""

    address = "direct"

    def __init__(self, run: "Run", fault: Fault, pause: Callable[[], None] = lambda: None) -> None:
        self.run = run
        self.made: list[str] = []
        self.happened = False
        """Whether the fault has come about; a delivery that meets a pause may never get as far."""
        self.struck = 0
        """How many requests have met it."""
        self._fault = fault
        self._pause = pause
        self._dead = False

    @property
    def calls(self) -> int:
        """How many calls the worker has made, or tried to make."""
        return len(self.made)

    def before(self, call: str) -> None:
        """Let a call through, unless the worker is dead or dies now."""
        if self._is_noticed(call):
            self._pause()
        self.made.append(call)
        if not self._dead:
            self._fault.before(self, call)
        if self._dead:  # whatever a dying worker's "finally" tries: a killed process writes nothing
            raise Killed

    def _is_noticed(self, call: str) -> bool:
        if call in _WAITING:
            return self.made.count(call) < _LOOKS
        return not call.startswith(_NOBODY_NOTICES)

    def after(self, call: str) -> None:
        """Let a result through."""
        self._fault.after(self, call)

    def die(self) -> None:
        """Die here and now."""
        self.happened = self._dead = True
        raise Killed

    def ask(self, request: Login | SendSm, credentials: PlatformCredentials, timestamp: str) -> Answer:
        """Play the network between the worker and the platform."""
        self.run.asked = True
        return self._fault.carry(self, encode(request, credentials, timestamp))

    def strike(self, fields: dict[str, str], fate: Fate) -> Answer:
        """Let a request meet the fate that is its fault."""
        self.happened = True
        self.struck += 1
        return self.carry(fields, fate)

    def carry(self, fields: dict[str, str], fate: Fate) -> Answer:
        """Let a request meet its fate."""
        return self.run.world.line.carry(fields, fate)


@dataclass(frozen=True, slots=True)
class Delivered:
    """What one delivery was.

    ``done``: it ended the message's duty; ``happened``: its fault came about; ``rest``: how long until the next
    one; ``calls``: what it called outside, told as the gates do.
    """

    done: bool
    happened: bool
    rest: timedelta
    calls: tuple[str, ...]


class Run:
    """One message in a world: so many deliveries, with faults and without."""

    def __init__(
        self, world: World, schedule: Schedule, *, send_id: str = "run", mobiles: tuple[str, ...] = (MOBILE,)
    ) -> None:
        self.world = world
        self.schedule = schedule
        self.send_id = send_id
        self.mobiles = mobiles
        self.losses = 0
        """How often an answer, or the worker that should have written it down, was really lost."""
        self.platform_lied = False
        self.asked = False
        """Whether the platform was ever asked for the part, or was to be."""
        self.done = False
        """Whether the message has done its duty."""
        self.over = False
        """Whether it had before the last fault came, which then met a copy that was late."""
        self._deliveries = 0
        self._away = timedelta()
        self._held: list[tuple[int, dict[str, str]]] = []

    @classmethod
    def on(cls, world: World, schedule: Schedule, **message: Any) -> Self:
        """Begin on the ground that a schedule names: a new platform, and what is known of the account."""
        world.meet(Platform(_settings(schedule.memory, refused=schedule.refused)))
        version = world.secrets.get_secret_value(SecretId=world.secret_arn)["VersionId"]
        account: dict[str, Any] = {"cid": CID, "proven": version if schedule.proven else None}
        if schedule.paced:
            account |= {"rate_milli": 10_000, "cut_at": beijing.ticks(world.now)}
            message = {"mobiles": (MOBILE, ANOTHER)} | message
        world.table("AccountTable").put(account)
        return cls(world, schedule, **message)

    def fork(self, world: World | None = None) -> Self:
        """Return this run as it is now, for another future; in ``world``, if that is forked already."""
        other = copy(self)
        other.world = world or self.world.fork()
        other._held = self._held.copy()
        return other

    def play(self) -> None:
        """Deliver the message with the schedule's faults, then without, until it has done its duty."""
        for fault in self.schedule.faults:
            self.meet(fault)
        self.finish()

    def meet(self, fault: Fault) -> None:
        """Deliver until a fault comes about, or there is nothing left to do."""
        self.over = self.done
        for _ in range(MOST_DELIVERIES):
            delivered = self.deliver(fault)
            if delivered.happened or delivered.done:
                return
        raise AssertionError(f"{self.schedule}: {fault} never came about")

    def finish(self) -> None:
        """Deliver without a fault until the message has done its duty; then let every late request arrive."""
        for _ in range(MOST_DELIVERIES):
            if self.done:
                break
            self.deliver(Clean())
        else:
            raise AssertionError(f"{self.schedule}: never done; the rows are {self.rows}")
        self.release(everything=True)

    def heal(self) -> None:
        """Let the reports of what was accepted come, and the account check look at what is unconfirmed."""
        self.world.push(*(each for each in self.platform.messages if {*each.mobiles} <= {*self.mobiles}))
        self.world.now += SETTLED
        self.world.new_healing().run(CID)

    def deliver(self, fault: Fault) -> Delivered:
        """Deliver once, to a new process, and let the time pass until the message comes back."""
        delivered = self.attempt(fault)
        self.done = delivered.done
        self.release()
        self.world.now += delivered.rest + timedelta(milliseconds=1)
        return delivered

    def attempt(self, fault: Fault, pause: Callable[[], None] = lambda: None) -> Delivered:
        """Deliver once, to a new process, which pauses before each of its calls outside."""
        self._deliveries += 1
        self._away = timedelta()
        wire = Wire(self, fault, pause)
        sender = self.world.new_sender(gate=wire, platform=wire, skew=fault.skew)
        message = QueueMessage("message", "receipt", self.body(), min(self._deliveries, 3))
        try:
            again = sender.take(message, self.world.life()).again
            done, rest = again is None, timedelta(seconds=again.delay if again else 0)
        except Killed:
            done, rest = False, 6 * FUNCTION_LIFE  # the queue's visibility timeout
        if wire.happened:
            self.losses += fault.lost
            self.platform_lied = self.platform_lied or fault.lied
        if self._away:
            self.release(everything=True)  # no request is on its way for days
        return Delivered(done, wire.happened, max(rest, self._away), tuple(wire.made))

    def body(self) -> str:
        """What the message says."""
        send = {"id": self.send_id, "mobiles": self.mobiles, "content": "x"}
        return json.dumps(send | {"campaign": self.send_id} if self.schedule.campaign else send)

    def lies_in_the_dead_letter_queue(self) -> None:
        """Let the message come back days later, when the platform remembers nothing of today."""
        self._away = timedelta(days=2)

    def overtake(self, fault: Fault) -> None:
        """Let another copy of the message be delivered while a worker stalls for nearly all of its life."""
        self.world.now += FUNCTION_LIFE * 0.9
        self.deliver(fault)

    def hold(self, fields: dict[str, str], deliveries: int) -> None:
        """Keep a request on its way until that many further deliveries are over."""
        self._held.append((self._deliveries + deliveries, fields))

    def release(self, *, everything: bool = False) -> None:
        """Let the platform act on the late requests that are due."""
        if self._held:
            due = [each for each in self._held if everything or each[0] < self._deliveries]
            self._held = [each for each in self._held if each not in due]
            for _, fields in due:
                self.world.line.act(fields)

    def standing(self) -> str:
        """Return all that the rest of this run, and its judge, depend on: of two that are the same, one is enough.

        Names that a worker gives itself are left out, since nobody who comes later can bear one of them.
        """
        tables = [[*table.rows.values()] for table in self.world.memory.values()]
        held = [(due - self._deliveries, fields) for due, fields in self._held]
        mine = (
            self.losses > 0,
            self.platform_lied,
            self.asked,
            self.done,
            self.over,
            min(self._deliveries, 3),
            held,
        )
        return _NAME.sub(
            "", repr((self.world.now, mine, *map(_plain, (tables, self.world.secrets, self.platform))))
        )

    @property
    def platform(self) -> Platform:
        """The platform that this run's requests go to."""
        return self.world.platform

    @property
    def rows(self) -> list[dict[str, Any]]:
        """The rows of the send's parts."""
        return list(self.world.table("SendsTable").query("send_id", self.send_id, consistent=True))

    @property
    def outbound(self) -> set[tuple[str, str]]:
        """Who the send goes to by Outbound, and in which part."""
        return {(mobile, part) for mobile, send_id, part in self.world.outbound() if send_id == self.send_id}


_NAME = re.compile("[0-9a-f]{32}")


def _plain(thing: Any) -> Any:
    """Return what can be told from its like by its text alone: objects turned into what they hold."""
    match thing:
        case str() | int() | None:
            return thing
        case list() | tuple():
            return [_plain(each) for each in thing]
        case dict():
            return sorted((str(name), _plain(value)) for name, value in thing.items())
    return _plain(vars(thing)) if hasattr(thing, "__dict__") else repr(thing)


@cache
def _settings(memory: Memory, *, refused: bool) -> Settings:
    mobiles = frozenset({MOBILE}) if refused else frozenset()
    return Settings(
        cid=CID,
        uid=UID,
        pwd=PWD,
        balance=1_000_000,
        timestamps=memory,
        timestamps_for=3_601,
        refused_mobiles=mobiles,
    )
