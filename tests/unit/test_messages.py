"""What travels between the platform and us: what it says when little was given, and what it never shows."""

from hashlib import sha256

import pytest

from kuaixintong.core.codes import STATE_CODES
from kuaixintong.core.messages import MO, Answer, Report, SendSm

SECRET = "周末参加不了培训了"


MOBILE = "13500000000"


@pytest.mark.parametrize(
    ("message", "shown"),
    [
        (SendSm((MOBILE,), SECRET, "2015-04-01 12:00:00"), "2015-04-01"),
        (Report("7331", MOBILE, "0", True, f"+86{MOBILE}", SECRET), "7331"),
        (MO(MOBILE, SECRET, "2015-01-01 12:00:00", f"+86{MOBILE}"), "2015-01-01"),
        (MO(MOBILE, "x", "2015-01-01 12:00:00", extra=SECRET), "2015-01-01"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_neither_whom_a_message_is_for_nor_what_it_says_is_shown(message: object, shown: str) -> None:
    assert shown in repr(message)
    for hidden in (SECRET, MOBILE):
        assert hidden not in repr(message)
        assert hidden not in f"{[message]}"


def test_what_is_left_out_of_a_submission_is_empty_text() -> None:
    send = SendSm(("13708600860",), "x")
    assert (send.at_time, send.daily_begin_time, send.daily_end_time) == ("", "", "")


def test_what_is_left_out_of_a_push_is_empty_text() -> None:
    report, mo = Report("7331", "13500000000", "0", True), MO("13500000000", "x", "2015-01-01 12:00:00")
    assert (report.mobile_as_pushed, report.extra, mo.mobile_as_pushed, mo.extra) == ("", "", "", "")


def test_what_is_left_out_of_an_answer_is_not_known() -> None:
    answer = Answer(0)
    assert (answer.message, answer.token, answer.fee, answer.sm_balance, answer.mm_balance) == ("", *[None] * 4)
    assert answer.meaning == STATE_CODES[0]


def test_reports_of_a_token_are_told_apart_by_mobile_code_and_success() -> None:
    assert Report("7331", "13500000000", "2:46", False).outcome == "13500000000#2:46#0"
    assert Report("7331", "13500000000", "0", True, "8613500000000", "{}").outcome == "13500000000#0#1"


def test_mos_of_a_mobile_are_told_apart_by_the_second_and_what_was_said() -> None:
    digest = sha256(SECRET.encode("utf-8")).hexdigest()
    mo = MO("13500000000", SECRET, "2015-01-01 12:00:00", "8613500000000", "{}")
    assert mo.message_key == f"2015-01-01 12:00:00#{digest[:32]}"
    assert len(mo.message_key) == 19 + 1 + 32
