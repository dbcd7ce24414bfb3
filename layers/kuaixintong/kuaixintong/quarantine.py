"""Quarantine, read again: after a fix, what was held goes where it belongs.

::

    from kuaixintong.quarantine import held, release

    for record in held():                     # digest, type, reason, seen, first_seen, last_seen, …
        print(record["digest"], record["reason"])
        release(record["digest"])

The tables are those that ``REPORTS_TABLE``, ``INBOUND_TABLE``, ``QUARANTINE_TABLE`` and ``MOBILES_TABLE`` of the
environment name; ``RETENTION_DAYS`` is how long rows live, and ``OPT_OUT_WORDS`` and ``RESUBSCRIBE_WORDS``, which
may be missing, are the words that opt out and back. This is an operator's tool: the receiver itself may write to
quarantine, not read or delete.
"""

import os
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cache

from kuaixintong.core import pushes
from kuaixintong.core.errors import PushUnreadable
from kuaixintong.core.unreadable import Unreadable
from kuaixintong.intake import Intake
from kuaixintong.settings import IntakeSettings
from kuaixintong.stores.dynamo import Item
from kuaixintong.wiring.receiver import intake

_SECONDS = 300.0
"""For one record: a person is waiting, not API Gateway."""


@dataclass(frozen=True, slots=True)
class Released:
    """What became of a record: rows written, and what is unreadable still and therefore held still."""

    reports: int = 0
    mos: int = 0
    unreadable: tuple[Unreadable, ...] = ()


def held() -> Iterator[Item]:
    """Yield what is known of every record in quarantine, without what follows its first few thousand bytes."""
    return _intake().quarantine.heads()


def release(digest: str) -> Released:
    """Read a record again, with the tables that the environment names; see :func:`release_from`."""
    return release_from(_intake(), digest)


def release_from(intake: Intake, digest: str) -> Released:
    """Read a record again. Its messages become rows, and it leaves quarantine unless it is unreadable as ever.

    Of a push that has become readable in part, the entries that have not are held one by one instead. Rows are
    written before anything is removed, so this can be cut off and repeated. Raises :class:`KeyError` if there is
    no such record and :class:`~kuaixintong.core.errors.StoreUnavailable` when DynamoDB does not answer.
    """
    record = intake.quarantine.read(digest)
    if record is None:
        raise KeyError(digest)
    try:
        contents = pushes.reread(record)
    except PushUnreadable:
        return Released(unreadable=(record,))
    others = tuple(each for each in contents.unreadable if each.digest != digest)
    stored = intake.store(replace(contents, unreadable=others), deadline=time.monotonic() + _SECONDS)
    if others == contents.unreadable:
        intake.quarantine.discard(digest)
    return Released(stored.reports, stored.mos, contents.unreadable)


@cache
def _intake() -> Intake:
    return intake(IntakeSettings.read(os.environ))
