"""What a cancel writes on a row as it stands, and what becomes of a result beside its note (contract, 2b)."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from kuaixintong.core import sends
from kuaixintong.core.change import Change
from kuaixintong.core.ledger import (
    Attention,
    Bid,
    Busy,
    Cancelling,
    Finished,
    Lapse,
    Note,
    Outcome,
    Standing,
    Stands,
    State,
    Stillborn,
    Submit,
    cancel,
    heeds_note,
    next_step,
    rule_for,
)
from kuaixintong.core.messages import Answer
from kuaixintong.core.rows import Rows, taking_over

NOW = datetime(2026, 11, 23, 4, 0, tzinfo=UTC)
LATER, EARLIER = NOW + timedelta(seconds=60), NOW - timedelta(seconds=60)
HOUR = timedelta(hours=1)

WAITING = Standing(State.WAITING, "f" * 32, revision=3)
OUT = Standing(State.SUBMITTING, "f" * 32, 3, claim="A", lease_until=LATER, timestamp="T1", uses=1, unanswered=1)
NO_SEND = Standing(State.REJECTED, "d" * 32, 1, refused=("d" * 32,))

NOTHING_SENT = Lapse(State.CANCELLED, None, "Cancelled 2026-11-23T12:00:00.000+08:00; nothing was sent.", NOW)
IN_DOUBT = Lapse(
    State.UNCONFIRMED,
    Attention.UNCONFIRMED,
    "Cancelled 2026-11-23T12:00:00.000+08:00, while a request for it was unanswered: it may have been accepted, "
    "and is asked for no more.",
    NOW,
)

CONTRACT: dict[str, tuple[Standing | None, Cancelling]] = {
    "a send that nobody has seen": (None, Stillborn()),
    "a part that nobody holds, and that has no unanswered request": (WAITING, NOTHING_SENT),
    "one that was asked for and answered": (replace(WAITING, timestamp="T1", uses=2, attempts=2), NOTHING_SENT),
    "one that waits as a row": (replace(WAITING, waits_until=LATER), NOTHING_SENT),
    "one that waits with an unanswered request": (replace(WAITING, timestamp="T1", unanswered=1), IN_DOUBT),
    "one with an unanswered request and no claim": (replace(OUT, lease_until=None), IN_DOUBT),
    "one whose owner has died": (replace(OUT, lease_until=EARLIER), IN_DOUBT),
    "one whose owner has died this moment": (replace(OUT, lease_until=NOW), IN_DOUBT),
    "one whose request is out": (OUT, Note()),
    "one whose request is out, and that has been cancelled": (replace(OUT, cancelled=EARLIER), Stands(noted=True)),
    "a refused body": (NO_SEND, Note(revised=True)),
    "a refused body whose id has been cancelled": (replace(NO_SEND, cancelled=EARLIER), Stands(noted=True)),
    **{f"a part that is {state}": (replace(WAITING, state=state), Stands()) for state in State if state.final},
}


@pytest.mark.parametrize("case", CONTRACT)
def test_what_a_cancel_writes_on_a_row_as_it_stands(case: str) -> None:
    row, decision = CONTRACT[case]
    assert cancel(row, now=NOW) == decision


def test_a_part_is_cancelled_since_its_campaign_is() -> None:
    end = cancel(WAITING, now=NOW, at=EARLIER)
    assert isinstance(end, Lapse)
    assert (end.cancelled, end.words) == (EARLIER, "Cancelled 2026-11-23T11:59:00.000+08:00; nothing was sent.")


def test_one_whose_owner_has_died_is_cancelled_since_it_was_noted() -> None:
    end = cancel(replace(OUT, lease_until=EARLIER, cancelled=EARLIER - HOUR), now=NOW)
    assert isinstance(end, Lapse)
    assert end.cancelled == EARLIER - HOUR


# --- beside the note --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("code", [*range(-1, 420, 10), 1, 0, None])
@pytest.mark.parametrize("first_use", [True, False])
@pytest.mark.parametrize("mobiles", [1, 2])
def test_a_result_heeds_the_note_unless_it_is_the_parts_end(
    code: int | None, first_use: bool, mobiles: int
) -> None:
    answer = None if code is None else Answer(code, token="1")
    rule = rule_for(Outcome(answer, first_use, mobiles))
    ends = {State.ACCEPTED, State.REJECTED, State.UNCONFIRMED, State.EXPIRED, State.CANCELLED}
    assert heeds_note(rule) == (rule.state not in ends)


# --- the next delivery ------------------------------------------------------------------------------------------


def step(row: Standing | None, **bid: object) -> object:
    offer = replace(Bid("B", "T2"), **bid)  # type: ignore[arg-type]
    return next_step(row, offer, now=NOW, expires=None, repeat_within=HOUR)


def test_the_next_delivery_ends_a_part_whose_owner_has_died_beside_the_note() -> None:
    assert step(replace(OUT, lease_until=EARLIER, cancelled=NOW)) == IN_DOUBT
    assert step(replace(WAITING, cancelled=NOW)) == NOTHING_SENT


def test_a_delivery_leaves_a_noted_part_to_its_living_owner() -> None:
    assert step(replace(OUT, cancelled=EARLIER)) == Busy(LATER)


@pytest.mark.parametrize("row", [None, WAITING])
def test_a_part_of_a_cancelled_campaign_is_not_asked_for(row: Standing | None) -> None:
    assert step(row, cancelled=NOW) == NOTHING_SENT


def test_a_cancelled_campaign_changes_no_part_at_its_end() -> None:
    assert step(replace(WAITING, state=State.ACCEPTED), cancelled=NOW) == Finished(State.ACCEPTED)


def test_a_part_of_a_cancelled_campaign_with_an_unanswered_request_is_in_doubt() -> None:
    assert step(replace(OUT, lease_until=EARLIER), cancelled=NOW) == IN_DOUBT


def test_without_a_cancel_the_part_is_asked_for() -> None:
    assert isinstance(step(None), Submit)


# --- rows -------------------------------------------------------------------------------------------------------

ROWS = Rows(timedelta(days=180), lease=timedelta())
STAMP = "2026-11-23T12:00:00.000+08:00"
EXPIRES = int((NOW + timedelta(days=180)).timestamp())
SEND = sends.parse('{"id": "a", "mobiles": ["13700000001", "13700000002"], "content": "x"}', "m-1")
[PART] = SEND.parts


def event(state: str, words: str) -> dict[str, str]:
    return {"time": STAMP, "event": state, "words": words}


@pytest.mark.parametrize(("parts", "told"), [(None, {"cancels_send": True}), (3, {"parts": 3})])
def test_the_row_of_what_nobody_has_seen_has_no_payload(parts: int | None, told: dict[str, object]) -> None:
    assert ROWS.unseen("a", "2", now=NOW, parts=parts) == {
        "send_id": "a",
        "part": "2",
        "state": "CANCELLED",
        "words": NOTHING_SENT.words,
        "cancelled_at": STAMP,
        "history": [event("CANCELLED", NOTHING_SENT.words)],
        "revision": 1,
        "created_at": STAMP,
        "updated_at": STAMP,
        "expires_at": EXPIRES,
        **told,
    }


def test_the_note_is_a_moment_and_nothing_else() -> None:
    assert Rows.noted_cancel(Note(), now=NOW) == Change({"cancelled_at": STAMP})


def test_the_note_beside_a_refused_body_is_for_whatever_comes_under_its_id() -> None:
    values = {"cancelled_at": STAMP, "cancels_send": True, "updated_at": STAMP}
    assert Rows.noted_cancel(Note(revised=True), now=NOW) == Change(values, added={"revision": 1})


@pytest.mark.parametrize("lent", [False, True])
@pytest.mark.parametrize("end", [NOTHING_SENT, IN_DOUBT])
def test_an_end_takes_the_part_from_whoever_held_it_and_from_what_is_due(end: Lapse, lent: bool) -> None:
    change = ROWS.ended(end, WAITING, None, claim="mine", now=NOW, lent=lent)
    told = {"state": end.state, "words": end.words, "claim": "mine", "cancelled_at": STAMP}
    assert told.items() <= change.values.items()
    assert change.values.get("attention") == end.attention
    gone = {"lease_until", "waits_until", "due_at", "due_shard"} | ({"content", "content_lent"} if lent else set())
    assert gone == {*change.gone} - {"attention", "advice"}
    assert change.added == {"revision": 1}


def test_a_half_has_its_mobiles_at_its_end() -> None:
    half = PART.halves()[1]
    assert ROWS.ended(NOTHING_SENT, WAITING, half, claim="mine", now=NOW).values["mobiles"] == ["13700000002"]
    assert "mobiles" not in ROWS.ended(NOTHING_SENT, WAITING, PART, claim="mine", now=NOW).values


BLANK = Standing(State.CANCELLED, "", revision=4, cancelled=NOW, whole=True)


def test_a_send_that_joins_a_cancel_keeps_its_payload_and_is_not_sent() -> None:
    joined = taking_over(ROWS.noted(SEND, PART, now=LATER), BLANK)
    assert (joined["state"], joined["mobiles"], joined["fingerprint"]) == (
        *("CANCELLED", list(PART.mobiles)),
        SEND.fingerprint,
    )
    assert (joined["revision"], joined["cancelled_at"], joined["cancels_send"]) == (5, STAMP, True)
    assert [each["event"] for each in joined["history"]] == ["CANCELLED"]
    assert joined["refused"] is None
    standing = Standing.of(joined)
    assert (standing.blank, standing.whole, standing.cancelled) == (False, True, NOW)


def test_one_without_usable_mobiles_stays_rejected_when_it_joins() -> None:
    nobody = sends.parse('{"id": "a", "mobiles": ["x"], "content": "x"}', "m-1")
    joined = taking_over(ROWS.noted(nobody, nobody.parts[0], now=LATER), BLANK)
    assert (joined["state"], joined["cancelled_at"]) == ("REJECTED", STAMP)


def test_a_body_that_is_refused_again_keeps_the_cancel_beside_it() -> None:
    refused = ROWS.refused("a", "{", "No.", "e" * 32, by="m-2", now=LATER)
    joined = taking_over(refused, replace(NO_SEND, cancelled=NOW, whole=True))
    assert (joined["state"], joined["refused"]) == ("REJECTED", ["d" * 32, "e" * 32])
    assert (joined["cancelled_at"], joined["cancels_send"]) == (STAMP, True)


def test_a_part_that_is_noted_in_a_cancelled_send_is_born_cancelled() -> None:
    half = PART.halves()[0]
    row = ROWS.noted(SEND, half, now=LATER, cancelled=NOW)
    assert (row["state"], row["mobiles"], row["cancelled_at"]) == ("CANCELLED", ["13700000001"], STAMP)
    assert row["positions"] == [0, 1]
