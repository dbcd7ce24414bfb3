"""The opt-out list, for whoever keeps it: looked at, changed, brought along from elsewhere, and taken away.

::

    from kuaixintong.stack import Stack

    optouts = Stack.of("kuaixintong-prod").optouts
    optouts.add("13708600860")                       # True: noted; False: something newer is known
    for each in optouts.list():                      # mobile, since, by
        print(each.mobile, each.since)
    with open("list.csv", encoding="utf-8-sig", newline="") as file:
        optouts.import_csv(file, progress=lambda so_far: print(so_far.line))

Whatever a person does counts from its own moment, as a handset's word does from its: the latest change counts, and
of two at the same moment the one that opts out.
"""

import csv
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, field, replace
from datetime import datetime
from itertools import batched
from typing import TextIO

from kuaixintong.core import beijing
from kuaixintong.core.mobiles import normalise
from kuaixintong.stores.optouts import OptOutRows, opted_out

__all__ = ["Imported", "NotAMobile", "OptOut", "OptOuts", "Wrong"]

COLUMNS = ("mobile", "since", "by")
"""Columns of an exported list; of an imported one the first is enough, with or without this head."""

type _Line = tuple[int, list[str]]
"""A line by its number, from 1, and its cells."""

_AT_ONCE = 1_000
"""Lines that are under way at a time: a list of a million is never in memory."""

_MOST_TOLD = 100

BY_A_PERSON = "person"


class NotAMobile(ValueError):
    """What was given is no mobile."""


@dataclass(frozen=True, slots=True)
class OptOut:
    """A mobile that has opted out ``since`` then, ISO 8601 in Beijing time; ``by`` an ``mo`` or a ``person``."""

    mobile: str
    since: str
    by: str


@dataclass(frozen=True, slots=True)
class Wrong:
    """A line that was left out, and why."""

    line: int
    why: str


@dataclass(frozen=True, slots=True)
class Imported:
    """How far an import is: all lines up to ``line`` are durable, or in ``wrong``, the first hundred of them.

    ``noted`` counts the mobiles that were noted, ``known`` those of which something as new was known already, and
    ``faults`` all lines that were left out.
    """

    line: int = 0
    noted: int = 0
    known: int = 0
    faults: int = 0
    wrong: tuple[Wrong, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class OptOuts:
    """Keeps the list. Safe between threads. ``pool`` lends the threads of an import."""

    rows: OptOutRows
    everyone: Callable[[], Iterator[dict[str, str]]] = field(repr=False)
    pool: Executor | None = None
    clock: Callable[[], datetime]

    def list(self) -> Iterator[OptOut]:
        """Yield everybody who has opted out, in no order, page by page.

        Raises :class:`~kuaixintong.core.errors.StoreUnavailable`, as everything here does.
        """
        for row in self.everyone():
            if opted_out(row):
                yield OptOut(row["mobile"], row["changed_at"], row.get("by", ""))

    def of(self, mobile: str) -> OptOut | None:
        """Return since when a mobile has opted out; ``None`` if it has not. Raises :class:`NotAMobile`."""
        row = self.rows.of(_digits(mobile))
        return OptOut(row["mobile"], row["changed_at"], row.get("by", "")) if row and opted_out(row) else None

    def add(self, mobile: str, *, at: datetime | None = None) -> bool:
        """Note that a mobile has opted out, now or ``at`` an aware moment; ``False`` if as new a change is known.

        Raises :class:`NotAMobile`.
        """
        return self._change(mobile, at, out=True)

    def remove(self, mobile: str, *, at: datetime | None = None) -> bool:
        """Note that a mobile may be sent marketing again; as :meth:`add`."""
        return self._change(mobile, at, out=False)

    def import_csv(
        self,
        lines: Iterable[str],
        *,
        at: datetime | None = None,
        after: int = 0,
        progress: Callable[[Imported], object] = lambda _: None,
    ) -> Imported:
        """Note everybody in a list, from its line ``after`` on, and tell the ``progress`` every thousand lines.

        ``lines`` is a file opened with ``newline=""``; its first column holds mobiles, however they are written.
        A column ``since`` holds moments, as :meth:`export_csv` writes them; else the list is of ``at``, or of now.
        Cut off, it can be run again as it is, or from the last line that was told: what is there already stays.
        """
        so_far, since = Imported(line=after), beijing.iso(at or self.clock())
        columns = {"mobile": 0}
        numbered = enumerate(csv.reader(lines), start=1)
        for batch in batched(numbered, _AT_ONCE, strict=False):
            if batch[0][0] == 1 and (head := _head(batch[0][1])):
                columns, batch = head, batch[1:]  # noqa: PLW2901  # its head is no line of a list
            todo = [(line, cells) for line, cells in batch if line > after and any(cells)]
            if todo:
                so_far = self._noted(todo, columns, since, so_far)
                progress(so_far)
        return so_far

    def export_csv(self, to: TextIO) -> int:
        """Write everybody who has opted out to a file opened with ``newline=""``; return how many they are."""
        writer, count = csv.writer(to), 0
        writer.writerow(COLUMNS)
        for each in self.list():
            writer.writerow((each.mobile, each.since, each.by))
            count += 1
        return count

    def _change(self, mobile: str, at: datetime | None, *, out: bool) -> bool:
        moment = beijing.iso(at or self.clock())
        return self.rows.change(_digits(mobile), out=out, at=moment, by=BY_A_PERSON)

    def _noted(self, todo: Sequence[_Line], columns: dict[str, int], since: str, so_far: Imported) -> Imported:
        def note(line: _Line) -> bool | Wrong:
            number, cells = line
            try:
                mobile, moment = _read(cells, columns, since)
            except ValueError as fault:
                return Wrong(number, str(fault))
            return self.rows.change(mobile, out=True, at=moment, by=BY_A_PERSON)

        results = list((self.pool.map if self.pool else map)(note, todo))
        wrong = [each for each in results if isinstance(each, Wrong)]
        return replace(
            so_far,
            line=todo[-1][0],
            noted=so_far.noted + results.count(True),
            known=so_far.known + results.count(False),
            faults=so_far.faults + len(wrong),
            wrong=(*so_far.wrong, *wrong)[:_MOST_TOLD],
        )


def _digits(mobile: str) -> str:
    digits = normalise(mobile)
    if digits is None:
        raise NotAMobile(f"{mobile[:40]!r} is no mobile: it takes 11 digits beginning with 1.")
    return digits


def _head(cells: list[str]) -> dict[str, int]:
    """Return the columns that a list's first line names; none if it is a line like the others."""
    names = [cell.strip().lower().removeprefix("\ufeff") for cell in cells]
    if "mobile" not in names:
        return {}
    return {name: place for place, name in enumerate(names)}


def _read(cells: list[str], columns: dict[str, int], since: str) -> tuple[str, str]:
    """Return a line's mobile and moment. Raises :class:`ValueError` with a sentence."""
    mobile = _cell(cells, columns, "mobile").removeprefix("\ufeff")
    if not (moment := _cell(cells, columns, "since")):
        return _digits(mobile), since
    try:
        told = beijing.from_iso(moment)
    except ValueError:
        raise ValueError(f"{moment[:40]!r} is no moment like {since}.") from None
    if told.tzinfo is None:
        told = told.replace(tzinfo=beijing.BEIJING)
    return _digits(mobile), beijing.iso(told)


def _cell(cells: list[str], columns: dict[str, int], name: str) -> str:
    place = columns.get(name, len(cells))
    return cells[place].strip() if place < len(cells) else ""
