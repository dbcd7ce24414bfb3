"""An errand: one delivery of one send. Who works on it, how long it has, and what has come of it so far."""

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from kuaixintong.admission import Admission
from kuaixintong.claims import Claims, Conflict
from kuaixintong.core import schedule
from kuaixintong.core.codes import Trouble
from kuaixintong.core.errors import KuaixintongError
from kuaixintong.core.lanes import Lane
from kuaixintong.core.ledger import Attention, Standing, State
from kuaixintong.core.sends import Part, Send
from kuaixintong.guards import Guards
from kuaixintong.platform import Platform
from kuaixintong.stores.campaigns import Campaign, Campaigns
from kuaixintong.stores.outbound import Outbound
from kuaixintong.stores.queue import SendQueue


@dataclass(frozen=True, slots=True)
class QueueMessage:
    """A message as the queue delivers it: ``receive_count`` is 1 at first, ``sent_at`` when it was enqueued."""

    message_id: str
    receipt_handle: str
    body: str = field(repr=False)
    receive_count: int
    sent_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Again:
    """Something is left to do, after ``delay`` seconds; ``all_parts`` if the other parts have to wait too."""

    delay: float
    why: str
    all_parts: bool = True


@dataclass(slots=True)
class Progress:
    """What one delivery of a message has come to.

    ``again`` stays ``None`` when the message has done its duty. ``states`` counts the states that parts were
    brought to, ``repeats`` the parts that were found at their end, ``pauses`` why the account was paused,
    ``attention`` why a person should look, ``too_dear`` the parts that wait for the balance, ``waiting`` those
    that wait as rows from now on, and ``left_out`` the mobiles that guard rails have left out of parts that came
    to their end, by rail. ``over_limit`` counts the parts that did not fit into the day's limit, ``daily_used``
    tells how much of that was used, in percent.
    """

    send_id: str
    again: Again | None = None
    states: Counter[State] = field(default_factory=Counter)
    pauses: Counter[Trouble] = field(default_factory=Counter)
    attention: Counter[Attention] = field(default_factory=Counter)
    repeats: int = 0
    too_dear: int = 0
    waiting: int = 0
    left_out: Counter[str] = field(default_factory=Counter)
    over_limit: int = 0
    daily_used: int | None = None

    def counts(self) -> Iterator[tuple[str, int]]:
        """Yield this delivery's metrics by name: ``PartsAccepted``, ``PausedBalance``, ``AttentionGaveUp``."""
        yield "Deliveries", 1
        if self.repeats:
            yield "PartsRepeated", self.repeats
        if self.too_dear:
            yield "PartsTooDear", self.too_dear
        if self.waiting:
            yield "PartsHeld", self.waiting
        if self.again:
            yield "PutOff", 1
        if self.over_limit:
            yield "PartsOverLimit", self.over_limit
        if self.daily_used is not None:
            yield "DailyLimitUsed", self.daily_used
        for kind, count in self.left_out.items():
            yield f"LeftOut{kind}", count
        for kind, counter in (("Parts", self.states), ("Paused", self.pauses), ("Attention", self.attention)):
            for value, count in counter.items():
                yield kind + value.replace("_", " ").title().replace(" ", ""), count

    def brought_to(self, state: State, attention: Attention | None = None) -> None:
        """Note what a part's row says now."""
        self.states[state] += 1
        if attention:
            self.attention[attention] += 1

    def put_off(self, again: Again) -> None:
        """Note that something is not finished; the soonest of several delays counts."""
        if self.again is None or again.delay < self.again.delay:
            self.again = again


@dataclass(frozen=True, slots=True, kw_only=True)
class Desk:
    """What every errand works with.

    ``receive_limit`` is the delivery at which an unfinished message is put into the dead-letter queue;
    ``longest_request`` is how many seconds one request can take with all its writing.
    """

    claims: Claims
    outbound: Outbound
    campaigns: Campaigns
    admission: Admission
    guards: Guards
    platform: Platform
    queue: SendQueue
    receive_limit: int
    longest_request: float
    lane: Lane = Lane.ORDINARY
    clock: Callable[[], datetime]
    chance: Callable[[], float]


_LEAST_FOR_OUTBOUND = 1.0
"""Seconds for writing down who is sent to, of those that are kept for the writes around a request."""


_LEAST_AT_THE_END = 2.0
"""Seconds for handing a message back, or for what other messages of the batch still write."""


class IdTaken(Exception):
    """The send's id belongs to a send with another payload."""


class Errand:
    """One delivery of one send. ``seen`` is what is known of its rows, by the parts' names."""

    def __init__(self, desk: Desk, message: QueueMessage, send: Send, time_left: Callable[[], float]) -> None:
        self.desk = desk
        self.message = message
        self.send = send
        self.progress = Progress(send.send_id)
        self.seen: dict[str, Standing] = {}
        self.refused: dict[str, dict[str, str]] = {}
        """Mobiles that are known to be invalid, by first-level part and with the day, where that was looked up."""
        self._looked = message.receive_count == 1  # nothing to be seen yet
        self._time_left = time_left
        self._began = desk.clock()

    def now(self) -> datetime:
        """Return the time."""
        return self.desk.clock()

    def spare(self) -> float:
        """Return how many seconds are left beyond one request with all its writing; negative: out of time."""
        return self._time_left() - self.desk.longest_request

    def to_tidy(self) -> float:
        """Return how many seconds are left for what may be left undone; negative: none."""
        return self._time_left() - _LEAST_AT_THE_END

    def patience(self, spare: float) -> float:
        """Return for how many of the ``spare`` seconds this message may wait here and now."""
        if self.desk.lane is not Lane.URGENT:
            return spare
        return max(min(spare, schedule.IN_PLACE - (self.now() - self._began).total_seconds()), 0)

    def waiting(self) -> schedule.Waiting:
        """Return what decides when this message comes back."""
        message, now = self.message, self.now()
        age = now - message.sent_at if message.sent_at else timedelta()
        return schedule.Waiting(self.desk.lane, message.receive_count, age)

    def in_time(self, delay: float, why: str) -> Again:
        """Come back after ``delay`` seconds, but in time to say that ``validUntil`` has passed."""
        return Again(schedule.in_time(delay, self.send.expires, now=self.now()), why)

    def over(self, now: datetime) -> bool:
        """Return whether ``validUntil`` has passed."""
        return self.send.expires is not None and self.send.expires <= now

    def goes_by(self, otp_until: datetime) -> Send:
        """Return the send as it is from now on: valid until what its rows say."""
        self.send = replace(self.send, otp_until=otp_until)
        return self.send

    def found(self, part: Part) -> Standing | None:
        """Return how a part stands, if that is known; of a message that has come before, all rows are read, once.

        A write that fails is charged by the row's size, and that of a part with 10,000 mobiles is large. Raises
        :class:`IdTaken`.
        """
        if part.name not in self.seen and not self._looked:
            self._looked = True
            rows = self.desk.claims.known(self.send.send_id)
            sends = {name: row for name, row in rows.items() if not row.gives_way}
            if any(row.fingerprint != self.send.fingerprint for row in sends.values()):
                raise IdTaken
            self.seen = sends | self.seen
        return self.seen.get(part.name)

    def row(self, part: Part) -> Standing | None:
        """Read how a part stands now, whatever is known of it; ``None`` if it has no row."""
        return self.desk.claims.known(self.send.send_id).get(part.name)

    def note(self, part: Part, *, cancelled: datetime | None = None) -> Standing | None:
        """Write a part down that is not asked for yet; return what stands there if it is known already.

        With ``cancelled``, when its whole send was, it is born ``CANCELLED``. Raises :class:`IdTaken`.
        """
        standing = self.desk.claims.note(self.send, part, now=self.now(), cancelled=cancelled)
        if isinstance(standing, Conflict):
            raise IdTaken
        born = State.CANCELLED if cancelled else State.WAITING
        self.seen[part.name] = standing or Standing(born, self.send.fingerprint, revision=1)
        if self.send.campaign:
            self.desk.campaigns.make_sure(self.send.campaign, now=self.now())
        return standing

    def campaign(self) -> Campaign | None:
        """Return the send's campaign as it is now, if it has one and somebody has named it."""
        return self.desk.campaigns.get(self.send.campaign) if self.send.campaign else None

    def announce(self, part: Part, *, due_at: datetime | None = None) -> None:
        """Write down who a part goes to, which lives on from now or, if it waits, from ``due_at``.

        Raises :class:`~kuaixintong.core.errors.StoreUnavailable`.
        """
        now, seconds = self.now(), max(self.spare(), _LEAST_FOR_OUTBOUND)
        lives_from = max(now, due_at) if due_at else now
        self.desk.outbound.put(self.send.send_id, part.name, part.mobiles, now=lives_from, seconds=seconds)


@dataclass(frozen=True, slots=True)
class OrAgain:
    """Turns an error of ours into another try of the message."""

    desk: Desk
    message: QueueMessage
    progress: Progress

    def __enter__(self) -> None: ...

    def __exit__(self, kind: object, error: BaseException | None, traceback: object) -> bool:
        if not isinstance(error, KuaixintongError):
            return False
        # its text is made to be shown: no content, no secret
        delay = schedule.backoff(self.message.receive_count, self.desk.chance())
        self.progress.again = Again(delay, f"{type(error).__name__}: {error}")
        return True
