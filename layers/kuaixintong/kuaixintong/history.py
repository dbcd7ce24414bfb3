"""What happened to a send, in one order of time: its parts' events and its reports."""

from collections.abc import Iterator
from itertools import chain

from kuaixintong.core.answers import Happened, Item
from kuaixintong.readahead import in_order
from kuaixintong.stores.parts import Parts
from kuaixintong.stores.reports import Reports

REPORT = "report"

_TOLD = ("mobile", "received_at", "result_code", "success")


class History:
    """Histories of sends. ``threads`` bounds how many tokens are asked for at once."""

    def __init__(self, parts: Parts, reports: Reports, *, threads: int) -> None:
        self._parts = parts
        self._reports = reports
        self._threads = threads

    def of(self, send_id: str) -> list[Happened]:
        """Return it, oldest first."""
        rows = self._parts.histories(send_id)
        found = in_order(self._of_part, rows, threads=self._threads, ahead=2 * self._threads)
        return sorted(chain.from_iterable(found), key=lambda each: each.at)

    def _of_part(self, row: Item) -> list[Happened]:
        events = [_event(row["part"], each) for each in row.get("history", ())]
        return [*events, *self._reported(row)]

    def _reported(self, row: Item) -> Iterator[Happened]:
        """Yield a part's reports, those together that came in one push and say the same."""
        together: dict[tuple[str, str, bool], tuple[int, str]] = {}
        for report in self._reports.of_token(row["token"], fields=_TOLD) if "token" in row else ():
            key = (report["received_at"], report["result_code"], report["success"])
            count, mobile = together.get(key, (0, report["mobile"]))
            together[key] = (count + 1, mobile)
        for (at, code, success), (count, mobile) in together.items():
            yield Happened(
                at, row["part"], REPORT, words=code, success=success, count=count,
                mobile=mobile if count == 1 else None,
            )  # fmt: skip


def _event(part: str, event: Item) -> Happened:
    return Happened(
        at=event["time"],
        part=part,
        event=event["event"],
        timestamp=event.get("timestamp"),
        code=event.get("code"),
        words=event.get("words"),
    )
