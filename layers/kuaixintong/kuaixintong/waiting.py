"""Waiting for sends to come to their end, for whoever has enqueued them and stays."""

import time
from collections.abc import Callable, Collection, Sequence
from itertools import chain, repeat
from typing import TYPE_CHECKING

from kuaixintong.core.ledger import FINAL, OPEN
from kuaixintong.core.sends import first_level

if TYPE_CHECKING:
    from kuaixintong.core.answers import CampaignCounts
    from kuaixintong.core.enqueueing import Enqueued
    from kuaixintong.status import DeliveryStatus, Lookup

_PAUSES = (0.2, 0.3, *(0.5,) * 10, *(1.0,) * 20)
_LATER = 3.0
"""Seconds between looks: most sends are through in a second or two, and what is not may take hours."""

_LOOK_AGAIN = 2.0
_STANDS_STILL = 30.0
"""Seconds between looks at a campaign, and how long one has to stand still."""


def are_final(statuses: "Sequence[DeliveryStatus]", parts: int) -> bool:
    """Whether nothing will be sent any more of sends that have so many first-level parts together."""
    states = {(status.send_id, first_level(part.part)) for status in statuses for part in status.parts}
    return len(states) >= parts and all(part.state in FINAL for status in statuses for part in status.parts)


def another_has_the_id(enqueued: "Enqueued", statuses: "Sequence[DeliveryStatus]") -> bool:
    """Whether an earlier send under the same id was looked up, with another payload: this one is refused."""
    known = {part.fingerprint for status in statuses for part in status.parts if part.fingerprint}
    return enqueued.fingerprint is not None and bool(known) and enqueued.fingerprint not in known


def until_final(
    lookup: "Lookup",
    send_ids: Collection[str],
    *,
    parts: int,
    tell: "Callable[[list[DeliveryStatus]], None]" = lambda _statuses: None,
    seconds: float | None = None,
    sleep: Callable[[float], None] = time.sleep,
    monotonic: Callable[[], float] = time.monotonic,
) -> "list[DeliveryStatus]":
    """Return what became of sends once all their ``parts`` are final, or once ``seconds`` have passed.

    ``tell`` is told at each look. Raises :class:`~kuaixintong.core.errors.StoreUnavailable`.
    """
    began = monotonic()
    for pause in chain(_PAUSES, repeat(_LATER)):
        statuses = [lookup.delivery_status(send_id) for send_id in send_ids]
        tell(statuses)
        if are_final(statuses, parts) or (seconds is not None and monotonic() - began + pause > seconds):
            break
        sleep(pause)
    return statuses


def until_settled(
    lookup: "Lookup",
    campaign: str,
    *,
    queued: Callable[[], int],
    tell: "Callable[[CampaignCounts], None]" = lambda _counts: None,
    sleep: Callable[[float], None] = time.sleep,
    monotonic: Callable[[], float] = time.monotonic,
) -> "CampaignCounts":
    """Return how far a campaign has come, once none of its parts is open and no more of it is to be expected.

    What still lies in a lane has no row, and is no part yet: ``queued`` tells how many messages the lanes hold.
    They may be somebody else's, so a campaign that has stood still for half a minute is at its end all the same.
    """
    before, since = None, monotonic()
    while True:
        waiting = queued()  # before the counting: what leaves a lane meanwhile has its row by then
        counts = lookup.counts_of_campaign(campaign)
        tell(counts)
        if counts != before:
            before, since = counts, monotonic()
        still = monotonic() - since >= _STANDS_STILL
        if counts.parts and not any(counts.states.get(each) for each in OPEN) and (not waiting or still):
            return counts
        sleep(_LOOK_AGAIN)
