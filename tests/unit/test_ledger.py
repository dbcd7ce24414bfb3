"""The part's state machine beside the contract's table (section 2), row by row, and the rule that it serves."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kuaixintong.core import ledger
from kuaixintong.core.codes import STATE_CODES, Trouble
from kuaixintong.core.ledger import (
    ADVICE,
    TABLE,
    Addressee,
    Attention,
    Bid,
    Busy,
    Finished,
    Lapse,
    Outcome,
    Standing,
    State,
    Step,
    Submit,
    Then,
    next_step,
    rule_for,
    too_late,
    unanswered_after,
    uses_after,
)
from kuaixintong.core.messages import Answer

NOW = datetime(2026, 11, 23, 4, 0, tzinfo=UTC)
LATER = NOW + timedelta(seconds=90)
EARLIER = NOW - timedelta(minutes=5)

FIRST, REPEATED = True, False
ANY_USE = (FIRST, REPEATED)
OTHER_CODES = [2, 99, 131, 199, 299, 401, 999, -1, 2**63 - 1]


def outcome(code: int | None, *, first_use: bool = FIRST, mobiles: int = 2, token: str | None = "376") -> Outcome:
    answer = None if code is None else Answer(code, token=token if code == 0 else None)
    return Outcome(answer, first_use, mobiles)


# --- the contract's table, in its order: what came back | the part | then ---------------------------------------


@dataclass(frozen=True)
class Row:
    codes: Sequence[int | None]  # None: no answer
    state: State
    then: Then
    trouble: Trouble | None = None
    attention: Attention | None = None
    uses: tuple[bool, ...] = ANY_USE


CONTRACT = {
    "0": Row([0], State.ACCEPTED, Then.DONE),
    "1": Row([1], State.WAITING, Then.LATER),
    "210": Row([210], State.WAITING, Then.IN_ITS_TURN, Trouble.PACE),
    "230 on a timestamp's first use": Row([230], State.WAITING, Then.SOON, Trouble.TIMESTAMP, uses=(FIRST,)),
    "230 on a repeated timestamp": Row(
        [230], State.UNCONFIRMED, Then.DONE, attention=Attention.UNCONFIRMED, uses=(REPEATED,)
    ),
    "200, 240": Row([200, 240], State.WAITING, Then.FRESH_SECRET, Trouble.AUTHENTICATION),
    "220": Row([220], State.WAITING, Then.LATER, Trouble.SOURCE_ADDRESS),
    "250": Row([250], State.WAITING, Then.LATER, Trouble.ACCOUNT_DISABLED),
    "260": Row([260], State.WAITING, Then.LATER, Trouble.ORGANISATION_DISABLED),
    "400": Row([400], State.WAITING, Then.LATER, Trouble.BALANCE),
    "310": Row([310], State.SPLIT, Then.SPLIT),
    "300, 320, 330, 340": Row([300, 320, 330, 340], State.REJECTED, Then.DONE),
    "100, 110, 120, 130, 350, 360, any other": Row(
        [100, 110, 120, 130, 350, 360, *OTHER_CODES], State.REJECTED, Then.DONE, attention=Attention.PROTOCOL
    ),
    "no answer": Row([None], State.SUBMITTING, Then.LATER, Trouble.UNREACHABLE),
}


CASES = {
    f"{name}: {code}, {'first' if use else 'repeated'} use": (code, use, row)
    for name, row in CONTRACT.items()
    for code in row.codes
    for use in row.uses
}


@pytest.mark.parametrize(("code", "use", "row"), CASES.values(), ids=CASES.keys())
def test_a_part_follows_the_contracts_table(code: int | None, use: bool, row: Row) -> None:
    rule = rule_for(outcome(code, first_use=use))
    assert (rule.state, rule.then, rule.trouble, rule.attention) == (
        row.state,
        row.then,
        row.trouble,
        row.attention,
    )


def test_the_contracts_table_has_a_row_for_every_code_of_the_specs() -> None:
    told = [code for row in CONTRACT.values() for code in row.codes]
    assert {*STATE_CODES} <= {*told}


def test_a_number_that_stands_alone_and_is_refused_is_rejected_instead_of_split() -> None:
    for use in ANY_USE:
        rule = rule_for(outcome(310, first_use=use, mobiles=1))
        assert (rule.state, rule.then, rule.attention) == (State.REJECTED, Then.DONE, None)


def test_an_acceptance_without_a_token_is_one_that_a_person_should_look_at() -> None:
    rule = rule_for(outcome(0, token=None))
    assert (rule.state, rule.then, rule.attention) == (State.ACCEPTED, Then.DONE, Attention.NO_TOKEN)


@given(st.none() | st.integers(), st.booleans(), st.integers(1, 10_000), st.none() | st.just("376"))
def test_every_outcome_has_its_rule(code: int | None, use: bool, mobiles: int, token: str | None) -> None:
    assert rule_for(outcome(code, first_use=use, mobiles=mobiles, token=token)) in TABLE


def test_no_rule_stands_in_the_shadow_of_those_above() -> None:
    codes: list[int | None] = [*STATE_CODES, None, 999]
    reached = {
        id(rule_for(outcome(code, first_use=use, mobiles=mobiles, token=token)))
        for code in codes
        for use in ANY_USE
        for mobiles in (1, 2)
        for token in (None, "376")
    } | {
        id(rule_for(each))
        for each in (
            Outcome(Answer(330), REPEATED, 2, others_unanswered=True),
            Outcome(Answer(330), FIRST, 2, at_time_near=True),
            Outcome(None, FIRST, 2, left=False),
        )
    }
    assert reached == {id(rule) for rule in TABLE}


def test_whatever_ends_without_being_told_asks_for_attention_with_advice() -> None:
    assert {*ADVICE} == {*Attention}
    for rule in TABLE:
        if rule.state is State.UNCONFIRMED:
            assert rule.attention


def test_a_rule_that_ends_a_part_says_nothing_is_left_to_do() -> None:
    for rule in TABLE:
        assert rule.state.final == (rule.then in (Then.DONE, Then.SPLIT))


def test_final_states_are_those_that_nothing_is_sent_for_again() -> None:
    assert {state for state in State if not state.final} == {State.WAITING, State.SUBMITTING}


# --- before a request -------------------------------------------------------------------------------------------


def row(state: State = State.WAITING, **changes: object) -> Standing:
    base = Standing(state, "fingerprint", revision=3, claim="somebody", timestamp="T1", uses=1, attempts=1)
    return replace(base, **changes)  # type: ignore[arg-type]


US = Addressee("12345678", "test", "http://platform")
HOUR = timedelta(hours=1)


def step(
    standing: Standing | None,
    expires: datetime | None = None,
    now: datetime = NOW,
    asked: Addressee = US,
    *,
    to_come: bool = False,
) -> Step:
    bid = Bid("me", "T2", asked, at_time_to_come=to_come)
    return next_step(standing, bid, now=now, expires=expires, repeat_within=HOUR)


def test_a_new_part_is_asked_for_with_a_fresh_timestamp() -> None:
    assert step(None) == Submit("T2", uses=1, unanswered=1, attempts=1, asked_at=NOW)


@pytest.mark.parametrize(
    ("unanswered", "asked_ago", "valid_for", "end"),
    [
        (1, 0, None, None),
        (1, 3_601, None, None),  # the first request itself: nothing is repeated
        (2, 3_600, None, None),
        (2, 3_601, None, State.UNCONFIRMED),
        (1, 0, 1, None),
        (1, 0, 0, State.EXPIRED),
        (2, 0, 0, State.UNCONFIRMED),
    ],
)
def test_a_claimed_part_is_looked_at_again_right_before_its_request(
    unanswered: int, asked_ago: int, valid_for: int | None, end: State | None
) -> None:
    expires = None if valid_for is None else NOW + timedelta(seconds=valid_for)
    submit = Submit("T1", unanswered, unanswered, 1, NOW - timedelta(seconds=asked_ago), expires=expires)
    found = too_late(submit, now=NOW, repeat_within=HOUR)
    assert (found.state if found else None) is end
    if found and valid_for is None:
        assert (found.attention, "60 minutes" in found.words) == (Attention.UNCONFIRMED, True)


def test_a_part_whose_requests_are_all_answered_gets_a_fresh_timestamp() -> None:
    assert step(row(uses=3, attempts=4)) == Submit("T2", uses=1, unanswered=1, attempts=5, asked_at=NOW)


def test_a_part_with_an_unanswered_request_repeats_its_timestamp() -> None:
    for state in (State.WAITING, State.SUBMITTING):
        standing = row(state, unanswered=1, asked_at=EARLIER, with_at_time=True)
        assert step(standing) == Submit("T1", 2, 2, attempts=2, asked_at=EARLIER, with_at_time=True)


@pytest.mark.parametrize(
    ("standing", "carried"),
    [
        (None, True),
        (row(), True),
        (row(at_time_over=True), False),
        (row(State.SUBMITTING, unanswered=1, with_at_time=False), False),
    ],
    ids=["never seen", "all answered", "the platform says that it has passed", "a repetition repeats its request"],
)
def test_a_request_carries_a_time_to_come_unless_the_platform_says_otherwise(
    standing: Standing | None, carried: bool
) -> None:
    asked = step(standing, to_come=True)
    assert isinstance(asked, Submit)
    assert asked.with_at_time is carried


def test_a_request_that_carried_a_time_is_repeated_with_it_though_it_has_passed() -> None:
    asked = step(row(State.SUBMITTING, unanswered=1, with_at_time=True), to_come=False)
    assert isinstance(asked, Submit)
    assert asked.with_at_time


def test_a_timestamp_is_repeated_for_an_hour_and_not_longer() -> None:
    standing = row(State.SUBMITTING, unanswered=1, asked_at=NOW - HOUR)
    assert isinstance(step(standing), Submit)
    late = step(standing, now=NOW + timedelta(microseconds=1))
    assert isinstance(late, Lapse)
    assert (late.state, late.attention) == (State.UNCONFIRMED, Attention.UNCONFIRMED)
    assert "60 minutes" in late.words


def test_a_fresh_timestamp_is_free_of_what_an_older_one_was_asked() -> None:
    assert isinstance(step(row(unanswered=0, asked_at=NOW - 100 * HOUR)), Submit)


@pytest.mark.parametrize("state", [state for state in State if state.final])
def test_nothing_is_done_for_a_final_row(state: State) -> None:
    standing = row(state, unanswered=1, lease_until=LATER)
    assert step(standing, expires=NOW) == Finished(state)


def test_a_part_is_left_to_the_worker_whose_lease_holds() -> None:
    standing = row(State.SUBMITTING, unanswered=1, lease_until=LATER)
    assert step(standing) == step(standing, expires=NOW) == Busy(LATER)


def test_a_lease_that_has_run_out_holds_nobody_off() -> None:
    standing = row(State.SUBMITTING, unanswered=1, lease_until=LATER)
    assert isinstance(step(standing, now=LATER - timedelta(microseconds=1)), Busy)
    assert isinstance(step(standing, now=LATER), Submit)


@pytest.mark.parametrize(
    ("standing", "ends"),
    [
        (None, Lapse(State.EXPIRED, None, expired=NOW)),
        (row(), Lapse(State.EXPIRED, None, expired=NOW)),
        (row(State.SUBMITTING, unanswered=1), Lapse(State.UNCONFIRMED, Attention.UNCONFIRMED, expired=NOW)),
        (row(State.WAITING, unanswered=1), Lapse(State.UNCONFIRMED, Attention.UNCONFIRMED, expired=NOW)),
    ],
    ids=["never seen", "all answered", "a lost answer", "answered since, but not every request"],
)
def test_a_part_past_its_validity_expires_unless_a_request_is_unanswered(
    standing: Standing | None, ends: Lapse
) -> None:
    yesterday = NOW - timedelta(days=1)
    assert step(standing, expires=NOW) == ends
    assert step(standing, expires=yesterday) == replace(ends, expired=yesterday)
    assert isinstance(step(standing, expires=NOW + timedelta(microseconds=1)), Submit)


@pytest.mark.parametrize(
    ("other", "told"),
    [
        (replace(US, cid="87654321"), "account has changed"),
        (replace(US, uid="other"), "user has changed"),
        (replace(US, server="http://other"), "address has changed"),
        (
            Addressee("8", "o", "http://other"),
            "account has changed from 12345678 to 8 and the user has changed from test to o and",
        ),
    ],
)
def test_a_timestamp_is_not_repeated_to_somebody_who_would_not_know_it(other: Addressee, told: str) -> None:
    standing = row(State.SUBMITTING, unanswered=1, timestamp="202611231200000001", asked=US)
    asked = step(standing)
    assert isinstance(asked, Submit)
    assert asked.timestamp == "202611231200000001"
    end = step(standing, asked=other)
    assert isinstance(end, Lapse)
    assert (end.state, end.attention) == (State.UNCONFIRMED, Attention.UNCONFIRMED)
    assert told in end.words
    assert isinstance(step(row(unanswered=0, asked=US), asked=other), Submit)


NEAR = Outcome(Answer(330), FIRST, 2, at_time_near=True)


@pytest.mark.parametrize(
    ("outcome", "state", "then"),
    [
        (NEAR, State.WAITING, Then.AT_ONCE),
        (replace(NEAR, first_use=REPEATED), State.WAITING, Then.AT_ONCE),
        (replace(NEAR, at_time_near=False), State.REJECTED, Then.DONE),
        (replace(NEAR, others_unanswered=True), State.UNCONFIRMED, Then.DONE),
        (replace(NEAR, answer=Answer(340)), State.REJECTED, Then.DONE),
    ],
)
def test_a_time_that_has_passed_by_the_platforms_clock_means_at_once(
    outcome: Outcome, state: State, then: Then
) -> None:
    assert (rule_for(outcome).state, rule_for(outcome).then) == (state, then)


@pytest.mark.parametrize(
    ("left", "others", "state"),
    [
        (True, False, State.SUBMITTING),
        (True, True, State.SUBMITTING),
        (False, True, State.SUBMITTING),
        (False, False, State.WAITING),
    ],
)
def test_a_request_that_never_left_leaves_the_part_as_before(left: bool, others: bool, state: State) -> None:
    submit = Submit("T1", uses=1 + others, unanswered=1 + others, attempts=2)
    outcome = Outcome(None, not others, 2, others_unanswered=others, left=left)
    rule = rule_for(outcome)
    assert (rule.state, rule.then, rule.trouble) == (state, Then.LATER, Trouble.UNREACHABLE)
    assert unanswered_after(submit, outcome) == others + left
    assert uses_after(submit, outcome) == others + left


@pytest.mark.parametrize("code", [100, 110, 330, 350, 999])
def test_a_refusal_that_may_not_hold_for_an_unanswered_copy_leaves_the_part_unconfirmed(code: int) -> None:
    refused = Outcome(Answer(code), REPEATED, 2, others_unanswered=True)
    assert (rule_for(refused).state, rule_for(refused).attention) == (State.UNCONFIRMED, Attention.UNCONFIRMED)


@pytest.mark.parametrize("code", [300, 320, 340])
def test_a_refusal_of_the_content_holds_for_every_copy(code: int) -> None:
    assert rule_for(Outcome(Answer(code), REPEATED, 2, others_unanswered=True)).state is State.REJECTED


# --- the rule: a timestamp is retired only when every request that carried it has been answered -----------------


@dataclass
class Written:
    """A row driven by the ledger alone, and what the requests of each timestamp have come to."""

    standing: Standing | None = None
    fresh: int = 0
    sent: list[str] = field(default_factory=list)

    def claim(self) -> Submit:
        self.fresh += 1
        bid = Bid("me", f"T{self.fresh}", US)
        submit = next_step(self.standing, bid, now=NOW, expires=None, repeat_within=HOUR)
        assert isinstance(submit, Submit)
        self.standing = Standing(
            State.SUBMITTING,
            "fingerprint",
            revision=1,
            timestamp=submit.timestamp,
            uses=submit.uses,
            unanswered=submit.unanswered,
            attempts=submit.attempts,
        )
        self.sent.append(submit.timestamp)
        return submit

    def settle(self, submit: Submit, code: int | None, *, left: bool = True) -> None:
        assert self.standing
        answer = None if code is None else Answer(code)
        outcome = Outcome(answer, submit.uses == 1, 2, others_unanswered=submit.unanswered > 1, left=left)
        self.standing = replace(
            self.standing,
            state=rule_for(outcome).state,
            uses=uses_after(submit, outcome),
            unanswered=unanswered_after(submit, outcome),
        )


answers = st.lists(
    st.none() | st.sampled_from([1, 210, 230, 200, 220, 250, 400]) | st.sampled_from(["killed", "never left"]),
    max_size=12,
)


@given(answers)
def test_a_timestamp_is_retired_only_when_every_request_that_carried_it_has_been_answered(
    results: list[int | str | None],
) -> None:
    part = Written()
    unanswered: dict[str, int] = {}
    for result in results:
        submit = part.claim()
        timestamp = submit.timestamp
        owed = {each for each, count in unanswered.items() if count}
        assert owed <= {timestamp}, "a timestamp was retired while a request with it is unanswered"
        unanswered[timestamp] = unanswered.get(timestamp, 0) + 1
        assert (submit.uses, submit.unanswered) == (part.sent.count(timestamp), unanswered[timestamp])
        if result == "never left":
            part.settle(submit, None, left=False)
            unanswered[timestamp] -= 1
            part.sent.pop()
        if isinstance(result, str):
            continue  # or the worker died: nothing more is written
        part.settle(submit, result)
        unanswered[timestamp] -= result is not None
        assert part.standing
        assert part.standing.unanswered == unanswered[timestamp]
        if part.standing.state.final:
            assert result == 230
            assert submit.uses > 1
            return


@given(answers)
def test_a_timestamp_once_retired_never_comes_back(results: list[int | str | None]) -> None:
    part = Written()
    for result in results:
        submit = part.claim()
        if result == "never left":
            part.settle(submit, None, left=False)
        elif not isinstance(result, str):
            part.settle(submit, result)
        if part.standing and part.standing.state.final:
            break
    runs = [each for position, each in enumerate(part.sent) if position == 0 or part.sent[position - 1] != each]
    assert len(runs) == len({*runs})


def test_the_case_that_the_contract_warns_of() -> None:
    # Request 1 goes out with T1 and no answer comes; request 2 repeats T1 and is answered 210. Were T1 retired
    # now, request 1 could still be accepted late, besides a request with another timestamp.
    part = Written()
    part.settle(part.claim(), None)
    part.settle(part.claim(), 210)
    assert part.claim().timestamp == "T1"


def test_without_the_rule_a_timestamp_would_be_retired_too_early(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ledger, "must_repeat", lambda _: False)
    part = Written()
    part.settle(part.claim(), None)
    assert part.claim().timestamp == "T2"
