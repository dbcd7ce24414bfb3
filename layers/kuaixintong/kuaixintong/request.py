"""One part, asked for: from its way in to what its row says of the answer.

The order of steps is the promise: the claim, with the timestamp in it, is written before the request goes out, and
the answer before the account is told. Wherever a worker is cut off, the row says what may have happened.
"""

import uuid
from collections import Counter
from dataclasses import replace
from datetime import datetime, timedelta

from kuaixintong.admission import OutOfBalance, Shown, Ticket
from kuaixintong.claims import Claimed, Conflict
from kuaixintong.core import daily, due, ledger, schedule
from kuaixintong.core.codes import INVALID_NUMBERS, SUCCESS, Actor, Trouble
from kuaixintong.core.cost import cost
from kuaixintong.core.delivery import NOTHING_WENT_OUT
from kuaixintong.core.errors import KuaixintongError, NoAnswer, TryLater
from kuaixintong.core.ledger import (
    Addressee,
    Bid,
    Busy,
    Finished,
    Lapse,
    Outcome,
    Rule,
    State,
    Submit,
    Then,
    WaitUntil,
)
from kuaixintong.core.messages import SendSm
from kuaixintong.core.rails import Charge, Known, LeftOut, Terms, kinds, words_for
from kuaixintong.core.schedule import SOON
from kuaixintong.core.sends import Part, first_level
from kuaixintong.errand import Again, Errand, IdTaken
from kuaixintong.guards import Look
from kuaixintong.recipients import Recipients
from kuaixintong.slots import Held, OverLimit
from kuaixintong.stores.campaigns import Campaign

_AROUND_A_CLAIM = timedelta(seconds=1)
"""Room for a claim and its slot before a look at the mobiles is too old."""

_TRIES_AT_ONCE = 3
"""Requests for one part in one go: the first, and again where the secret has just changed."""

_MARK_IS_SEEN = timedelta(seconds=20)
"""A cancel lists a campaign's parts until 30 s after its mark; a claim on an older look might be in no listing."""

_TURNS = 20
"""Requests for one part in one go that came too fast: each waits for its slot, at a pace that slows meanwhile."""


class PartRequest:
    """One part of an errand's send, which has mobiles to ask for."""

    def __init__(self, errand: Errand, part: Part) -> None:
        self._errand = errand
        self._desk = errand.desk
        self._send = errand.send
        self._part = part
        self._charged: Charge | None = None
        self._recipients = Recipients(errand, part)

    def bring(self) -> State | Again:
        """Bring the part as far as it goes now."""
        try:
            return self._bring()
        finally:
            self._recipients.close()

    def _bring(self) -> State | Again:
        tries = Counter[Then]()
        while tries[Then.AT_ONCE] < _TRIES_AT_ONCE and tries[Then.IN_ITS_TURN] < _TURNS:
            step = self._try()
            if isinstance(step, State | Again):
                return step
            tries[step] += 1
        return Again(SOON, "it was asked for again and again")

    # --- the way in ---------------------------------------------------------------------------------------------

    def _try(self) -> State | Again | Then:
        """Ask once, if it may be asked now; a ``Then`` means: once more."""
        if end := self._lapsed() or self._not_yet():
            return end
        if (spare := self._errand.spare()) < 0:
            return Again(SOON, "out of time")
        look = self._written_down() or self._look()
        if not isinstance(look, Look):
            return look
        try:
            ticket = self._enter(look, spare)
        except Held as held:
            return self._over_limit(held, look) if isinstance(held, OverLimit) else self._wait(held)
        if self._errand.spare() < 0:  # entering can take as long as another thread's probe
            self._desk.admission.leave(ticket, Shown())
            self._give_back(ticket)
            return Again(SOON, "out of time")
        return self._ask(ticket, look)

    def _cost(self, left_out: LeftOut) -> int:
        return cost(left_out.remaining(self._part.mobiles), self._send.content)

    def _written_down(self) -> State | Again | None:
        """Write down who a large part goes to; return how it has ended, if that shows that it has."""
        ended = self._recipients.before_the_slot()
        return self._not_ours(ended) if ended else None

    def _enter(self, look: Look, spare: float) -> Ticket:
        """Ask for a slot, and reserve with it what the part costs of the day's limit. Raises :class:`Held`."""
        costs = self._cost(look.terms.left_out)
        wish = self._desk.guards.wish(self._send, costs, self._charged)
        ticket = self._desk.admission.enter(cost=costs, seconds=self._errand.patience(spare), wish=wish)
        if wish:
            used = daily.used(ticket.slot.seen, wish.limit)
            self._errand.progress.daily_used = max(used, self._errand.progress.daily_used or 0)
        return ticket

    # --- the daily limit ----------------------------------------------------------------------------------------

    def _over_limit(self, over: OverLimit, look: Look) -> State | Again:
        """Let a part wait for the next day, or end it if no day is long enough for it."""
        progress = self._errand.progress
        progress.over_limit += 1
        progress.daily_used = 100
        if look.repeats:  # it is to be the same request, and may have been accepted: it waits as the message
            if end := self._too_old():
                return end
            again = self._errand.in_time(schedule.LONGEST_BACKOFF, str(over))
            return replace(again, all_parts=False)
        if over.never:
            return self._not_ours(self._claim(Bid(_new_claim(), nobody=str(over)), self._errand.now()))
        return self._wait_until(WaitUntil(over.until, str(over)))

    def _give_back(self, ticket: Ticket) -> None:
        for charge in ticket.reserved:
            self._desk.admission.give_back(charge)

    # --- guard rails --------------------------------------------------------------------------------------------

    def _look(self) -> Look | State | Again:
        """Look the part's mobiles up, unless its row shows that there is nothing to decide.

        A part of which nobody is left has come to its end.
        """
        errand, send, part = self._errand, self._send, self._part
        if (
            errand.message.receive_count > 1
            and part.name not in errand.seen
            and self._desk.guards.concern(send, part)
        ):
            rows = self._desk.claims.known(send.send_id)
            errand.seen |= {name: row for name, row in rows.items() if not row.gives_way}
        seen = errand.seen.get(part.name)
        if seen and seen.fingerprint == send.fingerprint:
            self._charged = seen.charged or self._charged
            if seen.state.final:
                return self._finished(seen.state)
            if ledger.must_repeat(seen):
                return Look(seen.terms, Known(), errand.now(), lasts=False, repeats=True)
        of = first_level(part.name)
        look = self._desk.guards.look(send, part, errand.refused.get(of))
        if not part.is_half:
            errand.refused[of] = dict(look.known.refused)
        left_out = look.terms.left_out
        return look if left_out.remaining(part.mobiles) else self._end_without_anybody(left_out)

    def _end_without_anybody(self, left_out: LeftOut) -> State | Again:
        """End a part of which the rails have left nobody."""
        if end := self._stopped():
            return end
        bid = Bid(_new_claim(), terms=Terms(left_out), nobody=words_for(left_out))
        return self._not_ours(self._claim(bid, self._errand.now()))

    def _counted(self, look: Look) -> tuple[Look, tuple[str, ...]]:
        """Look again if that has become old meanwhile, and count; return for whom this has counted."""
        if look.repeats:
            return look, ()
        if look.too_old(self._errand.now() + _AROUND_A_CLAIM):
            look = self._desk.guards.look(self._send, self._part, look.known.refused)
        counted = self._desk.guards.count(self._send, self._part, look.terms.left_out, spare=self._errand.spare)
        return replace(look, terms=replace(look.terms, left_out=counted.left_out)), counted.new

    def _uncount(self, counted: tuple[str, ...], instead: object) -> None:
        """Count the send no longer for whom this has counted it, if it is certain that nothing of it goes out.

        Another worker that has the part, or had it, relies on what it has found counted.
        """
        ended = isinstance(instead, Finished) and instead.state in NOTHING_WENT_OUT
        if ended or isinstance(instead, Conflict):
            self._desk.guards.give_back(self._send, counted, spare=self._errand.to_tidy)

    def _note_end(self, claimed: Claimed, rule: Rule, outcome: Outcome) -> None:
        """Note what a part's end says of its mobiles."""
        left_out, guards = claimed.submit.terms.left_out, self._desk.guards
        if not rule.state.final or rule.state is State.SPLIT:
            return
        self._errand.progress.left_out += kinds(left_out)
        if rule.state not in (State.REJECTED, State.CANCELLED) or outcome.others_unanswered:
            return
        guards.give_back(self._send, left_out.remaining(self._part.mobiles), spare=self._errand.to_tidy)
        self._desk.admission.give_back(claimed.submit.charged)
        if outcome.answer and outcome.answer.state_code == INVALID_NUMBERS:
            noted = guards.note_refused(self._part, left_out)
            self._errand.refused.setdefault(first_level(self._part.name), {}).update(noted)

    def _lapsed(self) -> State | Again | None:
        """End a part whose validity has passed."""
        now = self._errand.now()
        if not self._errand.over(now) or self._valid_by_its_row(now):
            return None
        return self._not_ours(self._claim(Bid(_new_claim()), now))

    def _valid_by_its_row(self, now: datetime) -> bool:
        """Tell whether a one-time code goes on by what its row says of its end, which counts.

        This delivery can know another: of a copy that was enqueued before the one that came first, or by a
        parameter that has changed.
        """
        if not self._send.otp_until:
            return False
        row = self._errand.seen.get(self._part.name) or self._errand.row(self._part)
        if row is None or row.valid_until is None or row.valid_until <= now:
            return False
        self._send = self._errand.goes_by(row.valid_until)
        return True

    def _stopped(self) -> State | Again | None:
        """End a part of a cancelled campaign rather than let it wait: the call that cancels may have ended."""
        campaign = self._errand.campaign()
        if campaign is None and self._send.campaign:  # a part that waits is one that its campaign has
            self._desk.campaigns.make_sure(self._send.campaign, now=self._errand.now())
        if campaign is None or campaign.cancelled is None:
            return None
        return self._not_ours(self._claim(Bid(_new_claim(), cancelled=campaign.cancelled), self._errand.now()))

    def _too_old(self) -> State | Again | None:
        """End a part whose request is unanswered and too old to be repeated, rather than let it wait on.

        What holds it back can last for days, and only what says ``UNCONFIRMED`` is looked at, and heals.
        """
        seen = self._errand.seen.get(self._part.name)
        if seen is None or not ledger.must_repeat(seen):
            return None
        bid = Bid(_new_claim())
        instead = self._desk.claims.claim(self._send, self._part, bid, now=self._errand.now(), known=seen)
        return None if isinstance(instead, Busy) else self._not_ours(instead)

    def _not_yet(self) -> State | Again | None:
        """Let a part wait that is held, or whose row waits for something: also a copy that comes too early."""
        now, seen = self._errand.now(), self._errand.seen.get(self._part.name)
        wait = due.held(self._send, now=now)
        if wait is None and seen and seen.waits_until and now < seen.waits_until and not ledger.must_repeat(seen):
            wait = WaitUntil(seen.waits_until, "")
        return self._wait_until(wait) if wait else None

    def _wait_until(self, wait: WaitUntil) -> State | Again:
        """Wait for what a rail, or ``hold``, says: as a row, or where it is a matter of minutes as the message."""
        if end := self._stopped():
            return end
        now = self._errand.now()
        if due.waits_as_a_row(wait, now=now):
            return self._not_ours(self._claim(self._wait_bid(wait), now))
        standing = self._errand.seen.get(self._part.name) or self._errand.note(self._part)
        if standing and standing.state.final:
            return standing.state
        self._recipients.while_it_waits(standing)
        if standing is None and wait.reason:
            self._desk.claims.tell(self._send, self._part, wait.reason, now=now)
        return self._back_at(wait.until)

    def _wait_bid(self, wait: WaitUntil) -> Bid:
        return Bid(_new_claim(), wait=wait, lane=self._desk.lane)

    def _back_at(self, until: datetime) -> Again:
        rest = (until - self._errand.now()).total_seconds()
        again = self._errand.in_time(max(rest, 0) + SOON, "its time has not come")
        return replace(again, all_parts=False)

    def _wait(self, held: Held) -> State | Again:
        """Go back to the queue without a call, but not without a row."""
        if end := self._lapsed() or self._stopped() or self._too_old():
            return end
        # what this delivery has noted need not be noted again: a failed write costs as much as the whole row
        standing = self._errand.seen.get(self._part.name) or self._errand.note(self._part)
        if standing and standing.state.final:
            return standing.state
        self._recipients.while_it_waits(standing)
        now, dear = self._errand.now(), isinstance(held, OutOfBalance)
        if dear:
            self._errand.progress.too_dear += 1
            self._desk.claims.tell(self._send, self._part, str(held), now=now)
        delay = schedule.after_hold(held.until, self._errand.waiting(), now=now, chance=self._desk.chance())
        return replace(self._errand.in_time(delay, str(held)), all_parts=not dear)

    # --- one request --------------------------------------------------------------------------------------------

    def _claim(self, bid: Bid, now: datetime) -> Claimed | Finished | Lapse | Busy | WaitUntil | Conflict:
        known = self._errand.seen.pop(self._part.name, None)
        return self._desk.claims.claim(self._send, self._part, bid, now=now, known=known)

    def _ask(self, ticket: Ticket, look: Look) -> State | Again | Then:
        """Send one request and write down its answer; a ``Then`` as above."""
        outcome: Outcome | None = None
        trouble: Trouble | None = None
        admission = self._desk.admission
        try:
            # A slot can be longer in coming than a look lasts. The look that counts is the one of the claim.
            look, counted = self._counted(look)
            claimed = self._taken(ticket, look, counted)
            if not isinstance(claimed, Claimed):
                return claimed
            if instead := self._kept_from(claimed, ticket, look):
                return instead
            outcome = self._outcome(claimed, ticket)
            rule = self._write(claimed, ledger.rule_for(outcome), outcome)
            self._note_end(claimed, rule, outcome)
            if rule.then is not Then.FRESH_SECRET or not admission.changed_secret(ticket):
                trouble = rule.trouble
        finally:
            paused = admission.leave(ticket, _shown(outcome, trouble))
            if paused:
                self._errand.progress.pauses[paused] += 1
        self._errand.progress.brought_to(rule.state, rule.attention)
        return self._next(rule, trouble, outcome, claimed.submit.attempts)

    def _taken(self, ticket: Ticket, look: Look, counted: tuple[str, ...]) -> Claimed | State | Again:
        """Take the part, whose send has been ``counted`` anew for some; or return what becomes of it instead."""
        if not look.terms.left_out.remaining(self._part.mobiles):
            self._give_back(ticket)
            return self._end_without_anybody(look.terms.left_out)
        campaign, looked_at = self._errand.campaign(), self._errand.now()
        claimed = self._claim(self._bid(ticket, look.terms, campaign), self._errand.now())
        if not isinstance(claimed, Claimed):
            self._uncount(counted, claimed)
            self._give_back(ticket)
            return self._not_ours(claimed)
        self._recipients.claimed()
        self._charged = claimed.submit.charged
        self._desk.admission.give_back(claimed.submit.excess)
        late = self._errand.now() - looked_at > _MARK_IS_SEEN
        return self._overdue(claimed) or (late and self._marked(claimed)) or self._announced(claimed, campaign)

    def _marked(self, claimed: Claimed) -> State | Again | None:
        """Look at the campaign's mark again: the claim took so long that no listing of the cancel may have it."""
        campaign = self._errand.campaign()
        if campaign is None or campaign.cancelled is None:
            return None
        again = self._put_back(claimed, "Its campaign has been cancelled.")
        return again if isinstance(again, State) else self._stopped() or again

    def _kept_from(self, claimed: Claimed, ticket: Ticket, look: Look) -> State | Again | None:
        """Wait for the slot; return what becomes of the part if its request does not go out then."""
        if self._cost(claimed.submit.terms.left_out) > ticket.cost:
            return self._put_back(claimed, "It goes to more mobiles than its slot was asked for.")
        if not self._at_slot(claimed, ticket):
            return self._put_back(claimed, "All slots of the account's pace were taken.")
        if end := self._overdue(claimed):
            return end
        fresh = claimed.submit.timestamp == ticket.timestamp
        if fresh and (look.repeats or look.too_old(self._errand.now())):
            return self._put_back(claimed, "The look at who has opted out had become too old.")
        return None

    def _bid(self, ticket: Ticket, terms: Terms, campaign: Campaign | None) -> Bid:
        who = ticket.credentials
        return Bid(
            claim=_new_claim(),
            fresh=ticket.timestamp,
            asked=Addressee(who.cid, who.uid, self._desk.platform.address),
            at_time_to_come=schedule.still_to_come(self._send.at_time, now=self._errand.now()),
            outbound=self._recipients.ahead,
            cancelled=campaign.cancelled if campaign else None,
            terms=terms,
            charged=ticket.charged,
            knew=self._charged,
        )

    def _announced(self, claimed: Claimed, campaign: Campaign | None) -> Claimed:
        """See to it that its campaign and who it goes to are written down before a part is asked for.

        A half's mobiles are those of its first-level part, which has been asked for.
        """
        try:
            if self._send.campaign and campaign is None:
                self._desk.campaigns.name(self._send.campaign, now=self._errand.now())
            self._recipients.before_the_request(row_says_so=claimed.outbound)
        except KuaixintongError:
            self._put_back(claimed, "Who is sent to could not be written down.")
            raise
        return claimed if self._part.is_half else replace(claimed, outbound=True)

    def _overdue(self, claimed: Claimed) -> State | Again | None:
        """End a part whose time has passed since it was looked at: a claim, or a slot, can take its own."""
        end = self._desk.claims.withdraw(self._send, self._part, claimed, now=self._errand.now())
        return self._not_ours(end) if end else None

    def _at_slot(self, claimed: Claimed, ticket: Ticket) -> bool:
        """Wait for the request's slot; ``False`` if none comes in time."""
        try:
            return self._desk.admission.at_slot(ticket, seconds=self._errand.spare())
        except KuaixintongError:  # the account's table, or a clock: whatever it is, the request has not left
            self._put_back(claimed, "No slot of the account's pace could be taken.")
            raise

    def _put_back(self, claimed: Claimed, words: str) -> State | Again:
        """Give a part back whose request has found no slot: it never left."""
        never_left = replace(self._asking(claimed), left=False, words=words)
        rule = self._write(claimed, ledger.rule_for(never_left), never_left)
        if rule.state.final:  # it has been cancelled meanwhile
            self._errand.progress.brought_to(rule.state, rule.attention)
            return rule.state
        return Again(SOON, never_left.words)

    def _asking(self, claimed: Claimed) -> Outcome:
        """What the ledger wants to know of a request that has no answer yet."""
        submit = claimed.submit
        return Outcome(
            None,
            first_use=submit.uses == 1,
            mobiles=len(submit.terms.left_out.remaining(self._part.mobiles)),
            others_unanswered=submit.unanswered > 1,
        )

    def _outcome(self, claimed: Claimed, ticket: Ticket) -> Outcome:
        """Ask, and return what came back, with all that the ledger wants to know of the request."""
        submit = claimed.submit
        near = submit.with_at_time and schedule.near(self._send.at_time, now=self._errand.now())
        asking = replace(self._asking(claimed), at_time_near=near)
        request = self._request(submit)
        try:
            answer = self._desk.platform.ask(request, ticket.credentials, submit.timestamp)
        except NoAnswer as reason:  # its text is made to be shown
            return replace(asking, left=reason.left, words=str(reason))
        return replace(asking, answer=answer)

    def _request(self, submit: Submit) -> SendSm:
        send = self._send
        begin, end = submit.terms.hours or (send.daily_begin_time or "", send.daily_end_time or "")
        return SendSm(
            mobiles=submit.terms.left_out.remaining(self._part.mobiles),
            content=send.content,
            at_time=(send.at_time or "") if submit.with_at_time else "",
            daily_begin_time=begin,
            daily_end_time=end,
        )

    # --- what came back -----------------------------------------------------------------------------------------

    def _write(self, claimed: Claimed, rule: Rule, outcome: Outcome) -> Rule:
        """Write down what came back; return the rule by which: a cancel meanwhile can end what would go on."""
        claims, now, answer = self._desk.claims, self._errand.now(), outcome.answer
        try:
            if rule.then is Then.SPLIT:
                self._errand.seen |= claims.split(self._send, self._part, claimed, outcome, now=now)
                return rule
            return claims.settle(self._send, self._part, claimed, rule, outcome, now=now)
        except TryLater as error:
            if answer is None or rule.state is not State.ACCEPTED:
                raise
            # The row will say UNCONFIRMED. The token is in no table, so let the log have it for whoever looks.
            asked = f"part {self._part.name} was accepted with timestamp {claimed.submit.timestamp}"
            raise type(error)(f"{error} {asked} as token {answer.token}.") from error

    def _next(self, rule: Rule, trouble: Trouble | None, outcome: Outcome, attempts: int) -> State | Again | Then:
        match rule.then:
            case Then.DONE | Then.SPLIT:
                return rule.state
            case Then.FRESH_SECRET if trouble is None:
                return Then.AT_ONCE
            case Then.AT_ONCE | Then.IN_ITS_TURN:
                return rule.then
            case Then.SOON:
                return Again(SOON, "timestamp refused")
            case _ if self._waits_out(trouble):
                return Then.IN_ITS_TURN
            case _:
                why = outcome.words or trouble or "the platform asks to come later"
                return self._errand.in_time(self._delay(trouble, attempts), why)

    def _delay(self, trouble: Trouble | None, attempts: int) -> float:
        # Deliveries that met a pause cost nothing and prove nothing: they do not count for the backoff.
        tries, chance = min(self._errand.message.receive_count, attempts), self._desk.chance()
        if trouble:
            return schedule.after_trouble(tries, self._errand.waiting(), chance)
        return schedule.backoff(tries, chance)

    def _waits_out(self, trouble: Trouble | None) -> bool:
        """Whether to stay for the next probe of an outage, as somebody waits for this message."""
        hurries = self._errand.waiting().hurries and trouble is Trouble.UNREACHABLE
        return hurries and self._errand.patience(self._errand.spare()) > 0

    def _not_ours(self, instead: Claimed | Finished | Lapse | Busy | WaitUntil | Conflict) -> State | Again:
        match instead:
            case Finished(state):
                return self._finished(state)
            case Lapse(state, attention):
                self._errand.progress.brought_to(state, attention)
                self._errand.progress.left_out += kinds(instead.left_out)
                self._desk.admission.give_back(instead.charged)
                if state in (State.EXPIRED, State.CANCELLED):
                    self._desk.guards.give_back(self._send, self._part.mobiles, spare=self._errand.to_tidy)
                if state is not State.UNCONFIRMED:
                    self._recipients.at_its_end()
                return state
            case Busy(until):
                delay = schedule.after_lease(until, now=self._errand.now())
                return Again(delay, "another worker has it", all_parts=False)
            case WaitUntil(until):
                if not due.waits_as_a_row(instead, now=self._errand.now()):
                    return self._back_at(until)
                self._errand.progress.waiting += 1
                self._recipients.while_it_is_parked(until)
                return State.WAITING  # as a row, which is enqueued again: the message has done its duty
            case _:
                raise IdTaken

    def _finished(self, state: State) -> State:
        self._errand.progress.repeats += 1
        return state


def _shown(outcome: Outcome | None, trouble: Trouble | None) -> Shown:
    answer = outcome.answer if outcome else None
    if answer is None:
        return Shown(trouble=trouble)
    proof = answer.meaning.actor in (Actor.NOBODY, Actor.REQUEST)
    return Shown(answered=True, accepted=answer.state_code == SUCCESS, trouble=trouble, proof=proof)


def _new_claim() -> str:
    return uuid.uuid4().hex
