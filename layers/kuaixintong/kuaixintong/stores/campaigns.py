"""The Campaigns table: a row is a campaign, written once by whoever names it first (contract, section 4)."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Self

from boto3.dynamodb.conditions import Attr

from kuaixintong.core import beijing
from kuaixintong.core.change import Change
from kuaixintong.stores.table import Moved, Table

CANCEL = "cancel"
"""The source of a campaign that was cancelled before anybody had named it."""

QUEUE = "queue"
"""The source of a campaign that the sender met first in a send: nobody had named it before."""

_MOST_REMEMBERED = 1_000


@dataclass(frozen=True, slots=True)
class Campaign:
    """A campaign: since when (ISO 8601), from where, and the digest of what it was made of.

    ``cancelled`` is when somebody cancelled it; one that was cancelled before it was named has no ``created_at``.
    """

    campaign: str
    created_at: str | None
    source: str
    digest: str | None = None
    cancelled: datetime | None = None

    @classmethod
    def of(cls, row: Mapping[str, Any]) -> Self:
        """Read a row."""
        cancelled_at = row.get("cancelled_at")
        return cls(
            row["campaign"],
            row.get("created_at"),
            row.get("source", QUEUE),
            row.get("digest"),
            beijing.from_iso(cancelled_at) if cancelled_at else None,
        )


class Campaigns:
    """Campaigns, by name. Safe between threads."""

    def __init__(self, table: Table, retention: timedelta) -> None:
        self._table = table
        self._retention = retention
        self._sure: dict[str, None] = {}

    def get(self, campaign: str) -> Campaign | None:
        """Return a campaign as it is now, read consistently; ``None`` if nobody has named it.

        A cancel that was written down before this began is heeded.
        """
        row = self._table.get({"campaign": campaign})
        return Campaign.of(row) if row else None

    def name(
        self, campaign: str, *, now: datetime, source: str = QUEUE, digest: str | None = None
    ) -> Campaign | None:
        """Write a campaign down; return what stands there instead if somebody has named it before."""
        row = {
            "campaign": campaign,
            "created_at": beijing.iso(now),
            "day": beijing.day(now),
            "source": source,
            "digest": digest,
            "expires_at": int((now + self._retention).timestamp()),
        }
        try:
            self._table.put(row, only_if=Attr("campaign").not_exists())
        except Moved as moved:
            return Campaign.of(moved.standing or row)
        return None

    def cancel(self, campaign: str, *, now: datetime) -> datetime:
        """Write down that a campaign is cancelled, named or not; return since when.

        The row lives on from then: as long as it does, nothing of this label is sent.
        """
        if self.get(campaign) is None:
            self.name(campaign, now=now, source=CANCEL)
        expires_at = int((now + self._retention).timestamp())
        mark = Change({"cancelled_at": beijing.iso(now), "expires_at": expires_at})
        try:
            self._table.update({"campaign": campaign}, mark, only_if=Attr("cancelled_at").not_exists())
        except Moved as moved:
            return Campaign.of(moved.standing or {"campaign": campaign}).cancelled or now
        return now

    def make_sure(self, campaign: str, *, now: datetime) -> None:
        """See to it that a campaign is there; what this process has seen once it need not look for again."""
        if campaign in self._sure:
            return
        if self.get(campaign) is None:
            self.name(campaign, now=now)
        if len(self._sure) >= _MOST_REMEMBERED:
            self._sure.clear()
        self._sure[campaign] = None
