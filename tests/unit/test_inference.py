"""Whose a token is whose answer was lost: one candidate proves an acceptance, anything else proves nothing."""

from collections.abc import Collection
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from kuaixintong.core import beijing
from kuaixintong.core.inference import (
    LONGEST_WAY,
    REST,
    SETTLED,
    YOUNG,
    Candidate,
    Inferred,
    Rest,
    Told,
    Verdict,
    conclude,
    judge,
    worth_a_look,
)
from kuaixintong.core.ledger import State
from kuaixintong.core.rails import LeftOut

NOW = datetime(2026, 11, 25, 8, 0, tzinfo=UTC)
ASKED = NOW - timedelta(hours=2)
REPORTED = NOW - timedelta(hours=1)
MINUTE, SECOND = timedelta(minutes=1), timedelta(seconds=1)

A, B, C, D = (f"1370000000{digit}" for digit in range(4))


def test_the_times_are_the_contracts() -> None:
    minutes = [each / MINUTE for each in (SETTLED, YOUNG, REST, LONGEST_WAY)]
    assert minutes == [15, 7 * 24 * 60, 30 * 24 * 60, 30 * 24 * 60]


def part(*mobiles: str, send: str = "lost", state: State = State.UNCONFIRMED, **changes: Any) -> Candidate:
    asked = frozenset(mobiles)
    begun = Candidate(
        send, "1", state, timestamp="202611251400000000", asked_at=ASKED, unanswered=1, asked=asked, ever=asked
    )
    return replace(begun, **changes)


def told(*mobiles: str, token: str = "376", first: datetime = REPORTED, last: datetime | None = None) -> Told:
    return Told(token, frozenset(mobiles), first, last or first)


ONE = part(A)
MANY = part(A, B, C, D)

RULES: dict[str, tuple[Candidate, Told, tuple[Candidate, ...], Verdict]] = {
    "one candidate, one report": (ONE, told(A), (), Verdict.ITS),
    "many mobiles, a few reports": (MANY, told(B, D), (), Verdict.ITS),
    "many mobiles, all reported": (MANY, told(A, B, C, D), (), Verdict.ITS),
    "two parts that fit": (ONE, told(A), (part(A, send="twin"),), Verdict.OPEN),
    "two parts that fit, one of them by a few reports": (MANY, told(B), (part(B, send="twin"),), Verdict.OPEN),
    "a larger part that fits as well": (ONE, told(A), (part(A, B, send="twin"),), Verdict.OPEN),
    "another part without one of the reported mobiles": (MANY, told(A, B), (part(A, send="twin"),), Verdict.ITS),
    "another part whose mobiles are not known": (ONE, told(A), (part(send="twin", asked=None),), Verdict.OPEN),
    "another part whose row has gone": (ONE, told(A), (Candidate.gone("old", "1"),), Verdict.OPEN),
    "a person's second send, under way still": (
        *(ONE, told(A), (part(A, send="again", state=State.SUBMITTING),), Verdict.OPEN),
    ),
    "a person's second send, waiting with a request unanswered": (
        *(ONE, told(A), (part(A, send="again", state=State.WAITING),), Verdict.OPEN),
    ),
    "a second send that waits and has no request unanswered": (
        *(ONE, told(A), (part(A, send="again", state=State.WAITING, unanswered=0),), Verdict.ITS),
    ),
    "a second send without a token": (
        *(ONE, told(A), (part(A, send="again", state=State.ACCEPTED),), Verdict.OPEN),
    ),
    "a second send with a token of its own": (
        *(ONE, told(A), (part(A, send="again", state=State.ACCEPTED, token="377"),), Verdict.ITS),
    ),
    "a second send that turned out to have this token": (
        *(ONE, told(A), (part(A, send="again", state=State.ACCEPTED, token="376"),), Verdict.ANOTHERS),
    ),
    "a second send that was refused": (
        *(ONE, told(A), (part(A, send="again", state=State.REJECTED),), Verdict.ITS),
    ),
    "a second send of which a person says that it was not accepted": (
        *(ONE, told(A), (part(A, send="again", state=State.REJECTED, denied=True),), Verdict.OPEN),
    ),
    "a part that was divided, whose halves stand for it": (
        *(ONE, told(A), (part(A, B, send="lost", state=State.SPLIT),), Verdict.ITS),
    ),
    "a second send that has expired without a request": (
        *(ONE, told(A), (part(A, send="again", state=State.EXPIRED, unanswered=0, asked_at=None),), Verdict.ITS),
    ),
    "another part that was asked for after the reports came": (
        *(ONE, told(A), (part(A, send="later", asked_at=REPORTED + MINUTE),), Verdict.ITS),
    ),
    "another part that was asked for as the report came, by clocks that disagree": (
        *(ONE, told(A), (part(A, send="later", asked_at=REPORTED + 9 * SECOND),), Verdict.OPEN),
    ),
    "an old orphan that is pushed again, and its own part": (
        *(ONE, told(A), (part(A, send="old", asked_at=NOW - timedelta(days=20)),), Verdict.OPEN),
    ),
    "an old orphan of which not every report is pushed again": (
        *(MANY, told(A, B, first=ASKED - MINUTE, last=REPORTED), (), Verdict.OPEN),
    ),
    "a report from a moment before the request": (ONE, told(A, first=ASKED - SECOND / 1000), (), Verdict.OPEN),
    "a report from the moment of the request": (ONE, told(A, first=ASKED), (), Verdict.ITS),
    "a report of just now": (ONE, told(A, first=NOW - SETTLED + SECOND / 1000), (), Verdict.TOO_FRESH),
    "a report of a quarter of an hour ago": (ONE, told(A, first=NOW - SETTLED), (), Verdict.ITS),
    "old reports and one of just now": (MANY, told(A, B, last=NOW - MINUTE), (), Verdict.TOO_FRESH),
    "a mobile that was left out": (replace(MANY, asked=frozenset({A, B})), told(A, C), (), Verdict.OPEN),
    "mobiles of which none was left out": (replace(MANY, asked=frozenset({A, B})), told(A, B), (), Verdict.ITS),
    "another part that left the mobile out": (
        *(ONE, told(A), (part(B, send="twin", ever=frozenset({A, B})),), Verdict.ITS),
    ),
    "a mobile that no part had beside these": (MANY, told(A, "13999999999"), (), Verdict.FOREIGN),
    "mobiles of two parts that none had together": (MANY, told(A, "13999999999"), (ONE,), Verdict.FOREIGN),
    "mobiles that a finished part had": (
        *(ONE, told(A, B), (part(A, B, send="old", state=State.ACCEPTED, token="1"),), Verdict.OPEN),
    ),
    "a mobile that no part had, of just now": (MANY, told("13999999999", last=NOW), (), Verdict.TOO_FRESH),
    "a mobile that is none": (MANY, told(A, "137****0000"), (), Verdict.OPEN),
    "a part whose mobiles are not known": (replace(ONE, asked=None, ever=None), told(A), (), Verdict.OPEN),
}


@pytest.mark.parametrize("case", RULES)
def test_a_token_is_a_parts_where_nothing_else_explains_its_reports(case: str) -> None:
    candidate, reports, others, verdict = RULES[case]
    assert judge(candidate, reports, noted=False, others=others, now=NOW) is verdict


def test_a_token_that_stands_in_a_row_is_that_parts_whatever_else_is_true() -> None:
    for candidate, reports, others, _ in RULES.values():
        assert judge(candidate, reports, noted=True, others=others, now=NOW) is Verdict.ANOTHERS


def test_the_one_token_that_fits_is_the_parts() -> None:
    others = [
        (told(A, token=str(n)), each) for n, each in enumerate((Verdict.ANOTHERS, Verdict.OPEN, Verdict.TOO_FRESH))
    ]
    assert conclude([*others, (told(A), Verdict.ITS)]) == Inferred("376")
    assert conclude(others) is None


def test_two_tokens_for_one_part_show_another_sender() -> None:
    its = [(told(A, token=token), Verdict.ITS) for token in ("376", "377")]
    found = conclude(its)
    assert isinstance(found, Rest)
    assert "376 and 377" in found.words


def test_another_senders_token_counts_more_than_one_that_fits_and_tells_no_whole_mobile() -> None:
    found = conclude([(told(A), Verdict.ITS), (told(A, "13999999999", token="9"), Verdict.FOREIGN)])
    assert isinstance(found, Rest)
    assert "Token 9 was reported for 137****0000 and 1 more" in found.words
    assert A not in found.words


def test_reports_say_together_whom_they_name_and_since_when() -> None:
    rows = [
        {"mobile": mobile, "received_at": beijing.iso(moment)}
        for mobile, moment in ((A, REPORTED), (B, NOW), (A, REPORTED + MINUTE))
    ]
    assert Told.of("376", rows) == told(A, B, last=NOW)
    assert Told.of("376", []) is None


def test_a_candidate_is_what_its_row_says() -> None:
    row = {
        "send_id": "lost",
        "part": "1",
        "state": "UNCONFIRMED",
        "timestamp": "202611251400000000",
        "asked_at": beijing.iso(ASKED),
        "unanswered": 1,
        "token": "5",
        "denied": True,
    }
    read = Candidate.of(row, asked=[A], ever=[A, B])
    assert read == part(A, token="5", denied=True, ever=frozenset({A, B}))
    bare = Candidate.of({"send_id": "s", "part": "2", "state": "WAITING"}, asked=None, ever=None)
    assert bare == Candidate("s", "2", State.WAITING)
    assert bare.key == ("s", "2")


@pytest.mark.parametrize(
    ("changes", "worth"),
    [
        ({}, True),
        ({"state": State.SUBMITTING}, False),
        ({"timestamp": None}, False),
        ({"asked_at": None}, False),
        ({"asked_at": NOW - YOUNG + SECOND}, True),
        ({"asked_at": NOW - YOUNG}, False),
    ],
)
def test_a_part_heals_while_it_is_unconfirmed_and_young(changes: dict[str, Any], *, worth: bool) -> None:
    assert worth_a_look(part(A, **changes), now=NOW) is worth


# --- from rows ---------------------------------------------------------------------------------------------------


def row(name: str, state: State, **changes: Any) -> dict[str, Any]:
    return {"send_id": "s", "part": name, "state": str(state), **changes}


def asked_and_ever(*rows: dict[str, Any]) -> dict[str, tuple[Collection[str] | None, Collection[str] | None]]:
    return {each.part: (each.asked, each.ever) for each in Candidate.family(rows)}


def test_whoever_was_left_out_of_the_last_request_was_had_and_not_asked_for() -> None:
    left_out = LeftOut.of({1: "opted out", 3: "opted out"})
    under_way = row("1", State.SUBMITTING, mobiles=[A, B, C, D], left_out=left_out.written())
    invalid = [{"reason": "opted out", "mobiles": [B, D]}, {"mobile": "12", "reason": "too short"}]
    ended = row("1", State.UNCONFIRMED, mobiles=[A, C], left_out=left_out.written(), invalid_mobiles=invalid)
    assert asked_and_ever(under_way) == {"1": ({A, C}, {A, B, C, D})}
    assert asked_and_ever(ended) == {"1": ({A, C}, {A, B, C, D, "12"})}


def test_the_mobiles_of_halves_stand_in_the_part_that_was_divided() -> None:
    left_out = LeftOut.of({0: "opted out"})
    found = asked_and_ever(
        row("1", State.SPLIT, divided=[A, B, C, D]),
        row("1.1", State.UNCONFIRMED, positions=[0, 2], mobiles=[A, B]),
        row("1.2", State.SPLIT, positions=[2, 4]),
        row("1.2.1", State.SUBMITTING, positions=[2, 3]),
        row("1.2.2", State.WAITING, positions=[2, 4], left_out=left_out.written()),
    )
    assert found == {
        "1": ({A, B, C, D}, {A, B, C, D}),
        "1.1": ({A, B}, {A, B}),
        "1.2": ({C, D}, {C, D}),
        "1.2.1": ({C}, {C}),
        "1.2.2": ({D}, {C, D}),
    }


def test_where_the_rows_do_not_tell_the_mobiles_anybody_may_be_one() -> None:
    assert asked_and_ever(row("1.1", State.SUBMITTING, positions=[0, 2])) == {"1.1": (None, None)}
    assert asked_and_ever(row("1", State.CANCELLED)) == {"1": (None, None)}
