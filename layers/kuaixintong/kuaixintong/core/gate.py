"""The account: when a request may go out, and what an answer says about the next ones.

A *pause* holds every request back until its time. A *probe* is one request that goes alone, to learn whether the
account works: after a pause, and with a secret that no answer has proven yet. Together they turn a wrong password
or an outage into a few calls, however many messages wait.

Pure, like the ledger: the account's row and the time come in, a decision comes out.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from kuaixintong.core.codes import Trouble

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


@dataclass(frozen=True, slots=True)
class Account:
    """As much of the account's row as decisions need. ``pauses`` counts pauses since the last good answer."""

    pause_reason: Trouble | None = None
    pause_until: datetime | None = None
    pauses: int = 0
    proven: str | None = None  # the secret's version id that an answer has shown to be right
    probe_until: datetime | None = None
    unanswered: int = 0
    refused_timestamps: int = 0


@dataclass(frozen=True, slots=True)
class Open:
    """Requests may go out side by side."""


@dataclass(frozen=True, slots=True)
class Probe:
    """One request may go out, if this worker wins the right to send it."""


@dataclass(frozen=True, slots=True)
class Closed:
    """Nothing goes out before ``until``. ``reason`` is ``None`` while another worker probes."""

    until: datetime
    reason: Trouble | None


def admit(account: Account, *, secret_version: str, now: datetime) -> Open | Probe | Closed:
    """Return whether a request may go out now."""
    if account.pause_until and now < account.pause_until:
        return Closed(account.pause_until, account.pause_reason)
    if not account.pause_reason and account.proven == secret_version:
        return Open()
    if account.probe_until and now < account.probe_until:
        return Closed(account.probe_until, None)
    return Probe()


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
        case Trouble.UNREACHABLE:
            return probing or in_a_row >= UNANSWERED_IN_A_ROW
        case Trouble.TIMESTAMP:
            return in_a_row >= REFUSED_TIMESTAMPS_IN_A_ROW
        case _:
            return True
