"""``python -m tests.console.large``: the console before a hundred thousand sends, which are made up as asked.

The library's own speed on such tables is measured elsewhere; this is about what the pages make of its answers.
"""

import json
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any

from kuaixintong.core.answers import (
    Answered,
    CampaignCounts,
    CampaignLine,
    Conversation,
    Event,
    Happened,
    SendLine,
    Sent,
)
from kuaixintong.core.delivery import Delivery, MobileStatus
from kuaixintong.core.pages import Page
from kxt.console.desk import Desk
from kxt.console.serving import serve

SENDS = 100_000
MOBILES = 10_000
EVENTS = 1_000
SECONDS = 2.0  # of a count
_MOMENT = "2026-11-25T08:00:00.000+08:00"

type Progress = Callable[[int], None]


def mobile(number: int) -> str:
    """Return the mobile of a send."""
    return f"138{number:08d}"


class LargeLookup:
    """As much of a look-up as the pages ask."""

    def campaign(self, campaign: str) -> CampaignLine:
        return CampaignLine(campaign, _MOMENT, "people.csv")

    def of_campaign(self, campaign: str, **_: Any) -> Page[SendLine]:
        lines = (
            SendLine(f"{campaign}:{number}", _MOMENT, 1, {"ACCEPTED": 1}, 1, mobile(number))
            for number in range(10)
        )
        return Page(tuple(lines))

    def counts_of_campaign(self, campaign: str, *, progress: Progress) -> CampaignCounts:
        for seen in range(0, SENDS, SENDS // 20):
            progress(seen)
            time.sleep(SECONDS / 20)
        return CampaignCounts(campaign, SENDS, {"ACCEPTED": SENDS - 10, "REJECTED": 10})

    def statuses_of_campaign(self, campaign: str, *, progress: Progress | None = None) -> Iterator[MobileStatus]:
        for number in range(SENDS):
            if progress and number % 1_000 == 0:
                progress(number)
                time.sleep(SECONDS / 100)
            yield MobileStatus(f"{campaign}:{number}", "1", mobile(number), Delivery.DELIVERED, "ACCEPTED")

    def send(self, send_id: str) -> SendLine:
        return SendLine(send_id, _MOMENT, 1, {"ACCEPTED": 1}, MOBILES, mobile(0), content="text")

    def history(self, _send_id: str) -> list[Happened]:
        return [Happened(_MOMENT, "1", "ACCEPTED", code=0)]

    def statuses(self, send_id: str, **_: Any) -> Iterator[MobileStatus]:
        for number in range(MOBILES):
            yield MobileStatus(send_id, "1", mobile(number), Delivery.DELIVERED, "ACCEPTED")

    def of_mobile(self, number: str, *, size: int, page: str | None = None) -> Conversation:
        begin = int(page or 0)
        events = tuple(self._event(place) for place in range(begin, min(begin + size, EVENTS)))
        return Conversation(number, events, str(begin + size) if begin + size < EVENTS else None)

    @staticmethod
    def _event(place: int) -> Event:
        at = f"2026-11-25T{(EVENTS - place) // 60:02d}:{(EVENTS - place) % 60:02d}:00.000+08:00"
        if place % 2:
            return Answered(at, f"answer {place}", at)
        return Sent(at, f"send-{place}", "1", "ACCEPTED", Delivery.DELIVERED, content=f"text {place}", token="1")


class LargeStack:
    """A stack with nothing but a look-up."""

    lookup = LargeLookup()


def main() -> int:
    """Serve until told to stop."""

    def tell(link: str) -> None:
        sys.stdout.write(f"{json.dumps({'link': link, 'control': ''})}\n")
        sys.stdout.flush()

    serve(Desk(LargeStack(), name="large"), port=0, tell=tell)
    return 0


if __name__ == "__main__":
    sys.exit(main())
