"""A part's states: given its row, what came back and the time, what its row says next and what is to be done.

The rule that everything here serves: **a timestamp is written down before the request goes out, and it is retired
only when every request that carried it has been answered** (contract, section 2). The platform refuses a
timestamp that it has seen (230), so while one request is unanswered, every further try of the part carries the
same timestamp, and the platform itself refuses a second acceptance.

Nothing here knows DynamoDB, HTTP or the clock. The life of a row::

    (none) ─claim─> SUBMITTING ─answer─> ACCEPTED · REJECTED · UNCONFIRMED · SPLIT     final
                        │  ^                WAITING ─claim─> SUBMITTING
                no answer  claim, once the lease has run out
                        └──┘                WAITING, SUBMITTING ─validUntil─> EXPIRED · UNCONFIRMED
                                            WAITING, SUBMITTING ─cancelled──> CANCELLED · UNCONFIRMED
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum, auto
from typing import Any, Self

from kuaixintong.core import beijing
from kuaixintong.core.codes import AT_TIME_REFUSED, INVALID_NUMBERS, SUCCESS, TIMESTAMP_REFUSED, TOO_FAST, Trouble
from kuaixintong.core.messages import Answer
from kuaixintong.core.rails import AS_ASKED, CHARGE, NOBODY, Charge, LeftOut, Terms


class State(StrEnum):
    """What a part's row says of it."""

    WAITING = "WAITING"
    SUBMITTING = "SUBMITTING"
    ACCEPTED = "ACCEPTED"
    REJECTED = "REJECTED"
    UNCONFIRMED = "UNCONFIRMED"
    EXPIRED = "EXPIRED"
    CANCELLED = "CANCELLED"
    SPLIT = "SPLIT"  # a 310 divided it; its two halves are parts of their own

    @property
    def final(self) -> bool:
        """Whether nothing will ever be sent for this row again."""
        return self not in (State.WAITING, State.SUBMITTING)


OPEN = tuple(state for state in State if not state.final)
"""States in which a part may still be sent."""

FINAL = frozenset(State) - frozenset(OPEN)
"""States in which nothing is ever sent any more."""


class Then(StrEnum):
    """What the worker does after a row is written."""

    DONE = auto()
    LATER = auto()  # after a backoff
    SOON = auto()  # after a moment
    AT_ONCE = auto()
    IN_ITS_TURN = auto()  # when the account's pace lets it
    FRESH_SECRET = auto()  # at once if the secret has changed, else later
    SPLIT = auto()  # the halves, at once


class Attention(StrEnum):
    """Why a person should look at a part: the values that ``by-attention`` is asked for."""

    UNCONFIRMED = "UNCONFIRMED"
    PROTOCOL = "PROTOCOL"
    NO_TOKEN = "NO_TOKEN"  # noqa: S105  # an identifier of the platform's, no secret
    GAVE_UP = "GAVE_UP"
    REFUSED = "REFUSED"


ADVICE = {
    Attention.UNCONFIRMED: "The platform has seen this part's timestamp, or may have, but its answer was lost, so "
    "the token is not known. It is never sent again by the system. Delivery reports that prove its acceptance "
    "settle it by themselves. If none come, ask the platform's staff about the timestamp and write down what they "
    "say (kxt confirm); if it was not accepted, enqueue the mobiles again under a new id.",
    Attention.PROTOCOL: "The platform refused the request as malformed or with an unknown state code: we and the "
    "platform disagree on the protocol. Nothing was sent. Compare code and words with the interface's text, and "
    "enqueue the mobiles again under a new id once it is mended.",
    Attention.NO_TOKEN: "The platform accepted this part but named no token, so its delivery reports cannot be "
    "matched to it. Ask the platform's staff for the token of this timestamp.",
    Attention.GAVE_UP: "The queue's receives ran out before this part was finished; its message lies in the "
    "dead-letter queue. Mend the cause, then redrive that queue, each message into its own lane: the part goes on "
    "where it stood.",
    Attention.REFUSED: "This message was refused as it is, so nothing was sent; its words name every fault. "
    "Mend the producer and enqueue the mended body: under the same id, whose row it takes over, unless the words "
    "say that the id is another send's.",
}


@dataclass(frozen=True, slots=True)
class Addressee:
    """Who is asked: account, user and address. Nobody else knows the timestamps that these have seen."""

    cid: str
    uid: str
    server: str


def is_no_send(fingerprint: str | None, refused: Sequence[str]) -> bool:
    """Return whether what has this digest is a body that was ``refused``, the last of those under an id."""
    return bool(refused) and fingerprint == refused[-1]


@dataclass(frozen=True, slots=True)
class Standing:
    """As much of a part's row as decisions need.

    ``uses`` counts the requests that carried ``timestamp``; ``unanswered`` those of them without a written-down
    answer; ``asked`` is who was asked with it, ``asked_at`` when for the first time, and ``with_at_time`` whether
    with ``atTime``. ``at_time_over`` is the platform's word that ``atTime`` has passed. ``revision`` rises with
    every claim and every result, ``claim`` names the worker that wrote the last. ``refused`` are the digests of
    bodies under this id that were no sends. ``outbound`` tells that who is sent to stands in Outbound, and
    ``history`` what has happened, as rows keep it. ``cancelled`` is when somebody cancelled it, and ``whole``
    whether that was before anything of its send was known. ``waits_until`` is what a rail or ``hold`` lets it wait
    for, and ``parts`` how many first-level parts its send has. ``terms`` is what the rails made of the requests
    with ``timestamp``, ``valid_until`` when a one-time code expires that says nothing of it, and ``charged`` what
    it has of a day's limit.
    """

    state: State
    fingerprint: str
    revision: int
    claim: str | None = None
    lease_until: datetime | None = None
    timestamp: str | None = None
    uses: int = 0
    unanswered: int = 0
    attempts: int = 0
    asked: "Addressee | None" = None
    asked_at: datetime | None = None
    with_at_time: bool = False
    at_time_over: bool = False
    refused: tuple[str, ...] = ()
    outbound: bool = False
    history: tuple[Mapping[str, Any], ...] = field(default=(), compare=False, repr=False)
    cancelled: datetime | None = None
    whole: bool = False
    waits_until: datetime | None = None
    parts: int = 1
    terms: Terms = AS_ASKED
    valid_until: datetime | None = None
    charged: Charge | None = None

    @property
    def blank(self) -> bool:
        """Whether this is the cancel of a send that nobody has seen: what comes under its id joins it."""
        return not self.fingerprint

    @property
    def gives_way(self) -> bool:
        """Whether a send that comes under this id takes the row over."""
        return self.blank or self.no_send

    @property
    def no_send(self) -> bool:
        """Whether what stands here is a refused body, which does not use up its id."""
        return is_no_send(self.fingerprint, self.refused)

    @classmethod
    def of(cls, row: Mapping[str, Any]) -> Self:
        """Return what decisions need of a row."""
        return cls(
            state=State(row["state"]),
            fingerprint=row.get("fingerprint", ""),
            revision=row["revision"],
            claim=row.get("claim"),
            lease_until=_moment(row, "lease_until"),
            timestamp=row.get("timestamp"),
            uses=row.get("uses", 0),
            unanswered=row.get("unanswered", 0),
            attempts=row.get("attempts", 0),
            asked=Addressee(row["cid"], row["uid"], row["server"]) if "cid" in row else None,
            asked_at=_moment(row, "asked_at"),
            with_at_time=row.get("with_at_time", False),
            at_time_over=row.get("at_time_over", False),
            refused=tuple(row.get("refused") or ()),
            outbound=row.get("outbound", False),
            history=tuple(row.get("history", ())),
            cancelled=_moment(row, "cancelled_at"),
            whole=row.get("cancels_send", False),
            waits_until=_moment(row, "waits_until"),
            parts=row.get("parts", 1),
            terms=Terms.read(row),
            valid_until=_moment(row, "otp_until"),
            charged=Charge(*(row[name] for name in CHARGE)) if "charged_day" in row else None,
        )


def _moment(row: Mapping[str, Any], name: str) -> datetime | None:
    text = row.get(name)
    return beijing.from_iso(text) if text else None


# --- before a request -------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Finished:
    """The row is final: there is nothing to do."""

    state: State


@dataclass(frozen=True, slots=True)
class Busy:
    """Another worker's lease holds until ``until``."""

    until: datetime


@dataclass(frozen=True, slots=True)
class Lapse:
    """``validUntil`` has passed, or what ``words`` says: the row becomes ``state`` and nothing is asked.

    ``cancelled`` is when somebody cancelled it, if that is why.
    """

    state: State
    attention: Attention | None
    words: str = ""
    cancelled: datetime | None = None
    left_out: LeftOut = NOBODY
    expired: datetime | None = None
    charged: Charge | None = None


@dataclass(frozen=True, slots=True)
class Bid:
    """A worker's wish to ask for a part.

    ``claim`` names the worker, ``fresh`` is a timestamp never used before, without which nothing is asked for;
    ``asked`` is who would be asked, and ``at_time_to_come`` tells whether ``atTime`` still lies ahead of our
    clock, ``outbound`` that the worker has written to Outbound who is sent to. ``cancelled`` is when the part's
    campaign was cancelled, and ``wait`` what the part has to wait for as a row, enqueued again in ``lane``.
    ``terms`` is what the rails make of a request with a fresh timestamp, ``nobody`` why it is not to be made at
    all, and ``charged`` what of a day's limit has been reserved for it, what its row ``knew`` of included.
    """

    claim: str
    fresh: str = ""
    asked: Addressee | None = None
    at_time_to_come: bool = False
    outbound: bool = False
    cancelled: datetime | None = None
    wait: "WaitUntil | None" = None
    lane: str = ""
    terms: Terms = AS_ASKED
    nobody: str = ""
    charged: Charge | None = None
    knew: Charge | None = None


@dataclass(frozen=True, slots=True)
class Submit:
    """Ask the platform with ``timestamp``, which ``uses`` requests will then have carried, the first ``asked_at``.

    ``with_at_time`` says whether it carries ``atTime``, and ``terms`` what the rails make of it: all requests with
    one timestamp are the same request. It goes out before ``expires`` or not at all. ``charged`` is what it has of
    a day's limit, and ``excess`` what another delivery had reserved for the same.
    """

    timestamp: str
    uses: int
    unanswered: int
    attempts: int
    asked_at: datetime | None = None
    with_at_time: bool = False
    terms: Terms = AS_ASKED
    expires: datetime | None = None
    charged: Charge | None = None
    excess: Charge | None = None


@dataclass(frozen=True, slots=True)
class WaitUntil:
    """A part is not asked for before ``until``: ``reason`` is a sentence, for the row, that says why.

    What a rail says of a part, and ``hold``; told again by its row (contract, section 2b).
    """

    until: datetime
    reason: str


type Step = Finished | Busy | Lapse | Submit | WaitUntil


def next_step(
    row: Standing | None, bid: Bid, *, now: datetime, expires: datetime | None, repeat_within: timedelta
) -> Step:
    """Return what may be done with a part whose row is ``row``.

    A timestamp is repeated no longer than ``repeat_within`` after its first request: nobody has promised how long
    the platform remembers it.
    """
    if row and row.valid_until:  # noted when it was enqueued first; a redrive enqueues it anew
        expires = row.valid_until
    if settled := _nothing_to_ask(row, bid, now, expires):
        return _with_its_charge(settled, row) if isinstance(settled, Lapse) else settled
    if row and row.timestamp and must_repeat(row):
        return _repeated(row, row.timestamp, bid, now=now, expires=expires, repeat_within=repeat_within)
    if bid.nobody:
        return _with_its_charge(Lapse(State.REJECTED, None, bid.nobody, left_out=bid.terms.left_out), row)
    if not bid.fresh:  # it was to be ended, and by its row it goes on
        return Busy(now)
    charged, excess = _charges(row, bid)
    return Submit(
        bid.fresh,
        uses=1,
        unanswered=1,
        attempts=row.attempts + 1 if row else 1,
        asked_at=now,
        with_at_time=bid.at_time_to_come and not (row and row.at_time_over),
        terms=bid.terms,
        expires=expires,
        charged=charged,
        excess=excess,
    )


def _with_its_charge(end: Lapse, row: Standing | None) -> Lapse:
    """Tell with a part's end what it has of a day's limit, if provably nothing was accepted."""
    in_doubt = end.state is State.UNCONFIRMED
    return replace(end, charged=row.charged) if row and row.charged and not in_doubt else end


def _repeated(
    row: Standing, timestamp: str, bid: Bid, *, now: datetime, expires: datetime | None, repeat_within: timedelta
) -> Busy | Lapse | Submit:
    """Return what may be done with a part that has to be asked for with ``timestamp`` again."""
    if doubt := _changed(row, bid) or _too_old(row.asked_at, now, repeat_within):
        return Lapse(State.UNCONFIRMED, Attention.UNCONFIRMED, doubt, left_out=row.terms.left_out)
    if not bid.fresh:  # decided by who did not know of this request, which is repeated as it was
        return Busy(now)
    charged, excess = _charges(row, bid)
    return Submit(
        timestamp,
        row.uses + 1,
        row.unanswered + 1,
        row.attempts + 1,
        row.asked_at,
        with_at_time=row.with_at_time,
        terms=row.terms,
        expires=expires,
        charged=charged,
        excess=excess,
    )


def _charges(row: Standing | None, bid: Bid) -> tuple[Charge | None, Charge | None]:
    """Return what a part then has of a day's limit, and what has been reserved for the same twice.

    A part is charged once, and another delivery can have reserved what the bid did not know of. The dearer counts:
    a request that is repeated goes to whom it went to, and that may be more than the bid reckoned with.
    """
    had = row.charged if row else None
    if had is None or bid.charged is None or had == bid.knew or not had.beside(bid.charged):
        return bid.charged or had, None
    less, more = sorted((had, bid.charged), key=lambda charge: charge.cost)
    known = bid.knew.cost if bid.knew and bid.knew.beside(had) else 0  # in both
    return more, replace(less, cost=less.cost - known)


def _nothing_to_ask(
    row: Standing | None, bid: Bid, now: datetime, expires: datetime | None
) -> Finished | Busy | Lapse | WaitUntil | None:
    """Return why a part is not asked for now: it is at its end, or comes to it, or is another's, or waits."""
    if row and (row.state.final or _is_held(row, now)):
        return Finished(row.state) if row.state.final else Busy(row.lease_until or now)
    unanswered, terms = (row.unanswered, row.terms) if row else (0, AS_ASKED)
    if cancelled := (row and row.cancelled) or bid.cancelled:
        return stopped(unanswered, cancelled, terms)
    if expires and expires <= now:
        return lapse(unanswered, terms, expires)
    if unanswered:  # a repetition is the same request, whatever has changed since
        return None
    if row and row.waits_until and now < row.waits_until:
        return WaitUntil(row.waits_until, "")
    return bid.wait


def _is_held(row: Standing, now: datetime) -> bool:
    return row.lease_until is not None and now < row.lease_until


def must_repeat(row: Standing) -> bool:
    """Return whether a further try carries the same timestamp: while any request that carried it is unanswered."""
    return row.unanswered > 0


def _changed(row: Standing, bid: Bid) -> str:
    """Return why who would be asked cannot know this row's timestamp, or nothing."""
    if row.asked and bid.asked and row.asked != bid.asked:
        pairs = zip(("account", "user", "address"), _fields(row.asked), _fields(bid.asked), strict=True)
        changed = [f"the {name} has changed from {was} to {now}" for name, was, now in pairs if was != now]
        return f"A request for this part was never answered, and since then {' and '.join(changed)}."
    return ""


def _too_old(asked_at: datetime | None, now: datetime, repeat_within: timedelta) -> str:
    """Return why the platform may not know a timestamp any more that was used ``asked_at`` first, or nothing."""
    if asked_at and asked_at + repeat_within < now:
        minutes = round(repeat_within.total_seconds() / 60)
        return (
            f"The first request for this part went out {beijing.iso(asked_at)} and was never answered. More "
            f"than {minutes} minutes later, the platform may have forgotten its timestamp."
        )
    return ""


def _fields(asked: Addressee) -> tuple[str, str, str]:
    return asked.cid, asked.uid, asked.server


def too_late(submit: Submit, *, now: datetime, repeat_within: timedelta) -> Lapse | None:
    """Return the end of a claimed part whose request may no longer go out; ``None`` if it may.

    The claim looked at the same clock, but writing it, and waiting for the slot, can take their time.
    """
    others = submit.unanswered - 1
    if submit.expires and submit.expires <= now:
        return lapse(others, submit.terms, submit.expires)
    if others and (doubt := _too_old(submit.asked_at, now, repeat_within)):
        return Lapse(State.UNCONFIRMED, Attention.UNCONFIRMED, doubt, left_out=submit.terms.left_out)
    return None


def lapse(unanswered: int, terms: Terms = AS_ASKED, expired: datetime | None = None) -> Lapse:
    """Return the end of a part whose time has passed: ``expired``. ``terms`` are those of its last requests."""
    if unanswered:  # asking again, even only to learn what happened, could send it late
        return Lapse(State.UNCONFIRMED, Attention.UNCONFIRMED, left_out=terms.left_out, expired=expired)
    return Lapse(State.EXPIRED, None, expired=expired)


# --- cancelling -------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Stillborn:
    """Nobody has seen this send: its row is born ``CANCELLED``, without a payload."""


@dataclass(frozen=True, slots=True)
class Note:
    """A request may be out, or a refused body stands here: it is written down that it is cancelled, and no more.

    Beside a request the note takes no revision, so that it costs the part's owner nothing; ``revised`` where there
    is no owner, and whoever has seen the row without the note must not write over it.
    """

    revised: bool = False


@dataclass(frozen=True, slots=True)
class Stands:
    """There is nothing to write: the part is at its end, or it is ``noted`` and its owner will end it."""

    noted: bool = False


type Cancelling = Stillborn | Note | Stands | Lapse


def cancel(row: Standing | None, *, now: datetime, at: datetime | None = None) -> Cancelling:
    """Return what a cancel writes on a row as it stands ``now``; ``at`` is when it was asked for, if earlier."""
    at = at or now
    if row is None:
        return Stillborn()
    if row.no_send:
        return Stands(noted=True) if row.cancelled else Note(revised=True)
    if row.state.final:
        return Stands()
    if _is_held(row, now):
        return Stands(noted=True) if row.cancelled else Note()
    return stopped(row.unanswered, row.cancelled or at, row.terms)


def stopped(unanswered: int, at: datetime, terms: Terms = AS_ASKED) -> Lapse:
    """Return the end of a part that is cancelled and that nobody holds; ``terms`` are its last requests'."""
    if unanswered:
        words = (
            f"Cancelled {beijing.iso(at)}, while a request for it was unanswered: it may have been accepted, and "
            "is asked for no more."
        )
        return Lapse(State.UNCONFIRMED, Attention.UNCONFIRMED, words, at, terms.left_out)
    return Lapse(State.CANCELLED, None, f"Cancelled {beijing.iso(at)}; nothing was sent.", at)


def heeds_note(rule: "Rule") -> bool:
    """Return whether a result is another where the part has been cancelled meanwhile: what is not its end."""
    return not rule.state.final or rule.state is State.SPLIT


# --- after a request --------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came back for one request: ``answer`` is ``None`` when nothing readable did, and ``words`` say why.

    ``others_unanswered`` tells whether another request with the same timestamp has no answer yet, ``left`` whether
    the request may have left this machine, and ``at_time_near`` whether it carried an ``atTime`` so close to our
    clock that it may have passed by the platform's.
    """

    answer: Answer | None
    first_use: bool
    mobiles: int
    others_unanswered: bool = False
    left: bool = True
    at_time_near: bool = False
    words: str = ""


@dataclass(frozen=True, slots=True)
class Rule:
    """One row of the table: when it holds, what the part's row says next, and what is to be done."""

    when: Callable[[Outcome], bool]
    state: State
    then: Then
    trouble: Trouble | None = None
    attention: Attention | None = None


def _code(*codes: int, first_use: bool | None = None) -> Callable[[Outcome], bool]:
    def holds(outcome: Outcome) -> bool:
        use_fits = first_use is None or outcome.first_use is first_use
        return outcome.answer is not None and outcome.answer.state_code in codes and use_fits

    return holds


def _no_answer(outcome: Outcome) -> bool:
    return outcome.answer is None


def _nothing_under_way(outcome: Outcome) -> bool:
    return outcome.answer is None and not outcome.left and not outcome.others_unanswered


def _at_time_passed_on_the_way(outcome: Outcome) -> bool:
    return _code(AT_TIME_REFUSED)(outcome) and outcome.at_time_near and not outcome.others_unanswered


def _accepted_without_token(outcome: Outcome) -> bool:
    return outcome.answer is not None and outcome.answer.state_code == SUCCESS and not outcome.answer.token


def _lone_invalid_number(outcome: Outcome) -> bool:
    return _code(INVALID_NUMBERS)(outcome) and outcome.mobiles == 1


def _may_not_hold_for_every_copy(outcome: Outcome) -> bool:
    """A refusal that says nothing of an earlier copy, which may have been accepted.

    A time for sending (330) passes while copies are under way, and what we and the platform do not agree on has no
    meaning to go by.
    """
    of_the_content = outcome.answer is not None and outcome.answer.state_code in (300, 320, 340)
    return outcome.others_unanswered and not of_the_content


def _anything(_: Outcome) -> bool:
    return True


# The first rule that holds counts. Beside the contract's table in section 2, row by row:
TABLE = (
    Rule(_accepted_without_token, State.ACCEPTED, Then.DONE, attention=Attention.NO_TOKEN),
    Rule(_code(SUCCESS), State.ACCEPTED, Then.DONE),
    Rule(_code(1), State.WAITING, Then.LATER),
    Rule(_code(TOO_FAST), State.WAITING, Then.IN_ITS_TURN, Trouble.PACE),
    Rule(_code(TIMESTAMP_REFUSED, first_use=True), State.WAITING, Then.SOON, Trouble.TIMESTAMP),
    Rule(_code(TIMESTAMP_REFUSED), State.UNCONFIRMED, Then.DONE, attention=Attention.UNCONFIRMED),
    Rule(_code(200, 240), State.WAITING, Then.FRESH_SECRET, Trouble.AUTHENTICATION),
    Rule(_code(220), State.WAITING, Then.LATER, Trouble.SOURCE_ADDRESS),
    Rule(_code(250), State.WAITING, Then.LATER, Trouble.ACCOUNT_DISABLED),
    Rule(_code(260), State.WAITING, Then.LATER, Trouble.ORGANISATION_DISABLED),
    Rule(_code(400), State.WAITING, Then.LATER, Trouble.BALANCE),
    Rule(_lone_invalid_number, State.REJECTED, Then.DONE),
    Rule(_code(INVALID_NUMBERS), State.SPLIT, Then.SPLIT),
    Rule(_code(300, 320, 340), State.REJECTED, Then.DONE),
    Rule(_nothing_under_way, State.WAITING, Then.LATER, Trouble.UNREACHABLE),
    Rule(_no_answer, State.SUBMITTING, Then.LATER, Trouble.UNREACHABLE),
    Rule(_at_time_passed_on_the_way, State.WAITING, Then.AT_ONCE),
    Rule(_may_not_hold_for_every_copy, State.UNCONFIRMED, Then.DONE, attention=Attention.UNCONFIRMED),
    Rule(_code(AT_TIME_REFUSED), State.REJECTED, Then.DONE),
    Rule(_anything, State.REJECTED, Then.DONE, attention=Attention.PROTOCOL),
)


def rule_for(outcome: Outcome) -> Rule:
    """Return the one rule of :data:`TABLE` for what came back."""
    return next(rule for rule in TABLE if rule.when(outcome))


def unanswered_after(submitted: Submit, outcome: Outcome) -> int:
    """Return how many requests with this timestamp stay unanswered.

    One fewer if this one was answered, or is known never to have left.
    """
    done = outcome.answer is not None or not outcome.left
    return submitted.unanswered - 1 if done else submitted.unanswered


def uses_after(submitted: Submit, outcome: Outcome) -> int:
    """Return how many requests have carried the timestamp: one that never left is none."""
    return submitted.uses if outcome.answer is not None or outcome.left else submitted.uses - 1
