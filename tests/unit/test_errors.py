"""Errors as people and programs meet them: what they say, and what they hold."""

import pytest

from kuaixintong.core.enqueueing import Enqueued, NotEnqueued
from kuaixintong.core.errors import NoAnswer, NotAllEnqueued, SendRefused, Unanswered
from kuaixintong.core.lanes import Lane


def failed(count: int) -> list[NotEnqueued]:
    return [NotEnqueued(number, f"send-{number}", f"why {number}", True, (), {}) for number in range(count)]


def test_every_fault_of_a_refused_send_is_told_and_kept() -> None:
    error = SendRefused(["One.", "Two."])
    assert (str(error), error.faults) == ("One. Two.", ("One.", "Two."))


@pytest.mark.parametrize(
    ("count", "named"),
    [
        (1, "send-0: why 0"),
        (3, "send-0: why 0; send-1: why 1; send-2: why 2"),
        (5, "send-0: why 0; send-1: why 1; send-2: why 2; and 2 more"),
    ],
)
def test_what_did_not_go_in_is_counted_and_some_of_it_named(count: int, named: str) -> None:
    went_in = [Enqueued(9, "send-9", ("send-9",), Lane.ORDINARY, None)]
    error = NotAllEnqueued(went_in, failed(count))
    assert str(error).startswith(f"{count} of {count + 1} sends did not go in ({named}). Enqueued again")
    assert (error.enqueued, error.failed) == (tuple(went_in), tuple(failed(count)))


def test_an_id_made_of_a_mobile_is_not_named_whole() -> None:
    error = NotAllEnqueued([], [NotEnqueued(0, "otp-13708600860", "it is down", False, (), {})])
    assert "13708600860" not in str(error)
    assert "it is down" in str(error)


def test_why_there_was_no_answer_is_what_logs_and_metrics_carry() -> None:
    assert [*map(str, Unanswered)] == [
        *("name not found", "connection refused", "no connection in time", "no connection"),
        *("certificate refused", "tls", "reset", "timed out", "http status", "unreadable"),
    ]


def test_a_request_may_have_left_unless_the_contrary_is_known() -> None:
    error = NoAnswer("cut off", Unanswered.RESET)
    assert (str(error), error.reason, error.left, error.status) == ("cut off", "reset", True, None)
    assert not NoAnswer("refused", Unanswered.REFUSED, left=False).left
    assert NoAnswer("no", Unanswered.HTTP_STATUS, status=502).status == 502
