"""Rows that are new, told as events on a bus: each part's end, each report, each MO.

What an event says is decided in :mod:`kuaixintong.core.announcements`. Streams deliver at least once and hold a
record up, with all behind it in its shard, until it is told: so a record comes back only for a while. A report
whose token is not noted yet is then told without its send, and what the bus does not take goes, whole, into the
dead-letter queue.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from kuaixintong.core import announcements
from kuaixintong.core.announcements import Announcement, NotYet, Owner
from kuaixintong.core.errors import StoreUnavailable
from kuaixintong.stores.bus import TOO_LARGE, Bus, Entry
from kuaixintong.stores.parts import Parts


@dataclass(frozen=True, slots=True)
class Record:
    """A row that is new or changed, as a stream tells it: ``number`` names the record, ``at`` when that was."""

    number: str
    row: Mapping[str, Any] = field(repr=False)
    at: datetime


@dataclass(slots=True)
class Told:
    """What became of a batch of records: how many were told, given up, and which have to come back."""

    told: int = 0
    given_up: int = 0
    again: list[str] = field(default_factory=list)


class Announcer:
    """Tells batches of records."""

    def __init__(self, parts: Parts, bus: Bus, clock: Callable[[], datetime]) -> None:
        self._parts = parts
        self._bus = bus
        self._clock = clock

    def tell(self, records: Sequence[Record]) -> Told:
        """Tell what is to be told of these records. Raises :class:`StoreUnavailable`: then all come back."""
        result, owners = Told(), dict[str, Owner | None]()
        due: list[tuple[Record, Entry]] = []
        for record in records:
            event = self._event(record.row, owners)
            if isinstance(event, NotYet):
                result.again.append(record.number)
            elif event is not None:
                due.append((record, Entry(announcements.detail_type(event), announcements.detail(event))))
        refusals = self._bus.put([entry for _, entry in due])
        for (record, entry), why in zip(due, refusals, strict=True):
            self._account_for(record, entry, why, result)
        return result

    def _event(self, row: Mapping[str, Any], owners: dict[str, Owner | None]) -> Announcement | NotYet | None:
        if "message_key" in row:
            return announcements.of_mo(row)
        if "outcome" not in row:
            return announcements.of_part(row)
        token = row["token"]
        if token not in owners:
            found = self._parts.owner_of(token)
            owners[token] = Owner(*found) if found else None
        return announcements.of_report(row, owners[token], now=self._clock())

    def _account_for(self, record: Record, entry: Entry, why: str | None, result: Told) -> None:
        if why is None:
            result.told += 1
        elif why != TOO_LARGE and self._clock() - record.at < announcements.GIVES_UP_AFTER:
            result.again.append(record.number)
        else:
            try:
                self._bus.bury(entry, why)
            except StoreUnavailable:
                result.again.append(record.number)
            else:
                result.given_up += 1
