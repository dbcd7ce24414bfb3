"""Whose a token is whose answer was lost, decided from what was reported for it (contract, section 4).

A part is ``UNCONFIRMED`` when the platform may have accepted it and nobody knows its token. Its reports come all
the same, under that token. They prove the acceptance only where nothing else explains them:

==============================================  ================================================================
the token stands in a part's row                it is that part's
a report of it is not 15 minutes old            its own part may be about to note it, and indexes lag
one came before the part's request              it is another's
one names a mobile that was not asked for       it is another's
another part, whose end is open, could have it  nobody can tell; it stays as it is
none of these                                   it is this part's
==============================================  ================================================================

A token whose mobiles no part ever had together, or two for one part and no other, show that somebody else sends on
the account. Then reports prove nothing any more, and inference rests.

Nothing here asks the tables, and nothing is ever sent again for what is decided here.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import StrEnum, auto
from typing import Any, Self

from kuaixintong.core import beijing
from kuaixintong.core.delivery import left_out
from kuaixintong.core.ledger import State
from kuaixintong.core.masking import masked
from kuaixintong.core.mobiles import normalise
from kuaixintong.core.rails import Terms

SETTLED = timedelta(minutes=15)
"""Age from which a report proves something: no worker lives as long, and no index lags as far."""

YOUNG = timedelta(days=7)
"""Age up to which a part heals itself: reports come within three days, or not at all."""

REST = timedelta(days=30)
"""How long inference rests when somebody else has been seen to send on the account."""

LONGEST_WAY = timedelta(days=30)
"""How long a part can be on its way: a queue and a dead-letter queue keep a message for 14 days each."""

_CLOCKS = timedelta(seconds=10)
"""How far the clocks of sender and receiver may disagree when a part is to be ruled out by time."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """As much of a part's row as inference needs.

    ``asked`` are the mobiles of its last request, ``ever`` those and whoever was left out of it or proved
    unusable; ``None`` where the rows do not tell. ``denied``: a person has said that it was not accepted.
    """

    send_id: str
    part: str
    state: State
    timestamp: str | None = None
    asked_at: datetime | None = None
    unanswered: int = 0
    token: str | None = None
    denied: bool = False
    asked: frozenset[str] | None = field(default=None, repr=False)
    ever: frozenset[str] | None = field(default=None, repr=False)

    @classmethod
    def of(cls, row: Mapping[str, Any], *, asked: Iterable[str] | None, ever: Iterable[str] | None) -> Self:
        """Return what inference needs of a row; its mobiles are told beside, since a half's stand elsewhere."""
        asked_at = row.get("asked_at")
        return cls(
            send_id=row["send_id"],
            part=row["part"],
            state=State(row["state"]),
            timestamp=row.get("timestamp"),
            asked_at=beijing.from_iso(asked_at) if asked_at else None,
            unanswered=row.get("unanswered", 0),
            token=row.get("token"),
            denied=row.get("denied", False),
            asked=None if asked is None else frozenset(asked),
            ever=None if ever is None else frozenset(ever),
        )

    @classmethod
    def gone(cls, send_id: str, part: str) -> Self:
        """A part that Outbound names and whose row is not there: whatever may be true of it counts as true."""
        return cls(send_id, part, State.UNCONFIRMED, asked_at=datetime.min.replace(tzinfo=UTC))

    @classmethod
    def family(cls, rows: Iterable[Mapping[str, Any]]) -> list[Self]:
        """Return a first-level part and all that it was divided into, from their rows in order.

        The mobiles of a half that has not come to its end stand in the first-level part's row. Whoever was left
        out of the last request is no longer among the mobiles of a part at its end; before that, the row tells.
        """
        found, divided = [], None
        for row in rows:
            divided = row.get("divided", divided)
            mobiles = row.get("mobiles")
            if mobiles is None and divided is not None:
                begin, end = row.get("positions", (0, len(divided)))
                mobiles = divided[begin:end]
            asked, ever = mobiles, None
            if mobiles is not None:
                ever = [*mobiles, *left_out(row)]
                if not State(row["state"]).final:
                    asked = Terms.read(row).left_out.remaining(mobiles)
            found.append(cls.of(row, asked=asked, ever=ever))
        return found

    @property
    def key(self) -> tuple[str, str]:
        """Send and part."""
        return self.send_id, self.part

    @property
    def open(self) -> bool:
        """Whether the platform may have accepted it under a token that its row does not tell.

        A person's word that it was not accepted is as good as the person; so it counts as open.
        """
        match self.state:
            case State.UNCONFIRMED | State.SUBMITTING:
                return True
            case State.ACCEPTED:
                return self.token is None
            case State.REJECTED | State.SPLIT:  # a refusal holds for every copy of the request
                return self.denied
            case _:
                return self.unanswered > 0

    def could_have(self, told: "Told") -> bool:
        """Return whether this part may be the one that ``told`` is about; in doubt it may."""
        if not self.open or self.asked_at is None:
            return False
        in_time = told.first + _CLOCKS >= self.asked_at
        return in_time and (self.asked is None or told.mobiles <= self.asked)

    def had(self, told: "Told") -> bool:
        """Return whether this part ever had all the mobiles of ``told``, as far as the rows tell."""
        return self.ever is None or told.mobiles <= self.ever


@dataclass(frozen=True, slots=True)
class Told:
    """All reports of one token: whom they name, and between which moments they came, each the last time."""

    token: str
    mobiles: frozenset[str] = field(repr=False)
    first: datetime
    last: datetime

    @classmethod
    def of(cls, token: str, reports: Iterable[Mapping[str, Any]]) -> Self | None:
        """Return what a token's rows of Reports say together; ``None`` without any."""
        rows = list(reports)
        if not rows:
            return None
        moments = [beijing.from_iso(row["received_at"]) for row in rows]
        return cls(token, frozenset(row["mobile"] for row in rows), min(moments), max(moments))

    @property
    def readable(self) -> bool:
        """Whether every mobile is one; of what the platform writes otherwise, nothing follows."""
        return all(normalise(mobile) == mobile for mobile in self.mobiles)


def too_fresh(last: datetime, *, now: datetime) -> bool:
    """Return whether a report received at ``last`` proves nothing yet."""
    return now - last < SETTLED


class Verdict(StrEnum):
    """Whose a token is."""

    ITS = auto()  # the part's
    ANOTHERS = auto()  # a part's row has it
    TOO_FRESH = auto()
    OPEN = auto()  # nobody can tell, or not yet
    FOREIGN = auto()  # no part of ours can have brought it forth


def judge(part: Candidate, told: Told, *, noted: bool, others: Iterable[Candidate], now: datetime) -> Verdict:
    """Return whose a token is, as far as ``part`` is concerned.

    ``noted``: a part's row has it. ``others`` are all other parts, in whatever state, that were to go to the
    mobile which led to the token.
    """
    others = tuple(others)
    if noted or any(other.token == told.token for other in others):
        return Verdict.ANOTHERS
    if too_fresh(told.last, now=now):
        return Verdict.TOO_FRESH
    if not told.readable:
        return Verdict.OPEN
    if not any(each.had(told) for each in (part, *others)):
        return Verdict.FOREIGN
    fits = part.could_have(told) and part.asked is not None and part.asked_at is not None
    after = part.asked_at is not None and told.first >= part.asked_at
    rivals = any(other.could_have(told) for other in others)
    return Verdict.ITS if fits and after and not rivals else Verdict.OPEN


@dataclass(frozen=True, slots=True)
class Inferred:
    """The part was accepted: the platform knows it by ``token``."""

    token: str


@dataclass(frozen=True, slots=True)
class Rest:
    """Somebody else sends on the account: ``words`` say how that is known."""

    words: str


def conclude(told: Sequence[tuple[Told, Verdict]]) -> Inferred | Rest | None:
    """Return what follows from all tokens under which a part's mobiles were reported; ``None``: nothing."""
    for each, verdict in told:
        if verdict is Verdict.FOREIGN:
            return Rest(f"Token {each.token} was reported for {_some(each.mobiles)}; {_TOGETHER}")
    its = [each for each, verdict in told if verdict is Verdict.ITS]
    if len(its) > 1:
        tokens = " and ".join(each.token for each in its)
        return Rest(f"The tokens {tokens} were reported for {_some(its[0].mobiles)}; {_TWO}")
    return Inferred(its[0].token) if its else None


_TOGETHER = "no part of this stack ever had these mobiles together. Somebody else sends on this account."
_TWO = "one part alone could have either, and a part has one. Somebody else sends on this account."


def _some(mobiles: Collection[str]) -> str:
    first = masked(min(mobiles))
    return first if len(mobiles) == 1 else f"{first} and {len(mobiles) - 1} more"


def worth_a_look(part: Candidate, *, now: datetime) -> bool:
    """Return whether a part can heal itself: unconfirmed, asked for with a timestamp, and young enough."""
    asked = part.state is State.UNCONFIRMED and part.timestamp and part.asked_at
    return bool(asked and part.asked_at and now - part.asked_at < YOUNG)
