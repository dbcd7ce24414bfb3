"""What silence means: a table of states and times, and the mobiles that a part does not go to."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from kuaixintong.core.delivery import Delivery, MobileStatus, Seen, Waiting, left_out, silent, statuses

FIRST, SECOND, THIRD = "13700000001", "13700000002", "13700000003"

NOON = "2026-11-23T12:00:00.000+08:00"
ACCEPTED: dict[str, Any] = {
    "send_id": "order-1",
    "part": "1",
    "state": "ACCEPTED",
    "token": "376",
    "accepted_at": NOON,
    "mobiles": [FIRST, SECOND],
}

OVER = datetime(2026, 11, 26, 4, 0, tzinfo=UTC)
"""72 hours after noon in Beijing."""


def report(mobile: str, *, success: bool) -> dict[str, Any]:
    return {"token": "376", "mobile": mobile, "result_code": "0", "success": success}


@pytest.mark.parametrize(
    ("row", "after", "expected"),
    [
        ({}, timedelta(hours=-1), "pending"),
        ({}, timedelta(milliseconds=-1), "pending"),
        ({}, timedelta(0), "unreported"),
        ({}, timedelta(days=90), "unreported"),
        # atTime is what counts if it comes later, by Beijing's clock
        ({"at_time": "2026-11-24 12:00:00"}, timedelta(0), "pending"),
        ({"at_time": "2026-11-24 12:00:00"}, timedelta(hours=24, milliseconds=-1), "pending"),
        ({"at_time": "2026-11-24 12:00:00"}, timedelta(hours=24), "unreported"),
        ({"at_time": "2026-11-23 11:00:00"}, timedelta(hours=-1), "pending"),
        # inferred from its reports: nobody saw the answer, but when it was asked for is known
        ({"accepted_at": None, "asked_at": NOON}, timedelta(0), "unreported"),
        ({"accepted_at": None}, timedelta(days=90), "pending"),
        ({"token": None}, timedelta(0), "unreported"),
        # nobody knows whether these went out
        ({"state": "UNCONFIRMED"}, timedelta(days=90), "pending"),
        ({"state": "SUBMITTING"}, timedelta(days=90), "pending"),
        ({"state": "WAITING"}, timedelta(days=90), "pending"),
        ({"state": "A_LATER_RELEASES"}, timedelta(days=90), "pending"),
        # these did not
        ({"state": "REJECTED"}, timedelta(hours=-1), "unsent"),
        ({"state": "EXPIRED"}, timedelta(hours=-1), "unsent"),
        ({"state": "CANCELLED"}, timedelta(hours=-1), "unsent"),
    ],
)
def test_silence_is_pending_until_the_time_for_reports_is_over(
    row: dict[str, Any], after: timedelta, expected: str
) -> None:
    assert silent(ACCEPTED | row, Waiting(OVER + after)) == expected


def test_the_time_that_reports_have_is_the_deployments() -> None:
    waiting = Waiting(OVER - timedelta(hours=71), timedelta(hours=1))
    assert silent(ACCEPTED, waiting) == "unreported"
    assert silent(ACCEPTED, Waiting(OVER, timedelta(hours=73))) == "pending"


def test_who_names_no_time_waits_for_ever() -> None:
    assert silent(ACCEPTED, None) == "pending"


@pytest.mark.parametrize("state", ["ACCEPTED", "UNCONFIRMED", "CANCELLED"])
def test_a_report_wins_however_late_and_whatever_the_state(state: str) -> None:
    seen = Seen([report(FIRST, success=True)])
    (first, _) = statuses(ACCEPTED | {"state": state}, seen, Waiting(OVER + timedelta(days=30)))
    assert first == MobileStatus("order-1", "1", FIRST, Delivery.DELIVERED, state)


def test_every_mobile_is_told_once_those_left_out_with_the_reason() -> None:
    invalid = [{"mobile": SECOND, "reason": "opted out"}, {"mobile": "12345", "reason": "not 11 digits"}]
    seen = Seen([report(THIRD, success=False)])
    found = [
        (each.mobile, str(each.delivery), each.reason)
        for each in statuses(ACCEPTED | {"invalid_mobiles": invalid}, seen, None)
    ]
    assert found == [
        (FIRST, "pending", None),
        (SECOND, "unsent", "opted out"),
        (THIRD, "failed", None),  # reported, though nobody here sent it
        ("12345", "unsent", "not 11 digits"),
    ]


def test_a_report_of_a_mobile_that_was_left_out_is_believed() -> None:
    invalid = [{"mobile": FIRST, "reason": "opted out"}]
    (first, *_) = statuses(ACCEPTED | {"invalid_mobiles": invalid}, Seen([report(FIRST, success=True)]), None)
    assert (first.delivery, first.reason) == ("delivered", "opted out")


def test_each_mobile_is_told_by_the_time_that_reports_have() -> None:
    assert {str(each.delivery) for each in statuses(ACCEPTED, Seen(()), Waiting(OVER))} == {"unreported"}


def test_mobiles_that_share_a_reason_may_stand_together() -> None:
    invalid = [{"mobiles": [FIRST, SECOND], "reason": "opted out"}, {"mobile": "1", "reason": "odd"}]
    assert left_out({"invalid_mobiles": invalid}) == {FIRST: "opted out", SECOND: "opted out", "1": "odd"}
    assert left_out({}) == {}


def test_three_reports_that_disagree_are_mixed_in_any_order() -> None:
    for says in ([True, False, True], [False, True, True], [True, True, False]):
        assert Seen(report(FIRST, success=each) for each in says).of(FIRST) == "mixed"
