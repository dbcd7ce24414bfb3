"""What the tables know of a part whose answer was lost: reports of its mobiles, and who else may have caused them.

Only what an index holds may be some seconds old; whatever a conclusion rests on is read consistently.
"""

from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Any, Unpack

from kuaixintong.core.change import Change
from kuaixintong.core.ledger import Attention
from kuaixintong.stores.dynamo import Item
from kuaixintong.stores.parts import BY_ATTENTION, BY_TOKEN, Parts
from kuaixintong.stores.query import Sorted, Wanted
from kuaixintong.stores.reports import BY_MOBILE
from kuaixintong.stores.table import Moved, Table

_A_READ = 500
"""Rows that count as one more query."""

_AFTER_HALVES = "/"
"""The character after a half's ``.``: ``1``, ``1.1`` and ``1.2.1`` stand before ``1/``, and ``10`` behind it."""


class Evidence:
    """Looks up what inference needs, in Sends, Reports and Outbound. ``reads`` counts its queries."""

    def __init__(self, sends: Table, reports: Table, outbound: Table) -> None:
        self._sends = sends
        self._reports = reports
        self._outbound = outbound
        self.reads = 0

    def unconfirmed(self, since: str) -> Iterator[Item]:
        """Yield what the listing holds of ``UNCONFIRMED`` parts whose rows were written at ``since`` or later."""
        sort = Sorted("updated_at", since=since)
        return self._asked(self._sends, "attention", Attention.UNCONFIRMED, index=BY_ATTENTION, sort=sort)

    def older(self, born_before: str, up_to: str) -> Iterator[Item]:
        """Yield what the listings hold of open parts born before a moment, and last written ``up_to`` another."""
        for reason in (Attention.UNCONFIRMED, Attention.NO_TOKEN, Attention.GAVE_UP):
            sort = Sorted("updated_at", up_to=up_to)
            found = self._asked(self._sends, "attention", reason, index=BY_ATTENTION, sort=sort)
            yield from (row for row in found if row.get("created_at", "") < born_before)

    def family(self, send_id: str, part: str) -> list[Item]:
        """Return the rows of a first-level part and of all that it was divided into, in order."""
        span = Sorted("part", since=part, up_to=part + _AFTER_HALVES)
        return list(self._asked(self._sends, "send_id", send_id, sort=span, consistent=True))

    def noted(self, token: str) -> bool:
        """Return whether a part's row has this token."""
        return next(self._asked(self._sends, "token", token, index=BY_TOKEN), None) is not None

    def tokens_of(self, mobile: str, *, since: str, most: int) -> dict[str, str]:
        """Return under which tokens a mobile was reported ``since`` then, and when last.

        No more than ``most`` of its reports are looked at, the first ones.
        """
        sort = Sorted("received_at", since=since)
        found = self._asked(self._reports, "mobile", mobile, index=BY_MOBILE, sort=sort)
        return {row["token"]: row["received_at"] for row in islice(found, most)}

    def reports_of(self, token: str) -> Iterator[Item]:
        """Yield all reports of a token: whom they name, and when they came."""
        return self._asked(self._reports, "token", token, fields=("mobile", "received_at"), consistent=True)

    def sends_to(self, mobile: str) -> Iterator[Item]:
        """Yield which first-level parts were to go to a mobile: ``send_id``, ``part``."""
        return self._asked(self._outbound, "mobile", mobile, fields=("send_id", "part"), consistent=True)

    def is_listed(self, send_id: str, mobile: str) -> bool:
        """Return whether Outbound knows that a send was to go to a mobile."""
        sort = Sorted("send_id", since=send_id, up_to=send_id)
        found = self._asked(self._outbound, "mobile", mobile, fields=("send_id",), sort=sort, consistent=True)
        return next(found, None) is not None

    def settle(self, row: Mapping[str, Any], change: Change) -> bool:
        """Write an inferred end, if the row still says what it did; return whether it stands there now."""
        try:
            Parts(self._sends).conclude(row, change)
        except Moved as moved:
            return bool(moved.standing and moved.standing.get("token") == change.values["token"])
        return True

    def _asked(self, table: Table, name: str, value: str, **wanted: Unpack[Wanted]) -> Iterator[Item]:
        self.reads += 1
        for count, row in enumerate(table.query(name, value, **wanted), start=1):
            self.reads += count % _A_READ == 0
            yield row
