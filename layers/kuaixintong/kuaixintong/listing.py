"""Sends in lists: a day's and a campaign's, newest first, in pages (contract, section 4).

Both listings are spread over shards. A page takes as many rows as it needs from each, side by side, and the newest
of them: so it costs the same on a table of any size.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import batched, groupby
from operator import itemgetter
from typing import Any

from kuaixintong.core import pages
from kuaixintong.core.answers import CampaignLine, Item, SendLine
from kuaixintong.core.ledger import State
from kuaixintong.core.pages import Page
from kuaixintong.core.rows import campaign_shards, day_shards
from kuaixintong.readahead import in_order
from kuaixintong.stores.listings import ROWS_AT_ONCE, Listings

_TO_SEE = 2
"""Rows beyond a page: one tells that there is another page, and one that all of its moment have been seen."""

type Place = tuple[str, ...]
type Found = tuple[Place, Item]
"""A row and its place in a listing: first its moment, then what makes it the only one."""

_LINE = (
    *("created_at", "updated_at", "parts", "state", "content", "category", "campaign", "at_time"),
    *("code", "words", "attention", "mobiles", "divided"),
)


@dataclass(frozen=True, slots=True)
class _Shelf:
    """A listing of one subject: its shards, and how one of them is asked for."""

    listing: str
    subject: str
    shards: Sequence[str]
    ask: Callable[..., Iterator[Item]]


class Sends:
    """Pages of sends. ``threads`` bounds how many questions are asked at once."""

    def __init__(self, listings: Listings, *, threads: int) -> None:
        self._listings = listings
        self._threads = threads

    def of(self, send_id: str) -> SendLine | None:
        """Return one send's line; ``None`` if nothing is known of it."""
        row = self._listings.rows([(send_id, "1")], _LINE).get((send_id, "1"))
        return self._line(_without_mobiles({"send_id": send_id, **row})) if row else None

    def of_day(self, day: str, *, size: int, page: str | None) -> Page[SendLine]:
        """Return sends of a Beijing day that belong to no campaign."""
        return self._page(_Shelf("day", day, day_shards(day), self._listings.of_day), size, page)

    def of_campaign(self, campaign: str, *, size: int, page: str | None) -> Page[SendLine]:
        """Return sends of a campaign."""
        shelf = _Shelf("campaign", campaign, campaign_shards(campaign), self._listings.of_campaign)
        return self._page(shelf, size, page)

    def campaigns_of_day(self, day: str, *, size: int, page: str | None) -> Page[CampaignLine]:
        """Return campaigns that were named first on a Beijing day."""
        size = pages.sized(size)
        after = pages.place(page, "campaigns", day)
        rows = self._listings.campaigns_of(day, up_to=after[0] if after else None, at_once=size + _TO_SEE)
        found = newest(rows, size + 1, after, _place_of_campaign)
        return _cut("campaigns", day, size, found, [campaign_line(row) for _, row in found[:size]])

    def _page(self, shelf: _Shelf, size: int, page: str | None) -> Page[SendLine]:
        size = pages.sized(size)
        after = pages.place(page, shelf.listing, shelf.subject)

        def of_shard(shard: str) -> list[Found]:
            keys = shelf.ask(shard, up_to=after[0] if after else None, at_once=size + _TO_SEE)
            return newest((key for key in keys if key["part"] == "1"), size + 1, after, _place_of_send)

        whole = in_order(of_shard, shelf.shards, threads=self._threads, ahead=len(shelf.shards))
        found = sorted((each for shard in whole for each in shard), key=itemgetter(0), reverse=True)[: size + 1]
        lines = list(self._lines(key for _, key in found[:size]))
        return _cut(shelf.listing, shelf.subject, size, found, lines)

    def _lines(self, keys: Iterable[Item]) -> Iterator[SendLine]:
        """Yield what the rows of these sends say, in the order of their keys."""
        rows = (row for batch in batched(keys, ROWS_AT_ONCE, strict=False) for row in self._first_parts(batch))
        return in_order(self._line, rows, threads=self._threads, ahead=2 * self._threads)

    def _first_parts(self, keys: tuple[Item, ...]) -> Iterator[Item]:
        rows = self._listings.rows([(key["send_id"], "1") for key in keys], _LINE)
        for key in keys:
            yield _without_mobiles(key | rows.get((key["send_id"], "1"), {}))

    def _line(self, row: Item) -> SendLine:
        if row.get("parts", 1) == 1 and row.get("state") != State.SPLIT:
            return _line_of(row, {row["state"]: 1} if "state" in row else {})
        parts = self._listings.parts_of(row["send_id"], ("state",))
        return _line_of(row, Counter(part["state"] for part in parts if part["state"] != State.SPLIT))


def newest(
    rows: Iterable[Item], count: int, after: Place | None, place_of: Callable[[Item], Place]
) -> list[Found]:
    """Return the first ``count`` of rows that come newest first, after a place.

    Rows of one moment come in any order from an index; they are put into one that every page keeps to. So the rows
    of the last moment are all read.
    """
    found: list[Found] = []
    placed = ((place_of(row), row) for row in rows)
    for _, moment in groupby(placed, key=lambda each: each[0][0]):
        found += sorted(
            (each for each in moment if after is None or each[0] < after), key=itemgetter(0), reverse=True
        )
        if len(found) >= count:
            break
    return found[:count]


def campaign_line(row: Mapping[str, Any]) -> CampaignLine:
    """Return what a campaign's row says."""
    return CampaignLine(
        campaign=row["campaign"],
        created_at=row.get("created_at"),
        source=row.get("source"),
        digest=row.get("digest"),
        cancelled_at=row.get("cancelled_at"),
    )


def _cut[T](listing: str, subject: str, size: int, found: list[Found], items: list[T]) -> Page[T]:
    more = len(found) > size
    return Page(tuple(items), pages.token(listing, subject, found[size - 1][0]) if more else None)


def _place_of_send(key: Item) -> Place:
    return key["created_at"], key["send_id"]


def _place_of_campaign(row: Item) -> Place:
    return row["created_at"], row["campaign"]


def _without_mobiles(row: Item) -> Item:
    """Ten thousand mobiles shrink to their number and the first."""
    mobiles = row.pop("mobiles", None) or row.pop("divided", None) or ()
    return row | {"count": len(mobiles), "first": mobiles[0] if mobiles else None}


def _line_of(row: Item, states: Mapping[str, int]) -> SendLine:
    return SendLine(
        send_id=row["send_id"],
        created_at=row["created_at"],
        parts=row.get("parts", 1),
        states=dict(states),
        mobiles=row["count"],
        mobile=row["first"],
        content=row.get("content"),
        category=row.get("category", "notice"),
        campaign=row.get("campaign"),
        at_time=row.get("at_time"),
        updated_at=row.get("updated_at"),
        code=row.get("code"),
        words=row.get("words"),
        attention=row.get("attention"),
    )
