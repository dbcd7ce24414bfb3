"""``UNCONFIRMED`` heals itself where reports prove an acceptance: the look at the tables, on a schedule.

What a token proves is decided in :mod:`kuaixintong.core.inference`. Here the parts come by, a bounded number of
reads at a time; the next run goes on where this one stopped, and begins again at the end. The order of reading is
what the conclusion rests on::

    1  the reports of a mobile of the part           which tokens there are
    2  all reports of each token                     whom it went to, and since when
    3  the parts that have the token                 none
    4  the parts that were to go to that mobile      none whose end is open could have it

Whoever begins to ask after 2 cannot have caused what was reported before. Nothing is ever sent for it, and a part
is changed on the condition alone that it still says ``UNCONFIRMED`` with the timestamp that was looked at.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import islice
from typing import Any

from kuaixintong.core import beijing, inference
from kuaixintong.core.inference import Candidate, Inferred, Rest, Told, Verdict
from kuaixintong.core.rows import Rows
from kuaixintong.core.sends import first_level
from kuaixintong.stores.account import Accounts
from kuaixintong.stores.dynamo import Item
from kuaixintong.stores.evidence import Evidence

READS = 1_000
"""Queries of a run, about; at half a read unit each, a run every five minutes is a few cents a day at the most."""

_MOBILES = 25
"""Mobiles whose reports are asked for before a conclusion is drawn."""

_REPORTS = 200
"""Reports of a mobile since the request that are looked at; more are no handset's."""

_SENDS = 200
"""Sends to a mobile that are looked at; with more, nobody can tell."""


_OLDER = 500
"""Open parts from before inference began that are looked at in each run, beside its reads."""

type Place = Mapping[str, Any]
"""Where a run stopped: a part, by the listing's keys, and the ``position`` in its mobiles; or nothing."""


@dataclass(slots=True)
class Healed:
    """What a run has done: the parts that were inferred, and until when inference rests, if it does.

    ``looked_at`` counts parts; ``why`` is told by the run that began a rest.
    """

    inferred: list[tuple[str, str]] = field(default_factory=list)
    looked_at: int = 0
    rests_until: datetime | None = None
    why: str = ""


class Healing:
    """Looks for parts whose reports prove an acceptance. One :meth:`run` at a time."""

    def __init__(
        self,
        accounts: Accounts,
        evidence: Evidence,
        rows: Rows,
        *,
        clock: Callable[[], datetime],
        reads: int = READS,
    ) -> None:
        self._accounts = accounts
        self._evidence = evidence
        self._rows = rows
        self._clock = clock
        self._reads = reads
        self._older: tuple[Candidate, ...] = ()
        """Open parts that are older than Outbound, and therefore missing there."""

    def run(self, cid: str, left: Callable[[], float] = lambda: 1.0) -> Healed:
        """Look at parts of all sends until reads or time are used up; ``left`` tells the seconds.

        Raises :class:`~kuaixintong.core.errors.StoreUnavailable`. What was written until then stands, and the next
        run begins where this one did.
        """
        rests = self._accounts.inference_rests_until(cid)
        if rests and self._clock() < rests:
            return Healed(rests_until=rests)
        begun = self._accounts.begin_inference(cid, now=self._clock())
        self._older = self._older_than(begun["since"])
        most = self._evidence.reads + self._reads
        healed = Healed()
        place = self._look_at_all(begun, healed, lambda: self._evidence.reads >= most or left() <= 0)
        if healed.why:
            healed.rests_until = self._clock() + inference.REST
            self._accounts.rest_inference(cid, healed.rests_until)
            place = {"why": healed.why}
        self._accounts.keep_place(cid, place)
        return healed

    def _older_than(self, since: str) -> tuple[Candidate, ...]:
        """Return the open parts that are older than Outbound; of more than can be looked at, one is unknown.

        None of them began after inference did, ``since`` when Outbound is there for certain.
        """
        up_to = beijing.iso(beijing.from_iso(since) + inference.LONGEST_WAY)
        listed = list(islice(self._evidence.older(since, up_to), _OLDER + 1))
        if len(listed) > _OLDER:
            return (Candidate.gone("", ""),)
        parts = (self._part(row["send_id"], row["part"])[1] for row in listed)
        return tuple(part for part in parts if part and not self._is_listed(part))

    def _is_listed(self, part: Candidate) -> bool:
        return bool(part.asked) and self._evidence.is_listed(part.send_id, min(part.asked or ()))

    def _look_at_all(self, place: Place, healed: Healed, spent: Callable[[], bool]) -> Place:
        """Look at the parts from ``place`` on; return where to go on: nowhere in particular after the last."""
        youngest = beijing.iso(self._clock() - inference.YOUNG)
        for listed in self._evidence.unconfirmed(max(place.get("updated_at", ""), youngest)):
            here = {name: listed[name] for name in ("updated_at", "send_id", "part")}
            stopped_here = here.items() <= place.items()
            if here["updated_at"] == place.get("updated_at") and not stopped_here:
                continue  # of the same moment as the part where a run stopped, and seen before it
            begin, place = place["position"] if stopped_here else 0, {}
            stopped = self._look_at(here["send_id"], here["part"], begin, healed, spent)
            if stopped is not None:
                return here | {"position": stopped}
            if healed.why:
                break
        return {}

    def _look_at(
        self, send_id: str, name: str, begin: int, healed: Healed, spent: Callable[[], bool]
    ) -> int | None:
        """Look at one part's mobiles from the position ``begin`` on; return where it stopped before their end."""
        if spent():
            return begin
        row, part = self._part(send_id, name)
        if not (part and part.asked and inference.worth_a_look(part, now=self._clock())):
            return None
        healed.looked_at += 1
        mobiles = sorted(part.asked)
        for start in range(begin, len(mobiles), _MOBILES):
            if start > begin and spent():
                return start
            match self._conclusion(part, mobiles[start : start + _MOBILES]):
                case Inferred(token):
                    if self._evidence.settle(row, self._rows.inferred(row, token, now=self._clock())):
                        healed.inferred.append(part.key)
                    return None
                case Rest(words):
                    healed.why = words
                    return None
        return None

    def _part(self, send_id: str, name: str) -> tuple[Item, Candidate | None]:
        rows = self._evidence.family(send_id, first_level(name))
        found = {row["part"]: (row, part) for row, part in zip(rows, Candidate.family(rows), strict=True)}
        return found.get(name, ({}, None))

    def _conclusion(self, part: Candidate, mobiles: Sequence[str]) -> Inferred | Rest | None:
        asked_at = beijing.iso(part.asked_at) if part.asked_at else ""
        led_by: dict[str, str] = {}
        for mobile in mobiles:
            for token, last in self._evidence.tokens_of(mobile, since=asked_at, most=_REPORTS).items():
                if not inference.too_fresh(beijing.from_iso(last), now=self._clock()):
                    led_by.setdefault(token, mobile)
        judged = [self._judged(part, token, mobile) for token, mobile in sorted(led_by.items())]
        return inference.conclude([each for each in judged if each])

    def _judged(self, part: Candidate, token: str, mobile: str) -> tuple[Told, Verdict] | None:
        told = Told.of(token, self._evidence.reports_of(token))
        if told is None:
            return None
        noted = self._evidence.noted(token)
        others = self._others(part, mobile)
        return told, inference.judge(part, told, noted=noted, others=others, now=self._clock())

    def _others(self, part: Candidate, mobile: str) -> Iterator[Candidate]:
        """Yield all other parts that were to go to a mobile, read as they are needed.

        Where Outbound does not know the part itself, or more than can be looked at, somebody unknown is one.
        """
        sends = list(islice(self._evidence.sends_to(mobile), _SENDS + 1))
        if len(sends) > _SENDS or (part.send_id, first_level(part.part)) not in map(_key, sends):
            yield Candidate.gone("", "")
            return
        for send in sends:
            family = Candidate.family(self._evidence.family(send["send_id"], send["part"]))
            yield from (each for each in family if each.key != part.key)
            if not family:
                yield Candidate.gone(send["send_id"], send["part"])
        yield from (each for each in self._older if each.key != part.key)


def _key(row: Mapping[str, Any]) -> tuple[str, str]:
    return row["send_id"], row["part"]
