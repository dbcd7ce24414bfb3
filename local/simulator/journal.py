"""Every request that reached the simulator, and what became of it."""

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from typing import Any

_KEPT = 200_000  # records; the oldest go first


@dataclass(slots=True)
class Record:
    """One request. Filled in as it goes: a late one is acted on long after it was answered, or was not."""

    number: int
    received_at: datetime
    method: str
    source: str
    server: int
    """Which of the platform's addresses it came to, from 0."""
    fields: Mapping[str, str]
    """The form fields as decoded, ``op`` and ``message`` and whatever else came."""
    fault: str | None = None
    """What struck it, for example ``cut after``."""
    acted_at: datetime | None = None
    """When the platform took it up to do what it says; ``None`` too when a fault made it answer instead."""
    outcome: int | None = None
    """The state code that the platform came to; not always what the client was told."""
    token: int | None = None
    """The token of the part it brought about."""
    status: int | None = None
    """The HTTP status answered; ``None`` when nothing was."""
    body: str | None = None
    """The body answered, as far as it was sent."""

    def as_json(self) -> dict[str, Any]:
        """For ``GET /_sim/requests``."""
        return {
            "number": self.number,
            "received_at": self.received_at.isoformat(),
            "method": self.method,
            "source": self.source,
            "server": self.server,
            "fields": dict(self.fields),
            "fault": self.fault,
            "acted_at": self.acted_at.isoformat() if self.acted_at else None,
            "outcome": self.outcome,
            "token": self.token,
            "status": self.status,
            "body": self.body,
        }


class Journal:
    """The last requests in order of arrival; ``count`` is of all."""

    def __init__(self, kept: int = _KEPT) -> None:
        self.count = 0
        self._records: deque[Record] = deque(maxlen=kept)

    def open(
        self, received_at: datetime, method: str, source: str, server: int, fields: Mapping[str, str]
    ) -> Record:
        """Start the next request's record."""
        self.count += 1
        record = Record(self.count, received_at, method, source, server, fields)
        self._records.append(record)
        return record

    def after(self, number: int = 0, limit: int | None = None) -> list[Record]:
        """Return up to ``limit`` records whose number is greater than ``number``."""
        later = (record for record in self._records if record.number > number)
        return list(islice(later, limit))

    def forget(self) -> None:
        """Drop all records; numbers begin again at 1."""
        self.count = 0
        self._records.clear()
