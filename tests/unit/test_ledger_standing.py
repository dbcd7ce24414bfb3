"""What the ledger reads of a row, and the words that rows, metrics and people share with it."""

from datetime import UTC, datetime
from typing import Any

import pytest

from kuaixintong.core.ledger import (
    Addressee,
    Attention,
    Bid,
    Lapse,
    Outcome,
    Standing,
    State,
    Submit,
)

ROW: dict[str, Any] = {
    "send_id": "order-1",
    "part": "1",
    "state": "SUBMITTING",
    "fingerprint": "f",
    "revision": 7,
    "claim": "A",
    "lease_until": "2026-11-23T12:01:30.000+08:00",
    "timestamp": "202611231200000001",
    "uses": 3,
    "unanswered": 2,
    "attempts": 5,
    "cid": "12345678",
    "uid": "test",
    "server": "platform.example",
    "asked_at": "2026-11-23T12:00:00.000+08:00",
    "with_at_time": True,
    "at_time_over": True,
    "refused": ["one", "two"],
    "mobiles": ["13708600860"],
}


def test_everything_that_decides_is_read_of_a_row() -> None:
    assert Standing.of(ROW) == Standing(
        state=State.SUBMITTING,
        fingerprint="f",
        revision=7,
        claim="A",
        lease_until=datetime(2026, 11, 23, 4, 1, 30, tzinfo=UTC),
        timestamp="202611231200000001",
        uses=3,
        unanswered=2,
        attempts=5,
        asked=Addressee("12345678", "test", "platform.example"),
        asked_at=datetime(2026, 11, 23, 4, 0, tzinfo=UTC),
        with_at_time=True,
        at_time_over=True,
        refused=("one", "two"),
    )


def test_a_row_that_was_never_asked_for_says_so() -> None:
    noted = Standing.of({"state": "WAITING", "fingerprint": "f", "revision": 1})
    assert noted == Standing(
        state=State.WAITING,
        fingerprint="f",
        revision=1,
        claim=None,
        lease_until=None,
        timestamp=None,
        uses=0,
        unanswered=0,
        attempts=0,
        asked=None,
        asked_at=None,
        with_at_time=False,
        at_time_over=False,
        refused=(),
    )
    assert noted == Standing(State.WAITING, "f", 1)
    assert isinstance(noted.state, State)


@pytest.mark.parametrize(
    ("refused", "fingerprint", "no_send"),
    [([], "f", False), (["f"], "f", True), (["e", "f"], "f", True), (["f", "e"], "f", False), (["e"], "f", False)],
    ids=["a send", "a refused body", "the last of several", "an earlier one: it has moved on", "a mended one"],
)
def test_a_refused_body_is_known_by_the_last_digest(refused: list[str], fingerprint: str, no_send: bool) -> None:
    assert Standing.of(ROW | {"refused": refused, "fingerprint": fingerprint}).no_send is no_send


def test_what_is_left_out_of_a_decision_is_nothing() -> None:
    assert Bid("A") == Bid("A", fresh="", asked=None, at_time_to_come=False)
    assert Submit("T1", 1, 1, 1) == Submit("T1", 1, 1, 1, asked_at=None, with_at_time=False)
    assert Lapse(State.EXPIRED, None) == Lapse(State.EXPIRED, None, words="")
    plain = Outcome(None, first_use=True, mobiles=1)
    assert plain == Outcome(
        None, first_use=True, mobiles=1, others_unanswered=False, left=True, at_time_near=False, words=""
    )


def test_the_words_of_states_and_reasons_are_those_that_stand_in_rows() -> None:
    assert [state.value for state in State] == [
        "WAITING",
        "SUBMITTING",
        "ACCEPTED",
        "REJECTED",
        "UNCONFIRMED",
        "EXPIRED",
        "CANCELLED",
        "SPLIT",
    ]
    assert [reason.value for reason in Attention] == ["UNCONFIRMED", "PROTOCOL", "NO_TOKEN", "GAVE_UP", "REFUSED"]
