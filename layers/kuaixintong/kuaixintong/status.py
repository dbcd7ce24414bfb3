"""The read side: what became of a send, a mobile, a day.

A delivery status is read, never maintained: the parts of the send, then the reports of each part's token. So it
cannot be wrong about a report that came before the token was noted, or in pieces, or twice.

::

    from kuaixintong.status import delivery_status

    delivery_status("order-4711").mobiles   # {"13708600860": "delivered", "18930612517": "failed"}
"""

import os
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from typing import Any

from kuaixintong.core.ledger import Attention, State
from kuaixintong.core.sends import normalise
from kuaixintong.settings import TableNames
from kuaixintong.stores.dynamo import Item
from kuaixintong.stores.inbound import Inbound
from kuaixintong.stores.parts import Parts
from kuaixintong.stores.reports import Reports


class Delivery(StrEnum):
    """What is known of one mobile of a send."""

    DELIVERED = "delivered"  # all its reports succeed
    FAILED = "failed"  # none of its reports succeeds
    MIXED = "mixed"  # some do: a long message can be reported in pieces
    PENDING = "pending"  # no report yet; accepted is not delivered
    UNSENT = "unsent"  # the part was refused or has expired: no report will come


@dataclass(frozen=True, slots=True)
class PartStatus:
    """One part: its row's state and words, and its mobiles. ``reports`` are the rows that the status rests on."""

    part: str
    state: State
    token: str | None
    fee: int | None
    code: int | None
    words: str | None
    mobiles: Mapping[str, Delivery]
    invalid_mobiles: Mapping[str, str]
    reports: tuple[Item, ...]


@dataclass(frozen=True, slots=True)
class DeliveryStatus:
    """A send: its parts, without those that a 310 divided, whose halves stand for them. Unknown: no parts."""

    send_id: str
    parts: tuple[PartStatus, ...]

    @property
    def mobiles(self) -> dict[str, Delivery]:
        """Every mobile of the send and what is known of it."""
        return {mobile: delivery for part in self.parts for mobile, delivery in part.mobiles.items()}

    @property
    def invalid_mobiles(self) -> dict[str, str]:
        """Every mobile that is not sent to, and why."""
        return {mobile: reason for part in self.parts for mobile, reason in part.invalid_mobiles.items()}


def judge(part: Item, reports: Iterable[Item]) -> PartStatus:
    """Return what the row of a part and its reports' rows say together."""
    kept = tuple(reports)
    successes: defaultdict[str, set[bool]] = defaultdict(set)
    for report in kept:
        successes[normalise(report["mobile"]) or report["mobile"]].add(report["success"])
    state = State(part["state"])
    unreported = Delivery.UNSENT if state in (State.REJECTED, State.EXPIRED) else Delivery.PENDING
    mobiles = dict.fromkeys(part.get("mobiles", ()), unreported)
    mobiles |= {mobile: _delivery(seen) for mobile, seen in successes.items()}
    return PartStatus(
        part=part["part"],
        state=state,
        token=part.get("token"),
        fee=part.get("fee"),
        code=part.get("code"),
        words=part.get("words"),
        mobiles=mobiles,
        invalid_mobiles={each["mobile"]: each["reason"] for each in part.get("invalid_mobiles", ())},
        reports=kept,
    )


def _delivery(successes: set[bool]) -> Delivery:
    if len(successes) > 1:
        return Delivery.MIXED
    return Delivery.DELIVERED if True in successes else Delivery.FAILED


def with_mobiles(rows: Iterable[Item]) -> Iterator[Item]:
    """Yield a send's rows, in their order, each with its mobiles.

    A half has none of its own before it comes to its end; they stand in the first-level part that a 310 divided.
    """
    divided: dict[str, list[str]] = {}
    for row in rows:
        first_level = row["part"].split(".")[0]
        if "divided" in row:
            divided = {first_level: row["divided"]}
        if "positions" in row and "mobiles" not in row:
            begin, end = row["positions"]
            yield row | {"mobiles": divided.get(first_level, [])[begin:end]}
        else:
            yield row


class Lookup:
    """Every question that the tables answer. Raises :class:`StoreUnavailable` when DynamoDB does not."""

    def __init__(self, parts: Parts, reports: Reports, inbound: Inbound) -> None:
        self._parts = parts
        self._reports = reports
        self._inbound = inbound

    def delivery_status(self, send_id: str) -> DeliveryStatus:
        """Return what became of a send, per part and per mobile."""
        rows = [row for row in with_mobiles(self._parts.of_send(send_id)) if self._tells(row)]
        return DeliveryStatus(send_id, tuple(judge(row, self._reports_for(row)) for row in rows))

    def part_of(self, token: str) -> Item | None:
        """Return the part that the platform knows by ``token``, if its token has been noted."""
        return self._parts.of_token(token)

    def reports_of_token(self, token: str) -> Iterator[Item]:
        """Yield the reports of one part."""
        return self._reports.of_token(token)

    def reports_of_mobile(self, mobile: str) -> Iterator[Item]:
        """Yield a mobile's reports of all sends, as they were received, however the mobile is written."""
        return self._reports.of_mobile(normalise(mobile) or mobile)

    def mos_of_mobile(self, mobile: str) -> Iterator[Item]:
        """Yield the MOs of a mobile, oldest first, however the mobile is written."""
        return self._inbound.of_mobile(normalise(mobile) or mobile)

    def mos_of_day(self, day: str) -> Iterator[Item]:
        """Yield the MOs of a Beijing day, ``yyyy-MM-dd``, oldest first."""
        return self._inbound.of_day(day)

    def attention(self) -> Iterator[Item]:
        """Yield every part that a person should look at, with a sentence that says why and what to do."""
        for reason in Attention:
            yield from self._parts.needing(reason)

    def _reports_for(self, part: Mapping[str, Any]) -> Iterator[Item]:
        return self._reports.of_token(part["token"]) if "token" in part else iter(())

    @staticmethod
    def _tells(part: Item) -> bool:
        return bool(part["state"] != State.SPLIT or part.get("invalid_mobiles"))


@cache
def lookup() -> Lookup:
    """Return the look-up for ``SENDS_TABLE``, ``REPORTS_TABLE`` and ``INBOUND_TABLE`` of the environment."""
    from kuaixintong.wiring.reading import reader  # noqa: PLC0415  # it builds what this module describes

    return reader(TableNames.read(os.environ))


def delivery_status(send_id: str) -> DeliveryStatus:
    """Return what became of a send, with the tables that the environment names."""
    return lookup().delivery_status(send_id)
