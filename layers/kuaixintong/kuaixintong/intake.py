"""Where the contents of a push go: messages to their tables, the rest to quarantine."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from kuaixintong.core.entries import Sorted
from kuaixintong.core.unreadable import Unreadable
from kuaixintong.stores.batch import Stamp, Writer
from kuaixintong.stores.holding import Holding
from kuaixintong.stores.inbound import Inbound
from kuaixintong.stores.reports import Reports

THREADS = 16
"""Writes side by side. Beyond about eight the processor is the limit, at the memory that the template gives."""


@dataclass(frozen=True, slots=True)
class Stored:
    """What is durable now: rows of reports and of MOs, and entries in quarantine."""

    reports: int
    mos: int
    quarantined: int


@dataclass(frozen=True, slots=True)
class Intake:
    """The three tables that pushes fill, and the threads that fill them. Safe between threads."""

    reports: Reports
    inbound: Inbound
    quarantine: Holding
    writer: Writer
    retention: timedelta
    clock: Callable[[], datetime]

    def store(self, contents: Sorted, *, deadline: float) -> Stored:
        """Put everything where it belongs; when this returns, all of it is durable.

        Raises :class:`~kuaixintong.core.errors.StoreUnavailable` if it is not by ``deadline``
        (``time.monotonic``). The same contents have to be stored again then; what was written already does no
        harm.
        """
        stamp = self._stamp()
        return Stored(
            reports=self.reports.put(contents.reports, stamp, self.writer, deadline=deadline),
            mos=self.inbound.put(contents.mos, stamp, self.writer, deadline=deadline),
            quarantined=self.keep(contents.unreadable, deadline=deadline),
        )

    def keep(self, unreadable: Iterable[Unreadable], *, deadline: float) -> int:
        """Put into quarantine; return the number of entries. Raises as :meth:`store` does."""
        kept = tuple(unreadable)
        self.quarantine.keep(kept, self._stamp(), self.writer, deadline=deadline)
        return sum(each.entries for each in kept)

    def _stamp(self) -> Stamp:
        return Stamp.at(self.clock(), self.retention)
