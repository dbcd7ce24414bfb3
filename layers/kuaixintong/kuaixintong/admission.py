"""The way to the platform: every request passes here, for its credentials, its timestamp and its permission.

One instance serves all threads of a process. It carries out what :mod:`kuaixintong.core.gate` decides, and adds
what only a process knows: with no good answer in the last minute, its threads let one request go ahead alone, so
that a whole batch does not run into a wall that one request would have found.
"""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from kuaixintong.core import beijing, gate
from kuaixintong.core.codes import Trouble
from kuaixintong.core.credentials import PlatformCredentials
from kuaixintong.core.errors import KuaixintongError
from kuaixintong.core.gate import Account, Closed, Open, Probe
from kuaixintong.stores.account import Accounts
from kuaixintong.stores.secrets import CachedSecret

_BLOCK = 10
"""Timestamps taken at a time: what one batch of the queue needs."""

_BLOCK_LASTS = 1.0
"""Seconds after which what is left of a block is thrown away: a timestamp should also tell the time, and the
account's pause is seen when a block is taken."""

_PROOF_LASTS = 60.0
"""Seconds for which a good answer lets a process's threads go side by side."""


class Paused(Exception):
    """No request may go out before ``until``; ``reason`` is ``None`` while another worker probes."""

    def __init__(self, until: datetime, reason: Trouble | None) -> None:
        super().__init__(reason or "probe")
        self.until = until
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Ticket:
    """Permission for one request."""

    credentials: PlatformCredentials
    timestamp: str
    account: Account
    entered_at: datetime
    alone: bool
    probing: bool


class Admission:
    """Hands out tickets and takes them back with what they have shown.

    ``probe_lease`` is how long other workers leave a probe alone: longer than a request can take.
    """

    def __init__(
        self,
        accounts: Accounts,
        secret: CachedSecret[PlatformCredentials],
        *,
        clock: Callable[[], datetime],
        probe_lease: timedelta,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._accounts = accounts
        self._secret = secret
        self._clock = clock
        self._probe_lease = probe_lease
        self._monotonic = monotonic
        self._turn = threading.Condition()
        self._lone_request = False
        self._proven_at: float | None = None
        self._ticks: list[int] = []
        self._ticks_at = 0.0
        self._ticks_cid = ""
        self._account = Account()

    def enter(self) -> Ticket:
        """Return a ticket, whose timestamp no other request has or will have.

        Raises :class:`Paused`, and what the stores and the secret raise.
        """
        with self._turn:
            if not self._turn.wait_for(lambda: not self._lone_request, self._probe_lease.total_seconds()):
                raise Paused(self._clock() + timedelta(seconds=1), None)
            credentials = self._secret.get()
            timestamp = self._next_timestamp(credentials.cid)
            now = self._clock()
            permission = gate.admit(self._account, secret_version=credentials.version, now=now)
            probing = isinstance(permission, Probe)
            match permission:
                case Closed(until, reason):
                    self._ticks.clear()
                    raise Paused(until, reason)
                case Probe():
                    credentials = self._begin_probe(credentials, now)
                case Open():
                    pass
            self._lone_request = alone = probing or not self._freshly_proven()
            return Ticket(credentials, timestamp, self._account, now, alone, probing)

    def leave(self, ticket: Ticket, *, answered: bool, trouble: Trouble | None, proof: bool) -> Trouble | None:
        """Take back a ticket; return the reason if the account is paused now because of it.

        ``answered`` tells whether any answer came, ``trouble`` what it says of the account, and ``proof`` whether
        it shows that the account works.
        """
        try:
            if trouble:
                return self._note_trouble(ticket, trouble)
            if proof:
                self._note_proof(ticket)
            elif answered and (ticket.account.unanswered or ticket.account.refused_timestamps):
                self._accounts.end_rows(ticket.credentials.cid, (Trouble.UNREACHABLE, Trouble.TIMESTAMP))
            if ticket.probing and not proof:
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

    def _begin_probe(self, credentials: PlatformCredentials, now: datetime) -> PlatformCredentials:
        if not self._accounts.begin_probe(credentials.cid, now=now, lease=self._probe_lease):
            self._ticks.clear()
            raise Paused(now + timedelta(seconds=1), None)
        if self._account.pause_reason is Trouble.AUTHENTICATION:  # perhaps it has been put right meanwhile
            fresh = self._secret.get(newer_than=credentials.version)
            if fresh.cid == credentials.cid:
                return fresh
            self._accounts.end_probe(credentials.cid)  # another account, with a sequence and a pause of its own
            raise Paused(now, None)
        return credentials

    def _freshly_proven(self) -> bool:
        return self._proven_at is not None and self._monotonic() - self._proven_at < _PROOF_LASTS

    def _next_timestamp(self, cid: str) -> str:
        now = self._monotonic()
        if not self._ticks or cid != self._ticks_cid or now - self._ticks_at > _BLOCK_LASTS:
            first, self._account = self._accounts.reserve(cid, _BLOCK, now=self._clock())
            self._ticks = list(range(first + _BLOCK - 1, first - 1, -1))
            self._ticks_at = now
            self._ticks_cid = cid
        return beijing.timestamp(self._ticks.pop())

    def _note_proof(self, ticket: Ticket) -> None:
        version = ticket.credentials.version
        spotless = Account(proven=version)
        with self._turn:
            self._proven_at = self._monotonic()
            stained = self._account != spotless
            if stained:
                self._account = spotless
        if stained or ticket.probing:
            self._accounts.clear(ticket.credentials.cid, version, asked_at=ticket.entered_at)

    def _note_trouble(self, ticket: Ticket, trouble: Trouble) -> Trouble | None:
        cid = ticket.credentials.cid
        counted = trouble in (Trouble.UNREACHABLE, Trouble.TIMESTAMP)
        if trouble is Trouble.TIMESTAMP and ticket.account.unanswered:  # a refusal is an answer, too
            self._accounts.end_rows(cid, (Trouble.UNREACHABLE,))
        in_a_row = self._accounts.count(cid, trouble) if counted else 1
        with self._turn:
            # What was known is out of date: the next ticket asks for the account, the next good answer clears it.
            self._ticks.clear()
            self._account = Account()
        if gate.pauses_at_once(trouble, in_a_row=in_a_row, probing=ticket.probing):
            now = self._clock()
            until = now + gate.pause_length(trouble, ticket.account.pauses)
            return trouble if self._accounts.pause(cid, trouble, until, now=now) else None
        if ticket.probing:
            self._accounts.end_probe(cid)
        return None
