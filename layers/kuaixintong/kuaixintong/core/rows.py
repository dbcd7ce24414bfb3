"""What a part's row says, as a value: each decision of the ledger, turned into the attributes that it leaves.

Stores carry these values to their table and know no state by name.

A half, the child of a 310, is written without its mobiles until it comes to its end: a row is charged by its size
at every write, and a part that is halved over and over would pay for its numbers each time. Until then its
``positions`` say which mobiles of the first-level part are its own, and that part's row keeps the list as
``divided``.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from kuaixintong.core import beijing, due, events
from kuaixintong.core.change import Change
from kuaixintong.core.codes import INVALID_NUMBERS
from kuaixintong.core.ledger import (
    ADVICE,
    Addressee,
    Attention,
    Lapse,
    Note,
    Outcome,
    Rule,
    Standing,
    State,
    Submit,
    Then,
    WaitUntil,
    stopped,
    unanswered_after,
    uses_after,
)
from kuaixintong.core.messages import Answer
from kuaixintong.core.rails import AS_ASKED, NOBODY, Charge, LeftOut, Terms, listed
from kuaixintong.core.sends import Category, InvalidMobile, Part, Send

_LONGEST_KEPT = 90_000
"""Characters of a refused body that are kept; a row holds 400 KB, and a character is at most four bytes."""

REFUSED_SHARDS = 8

LISTING_SHARDS = 4
"""Keys over which a campaign's parts are spread, and a day's sends: a key takes a thousand writes a second."""

LENT = ("content", "content_lent")
"""A text that a row holds only until it has gone out, and the mark that it does."""

_REMEMBERED = 10
"""Digests of refused bodies that a row remembers."""

type Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Rows:
    """How a deployment writes rows of parts.

    ``retention`` is how long a row lives after its last write; ``lease`` how long a claim keeps others away, which
    has to be longer than a function can live. With ``store_content`` off, no text of a message is kept. No
    timestamp is repeated for longer than ``repeat_within`` after its first request.
    """

    retention: timedelta
    lease: timedelta
    store_content: bool = True
    repeat_within: timedelta = timedelta(minutes=60)

    # --- a row's birth ------------------------------------------------------------------------------------------

    def noted(self, send: Send, part: Part, *, now: datetime, cancelled: datetime | None = None) -> Row:
        """A part that is written down before it is asked for. Without usable mobiles it is born ``REJECTED``.

        With ``cancelled``, when its send was cancelled before the part came to be, it is born ``CANCELLED``.
        """
        if part.mobiles and cancelled:
            return self._born(send, part, now) | _ended(part, NOBODY) | _told_of(stillborn(cancelled), now)
        if part.mobiles:
            return self._born(send, part, now) | _told_of({"state": State.WAITING}, now)
        words = "No mobile of this part is usable; invalid_mobiles says why."
        return self._born(send, part, now) | _told_of({"state": State.REJECTED, "words": words}, now)

    def refused(self, send_id: str, body: str, words: str, digest: str, *, by: str, now: datetime) -> Row:
        """A body that is no send, or that asks for another's id, in the message ``by``. Its beginning is kept.

        Its attention carries a shard: a producer at fault writes as fast as it can, and no key of an index takes
        more than a thousand writes a second.
        """
        shard = int(digest[:8], 16) % REFUSED_SHARDS
        return {
            "send_id": send_id,
            "part": "1",
            "parts": 1,
            "state": State.REJECTED,
            "words": words,
            "body": body[:_LONGEST_KEPT] if self.store_content else None,
            "fingerprint": digest,
            "refused": [digest],
            "claim": by,
            "attention": refused_shard(shard),
            "advice": ADVICE[Attention.REFUSED],
            **self._dated(now),
        }

    def _born(self, send: Send, part: Part, now: datetime) -> Row:
        lean = part.is_half
        return {
            "send_id": send.send_id,
            "part": part.name,
            "parts": send.parts_in_all,
            "mobiles": None if lean else list(part.mobiles),
            "positions": [part.start, part.start + len(part.mobiles)] if lean else None,
            "invalid_mobiles": listed(part.invalid_mobiles),
            **self._text(send, lend=send.lent),
            "at_time": send.at_time,
            "daily_begin_time": send.daily_begin_time,
            "daily_end_time": send.daily_end_time,
            "valid_until": send.valid_until,
            "category": None if send.category is Category.NOTICE else send.category,
            "campaign": send.campaign,
            "hold": send.hold or None,
            "fingerprint": send.fingerprint,
            **({"otp_until": beijing.iso(send.otp_until)} if send.otp_until else {}),
            **_listed_under(send, part, now),
            **self._dated(now),
        }

    def _text(self, send: Send, *, lend: bool) -> Row:
        """The content, if it is stored, or ``lend`` it until it has gone out: what waits as a row has no other."""
        lent = lend and not self.store_content
        return {
            "content": send.content if self.store_content or lent else None,
            "content_lent": True if lent else None,
        }

    def unseen(self, send_id: str, part: str, *, now: datetime, parts: int | None = None) -> Row:
        """The cancel of what nobody has seen: a whole send, or one part of a send of so many ``parts``."""
        whole = {"cancels_send": True} if parts is None else {"parts": parts}
        return {"send_id": send_id, "part": part, **_told_of(stillborn(now), now), **whole, **self._dated(now)}

    def ended(
        self, end: Lapse, standing: Standing, part: Part | None, *, claim: str, now: datetime, lent: bool = False
    ) -> Change:
        """A part that a cancel ends; ``part`` is needed of a half, and where rails have left somebody out.

        A text that was ``lent`` goes. The ``claim`` is the cancel's own: whoever held the part before is told that
        it no longer does.
        """
        values = {"state": end.state, "words": end.words, "claim": claim}
        values |= _ended(part, end.left_out) if part else {}
        values |= {"cancelled_at": beijing.iso(end.cancelled)} if end.cancelled else {}
        gone = ("lease_until", *due.WAITING, *standing.terms.written(), *(LENT if lent else ()))
        return self._moved(values, now, attention=end.attention, gone=gone)

    @staticmethod
    def noted_cancel(note: Note, *, now: datetime) -> Change:
        """The note that a part is cancelled. It takes no revision from a worker whose result has to fit."""
        cancelled = {"cancelled_at": beijing.iso(now)}
        if not note.revised:
            return Change(cancelled)
        return Change({**cancelled, "cancels_send": True, "updated_at": beijing.iso(now)}, added={"revision": 1})

    # --- waiting as a row ---------------------------------------------------------------------------------------

    def parked(self, send: Send, part: Part, wait: WaitUntil, *, lane: str, now: datetime) -> Change:
        """A part that waits as a row: it lives on from the time that it waits for, and has its text until then."""
        values = {
            "state": State.WAITING,
            "words": wait.reason or None,
            "waits_until": beijing.iso(wait.until),
            "due_at": beijing.iso(due.first_look(wait, send.expires)),
            "due_shard": due.shard(send.send_id, part.name),
            "lane": lane,
            **self._text(send, lend=True),
        }
        moved = self._moved(values, now, attention=None)
        return replace(moved, values={**moved.values, "expires_at": self._expiry(max(wait.until, now))})

    # --- before a request ---------------------------------------------------------------------------------------

    def taken(
        self,
        step: Submit,
        *,
        claim: str,
        asked: Addressee | None,
        now: datetime,
        outbound: bool = False,
        history: Sequence[Mapping[str, Any]] = (),
    ) -> Change:
        """The claim: the timestamp is written down before its request goes out.

        ``outbound`` tells that who is sent to has been written down, and ``history`` what the row tells so far.
        """
        values = {
            **({"cid": asked.cid, "uid": asked.uid, "server": asked.server} if asked else {}),
            "state": State.SUBMITTING,
            "timestamp": step.timestamp,
            "uses": step.uses,
            "unanswered": step.unanswered,
            "attempts": step.attempts,
            "asked_at": beijing.iso(step.asked_at or now),
            "with_at_time": step.with_at_time,
            "claim": claim,
            "lease_until": beijing.iso(now + self.lease),
            **_outbound(outbound),
            **step.terms.written(),
        }
        if step.charged:
            values |= _charge(step.charged)
        moved = self._moved(values, now, attention=None, gone=due.WAITING)
        if not events.too_many(history):
            return moved
        kept = events.latest(history, *moved.appended["history"])
        return replace(moved, values={**moved.values, "history": kept}, appended={})

    def lapsed(
        self,
        send: Send,
        part: Part,
        lapse: Lapse,
        *,
        claim: str,
        now: datetime,
        unanswered: int | None = None,
        terms: Terms = AS_ASKED,
    ) -> Change:
        """A part that may no longer be asked for; ``unanswered`` if that is another number now.

        ``terms`` are those of its requests: what they were stands in the row's mobiles from now on.
        """
        words = lapse.words or _over(send, lapse.expired)
        values = {"state": lapse.state, "words": words, "claim": claim, **_ended(part, lapse.left_out)}
        values |= {} if unanswered is None else {"unanswered": unanswered}
        values |= {"cancelled_at": beijing.iso(lapse.cancelled)} if lapse.cancelled else {}
        gone = ("lease_until", *due.WAITING, *self._gone_text(), *terms.written())
        return self._moved(values, now, attention=lapse.attention, gone=gone)

    def _gone_text(self) -> tuple[str, ...]:
        """The attributes that a part leaves behind at its end, where no text is to stay."""
        return () if self.store_content else LENT

    def born_moved(self, send: Send, part: Part, change: Change, *, now: datetime) -> Row:
        """A row that is born with its first change: a new part costs one write."""
        given = {name: value for name, value in change.values.items() if value is not None}
        return self._born(send, part, now) | given | dict(change.appended)

    # --- after a request ----------------------------------------------------------------------------------------

    def settled(
        self,
        part: Part,
        submit: Submit,
        rule: Rule,
        outcome: Outcome,
        *,
        now: datetime,
        outbound: bool = False,
        words: str = "",
    ) -> Change:
        """The result of a request; ``outbound`` as in a claim: what goes on need not write that again.

        The ``words`` stand in place of the platform's where a cancel has decided what comes of it.
        """
        answer = outcome.answer
        values: Row = {
            "state": rule.state,
            "uses": uses_after(submit, outcome),
            "unanswered": unanswered_after(submit, outcome),
            **_told(outcome),
            **({"words": words} if words else {}),
        }
        if rule.then is Then.AT_ONCE:
            values["at_time_over"] = True
        if answer and rule.state is State.ACCEPTED:
            values |= {"token": answer.token, "fee": answer.fee, "accepted_at": beijing.iso(now)}
        left_out = submit.terms.left_out
        values |= _ended(part, left_out) if rule.state.final else _outbound(outbound)
        if answer and answer.state_code == INVALID_NUMBERS and rule.state is State.REJECTED:
            values |= _named_alone(part, left_out, answer)
        gone: tuple[str, ...] = ("lease_until",) if answer else ("lease_until", "code")
        if rule.state.final:
            gone = (*gone, *self._gone_text())
        if rule.state.final or not values["unanswered"]:  # a fresh timestamp decides anew who is left out
            gone = (*gone, *submit.terms.written())
        return self._moved(values, now, attention=rule.attention, gone=gone)

    def divided(self, part: Part, submit: Submit, outcome: Outcome, *, now: datetime) -> Change:
        """A part whose halves stand for it from now on."""
        values: Row = {
            "state": State.SPLIT,
            "unanswered": unanswered_after(submit, outcome),
            "divided": None if part.is_half else list(part.mobiles),
            **_told(outcome),
        }
        gone = ("lease_until", "mobiles", *self._gone_text(), *submit.terms.written())
        return self._moved(values, now, attention=None, gone=gone)

    def inferred(self, part: Mapping[str, Any], token: str, *, now: datetime) -> Change:
        """An acceptance that reports have proven: ``part`` is the row, whose answer was lost.

        When the platform accepted it is not known; no earlier than its request was made.
        """
        values = {
            "state": State.ACCEPTED,
            "token": token,
            "inferred": True,
            "accepted_at": part["asked_at"],
            "words": f"Its answer was lost; the reports of token {token} prove that it was accepted.",
        }
        return self._moved(values, now, attention=None, gone=("code",))

    def confirmed(self, part: Mapping[str, Any], token: str, *, now: datetime) -> Change:
        """An acceptance by a person's word: ``part`` is the row, which lacks the token, or any answer."""
        values = {
            "state": State.ACCEPTED,
            "token": token,
            "confirmed": True,
            "accepted_at": part.get("accepted_at") or part.get("asked_at"),
            "words": f"A person said that the platform accepted it under token {token}.",
        }
        return self._moved(values, now, attention=None, gone=("code",))

    def denied(self, part: Mapping[str, Any], by: str, *, now: datetime) -> Change:
        """The end of a part, ``part`` is its row, that was not accepted by a person's word.

        It goes on counting among those that an unknown token may belong to: ``denied`` says so.
        """
        words = (
            f"{by} said that the platform did not accept it. To send it anew, enqueue its mobiles under a new id, "
            f"such as {part['send_id']}-again."
        )
        values = {"state": State.REJECTED, "denied": True, "words": words}
        return self._moved(values, now, attention=None, gone=("code",))

    @staticmethod
    def given_up(*, now: datetime) -> Change:
        """The mark of a part whose message goes to the dead-letter queue; the part itself stays as it is.

        No revision is taken: another copy of the message may hold the part, and its result must still fit.
        """
        told = [events.event(Attention.GAVE_UP, {}, now=now)]
        values = {**_attention(Attention.GAVE_UP), "updated_at": beijing.iso(now)}
        return Change(values, appended={"history": told})

    @staticmethod
    def told_outbound(*, now: datetime) -> Change:
        """That who is sent to has been written down, for a part that is not asked for yet. No revision either."""
        return Change({"outbound": True, "updated_at": beijing.iso(now)})

    @staticmethod
    def told(words: str, *, now: datetime) -> Change:
        """What a part waits for. No revision is taken, for the same reason."""
        return Change({"words": words, "updated_at": beijing.iso(now)})

    # --- times --------------------------------------------------------------------------------------------------

    def _moved(
        self, values: Mapping[str, Any], now: datetime, *, attention: Attention | None, gone: tuple[str, ...] = ()
    ) -> Change:
        dated = {"updated_at": beijing.iso(now), "expires_at": self._expiry(now)}
        stale = () if attention else ("attention", "advice")
        return Change(
            {**values, **_attention(attention), **dated},
            gone=(*gone, *stale),
            added={"revision": 1},
            appended=_history(values, now),
        )

    def _dated(self, now: datetime) -> Row:
        stamp = beijing.iso(now)
        return {"revision": 1, "created_at": stamp, "updated_at": stamp, "expires_at": self._expiry(now)}

    def _expiry(self, now: datetime) -> int:
        return int((now + self.retention).timestamp())


def refused_shard(shard: int) -> str:
    """Return the attention of refused bodies in one of :data:`REFUSED_SHARDS`."""
    return f"{Attention.REFUSED}.{shard}"


def unsharded(attention: str) -> str:
    """Return why a row asks for attention, whatever shard it stands in."""
    return attention.partition(".")[0]


def campaign_shards(campaign: str) -> list[str]:
    """Return the keys under which the parts of a campaign's sends are listed."""
    return [f"{campaign}#{shard}" for shard in range(LISTING_SHARDS)]


def day_shards(day: str) -> list[str]:
    """Return the keys under which the sends of a Beijing day, ``yyyy-MM-dd``, are listed."""
    return [f"{day}#{shard}" for shard in range(LISTING_SHARDS)]


def _listed_under(send: Send, part: Part, now: datetime) -> Row:
    """Where a row is listed, from its birth to its end: by campaign or, the first part of a send, by day."""
    shard = hashlib.sha256(send.send_id.encode()).digest()[0] % LISTING_SHARDS
    if send.campaign:
        return {"campaign_shard": campaign_shards(send.campaign)[shard]}
    return {"day_shard": day_shards(beijing.day(now))[shard]} if part.name == "1" else {}


def taking_over(row: Row, standing: Standing) -> Row:
    """Return a row that takes the place of a refused body's, and remembers what was refused.

    The revision goes on, so that nobody who saw the refused body can write over what comes now. A cancel that
    stands there goes on, too: a send joins it, and a body that is refused does not undo it.
    """
    refused = [*standing.refused, *row.get("refused", ())]
    taken = row | {"revision": standing.revision + 1, "refused": refused[-_REMEMBERED:] or None}
    if standing.cancelled is None:
        return taken
    taken |= {"cancelled_at": beijing.iso(standing.cancelled), "cancels_send": standing.whole or None}
    joins = "refused" not in row and row["state"] is State.WAITING
    if not joins:
        return taken
    return taken | _told_of(stillborn(standing.cancelled), beijing.from_iso(row["updated_at"]))


def inherited(part: Part, half: Part, submit: Submit) -> Row:
    """Return what a half has of a day's limit from the part that a 310 has divided."""
    share = submit.charged and submit.charged.share(part, half, submit.terms.left_out)
    return _charge(share) if share else {}


def _charge(charge: Charge) -> Row:
    return {"charged_day": charge.day, "charged_cost": charge.cost, "charged_cid": charge.cid}


def stillborn(cancelled: datetime) -> Row:
    """Return what a row says that was cancelled before it came to be."""
    words = stopped(0, cancelled).words
    return {"state": State.CANCELLED, "words": words, "cancelled_at": beijing.iso(cancelled)}


def digest_of(body: str) -> str:
    """Return what stands in for the fingerprint of a body that is no send."""
    return hashlib.sha256(body.encode()).hexdigest()[:32]


def _outbound(outbound: bool) -> Row:  # noqa: FBT001
    return {"outbound": True} if outbound else {}


def _told_of(values: Row, now: datetime) -> Row:
    return values | _history(values, now)


def _history(values: Mapping[str, Any], now: datetime) -> Row:
    return {"history": [events.event(values["state"], values, now=now)]}


def _told(outcome: Outcome) -> Row:
    answer = outcome.answer
    if answer is None:
        return {"words": outcome.words or None}
    return {"code": answer.state_code, "words": answer.message or answer.meaning.meaning}


def _over(send: Send, expired: datetime | None) -> str:
    if send.valid_until or expired is None:
        return f"validUntil {send.valid_until} has passed."
    return f"This one-time code was valid until {beijing.iso(expired)}."


def _ended(part: Part, left_out: LeftOut) -> Row:
    """Who was sent to, and who was left out and why, where that is another than the part as it was parsed."""
    if not left_out:
        return {"mobiles": list(part.mobiles)} if part.is_half else {}
    invalid = [*part.invalid_mobiles, *left_out.named(part.mobiles)]
    return {"mobiles": list(left_out.remaining(part.mobiles)), "invalid_mobiles": listed(invalid)}


def _named_alone(part: Part, left_out: LeftOut, answer: Answer) -> Row:
    """A number that stands alone and is refused as a number (310): it moves to where the unusable ones are."""
    reason = f"{INVALID_NUMBERS} {answer.meaning.meaning}"
    alone = [InvalidMobile(mobile, reason) for mobile in left_out.remaining(part.mobiles)]
    invalid = [*part.invalid_mobiles, *left_out.named(part.mobiles), *alone]
    return {"mobiles": [], "invalid_mobiles": listed(invalid)}


def _attention(attention: Attention | None) -> Row:
    return {"attention": attention, "advice": ADVICE[attention]} if attention else {}
