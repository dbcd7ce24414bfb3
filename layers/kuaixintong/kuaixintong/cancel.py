"""Cancel: what is still ours is ended, and of everything else it is told how it stands (contract, section 2b).

::

    from kuaixintong.cancel import cancel, cancel_campaign

    cancel("order-4711").parts                  # {"1": State.CANCELLED}
    cancel_campaign("autumn").states            # {State.CANCELLED: 1_204, State.ACCEPTED: 796}

The tables are those that ``SENDS_TABLE`` and ``CAMPAIGNS_TABLE`` of the environment name; the credentials have to
permit ``Query``, ``PutItem``, ``UpdateItem`` and ``GetItem`` on both. A cancel may be cut off and made again.

What a row becomes is decided in :mod:`kuaixintong.core.ledger`; every write of it is conditional, so that no part
is ever both cancelled and accepted.
"""

import os
import time
import uuid
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import cache

from kuaixintong.core import ledger
from kuaixintong.core.due import part_of
from kuaixintong.core.errors import StoreUnavailable
from kuaixintong.core.ledger import Lapse, Note, Standing, Stands, State
from kuaixintong.core.rows import Rows
from kuaixintong.core.sends import Part, first_level
from kuaixintong.settings import CancelSettings
from kuaixintong.stores.campaigns import Campaigns
from kuaixintong.stores.dynamo import Item
from kuaixintong.stores.parts import Parts
from kuaixintong.stores.table import Moved, Table

THREADS = 16
"""Sends of a campaign that are ended side by side."""

RETENTION = timedelta(days=180)
"""How long rows live that a cancel itself brings forth, where nobody says what the stack's own retention is."""

_SETTLES = 30.0
"""Seconds after a campaign's mark at which a listing shows every part that was claimed without having seen it."""

_LOOK_AGAIN = 3.0
_PAUSES = (0.1, 0.3, 1.0, 3.0)
_TRIES = 50


@dataclass(frozen=True, slots=True)
class Stopped:
    """What a cancel of a send has come to.

    ``parts`` are the states of its parts, by name. Of those ``under_way`` a request is out: each ends by its
    answer if that is an acceptance or a refusal, and as ``CANCELLED`` or ``UNCONFIRMED`` else. ``unseen``: nothing
    had come under the id yet. A send that a producer shared out never comes under its own id, but as
    ``ID:1``, ``ID:2`` … of one campaign, which is what to cancel then.
    """

    send_id: str
    parts: Mapping[str, State]
    under_way: frozenset[str] = frozenset()
    unseen: bool = False


@dataclass(frozen=True, slots=True)
class StoppedCampaign:
    """What a cancel of a campaign has come to, or how far it is: how many parts are in which state.

    ``since`` is when it was cancelled first. Of the parts ``under_way`` a request is out.
    """

    campaign: str
    since: datetime
    states: Mapping[State, int]
    under_way: int = 0


type Progress = Callable[[StoppedCampaign], None]


def cancel(send_id: str) -> Stopped:
    """Cancel a send, known or not, in the tables that the environment names; see :meth:`Canceller.cancel`."""
    return _canceller().cancel(send_id)


def cancel_campaign(campaign: str, progress: Progress | None = None) -> StoppedCampaign:
    """Cancel all sends of a campaign; see :meth:`Canceller.cancel_campaign`."""
    return _canceller().cancel_campaign(campaign, progress=progress)


@cache
def _canceller() -> "Canceller":
    from kuaixintong.wiring.cancelling import canceller  # noqa: PLC0415  # it builds what this module describes

    return canceller(CancelSettings.read(os.environ))


class Canceller:
    """Ends sends and campaigns. Safe between threads.

    ``clock`` tells the time, and ``ahead`` by how many seconds it is ahead of the senders': whether a worker still
    holds a part is a question of their clocks. ``retention`` is how long rows live that a cancel brings forth.
    """

    def __init__(
        self,
        sends: Table,
        campaigns: Table,
        *,
        clock: Callable[[], datetime],
        ahead: Callable[[], float] = lambda: 0.0,
        retention: timedelta = RETENTION,
        monotonic: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
        threads: int = THREADS,
    ) -> None:
        self._parts = Parts(sends)
        self._campaigns = Campaigns(campaigns, retention)
        self._rows = Rows(retention, lease=timedelta())
        self._clock = clock
        self._ahead = ahead
        self._monotonic = monotonic
        self._sleep = sleep
        self._threads = threads

    def cancel(self, send_id: str) -> Stopped:
        """Cancel a send; what comes under its id later is cancelled, too.

        It does not wait for requests that are out. Raises :class:`StoreUnavailable`; what has been written stays.
        """
        return self._stop(send_id, now=self._now(), whole=True)

    def cancel_campaign(self, campaign: str, *, progress: Progress | None = None) -> StoppedCampaign:
        """Cancel all sends of a campaign, and whatever comes under its label later.

        It ends when a listing that was begun 30 s after the mark shows no part that is open: a request that is out
        is waited for, and where a worker died with one, its claim's end. ``progress`` is told after each look.
        Raises :class:`StoreUnavailable`; the mark and what has been written stay, and it can be called again.
        """
        since = self._campaigns.cancel(campaign, now=self._now())
        marked = self._monotonic()
        with ThreadPoolExecutor(self._threads, thread_name_prefix="cancel") as threads:
            while True:
                settled = self._monotonic() - marked >= _SETTLES
                found = self._look(campaign, since, threads)
                if progress:
                    progress(found)
                if settled and not found.under_way:
                    return found
                rest = _SETTLES - (self._monotonic() - marked)
                self._sleep(_LOOK_AGAIN if found.under_way or rest <= 0 else min(rest, 2 * _LOOK_AGAIN))

    def _look(self, campaign: str, since: datetime, threads: ThreadPoolExecutor) -> StoppedCampaign:
        """List a campaign's parts and end those that are open; return how they stand then.

        What the index shows as open may have come to its end since: the send's own rows are asked.
        """
        states, open_, under_way = Counter[State](), defaultdict[str, list[str]](list), 0
        for row in self._parts.of_campaign(campaign):
            state = State(row["state"])
            if state.final:
                states[state] += 1
            else:
                open_[row["send_id"]].append(row["part"])
        for stopped in threads.map(lambda send_id: self._stop(send_id, now=self._now(), at=since), open_):
            states.update(stopped.parts[part] for part in open_[stopped.send_id] if part in stopped.parts)
            under_way += len(stopped.under_way)
        return StoppedCampaign(campaign, since, states, under_way)

    # --- a send -------------------------------------------------------------------------------------------------

    def _stop(self, send_id: str, *, now: datetime, at: datetime | None = None, whole: bool = False) -> Stopped:
        """End what is open of a send; ``whole``: also what nobody has seen of it yet.

        Rows move while they are looked at. Each is decided on as it stands, and written on the condition that it
        still does; where it does not, all are looked at again.
        """
        pauses = iter(_PAUSES)
        for _ in range(_TRIES):
            try:
                rows = self._parts.to_stop(send_id)
                unseen = whole and not rows
                if whole:
                    rows += self._unseen(send_id, rows, now)
                return replace(self._stopped(send_id, rows, now, at), unseen=unseen)
            except Moved:
                continue
            except StoreUnavailable:  # throttled, or a transaction that divides a part has its row at this moment
                if (pause := next(pauses, None)) is None:
                    raise
                self._sleep(pause)
        raise StoreUnavailable(f"The rows of {send_id} keep moving.")

    def _stopped(self, send_id: str, rows: Iterable[Item], now: datetime, at: datetime | None) -> Stopped:
        parts, under_way = {}, set()
        for row in rows:
            standing = Standing.of(row)
            parts[row["part"]] = standing.state
            match ledger.cancel(standing, now=now, at=at):
                case Lapse() as end:
                    self._end(row, standing, end, now)
                    parts[row["part"]] = end.state
                case Note() as note:
                    change = self._rows.noted_cancel(note, now=at or now)
                    self._parts.advance(send_id, row["part"], change, seen=standing.revision)
                    under_way |= set() if note.revised else {row["part"]}
                case Stands(noted=True) if not standing.state.final:
                    under_way.add(row["part"])
        return Stopped(send_id, parts, frozenset(under_way))

    def _end(self, row: Item, standing: Standing, end: Lapse, now: datetime) -> None:
        claim, noted = uuid.uuid4().hex, standing.cancelled is not None
        part = self._part(row) if end.left_out or "positions" in row else None
        lent = row.get("content_lent", False)
        change = self._rows.ended(end, standing, part, claim=claim, now=now, lent=lent)
        try:
            self._parts.advance(row["send_id"], row["part"], change, seen=standing.revision, noted=noted)
        except Moved as moved:
            if moved.standing is None or moved.standing.get("claim") != claim:
                raise
            # else: our own write, by a try whose answer AWS's client never saw

    def _part(self, row: Item) -> Part | None:
        """Return a part whose mobiles its row does not tell by itself at its end."""
        whole = self._parts.row(row["send_id"], first_level(row["part"]))
        part = self._parts.row(row["send_id"], row["part"])
        return part_of(part, whole) if part and whole else None

    def _unseen(self, send_id: str, rows: list[Item], now: datetime) -> list[Item]:
        """Write rows for what nobody has seen of a send: for all of it, or for parts that are not noted yet."""
        if not rows:
            return [self._create(self._rows.unseen(send_id, "1", now=now))]
        known = {row["part"] for row in rows}
        count = max(row.get("parts", 1) for row in rows)
        missing = [str(number) for number in range(1, count + 1) if str(number) not in known]
        return [self._create(self._rows.unseen(send_id, part, now=now, parts=count)) for part in missing]

    def _create(self, row: Item) -> Item:
        self._parts.create(row)
        return row

    def _now(self) -> datetime:
        return self._clock() - timedelta(seconds=self._ahead())
