"""Where the contents of a push go: messages to their tables, the rest to quarantine."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial

from kuaixintong.core.entries import Sorted
from kuaixintong.core.optout_words import Said, Words, said
from kuaixintong.core.unreadable import Unreadable
from kuaixintong.stores.batch import Patience, Stamp, Writer
from kuaixintong.stores.holding import Holding
from kuaixintong.stores.inbound import Inbound
from kuaixintong.stores.optouts import OptOutRows
from kuaixintong.stores.reports import Reports

THREADS = 16
"""Writes side by side. Beyond about eight the processor is the limit, at the memory that the template gives."""


@dataclass(frozen=True, slots=True)
class Stored:
    """What is durable now: rows of reports and of MOs, entries in quarantine, and mobiles that opted out or in."""

    reports: int
    mos: int
    quarantined: int
    opt_outs: int = 0
    resubscribed: int = 0


@dataclass(frozen=True, slots=True)
class Intake:
    """The tables that pushes fill, and the threads that fill them. Safe between threads."""

    reports: Reports
    inbound: Inbound
    quarantine: Holding
    opt_outs: OptOutRows
    words: Words
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
        opted = said(contents.mos, self.words)
        self._note(opted, deadline)
        return Stored(
            reports=self.reports.put(contents.reports, stamp, self.writer, deadline=deadline),
            mos=self.inbound.put(contents.mos, stamp, self.writer, deadline=deadline),
            quarantined=self.keep(contents.unreadable, deadline=deadline),
            opt_outs=sum(each.out for each in opted.values()),
            resubscribed=sum(not each.out for each in opted.values()),
        )

    def _note(self, opted: Mapping[str, Said], deadline: float) -> None:
        """Note who opted out or came back: one conditional write for each, and nothing where nobody did."""

        def note(mobile: str, each: Said, patience: Patience) -> None:
            self.writer.persist(partial(self.opt_outs.change, mobile, out=each.out, at=each.at, by="mo"), patience)

        if opted:
            self.writer.run((partial(note, mobile, each) for mobile, each in opted.items()), deadline=deadline)

    def keep(self, unreadable: Iterable[Unreadable], *, deadline: float) -> int:
        """Put into quarantine; return the number of entries. Raises as :meth:`store` does."""
        kept = tuple(unreadable)
        self.quarantine.keep(kept, self._stamp(), self.writer, deadline=deadline)
        return sum(each.entries for each in kept)

    def _stamp(self) -> Stamp:
        return Stamp.at(self.clock(), self.retention)
