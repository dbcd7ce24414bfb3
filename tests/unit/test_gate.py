"""The account's gate: when a request may go out, and for how long it may not."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from kuaixintong.core import gate
from kuaixintong.core.codes import Trouble
from kuaixintong.core.gate import (
    Account,
    Closed,
    Dear,
    Open,
    Probe,
    TooDear,
    admit,
    pause_length,
    pauses_at_once,
)
from kuaixintong.core.lanes import Lane
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
        (Account(probe_until=SOON), Closed(SOON, None, in_place=True)),
        (Account(probe_until=NOW), Probe()),
        (Account(proven="v1", pause_reason=BALANCE, pause_until=SOON), Closed(SOON, BALANCE)),
        (Account(pause_reason=AUTHENTICATION, pause_until=SOON), Closed(SOON, AUTHENTICATION)),
        (Account(proven="v1", pause_reason=BALANCE, pause_until=NOW), Probe()),
        (Account(proven="v1", pause_reason=BALANCE, pause_until=PAST), Probe()),
        (
            Account(proven="v1", pause_reason=BALANCE, pause_until=PAST, probe_until=SOON),
            Closed(SOON, None, in_place=True),
        ),
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
    assert admit(account, secret_version="v1", now=NOW, lane=Lane.ORDINARY, cost=1) == decision


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
    assert all(pause_length(trouble, 0) for trouble in {*Trouble} - {Trouble.PACE})


def test_a_wrong_password_costs_at_most_five_calls_a_minute() -> None:
    # One probe per pause; the shortest pause, of a lost connection, is a third of a minute.
    assert min(pause_length(trouble, 0) for trouble in {*Trouble} - {Trouble.PACE}) >= timedelta(minutes=1) / 5


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
            if trouble not in (Trouble.UNREACHABLE, Trouble.TIMESTAMP, Trouble.PACE)
            for probing in (False, True)
        ),
        (Trouble.PACE, 50, True, False),
    ],
)
def test_a_trouble_pauses_the_account(trouble: Trouble, in_a_row: int, probing: bool, pauses: bool) -> None:
    assert pauses_at_once(trouble, in_a_row=in_a_row, probing=probing) is pauses


def test_the_contracts_numbers() -> None:
    assert (gate.UNANSWERED_IN_A_ROW, gate.REFUSED_TIMESTAMPS_IN_A_ROW) == (5, 3)


# --- urgent messages in an outage -------------------------------------------------------------------------------

OUTAGE = Account(proven="v1", pause_reason=Trouble.UNREACHABLE, pause_until=NOW + timedelta(minutes=5))


@pytest.mark.parametrize(
    ("account", "lane", "decision"),
    [
        (OUTAGE, Lane.ORDINARY, Closed(NOW + timedelta(minutes=5), Trouble.UNREACHABLE)),
        (OUTAGE, Lane.URGENT, Probe()),
        (replace(OUTAGE, probed_at=NOW - timedelta(seconds=2)), Lane.URGENT, Probe()),
        (
            replace(OUTAGE, probed_at=NOW - timedelta(seconds=1)),
            Lane.URGENT,
            Closed(NOW + timedelta(seconds=1), Trouble.UNREACHABLE, in_place=True),
        ),
        (
            replace(OUTAGE, probed_at=NOW - timedelta(seconds=9), probe_until=SOON),
            Lane.URGENT,
            Closed(NOW + gate.LOOK_AGAIN, Trouble.UNREACHABLE, in_place=True),
        ),
        (replace(OUTAGE, pause_reason=BALANCE), Lane.URGENT, Closed(NOW + timedelta(minutes=5), BALANCE)),
    ],
    ids=[
        "an ordinary message waits",
        "an urgent one probes",
        "two seconds after the last probe",
        "a second after it",
        "while another probes: never two at once",
        "other pauses hold until their time",
    ],
)
def test_an_urgent_message_does_not_sit_out_an_outage(
    account: Account, lane: Lane, decision: Probe | Closed
) -> None:
    assert admit(account, secret_version="v1", now=NOW, lane=lane, cost=1) == decision


# --- too dear ---------------------------------------------------------------------------------------------------

DEAR = Dear(2_000, PAST, SOON)
OVER = replace(DEAR, until=PAST)
RICH = Account(proven="v1")


@pytest.mark.parametrize(
    ("dear", "cost", "decision"),
    [
        (DEAR, 1_999, Open()),
        (DEAR, 2_000, TooDear(SOON, 2_000)),
        (DEAR, 9_000, TooDear(SOON + timedelta(seconds=10), 2_000)),
        (OVER, 2_000, Probe(of_balance=True)),
        (replace(OVER, until=NOW), 2_000, Probe(of_balance=True)),
        (replace(OVER, until=NOW), 2_001, TooDear(NOW + timedelta(seconds=10), 2_000)),
        (replace(OVER, until=NOW - timedelta(seconds=10)), 2_001, Probe(of_balance=True)),
        (replace(OVER, probe_until=SOON), 2_000, TooDear(SOON, 2_000)),
        (replace(OVER, probe_until=SOON), 1_999, Open()),
    ],
    ids=[
        "cheaper ones go on",
        "as dear waits",
        "dearer waits, and a little longer",
        "after its end the cheapest asks",
        "at its end",
        "the cheapest goes first",
        "if it is still there",
        "one asks, the others wait",
        "which does not concern cheaper ones",
    ],
)
def test_a_part_that_is_too_dear_waits_alone(dear: Dear, cost: int, decision: Open | Probe | TooDear) -> None:
    account = replace(RICH, dear=dear)
    assert admit(account, secret_version="v1", now=NOW, lane=Lane.ORDINARY, cost=cost) == decision


def test_a_pause_comes_before_the_balance_and_the_balance_before_a_probe() -> None:
    paused = replace(RICH, dear=DEAR, pause_reason=BALANCE, pause_until=SOON)
    assert isinstance(admit(paused, secret_version="v1", now=NOW, lane=Lane.URGENT, cost=9_999), Closed)
    unproven = replace(RICH, dear=DEAR)
    assert isinstance(admit(unproven, secret_version="v2", now=NOW, lane=Lane.URGENT, cost=9_999), TooDear)
    assert admit(unproven, secret_version="v2", now=NOW, lane=Lane.URGENT, cost=1) == Probe()


TWO_MINUTES, FOUR_MINUTES = timedelta(minutes=2), timedelta(minutes=4)


@pytest.mark.parametrize(
    ("known", "cost", "asked_at", "after"),
    [
        (None, 2_000, PAST, Dear(2_000, PAST, NOW + TWO_MINUTES)),
        (Dear(2_000, PAST, SOON), 1_500, NOW, Dear(1_500, NOW, SOON)),
        (Dear(2_000, PAST, SOON), 5_000, NOW, None),
        (Dear(2_000, NOW, SOON), 1_500, PAST, None),
        (Dear(2_000, PAST, PAST), 5_000, NOW, Dear(5_000, NOW, NOW + FOUR_MINUTES, 2)),
        (Dear(2_000, PAST, PAST), 2_000, NOW, Dear(2_000, NOW, NOW + FOUR_MINUTES, 2)),
    ],
    ids=[
        "the first refusal",
        "before its end the lowest refused cost counts",
        "and a higher one says nothing new",
        "an answer from before newer knowledge changes nothing",
        "after its end a refusal replaces what was known",
        "and makes the next wait longer",
    ],
)
def test_a_refusal_for_want_of_balance_is_known(
    known: Dear | None, cost: int, asked_at: datetime, after: Dear | None
) -> None:
    assert gate.refused(known, cost=cost, asked_at=asked_at, now=NOW) == after


def test_a_part_of_2500_is_not_starved_by_one_of_5000_on_a_balance_of_3000() -> None:
    """The dearest asks first and is refused; the cheaper one is then no longer too dear, and goes out."""
    known = gate.refused(Dear(2_500, PAST, PAST), cost=5_000, asked_at=NOW, now=NOW)
    account = replace(RICH, dear=known)
    assert admit(account, secret_version="v1", now=NOW, lane=Lane.ORDINARY, cost=2_500) == Open()


def test_what_shows_enough_balance_ends_what_was_known_and_nothing_newer() -> None:
    known = Dear(2_000, NOW, SOON)
    assert gate.affords(known, balance=2_000, asked_at=NOW)
    assert not gate.affords(known, balance=1_999, asked_at=SOON)
    assert not gate.affords(known, balance=9_999, asked_at=PAST)


def test_an_answer_from_the_very_moment_of_what_is_known_counts() -> None:
    assert gate.refused(Dear(2_000, NOW, SOON, 3), cost=1_500, asked_at=NOW, now=NOW) == Dear(1_500, NOW, SOON, 3)


# --- what the row knows -----------------------------------------------------------------------------------------

STAINS = (
    {"pause_reason": BALANCE},
    {"probe_until": SOON},
    {"unanswered": 1},
    {"refused_timestamps": 1},
)


def test_a_row_that_says_nothing_is_an_account_of_which_nothing_is_known() -> None:
    nothing = Account()
    assert nothing == Account(
        pause_reason=None,
        pause_until=None,
        pauses=0,
        proven=None,
        probe_until=None,
        probed_at=None,
        unanswered=0,
        refused_timestamps=0,
        dear=None,
        sequence=None,
        learnt=None,
        handed=0,
        mark=None,
        mark_before=None,
    )


def test_a_good_answer_is_written_down_where_it_tells_something() -> None:
    assert Account(proven="v1").spotless("v1")
    assert not Account(proven="v1").spotless("v2")
    for stain in STAINS:
        assert not replace(Account(proven="v1"), **stain).spotless("v1")


def test_a_good_answer_leaves_an_account_without_a_stain_and_with_all_else_that_is_known() -> None:
    known = Account(
        pause_until=SOON, pauses=3, probed_at=PAST, dear=DEAR, sequence=7, handed=9, mark=(1, 2), proven="v0"
    )
    for stain in STAINS:
        cleared = replace(known, **stain).cleared("v1")
        assert cleared == Account(dear=DEAR, sequence=7, handed=9, mark=(1, 2), proven="v1")
        assert cleared.spotless("v1")


@pytest.mark.parametrize(
    ("handed", "mark", "rate"),
    [
        (7, None, 7.0),
        (0, None, 0.0),
        (30, (50_000, 10), 4.0),
        (30, (95_000, 10), 20.0),
        (30, (100_000, 10), 20.0),
    ],
    ids=["no mark: of the last second", "none", "over five seconds", "a mark of less than a second", "of now"],
)
def test_the_slots_that_were_handed_out_are_told_per_second_of_at_least_one(
    handed: int, mark: tuple[int, int] | None, rate: float
) -> None:
    assert Account(handed=handed, mark=mark).handed_out(now=100_000) == rate


def test_an_urgent_message_probes_at_the_moment_at_which_another_probe_is_overdue() -> None:
    account = replace(OUTAGE, probed_at=NOW - timedelta(seconds=9), probe_until=NOW)
    assert admit(account, secret_version="v1", now=NOW, lane=Lane.URGENT, cost=1) == Probe()


def test_whoever_waits_in_place_looks_again_twice_a_second() -> None:
    assert timedelta(seconds=0.5) == gate.LOOK_AGAIN
    assert not Closed(SOON, BALANCE).in_place
    assert Probe().of_balance is False
