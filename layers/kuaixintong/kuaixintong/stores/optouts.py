"""Rows of Mobiles that say who has opted out (contract, section 2b).

``what`` is ``opt-out``; ``state`` is ``out``, or ``in`` for a mobile that came back, since ``changed_at``; ``by``
tells whether an ``mo`` or a ``person`` said so. They never expire: whoever opted out years ago has opted out.
"""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from boto3.dynamodb.conditions import Attr, ConditionBase

from kuaixintong.core.change import Change
from kuaixintong.stores.dynamo import Item
from kuaixintong.stores.query import all_of
from kuaixintong.stores.table import Moved, Table

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

WHAT = "opt-out"
"""``What.OPT_OUT``, spelled out: the receiver has no need of all that knows the rails."""

OUT, IN = "out", "in"


class OptOutRows:
    """Who has opted out; every change is one conditional write, and none reads first."""

    def __init__(self, table: Table) -> None:
        self._table = table

    def change(self, mobile: str, *, out: bool, at: str, by: str) -> bool:
        """Note that a mobile opted out, or came back; return whether that is newer than what was known.

        ``at`` is ISO 8601 as :func:`~kuaixintong.core.beijing.iso` writes it. The latest change counts; of two at
        the same moment, the one that opts out. So any order of any repetitions ends in the same row.
        """
        older: ConditionBase = Attr("changed_at").not_exists() | Attr("changed_at").lt(at)
        if out:
            older |= Attr("changed_at").eq(at) & Attr("state").eq(IN)
        change = Change({"state": OUT if out else IN, "changed_at": at, "by": by})
        try:
            self._table.update(_key(mobile), change, only_if=older)
        except Moved:
            return False
        return True

    def of(self, mobile: str) -> Item | None:
        """Return a mobile's row."""
        return self._table.get(_key(mobile))


def opted_out(row: Mapping[str, Any]) -> bool:
    """Return whether a row says that its mobile has opted out."""
    return bool(row["state"] == OUT)


def _key(mobile: str) -> dict[str, str]:
    return {"mobile": mobile, "what": WHAT}


def everyone(client: "DynamoDBClient", table: str) -> Iterator[Item]:
    """Yield all rows of the list, those who came back among them, in no order, page by page.

    The whole table is read for it: who has opted out is looked up by mobile, and listed seldom.
    """
    return all_of(client, table, what=WHAT)
