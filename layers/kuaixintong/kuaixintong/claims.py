"""A part's row from claim to result: what the ledger decides, written down under conditions.

The loop is always the same: suppose how the row stands, let the ledger decide, write on the condition that it does
stand so, and decide anew on what stands there if it does not. A new part therefore costs no read.

A write that AWS's client repeats after a lost answer finds its own claim in the row, and knows it.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from kuaixintong.core.change import Change
from kuaixintong.core.due import restored
from kuaixintong.core.errors import ClaimLost
from kuaixintong.core.ledger import (
    OPEN,
    Bid,
    Busy,
    Finished,
    Lapse,
    Outcome,
    Rule,
    Standing,
    State,
    Submit,
    Then,
    WaitUntil,
    heeds_note,
    next_step,
    stopped,
    too_late,
    unanswered_after,
)
from kuaixintong.core.rails import AS_ASKED
from kuaixintong.core.references import Reference
from kuaixintong.core.rows import Row, Rows, digest_of, inherited, taking_over
from kuaixintong.core.sends import Part, Send, first_level
from kuaixintong.stores.parts import Parts
from kuaixintong.stores.table import Moved

_TRIES = 3
"""Decisions per claim: a row that other workers move three times under ours is busy by any name."""


@dataclass(frozen=True, slots=True)
class Conflict:
    """The id belongs to a send with another payload."""


@dataclass(frozen=True, slots=True)
class Claimed:
    """A part that is this worker's until its lease runs out: the request may go out."""

    submit: Submit
    claim: str
    revision: int
    outbound: bool = False
    """Whether who is sent to stands in Outbound."""


@dataclass(frozen=True, slots=True)
class Recalled:
    """One part of a send as its row tells it, and how that stands; without its text, where that has gone out."""

    send: Send
    standing: Standing


class Claims:
    """Takes parts for workers and writes down what came of them; safe between threads."""

    def __init__(self, parts: Parts, rows: Rows) -> None:
        self._parts = parts
        self._rows = rows

    # --- before a request ---------------------------------------------------------------------------------------

    def note(
        self, send: Send, part: Part, *, now: datetime, cancelled: datetime | None = None
    ) -> Standing | Conflict | None:
        """Write down a part that cannot be asked for yet; return what stands there if it is known already.

        A part without usable mobiles is born ``REJECTED``; one of a send that was ``cancelled`` before it was
        known is born, or joins what stands there, ``CANCELLED``.
        """
        standing = self._put(self._rows.noted(send, part, now=now, cancelled=cancelled))
        if standing is None:
            return None
        return standing if standing.fingerprint == send.fingerprint else Conflict()

    def _put(self, row: Row, *, unless: str = "") -> Standing | None:
        """Put a new row, also in place of a refused body, or of a cancel that came first.

        Return what stays there instead: a send, or what has been refused with the digest ``unless`` before; and
        the row itself, if it has joined a cancel.
        """
        seen: Standing | None = None
        for _ in range(_TRIES):
            try:
                if seen is None:
                    self._parts.create(row)
                    return None
                joined = taking_over(row, seen)
                self._parts.replace(joined, seen=seen.revision)
                return Standing.of(joined) if seen.cancelled and not unless else None
            except Moved as moved:
                seen = _standing(moved)
                if unless and seen.no_send and seen.claim == row["claim"]:
                    return None  # the same message's write: by a try whose answer was lost, or a delivery cut off
                if unless and (seen.blank or unless in seen.refused):
                    return seen
                if not seen.gives_way:
                    return seen
        raise ClaimLost("The row keeps moving.")

    def claim(
        self, send: Send, part: Part, bid: Bid, *, now: datetime, known: Standing | None = None
    ) -> Claimed | Finished | Lapse | Busy | WaitUntil | Conflict:
        """Take a part for this worker, its timestamp written down: a fresh one, unless one is to be repeated.

        ``known`` is the row if the caller has just seen it; without it, the first write supposes a new part and
        learns otherwise from the failed condition. A part that may no longer be asked for is ended instead, and
        the :class:`Lapse` returned; one that has to wait as a row is written down as such, unless it is already.
        """
        standing, refused, step = known, None, None
        for _ in range(_TRIES):
            if standing and standing.claim == bid.claim:  # our own write, whose answer AWS's client never saw
                return step if isinstance(step, Lapse) else _claimed_before(standing, send)
            if standing and standing.gives_way:
                refused, standing = standing, None
                bid = replace(bid, cancelled=refused.cancelled or bid.cancelled)
            if standing and standing.fingerprint != send.fingerprint:
                return Conflict()
            step = next_step(standing, bid, now=now, expires=send.expires, repeat_within=self._rows.repeat_within)
            if isinstance(step, Finished | Busy) or (isinstance(step, WaitUntil) and step is not bid.wait):
                return step  # what waits by its row stands among what is due, already
            try:
                revision = self._advance(send, part, standing or refused, step, bid, now)
            except Moved as moved:
                standing = _standing(moved)
                continue
            if not isinstance(step, Submit):
                return step
            return Claimed(step, bid.claim, revision, bid.outbound or bool(standing and standing.outbound))
        return Busy(now)

    def _advance(
        self,
        send: Send,
        part: Part,
        standing: Standing | None,
        step: Submit | Lapse | WaitUntil,
        bid: Bid,
        now: datetime,
    ) -> int:
        """Write a step down, on the condition that the row stands as supposed; return its revision then."""
        if isinstance(step, Lapse):
            terms = standing.terms if standing else AS_ASKED
            change = self._rows.lapsed(send, part, step, claim=bid.claim, now=now, terms=terms)
        elif isinstance(step, WaitUntil):
            change = self._rows.parked(send, part, step, lane=bid.lane, now=now)
        else:
            told = standing.history if standing and not standing.gives_way else ()
            change = self._rows.taken(
                step, claim=bid.claim, asked=bid.asked, now=now, outbound=bid.outbound, history=told
            )
        if standing is None:
            self._parts.create(self._rows.born_moved(send, part, change, now=now))
            return 1
        if standing.gives_way:
            row = taking_over(self._rows.born_moved(send, part, change, now=now), standing)
            self._parts.replace(row, seen=standing.revision)
            return standing.revision + 1
        noted = standing.cancelled is not None
        self._parts.advance(send.send_id, part.name, change, seen=standing.revision, noted=noted)
        return standing.revision + 1

    # --- after a request ----------------------------------------------------------------------------------------

    def settle(
        self, send: Send, part: Part, claimed: Claimed, rule: Rule, outcome: Outcome, *, now: datetime
    ) -> Rule:
        """Write down what came back; return the rule by which that was done.

        It is another than ``rule`` where the part has been cancelled meanwhile and would go on. Raises
        :class:`ClaimLost` if the part is no longer this worker's.
        """
        change = self._rows.settled(part, claimed.submit, rule, outcome, now=now, outbound=claimed.outbound)
        noted = self._write_ours(send, part, claimed, change, unless_noted=heeds_note(rule))
        if noted is None:
            return rule
        end = stopped(unanswered_after(claimed.submit, outcome), noted)
        ended = replace(rule, state=end.state, then=Then.DONE, attention=end.attention)
        change = self._rows.settled(
            part, claimed.submit, ended, outcome, now=now, outbound=claimed.outbound, words=end.words
        )
        self._write_ours(send, part, claimed, change)
        return ended

    def withdraw(self, send: Send, part: Part, claimed: Claimed, *, now: datetime) -> Lapse | None:
        """End a part whose time has passed since it was claimed: its request never goes out. ``None``: it may go.

        Raises :class:`ClaimLost`.
        """
        end = too_late(claimed.submit, now=now, repeat_within=self._rows.repeat_within)
        if end:
            unanswered = claimed.submit.unanswered - 1
            terms = claimed.submit.terms
            change = self._rows.lapsed(
                send, part, end, claim=claimed.claim, now=now, unanswered=unanswered, terms=terms
            )
            self._write_ours(send, part, claimed, change)
        return end

    def _write_ours(
        self, send: Send, part: Part, claimed: Claimed, change: Change, *, unless_noted: bool = False
    ) -> datetime | None:
        """Write a result; return when the part was cancelled, if nothing is written because of that."""
        claim, revision = claimed.claim, claimed.revision
        try:
            self._parts.settle(
                send.send_id, part.name, change, claim=claim, revision=revision, unless_noted=unless_noted
            )
        except Moved as moved:
            standing = _standing(moved)
            if standing.claim != claim:
                raise _taken_over() from moved
            if unless_noted and standing.revision == revision:
                return standing.cancelled
            # else: our own result, written by a try whose answer AWS's client never saw
        return None

    def split(
        self, send: Send, part: Part, claimed: Claimed, outcome: Outcome, *, now: datetime
    ) -> dict[str, Standing]:
        """Divide a part after a 310: in one transaction the halves come to be and the whole cannot be sent again.

        The halves of a part that has been cancelled meanwhile are born ``CANCELLED``. Returns how the halves
        stand, by name. Raises :class:`ClaimLost`.
        """
        try:
            return self._divide(send, part, claimed, outcome, now)
        except Moved as moved:
            cancelled = self._noted(send, part, claimed)
            if cancelled is None:
                raise _taken_over() from moved
        try:
            return self._divide(send, part, claimed, outcome, now, cancelled=cancelled)
        except Moved as moved:
            raise _taken_over() from moved

    def _divide(
        self,
        send: Send,
        part: Part,
        claimed: Claimed,
        outcome: Outcome,
        now: datetime,
        *,
        cancelled: datetime | None = None,
    ) -> dict[str, Standing]:
        whole = self._rows.divided(part, claimed.submit, outcome, now=now)
        expires = claimed.submit.expires  # by the row of the whole: this delivery may know another end of a code
        if not send.valid_until and send.otp_until != expires:
            send = replace(send, otp_until=expires)
        halves = [
            self._rows.noted(send, half, now=now, cancelled=cancelled) | inherited(part, half, claimed.submit)
            for half in part.halves()
        ]
        claim, revision, noted = claimed.claim, claimed.revision, cancelled is not None
        self._parts.divide(send.send_id, part.name, whole, halves, claim=claim, revision=revision, noted=noted)
        return {half["part"]: Standing.of(half) for half in halves}

    def _noted(self, send: Send, part: Part, claimed: Claimed) -> datetime | None:
        """Return when a part that is still this worker's was cancelled."""
        standing = self.known(send.send_id).get(part.name)
        ours = standing and (standing.claim, standing.revision) == (claimed.claim, claimed.revision)
        return standing.cancelled if standing and ours else None

    def tell(self, send: Send, part: Part, words: str, *, now: datetime) -> None:
        """Let a part's row say what it waits for, if it waits."""
        change = self._rows.told(words, now=now)
        self._parts.mark(send.send_id, part.name, change, states=[State.WAITING])

    def tell_outbound(self, send: Send, part: Part, *, now: datetime) -> None:
        """Let a part's row say that who is sent to has been written down, if it is not asked for yet."""
        change = self._rows.told_outbound(now=now)
        self._parts.mark(send.send_id, part.name, change, states=[State.WAITING])

    def known(self, send_id: str) -> dict[str, Standing]:
        """Return how all parts of a send stand, by name.

        A part divided many times has hundreds of rows. One read of them replaces a failed write for each.
        """
        return {row["part"]: Standing.of(row) for row in self._parts.states(send_id)}

    def give_up(self, send: Send, part: Part, *, now: datetime) -> None:
        """Mark an unfinished part whose message goes to the dead-letter queue; the part itself stays as it is."""
        standing = self.note(send, part, now=now)
        if isinstance(standing, Conflict) or (standing and standing.state.final):
            return
        self._parts.mark(send.send_id, part.name, self._rows.given_up(now=now), states=OPEN)

    # --- what waits as a row ------------------------------------------------------------------------------------

    def recall(self, reference: Reference) -> Recalled | None:
        """Return the send of a part that has waited as a row, as the row tells it; ``None`` if there is none."""
        row = self._parts.row(reference.send_id, reference.part)
        if row is None or row.get("fingerprint") != reference.fingerprint:
            return None
        standing, whole = Standing.of(row), row
        if standing.no_send:
            return None
        if "." in reference.part:
            whole = self._parts.row(reference.send_id, first_level(reference.part)) or {}
        text = row.get("content") or next(self._parts.texts(reference.send_id), "")
        return Recalled(restored(row, whole, text), standing)

    # --- sends that are none ------------------------------------------------------------------------------------

    def refuse(self, send_id: str, message_id: str, faults: Sequence[str], body: str, *, now: datetime) -> bool:
        """Write a ``REJECTED`` row for a body that is no send, under its own id or, if taken, the message's.

        The row keeps the beginning of the body, so that nothing is lost by the refusal; the id is not used up.
        Returns whether this message's refusal stands there: a late copy of a body that was refused before writes
        nothing, and one that comes again, as nobody may have heard of its refusal, finds its own.
        """
        digest, words = digest_of(body), " ".join(faults)
        standing = self._refused(send_id, body, words, digest, message_id, now)
        if standing is None:
            return True
        if digest in standing.refused or send_id == message_id:
            return False
        taken = f"{words} The id {send_id} is taken by an earlier message, which stands."
        return self._refused(message_id, body, taken, digest, message_id, now) is None

    def refuse_conflict(self, send: Send, message_id: str, body: str, *, now: datetime) -> bool:
        """Write a ``REJECTED`` row under the message's id for a body whose ``id`` another payload has taken."""
        fault = (
            f"id is {send.send_id}, which an earlier message with another payload has taken. What became of "
            "that one stands, and this one is not sent: the same id means the same send. Enqueue this payload "
            "under an id of its own."
        )
        return self._refused(message_id, body, fault, digest_of(body), message_id, now) is None

    def _refused(
        self, send_id: str, body: str, words: str, digest: str, by: str, now: datetime
    ) -> Standing | None:
        """Write a refusal; return what stands there if that is a send, or another message's refusal of it."""
        return self._put(self._rows.refused(send_id, body, words, digest, by=by, now=now), unless=digest)


def _claimed_before(row: Standing, send: Send) -> Claimed | Finished:
    if row.state.final:
        return Finished(row.state)
    submit = Submit(
        row.timestamp or "",
        row.uses,
        row.unanswered,
        row.attempts,
        row.asked_at,
        with_at_time=row.with_at_time,
        terms=row.terms,
        expires=row.valid_until or send.expires,
        charged=row.charged,
    )
    return Claimed(submit, row.claim or "", row.revision, row.outbound)


def _standing(moved: Moved) -> Standing:
    if moved.standing is None:
        raise ClaimLost("The row has gone.") from moved
    return Standing.of(moved.standing)


def _taken_over() -> ClaimLost:
    return ClaimLost("The part has been taken over by another worker.")
