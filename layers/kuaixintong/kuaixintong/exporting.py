"""A campaign's people and what became of them, as a file that spreadsheets open as it is."""

import csv
import re
from collections.abc import Iterable
from pathlib import Path

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
    rows = 0
    with draft.open("w", encoding="utf-8-sig", newline="") as file:
        lines = csv.writer(file)
        lines.writerow(COLUMNS)
        for each in statuses:
            told = (each.mobile, each.delivery, each.state, each.code, each.at, each.reason, each.send_id)
            lines.writerow(map(cell, told))
            rows += 1
    draft.replace(path)
    return rows
