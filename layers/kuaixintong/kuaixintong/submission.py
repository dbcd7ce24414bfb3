"""One queue message, from its first claim to its last result.

The order of steps is the promise: the claim, with the timestamp in it, is written before the request goes out;
the answer is written before the account is told; and the message leaves the queue only when every part's row is
final. Wherever a worker is cut off, the row says what may have happened, and the message comes back.
"""

import json
import re
import uuid
from collections import Counter, deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from kuaixintong.admission import Admission, Paused, Ticket
from kuaixintong.core import beijing, ledger, sends
from kuaixintong.core.codes import Actor
from kuaixintong.core.errors import KuaixintongError, NoAnswer, SendRefused, TryLater
from kuaixintong.core.ledger import Attention, Busy, Finished, Lapse, Outcome, Rule, Standing, State, Then, Trouble
from kuaixintong.core.messages import Answer, Login, SendSm
from kuaixintong.core.sends import Part, Send
from kuaixintong.stores.queue import SendQueue
from kuaixintong.stores.sends import Claimed, Conflict, Sends

if TYPE_CHECKING:
    from typing import Protocol

    from kuaixintong.core.credentials import PlatformCredentials

    class Platform(Protocol):
        """What a submission needs of :class:`kuaixintong.client.PlatformClient`."""

        def ask(self, request: Login | SendSm, credentials: "PlatformCredentials", timestamp: str) -> Answer: ...


LONGEST_BACKOFF = 900.0
"""Seconds between two tries of a message at the most."""

_FIRST_BACKOFF = 2.0
_SOON = 1.0
_AFTER_A_PAUSE = 3.0
"""Seconds, for each receive so far, over which the messages of a pause come back: soon after a short one, and not
all at once after a long one, so that few lose the race for the probe and an outage does not use up receives."""

_LONGEST_AFTER_A_PAUSE = 60.0

_ON_ITS_WAY = timedelta(seconds=5)
"""A time for sending this near can pass before the platform reads it, by its clock; it would be refused (330)."""

_TRIES_AT_ONCE = 3
"""Requests for one part in one go: the first, and again where the secret has just changed."""


def backoff(tries: int, chance: float) -> float:
    """Return seconds until the next try: doubling with each, less up to half by ``chance`` (0 to 1)."""
    whole = min(_FIRST_BACKOFF * 2.0 ** min(tries - 1, 16), LONGEST_BACKOFF)
    return whole * (1 - chance / 2)


@dataclass(frozen=True, slots=True)
class QueueMessage:
    """A message as the queue delivers it. ``receive_count`` is 1 on the first delivery."""

    message_id: str
    receipt_handle: str
    body: str = field(repr=False)
    receive_count: int


@dataclass(frozen=True, slots=True)
class Again:
    """Something is left to do, after ``delay`` seconds; ``all_parts`` if the other parts have to wait too."""

    delay: float
    why: str
    all_parts: bool = True


@dataclass(slots=True)
class Delivery:
    """One delivery of one send, and what has become of it so far.

    ``again`` stays ``None`` when the message has done its duty. ``states`` counts the states that parts were
    brought to, ``repeats`` the parts that were found at their end, ``pauses`` why the account was paused, and
    ``attention`` why a person should look.
    """

    send_id: str
    receive_count: int
    again: Again | None = None
    states: Counter[State] = field(default_factory=Counter)
    pauses: Counter[Trouble] = field(default_factory=Counter)
    attention: Counter[Attention] = field(default_factory=Counter)
    repeats: int = 0
    seen: dict[str, Standing] = field(default_factory=dict)
    unfinished: list[Part] = field(default_factory=list)

    def counts(self) -> Iterator[tuple[str, int]]:
        """Yield this delivery's metrics by name: ``PartsAccepted``, ``PausedBalance``, ``AttentionGaveUp``."""
        yield "Deliveries", 1
        if self.repeats:
            yield "PartsRepeated", self.repeats
        if self.again:
            yield "PutOff", 1
        for kind, counter in (("Parts", self.states), ("Paused", self.pauses), ("Attention", self.attention)):
            for value, count in counter.items():
                yield kind + value.replace("_", " ").title().replace(" ", ""), count

    def brought_to(self, state: State, attention: Attention | None) -> None:
        """Note what a part's row says now."""
        self.states[state] += 1
        if attention:
            self.attention[attention] += 1

    def put_off(self, part: Part, again: Again) -> None:
        """Note that ``part`` is not finished; the soonest of several delays counts."""
        self.unfinished.append(part)
        if self.again is None or again.delay < self.again.delay:
            self.again = again


class Submitter:
    """Takes queue messages; safe between threads.

    ``receive_limit`` is the delivery at which an unfinished message is put into the dead-letter queue;
    ``longest_request`` is how many seconds one request can take with all its writing.
    """

    def __init__(
        self,
        *,
        rows: Sends,
        admission: Admission,
        platform: "Platform",
        queue: SendQueue,
        receive_limit: int,
        longest_request: float,
        clock: Callable[[], datetime],
        chance: Callable[[], float],
    ) -> None:
        self._rows = rows
        self._admission = admission
        self._platform = platform
        self._queue = queue
        self._receive_limit = receive_limit
        self._longest_request = longest_request
        self._clock = clock
        self._chance = chance

    def take(self, message: QueueMessage, time_left: Callable[[], float]) -> Delivery:
        """Bring a message as far as it goes now; ``time_left`` returns the seconds until the function is killed.

        What is left to do is postponed on the queue, also when a store or a secret fails.
        """
        try:
            send = sends.parse(message.body, message.message_id)
        except SendRefused as refused:
            faults = refused.faults
            delivery = Delivery(sends.send_id_of(message.body, message.message_id), message.receive_count)
            self._or_again(delivery, lambda: self._refuse(message, faults, delivery))
            stamped = message.body
        else:
            delivery = Delivery(send.send_id, message.receive_count)
            self._or_again(delivery, lambda: self._walk_or_refuse(message, send, delivery, time_left))
            if delivery.again and message.receive_count >= self._receive_limit:
                self._or_again(delivery, lambda: self._give_up(send, delivery))
            stamped = _stamped(message.body, send.send_id)
        if delivery.again and message.receive_count >= self._receive_limit:
            self._queue.bury(stamped)
            delivery.attention[Attention.GAVE_UP] += 1
            delivery.again = None
        if delivery.again:
            self._queue.postpone(message.receipt_handle, delivery.again.delay)
        return delivery

    def _or_again(self, delivery: Delivery, work: Callable[[], None]) -> None:
        try:
            work()
        except KuaixintongError as error:  # its text is made to be shown: no content, no secret
            delay = backoff(delivery.receive_count, self._chance())
            delivery.again = Again(delay, f"{type(error).__name__}: {error}")

    def _refuse(self, message: QueueMessage, faults: Sequence[str], delivery: Delivery) -> None:
        self._rows.refuse(delivery.send_id, message.message_id, faults, message.body, now=self._clock())
        delivery.states[State.REJECTED] += 1

    def _walk_or_refuse(
        self, message: QueueMessage, send: Send, delivery: Delivery, time_left: Callable[[], float]
    ) -> None:
        try:
            self._walk(send, delivery, time_left)
        except _IdTaken:
            self._rows.refuse_conflict(send, message.message_id, message.body, now=self._clock())
            delivery.send_id = message.message_id
            delivery.states[State.REJECTED] += 1

    def _give_up(self, send: Send, delivery: Delivery) -> None:
        for part in delivery.unfinished:
            self._rows.give_up(send, part, now=self._clock())

    # --- the parts of a send ------------------------------------------------------------------------------------

    def _walk(self, send: Send, delivery: Delivery, time_left: Callable[[], float]) -> None:
        todo = deque(send.parts)
        try:
            if len(send.parts) > 1:
                self._note_all(send, delivery)
            finished: dict[str, State] = {}
            while todo:
                step = finished.get(todo[0].name) or self._submit(send, todo[0], delivery, time_left)
                part = todo.popleft()
                if isinstance(step, Again):
                    delivery.put_off(part, step)
                    if step.all_parts:
                        return
                elif step is State.SPLIT:
                    if delivery.repeats and not finished:  # an earlier delivery has divided it and gone on
                        finished = self._rows.final_states(send.send_id)
                    todo.extendleft(reversed(part.halves()))
        finally:  # also when a store or the secret has failed: what is not finished is never forgotten
            delivery.unfinished.extend(todo)

    def _note_all(self, send: Send, delivery: Delivery) -> None:
        """Write down all parts of a new send before the first is asked for, so that the table knows the whole.

        Part 1 comes first: it is where two payloads under one id collide.
        """
        first, *others = send.parts
        known = self._note(send, first, delivery)
        if known is None or known.attempts == 0:  # the noting itself may have been cut off
            for part in others:
                self._note(send, part, delivery)

    def _note(self, send: Send, part: Part, delivery: Delivery) -> Standing | None:
        standing = self._rows.note(send, part, now=self._clock())
        if isinstance(standing, Conflict):
            raise _IdTaken
        new = Standing(State.WAITING, send.fingerprint, revision=1)
        delivery.seen[part.name] = standing or new
        return standing

    def _submit(self, send: Send, part: Part, delivery: Delivery, time_left: Callable[[], float]) -> State | Again:
        if not part.mobiles:
            if self._note(send, part, delivery) is None:
                delivery.brought_to(State.REJECTED, None)
            return State.REJECTED
        for _ in range(_TRIES_AT_ONCE):
            now = self._clock()
            if send.expires and send.expires <= now:
                return self._lapse(send, part, delivery, now)
            ticket = self._ticket(time_left)
            if isinstance(ticket, Paused):
                return self._wait(send, part, delivery, ticket)
            if isinstance(ticket, Again):
                return ticket
            step = self._ask(send, part, delivery, ticket)
            if step is not None:
                return step
        return Again(_SOON, "the secret keeps changing")

    def _ticket(self, time_left: Callable[[], float]) -> Ticket | Paused | Again:
        """Return permission for a request that can still end before the function is killed."""
        if time_left() < self._longest_request:
            return Again(_SOON, "out of time")
        try:
            ticket = self._admission.enter()
        except Paused as pause:
            return pause
        if time_left() < self._longest_request:  # entering can take as long as another thread's probe
            self._admission.leave(ticket, answered=False, trouble=None, proof=False)
            return Again(_SOON, "out of time")
        return ticket

    def _lapse(self, send: Send, part: Part, delivery: Delivery, now: datetime) -> State | Again:
        # At this same "now" a claim never gets as far as a timestamp: it ends in a final row, or the part is busy.
        held = self._rows.claim(
            send, part, fresh="", claim=_new_claim(), now=now, known=delivery.seen.pop(part.name, None)
        )
        return self._not_ours(held, delivery)

    def _wait(self, send: Send, part: Part, delivery: Delivery, pause: Paused) -> State | Again:
        """Go back to the queue without a call, but not without a row."""
        standing = self._note(send, part, delivery)
        if standing and standing.state.final:
            return standing.state
        spread = min(_AFTER_A_PAUSE * delivery.receive_count, _LONGEST_AFTER_A_PAUSE)
        rest = (pause.until - self._clock()).total_seconds() + self._chance() * spread
        return self._in_time(send, Again(max(rest, 0), f"paused: {pause.reason or 'another worker probes'}"))

    def _in_time(self, send: Send, again: Again) -> Again:
        """Come back no later than ``validUntil``, so that the row says ``EXPIRED`` when it is."""
        if send.expires is None:
            return again
        rest = (send.expires - self._clock()).total_seconds() + _SOON
        return Again(min(again.delay, max(rest, 0)), again.why, again.all_parts)

    # --- one request --------------------------------------------------------------------------------------------

    def _ask(self, send: Send, part: Part, delivery: Delivery, ticket: Ticket) -> State | Again | None:
        """Send one request and write down its answer; ``None`` means: once more, at once."""
        answered, proof = False, False
        trouble: Trouble | None = None
        try:
            held = self._rows.claim(
                send,
                part,
                fresh=ticket.timestamp,
                claim=_new_claim(),
                now=self._clock(),
                known=delivery.seen.pop(part.name, None),
                cid=ticket.credentials.cid,
            )
            if not isinstance(held, Claimed):
                return self._not_ours(held, delivery)
            answer = self._answer(send, part, held, ticket)
            answered = answer is not None
            rule = ledger.rule_for(_outcome(part, held, answer))
            self._write(send, part, held, rule, answer)
            if rule.then is not Then.FRESH_SECRET or not self._admission.changed_secret(ticket):
                trouble = rule.trouble
            proof = answer is not None and answer.meaning.actor in (Actor.NOBODY, Actor.REQUEST)
        finally:
            paused = self._admission.leave(ticket, answered=answered, trouble=trouble, proof=proof)
            if paused:
                delivery.pauses[paused] += 1
        delivery.brought_to(rule.state, rule.attention)
        # Deliveries that met a pause cost nothing and prove nothing: they do not count towards the backoff.
        tries = min(delivery.receive_count, held.submit.attempts)
        return self._next(send, rule, trouble, tries)

    def _answer(self, send: Send, part: Part, held: Claimed, ticket: Ticket) -> Answer | None:
        try:
            return self._platform.ask(self._request(send, part), ticket.credentials, held.submit.timestamp)
        except NoAnswer:
            return None

    def _request(self, send: Send, part: Part) -> SendSm:
        # A time that passed while the message waited means "at once"; the platform would refuse it (330).
        soon = self._clock() + _ON_ITS_WAY
        passed = send.at_time is None or beijing.parse(send.at_time) <= soon
        return SendSm(
            mobiles=part.mobiles,
            content=send.content,
            at_time="" if passed else send.at_time or "",
            daily_begin_time=send.daily_begin_time or "",
            daily_end_time=send.daily_end_time or "",
        )

    def _write(self, send: Send, part: Part, held: Claimed, rule: Rule, answer: Answer | None) -> None:
        try:
            if rule.then is Then.SPLIT and answer:
                self._rows.split(send, part, held, answer, now=self._clock())
            else:
                self._rows.settle(send, part, held, rule, answer, now=self._clock())
        except TryLater as error:
            if answer is None or rule.state is not State.ACCEPTED:
                raise
            # The row will say UNCONFIRMED. The token is in no table, so let the log have it for whoever looks.
            known = f"part {part.name} was accepted with timestamp {held.submit.timestamp} as token {answer.token}"
            raise type(error)(f"{error} {known}.") from error

    def _next(self, send: Send, rule: Rule, trouble: Trouble | None, tries: int) -> State | Again | None:
        match rule.then:
            case Then.DONE | Then.SPLIT:
                return rule.state
            case Then.FRESH_SECRET if trouble is None:
                return None
            case Then.SOON:
                return Again(_SOON, "timestamp refused")
            case _:
                delay = backoff(tries, self._chance())
                return self._in_time(send, Again(delay, trouble or "the platform asks to come later"))

    def _not_ours(self, held: Claimed | Finished | Lapse | Busy | Conflict, delivery: Delivery) -> State | Again:
        match held:
            case Finished(state):
                delivery.repeats += 1
                return state
            case Lapse(state, attention):
                delivery.brought_to(state, attention)
                return state
            case Busy(until):
                rest = (until - self._clock()).total_seconds()
                return Again(max(rest, 0) + _SOON, "another worker has it", all_parts=False)
            case _:
                raise _IdTaken


_NOT_FOR_SQS = re.compile("[\ud800-\udfff\ufffe\uffff]")


class _IdTaken(Exception):
    pass


def _outcome(part: Part, held: Claimed, answer: Answer | None) -> Outcome:
    submit = held.submit
    return Outcome(answer, submit.uses == 1, len(part.mobiles), others_unanswered=submit.unanswered > 1)


def _stamped(body: str, send_id: str) -> str:
    """Return a body that carries its id, for the dead-letter queue.

    A redrive gives a message another SQS id. Without an ``id`` of its own it would come back as another send, and
    be sent twice; so no message goes there without one. The text is compact, since a body may be as long as SQS
    allows; and what JSON may hold and SQS does not take is escaped.
    """
    values = json.loads(body)
    if values.get("id"):
        return body
    stamped = json.dumps(values | {"id": send_id}, ensure_ascii=False, separators=(",", ":"))
    return _NOT_FOR_SQS.sub(lambda found: f"\\u{ord(found[0]):04x}", stamped)


def _new_claim() -> str:
    return uuid.uuid4().hex
