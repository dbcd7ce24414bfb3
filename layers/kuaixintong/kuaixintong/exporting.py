"""A campaign's people and what became of them, as a file that spreadsheets open as it is."""

import csv
import io
import re
from collections.abc import Iterable
from pathlib import Path
from typing import TextIO

from kuaixintong.core.delivery import MobileStatus

COLUMNS = ("mobile", "status", "state", "code", "time", "reason", "send_id")

_FORMULA = re.compile(r"[=@\t\r]|[+-](?![0-9.]*$)")


def cell(value: object) -> str:
    """Return a value as a cell that no spreadsheet takes for a formula: some are as a stranger wrote them."""
    text = "" if value is None else str(value)
    return f"'{text}" if _FORMULA.match(text) else text


def write_statuses(path: Path, statuses: Iterable[MobileStatus]) -> int:
    """Write a row a person, as CSV; return how many. Until it is whole, what stood under ``path`` stays."""
    draft = path.with_name(f"{path.name}.part")
    with draft.open("w", encoding="utf-8-sig", newline="") as file:
        rows = _write(file, statuses)
    draft.replace(path)
    return rows


def statuses_as_csv(statuses: Iterable[MobileStatus]) -> str:
    """Return the same file's text."""
    file = io.StringIO()
    _write(file, statuses)
    return f"\ufeff{file.getvalue()}"


def _write(file: TextIO, statuses: Iterable[MobileStatus]) -> int:
    lines, rows = csv.writer(file), 0
    lines.writerow(COLUMNS)
    for each in statuses:
        told = (each.mobile, each.delivery, each.state, each.code, each.at, each.reason, each.send_id)
        lines.writerow(map(cell, told))
        rows += 1
    return rows
