"""A file of people, enqueued: checked as a whole, and once, however often it is cut off and run again.

::

    from pathlib import Path

    from kuaixintong.importing import Import
    from kuaixintong.stack import Stack

    people = Import.read(Path("people.csv"), text="{name}，您好", campaign="spring-2026")
    if not people.plan.faults:
        stack = Stack.of("kuaixintong-prod")
        people.claim(stack.campaigns)
        for outcome in people.enqueue(stack.outbox):
            ...

The campaign's row holds the digest of the file and of all that decides on the sends. A file that has changed since
is told by it, and refused. Its sends have the same ids in every run, so what is enqueued twice is sent once.
"""

import hashlib
import json
import os
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from kuaixintong import sheets
from kuaixintong.core.enqueueing import Enqueued, NotEnqueued, previewed
from kuaixintong.core.errors import FileRefused
from kuaixintong.core.people import Fault, Plan, TableWrong, Text, plan

if TYPE_CHECKING:
    from kuaixintong.optouts import OptOuts
    from kuaixintong.producer import Outbox
    from kuaixintong.stores.campaigns import Campaigns

_SAMPLE = {"mobiles": ["13700000000"], "content": "x"}


@dataclass(frozen=True, slots=True)
class Import:
    """A file as it would be enqueued under ``campaign``. ``common`` are the fields that all its sends share.

    ``source`` is the file's name, ``digest`` that of the file and of all that decides on its sends, ``since`` when
    the campaign was written down (ISO 8601), once it is claimed.
    """

    plan: Plan
    campaign: str
    common: Mapping[str, Any]
    source: str
    digest: str
    since: str | None = field(default=None, compare=False)

    @classmethod
    def read(
        cls,
        path: Path,
        *,
        text: str,
        campaign: str,
        mobile: str | None = None,
        sheet: str | None = None,
        leave_out: bool = False,
        **common: Any,
    ) -> Self:
        """Read and check a file; what is wrong with it stands in ``plan.faults``.

        ``mobile`` names the column of mobiles and ``sheet`` a workbook's sheet; ``common`` are fields of a send.
        With ``leave_out``, rows with faults are left out and all others are sent. Raises
        :class:`~kuaixintong.core.errors.SendRefused` if campaign or fields break a rule.
        """
        fields = {name: value for name, value in common.items() if value is not None}
        previewed({**_SAMPLE, **fields, "campaign": campaign, "id": f"{campaign}:1"})
        try:
            opened = sheets.read(path, sheet)
            made = plan(opened.table, Text.of(text), mobile=mobile)
        except TableWrong as wrong:
            return cls(Plan(faults=[wrong.fault]), campaign, fields, path.name, "")
        asked = {"text": text, "mobile": mobile, "sheet": sheet, "leave_out": leave_out, **fields}
        told = json.dumps([opened.digest, asked], sort_keys=True)
        digest = hashlib.sha256(told.encode()).hexdigest()
        return cls(made, campaign, fields, path.name, digest)

    def opted_out(self, optouts: "OptOuts") -> list[Fault]:
        """Return a note for each person who has opted out: the sender leaves them out of marketing."""
        out = (each.mobile for each in optouts.list())
        return self.plan.among(out, "has opted out, and is left out.")

    def claim(self, campaigns: "Campaigns", *, now: datetime | None = None) -> "Import":
        """Write the campaign down, or find this very file there: return the import as it is to be enqueued.

        Raises :class:`FileRefused` if the campaign is something else's, or cancelled.
        """
        moment = now or datetime.now(UTC)
        standing = campaigns.name(self.campaign, now=moment, source=self.source, digest=self.digest)
        if standing is None:
            standing = campaigns.get(self.campaign)
        if standing is None or standing.cancelled:
            raise FileRefused(f"The campaign {self.campaign} is cancelled: nothing is sent under it any more.")
        if standing.digest != self.digest:
            what = f"the file {standing.source}" if standing.digest else f"sends that came by {standing.source}"
            raise FileRefused(
                f"The campaign {self.campaign} stands for {what} since {standing.created_at}, and this is another "
                "file, another text or other options. Nothing was enqueued. Take a campaign of its own, or the "
                "file as it was."
            )
        return replace(self, since=standing.created_at)

    def enqueue(self, outbox: "Outbox", bookmark: "Bookmark | None" = None) -> Iterator[Enqueued | NotEnqueued]:
        """Enqueue the sends; yield what became of each when its batch has gone.

        With a ``bookmark``, it goes on after what had gone in without a gap, and moves it along.
        """
        start = bookmark.place if bookmark else 0
        gap = False
        try:
            for outcome in outbox.send_each(self.plan.fields(self.campaign, self.common, start=start)):  # type: ignore[arg-type]
                gap = gap or isinstance(outcome, NotEnqueued)
                if bookmark and not gap:
                    bookmark.move()
                yield outcome
        finally:
            if bookmark:
                bookmark.keep()

    def bookmark(self, where: str) -> "Bookmark":
        """Return where this import was when this machine last enqueued it to ``where``, a queue's URL."""
        key = hashlib.sha256("\n".join((where, self.campaign, self.digest)).encode()).hexdigest()[:32]
        return Bookmark(_states() / key, since=self.since or "")


class Bookmark:
    """How many of an import's sends are enqueued, kept on this machine so that a second run goes on from there.

    It counts only for the very campaign that it was kept for, ``since`` when it was written down. Lost, it costs
    time and nothing else.
    """

    _EVERY = 200

    def __init__(self, path: Path, *, since: str) -> None:
        self._path = path
        self._since = since
        self.place = 0
        with suppress(OSError, ValueError):
            kept, place = path.read_text("utf-8").split("\n")
            self.place = int(place) if kept == since else 0

    def move(self) -> None:
        """Note one more send, now and then on the disk."""
        self.place += 1
        if self.place % self._EVERY == 0:
            self.keep()

    def keep(self) -> None:
        """Write it down, in one piece, if this machine lets us."""
        draft = self._path.with_suffix(f".{os.getpid()}")
        with suppress(OSError):
            self._path.parent.mkdir(parents=True, exist_ok=True)
            draft.write_text(f"{self._since}\n{self.place}", "utf-8")
            draft.replace(self._path)


def _states() -> Path:
    told = os.environ.get("XDG_STATE_HOME")
    return (Path(told) if told else Path.home() / ".local" / "state") / "kxt" / "imports"


def write_faults(path: Path, faults: list[Fault]) -> None:
    """Write a list of faults as a CSV file that spreadsheets open as it is."""
    import csv  # noqa: PLC0415  # nothing else here needs it

    from kuaixintong.exporting import cell  # noqa: PLC0415

    with path.open("w", encoding="utf-8-sig", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(("line", "what is wrong"))
        rows.writerows((fault.line or "", cell(fault.words)) for fault in faults)
