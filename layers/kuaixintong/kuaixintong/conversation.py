"""Everything to and from one mobile, in one order of time (contract, section 4).

What was sent stands in Outbound under the mobile, and what became of it in the part's row: the two are joined at
the reading, so that nothing is written again when a part moves.
"""

import heapq
from collections.abc import Iterable, Iterator
from functools import partial
from itertools import batched
from typing import Any

from kuaixintong.core import beijing, pages
from kuaixintong.core.answers import Answered, Conversation, Event, Fact, Item, Reported, Sent
from kuaixintong.core.delivery import Delivery, Seen, Waiting, left_out, silent
from kuaixintong.core.ledger import State
from kuaixintong.listing import Found, Place, newest
from kuaixintong.readahead import in_order
from kuaixintong.stores.inbound import Inbound
from kuaixintong.stores.listings import Listings
from kuaixintong.stores.query import MOST_KEYS
from kuaixintong.stores.reports import Reports

_TOLD = (
    *("state", "token", "created_at", "accepted_at", "asked_at", "at_time", "content", "category", "campaign"),
    *("code", "words", "attention", "invalid_mobiles"),
)
_NEVER = ""
"""The moment of a send whose row is not there: it comes last."""

_SENT, _REPORTED, _ANSWERED = "0", "1", "2"
"""Kinds of events in the order in which they follow each other, should they share a moment."""


class Conversations:
    """Pages of what is to and from a mobile. ``threads`` bounds how many questions are asked at once."""

    def __init__(self, listings: Listings, reports: Reports, inbound: Inbound, *, threads: int) -> None:
        self._listings = listings
        self._reports = reports
        self._inbound = inbound
        self._threads = threads

    def of(self, mobile: str, waiting: Waiting, *, size: int, page: str | None) -> Conversation:
        """Return a page. All that was ever sent to the mobile is looked through for it, 100 rows a call."""
        size = pages.sized(size)
        after = pages.place(page, "mobile", mobile)
        up_to = after[0] if after else None
        reported = self._newest_reports(mobile, size + 1, after, up_to)
        answered = self._newest_mos(mobile, size + 1, after, up_to)
        tokens = dict.fromkeys(row["token"] for _, row in reported)
        sent = heapq.nlargest(size + 1, self._sent(mobile, after, tokens), key=lambda each: each[0])
        found = heapq.nlargest(size + 1, [*sent, *reported, *answered], key=lambda each: each[0])
        tell = partial(self._told, mobile, waiting, tokens)
        events = in_order(tell, found[:size], threads=self._threads, ahead=2 * self._threads)
        return Conversation(
            mobile,
            tuple(events),
            pages.token("mobile", mobile, found[size - 1][0]) if len(found) > size else None,
            tuple(Fact(row["what"], row) for row in self._listings.facts_of(mobile)),
        )

    # --- what comes into question -------------------------------------------------------------------------------

    def _newest_reports(self, mobile: str, count: int, after: Place | None, up_to: str | None) -> list[Found]:
        if up_to == _NEVER:
            return []
        rows = self._reports.of_mobile(mobile, newest_first=True, up_to=up_to, at_once=count + 1)
        return newest(rows, count, after, _place_of_report)

    def _newest_mos(self, mobile: str, count: int, after: Place | None, up_to: str | None) -> list[Found]:
        if up_to == _NEVER:
            return []
        latest = f"{up_to[:10]} {up_to[11:23]}~" if up_to else None  # as the platform writes it, and all its keys
        rows = self._inbound.of_mobile(mobile, newest_first=True, up_to=latest, at_once=count + 1)
        return newest(rows, count, after, _place_of_mo)

    def _sent(self, mobile: str, after: Place | None, tokens: dict[str, Any]) -> Iterator[Found]:
        """Yield what went to the mobile after a place; note beside whose the ``tokens`` are."""
        batches = batched(self._listings.sends_to(mobile), MOST_KEYS, strict=False)
        for batch in in_order(self._joined, batches, threads=self._threads, ahead=self._threads):
            for outbound, row in batch:
                if row and row.get("token") in tokens:
                    tokens[row["token"]] = outbound["send_id"]
                place = (row["created_at"] if row else _NEVER, _SENT, outbound["send_id"])
                if after is None or place < after:
                    yield place, outbound

    def _joined(self, batch: Iterable[Item]) -> list[tuple[Item, Item | None]]:
        keys = {(each["send_id"], each["part"]): each for each in batch}
        rows = self._listings.rows([*keys], ("created_at", "token"))
        return [(each, rows.get(key)) for key, each in keys.items()]

    # --- one event ----------------------------------------------------------------------------------------------

    def _told(self, mobile: str, waiting: Waiting, tokens: dict[str, Any], found: Found) -> Event:
        (at, kind, *_), row = found
        if kind == _REPORTED:
            send_id = tokens[row["token"]] or self._listings.send_of(row["token"])
            return Reported(at, row["token"], row["result_code"], row["success"], send_id)
        if kind == _ANSWERED:
            return Answered(at, row["content"], row["smg_recv_date"], row.get("received_at"))
        return self._send_told(mobile, waiting, row["send_id"], row["part"])

    def _send_told(self, mobile: str, waiting: Waiting, send_id: str, part: str) -> Sent:
        row = self._listings.row(send_id, part, _TOLD)
        if row is None:
            return Sent(None, send_id, part, None, Delivery.PENDING)
        noted = row["created_at"]
        if row["state"] == State.SPLIT:
            row = self._half_with(mobile, row) or row
        reason = left_out(row).get(mobile)
        seen = Seen(self._reports.of_token(row["token"], mobile=mobile) if "token" in row else ())
        return Sent(
            at=noted,
            send_id=send_id,
            part=row["part"],
            state=row["state"],
            delivery=seen.of(mobile) or (Delivery.UNSENT if reason else silent(row, waiting)),
            content=row.get("content"),
            category=row.get("category", "notice"),
            campaign=row.get("campaign"),
            token=row.get("token"),
            code=row.get("code"),
            words=row.get("words"),
            at_time=row.get("at_time"),
            accepted_at=row.get("accepted_at"),
            attention=row.get("attention"),
            reason=reason,
        )

    def _half_with(self, mobile: str, whole: Item) -> Item | None:
        """Return the half that a mobile is in, of a part that was divided, however often."""
        divided = self._listings.row(whole["send_id"], whole["part"], ("divided",)) or {}
        if mobile not in divided.get("divided", ()):
            return None
        position = divided["divided"].index(mobile)
        halves = self._listings.parts_of(whole["send_id"], (*_TOLD, "positions"), within=whole["part"])
        for half in halves:
            begin, end = half["positions"]
            if half["state"] != State.SPLIT and begin <= position < end:
                return half
        return None


def _place_of_report(row: Item) -> Place:
    return row["received_at"], _REPORTED, row["token"], row["outcome"]


def _place_of_mo(row: Item) -> Place:
    return _moment_of(row), _ANSWERED, row["message_key"]


def _moment_of(row: Item) -> str:
    """Return when the gateway received an MO, in the form of all other times."""
    try:
        return beijing.iso(beijing.from_iso(f"{row['smg_recv_date']}+08:00"))
    except ValueError:
        return str(row["received_at"])
