"""The way to the platform: every request passes here, for its credentials, its timestamp and its permission.

One instance serves all threads of a process. It carries out what :mod:`kuaixintong.core.gate` decides, and adds
what only a process knows: one thread at a time asks the account for as many slots as threads are waiting, and with
no good answer in the last minute, its threads let one request go ahead alone, so that a whole batch does not run
into a wall that one request would have found.
"""

import threading
import uuid
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from kuaixintong.core import beijing, gate, pace
from kuaixintong.core.beijing import TICKS_PER_SECOND
from kuaixintong.core.codes import Trouble
from kuaixintong.core.credentials import PlatformCredentials
from kuaixintong.core.daily import Wish
from kuaixintong.core.errors import KuaixintongError, StoreUnavailable
from kuaixintong.core.gate import Account, Closed, Permission, Probe, TooDear
from kuaixintong.core.rails import Charge
from kuaixintong.slots import Held, NoSlot, Slot, Slots
from kuaixintong.stores.account import Accounts
from kuaixintong.stores.secrets import CachedSecret

if TYPE_CHECKING:
    from kuaixintong.core.pace import Learnt

_PROOF_LASTS = 60.0
"""Seconds for which a good answer lets a process's threads go side by side."""

_REMEMBERED = 5.0
"""Seconds of answers by which a process tells what share of its requests the platform takes."""


class Paused(Held):
    """The account rests; ``reason`` is ``None`` while another worker probes."""

    def __init__(self, until: datetime, reason: Trouble | None) -> None:
        super().__init__(until, f"paused: {reason or 'another worker probes'}")
        self.reason = reason


class OutOfBalance(Held):
    """This part costs at least ``cost``, and the balance was below that."""

    def __init__(self, until: datetime, cost: int) -> None:
        super().__init__(until, f"The balance was below {cost} messages, and this part costs as much or more.")
        self.cost = cost


@dataclass(frozen=True, slots=True)
class Ticket:
    """Permission for one request: credentials, slot and how the account stood when it was given.

    ``alone``: the process's other threads wait for what becomes of it; ``probing``: so do all workers;
    ``of_balance``: so do the parts that are too dear. ``name`` is under which the right to either was won.
    ``cost`` is in messages; ``charged`` what the part then has of a day's limit, ``reserved`` what of it is new;
    ``given_at`` is by the monotonic clock.
    """

    credentials: PlatformCredentials
    slot: Slot
    account: Account
    entered_at: datetime
    alone: bool
    probing: bool
    of_balance: bool
    name: str
    cost: int
    charged: Charge | None = None
    reserved: tuple[Charge, ...] = ()
    given_at: float = 0.0

    @property
    def timestamp(self) -> str:
        """A timestamp that no other request has or will have."""
        return beijing.timestamp(self.slot.tick)


@dataclass(frozen=True, slots=True)
class Shown:
    """What a request's end has shown: an answer, an acceptance, trouble of the account's, proof that it works."""

    answered: bool = False
    accepted: bool = False
    trouble: Trouble | None = None
    proof: bool = False


class _Purse:
    """What a part reserves of the daily limit on its way in: each slot that it is offered is taken with it."""

    def __init__(self, slots: Slots, wish: Wish) -> None:
        self._slots = slots
        self._slot: Slot | None = None
        self.wish = wish
        self.reserved: list[Charge] = []

    def fill(self, cid: str, deadline: float) -> None:
        """Take a slot, and reserve with it what is missing: of this account, whatever another has been charged."""
        if self.wish.has and self.wish.has.cid != cid:
            self.wish = replace(self.wish, has=None)
        self._slot, charge = self._slots.take_charged(cid, self.wish, deadline=deadline)
        if charge:
            has = self.wish.has.cost if self.wish.has and self.wish.has.day == charge.day else 0
            self.wish = replace(self.wish, has=replace(charge, cost=has + charge.cost))
            self.reserved.append(charge)

    def pop(self) -> Slot | None:
        """Return the slot, if it is good still."""
        slot, self._slot = self._slot, None
        return slot if slot and self._slots.good(slot) else None


class Admission:
    """Hands out tickets and takes them back with what they have shown.

    ``probe_lease`` is how long other workers leave a probe alone: longer than a request can take.
    """

    def __init__(
        self,
        accounts: Accounts,
        secret: CachedSecret[PlatformCredentials],
        slots: Slots,
        *,
        probe_lease: timedelta,
    ) -> None:
        self._accounts = accounts
        self._secret = secret
        self._slots = slots
        self._probe_lease = probe_lease
        self._turn = threading.Condition()
        self._waiting = 0
        self._leading = False
        self._lone_request = False
        self._proven_at: float | None = None
        self._claiming = 0.0
        self._answers: deque[tuple[float, bool, str, Learnt | None]] = deque()

    def _now(self) -> datetime:
        return self._slots.clock()

    def _monotonic(self) -> float:
        return self._slots.monotonic()

    # --- in -----------------------------------------------------------------------------------------------------

    def enter(self, *, cost: int = 1, seconds: float = 0.0, wish: Wish | None = None) -> Ticket:
        """Return a ticket, whose timestamp no other request has or will have, shortly before its slot.

        ``cost`` is the part's, in messages; ``seconds`` is how long this thread may wait here; ``wish`` is there
        if a daily limit holds for the part. Raises :class:`~kuaixintong.slots.Held`, and what the stores and the
        secret raise.
        """
        deadline = self._monotonic() + seconds
        if wish is None:
            return self._entered(cost, deadline, None)
        purse = _Purse(self._slots, wish)
        try:
            ticket = self._entered(cost, deadline, purse)
        except BaseException:
            self._give_back(purse.reserved)
            raise
        self._give_back(purse.reserved[:-1])  # of a day that has ended meanwhile
        return replace(ticket, charged=purse.wish.has, reserved=tuple(purse.reserved[-1:]))

    def give_back(self, charge: Charge | None) -> None:
        """Give back what a part has reserved of a day's limit of which provably nothing was accepted."""
        if charge and charge.cost:
            self._give_back([charge])

    def _give_back(self, charges: Sequence[Charge]) -> None:
        """Give back. What cannot be given back now stays reserved: that day ends below its limit."""
        for charge in charges:
            with suppress(StoreUnavailable):
                self._accounts.give_back(charge, name=uuid.uuid4().hex)

    def _entered(self, cost: int, deadline: float, purse: _Purse | None) -> Ticket:
        while True:
            with self._turn:
                self._waiting += 1
                try:
                    ticket = self._enter(cost, deadline, purse)
                finally:
                    self._waiting -= 1
            if self._slots.too_late(ticket.slot, deadline):
                self.leave(ticket, Shown())
                raise NoSlot(self._now() + timedelta(seconds=1), "the next slot comes too late")
            # A probe whose slot was missed while the right to it was won gets another at :meth:`at_slot`. Were it
            # given up, a slow store would have it won and given up without an end.
            early = pace.early(self._claiming)
            if self._slots.reached(ticket.slot, early=early) or ticket.probing or ticket.of_balance:
                return replace(ticket, given_at=self._monotonic())
            self.leave(ticket, Shown())  # the slot was missed: it is given up for another

    def at_slot(self, ticket: Ticket, *, seconds: float) -> bool:
        """Wait for the ticket's slot, or for another if that is missed; ``False`` if none comes in time."""
        slot, now = ticket.slot, self._monotonic()
        deadline = now + seconds
        self._claiming = pace.claiming(self._claiming, took=(now - ticket.given_at) * TICKS_PER_SECOND)
        while not self._slots.reached(slot):
            with self._turn:
                self._waiting += 1
                try:
                    slot = self._another_slot(ticket.credentials.cid, deadline)
                except Held:
                    return False
                finally:
                    self._waiting -= 1
            if self._slots.too_late(slot, deadline):
                return False
            if ticket.charged and ticket.charged.day != beijing.day(beijing.moment(slot.tick)):
                return False
        return True

    def _enter(self, cost: int, deadline: float, purse: _Purse | None) -> Ticket:
        taken = False
        while True:  # whoever has waited, for whatever it was, decides anew on what is known then
            self._wait_for_the_lone_request(deadline)
            credentials = self._secret.get()
            known = self._slots.known(credentials.cid)
            if known is None:
                self._renew(credentials, cost, deadline, purse)
                continue
            permission = self._permission(known, credentials, cost)
            if isinstance(permission, Closed | TooDear):
                self._hold(credentials.cid, permission, deadline)
                continue
            slot = purse.pop() if purse else self._slots.pop(credentials.cid)
            if slot is None:
                taken = self._take_slots(credentials.cid, deadline, again=taken, purse=purse) or taken
                continue
            ticket = self._granted(permission, credentials, known, slot, cost)
            if ticket:
                return ticket
            until = self._now() + timedelta(seconds=1)
            self._hold(credentials.cid, Closed(until, None, in_place=True), deadline)

    def _another_slot(self, cid: str, deadline: float) -> Slot:
        taken = False
        while (slot := self._slots.pop(cid)) is None:
            taken = self._take_slots(cid, deadline, again=taken) or taken
        return slot

    def _take_slots(self, cid: str, deadline: float, *, again: bool, purse: _Purse | None = None) -> bool:
        """Take slots, or wait for the thread that does; return whether it was this one."""
        if again and self._monotonic() >= deadline:
            raise NoSlot(self._now() + timedelta(seconds=1), "slots are missed before they are ours")
        return self._lead(self._taking(cid, deadline, purse), deadline)

    def _taking(self, cid: str, deadline: float, purse: _Purse | None) -> Callable[[], object]:
        if purse:
            return lambda: purse.fill(cid, deadline)
        return lambda: self._slots.take(cid, self._wanted(), deadline=deadline)

    def _wanted(self) -> int:
        """Return how many slots to take at once: one where the next request goes alone while the others wait."""
        return max(self._waiting, 1) if self._freshly_proven() else 1

    def _granted(
        self, permission: Permission, credentials: PlatformCredentials, known: Account, slot: Slot, cost: int
    ) -> Ticket | None:
        """Return the ticket; ``None`` if another worker has won the right to probe."""
        now, name = self._now(), uuid.uuid4().hex
        of_balance = isinstance(permission, Probe) and permission.of_balance
        probing = isinstance(permission, Probe) and not of_balance
        if of_balance and not self._begin_dear_probe(credentials.cid, known, name, now):
            return None
        if probing:
            fresh = self._begin_probe(credentials, known, name, now)
            if fresh is None:
                return None
            credentials = fresh
        self._lone_request = alone = probing or not self._freshly_proven()
        return Ticket(credentials, slot, known, now, alone, probing, of_balance, name, cost)

    def _wait_for_the_lone_request(self, deadline: float) -> None:
        longest = max(deadline - self._monotonic(), self._probe_lease.total_seconds())
        if not self._turn.wait_for(lambda: not self._lone_request, longest):
            raise Paused(self._now() + timedelta(seconds=1), None)

    def _hold(self, cid: str, permission: Closed | TooDear, deadline: float) -> None:
        """Wait a moment in place where that is worth it, else raise."""
        if isinstance(permission, TooDear):  # the slots are good for cheaper parts
            raise OutOfBalance(permission.until, permission.cost)
        self._slots.doubt(cid)
        rest = deadline - self._monotonic()
        if not permission.in_place or rest <= 0:
            raise Paused(permission.until, permission.reason)
        moment = min((permission.until - self._now()).total_seconds(), gate.LOOK_AGAIN.total_seconds(), rest)
        self._lead(lambda: self._look_after(cid, max(moment, 0.01)), deadline)

    def _look_after(self, cid: str, seconds: float) -> None:
        self._slots.sleep(seconds)
        self._slots.look(cid)

    def _renew(self, credentials: PlatformCredentials, cost: int, deadline: float, purse: _Purse | None) -> None:
        """Look at the account anew: by taking slots, unless it was closed when it was looked at last."""
        cid = credentials.cid
        last = self._slots.last_known(cid)
        if last and isinstance(self._permission(last, credentials, cost), Closed | TooDear):
            self._lead(lambda: self._slots.look(cid), deadline)
        else:
            self._lead(self._taking(cid, deadline, purse), deadline)

    def _permission(self, known: Account, credentials: PlatformCredentials, cost: int) -> Permission:
        return gate.admit(
            known, secret_version=credentials.version, now=self._now(), lane=self._slots.lane, cost=cost
        )

    def _lead(self, work: Callable[[], object], deadline: float) -> bool:
        """Do what one thread does for all, the lock released; or wait for the thread that does it.

        Return whether it was this one.
        """
        if self._leading:
            if not self._turn.wait(max(deadline - self._monotonic(), self._probe_lease.total_seconds())):
                raise Paused(self._now() + timedelta(seconds=1), None)
            return False
        self._leading = True
        self._turn.release()
        try:
            work()
        finally:
            self._turn.acquire()
            self._leading = False
            self._turn.notify_all()
        return True

    def _begin_probe(
        self, credentials: PlatformCredentials, seen: Account, name: str, now: datetime
    ) -> PlatformCredentials | None:
        outage = seen.pause_until is not None and now < seen.pause_until
        every = gate.PROBE_EVERY if outage else None  # what was seen is up to a second old
        if not self._accounts.begin_probe(credentials.cid, by=name, now=now, lease=self._probe_lease, every=every):
            return None
        if seen.pause_reason is Trouble.AUTHENTICATION:  # perhaps it has been put right meanwhile
            fresh = self._secret.get(newer_than=credentials.version)
            if fresh.cid == credentials.cid:
                return fresh
            # another account, with a sequence and a pause of its own
            self._accounts.end_probe(credentials.cid, by=name)
            raise Paused(now, None)
        return credentials

    def _begin_dear_probe(self, cid: str, seen: Account, name: str, now: datetime) -> bool:
        return seen.dear is None or self._accounts.begin_dear_probe(
            cid, seen.dear, by=name, now=now, lease=self._probe_lease
        )

    def _freshly_proven(self) -> bool:
        return self._proven_at is not None and self._monotonic() - self._proven_at < _PROOF_LASTS

    # --- out ----------------------------------------------------------------------------------------------------

    def leave(self, ticket: Ticket, shown: Shown) -> Trouble | None:
        """Take back a ticket with what it has shown; return the reason if it has paused the account."""
        try:
            self._note_answer(ticket, shown)
            self._note_balance(ticket, shown)
            of_the_account = shown.trouble not in (None, Trouble.PACE) and not _too_dear(ticket, shown)
            if shown.trouble and of_the_account:
                return self._note_trouble(ticket, shown.trouble)
            if shown.proof:
                self._note_proof(ticket)
            elif shown.answered and (ticket.account.unanswered or ticket.account.refused_timestamps):
                self._accounts.end_rows(ticket.credentials.cid, (Trouble.UNREACHABLE, Trouble.TIMESTAMP))
            if ticket.probing and not shown.proof:
                self._accounts.end_probe(ticket.credentials.cid, by=ticket.name)
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

    def _forget(self, cid: str) -> None:
        with self._turn:
            self._slots.forget(cid)

    def _note_answer(self, ticket: Ticket, shown: Shown) -> None:
        """Note what share of requests the platform takes, and slow down if this one came too fast."""
        if not (shown.accepted or shown.trouble is Trouble.PACE):
            return
        now, cid, learnt = self._monotonic(), ticket.credentials.cid, ticket.slot.seen.learnt
        with self._turn:
            self._answers.append((now, shown.accepted, cid, learnt))
            while now - self._answers[0][0] > _REMEMBERED:
                self._answers.popleft()
            of_this_pace = [good for _, good, *pace in self._answers if pace == [cid, learnt]]
        if not shown.accepted:
            self._slots.slow(cid, ticket.slot, accepted=sum(of_this_pace), asked=len(of_this_pace))

    def _note_balance(self, ticket: Ticket, shown: Shown) -> None:
        """Note what a 400 or an acceptance says of the balance."""
        cid, dear = ticket.credentials.cid, ticket.account.dear
        if _too_dear(ticket, shown):
            seen = self._accounts.look(cid).dear
            known = gate.refused(seen, cost=ticket.cost, asked_at=ticket.entered_at, now=self._now())
            if known:
                self._accounts.know_dear(cid, known, seen=seen)
                self._forget(cid)
                return
        elif shown.accepted and dear and gate.affords(dear, balance=ticket.cost, asked_at=ticket.entered_at):
            self._accounts.forget_dear(cid, dear)
            self._forget(cid)
            return
        if ticket.of_balance:
            self._accounts.end_dear_probe(cid, by=ticket.name)

    def _note_proof(self, ticket: Ticket) -> None:
        cid, version = ticket.credentials.cid, ticket.credentials.version
        with self._turn:
            self._proven_at = self._monotonic()
            known = self._slots.last_known(cid) or ticket.account
        if ticket.probing or not known.spotless(version):
            self._accounts.clear(cid, version, asked_at=ticket.entered_at)
            with self._turn:
                self._slots.note_proof(cid, version)

    def _note_trouble(self, ticket: Ticket, trouble: Trouble) -> Trouble | None:
        cid = ticket.credentials.cid
        counted = trouble in (Trouble.UNREACHABLE, Trouble.TIMESTAMP)
        if trouble is Trouble.TIMESTAMP and ticket.account.unanswered:  # a refusal is an answer, too
            self._accounts.end_rows(cid, (Trouble.UNREACHABLE,))
        in_a_row = self._accounts.count(cid, trouble) if counted else 1
        self._forget(cid)
        if gate.pauses_at_once(trouble, in_a_row=in_a_row, probing=ticket.probing):
            now = self._now()
            until = now + gate.pause_length(trouble, ticket.account.pauses)
            if self._accounts.pause(cid, trouble, until, by=ticket.name, now=now):
                return trouble
        if ticket.probing:
            self._accounts.end_probe(cid, by=ticket.name)
        return None


def _too_dear(ticket: Ticket, shown: Shown) -> bool:
    """Whether a 400 is this part's alone; for a cost of one it is everybody's."""
    return shown.trouble is Trouble.BALANCE and ticket.cost > 1
