"""Schedules of faults, how one is run, and what its end must look like.

A *schedule* is up to three deliveries of one queue message with one fault each, on a platform with one of two
memories; after them, deliveries without a fault go on until the message has done its duty. Whatever the platform
has been made to act on late is acted on at the latest then.
"""

import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from itertools import product
from typing import TYPE_CHECKING, Any, Protocol, cast

from kuaixintong.core.codec import decode_answer, encode
from kuaixintong.core.credentials import PlatformCredentials
from kuaixintong.core.errors import NoAnswer, Unanswered
from kuaixintong.core.messages import Answer, Login, SendSm
from kuaixintong.submission import QueueMessage, Submitter
from local.simulator.platform import Platform
from local.simulator.settings import Memory, Settings
from tests.world import CID, PWD, UID, QuickWorld, World

if TYPE_CHECKING:
    from kuaixintong.stores.table import Table

FUNCTION_LIFE = timedelta(seconds=60)
MOBILE = "13708600860"
MOST_DELIVERIES = 40

# --- faults -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Clean:
    """Nothing goes wrong."""


@dataclass(frozen=True, slots=True)
class Kill:
    """The worker dies before its n-th call to anything outside, counted from 1.

    The calls of a first delivery: the secret, the sequence, the probe, the claim, the request, the result, the
    account. A number beyond the last is a death after all is done and before the message is deleted.
    """

    call: int


@dataclass(frozen=True, slots=True)
class KillAfterActing:
    """The worker dies while the platform's answer is on its way: the platform has acted."""


@dataclass(frozen=True, slots=True)
class LostRequest:
    """The request never arrives, and no answer comes."""


@dataclass(frozen=True, slots=True)
class LostAnswer:
    """The platform acts; its answer never arrives."""


@dataclass(frozen=True, slots=True)
class GarbledAnswer:
    """The platform acts; its answer cannot be read."""


@dataclass(frozen=True, slots=True)
class LateRequest:
    """No answer comes; the platform acts only after that many further deliveries."""

    deliveries: int


@dataclass(frozen=True, slots=True)
class Answered:
    """The platform answers this state code and does nothing."""

    code: int


@dataclass(frozen=True, slots=True)
class Overtaken:
    """The worker stalls before its n-th call outside, nearly until its end; another copy comes meanwhile."""

    call: int
    other: "Fault" = Clean()  # what happens to the other copy
    own: "Fault" = Clean()  # what happens to the request of the worker that was overtaken


type Fault = (
    Clean | Kill | KillAfterActing | LostRequest | LostAnswer | GarbledAnswer | LateRequest | Answered | Overtaken
)

FAULTS: tuple[Fault, ...] = (
    *(Kill(call) for call in range(1, 9)),
    KillAfterActing(),
    LostRequest(),
    LostAnswer(),
    GarbledAnswer(),
    *(LateRequest(deliveries) for deliveries in (1, 2, 99)),
    *(Answered(code) for code in (1, 100, 210, 230, 240, 330, 400, 999)),
    *(Overtaken(call) for call in (3, 4, 5, 6)),
    *(Overtaken(4, other) for other in (Answered(210), LateRequest(99), LostAnswer())),
    Overtaken(4, other=LateRequest(99), own=Answered(210)),
)


@dataclass(frozen=True, slots=True)
class Schedule:
    """Faults of successive deliveries, and the ground that they meet.

    ``memory`` is what the platform remembers; ``refused`` whether it refuses the number (310); ``proven`` whether
    the account is known to work when the run begins, so that no probe comes first.
    """

    faults: tuple[Fault, ...]
    memory: Memory
    refused: bool = False
    proven: bool = False

    def __str__(self) -> str:
        flags = f"{self.memory}{' refused' if self.refused else ''}{' proven' if self.proven else ''}"
        return f"{flags}: {', '.join(map(str, self.faults))}"


def schedules(longest: int) -> Iterator[Schedule]:
    """Yield every schedule of up to ``longest`` faults in a row, for both memories.

    A single fault meets an account proven and not, and a number that the platform takes and refuses; several in a
    row meet a number that it takes, and every second row of them a proven account.
    """
    for length in range(1, longest + 1):
        for number, faults in enumerate(product(FAULTS, repeat=length)):
            for memory in Memory:
                if length == 1:
                    yield from (Schedule(faults, memory, *each) for each in product((False, True), repeat=2))
                else:
                    yield Schedule(faults, memory, proven=number % 2 == 1)


# --- a run ------------------------------------------------------------------------------------------------------


class Killed(BaseException):
    """SIGKILL: no ``except Exception`` and no retry gets to see it."""


class Wire:
    """Every call of one worker to anything outside, counted: the place where faults happen."""

    address = "direct"

    def __init__(self, run: "Run", fault: Fault) -> None:
        self._run = run
        self._fault = fault
        self._calls = 0
        self._dead = False
        self.happened = False
        """Whether the fault has come about; a delivery that meets a pause may never get as far."""

    def pass_(self) -> None:
        """Let one call through, unless the worker is dead or dies now; stall if it is to be overtaken."""
        self._calls += 1
        match self._fault:
            case Kill(call) if call == self._calls:
                self.die()
            case Overtaken(call, other, _) if call == self._calls and not self.happened:
                self.happened = True
                self._run.overtake(other)
        if self._dead:  # whatever a dying worker's "finally" tries: a killed process writes nothing
            raise Killed

    def die(self) -> None:
        """Die here and now."""
        self.happened = self._dead = True
        raise Killed

    def ask(self, request: Login | SendSm, credentials: PlatformCredentials, timestamp: str) -> Answer:
        """Play the network between the worker and the platform."""
        self.pass_()
        fields = encode(request, credentials, timestamp)
        self.happened = self.happened or not isinstance(self._fault, Kill | Overtaken)
        fault = self._fault.own if isinstance(self._fault, Overtaken) else self._fault
        match fault:
            case LostRequest():
                raise NoAnswer("lost on the way", Unanswered.RESET)
            case LateRequest(deliveries):
                self._run.hold(fields, deliveries)
                raise NoAnswer("held up on the way", Unanswered.RESET)
            case Answered(code):
                return decode_answer(self._run.act(fields, instead=code))
        body = self._run.act(fields)
        match fault:
            case KillAfterActing():
                self.die()
            case LostAnswer():
                raise NoAnswer("lost on the way back", Unanswered.RESET)
            case GarbledAnswer():
                body = body[: len(body) // 2]
        return decode_answer(body)


class Gate(Protocol):
    """What a call to AWS has to pass."""

    def pass_(self) -> None: ...


class Cut:
    """An AWS client, or a table, whose every call passes a gate first."""

    def __init__(self, client: Any, wire: Gate) -> None:
        self._client = client
        self._wire = wire

    def __getattr__(self, name: str) -> Any:
        call = getattr(self._client, name)

        def cut(*values: Any, **arguments: Any) -> Any:
            self._wire.pass_()
            return call(*values, **arguments)

        return cut


@dataclass
class Ground:
    """Tables and a secret that many runs share, each with a send and a platform of its own."""

    world: World = field(default_factory=QuickWorld)
    lease: timedelta = timedelta(seconds=90)
    runs: int = 0

    def __post_init__(self) -> None:
        secret = self.world.secrets.get_secret_value(SecretId=self.world.secret_arn)
        self.secret_version: str = secret["VersionId"]


@dataclass(frozen=True, slots=True)
class Delivered:
    """Whether a delivery ended the message's duty, and whether its fault came about."""

    done: bool
    happened: bool


class Run:
    """One schedule: its message's deliveries, the platform, and the requests that are still on their way."""

    def __init__(self, ground: Ground, schedule: Schedule, mobiles: tuple[str, ...] = (MOBILE,)) -> None:
        ground.runs += 1
        self.schedule = schedule
        self.mobiles = mobiles
        self.send_id = f"run-{ground.runs}"
        self._ground = ground
        self._world = ground.world
        refused = frozenset({MOBILE}) if schedule.refused else frozenset()
        settings = Settings(
            cid=CID, uid=UID, pwd=PWD, balance=1_000_000, timestamps=schedule.memory, refused_mobiles=refused
        )
        self.platform = Platform(settings)
        self.platform_lied = False
        """Whether the platform was made to refuse, with 230, a timestamp that was fine."""
        self._held: list[tuple[int, dict[str, str]]] = []
        self._deliveries = 0
        self._open_account()
        self.losses = 0
        """How often an answer, or the worker that should have read it, was really lost."""

    def play(self) -> None:
        """Deliver the message with the schedule's faults, then without, until it has done its duty."""
        for fault in self.schedule.faults:
            self._deliver_until_it_happens(fault)
        self.finish()

    def finish(self) -> None:
        """Deliver without a fault until the message has done its duty; then let every late request arrive."""
        for _ in range(MOST_DELIVERIES):
            if self.deliver(Clean()).done:
                break
        else:
            raise AssertionError(f"{self.schedule}: never done; the rows are {self.rows}")
        self.release(everything=True)

    def _open_account(self) -> None:
        accounts = self._world.table("AccountTable")
        accounts.put({"cid": CID, "proven": self._ground.secret_version if self.schedule.proven else None})

    def _deliver_until_it_happens(self, fault: Fault) -> None:
        for _ in range(MOST_DELIVERIES):
            delivered = self.deliver(fault)
            if delivered.happened or delivered.done:
                return
        raise AssertionError(f"{self.schedule}: {fault} never came about")

    def overtake(self, fault: Fault) -> None:
        """Let another copy of the message be delivered while a worker stalls for nearly all of its life."""
        self._world.now += FUNCTION_LIFE * 0.9
        self.deliver(fault)

    def hold(self, fields: dict[str, str], deliveries: int) -> None:
        """Keep a request on its way until that many further deliveries are over."""
        self._held.append((self._deliveries + deliveries, fields))

    def act(self, fields: dict[str, str], *, instead: int | None = None) -> bytes:
        """Let the platform act on a request now."""
        self.platform_lied = self.platform_lied or instead == 230
        return self.platform.receive(fields, self._world.now, instead=instead).answer.body

    @property
    def rows(self) -> list[dict[str, Any]]:
        """The rows of the send's parts."""
        return list(self._world.table("SendsTable").query("send_id", self.send_id, consistent=True))

    def deliver(self, fault: Fault) -> "Delivered":
        """Deliver once, to a new process."""
        self._deliveries += 1
        wire, done = Wire(self, fault), False
        try:
            delivery = self._sender(wire).take(self._message(), self._time_left())
            done = delivery.again is None
            rest = timedelta(seconds=delivery.again.delay) if delivery.again else timedelta()
        except Killed:
            rest = 6 * FUNCTION_LIFE  # the queue's visibility timeout
        if wire.happened and not isinstance(fault, Clean | Answered | Overtaken):
            self.losses += 1
        self.release()
        self._world.now += rest + timedelta(milliseconds=1)
        return Delivered(done, wire.happened)

    def _time_left(self) -> Callable[[], float]:
        ends = self._world.now + FUNCTION_LIFE

        def left() -> float:
            return (ends - self._world.now).total_seconds()

        return left

    def _message(self) -> QueueMessage:
        body = json.dumps({"id": self.send_id, "mobiles": self.mobiles, "content": "x"})
        return QueueMessage("message", "receipt", body, min(self._deliveries, 3))

    def _sender(self, wire: Wire) -> Submitter:
        return self._world.new_sender(
            tables=lambda logical: cast("Table", Cut(self._world.table(logical), wire)),
            secrets=Cut(self._world.secrets, wire),
            platform=wire,
            lease=self._ground.lease,
        )

    def release(self, *, everything: bool = False) -> None:
        """Let the platform act on the late requests that are due."""
        due = [fields for when, fields in self._held if everything or when < self._deliveries]
        self._held = [each for each in self._held if each[1] not in due]
        for fields in due:
            self.act(fields)


# --- the judge --------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Breach:
    """A broken promise."""

    schedule: Schedule
    what: str

    def __str__(self) -> str:
        return f"{self.what} — {self.schedule}"


def judge(run: Run) -> list[str]:
    """Return what is wrong with the end of a run: nothing, if every promise was kept."""
    acceptances = Counter(mobile for message in run.platform.messages for mobile in message.mobiles)
    wrong = [
        f"{mobile} accepted more than once: {count} times" for mobile, count in acceptances.items() if count > 1
    ]
    rows = [row for row in run.rows if row["state"] != "SPLIT"]
    held = Counter(mobile for row in rows for mobile in _mobiles(row))
    if held != Counter(run.mobiles):
        wrong.append(
            f"unaccounted for: {set(run.mobiles) - set(held)}; in more than one row: {held - Counter(run.mobiles)}"
        )
    for row in rows:
        wrong += [f"part {row['part']} {what}" for what in _untrue(run, row, acceptances)]
    return wrong


def _mobiles(row: dict[str, Any]) -> list[str]:
    return [*row.get("mobiles", ()), *(each["mobile"] for each in row.get("invalid_mobiles", ()))]


def _untrue(run: Run, row: dict[str, Any], acceptances: Counter[str]) -> Iterator[str]:
    taken = [acceptances[mobile] for mobile in _mobiles(row)]
    match row["state"]:
        case "ACCEPTED":
            tokens = {str(message.token) for message in run.platform.messages}
            if not all(taken) or row.get("token") not in tokens:
                yield f"says ACCEPTED with token {row.get('token')}; the platform gave {tokens}"
        case "REJECTED":
            if any(taken):
                yield "says REJECTED, but was accepted"
        case "UNCONFIRMED":
            if not run.losses and not run.platform_lied:
                yield "says UNCONFIRMED, though no answer was lost: one was thrown away"
            if "attention" not in row:
                yield "says UNCONFIRMED without asking for attention"
        case state:
            yield f"is unaccounted for: its row says {state}"


@dataclass
class Result:
    """What a campaign has shown."""

    schedules: int = 0
    acceptances: Counter[int] = field(default_factory=Counter)
    states: Counter[str] = field(default_factory=Counter)
    breaches: list[Breach] = field(default_factory=list)

    def __str__(self) -> str:
        per_part = ", ".join(f"{n}: {count} parts" for n, count in sorted(self.acceptances.items()))
        ends = ", ".join(f"{state} {count}" for state, count in sorted(self.states.items()))
        unaccounted = sum("unaccounted" in breach.what for breach in self.breaches)
        return (
            f"schedules run: {self.schedules}\nacceptances per part: {per_part}\nends: {ends}\n"
            f"parts unaccounted for: {unaccounted or 'none'}\nbroken promises: {len(self.breaches) or 'none'}"
        )


def campaign(ground: Ground, todo: Iterable[Schedule], *, stop_at_first: bool = False) -> Result:
    """Run schedules and judge each."""
    result = Result()
    for schedule in todo:
        run = Run(ground, schedule)
        run.play()
        result.schedules += 1
        result.acceptances[len(run.platform.messages)] += 1
        result.states.update(row["state"] for row in run.rows)
        result.breaches += [Breach(schedule, what) for what in judge(run)]
        if stop_at_first and result.breaches:
            break
    return result
