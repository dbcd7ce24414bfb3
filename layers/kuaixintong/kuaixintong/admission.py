"""The way to the platform: every request passes here, for its credentials, its timestamp and its permission.

One instance serves all threads of a process. It carries out what :mod:`kuaixintong.core.gate` and
:mod:`kuaixintong.core.pace` decide, and adds what only a process knows: one thread at a time asks the account for
as many slots as threads are waiting, and with no good answer in the last minute, its threads let one request go
ahead alone, so that a whole batch does not run into a wall that one request would have found.
"""

import threading
import time
import uuid
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from kuaixintong.core import beijing, gate, pace
from kuaixintong.core.beijing import TICKS_PER_SECOND
from kuaixintong.core.codes import Trouble
from kuaixintong.core.credentials import PlatformCredentials
from kuaixintong.core.errors import ClockAstray, KuaixintongError
from kuaixintong.core.gate import Account, Closed, Open, Permission, Probe, TooDear
from kuaixintong.core.pace import Astray, Lane, Learnt, Wait
from kuaixintong.stores.account import Accounts, account
from kuaixintong.stores.secrets import CachedSecret
from kuaixintong.stores.table import Moved

_BLOCK = 10
"""Timestamps taken at a time where there is no pace: what one batch of the queue needs."""

_KNOWN_FOR = 1.0
"""Seconds for which a look at the account is good: a pause is seen no later. What is left of a block of timestamps
goes with it, for a timestamp should also tell the time."""

_PROOF_LASTS = 60.0
"""Seconds for which a good answer lets a process's threads go side by side."""

_REMEMBERED = 5.0
"""Seconds of answers by which a process tells what share of its requests the platform takes."""

_EARLY = TICKS_PER_SECOND // 20
"""Ticks before its slot at which a worker begins to claim its part; the request itself waits for the slot."""

_TRIES = 5
"""Plans for slots that others overtake before a worker comes back later."""

MOST_SKEW = 2.0
"""Seconds that a worker's clock may be from AWS's; with more it takes no slots."""


class Held(Exception):
    """No request may go out before ``until``."""

    def __init__(self, until: datetime, why: str) -> None:
        super().__init__(why)
        self.until = until


class Paused(Held):
    """The account rests; ``reason`` is ``None`` while another worker probes."""

    def __init__(self, until: datetime, reason: Trouble | None) -> None:
        super().__init__(until, f"paused: {reason or 'another worker probes'}")
        self.reason = reason


class OutOfBalance(Held):
    """This part costs at least ``cost``, and the balance was below that."""

    def __init__(self, until: datetime, cost: int) -> None:
        super().__init__(until, f"the balance was below {cost} messages, and this part costs as much or more")
        self.cost = cost


class NoSlot(Held):
    """All slots that could be waited for are taken."""


@dataclass(frozen=True, slots=True)
class Ticket:
    """Permission for one request: its credentials, timestamp and, where there is a pace, its ``slot``.

    ``account`` is what was known when the slot was taken, ``alone`` whether the process's other threads wait for
    what becomes of it, ``probing`` whether all workers do, and ``of_balance`` whether dear parts do.
    """

    credentials: PlatformCredentials
    timestamp: str
    account: Account
    entered_at: datetime
    alone: bool
    probing: bool
    cost: int = 1
    slot: int | None = None
    of_balance: bool = False


@dataclass(frozen=True, slots=True)
class Shown:
    """What a request's end has shown: whether an answer came and whether it was an acceptance, what it says of the
    account, and whether it proves that the account works."""

    answered: bool = False
    accepted: bool = False
    trouble: Trouble | None = None
    proof: bool = False


class Admission:
    """Hands out tickets and takes them back with what they have shown.

    ``probe_lease`` is how long other workers leave a probe alone: longer than a request can take. ``requests`` a
    second is the deployment's own pace, 0 for none. ``skew`` tells how many seconds this machine's clock is ahead
    of AWS's for certain.
    """

    def __init__(
        self,
        accounts: Accounts,
        secret: CachedSecret[PlatformCredentials],
        *,
        clock: Callable[[], datetime],
        probe_lease: timedelta,
        lane: Lane = Lane.ORDINARY,
        requests: float = 0,
        skew: Callable[[], float] = lambda: 0.0,
        monotonic: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._accounts = accounts
        self._secret = secret
        self._clock = clock
        self._probe_lease = probe_lease
        self._lane = lane
        self._requests = requests
        self._skew = skew
        self._monotonic = monotonic
        self._sleep = sleep
        self._turn = threading.Condition()
        self._waiting = 0
        self._leading = False
        self._lone_request = False
        self._proven_at: float | None = None
        self._cid = ""
        self._account: Account | None = None
        self._known_at = 0.0
        self._slots: deque[tuple[int, Account]] = deque()
        self._answers: deque[tuple[float, bool]] = deque()

    # --- in -----------------------------------------------------------------------------------------------------

    def enter(self, *, cost: int = 1, seconds: float = 0.0) -> Ticket:
        """Return a ticket, whose timestamp no other request has or will have, shortly before its slot.

        ``cost`` is the part's, in messages; ``seconds`` is how long this thread may wait here. Raises
        :class:`Held`, and what the stores and the secret raise.
        """
        deadline = self._monotonic() + seconds
        while True:
            with self._turn:
                self._waiting += 1
                try:
                    ticket = self._enter(cost, deadline)
                finally:
                    self._waiting -= 1
            if ticket.slot is None or self._reached(ticket.slot, early=_EARLY):
                return ticket
            self.leave(ticket, Shown())  # the slot was missed: it is given up for another

    def at_slot(self, ticket: Ticket, *, seconds: float) -> bool:
        """Wait for the ticket's slot, or for another if that is missed; ``False`` if none comes in time."""
        if ticket.slot is None or self._reached(ticket.slot):
            return True
        deadline = self._monotonic() + seconds
        while True:
            with self._turn:
                self._waiting += 1
                try:
                    slot = self._next_slot(ticket.credentials, deadline)
                except Held:
                    return False
                finally:
                    self._waiting -= 1
            if slot is None or self._reached(slot[0]):
                return True

    def _enter(self, cost: int, deadline: float) -> Ticket:
        while True:
            self._wait_for_the_lone_request(deadline)
            credentials = self._secret.get()
            known = self._known(credentials.cid)
            if known is None:
                self._renew(credentials, cost, deadline)
                continue
            now = self._clock()
            permission = self._permission(known, credentials, cost, now)
            if isinstance(permission, Closed | TooDear):
                self._hold(permission, deadline)
                continue
            slot = self._pop()
            if slot is None:
                self._lead(lambda: self._take(credentials.cid, deadline), deadline)
                continue
            ticket = self._granted(permission, credentials, slot, cost)
            if ticket:
                return ticket
            self._hold(Closed(now + timedelta(seconds=1), None, in_place=True), deadline)

    def _granted(
        self, permission: Permission, credentials: PlatformCredentials, slot: tuple[int, Account], cost: int
    ) -> Ticket | None:
        """Return the ticket; ``None`` if another worker has won the right to probe."""
        now, (tick, seen) = self._clock(), slot
        probing, of_balance = False, False
        if isinstance(permission, Probe):
            probing, of_balance = not permission.of_balance, permission.of_balance
            if of_balance and not self._begin_dear_probe(credentials.cid, seen, now):
                return None
            if probing:
                fresh = self._begin_probe(credentials, seen, now)
                if fresh is None:
                    return None
                credentials = fresh
        self._lone_request = alone = probing or not self._freshly_proven()
        timed = self._step(seen, tick) > 1
        return Ticket(
            credentials,
            beijing.timestamp(tick),
            seen,
            now,
            alone,
            probing,
            cost,
            tick if timed else None,
            of_balance=of_balance,
        )

    def _wait_for_the_lone_request(self, deadline: float) -> None:
        longest = max(deadline - self._monotonic(), self._probe_lease.total_seconds())
        if not self._turn.wait_for(lambda: not self._lone_request, longest):
            raise Paused(self._clock() + timedelta(seconds=1), None)

    def _hold(self, permission: Closed | TooDear, deadline: float) -> None:
        """Wait a moment in place where that is worth it, else raise."""
        if isinstance(permission, TooDear):
            raise OutOfBalance(permission.until, permission.cost)
        self._slots.clear()
        rest = deadline - self._monotonic()
        if not permission.in_place or rest <= 0:
            raise Paused(permission.until, permission.reason)
        moment = min((permission.until - self._clock()).total_seconds(), gate.LOOK_AGAIN.total_seconds(), rest)
        self._lead(lambda: self._sleep(max(moment, 0.01)), deadline)
        self._account = None

    def _permission(
        self, known: Account, credentials: PlatformCredentials, cost: int, now: datetime
    ) -> Permission:
        return gate.admit(known, secret_version=credentials.version, now=now, lane=self._lane, cost=cost)

    def _begin_probe(
        self, credentials: PlatformCredentials, seen: Account, now: datetime
    ) -> PlatformCredentials | None:
        by = _name()
        if not self._accounts.begin_probe(credentials.cid, by=by, now=now, lease=self._probe_lease):
            return None
        if seen.pause_reason is Trouble.AUTHENTICATION:  # perhaps it has been put right meanwhile
            fresh = self._secret.get(newer_than=credentials.version)
            if fresh.cid == credentials.cid:
                return fresh
            self._accounts.end_probe(credentials.cid)  # another account, with a sequence and a pause of its own
            raise Paused(now, None)
        return credentials

    def _begin_dear_probe(self, cid: str, seen: Account, now: datetime) -> bool:
        return seen.dear is None or self._accounts.begin_dear_probe(
            cid, seen.dear, by=_name(), now=now, lease=self._probe_lease
        )

    def _freshly_proven(self) -> bool:
        return self._proven_at is not None and self._monotonic() - self._proven_at < _PROOF_LASTS

    # --- what is known of the account, and slots ----------------------------------------------------------------

    def _known(self, cid: str) -> Account | None:
        """Return the account if this process has looked at it in the last second."""
        if cid != self._cid:
            self._cid, self._account = cid, None
            self._slots.clear()
        fresh = self._account is not None and self._monotonic() - self._known_at <= _KNOWN_FOR
        return self._account if fresh else None

    def _know(self, seen: Account) -> None:
        self._account, self._known_at = seen, self._monotonic()

    def _renew(self, credentials: PlatformCredentials, cost: int, deadline: float) -> None:
        """Look at the account anew: by taking slots, unless it was closed when it was looked at last."""
        last = self._account
        if last and isinstance(self._permission(last, credentials, cost, self._clock()), Closed | TooDear):
            self._lead(lambda: self._know(self._accounts.look(credentials.cid)), deadline)
        else:
            self._lead(lambda: self._take(credentials.cid, deadline), deadline)

    def _lead(self, work: Callable[[], None], deadline: float) -> None:
        """Do what one thread does for all, or wait for the thread that does it."""
        if self._leading:
            if not self._turn.wait(max(deadline - self._monotonic(), self._probe_lease.total_seconds())):
                raise Paused(self._clock() + timedelta(seconds=1), None)
            return
        with self._released():
            work()

    @contextmanager
    def _released(self) -> Iterator[None]:
        """Let the other threads in while this one asks or waits for all of them."""
        self._leading = True
        self._turn.release()
        try:
            yield
        finally:
            self._turn.acquire()
            self._leading = False
            self._turn.notify_all()

    def _take(self, cid: str, deadline: float) -> None:
        """Take slots for all threads that wait."""
        if abs(self._skew()) > MOST_SKEW:
            ahead = self._skew()
            way = "ahead of" if ahead > 0 else "behind"
            raise ClockAstray(f"This machine's clock is {abs(ahead):.0f} s {way} AWS's; it takes no slots.")
        seen = self._account or Account()
        for _ in range(_TRIES):
            now = beijing.ticks(self._clock())
            step = self._step(seen, now)
            wanted = max(self._waiting, 1 if step > 1 else _BLOCK)
            planned = pace.plan(seen.sequence, now=now, step=step, wanted=wanted, lane=self._lane)
            match planned:
                case Astray(ticks):
                    seconds = ticks // TICKS_PER_SECOND
                    raise ClockAstray(
                        f"The account's sequence is {seconds} s ahead of the clock: a machine whose clock was wrong "
                        "has moved it. See the runbook for how to set it back."
                    )
                case Wait(ticks):
                    self._wait_for_a_slot(ticks / TICKS_PER_SECOND, deadline)
                    seen = self._accounts.look(cid)
                case take:
                    last = now + (pace.AHEAD[self._lane] if step > 1 else pace.ASTRAY)
                    try:
                        slots, seen = self._accounts.take(cid, take, step=step, now=now, last=last, seen=seen)
                    except Moved as moved:
                        seen = account(moved.standing or {})
                        continue
                    self._slots.extend((slot, seen) for slot in slots)
                    self._know(seen)
                    return
        raise NoSlot(self._clock() + timedelta(seconds=1), "other workers take all slots")

    def _wait_for_a_slot(self, seconds: float, deadline: float) -> None:
        if self._monotonic() + seconds > deadline:
            until = self._clock() + timedelta(seconds=max(seconds, 1))
            raise NoSlot(until, "all slots of the account's pace are taken")
        self._sleep(seconds)

    def _step(self, seen: Account, now: int) -> int:
        return pace.step(pace.rate(self._requests, seen.learnt, now=now))

    def _pop(self) -> tuple[int, Account] | None:
        """Return a slot that is still to come, or a timestamp of the last second."""
        now = beijing.ticks(self._clock())
        while self._slots:
            tick, seen = self._slots.popleft()
            late = pace.MISSED if self._step(seen, tick) > 1 else TICKS_PER_SECOND
            if now - tick <= late:
                return tick, seen
        return None

    def _next_slot(self, credentials: PlatformCredentials, deadline: float) -> tuple[int, Account] | None:
        while (slot := self._pop()) is None:
            self._lead(lambda: self._take(credentials.cid, deadline), deadline)
        return slot

    def _reached(self, slot: int, *, early: int = 0) -> bool:
        """Wait for a slot, up to ``early`` ticks before it; ``False`` if it was missed."""
        now = beijing.ticks(self._clock())
        if now < slot - early:
            self._sleep((slot - early - now) / TICKS_PER_SECOND)
            now = beijing.ticks(self._clock())
        return now - slot <= pace.MISSED

    # --- out ----------------------------------------------------------------------------------------------------

    def leave(self, ticket: Ticket, shown: Shown) -> Trouble | None:
        """Take back a ticket with what it has shown; return the reason if the account is paused now because of it."""
        try:
            self._note_answer(shown)
            self._note_balance(ticket, shown)
            if shown.trouble is Trouble.PACE:
                self._slow(ticket)
            elif shown.trouble and not (shown.trouble is Trouble.BALANCE and ticket.cost > 1):
                return self._note_trouble(ticket, shown.trouble)
            if shown.proof:
                self._note_proof(ticket)
            elif shown.answered and (ticket.account.unanswered or ticket.account.refused_timestamps):
                self._accounts.end_rows(ticket.credentials.cid, (Trouble.UNREACHABLE, Trouble.TIMESTAMP))
            if ticket.probing and not shown.proof:
                self._accounts.end_probe(ticket.credentials.cid)
            return None
        finally:
            with self._turn:
                if ticket.alone:
                    self._lone_request = False
                    self._turn.notify_all()

    def changed_secret(self, ticket: Ticket) -> bool:
        """Read the secret afresh; return whether it is another than the one that the platform has just refused.

        A secret that cannot be read now is none: the account is paused, and the next probe reads it again.
        """
        try:
            return self._secret.get(newer_than=ticket.credentials.version).version != ticket.credentials.version
        except KuaixintongError:
            return False

    def _forget(self) -> None:
        """Forget what was known of the account: the next ticket asks for it, the next good answer clears it."""
        with self._turn:
            self._slots.clear()
            self._account = None

    def _note_answer(self, shown: Shown) -> None:
        if not (shown.accepted or shown.trouble is Trouble.PACE):
            return
        now = self._monotonic()
        with self._turn:
            self._answers.append((now, shown.accepted))
            while now - self._answers[0][0] > _REMEMBERED:
                self._answers.popleft()

    def _slow(self, ticket: Ticket) -> None:
        """Cut the account's pace, unless that has been done since the ticket's slot was taken."""
        with self._turn:
            known = self._account
            accepted = sum(good for _, good in self._answers)
            asked = len(self._answers)
        if known and known.learnt != ticket.account.learnt:
            return
        cid, now = ticket.credentials.cid, beijing.ticks(self._clock())
        seen = self._accounts.look(cid)
        if seen.learnt != ticket.account.learnt:
            self._forget()
            return
        current = pace.rate(self._requests, seen.learnt, now=now)
        share = pace.share(accepted, asked, paced=current is not None)
        slower = pace.cut(current, handed_out=seen.handed_out(now=now), accepted=share)
        self._accounts.cut(cid, slower, now=now, seen=seen)
        with self._turn:
            self._account = replace(seen, learnt=Learnt(slower, now)) if self._account else None
            if current is None:
                self._slots.clear()  # timestamps of before there was a pace are no slots

    def _note_balance(self, ticket: Ticket, shown: Shown) -> None:
        """Note what a 400 or an acceptance says of the balance."""
        cid, now = ticket.credentials.cid, self._clock()
        dear = ticket.account.dear
        if shown.trouble is Trouble.BALANCE and ticket.cost > 1:
            seen = self._accounts.look(cid).dear
            known = gate.refused(seen, cost=ticket.cost, asked_at=ticket.entered_at, now=now)
            if known:
                self._accounts.know_dear(cid, known, seen=seen)
            elif ticket.of_balance:
                self._accounts.end_dear_probe(cid)
            self._forget()
        elif shown.accepted and dear and gate.affords(dear, balance=ticket.cost, asked_at=ticket.entered_at):
            self._accounts.forget_dear(cid, dear)
            self._forget()
        elif ticket.of_balance:
            self._accounts.end_dear_probe(cid)

    def _note_proof(self, ticket: Ticket) -> None:
        version = ticket.credentials.version
        with self._turn:
            self._proven_at = self._monotonic()
            known = self._account or ticket.account
        if ticket.probing or not known.spotless(version):
            self._accounts.clear(ticket.credentials.cid, version, asked_at=ticket.entered_at)
            with self._turn:
                self._account = None

    def _note_trouble(self, ticket: Ticket, trouble: Trouble) -> Trouble | None:
        cid = ticket.credentials.cid
        counted = trouble in (Trouble.UNREACHABLE, Trouble.TIMESTAMP)
        if trouble is Trouble.TIMESTAMP and ticket.account.unanswered:  # a refusal is an answer, too
            self._accounts.end_rows(cid, (Trouble.UNREACHABLE,))
        in_a_row = self._accounts.count(cid, trouble) if counted else 1
        self._forget()
        if gate.pauses_at_once(trouble, in_a_row=in_a_row, probing=ticket.probing):
            now = self._clock()
            until = now + gate.pause_length(trouble, ticket.account.pauses)
            if self._accounts.pause(cid, trouble, until, by=_name(), now=now):
                return trouble
        if ticket.probing:
            self._accounts.end_probe(cid)
        return None


def _name() -> str:
    return uuid.uuid4().hex
