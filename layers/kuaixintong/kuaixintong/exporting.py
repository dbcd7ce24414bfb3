"""A campaign's people and what became of them, as a file that spreadsheets open as it is."""

import csv
from collections.abc import Iterable
from pathlib import Path

from kuaixintong.core.delivery import MobileStatus

COLUMNS = ("mobile", "status", "state", "code", "time", "reason", "send_id")


def write_statuses(path: Path, statuses: Iterable[MobileStatus]) -> int:
    """Write a row a person, as CSV; return how many. Until it is whole, what stood under ``path`` stays."""
    draft = path.with_name(f"{path.name}.part")
    rows = 0
    with draft.open("w", encoding="utf-8-sig", newline="") as file:
        lines = csv.writer(file)
        lines.writerow(COLUMNS)
        for each in statuses:
            lines.writerow((each.mobile, each.delivery, each.state, each.code, each.at, each.reason, each.send_id))
            rows += 1
    draft.replace(path)
    return rows
