"""One queue message, from its first claim to its last result.

The order of steps is the promise: the claim, with the timestamp in it, is written before the request goes out;
the answer is written before the account is told; and the message leaves the queue only when every part's row is
final. Wherever a worker is cut off, the row says what may have happened, and the message comes back.
"""

import uuid
from collections import Counter, deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from kuaixintong.admission import Admission, OutOfBalance, Shown, Ticket
from kuaixintong.claims import Claimed, Claims, Conflict
from kuaixintong.core import ledger, schedule, sends
from kuaixintong.core.codes import SUCCESS, Actor, Trouble
from kuaixintong.core.cost import cost
from kuaixintong.core.errors import KuaixintongError, NoAnswer, SendRefused, TryLater
from kuaixintong.core.ledger import (
    Addressee,
    Attention,
    Bid,
    Busy,
    Finished,
    Lapse,
    Outcome,
    Rule,
    Standing,
    State,
    Then,
)
from kuaixintong.core.messages import SendSm
from kuaixintong.core.pace import Lane
from kuaixintong.core.schedule import SOON
from kuaixintong.core.sends import Part, Send
from kuaixintong.platform import Platform
from kuaixintong.slots import Held
from kuaixintong.stores.queue import SendQueue

_TRIES_AT_ONCE = 3
"""Requests for one part in one go: the first, and again where the secret has just changed."""


_TURNS = 20
"""Requests for one part in one go that came too fast: each waits for its slot, at a pace that slows meanwhile."""


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
    ``attention`` why a person should look, and ``too_dear`` the parts that wait for the balance.
    """

    send_id: str
    again: Again | None = None
    states: Counter[State] = field(default_factory=Counter)
    pauses: Counter[Trouble] = field(default_factory=Counter)
    attention: Counter[Attention] = field(default_factory=Counter)
    repeats: int = 0
    too_dear: int = 0

    def counts(self) -> Iterator[tuple[str, int]]:
        """Yield this delivery's metrics by name: ``PartsAccepted``, ``PausedBalance``, ``AttentionGaveUp``."""
        yield "Deliveries", 1
        if self.repeats:
            yield "PartsRepeated", self.repeats
        if self.too_dear:
            yield "PartsTooDear", self.too_dear
        if self.again:
            yield "PutOff", 1
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
class Submitter:
    """Takes queue messages; safe between threads.

    ``receive_limit`` is the delivery at which an unfinished message is put into the dead-letter queue;
    ``longest_request`` is how many seconds one request can take with all its writing.
    """

    claims: Claims
    admission: Admission
    platform: Platform
    queue: SendQueue
    receive_limit: int
    longest_request: float
    lane: Lane = Lane.ORDINARY
    clock: Callable[[], datetime]
    chance: Callable[[], float]

    def take(self, message: QueueMessage, time_left: Callable[[], float]) -> Progress:
        """Bring a message as far as it goes now; ``time_left`` returns the seconds until the function is killed.

        What is left to do is postponed on the queue, also when a store or a secret fails.
        """
        last = message.receive_count >= self.receive_limit
        try:
            send = sends.parse(message.body, message.message_id)
            _check_what_is_built(send)
        except SendRefused as refused:
            progress = self._refuse(message, refused)
            stamped = message.body
        else:
            errand = _Errand(self, message, send, time_left)
            progress = errand.run(last=last)
            stamped = sends.stamped(message.body, send.send_id)
        if progress.again and last:
            self.queue.bury(stamped)
            progress.attention[Attention.GAVE_UP] += 1
            progress.again = None
        if progress.again:
            self.queue.postpone(message.receipt_handle, progress.again.delay)
        return progress

    def _refuse(self, message: QueueMessage, refused: SendRefused) -> Progress:
        progress = Progress(sends.send_id_of(message.body, message.message_id))
        with _OrAgain(self, message, progress):
            new = self.claims.refuse(
                progress.send_id, message.message_id, refused.faults, message.body, now=self.clock()
            )
            progress.brought_to(State.REJECTED, Attention.REFUSED if new else None)
        return progress


@dataclass(frozen=True, slots=True)
class _OrAgain:
    """Turns an error of ours into another try of the message."""

    submitter: Submitter
    message: QueueMessage
    progress: Progress

    def __enter__(self) -> None: ...

    def __exit__(self, kind: object, error: BaseException | None, traceback: object) -> bool:
        if not isinstance(error, KuaixintongError):
            return False
        # its text is made to be shown: no content, no secret
        delay = schedule.backoff(self.message.receive_count, self.submitter.chance())
        self.progress.again = Again(delay, f"{type(error).__name__}: {error}")
        return True


class _Errand:
    """One delivery of one send. ``seen`` is what is known of rows, ``unfinished`` the parts that are not final."""

    def __init__(
        self, submitter: Submitter, message: QueueMessage, send: Send, time_left: Callable[[], float]
    ) -> None:
        self._desk = submitter
        self._message = message
        self._send = send
        self._time_left = time_left
        self._began = submitter.clock()
        self._progress = Progress(send.send_id)
        self._seen: dict[str, Standing] = {}
        self._unfinished: list[Part] = []

    def run(self, *, last: bool) -> Progress:
        """Bring the send as far as it goes; on its ``last`` delivery, mark what is not finished."""
        with _OrAgain(self._desk, self._message, self._progress):
            self._walk_or_refuse()
        if last and self._progress.again:
            with _OrAgain(self._desk, self._message, self._progress):
                for part in self._unfinished:
                    self._desk.claims.give_up(self._send, part, now=self._now())
        return self._progress

    def _now(self) -> datetime:
        return self._desk.clock()

    def _walk_or_refuse(self) -> None:
        try:
            self._walk()
        except _IdTaken:
            message = self._message
            new = self._desk.claims.refuse_conflict(self._send, message.message_id, message.body, now=self._now())
            self._progress.send_id = message.message_id
            self._progress.brought_to(State.REJECTED, Attention.REFUSED if new else None)

    # --- the parts of a send ------------------------------------------------------------------------------------

    def _walk(self) -> None:
        todo = deque(self._send.parts)
        try:
            if len(todo) > 1:
                self._note_all()
            while todo:
                step = self._submit(todo[0])
                part = todo.popleft()
                if isinstance(step, Again):
                    self._unfinished.append(part)
                    self._progress.put_off(step)
                    if step.all_parts:
                        return
                elif step is State.SPLIT:
                    todo.extendleft(reversed(self._halves(part)))
        finally:  # also when a store or the secret has failed: what is not finished is never forgotten
            self._unfinished.extend(todo)

    def _halves(self, part: Part) -> tuple[Part, Part]:
        halves = part.halves()
        if halves[0].name not in self._seen:  # an earlier delivery has divided it and gone on
            self._seen |= self._desk.claims.known(self._send.send_id)
        return halves

    def _note_all(self) -> None:
        """Write down all parts of a new send before the first is asked for, so that the table knows the whole.

        Part 1 comes first: it is where two payloads under one id collide.
        """
        first, *others = self._send.parts
        known = self._note(first)
        if known is None or known.attempts == 0:  # the noting itself may have been cut off
            for part in others:
                self._note(part)

    def _note(self, part: Part) -> Standing | None:
        standing = self._desk.claims.note(self._send, part, now=self._now())
        if isinstance(standing, Conflict):
            raise _IdTaken
        self._seen[part.name] = standing or Standing(State.WAITING, self._send.fingerprint, revision=1)
        return standing

    def _submit(self, part: Part) -> State | Again:
        seen = self._seen.get(part.name)
        if seen and seen.state.final:
            return seen.state
        if not part.mobiles:
            if self._note(part) is None:
                self._progress.brought_to(State.REJECTED)
            return State.REJECTED
        tries = Counter[Then]()
        while tries[Then.AT_ONCE] < _TRIES_AT_ONCE and tries[Then.IN_ITS_TURN] < _TURNS:
            step = self._try(part)
            if isinstance(step, State | Again):
                return step
            tries[step] += 1
        return Again(SOON, "it was asked for again and again")

    def _try(self, part: Part) -> State | Again | Then:
        """Ask for a part once, if it may be asked for now; a ``Then`` means: once more."""
        if end := self._lapsed(part):
            return end
        rest = self._time_left() - self._desk.longest_request
        if rest < 0:
            return Again(SOON, "out of time")
        try:
            ticket = self._desk.admission.enter(
                cost=cost(part.mobiles, self._send.content), seconds=self._patience(rest)
            )
        except Held as held:
            return self._wait(part, held)
        if self._time_left() < self._desk.longest_request:  # entering can take as long as another thread's probe
            self._desk.admission.leave(ticket, Shown())
            return Again(SOON, "out of time")
        return self._ask(part, ticket)

    def _lapsed(self, part: Part) -> State | Again | None:
        """End a part whose validity has passed."""
        now = self._now()
        if self._send.expires is None or now < self._send.expires:
            return None
        # At this same "now" a claim never gets as far as a timestamp: it ends in a final row, or the part is busy.
        return self._not_ours(self._claim(part, Bid(_new_claim()), now))

    def _patience(self, rest: float) -> float:
        """Return for how long this message may wait here and now."""
        if self._desk.lane is not Lane.URGENT:
            return rest
        return max(min(rest, schedule.IN_PLACE - (self._now() - self._began).total_seconds()), 0)

    def _wait(self, part: Part, held: Held) -> State | Again:
        """Go back to the queue without a call, but not without a row."""
        if end := self._lapsed(part):
            return end
        standing = self._note(part)
        if standing and standing.state.final:
            return standing.state
        now, dear = self._now(), isinstance(held, OutOfBalance)
        if dear:
            self._progress.too_dear += 1
            self._desk.claims.tell(self._send, part, str(held), now=now)
        delay = schedule.after_hold(held.until, self._waiting(now), now=now, chance=self._desk.chance())
        again = self._in_time(delay, str(held))
        return replace(again, all_parts=not dear)

    def _waiting(self, now: datetime) -> schedule.Waiting:
        message = self._message
        age = now - message.sent_at if message.sent_at else timedelta()
        return schedule.Waiting(self._desk.lane, message.receive_count, age)

    def _in_time(self, delay: float, why: str) -> Again:
        return Again(schedule.in_time(delay, self._send.expires, now=self._now()), why)

    # --- one request --------------------------------------------------------------------------------------------

    def _claim(self, part: Part, bid: Bid, now: datetime) -> Claimed | Finished | Lapse | Busy | Conflict:
        known = self._seen.pop(part.name, None)
        return self._desk.claims.claim(self._send, part, bid, now=now, known=known)

    def _ask(self, part: Part, ticket: Ticket) -> State | Again | Then:
        """Send one request and write down its answer; a ``Then`` as above."""
        outcome: Outcome | None = None
        trouble: Trouble | None = None
        admission = self._desk.admission
        try:
            held = self._claim(part, self._bid(ticket), self._now())
            if not isinstance(held, Claimed):
                return self._not_ours(held)
            if end := self._overdue(part, held):
                return end
            if not self._at_slot(part, held, ticket):
                return self._put_back(part, held, "All slots of the account's pace were taken.")
            if end := self._overdue(part, held):
                return end
            outcome = self._outcome(part, held, ticket)
            rule = ledger.rule_for(outcome)
            self._write(part, held, rule, outcome)
            if rule.then is not Then.FRESH_SECRET or not admission.changed_secret(ticket):
                trouble = rule.trouble
        finally:
            paused = admission.leave(ticket, _shown(outcome, trouble))
            if paused:
                self._progress.pauses[paused] += 1
        self._progress.brought_to(rule.state, rule.attention)
        return self._next(rule, trouble, outcome, held.submit.attempts)

    def _overdue(self, part: Part, held: Claimed) -> State | Again | None:
        """End a part whose validity has passed since it was looked at: a claim, or a slot, can take its time."""
        if self._send.expires is None or self._send.expires > self._now():
            return None
        return self._not_ours(self._desk.claims.withdraw(self._send, part, held, now=self._now()))

    def _at_slot(self, part: Part, held: Claimed, ticket: Ticket) -> bool:
        """Wait for the request's slot; ``False`` if none comes in time."""
        try:
            return self._desk.admission.at_slot(ticket, seconds=self._time_left() - self._desk.longest_request)
        except KuaixintongError:  # the account's table, or a clock: whatever it is, the request has not left
            self._put_back(part, held, "No slot of the account's pace could be taken.")
            raise

    def _put_back(self, part: Part, held: Claimed, words: str) -> Again:
        """Give a part back whose request has found no slot: it never left."""
        never_left = replace(_asking(part, held), left=False, words=words)
        self._write(part, held, ledger.rule_for(never_left), never_left)
        return Again(SOON, never_left.words)

    def _bid(self, ticket: Ticket) -> Bid:
        who = ticket.credentials
        return Bid(
            claim=_new_claim(),
            fresh=ticket.timestamp,
            asked=Addressee(who.cid, who.uid, self._desk.platform.address),
            at_time_to_come=schedule.still_to_come(self._send.at_time, now=self._now()),
        )

    def _outcome(self, part: Part, held: Claimed, ticket: Ticket) -> Outcome:
        """Ask, and return what came back, with all that the ledger wants to know of the request."""
        submit = held.submit
        near = submit.with_at_time and schedule.near(self._send.at_time, now=self._now())
        asking = replace(_asking(part, held), at_time_near=near)
        request = self._request(part, with_at_time=submit.with_at_time)
        try:
            answer = self._desk.platform.ask(request, ticket.credentials, submit.timestamp)
        except NoAnswer as reason:  # its text is made to be shown
            return replace(asking, left=reason.left, words=str(reason))
        return replace(asking, answer=answer)

    def _request(self, part: Part, *, with_at_time: bool) -> SendSm:
        send = self._send
        return SendSm(
            mobiles=part.mobiles,
            content=send.content,
            at_time=(send.at_time or "") if with_at_time else "",
            daily_begin_time=send.daily_begin_time or "",
            daily_end_time=send.daily_end_time or "",
        )

    def _write(self, part: Part, held: Claimed, rule: Rule, outcome: Outcome) -> None:
        claims, now, answer = self._desk.claims, self._now(), outcome.answer
        try:
            if rule.then is Then.SPLIT:
                self._seen |= claims.split(self._send, part, held, outcome, now=now)
            else:
                claims.settle(self._send, part, held, rule, outcome, now=now)
        except TryLater as error:
            if answer is None or rule.state is not State.ACCEPTED:
                raise
            # The row will say UNCONFIRMED. The token is in no table, so let the log have it for whoever looks.
            known = f"part {part.name} was accepted with timestamp {held.submit.timestamp} as token {answer.token}"
            raise type(error)(f"{error} {known}.") from error

    def _next(self, rule: Rule, trouble: Trouble | None, outcome: Outcome, attempts: int) -> State | Again | Then:
        match rule.then:
            case Then.DONE | Then.SPLIT:
                return rule.state
            case Then.FRESH_SECRET if trouble is None:
                return Then.AT_ONCE
            case Then.AT_ONCE | Then.IN_ITS_TURN:
                return rule.then
            case Then.SOON:
                return Again(SOON, "timestamp refused")
            case _ if self._waits_out(trouble):
                return Then.IN_ITS_TURN
            case _:
                # Deliveries that met a pause cost nothing and prove nothing: they do not count for the backoff.
                tries = min(self._message.receive_count, attempts)
                chance = self._desk.chance()
                waiting = self._waiting(self._now())
                delay = (
                    schedule.after_trouble(tries, waiting, chance) if trouble else schedule.backoff(tries, chance)
                )
                return self._in_time(delay, outcome.words or trouble or "the platform asks to come later")

    def _waits_out(self, trouble: Trouble | None) -> bool:
        """Whether to stay for the next probe of an outage, as somebody waits for this message."""
        hurries = self._waiting(self._now()).hurries and trouble is Trouble.UNREACHABLE
        return hurries and self._patience(self._time_left() - self._desk.longest_request) > 0

    def _not_ours(self, held: Claimed | Finished | Lapse | Busy | Conflict) -> State | Again:
        match held:
            case Finished(state):
                self._progress.repeats += 1
                return state
            case Lapse(state, attention):
                self._progress.brought_to(state, attention)
                return state
            case Busy(until):
                delay = schedule.after_lease(until, now=self._now())
                return Again(delay, "another worker has it", all_parts=False)
            case _:
                raise _IdTaken


class _IdTaken(Exception):
    pass


def _check_what_is_built(send: Send) -> None:
    """Refuse what would silently be another send: one that nobody keeps here until its time."""
    if send.hold:
        fault = "hold is true; this version cannot keep a send here until its atTime."
        raise SendRefused([f"{fault} Leave hold out, and the platform gets atTime at once."])


def _asking(part: Part, held: Claimed) -> Outcome:
    """What the ledger wants to know of a request that has no answer yet."""
    submit = held.submit
    return Outcome(
        None,
        first_use=submit.uses == 1,
        mobiles=len(part.mobiles),
        others_unanswered=submit.unanswered > 1,
    )


def _shown(outcome: Outcome | None, trouble: Trouble | None) -> Shown:
    answer = outcome.answer if outcome else None
    if answer is None:
        return Shown(trouble=trouble)
    proof = answer.meaning.actor in (Actor.NOBODY, Actor.REQUEST)
    return Shown(answered=True, accepted=answer.state_code == SUCCESS, trouble=trouble, proof=proof)


def _new_claim() -> str:
    return uuid.uuid4().hex
