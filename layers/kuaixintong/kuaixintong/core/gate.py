"""The account: when a request may go out, and what an answer says about the next ones.

A *pause* holds every request back until its time. A *probe* is one request that goes alone, to learn whether the
account works: after a pause, and with a secret that no answer has proven yet. Together they turn a wrong password
or an outage into a few calls, however many messages wait. Urgent messages do not sit out an outage: while one
waits, a probe goes every two seconds.

A part that is *too dear* holds back nobody else. A 400 for a cost says that the balance was below it then: parts
that cost as much or more wait, cheaper ones go on.

Pure, like the ledger: the account's row and the time come in, a decision comes out.
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from kuaixintong.core.beijing import TICKS_PER_SECOND
from kuaixintong.core.codes import Trouble
from kuaixintong.core.lanes import Lane
from kuaixintong.core.pace import Learnt

UNANSWERED_IN_A_ROW = 5
REFUSED_TIMESTAMPS_IN_A_ROW = 3

_LONGEST_PAUSE = timedelta(minutes=5)
_FIRST_PAUSE = {
    Trouble.AUTHENTICATION: timedelta(seconds=60),
    Trouble.SOURCE_ADDRESS: timedelta(minutes=5),
    Trouble.ACCOUNT_DISABLED: timedelta(minutes=5),
    Trouble.ORGANISATION_DISABLED: timedelta(minutes=5),
    Trouble.BALANCE: timedelta(minutes=2),
    Trouble.TIMESTAMP: timedelta(seconds=60),
    Trouble.UNREACHABLE: timedelta(seconds=20),
}


PROBE_EVERY = timedelta(seconds=2)
"""How often an urgent message that waits has an unreachable platform probed."""

LOOK_AGAIN = timedelta(seconds=0.5)
"""How often whoever waits in place looks at the account."""

_CHEAPEST_FIRST = timedelta(seconds=10)
"""How long the end of what is known about the balance belongs to the cheapest part that it held back."""


@dataclass(frozen=True, slots=True)
class Dear:
    """What the last 400 said: at ``since``, the balance was below ``cost``. It counts until ``until``.

    ``times`` counts refusals in a row; while ``probe_until`` lasts, one part asks whether it still holds.
    """

    cost: int
    since: datetime
    until: datetime
    times: int = 1
    probe_until: datetime | None = None


@dataclass(frozen=True, slots=True)
class Account:
    """As much of the account's row as decisions need. ``pauses`` counts pauses since the last good answer.

    ``sequence`` is the last slot taken, ``handed`` how many there have been, ``mark`` a tick and that count then,
    and ``mark_before`` another, a second or more before that one. ``day_cost`` is what has been reserved of the
    daily limit on ``day``.
    """

    pause_reason: Trouble | None = None
    pause_until: datetime | None = None
    pauses: int = 0
    proven: str | None = None  # the secret's version id that an answer has shown to be right
    probe_until: datetime | None = None
    probed_at: datetime | None = None
    unanswered: int = 0
    refused_timestamps: int = 0
    dear: Dear | None = None
    sequence: int | None = None
    learnt: Learnt | None = None
    handed: int = 0
    mark: tuple[int, int] | None = None
    mark_before: tuple[int, int] | None = None
    day: str | None = None
    day_cost: int = 0

    def spotless(self, secret_version: str) -> bool:
        """Whether a good answer with this secret tells nothing that is not written down."""
        stained = self.pause_reason or self.probe_until or self.unanswered or self.refused_timestamps
        return self.proven == secret_version and not stained

    def cleared(self, secret_version: str) -> "Account":
        """Return the account as a good answer with this secret leaves it."""
        return replace(
            self,
            proven=secret_version,
            pause_reason=None,
            pause_until=None,
            pauses=0,
            probe_until=None,
            probed_at=None,
            unanswered=0,
            refused_timestamps=0,
        )

    def handed_out(self, *, now: int) -> float:
        """Return the slots a second that all workers have been given lately."""
        marks = [mark for mark in (self.mark, self.mark_before) if mark] or [(now, 0)]
        # A mark of just now has seen little, and one of before a rest tells the rest: neither tells too many.
        return max(
            (self.handed - handed) / (max(now - tick, TICKS_PER_SECOND) / TICKS_PER_SECOND)
            for tick, handed in marks
        )


@dataclass(frozen=True, slots=True)
class Open:
    """Requests may go out side by side."""


@dataclass(frozen=True, slots=True)
class Probe:
    """One request may go out, if this worker wins the right to send it; ``of_balance``: for its cost's sake."""

    of_balance: bool = False


@dataclass(frozen=True, slots=True)
class Closed:
    """Nothing goes out before ``until``. ``reason`` is ``None`` while another worker probes.

    ``in_place``: it is worth waiting for here and now.
    """

    until: datetime
    reason: Trouble | None
    in_place: bool = False


@dataclass(frozen=True, slots=True)
class TooDear:
    """The part waits until ``until``, for the balance was below ``cost``; others go on."""

    until: datetime
    cost: int


type Permission = Open | Probe | Closed | TooDear


def admit(account: Account, *, secret_version: str, now: datetime, lane: Lane, cost: int) -> Permission:
    """Return whether a request of ``cost`` messages may go out now."""
    urgent = lane is Lane.URGENT
    if account.pause_until and now < account.pause_until:
        if urgent and account.pause_reason is Trouble.UNREACHABLE:
            return _probe_of_an_outage(account, now)
        return Closed(account.pause_until, account.pause_reason)
    if dear := _too_dear(account.dear, now, cost):
        return dear
    if not account.pause_reason and account.proven == secret_version:
        return Probe(of_balance=True) if account.dear and cost >= account.dear.cost else Open()
    if account.probe_until and now < account.probe_until:
        return Closed(account.probe_until, None, in_place=True)
    return Probe()


def _probe_of_an_outage(account: Account, now: datetime) -> Probe | Closed:
    due = account.probed_at + PROBE_EVERY if account.probed_at else now
    if account.probe_until and now < account.probe_until:
        due = max(due, now + LOOK_AGAIN)
    return Probe() if due <= now else Closed(due, account.pause_reason, in_place=True)


def _too_dear(dear: Dear | None, now: datetime, cost: int) -> TooDear | None:
    if dear is None or cost < dear.cost:
        return None
    if dear.probe_until and now < dear.probe_until:
        return TooDear(dear.probe_until, dear.cost)
    # What was known has an end; then the cheapest part that waits asks alone. That is the one whose cost was
    # refused last, if it is still there: the others let it go first.
    until = dear.until if cost == dear.cost else dear.until + _CHEAPEST_FIRST
    return TooDear(until, dear.cost) if now < until else None


def refused(dear: Dear | None, *, cost: int, asked_at: datetime, now: datetime) -> Dear | None:
    """Return what is known after a 400 for ``cost`` to a request of ``asked_at``; ``None`` if it changes nothing.

    An answer to a request that went out before newer knowledge says nothing new. Before its end the lowest refused
    cost counts; after it a refusal replaces what was known.
    """
    if dear and asked_at < dear.since:
        return None
    if dear and now < dear.until:
        return Dear(min(cost, dear.cost), asked_at, dear.until, dear.times) if cost < dear.cost else None
    times = dear.times + 1 if dear else 1
    return Dear(cost, asked_at, now + pause_length(Trouble.BALANCE, times - 1), times)


def affords(dear: Dear, *, balance: int, asked_at: datetime) -> bool:
    """Return whether at least ``balance`` messages, shown to a request of ``asked_at``, end what was known."""
    return dear.since <= asked_at and dear.cost <= balance


def pause_length(reason: Trouble, pauses: int) -> timedelta:
    """Return how long the account rests after ``pauses`` earlier pauses in a row: doubling, up to five minutes."""
    doublings: int = 2 ** min(pauses, 8)
    return min(_FIRST_PAUSE[reason] * doublings, _LONGEST_PAUSE)


def pauses_at_once(reason: Trouble, *, in_a_row: int, probing: bool) -> bool:
    """Return whether this trouble, for the ``in_a_row``-th time, pauses the account.

    A single lost answer or refused timestamp is the moment's; several in a row, or one of a probe's, are the
    account's. Everything else is the account's at once.
    """
    match reason:
        case Trouble.PACE:
            return False
        case Trouble.UNREACHABLE:
            return probing or in_a_row >= UNANSWERED_IN_A_ROW
        case Trouble.TIMESTAMP:
            return in_a_row >= REFUSED_TIMESTAMPS_IN_A_ROW
        case _:
            return True
