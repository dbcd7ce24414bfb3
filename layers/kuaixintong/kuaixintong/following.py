"""How far a campaign or a large send is: counted and streamed, with progress, in bounded memory."""

from collections import Counter
from collections.abc import Iterable, Iterator
from functools import partial
from itertools import islice

from kuaixintong.core.answers import CampaignCounts, Item, Progress
from kuaixintong.core.delivery import MobileStatus, Seen, Waiting, statuses, tells, with_mobiles
from kuaixintong.core.ledger import State
from kuaixintong.core.rows import campaign_shards
from kuaixintong.core.sends import first_level
from kuaixintong.readahead import as_they_come, in_order
from kuaixintong.stores.listings import ROWS_AT_ONCE, Listings
from kuaixintong.stores.reports import Reports

_JUDGED = (
    *("state", "token", "accepted_at", "asked_at", "at_time"),
    *("mobiles", "positions", "invalid_mobiles"),
)

_SAID = ("mobile", "success", "result_code", "received_at")

_KEYS_AT_ONCE = 10_000
"""About as many as DynamoDB's page of 1 MB holds, which ends it in any case."""

_MOBILES_AHEAD = 60_000
"""Mobiles of parts that are read ahead: about 60 MB, with their reports."""

_LEAST = 500
"""What a part of few mobiles weighs: so many of them are read ahead as keep all threads busy, and no more."""


_WHOLE = 100
"""Reports of how many mobiles are read whole: to name the attributes that are wanted costs more than they do."""


class Following:
    """Counts and streams. ``threads`` bounds how many questions are asked at once."""

    def __init__(self, listings: Listings, reports: Reports, *, threads: int) -> None:
        self._listings = listings
        self._reports = reports
        self._threads = threads

    # --- a campaign's states ------------------------------------------------------------------------------------

    def counts(self, campaign: str, progress: Progress | None) -> CampaignCounts:
        """Count a campaign's parts by state, all shards side by side."""
        states: Counter[str] = Counter()
        sends = 0
        shards = [partial(self._counted, shard) for shard in campaign_shards(campaign)]
        for more_sends, more_states in as_they_come(shards, threads=len(shards)):
            sends += more_sends
            states += more_states
            if progress:
                progress(states.total())
        divided = states.pop(State.SPLIT, 0)
        return CampaignCounts(campaign, sends, dict(states), divided)

    def _counted(self, shard: str) -> Iterator[tuple[int, Counter[str]]]:
        for page in self._listings.states(shard):
            yield (
                sum(row["part"]["S"] == "1" for row in page),
                Counter(row["state"]["S"] for row in page),
            )

    # --- statuses -----------------------------------------------------------------------------------------------

    def of_campaign(self, campaign: str, waiting: Waiting, progress: Progress | None) -> Iterator[MobileStatus]:
        """Yield every mobile of a campaign, shard by shard, oldest first in each."""
        keys = (
            key
            for shard in campaign_shards(campaign)
            for key in self._listings.in_order(shard, at_once=_KEYS_AT_ONCE)
        )
        return self._judged(self._in_batches(keys), waiting, progress)

    def of_send(self, send_id: str, waiting: Waiting, progress: Progress | None) -> Iterator[MobileStatus]:
        """Yield every mobile of a send, part by part."""
        rows = with_mobiles(self._listings.parts_of(send_id, (*_JUDGED, "divided")))
        return self._judged(rows, waiting, progress)

    def _judged(self, rows: Iterable[Item], waiting: Waiting, progress: Progress | None) -> Iterator[MobileStatus]:
        """Yield the mobiles of parts, in the parts' order; the tokens' reports are asked for ahead."""

        def judged(row: Item) -> list[MobileStatus]:
            if not tells(row):
                return []
            row = self._with_mobiles(row)
            return list(statuses(row, Seen(self._reports_for(row)), waiting))

        parts = in_order(judged, rows, threads=self._threads, ahead=_MOBILES_AHEAD, weight=_weight)
        for number, mobiles in enumerate(parts, start=1):
            yield from mobiles
            if progress:
                progress(number)

    def _reports_for(self, row: Item) -> Iterator[Item]:
        """Yield a part's reports: where there are many, no more of each than is judged by."""
        if "token" not in row:
            return iter(())
        many = len(row.get("mobiles", ())) > _WHOLE
        return self._reports.of_token(row["token"], fields=_SAID if many else ())

    def _in_batches(self, keys: Iterator[Item]) -> Iterator[Item]:
        """Yield rows as far as they are read: twice as many at once after a batch of parts with few mobiles."""
        many = True  # until it is seen
        while batch := [*islice(keys, ROWS_AT_ONCE if many else 2 * ROWS_AT_ONCE)]:
            many = False
            for row in self._rows(batch):
                many = many or _weight(row) > _LEAST
                yield row

    def _rows(self, keys: Iterable[Item]) -> Iterator[Item]:
        """Yield the rows of parts, in order, as many as are there."""
        order = [(key["send_id"], key["part"]) for key in keys]
        found = self._listings.rows(order, _JUDGED)
        for key in order:
            if row := found.pop(key, None):
                yield row

    def _with_mobiles(self, row: Item) -> Item:
        """Return a row with its mobiles: those of a half stand in the first-level part until its end."""
        if "positions" not in row or "mobiles" in row:
            return row
        whole = self._listings.row(row["send_id"], first_level(row["part"]), ("divided",)) or {}
        begin, end = row["positions"]
        return row | {"mobiles": whole.get("divided", [])[begin:end]}


def _weight(row: Item) -> int:
    """Return how many mobiles a part has; one of few counts for more."""
    begin, end = row.get("positions", (0, 0))
    return max(_LEAST, len(row.get("mobiles", ())), int(end) - int(begin))
