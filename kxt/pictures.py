"""How what the library answers looks to a person."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from kuaixintong.core import beijing
from kuaixintong.status import DeliveryStatus
from kxt.shell import Shell
from kxt.words import both

_MOST_MOBILES = 50
"""Of a send that are listed one by one; ``--all`` lists every one."""


def state_of(statuses: Sequence[DeliveryStatus]) -> str:
    """Return in a line how far sends are."""
    states = Counter(part.state for status in statuses for part in status.parts)
    return in_a_line(states.items()) or both("In the queue", "在队列中")


def show_send(shell: Shell, status: DeliveryStatus, *, everything: bool = False) -> None:
    """Show a send: its parts, and its mobiles."""
    shell.table(
        ("part", "state", "token", "fee", "code", "words"),
        [(each.part, each.state, each.token, each.fee, each.code, each.words) for each in status.parts],
    )
    results: dict[str, Any] = {
        report["mobile"]: report["result_code"] for part in status.parts for report in part.reports
    }
    mobiles = [(mobile, told, results.get(mobile, "")) for mobile, told in status.mobiles.items()]
    left_out = [(mobile, "unsent", reason) for mobile, reason in status.invalid_mobiles.items()]
    rows = [*mobiles, *(each for each in left_out if each[0] not in status.mobiles)]
    shell.line()
    if everything or len(rows) <= _MOST_MOBILES:
        shell.table(("mobile", "status", "result"), rows)
    else:
        shell.table(("status", "mobiles"), Counter(told for _, told, _ in rows).most_common())
        shell.say(both("--all lists every mobile.", "--all 列出每个手机号。"))


def moment(value: datetime | str | None, now: datetime | None = None) -> str:
    """Return a moment in Beijing's time, with how long ago it was."""
    if value is None:
        return ""
    at = datetime.fromisoformat(value) if isinstance(value, str) else value
    seconds = int(((now or datetime.now(UTC)) - at).total_seconds())
    return f"{at.astimezone(beijing.BEIJING):%Y-%m-%d %H:%M:%S} ({_ago(seconds)})"


def _ago(seconds: int) -> str:
    size, unit = next(
        (size, unit)
        for size, unit in (
            (86_400, both("d", "天")),
            (3_600, both("h", "小时")),
            (60, both("min", "分钟")),
            (1, both("s", "秒")),
        )
        if abs(seconds) >= size or size == 1
    )
    count = abs(seconds) // size
    if seconds < 0:
        return both(f"in {count} {unit}", f"{count} {unit}后")
    return both(f"{count} {unit} ago", f"{count} {unit}前")


def listed(items: Iterable[str], most: int = 5) -> str:
    """Return a few of many, with how many more there are."""
    kept = [*items]
    more = len(kept) - most
    return ", ".join(kept[:most]) + (f" … +{more}" if more > 0 else "")


def counted[S: str](states: Mapping[S, int]) -> list[tuple[S, int]]:
    """Return counts, the largest first."""
    return sorted(states.items(), key=lambda each: -each[1])


def in_a_line[S: str](counts: Iterable[tuple[S, int]]) -> str:
    """Return counts in a line: ``3 ACCEPTED, 1 WAITING``."""
    return ", ".join(f"{count} {state}" for state, count in counts)


def cut(text: str, most: int = 40) -> str:
    """Return a text in one line, cut to so many characters."""
    line = " ".join(text.split())
    return line if len(line) <= most else f"{line[:most]}…"
