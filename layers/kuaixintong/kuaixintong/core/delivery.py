"""What became of a mobile: judged from its part's row, its reports and the time, and never kept.

So it cannot be wrong about a report that came before the token was noted, or in pieces, or twice, or late.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from kuaixintong.core import beijing
from kuaixintong.core.ledger import State
from kuaixintong.core.limits import REPORTS_WITHIN
from kuaixintong.core.mobiles import normalise
from kuaixintong.core.sends import first_level

type Row = Mapping[str, Any]


class Delivery(StrEnum):
    """What is known of one mobile of a send."""

    DELIVERED = "delivered"  # all its reports succeed
    FAILED = "failed"  # none of its reports succeeds
    MIXED = "mixed"  # some do: a long message can be reported in pieces
    PENDING = "pending"  # no report yet; accepted is not delivered
    UNREPORTED = "unreported"  # none, although the time for it is over; one that still comes counts
    UNSENT = "unsent"  # left out, refused, expired or cancelled: no report will come


@dataclass(frozen=True, slots=True)
class Waiting:
    """Until when silence is waiting: ``moment`` is that of asking, ``within`` the time that reports have."""

    moment: datetime
    within: timedelta = REPORTS_WITHIN

    def over(self, row: Row) -> bool:
        """Tell whether the time for the reports of an accepted part is over."""
        begun = reports_begin(row)
        return begun is not None and self.moment >= begun + self.within


@dataclass(frozen=True, slots=True)
class MobileStatus:
    """One mobile of a send. ``state`` is its part's; ``reason`` says why it was left out, if it was.

    ``code`` and ``at`` are of its last report: the platform's result code, and when it was received.
    """

    send_id: str
    part: str
    mobile: str
    delivery: Delivery
    state: str
    reason: str | None = None
    code: str | None = None
    at: str | None = None


class Seen:
    """What reports have said of each mobile of a part, and no more: ten thousand mobiles are a megabyte."""

    __slots__ = ("_last", "_said")

    def __init__(self, reports: Iterable[Row] = ()) -> None:
        self._said: dict[str, Delivery] = {}
        self._last: dict[str, tuple[str, str]] = {}
        for report in reports:
            said = Delivery.DELIVERED if report["success"] else Delivery.FAILED
            mobile = normalise(report["mobile"]) or report["mobile"]
            self._add(mobile, said)
            if "received_at" in report and "result_code" in report:
                last = (report["received_at"], report["result_code"])
                self._last[mobile] = max(last, self._last.get(mobile, last))

    def _add(self, mobile: str, said: Delivery) -> None:
        self._said[mobile] = said if self._said.get(mobile, said) is said else Delivery.MIXED

    def of(self, mobile: str) -> Delivery | None:
        """Return what the reports of ``mobile`` say together; ``None`` if there are none."""
        return self._said.get(mobile)

    def last(self, mobile: str) -> tuple[str | None, str | None]:
        """Return when the last report of ``mobile`` was received, and its result code, if that was asked for."""
        return self._last.get(mobile, (None, None))

    @property
    def mobiles(self) -> Mapping[str, Delivery]:
        """Every mobile that was reported, in the order of its first report."""
        return self._said


def reports_begin(row: Row) -> datetime | None:
    """Return the moment from which reports of an accepted part are waited for: the later of acceptance and
    ``atTime``. ``None`` if the row does not say when it was accepted."""
    accepted = row.get("accepted_at") or row.get("asked_at")
    if not accepted:
        return None
    begun = beijing.from_iso(accepted)
    if row.get("at_time"):
        begun = max(begun, beijing.parse(row["at_time"]))
    return begun


def silent(row: Row, waiting: Waiting | None) -> Delivery:
    """Return what a mobile of this part is of which there is no report."""
    state = row["state"]
    if state in NOTHING_WENT_OUT:
        return Delivery.UNSENT
    if state == State.ACCEPTED and waiting and waiting.over(row):
        return Delivery.UNREPORTED
    return Delivery.PENDING


NOTHING_WENT_OUT = frozenset({"REJECTED", "EXPIRED", "CANCELLED"})
"""States in which a part ends without an SMS."""


def left_out(row: Row) -> dict[str, str]:
    """Return the mobiles that a part does not go to, as they were written, each with the reason."""
    reasons: dict[str, str] = {}
    for each in row.get("invalid_mobiles") or ():
        mobiles = each["mobiles"] if "mobiles" in each else [each["mobile"]]
        reasons |= dict.fromkeys(mobiles, each["reason"])
    return reasons


def deliveries(row: Row, seen: Seen, waiting: Waiting | None) -> dict[str, Delivery]:
    """Return what became of every usable mobile of a part, and of what else was reported for it."""
    reasons = left_out(row) if row.get("invalid_mobiles") else {}
    unless_reported = silent(row, waiting)
    found = {
        mobile: seen.of(mobile) or (Delivery.UNSENT if mobile in reasons else unless_reported)
        for mobile in row.get("mobiles") or ()
    }
    return {**found, **seen.mobiles}


def statuses(row: Row, seen: Seen, waiting: Waiting | None) -> Iterator[MobileStatus]:
    """Yield every mobile of a part once: those that it goes to, in order, then those that it does not."""
    reasons = left_out(row)
    send_id, part, state = row["send_id"], row["part"], row["state"]
    for mobile, delivery in deliveries(row, seen, waiting).items():
        at, code = seen.last(mobile)
        yield MobileStatus(send_id, part, mobile, delivery, state, reasons.pop(mobile, None), code, at)
    for mobile, reason in reasons.items():
        yield MobileStatus(send_id, part, mobile, Delivery.UNSENT, state, reason)


def with_mobiles(rows: Iterable[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """Yield a send's rows, in their order, each with its mobiles.

    A half has none of its own before it comes to its end; they stand in the first-level part that a 310 divided.
    """
    divided: dict[str, list[str]] = {}
    for row in rows:
        whole = first_level(row["part"])
        if "divided" in row:
            divided = {whole: row["divided"]}
        if "positions" in row and "mobiles" not in row:
            begin, end = row["positions"]
            yield row | {"mobiles": divided.get(whole, [])[begin:end]}
        else:
            yield row


def tells(row: Row) -> bool:
    """Tell whether a row says something of mobiles: one that was divided does so only of those left out."""
    return bool(row["state"] != State.SPLIT or row.get("invalid_mobiles"))
