"""Files that hold a table of people: CSV in the encodings and separators that spreadsheets write, and workbooks.

Workbooks (XLSX, XLS, ODS) are read with python-calamine, which the extra ``cli`` brings.
"""

import csv
import hashlib
import io
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kuaixintong.core.people import Merged, Row, Table, TableWrong

if TYPE_CHECKING:
    from python_calamine import CalamineSheet

_WORKBOOKS = (b"PK\x03\x04", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1")
_UTF_16 = (b"\xff\xfe", b"\xfe\xff")

_SEPARATORS = (",", "\t", ";", "|", "，", "；", "、")
_LONGEST_CELL = 1_000_000
_SAMPLE = 65_536


@dataclass(frozen=True, slots=True)
class Sheet:
    """A file's table, and the digest of its bytes (SHA-256)."""

    table: Table = field(repr=False)
    digest: str


def read(path: Path, sheet: str | None = None) -> Sheet:
    """Open a file; ``sheet`` names one of a workbook's. Raises :class:`TableWrong`, also as its rows are read."""
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise TableWrong(f"{path} cannot be read: {error.strerror}.") from None
    digest = hashlib.sha256(raw).hexdigest()
    if raw.startswith(_WORKBOOKS):
        return Sheet(_workbook(raw, sheet), digest)
    return Sheet(Table(_csv(_decoded(raw))), digest)


# --- CSV --------------------------------------------------------------------------------------------------------


def _decoded(raw: bytes) -> str:
    """Return the text of a file in UTF-8 (with or without a mark), UTF-16 with one, or GBK."""
    if raw.startswith(_UTF_16):
        return raw.decode("utf-16", "replace")
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError:
        pass
    try:
        return raw.decode("gb18030")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        raise TableWrong("neither UTF-8 nor GBK; save the file in one of them.", line) from None


def _csv(text: str) -> Iterator[Row]:
    csv.field_size_limit(_LONGEST_CELL)
    first, _, rest = text.partition("\n")
    skipped = 0
    if first.strip().casefold().startswith("sep=") and len(first.strip()) == len("sep=,"):
        separator, text, skipped = first.strip()[-1], rest, 1  # a spreadsheet's own note
    else:
        separator = _separator(text[:_SAMPLE])
    rows = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
    line = 1
    try:
        for cells in rows:
            yield Row(line + skipped, cells)
            line = rows.line_num + 1
    except csv.Error as error:
        raise TableWrong(f"the quotes do not fit ({error}).", line + skipped) from None


def _separator(sample: str) -> str:
    """Return what separates the names in the first line; what no spreadsheet writes is left to the csv module."""
    header = next((line for line in sample.splitlines() if line.strip()), "")
    bare = "".join(header.split('"')[::2])
    counted = {each: bare.count(each) for each in _SEPARATORS}
    found = max(counted, key=lambda each: counted[each])
    if counted[found]:
        return found
    try:
        sniffed = csv.Sniffer().sniff(sample).delimiter
    except csv.Error:
        return ","
    return sniffed if sniffed in bare and not sniffed.isalnum() and sniffed not in "\r\n" else ","


# --- workbooks --------------------------------------------------------------------------------------------------


def _workbook(raw: bytes, named: str | None) -> Table:
    try:
        import python_calamine  # noqa: PLC0415  # the extra may be missing
    except ModuleNotFoundError:
        raise TableWrong("Reading workbooks needs the extra cli: pip install 'kuaixintong[cli]'.") from None
    try:
        with python_calamine.CalamineWorkbook.from_filelike(io.BytesIO(raw)) as workbook:
            sheet = workbook.get_sheet_by_name(_sheet_name(workbook, named))
            return Table(_rows(sheet), [*_merged(sheet)])
    except python_calamine.PasswordError:
        raise TableWrong("The workbook asks for a password; save it without one.") from None
    except python_calamine.CalamineError as error:
        raise TableWrong(f"The workbook cannot be read ({error}).") from None


def _sheet_name(workbook: Any, named: str | None) -> str:
    names: list[str] = workbook.sheet_names
    if named is not None:
        if named not in names:
            raise TableWrong(f"There is no sheet {named}; the sheets are {', '.join(names)}.")
        return named
    filled = [name for name in names if workbook.get_sheet_by_name(name).start]
    if len(filled) > 1:
        raise TableWrong(f"More than one sheet has something in it: {', '.join(filled)}. Say which.")
    return filled[0] if filled else names[0]


def _rows(sheet: "CalamineSheet") -> Iterator[Row]:
    first = sheet.start[0] + 1 if sheet.start else 1
    before = sheet.start[1] if sheet.start else 0
    for line, cells in enumerate(sheet.to_python(skip_empty_area=True), first):
        yield Row(line, [*("",) * before, *cells])


def _merged(sheet: "CalamineSheet") -> Iterator[Merged]:
    for (first_line, first_column), (last_line, last_column) in sheet.merged_cell_ranges or ():
        yield Merged(first_line + 1, last_line + 1, first_column, last_column)
