"""Claims: every write conditional, our own repeated writes known again, everybody else's respected."""

import json
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from botocore.exceptions import ClientError, ConnectionClosedError, ReadTimeoutError

from kuaixintong.claims import Claimed, Claims, Conflict
from kuaixintong.core import sends
from kuaixintong.core.errors import ClaimLost, StoreUnavailable
from kuaixintong.core.ledger import (
    ADVICE,
    Attention,
    Bid,
    Busy,
    Finished,
    Lapse,
    Outcome,
    State,
    Submit,
    Then,
    rule_for,
)
from kuaixintong.core.messages import Answer
from kuaixintong.core.rails import OPTED_OUT, Charge, LeftOut, Terms
from kuaixintong.core.rows import Rows
from kuaixintong.core.sends import Part, Send
from kuaixintong.status import with_mobiles
from kuaixintong.stores.parts import Parts
from tests.aws_faults import Faults, refusal
from tests.stopping import canceller
from tests.world import LEASE, START, DynamoWorld, World

MOBILES = ["13708600860", "18930612517"]
NOW = START
AFTER_LEASE = NOW + LEASE
BALANCE_SHORT, INVALID, BUSY = Answer(400, "余额不足"), Answer(310, "包含无效号码"), Answer(1)
ACCEPTED = Answer(0, "操作成功", token="376", fee=2)


@pytest.fixture
def rows(world: World) -> Claims:
    return store(world)


def store(world: World, *, store_content: bool = True) -> Claims:
    return Claims(Parts(world.table("SendsTable")), Rows(timedelta(days=180), LEASE, store_content))


def send_of(**changes: Any) -> Send:
    return sends.parse(json.dumps({"mobiles": MOBILES, "content": "周末参加不了培训了"} | changes), "m-1")


SEND = send_of()
(PART,) = SEND.parts


def claim(rows: Claims, name: str = "A", *, fresh: str = "T1", now: Any = NOW, send: Send = SEND) -> Claimed:
    held = rows.claim(send, send.parts[0], Bid(name, fresh), now=now)
    assert isinstance(held, Claimed)
    return held


def settle(rows: Claims, held: Claimed, answer: Answer | None, *, part: Part = PART, now: Any = NOW) -> None:
    outcome = came(answer, part, first_use=held.submit.uses == 1)
    rows.settle(SEND, part, held, rule_for(outcome), outcome, now=now)


def came(answer: Answer | None, part: Part = PART, *, first_use: bool = True) -> Outcome:
    return Outcome(answer, first_use, len(part.mobiles))


def lost(*calls: int) -> Callable[[int], Exception | None]:
    """An answer that AWS's client never sees, so that it repeats the call."""
    return lambda n: ConnectionClosedError(endpoint_url="https://dynamodb") if n in calls else None


# --- claims -----------------------------------------------------------------------------------------------------


def test_a_claim_writes_the_timestamp_down_before_anything_goes_out(world: World, rows: Claims) -> None:
    held = claim(rows)
    assert held == Claimed(Submit("T1", uses=1, unanswered=1, attempts=1, asked_at=NOW), "A", revision=1)
    assert world.row() == {
        "send_id": "m-1",
        "part": "1",
        "parts": 1,
        "state": "SUBMITTING",
        "mobiles": MOBILES,
        "content": "周末参加不了培训了",
        "fingerprint": SEND.fingerprint,
        "timestamp": "T1",
        "uses": 1,
        "unanswered": 1,
        "attempts": 1,
        "claim": "A",
        "revision": 1,
        "lease_until": "2026-11-23T12:01:30.000+08:00",
        "asked_at": "2026-11-23T12:00:00.000+08:00",
        "with_at_time": False,
        "created_at": "2026-11-23T12:00:00.000+08:00",
        "updated_at": "2026-11-23T12:00:00.000+08:00",
        "expires_at": int((NOW + timedelta(days=180)).timestamp()),
        "day_shard": "2026-11-23#0",
        "history": [{"time": "2026-11-23T12:00:00.000+08:00", "event": "SUBMITTING", "timestamp": "T1"}],
    }


def test_two_first_deliveries_cannot_both_claim(rows: Claims) -> None:
    claim(rows, "A")
    assert rows.claim(SEND, PART, Bid("B", "T2"), now=NOW) == Busy(NOW + LEASE)


def test_a_claim_goes_by_what_the_row_says_and_not_by_what_was_seen_of_it(rows: Claims) -> None:
    rows.note(SEND, PART, now=NOW)
    seen = rows.note(SEND, PART, now=NOW)
    assert seen
    assert not isinstance(seen, Conflict)
    claim(rows, "A")
    assert rows.claim(SEND, PART, Bid("B", "T2"), now=NOW, known=seen) == Busy(NOW + LEASE)


def test_a_part_whose_worker_died_is_taken_over_with_its_timestamp(rows: Claims) -> None:
    claim(rows, "A")
    held = claim(rows, "B", fresh="T2", now=AFTER_LEASE)
    assert held == Claimed(Submit("T1", uses=2, unanswered=2, attempts=2, asked_at=NOW), "B", revision=2)


@pytest.mark.parametrize("answer", [BUSY, BALANCE_SHORT])
def test_an_answered_timestamp_is_retired(world: World, rows: Claims, answer: Answer) -> None:
    settle(rows, claim(rows, "A"), answer)
    assert (world.row()["state"], world.row()["unanswered"]) == ("WAITING", 0)
    assert claim(rows, "B", fresh="T2").submit == Submit("T2", uses=1, unanswered=1, attempts=2, asked_at=NOW)


def test_a_timestamp_with_a_lost_answer_is_not_retired_by_a_later_one(rows: Claims) -> None:
    claim(rows, "A")
    settle(rows, claim(rows, "B", now=AFTER_LEASE), BUSY, now=AFTER_LEASE)
    held = claim(rows, "C", fresh="T3", now=AFTER_LEASE)
    assert held.submit == Submit("T1", uses=3, unanswered=2, attempts=3, asked_at=NOW)


@pytest.mark.parametrize("answer", [ACCEPTED, Answer(320), Answer(999)])
def test_a_final_row_is_not_claimed_again(rows: Claims, answer: Answer) -> None:
    settle(rows, claim(rows), answer)
    state = State.ACCEPTED if answer is ACCEPTED else State.REJECTED
    assert rows.claim(SEND, PART, Bid("B", "T2"), now=AFTER_LEASE) == Finished(state)


def test_another_payload_under_the_id_is_a_conflict(rows: Claims) -> None:
    other = send_of(content="别的")
    claim(rows)
    assert rows.claim(other, other.parts[0], Bid("B", "T2"), now=NOW) == Conflict()
    assert rows.note(other, other.parts[0], now=NOW) == Conflict()


# --- our own writes, repeated by AWS's client -------------------------------------------------------------------


def test_our_own_repeated_put_is_a_claim_and_not_somebody_elses(moto_world: DynamoWorld) -> None:
    rows = store(moto_world)
    faults = Faults(moto_world.dynamodb, "PutItem", lost(0), after=True)
    assert claim(rows).submit == Submit("T1", uses=1, unanswered=1, attempts=1, asked_at=NOW)
    assert faults.calls == 2
    assert moto_world.row()["revision"] == 1


def test_our_own_repeated_update_is_a_claim_too(moto_world: DynamoWorld) -> None:
    rows = store(moto_world)
    settle(rows, claim(rows), BUSY)
    faults = Faults(moto_world.dynamodb, "UpdateItem", lost(0), after=True)
    held = claim(rows, "B", fresh="T2")
    assert held == Claimed(Submit("T2", uses=1, unanswered=1, attempts=2, asked_at=NOW), "B", revision=3)
    assert faults.failed == 1
    settle(rows, held, ACCEPTED)
    assert moto_world.row()["state"] == "ACCEPTED"


def test_our_own_repeated_claim_keeps_what_it_claimed_for(moto_world: DynamoWorld) -> None:
    terms = Terms(LeftOut({OPTED_OUT: (1,)}), ("09:00:00", "20:00:00"))
    until, charge = NOW + timedelta(minutes=9), Charge("2026-11-23", 1, "12345678")
    code = replace(SEND, otp_until=until)
    Faults(moto_world.dynamodb, "PutItem", lost(0), after=True)
    held = store(moto_world).claim(code, PART, Bid("A", "T1", terms=terms, charged=charge), now=NOW)
    assert isinstance(held, Claimed)
    assert (held.submit.terms, held.submit.expires, held.submit.charged) == (terms, until, charge)


def test_our_own_repeated_result_is_written_once_and_no_error(moto_world: DynamoWorld) -> None:
    rows = store(moto_world)
    held = claim(rows)
    faults = Faults(moto_world.dynamodb, "UpdateItem", lost(0), after=True)
    settle(rows, held, ACCEPTED)
    assert faults.calls == 2
    row = moto_world.row()
    assert (row["state"], row["revision"], row["unanswered"]) == ("ACCEPTED", 2, 0)


def test_our_own_repeated_lapse_is_an_end(moto_world: DynamoWorld) -> None:
    rows = store(moto_world)
    send = send_of(validUntil="2026-11-23 12:00:00")
    rows.note(send, PART, now=NOW - timedelta(hours=1))
    Faults(moto_world.dynamodb, "UpdateItem", lost(0), after=True)
    held = rows.claim(send, PART, Bid("A", "T1"), now=NOW)
    assert isinstance(held, Lapse)  # whoever has ended a part writes down whom it was for, and gives back
    assert held.state is State.EXPIRED
    assert moto_world.row()["state"] == "EXPIRED"


def test_our_own_repeated_split_is_one(moto_world: DynamoWorld) -> None:
    rows = store(moto_world)
    held = claim(rows)
    sent: list[str] = []
    moto_world.dynamodb.meta.events.register(
        "before-parameter-build.dynamodb.TransactWriteItems",
        lambda params, **_: sent.append(params["ClientRequestToken"]),
    )
    faults = Faults(moto_world.dynamodb, "TransactWriteItems", lost(0), after=True)
    with suppress(ClaimLost):  # DynamoDB knows the token and says yes again; moto does not
        rows.split(SEND, PART, held, came(INVALID), now=NOW)
    assert (faults.calls, sent) == (2, [held.claim])
    assert [(row["part"], row["state"]) for row in moto_world.all_rows()] == [
        ("1", "SPLIT"),
        ("1.1", "WAITING"),
        ("1.2", "WAITING"),
    ]


# --- results ----------------------------------------------------------------------------------------------------


def test_an_acceptance_is_written_with_token_fee_and_time(world: World, rows: Claims) -> None:
    settle(rows, claim(rows), ACCEPTED, now=NOW + timedelta(seconds=1))
    row = world.row()
    expected = {
        "state": "ACCEPTED",
        "token": "376",
        "fee": 2,
        "code": 0,
        "words": "操作成功",
        "unanswered": 0,
        "accepted_at": "2026-11-23T12:00:01.000+08:00",
        "updated_at": "2026-11-23T12:00:01.000+08:00",
        "created_at": "2026-11-23T12:00:00.000+08:00",
    }
    assert {name: row.get(name) for name in expected} == expected
    assert "lease_until" not in row


def test_a_rejection_is_written_with_the_platforms_code_and_words(world: World, rows: Claims) -> None:
    settle(rows, claim(rows), Answer(340))
    assert (world.row()["state"], world.row()["code"]) == ("REJECTED", 340)
    assert world.row()["words"] == "每日限发时段不正确"  # the spec's, where the answer has none
    assert world.row()["mobiles"] == MOBILES


def test_no_answer_leaves_the_row_submitting_and_frees_it(world: World, rows: Claims) -> None:
    settle(rows, claim(rows), None)
    row = world.row()
    assert (row["state"], row["unanswered"], row["timestamp"]) == ("SUBMITTING", 1, "T1")
    assert "lease_until" not in row
    assert "code" not in row
    assert claim(rows, "B", fresh="T2").submit.timestamp == "T1"


@pytest.mark.parametrize(
    ("answer", "left", "state"),
    [(BUSY, True, State.CANCELLED), (None, False, State.CANCELLED), (None, True, State.UNCONFIRMED)],
)
def test_a_part_that_was_cancelled_meanwhile_ends_where_it_would_go_on(
    world: World, rows: Claims, answer: Answer | None, left: bool, state: State
) -> None:
    held = claim(rows)
    canceller(world).cancel("m-1")
    outcome = replace(came(answer, PART), left=left)
    rule = rows.settle(SEND, PART, held, rule_for(outcome), outcome, now=NOW)
    assert (rule.state, rule.then) == (state, Then.DONE)
    row = world.row()
    assert (row["state"], row["mobiles"]) == (state, MOBILES)
    assert "cancelled" in row["words"].lower()
    assert row.get("attention") == rule.attention


@pytest.mark.parametrize("outbound", [True, False])
def test_what_goes_on_says_whether_it_is_written_down_who_is_sent_to(
    world: World, rows: Claims, outbound: bool
) -> None:
    settle(rows, replace(claim(rows), outbound=outbound), BUSY)
    assert world.row().get("outbound", False) is outbound


def test_a_number_that_stands_alone_and_is_refused_moves_to_the_invalid_ones(world: World, rows: Claims) -> None:
    alone = send_of(mobiles=["13708600860"])
    held = claim(rows, send=alone)
    refused = came(INVALID, alone.parts[0])
    rows.settle(alone, alone.parts[0], held, rule_for(refused), refused, now=NOW)
    assert (world.row()["state"], world.row()["mobiles"]) == ("REJECTED", [])
    assert world.row()["invalid_mobiles"] == [{"mobile": "13708600860", "reason": "310 包含无效号码"}]


def test_a_worker_that_was_given_up_for_dead_writes_nothing(world: World, rows: Claims) -> None:
    late = claim(rows, "A")
    held = claim(rows, "B", now=AFTER_LEASE)
    before = world.all_rows()
    with pytest.raises(ClaimLost):
        settle(rows, late, ACCEPTED, now=AFTER_LEASE)
    with pytest.raises(ClaimLost):
        rows.split(SEND, PART, late, came(INVALID), now=AFTER_LEASE)
    assert world.all_rows() == before
    settle(rows, held, BUSY, now=AFTER_LEASE)
    assert world.row()["unanswered"] == 1  # the late worker's request is still unanswered, for all we know


def test_nor_does_it_after_the_other_has_finished(world: World, rows: Claims) -> None:
    late = claim(rows, "A")
    settle(rows, claim(rows, "B", now=AFTER_LEASE), ACCEPTED, now=AFTER_LEASE)
    with pytest.raises(ClaimLost):
        settle(rows, late, BUSY, now=AFTER_LEASE)
    with pytest.raises(ClaimLost):
        rows.split(SEND, PART, late, came(INVALID), now=AFTER_LEASE)
    assert (world.row()["state"], len(world.all_rows())) == ("ACCEPTED", 1)


def test_a_result_for_a_row_that_has_expired_from_the_table_is_not_written(world: World, rows: Claims) -> None:
    held = claim(rows)
    world.memory["SendsTable"].rows.clear()
    with pytest.raises(ClaimLost):
        settle(rows, held, ACCEPTED)
    assert world.all_rows() == []


# --- the split --------------------------------------------------------------------------------------------------


def test_a_split_moves_every_number_into_exactly_one_half(world: World, rows: Claims) -> None:
    send = send_of(mobiles=["13700000001", "13700000002", "13700000003", "bad"], atTime="2026-12-01 12:00:00")
    (part,) = send.parts
    rows.split(send, part, claim(rows, send=send), came(INVALID), now=NOW)
    whole, first, second = world.all_rows()
    assert (whole["state"], whole["code"], whole["words"], whole["unanswered"]) == (
        "SPLIT",
        310,
        "包含无效号码",
        0,
    )
    assert "mobiles" not in whole
    assert "lease_until" not in whole
    assert [each["mobile"] for each in whole["invalid_mobiles"]] == ["bad"]
    assert (first["part"], first["positions"]) == ("1.1", [0, 1])
    assert (second["part"], second["positions"]) == ("1.2", [1, 3])
    assert [row.get("mobiles") for row in with_mobiles([whole, first, second])] == [
        None,
        ["13700000001"],
        ["13700000002", "13700000003"],
    ]
    for half in (first, second):
        assert (half["state"], half["at_time"], half["fingerprint"]) == (
            "WAITING",
            "2026-12-01 12:00:00",
            send.fingerprint,
        )
        assert not {"timestamp", "invalid_mobiles", "claim"} & {*half}


def cancelled(*reasons: str) -> ClientError:
    """A transaction that DynamoDB has cancelled, with its reasons, one for each item."""
    told = [{"Code": reason, "Message": "…"} for reason in reasons]
    code: Any = {"Error": {"Code": "TransactionCanceledException"}, "CancellationReasons": told}
    return ClientError(code, "TransactWriteItems")


@pytest.fixture
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Pauses between the tries of a transaction, which no test waits for."""
    slept: list[float] = []
    monkeypatch.setattr("kuaixintong.stores.table.time", SimpleNamespace(sleep=slept.append))
    return slept


def test_a_split_that_another_write_disturbs_is_tried_again(moto_world: DynamoWorld, pauses: list[float]) -> None:
    rows = store(moto_world)
    held = claim(rows)
    faults = Faults(
        moto_world.dynamodb,
        "TransactWriteItems",
        lambda n: cancelled("TransactionConflict", "None", "None") if n < 3 else None,
    )
    rows.split(SEND, PART, held, came(INVALID), now=NOW)
    assert (faults.calls, len(pauses)) == (4, 3)
    assert [row["state"] for row in moto_world.all_rows()] == ["SPLIT", "WAITING", "WAITING"]


def test_a_split_that_is_disturbed_for_good_leaves_the_whole_as_it_was(
    moto_world: DynamoWorld, pauses: list[float]
) -> None:
    rows = store(moto_world)
    held = claim(rows)
    Faults(moto_world.dynamodb, "TransactWriteItems", lambda _: cancelled("None", "TransactionConflict", "None"))
    with pytest.raises(StoreUnavailable, match="TransactWriteItems"):
        rows.split(SEND, PART, held, came(INVALID), now=NOW)
    assert sum(pauses) < 1
    assert [(row["state"], row["mobiles"]) for row in moto_world.all_rows()] == [("SUBMITTING", MOBILES)]


def test_a_split_whose_condition_fails_is_not_tried_again(moto_world: DynamoWorld, pauses: list[float]) -> None:
    rows = store(moto_world)
    held = claim(rows)
    faults = Faults(
        moto_world.dynamodb,
        "TransactWriteItems",
        lambda _: cancelled("ConditionalCheckFailed", "TransactionConflict", "None"),
    )
    with pytest.raises(ClaimLost):
        rows.split(SEND, PART, held, came(INVALID), now=NOW)
    assert (faults.calls, pauses) == (1, [])


# --- validity ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("answers", "state", "attention"),
    [
        (None, "EXPIRED", None),
        ([], "EXPIRED", None),
        ([BUSY], "EXPIRED", None),
        ([None], "UNCONFIRMED", "UNCONFIRMED"),
        ([None, BUSY], "UNCONFIRMED", "UNCONFIRMED"),
    ],
    ids=["never seen", "noted", "answered", "unanswered", "answered, but not every request"],
)
def test_a_part_past_its_validity_is_ended_and_says_how(
    world: World, rows: Claims, answers: list[Answer | None] | None, state: str, attention: str | None
) -> None:
    send = send_of(validUntil="2026-11-23 13:00:00")
    if answers is not None:
        rows.note(send, PART, now=NOW)
    for number, answer in enumerate(answers or ()):
        settle(rows, claim(rows, f"worker {number}", send=send), answer)
    late = NOW + timedelta(hours=1)
    assert isinstance(rows.claim(send, PART, Bid("Z", "T9"), now=late), Lapse)
    row = world.row()
    assert (row["state"], row.get("attention")) == (state, attention)
    assert row["words"] == "validUntil 2026-11-23 13:00:00 has passed."
    assert row["mobiles"] == MOBILES
    assert "lease_until" not in row
    assert rows.claim(send, PART, Bid("Y", "T9"), now=late) == Finished(State(state))


# --- attention --------------------------------------------------------------------------------------------------


def by_attention(world: World, attention: str) -> list[str]:
    return [row["send_id"] for row in Parts(world.table("SendsTable")).needing(Attention(attention))]


@pytest.mark.parametrize(
    ("answer", "attention"),
    [(Answer(110), Attention.PROTOCOL), (Answer(999), Attention.PROTOCOL), (Answer(0), Attention.NO_TOKEN)],
)
def test_what_a_person_should_look_at_is_in_the_index_with_advice(
    world: World, rows: Claims, answer: Answer, attention: Attention
) -> None:
    settle(rows, claim(rows), answer)
    assert by_attention(world, attention) == ["m-1"]
    assert world.row()["advice"] == ADVICE[attention]


@pytest.mark.parametrize("answer", [ACCEPTED, BUSY, Answer(320), None])
def test_what_nobody_has_to_look_at_is_in_no_index(world: World, rows: Claims, answer: Answer | None) -> None:
    settle(rows, claim(rows), answer)
    assert "attention" not in world.row()
    assert [by_attention(world, attention) for attention in Attention] == [[]] * len(Attention)


def test_a_part_that_was_given_up_leaves_the_index_when_it_goes_on(world: World, rows: Claims) -> None:
    settle(rows, claim(rows), BUSY)
    rows.give_up(SEND, PART, now=NOW)
    assert by_attention(world, "GAVE_UP") == ["m-1"]
    assert world.row()["advice"] == ADVICE[Attention.GAVE_UP]
    settle(rows, claim(rows, "B", fresh="T2"), ACCEPTED)
    assert by_attention(world, "GAVE_UP") == []
    assert "advice" not in world.row()


def test_giving_up_a_part_that_was_never_seen_writes_it_down(world: World, rows: Claims) -> None:
    rows.give_up(SEND, PART, now=NOW)
    assert (world.row()["state"], world.row()["attention"]) == ("WAITING", "GAVE_UP")


def test_giving_up_takes_nothing_from_the_worker_that_has_the_part(world: World, rows: Claims) -> None:
    held = claim(rows)
    rows.give_up(SEND, PART, now=NOW)
    assert world.row()["attention"] == "GAVE_UP"
    settle(rows, held, ACCEPTED)
    assert (world.row()["state"], world.row().get("attention")) == ("ACCEPTED", None)


@pytest.mark.parametrize("answer", [ACCEPTED, Answer(100)])
def test_a_finished_part_is_not_given_up(world: World, rows: Claims, answer: Answer) -> None:
    settle(rows, claim(rows), answer)
    before = world.all_rows()
    rows.give_up(SEND, PART, now=NOW + timedelta(hours=1))
    assert world.all_rows() == before


def test_another_sends_part_is_not_given_up(world: World, rows: Claims) -> None:
    settle(rows, claim(rows), BUSY)
    before = world.all_rows()
    other = send_of(content="别的")
    rows.give_up(other, other.parts[0], now=NOW)
    assert world.all_rows() == before


# --- bodies that are no sends -----------------------------------------------------------------------------------


def test_a_refused_body_is_kept_with_its_faults_under_its_id(world: World, rows: Claims) -> None:
    rows.refuse("order-1", "m-1", ["One.", "Two."], '{"id": "order-1"}', now=NOW)
    row = world.row("order-1")
    assert (row["state"], row["words"], row["body"]) == ("REJECTED", "One. Two.", '{"id": "order-1"}')


def test_a_refused_body_never_hides_a_send_of_the_same_id(world: World, rows: Claims) -> None:
    settle(rows, claim(rows), ACCEPTED)
    rows.refuse("m-1", "m-2", ["One."], "{}", now=NOW)
    assert [(row["send_id"], row["state"]) for row in world.all_rows()] == [
        ("m-1", "ACCEPTED"),
        ("m-2", "REJECTED"),
    ]
    assert world.row("m-2")["words"] == "One. The id m-1 is taken by an earlier message, which stands."


def test_a_refused_body_that_comes_again_is_one_row(world: World, rows: Claims) -> None:
    for _ in range(3):
        rows.refuse("order-1", "m-1", ["One."], "{}", now=NOW)
        rows.refuse("m-2", "m-2", ["One."], "[]", now=NOW)
    assert [row["send_id"] for row in world.all_rows()] == ["m-2", "order-1"]


@pytest.mark.parametrize("character", ["x", "长", "\U0001f600"])
def test_the_longest_body_fits_into_a_row(world: World, rows: Claims, character: str) -> None:
    faults = [f'"{character * 40}" is not a field of a send; the fields are {"x" * 80}.'] * 21
    rows.refuse("m-1", "m-1", faults, character * 1_000_000, now=NOW)
    assert len(world.row()["body"]) == 90_000


def test_the_largest_part_fits_into_a_row(world: World, rows: Claims) -> None:
    mobiles = [f"137{number:08}" for number in range(10_000)] + [f"{n:03}" + "长" * 60 for n in range(500)]
    send = send_of(mobiles=mobiles, content="长" * 1_000)
    held = claim(rows, send=send)
    part = send.parts[0]
    assert (len(part.mobiles), len(part.invalid_mobiles)) == (10_000, 500)
    rows.settle(send, part, held, rule_for(came(ACCEPTED)), came(ACCEPTED), now=NOW)
    assert len(world.row()["mobiles"]) == 10_000


def test_a_row_of_nothing_but_unusable_mobiles_fits_too(world: World, rows: Claims) -> None:
    send = send_of(mobiles=[f"{number:04}" + "长" * 60 for number in range(1_000)])
    rows.note(send, send.parts[0], now=NOW)
    assert (world.row()["state"], len(world.row()["invalid_mobiles"])) == ("REJECTED", 1_000)


# --- what is kept -----------------------------------------------------------------------------------------------


def test_content_can_be_left_out_of_every_row(world: World) -> None:
    rows = store(world, store_content=False)
    rows.split(SEND, PART, claim(rows), came(INVALID), now=NOW)
    rows.refuse("m-2", "m-2", ["One."], '{"content": "周末参加不了培训了"}', now=NOW)
    rows.refuse_conflict(SEND, "m-3", '{"content": "周末参加不了培训了"}', now=NOW)
    assert len(world.all_rows()) == 5
    assert "培训" not in str(world.all_rows())


# --- AWS's errors -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "fault",
    [
        refusal("ProvisionedThroughputExceededException"),
        refusal("ThrottlingException"),
        refusal("InternalServerError", 500),
        refusal("ValidationException"),
        refusal("TransactionConflictException"),
        ReadTimeoutError(endpoint_url="https://dynamodb"),
    ],
    ids=lambda fault: type(fault).__name__,
)
def test_what_aws_raises_is_ours_and_quotes_nothing(moto_world: DynamoWorld, fault: Any) -> None:
    rows = store(moto_world)
    held = claim(rows)
    for operation in ("PutItem", "UpdateItem", "TransactWriteItems"):
        Faults(moto_world.dynamodb, operation, lambda _: fault)
    other = send_of(id="other")
    calls: tuple[Callable[[], object], ...] = (
        lambda: rows.note(other, PART, now=NOW),
        lambda: rows.claim(other, PART, Bid("B", "T2"), now=NOW),
        lambda: settle(rows, held, ACCEPTED),
        lambda: rows.split(SEND, PART, held, came(INVALID), now=NOW),
        lambda: rows.give_up(SEND, PART, now=NOW),
        lambda: rows.refuse("m-2", "m-2", ["One."], "{}", now=NOW),
    )
    for call in calls:
        with pytest.raises(StoreUnavailable) as caught:
            call()
        assert "words that may quote a row" not in str(caught.value)
    assert [(row["state"], row["revision"]) for row in moto_world.all_rows()] == [("SUBMITTING", 1)]
