"""The account's gate: when a request may go out, and for how long it may not."""

from datetime import UTC, datetime, timedelta

import pytest

from kuaixintong.core import gate
from kuaixintong.core.codes import Trouble
from kuaixintong.core.gate import Account, Closed, Open, Probe, admit, pause_length, pauses_at_once
from kuaixintong.core.ledger import TABLE

NOW = datetime(2026, 11, 23, 4, 0, tzinfo=UTC)
SOON = NOW + timedelta(seconds=20)
PAST = NOW - timedelta(seconds=1)
AUTHENTICATION, BALANCE = Trouble.AUTHENTICATION, Trouble.BALANCE


@pytest.mark.parametrize(
    ("account", "decision"),
    [
        (Account(proven="v1"), Open()),
        (Account(proven="v1", unanswered=4, refused_timestamps=2), Open()),
        (Account(proven="v1", probe_until=SOON), Open()),
        (Account(), Probe()),
        (Account(proven="v0"), Probe()),
        (Account(probe_until=SOON), Closed(SOON, None)),
        (Account(probe_until=NOW), Probe()),
        (Account(proven="v1", pause_reason=BALANCE, pause_until=SOON), Closed(SOON, BALANCE)),
        (Account(pause_reason=AUTHENTICATION, pause_until=SOON), Closed(SOON, AUTHENTICATION)),
        (Account(proven="v1", pause_reason=BALANCE, pause_until=NOW), Probe()),
        (Account(proven="v1", pause_reason=BALANCE, pause_until=PAST), Probe()),
        (Account(proven="v1", pause_reason=BALANCE, pause_until=PAST, probe_until=SOON), Closed(SOON, None)),
        (Account(proven="v1", pause_reason=BALANCE, pause_until=PAST, probe_until=PAST), Probe()),
    ],
    ids=[
        "proven: side by side",
        "proven: single troubles do not close it",
        "proven meanwhile: nobody waits for a probe",
        "nothing known: one goes first",
        "the secret has changed: one goes first",
        "nothing known, and one has gone first",
        "that one never came back",
        "paused",
        "paused, and never proven",
        "the pause ends now: one goes first",
        "the pause is over: one goes first",
        "the pause is over, and one has gone first",
        "the pause is over, and that one never came back",
    ],
)
def test_a_request_may_go_out(account: Account, decision: Open | Probe | Closed) -> None:
    assert admit(account, secret_version="v1", now=NOW) == decision


@pytest.mark.parametrize(
    ("trouble", "lengths"),
    [
        (Trouble.AUTHENTICATION, [60, 120, 240, 300, 300]),
        (Trouble.SOURCE_ADDRESS, [300, 300]),
        (Trouble.ACCOUNT_DISABLED, [300, 300]),
        (Trouble.ORGANISATION_DISABLED, [300, 300]),
        (Trouble.BALANCE, [120, 240, 300, 300]),
        (Trouble.TIMESTAMP, [60, 120, 240, 300, 300]),
        (Trouble.UNREACHABLE, [20, 40, 80, 160, 300, 300]),
    ],
)
def test_pauses_in_a_row_grow_to_five_minutes(trouble: Trouble, lengths: list[int]) -> None:
    assert [pause_length(trouble, pauses).total_seconds() for pauses in range(len(lengths))] == lengths
    assert pause_length(trouble, 10**6) == timedelta(minutes=5)


def test_every_trouble_that_an_answer_can_mean_has_a_pause() -> None:
    assert {rule.trouble for rule in TABLE if rule.trouble} == {*Trouble}
    assert all(pause_length(trouble, 0) for trouble in Trouble)


def test_a_wrong_password_costs_at_most_five_calls_a_minute() -> None:
    # One probe per pause; the shortest pause, of a lost connection, is a third of a minute.
    assert min(pause_length(trouble, 0) for trouble in Trouble) >= timedelta(minutes=1) / 5


@pytest.mark.parametrize(
    ("trouble", "in_a_row", "probing", "pauses"),
    [
        (Trouble.UNREACHABLE, 1, False, False),
        (Trouble.UNREACHABLE, 4, False, False),
        (Trouble.UNREACHABLE, 5, False, True),
        (Trouble.UNREACHABLE, 6, False, True),
        (Trouble.UNREACHABLE, 1, True, True),
        (Trouble.TIMESTAMP, 1, False, False),
        (Trouble.TIMESTAMP, 2, True, False),
        (Trouble.TIMESTAMP, 3, False, True),
        *(
            (trouble, 1, probing, True)
            for trouble in Trouble
            if trouble not in (Trouble.UNREACHABLE, Trouble.TIMESTAMP)
            for probing in (False, True)
        ),
    ],
)
def test_a_trouble_pauses_the_account(trouble: Trouble, in_a_row: int, probing: bool, pauses: bool) -> None:
    assert pauses_at_once(trouble, in_a_row=in_a_row, probing=probing) is pauses


def test_the_contracts_numbers() -> None:
    assert (gate.UNANSWERED_IN_A_ROW, gate.REFUSED_TIMESTAMPS_IN_A_ROW) == (5, 3)
