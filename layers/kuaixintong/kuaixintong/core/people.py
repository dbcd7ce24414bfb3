"""A table of people, a row a person, made into sends: checked row by row before anything is enqueued.

A text names columns in braces, ``{name}，您好``, and nothing else is done in it: ``{{`` and ``}}`` are braces.
Rows with equal texts travel together, up to a request's 10,000 mobiles, and a send's id is made of the campaign
and of the line of its first row: so the same file under the same campaign is the same sends in every run.

Nothing here reads a file. A cell's value is text, a number, a truth or a date, as the file has it.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from itertools import chain, islice
from typing import Any

from kuaixintong.core.characters import utf16_units
from kuaixintong.core.cost import segments
from kuaixintong.core.limits import MAX_CONTENT_UNITS, MAX_MOBILES
from kuaixintong.core.mobiles import normalise

type Cell = str | float | bool | date | time | timedelta | None

_MOBILE_COLUMNS = frozenset(
    {
        *("mobile", "mobiles", "mobile number", "mobile phone", "phone", "phone number", "tel", "telephone"),
        *("cell", "cellphone", "msisdn", "手机", "手机号", "手机号码", "移动电话", "电话", "电话号码", "联系电话"),
        *("联系方式", "号码", "手机號碼", "行動電話"),
    }
)
"""Names under which a column of mobiles is found, without case and blanks around."""

_LOOKED_AT = 200
"""Rows by which a column of mobiles is found if no name tells it."""

_BRACES = re.compile(r"\{\{|\}\}|\{([^{}]*)\}|[{}]")

_ROUNDED = re.compile(r"[0-9](\.[0-9]+)?[eE]\+?[0-9]+")
_SERIAL = re.compile(r"[3-5][0-9]{4}(\.[0-9]+)?")
_WENT_WRONG = re.compile(r"#(N/A|REF!|VALUE!|NAME\?|DIV/0!|NUM!|NULL!)")
_DATE_COLUMN = re.compile(r"date|time|birthday|日期|时间|生日", re.IGNORECASE)

_LONGEST_SHOWN = 30


@dataclass(frozen=True, slots=True, order=True)
class Fault:
    """What is wrong, in a sentence; ``line`` is the file's, 0 if it is the file's as a whole."""

    line: int
    words: str

    def __str__(self) -> str:
        return f"line {self.line}: {self.words}" if self.line else self.words


class TableWrong(ValueError):
    """A file that cannot be read on: ``fault`` says where and why."""

    def __init__(self, words: str, line: int = 0) -> None:
        super().__init__(words)
        self.fault = Fault(line, words)


@dataclass(frozen=True, slots=True)
class Row:
    """A row, and the line that it begins in."""

    line: int
    cells: Sequence[Cell] = field(repr=False)


@dataclass(frozen=True, slots=True)
class Merged:
    """Cells that a person has merged into one: lines, and columns from 0, both ends included."""

    first_line: int
    last_line: int
    first_column: int
    last_column: int


@dataclass(frozen=True, slots=True)
class Table:
    """A table as a file has it, names first. ``rows`` may raise :class:`TableWrong` as they are read."""

    rows: Iterable[Row]
    merged: Sequence[Merged] = ()


# --- the text ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Text:
    """A text with columns in it. ``names`` are the columns in order, ``pieces`` what stands between them."""

    pieces: tuple[str, ...] = field(repr=False)
    names: tuple[str, ...]

    @classmethod
    def of(cls, text: str) -> "Text":
        """Take a text apart. Raises :class:`TableWrong` for a brace that stands alone."""
        pieces, names, end = [""], [], 0
        for found in _BRACES.finditer(text):
            pieces[-1] += text[end : found.start()]
            end = found.end()
            if found[0] in ("{{", "}}"):
                pieces[-1] += found[0][0]
            elif found[1] is None or not found[1].strip():
                raise TableWrong(
                    f"In the text, {found[0]} names no column; a brace itself is written twice, {{{{ or }}}}."
                )
            else:
                names.append(found[1].strip())
                pieces.append("")
        pieces[-1] += text[end:]
        return cls(tuple(pieces), tuple(names))

    def filled(self, values: Mapping[str, str]) -> str:
        """Return the text for one person."""
        made = [self.pieces[0]]
        for name, piece in zip(self.names, self.pieces[1:], strict=True):
            made += (values[name], piece)
        return "".join(made)


# --- the plan ---------------------------------------------------------------------------------------------------


@dataclass(slots=True)
class _Group:
    line: int
    text: str
    mobiles: list[str]


@dataclass(slots=True)
class Plan:
    """What a table becomes: sends, in the order of their first rows, and what is wrong with it.

    ``rows`` counts people, ``left_out`` those that are not sent to since their rows have faults, and ``notes`` are
    no faults. ``mobile_column`` is the name of the column that was taken.
    """

    mobile_column: str = ""
    rows: int = 0
    faults: list[Fault] = field(default_factory=list)
    notes: list[Fault] = field(default_factory=list)
    _groups: list[_Group] = field(default_factory=list)
    _lines: dict[str, int] = field(default_factory=dict)

    @property
    def mobiles(self) -> int:
        """How many mobiles are sent to."""
        return sum(len(group.mobiles) for group in self._groups)

    @property
    def sends(self) -> int:
        """How many sends there are; each is one request to the platform."""
        return len(self._groups)

    @property
    def cost(self) -> int:
        """What they cost together, in messages."""
        return sum(len(group.mobiles) * segments(group.text) for group in self._groups)

    @property
    def longest(self) -> int:
        """Segments of the longest text."""
        return max((segments(group.text) for group in self._groups), default=0)

    def example(self) -> str:
        """Return the first person's text."""
        return self._groups[0].text if self._groups else ""

    def among(self, mobiles: Iterable[str], words: str) -> list[Fault]:
        """Return a note for each of these mobiles that is a person's here, in the order of their lines."""
        return sorted(Fault(self._lines[mobile], words) for mobile in mobiles if mobile in self._lines)

    def fields(self, campaign: str, common: Mapping[str, Any], *, start: int = 0) -> Iterator[dict[str, Any]]:
        """Yield the sends from the one at ``start`` on, as the fields of a queue's body."""
        for group in self._groups[start:]:
            yield {
                **common,
                "id": f"{campaign}:{group.line}",
                "mobiles": group.mobiles,
                "content": group.text,
                "campaign": campaign,
            }


def plan(table: Table, text: Text, *, mobile: str | None = None) -> Plan:
    """Check every row and put the good ones into sends; ``mobile`` names the column of mobiles."""
    made = Plan()
    try:
        _Planner(made, table, text).run(mobile)
    except TableWrong as wrong:
        made.faults.append(wrong.fault)
    made.faults.sort()
    return made


class _Planner:
    def __init__(self, plan: Plan, table: Table, text: Text) -> None:
        self._plan = plan
        self._table = table
        self._text = text
        self._open: dict[str, _Group] = {}
        self._seen = plan._lines  # noqa: SLF001  # its own, while it is made
        self._blank: list[int] = []

    def run(self, mobile: str | None) -> None:
        rows = iter(self._table.rows)
        header = next((row for row in rows if not _is_blank(row)), None)
        if header is None:
            raise TableWrong("The file is empty.")
        self._names = [_shown(cell).strip() for cell in header.cells]
        self._check_header(header)
        ahead = [*islice(rows, _LOOKED_AT)]
        self._mobile = self._mobile_column(mobile, ahead)
        self._plan.mobile_column = self._names[self._mobile]
        self._used = {name: self._column(name) for name in dict.fromkeys(self._text.names)}
        self._check_merged(header.line)
        for row in chain(ahead, rows):
            self._take(row)
        if not self._plan.rows:
            raise TableWrong("The file has column names and no rows.")

    # --- columns ------------------------------------------------------------------------------------------------

    def _check_header(self, header: Row) -> None:
        if any(_mobile_of(cell) for cell in header.cells):
            raise TableWrong(
                "there is a mobile where the columns' names should be; put names into the first line.", header.line
            )

    def _column(self, name: str) -> int:
        places = [place for place, each in enumerate(self._names) if each == name]
        places = places or [at for at, each in enumerate(self._names) if each.casefold() == name.casefold()]
        if not places:
            raise TableWrong(f"There is no column {name}; the columns are {', '.join(filter(None, self._names))}.")
        if len(places) > 1:
            raise TableWrong(f"The column {name} stands {len(places)} times; give each a name of its own.")
        return places[0]

    def _mobile_column(self, named: str | None, ahead: Sequence[Row]) -> int:
        if named is not None:
            return self._column(named.strip())
        places = [at for at, name in enumerate(self._names) if name.casefold() in _MOBILE_COLUMNS]
        if not places:
            places = [at for at in range(len(self._names)) if _holds_mobiles(at, ahead)]
        if len(places) == 1:
            return places[0]
        names = ", ".join(filter(None, (self._names[at] for at in places) if places else self._names))
        raise TableWrong(
            f"More than one column may hold the mobiles: {names}. Say which (kxt import --mobile COLUMN)."
            if places
            else f"No column of mobiles was found among {names}. Say which it is (kxt import --mobile COLUMN)."
        )

    def _check_merged(self, header: int) -> None:
        for cells in self._table.merged:
            names = [
                self._names[at]
                for at in {self._mobile, *self._used.values()}
                if cells.first_column <= at <= cells.last_column
            ]
            if names and cells.last_line > header:
                many = cells.first_line != cells.last_line
                lines = f"lines {cells.first_line} to {cells.last_line}" if many else "cells of this line"
                self._plan.faults.append(
                    Fault(
                        cells.first_line,
                        f"{lines} are merged into one cell in the column {', '.join(sorted(names))}; only the "
                        "first has a value. Unmerge them and fill each in.",
                    )
                )

    # --- rows ---------------------------------------------------------------------------------------------------

    def _take(self, row: Row) -> None:
        if _is_blank(row):
            self._blank.append(row.line)
            return
        if self._blank:
            self._note_blanks()
        self._plan.rows += 1
        faults = [*self._faults_of(row)]
        if not faults:
            mobile = _mobile_of(row.cells[self._mobile]) or ""
            text = self._text.filled({name: _shown(row.cells[at]).strip() for name, at in self._used.items()})
            faults = [*_text_faults(text)]
            if not faults and (before := self._seen.setdefault(mobile, row.line)) != row.line:
                faults = [f"the mobile {mobile} stands in line {before} already."]
            if not faults:
                self._add(row.line, mobile, text)
        self._plan.faults += (Fault(row.line, words) for words in faults)

    def _note_blanks(self) -> None:
        """Tell of blank lines between rows; those at a file's end are nobody's."""
        self._plan.notes += (Fault(line, "blank, passed over.") for line in self._blank)
        self._blank.clear()

    def _add(self, line: int, mobile: str, text: str) -> None:
        group = self._open.get(text)
        if group is None or len(group.mobiles) == MAX_MOBILES:
            group = self._open[text] = _Group(line, text, [])
            self._plan._groups.append(group)  # noqa: SLF001  # its own, while it is made
        group.mobiles.append(mobile)

    def _faults_of(self, row: Row) -> Iterator[str]:
        cells, expected = row.cells, len(self._names)
        if len(cells) != expected and any(_shown(cell).strip() for cell in cells[expected:]):
            yield f"{len(cells)} cells, where the columns' names are {expected}."
            return
        if len(cells) < expected and max(self._mobile, *self._used.values(), 0) >= len(cells):
            yield f"{len(cells)} cells, where the columns' names are {expected}."
            return
        yield from _mobile_faults(cells[self._mobile], self._names[self._mobile])
        for name, at in self._used.items():
            if at != self._mobile:
                yield from _cell_faults(cells[at], name)


def _text_faults(text: str) -> Iterator[str]:
    try:
        units = utf16_units(text)
    except ValueError:
        yield "the text has half of a character in it."
        return
    if not units:
        yield "the text is empty."
    if units > MAX_CONTENT_UNITS:
        yield f"the text has {units} characters; {MAX_CONTENT_UNITS} are the most."


def _mobile_faults(cell: Cell, column: str) -> Iterator[str]:
    shown = _shown(cell).strip()
    if not shown:
        yield f"{column} is empty."
    elif isinstance(cell, str) and _ROUNDED.fullmatch(shown):
        yield (
            f"{column} is {shown}: a spreadsheet has rounded it, and its last digits are lost. Format the column "
            "as text and enter the numbers again."
        )
    elif isinstance(cell, (date, time, timedelta)):
        yield f"{column} is a date ({shown}), not a mobile."
    elif _mobile_of(cell) is None:
        yield f"{column} is {_cut(shown)}, which is not 11 digits beginning with 1."


def _cell_faults(cell: Cell, column: str) -> Iterator[str]:
    shown = _shown(cell).strip()
    if not shown:
        yield f"{column} is empty."
    elif isinstance(cell, (date, time, timedelta)):
        yield f"{column} is a date ({shown}), which can be written in many ways; write it as text."
    elif shown[0] in "345" and _SERIAL.fullmatch(shown) and _DATE_COLUMN.search(column):
        yield f"{column} is the number {shown}, by which a spreadsheet keeps a date; write it as text."
    elif shown[0] == "#" and isinstance(cell, str) and _WENT_WRONG.fullmatch(shown):
        yield f"{column} is {shown}, a formula that went wrong."


def _mobile_of(cell: Cell) -> str | None:
    return None if isinstance(cell, (bool, date, time, timedelta)) else normalise(_shown(cell))


def _holds_mobiles(at: int, rows: Sequence[Row]) -> bool:
    cells = [row.cells[at] for row in rows if len(row.cells) > at and _shown(row.cells[at]).strip()]
    return bool(cells) and 2 * sum(_mobile_of(cell) is not None for cell in cells) >= len(cells)


def _is_blank(row: Row) -> bool:
    return not any(_shown(cell).strip() for cell in row.cells)


def _shown(cell: Cell) -> str:
    match cell:
        case None:
            return ""
        case str():
            return cell
        case bool():
            return str(cell).upper()
        case datetime():
            return cell.strftime("%Y-%m-%d %H:%M:%S").removesuffix(" 00:00:00")
        case float():
            return str(int(cell)) if cell.is_integer() and abs(cell) < 1e15 else format(cell, ".15g")
        case _:
            return str(cell)


def _cut(text: str) -> str:
    return text if len(text) <= _LONGEST_SHOWN else f"{text[:_LONGEST_SHOWN]}…"
