"""The read side: what became of a send, a mobile, a campaign, a day, and what needs a person.

A delivery status is read, never maintained: the parts of the send, then the reports of each part's token. So it
cannot be wrong about a report that came before the token was noted, or in pieces, or twice.

::

    from kuaixintong.status import delivery_status, lookup

    delivery_status("order-4711").mobiles        # {"13708600860": "delivered", "18930612517": "failed"}

    lookup().of_mobile("13708600860").events     # sends, reports and MOs, newest first
    lookup().of_day("2026-11-25").items          # its sends, newest first, and .next for the next page
    lookup().counts_of_campaign("autumn").states # {"ACCEPTED": 99_990, "REJECTED": 10}

What can be long is answered in pages, whose ``next`` is text that can travel, or streamed: memory is bounded
whatever the size of the tables. Every call raises :class:`~kuaixintong.core.errors.StoreUnavailable` when DynamoDB
does not answer, and :class:`~kuaixintong.core.errors.SettingsMissing` if it needs a table that was not named.
"""

import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import datetime, timedelta
from functools import cache
from typing import Any

from kuaixintong import wiring
from kuaixintong.conversation import Conversations
from kuaixintong.core.answers import (
    Answered,
    Balance,
    CampaignCounts,
    CampaignLine,
    Conversation,
    DeliveryStatus,
    Event,
    Fact,
    Happened,
    Item,
    PartStatus,
    Progress,
    Reported,
    SendLine,
    Sent,
)
from kuaixintong.core.delivery import (
    Delivery,
    MobileStatus,
    Seen,
    Waiting,
    deliveries,
    left_out,
    tells,
    with_mobiles,
)
from kuaixintong.core.errors import SettingsMissing
from kuaixintong.core.ledger import Attention, is_no_send
from kuaixintong.core.limits import REPORTS_WITHIN
from kuaixintong.core.mobiles import normalise
from kuaixintong.core.pages import Page
from kuaixintong.following import Following
from kuaixintong.history import History
from kuaixintong.listing import Sends, campaign_line
from kuaixintong.settings import TableNames
from kuaixintong.stores.account import BALANCES_KEPT
from kuaixintong.stores.inbound import Inbound
from kuaixintong.stores.listings import Listings
from kuaixintong.stores.parts import Parts
from kuaixintong.stores.reports import Reports

__all__ = [
    "Answered",
    "Balance",
    "CampaignCounts",
    "CampaignLine",
    "Conversation",
    "Delivery",
    "DeliveryStatus",
    "Event",
    "Fact",
    "Happened",
    "Lookup",
    "MobileStatus",
    "Page",
    "PartStatus",
    "Progress",
    "Reported",
    "SendLine",
    "Sent",
    "delivery_status",
    "judge",
    "lookup",
    "with_mobiles",
]

THREADS = 8
"""Questions that a look-up asks at once, unless it is told otherwise."""


def judge(part: Item, reports: Iterable[Item], waiting: Waiting | None = None) -> PartStatus:
    """Return what the row of a part and its reports' rows say together.

    Without ``waiting``, what has no report is ``pending`` for ever.
    """
    kept = tuple(reports)
    return PartStatus(
        part=part["part"],
        state=part["state"],
        token=part.get("token"),
        fee=part.get("fee"),
        code=part.get("code"),
        words=part.get("words"),
        mobiles=deliveries(part, Seen(kept), waiting),
        invalid_mobiles=left_out(part),
        reports=kept,
        fingerprint=_fingerprint(part),
    )


def _fingerprint(part: Item) -> str | None:
    """Return the digest of a part's payload; a body that was refused is none, and leaves its id to another."""
    found: str | None = part.get("fingerprint")
    return None if is_no_send(found, part.get("refused", ())) else found


class Lookup:
    """Every question that the tables answer. Safe between threads.

    ``listings`` is needed for all but the parts of a send, the reports and the MOs. After ``reports_within`` a
    mobile without a report is ``unreported``. A question asks up to ``threads`` others at once; DynamoDB's client
    should have as many connections.
    """

    def __init__(
        self,
        parts: Parts,
        reports: Reports,
        inbound: Inbound,
        listings: Listings | None = None,
        *,
        reports_within: timedelta = REPORTS_WITHIN,
        threads: int = THREADS,
        clock: Callable[[], datetime] = wiring.now,
    ) -> None:
        self._parts = parts
        self._reports = reports
        self._inbound = inbound
        self._listings = listings
        self._within = reports_within
        self._threads = threads
        self._clock = clock

    # --- a send -------------------------------------------------------------------------------------------------

    def delivery_status(self, send_id: str) -> DeliveryStatus:
        """Return what became of a send, per part and per mobile, all at once: for sends of moderate size."""
        rows = [row for row in with_mobiles(self._parts.of_send(send_id)) if tells(row)]
        waiting = self._waiting()
        return DeliveryStatus(send_id, tuple(judge(row, self._reports_for(row), waiting) for row in rows))

    def send(self, send_id: str) -> SendLine | None:
        """Return a send as a list shows it, of any size at once; ``None`` if nothing is known of it."""
        return self._sends.of(send_id)

    def statuses(self, send_id: str, *, progress: Progress | None = None) -> Iterator[MobileStatus]:
        """Yield every mobile of a send with what became of it, part by part: for sends of any size.

        Mobiles that were left out come with their reason. ``progress`` is told how many rows of parts are done.
        """
        return self._following.of_send(send_id, self._waiting(), progress)

    def history(self, send_id: str) -> list[Happened]:
        """Return what happened to a send, oldest first: of each part its last 20 events, and its reports.

        Reports that came together and say the same are one event, with their number.
        """
        return History(self._parts, self._reports, threads=self._threads).of(send_id)

    def part_of(self, token: str) -> Item | None:
        """Return the part that the platform knows by ``token``, if its token has been noted."""
        return self._parts.of_token(token)

    # --- a mobile -----------------------------------------------------------------------------------------------

    def of_mobile(self, mobile: str, *, size: int = 50, page: str | None = None) -> Conversation:
        """Return everything to and from a mobile, newest first, ``size`` events a page, however it is written.

        Sends come with their state and what became of them, whether or not there is a report. ``page`` is the
        ``next`` of the page before. Raises :class:`~kuaixintong.core.errors.PageUnknown`.
        """
        listings = self._asked_listings()
        conversations = Conversations(listings, self._reports, self._inbound, threads=self._threads)
        return conversations.of(normalise(mobile) or mobile, self._waiting(), size=size, page=page)

    def reports_of_mobile(self, mobile: str) -> Iterator[Item]:
        """Yield a mobile's reports of all sends, as they were received, however the mobile is written."""
        return self._reports.of_mobile(normalise(mobile) or mobile)

    def mos_of_mobile(self, mobile: str) -> Iterator[Item]:
        """Yield the MOs of a mobile, oldest first, however the mobile is written."""
        return self._inbound.of_mobile(normalise(mobile) or mobile)

    # --- a campaign ---------------------------------------------------------------------------------------------

    def campaign(self, campaign: str) -> CampaignLine | None:
        """Return what is known of a campaign; ``None`` if nobody has named it."""
        row = self._asked_listings().campaign(campaign)
        return campaign_line(row) if row else None

    def of_campaign(self, campaign: str, *, size: int = 50, page: str | None = None) -> Page[SendLine]:
        """Return the sends of a campaign, newest first. Raises :class:`~kuaixintong.core.errors.PageUnknown`."""
        return self._sends.of_campaign(campaign, size=size, page=page)

    def counts_of_campaign(self, campaign: str, *, progress: Progress | None = None) -> CampaignCounts:
        """Count a campaign's sends, and its parts by state. Seconds for 100,000 sends."""
        return self._following.counts(campaign, progress)

    def statuses_of_campaign(self, campaign: str, *, progress: Progress | None = None) -> Iterator[MobileStatus]:
        """Yield every mobile of every send of a campaign with what became of it, in no particular order.

        It takes as long as asking for each token does. ``progress`` is told how many rows of parts are done; how
        many there are, :meth:`counts_of_campaign` tells (``parts`` and ``divided`` together).
        """
        return self._following.of_campaign(campaign, self._waiting(), progress)

    # --- a day --------------------------------------------------------------------------------------------------

    def of_day(self, day: str, *, size: int = 50, page: str | None = None) -> Page[SendLine]:
        """Return the sends that were noted on a Beijing day, ``yyyy-MM-dd``, and have no campaign; newest first.

        ``page`` is the ``next`` of the page before. Raises :class:`~kuaixintong.core.errors.PageUnknown`.
        """
        return self._sends.of_day(day, size=size, page=page)

    def campaigns_of_day(self, day: str, *, size: int = 50, page: str | None = None) -> Page[CampaignLine]:
        """Return the campaigns that were named first on a Beijing day, newest first."""
        return self._sends.campaigns_of_day(day, size=size, page=page)

    def mos_of_day(self, day: str) -> Iterator[Item]:
        """Yield the MOs of a Beijing day, ``yyyy-MM-dd``, oldest first."""
        return self._inbound.of_day(day)

    # --- the rest -----------------------------------------------------------------------------------------------

    def reports_of_token(self, token: str) -> Iterator[Item]:
        """Yield the reports of one part."""
        return self._reports.of_token(token)

    def attention(self) -> Iterator[Item]:
        """Yield every part that a person should look at, with a sentence that says why and what to do."""
        for reason in Attention:
            yield from self._parts.needing(reason)

    def balances(self, cid: str) -> list[Balance]:
        """Return the account's last balances, oldest first: at most 300."""
        row = self._asked_listings().account(f"{cid}:balances") or {}
        return [Balance(at, sm, mm) for at, sm, mm in row.get("balances", ())[-BALANCES_KEPT:]]

    # --- what they stand on -------------------------------------------------------------------------------------

    @property
    def _sends(self) -> Sends:
        return Sends(self._asked_listings(), threads=self._threads)

    @property
    def _following(self) -> Following:
        return Following(self._asked_listings(), self._reports, threads=self._threads)

    def _asked_listings(self) -> Listings:
        if self._listings is None:
            raise SettingsMissing(
                "This look-up was built without listings; it knows sends, reports and MOs alone."
            )
        return self._listings

    def _waiting(self) -> Waiting:
        return Waiting(self._clock(), self._within)

    def _reports_for(self, part: Mapping[str, Any]) -> Iterator[Item]:
        return self._reports.of_token(part["token"]) if "token" in part else iter(())


@cache
def lookup() -> Lookup:
    """Return the look-up for the tables that the environment names.

    ``SENDS_TABLE``, ``REPORTS_TABLE`` and ``INBOUND_TABLE`` have to be there; ``OUTBOUND_TABLE``,
    ``CAMPAIGNS_TABLE``, ``MOBILES_TABLE`` and ``ACCOUNT_TABLE`` for the questions that need them.
    ``REPORTS_WITHIN_HOURS``, 72 if it is missing, is how long a report is waited for.
    """
    from kuaixintong.wiring.reading import reader  # noqa: PLC0415  # it builds what this module describes

    return reader(TableNames.read(os.environ))


def delivery_status(send_id: str) -> DeliveryStatus:
    """Return what became of a send, with the tables that the environment names."""
    return lookup().delivery_status(send_id)
