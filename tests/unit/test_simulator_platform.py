"""The simulated platform's pure core, pinned by the spec's own bytes."""

import ast
import json
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from local.simulator import codes
from local.simulator.handsets import Inbox, replies_to
from local.simulator.journal import Journal
from local.simulator.patterns import BadPattern, Pattern
from local.simulator.platform import MO, Message, Outcome, Platform, Report, digest, reports_of, segments
from local.simulator.pushing import Push, form
from local.simulator.settings import Memory, Refused, Segments, checked_settings
from tests import plain_client, spec_samples
from tests.plain_client import ANY_MOBILE, send_sm, signed

ROOT = Path(__file__).parents[2]

NOW = datetime(2015, 1, 24, 12, 11, 31, tzinfo=UTC)  # 20:11:31 in Beijing, as in the spec's samples


def platform(**settings: Any) -> Platform:
    return Platform(checked_settings(**settings))


def receive(
    platform: Platform, message: Mapping[str, Any], op: str = "sendSm", now: datetime = NOW, **how: Any
) -> Outcome:
    return platform.receive(plain_client.form(op, message), now, **how)


def code_of(platform: Platform, message: Mapping[str, Any], op: str = "sendSm", **how: Any) -> int:
    return receive(platform, message, op, **how).answer.state_code


# The spec's bytes


def test_the_state_codes_and_their_words_are_the_specs_table() -> None:
    assert tuple(codes.WORDS.items()) == spec_samples.STATE_CODES


def test_the_digest_is_md5_of_password_and_timestamp_in_lower_case() -> None:
    pwd, timestamp, expected = spec_samples.DIGEST_EXAMPLE
    assert digest(pwd, timestamp) == expected


def test_the_specs_own_login_is_understood_and_its_made_up_digest_refused() -> None:
    fields = {"op": spec_samples.LOGIN_OP, "message": spec_samples.LOGIN_MESSAGE}
    assert platform().receive(fields, NOW).answer.body == '{"stateCode":240,"message":"认证失败"}'.encode()


def test_a_right_login_is_answered_as_in_the_specs_sample() -> None:
    answer = receive(platform(balance=0), signed(), "login").answer
    assert json.loads(answer.body) == json.loads(spec_samples.LOGIN_ANSWER)
    assert answer.body == spec_samples.LOGIN_ANSWER.replace(b" ", b"")


def test_a_right_submission_is_answered_as_in_the_specs_sample() -> None:
    answer = receive(platform(), send_sm()).answer
    assert answer.body == spec_samples.SEND_SM_ANSWER.replace(b" ", b"").replace(b"\n", b"")


def test_the_specs_own_submission_is_taken_up_with_every_parameter() -> None:
    password, timestamp, right_digest = spec_samples.DIGEST_EXAMPLE
    raw = spec_samples.SEND_SM_MESSAGE.replace("0723d239c0c8007f09aaebbb2807e977", right_digest)
    taken = platform(pwd=password).receive({"op": "sendSm", "message": raw}, NOW).accepted
    assert taken is not None
    assert taken.mobiles == ("13708600860", "18930612517")
    assert taken.content == "周末参加不了培训了"
    assert (taken.at_time, taken.daily_begin_time, taken.daily_end_time) == ("", "08:00:00", "18:00:00")
    assert (taken.timestamp, taken.token, taken.fee) == (timestamp, 376, 2)
    assert taken.raw == raw


def test_a_push_of_reports_is_the_specs_sample_form_encoded() -> None:
    reports = [
        Report(7331, "13500000000", "0", success=True),
        Report(8469, "13700000000", "2:46", success=False),
    ]
    body = form(Push(1, "report", [*reports]), spec_samples.PUSH_UID, spec_samples.PUSH_PWD)
    assert body == spec_samples.REPORT_FORM


def test_a_push_of_mos_is_the_specs_sample_form_encoded() -> None:
    mos = [MO("13500000000", "你好吗", "2015-01-01 12:00:00"), MO("13700000000", "我不好", "2015-01-01 12:00:00")]
    body = form(Push(1, "mo", [*mos]), spec_samples.PUSH_UID, spec_samples.PUSH_PWD)
    assert body == spec_samples.MO_FORM


# Every state code that a request can provoke


@pytest.mark.parametrize("op", ["", "Login", "sendsm", "logout", "sendSm "])
def test_an_unknown_op_is_100(op: str) -> None:
    assert code_of(platform(), send_sm(), op) == codes.UNKNOWN_OP


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        "null",
        '"text"',
        "{'cid': '12345678'}",
        '{"cid": NaN}',
        "[" * 100_000,
        '{"cid": 12345678, "uid": "test", "pwd": "", "timestamp": ""}',
        '{"cid": "\\ud83d", "uid": "test", "pwd": "", "timestamp": ""}',
        '{"cid": "\udcff", "uid": "test", "pwd": "", "timestamp": ""}',
    ],
)
def test_a_message_that_is_no_json_object_of_the_specs_types_is_110(text: str) -> None:
    assert platform().receive({"op": "login", "message": text}, NOW).answer.state_code == codes.INVALID_JSON


@pytest.mark.parametrize("wrong", [{"mobiles": "13708600860"}, {"mobiles": [13708600860]}, {"content": 1}])
def test_a_parameter_of_a_wrong_type_is_110(wrong: dict[str, Any]) -> None:
    assert code_of(platform(), send_sm(**wrong)) == codes.INVALID_JSON


@pytest.mark.parametrize("lacking", ["op", "message"])
def test_a_missing_form_field_is_120(lacking: str) -> None:
    fields = {name: value for name, value in plain_client.form("login", signed()).items() if name != lacking}
    assert platform().receive(fields, NOW).answer.state_code == codes.PARAMETER_MISSING


@pytest.mark.parametrize("lacking", ["cid", "uid", "pwd", "timestamp", "mobiles", "content"])
def test_a_missing_parameter_is_120_and_so_is_null(lacking: str) -> None:
    message = send_sm()
    assert code_of(platform(), {**message, lacking: None}) == codes.PARAMETER_MISSING
    del message[lacking]
    assert code_of(platform(), message) == codes.PARAMETER_MISSING


@pytest.mark.parametrize("lacking", ["atTime", "dailyBeginTime", "dailyEndTime"])
@pytest.mark.parametrize("value", ["", None])
def test_an_optional_parameter_may_be_empty_or_null_or_left_out(lacking: str, value: str | None) -> None:
    assert code_of(platform(), send_sm(**{lacking: value})) == codes.SUCCESS
    assert code_of(platform(), send_sm()) == codes.SUCCESS


@pytest.mark.parametrize("wrong", [{"cid": "1"}, {"uid": "Test"}, {"cid": ""}])
def test_an_unknown_account_is_200(wrong: dict[str, Any]) -> None:
    assert code_of(platform(), signed(**wrong), "login") == codes.UNKNOWN_ACCOUNT


def test_a_wrong_digest_is_240_and_so_is_a_right_one_in_capitals() -> None:
    message = signed()
    assert code_of(platform(), {**message, "pwd": message["pwd"].upper()}, "login") == codes.AUTHENTICATION_FAILED
    assert code_of(platform(), signed(pwd="other"), "login") == codes.AUTHENTICATION_FAILED


def test_an_address_that_is_not_allowed_is_220() -> None:
    strict = platform(allowed_sources=["192.0.2.1"])
    assert code_of(strict, signed(), "login") == codes.SOURCE_REFUSED
    assert code_of(strict, signed(), "login", source="192.0.2.1") == codes.SUCCESS


@pytest.mark.parametrize(
    "timestamp",
    [
        "",
        "20150124201131100",
        "2015012420113110000",
        "20151324201131" + "1000",
        "20150230201131" + "1000",
        "20150124241131" + "1000",
        "20150124201160" + "1000",
        "20150124201131100a",
        "２０１５０１２４２０１１３１１０００",
        " 20150124201131100",
    ],
)
def test_a_timestamp_that_is_not_18_digits_of_a_real_moment_is_230(timestamp: str) -> None:
    assert code_of(platform(), signed(timestamp=timestamp), "login") == codes.TIMESTAMP_INVALID


def test_with_a_clock_window_a_timestamp_in_the_wrong_zone_is_230() -> None:
    strict = platform(clock_window=600)
    assert code_of(strict, signed(timestamp="201501242011310001"), "login") == codes.SUCCESS
    assert code_of(strict, signed(timestamp="201501241211310001"), "login") == codes.TIMESTAMP_INVALID


def test_disabled_accounts_are_250_and_disabled_organisations_260() -> None:
    assert code_of(platform(account_disabled=True), send_sm()) == codes.ACCOUNT_DISABLED
    assert code_of(platform(organisation_disabled=True), send_sm()) == codes.ORGANISATION_DISABLED


def let_in(limited: Platform, *seconds: float, **how: Any) -> list[float]:
    """Return at which of these moments a request is not answered 210; all others are."""
    answers = {each: code_of(limited, send_sm(), now=NOW + timedelta(seconds=each), **how) for each in seconds}
    assert {*answers.values()} <= {codes.SUCCESS, codes.TOO_FREQUENT}
    return [moment for moment, code in answers.items() if code == codes.SUCCESS]


def test_more_requests_than_the_rate_in_one_second_are_210() -> None:
    assert let_in(platform(rate=2), 0, 0.3, 0.6, 1.1) == [0, 0.3, 1.1]


def test_the_window_slides_and_those_refused_do_not_count() -> None:
    assert let_in(platform(rate=2), 0, 0.9, 0.95, 1, 1.5, 1.85, 1.9, 2) == [0, 0.9, 1, 1.9, 2]


@pytest.mark.parametrize(
    ("rate", "moments"), [(0.5, [0, 2, 4]), (2.5, [0, 0.25, 1, 1.25, 2, 2.25, 3, 3.25, 4]), (1, [0, 1, 2, 3, 4])]
)
def test_a_rate_may_have_a_fraction(rate: float, moments: list[float]) -> None:
    assert let_in(platform(rate=rate), *(number / 4 for number in range(17))) == moments


def test_a_bucket_lets_in_what_it_holds_at_once_and_then_the_rate() -> None:
    bucket = platform(rate=2, rate_kind="bucket", rate_burst=4)
    assert let_in(bucket, 0, 0.01, 0.02, 0.03, 0.04) == [0, 0.01, 0.02, 0.03]
    assert let_in(bucket, 0.4, 0.51, 0.6, 1.02, 1.1) == [0.51, 1.02]
    assert let_in(bucket, *(60 + number / 100 for number in range(6))) == [60, 60.01, 60.02, 60.03]


def test_a_bucket_of_no_size_of_its_own_holds_a_second() -> None:
    assert let_in(platform(rate=3, rate_kind="bucket"), 0, 0.01, 0.02, 0.03) == [0, 0.01, 0.02]
    assert let_in(platform(rate=0.5, rate_kind="bucket"), 0, 1, 2, 3, 4) == [0, 2, 4]


def test_a_bucket_is_not_filled_by_a_clock_that_goes_back() -> None:
    bucket = platform(rate=1, rate_kind="bucket")
    assert let_in(bucket, 10, 5, 9, 10.5, 11) == [10, 11]


def test_each_connection_can_have_a_limit_of_its_own() -> None:
    limited = platform(rate=1, rate_kind="connection")
    assert let_in(limited, 0, 0.1, connection="a") == [0]
    assert let_in(limited, 0.2, 0.3, 1.2, connection="b") == [0.2, 1.2]
    assert let_in(limited, 0.9, 1, connection="a") == [1]


def test_limits_change_while_it_runs() -> None:
    limited = platform(rate=1)
    assert let_in(limited, 0, 0.1) == [0]
    limited.change({"rate": 3})
    assert let_in(limited, 0.2, 0.3, 0.4) == [0.2, 0.3]
    limited.change({"rate_kind": "bucket", "rate": 1})
    assert let_in(limited, 0.5, 0.6) == [0.5]
    limited.change({"rate": None})
    assert let_in(limited, 0.7, 0.7) == [0.7]


@pytest.mark.parametrize(("count", "code"), [(0, 300), (1, 0), (10_000, 0), (10_001, 300)])
def test_one_to_ten_thousand_mobiles_are_taken_and_others_are_300(count: int, code: int) -> None:
    mobiles = [f"1{number:010d}" for number in range(count)]
    assert code_of(platform(balance=10_000), send_sm(mobiles=mobiles)) == code


@pytest.mark.parametrize(
    "mobile",
    ["", "1370860086", "137086008600", "23708600860", "1370860086a", "+8613708600860", "１３７０８６００８６０"],
)
def test_a_mobile_that_is_not_11_digits_beginning_with_1_is_310(mobile: str) -> None:
    assert code_of(platform(), send_sm(mobiles=[ANY_MOBILE, mobile])) == codes.MOBILE_INVALID


def test_a_mobile_on_the_refused_list_is_310() -> None:
    picky = platform(refused_mobiles=["13900000000"])
    assert code_of(picky, send_sm(mobiles=[ANY_MOBILE, "13900000000"])) == codes.MOBILE_INVALID
    assert code_of(picky, send_sm(mobiles=[ANY_MOBILE])) == codes.SUCCESS


@pytest.mark.parametrize(
    ("content", "code"),
    [("", 320), ("好", 0), ("好" * 1000, 0), ("好" * 1001, 320), ("😀" * 500, 0), ("😀" * 501, 320)],
)
def test_content_of_1_to_1000_utf_16_units_is_taken_and_other_is_320(content: str, code: int) -> None:
    assert code_of(platform(), send_sm(content=content)) == code


@pytest.mark.parametrize(
    ("at_time", "code"),
    [
        ("2015-04-01 12:00:00", 0),
        ("2015-01-24 20:11:31", 0),
        ("2015-01-24 20:11:30", 330),
        ("2015-4-1 12:00:00", 330),
        ("2015-04-01T12:00:00", 330),
        ("2015-04-31 12:00:00", 330),
        ("2015-04-01 24:00:00", 330),
        ("tomorrow", 330),
    ],
)
def test_an_at_time_that_is_malformed_unreal_or_past_is_330(at_time: str, code: int) -> None:
    assert code_of(platform(), send_sm(atTime=at_time)) == code


def test_a_past_at_time_is_taken_where_the_platform_is_so_inclined() -> None:
    lenient = platform(past_at_time_refused=False)
    assert code_of(lenient, send_sm(atTime="2015-01-01 12:00:00")) == codes.SUCCESS


@pytest.mark.parametrize(
    ("begin", "end", "code"),
    [
        ("00:00:00", "23:59:59", 0),
        ("09:30:00", "", 0),
        ("", "18:00:00", 0),
        ("18:00:00", "08:00:00", 340),
        ("08:00:00", "08:00:00", 340),
        ("8:00:00", "18:00:00", 340),
        ("08:00", "18:00", 340),
        ("08:00:00", "24:00:00", 340),
        ("08:60:00", "", 340),
    ],
)
def test_a_daily_window_that_is_malformed_or_backwards_is_340(begin: str, end: str, code: int) -> None:
    assert code_of(platform(), send_sm(dailyBeginTime=begin, dailyEndTime=end)) == code


def test_the_balance_runs_down_to_400_and_the_login_tells_it() -> None:
    poor = platform(balance=3)
    two = send_sm(mobiles=[ANY_MOBILE, "18930612517"])
    assert code_of(poor, two) == codes.SUCCESS
    assert code_of(poor, send_sm(mobiles=[ANY_MOBILE, "18930612517"])) == codes.BALANCE_SHORT
    assert receive(poor, signed(), "login").answer.results == {"smBalance": 1, "mmBalance": 0}
    assert code_of(poor, send_sm()) == codes.SUCCESS
    assert code_of(poor, send_sm()) == codes.BALANCE_SHORT


def test_nothing_that_is_refused_is_accepted_charged_or_given_a_token() -> None:
    strict = platform(balance=2)
    wrongs: list[dict[str, Any]] = [
        {"mobiles": []},
        {"content": ""},
        {"atTime": "?"},
        {"mobiles": [ANY_MOBILE] * 3},
    ]
    for wrong in wrongs:
        assert receive(strict, send_sm(**wrong)).accepted is None
    assert (strict.balance, strict.messages) == (2, [])
    assert receive(strict, send_sm()).answer.results["token"] == 376


# Fees and tokens


@pytest.mark.parametrize(
    ("units", "pieces"), [(1, 1), (70, 1), (71, 2), (134, 2), (135, 3), (201, 3), (202, 4), (1000, 15)]
)
def test_content_goes_out_in_one_piece_of_70_or_in_pieces_of_67(units: int, pieces: int) -> None:
    assert segments("好" * units, checked_settings()) == pieces


def test_the_fee_is_mobiles_times_pieces() -> None:
    long = send_sm(mobiles=[ANY_MOBILE, "18930612517"], content="好" * 71)
    assert receive(platform(), long).answer.results["fee"] == 4


def test_an_emoji_counts_twice() -> None:
    assert segments("😀" * 35, checked_settings()) == 1
    assert segments("😀" * 35 + "!", checked_settings()) == 2


@pytest.mark.parametrize(
    ("rule", "units", "pieces"),
    [
        ({"single_segment": 64, "long_segment": 60}, 64, 1),
        ({"single_segment": 64, "long_segment": 60}, 65, 2),
        ({"single_segment": 160, "long_segment": 153}, 306, 2),
        ({"single_segment": 160, "long_segment": 153}, 307, 3),
        ({"signature": 6}, 64, 1),
        ({"signature": 6}, 65, 2),
        ({"signature": 6}, 128, 2),
        ({"signature": 6}, 129, 3),
    ],
)
def test_another_rule_for_pieces_makes_another_fee(rule: dict[str, Any], units: int, pieces: int) -> None:
    outcome = receive(platform(**rule), send_sm(content="好" * units))
    assert outcome.answer.results["fee"] == pieces
    assert outcome.accepted is not None
    assert outcome.accepted.segments == pieces


def test_the_rule_for_pieces_decides_about_the_balance_and_can_change_in_between() -> None:
    changing = platform(balance=3)
    assert code_of(changing, send_sm(content="好" * 70)) == codes.SUCCESS
    changing.change({"signature": 8})
    assert code_of(changing, send_sm(content="好" * 70)) == codes.SUCCESS
    assert changing.balance == 0
    assert [message.segments for message in changing.messages] == [1, 2]


def test_tokens_rise_from_where_they_are_told_to() -> None:
    rising = platform(first_token=7331)
    assert [receive(rising, send_sm()).answer.results["token"] for _ in range(3)] == [7331, 7332, 7333]


# Timestamps


@pytest.mark.parametrize("memory", [*Memory])
@pytest.mark.parametrize("op", ["login", "sendSm"])
def test_an_accepted_requests_timestamp_is_refused_ever_after(memory: Memory, op: str) -> None:
    remembering = platform(timestamps=memory)
    message = send_sm()
    assert code_of(remembering, message, op) == codes.SUCCESS
    assert code_of(remembering, message, op) == codes.TIMESTAMP_INVALID
    later = NOW + timedelta(days=1000)
    assert code_of(remembering, message, now=later) == codes.TIMESTAMP_INVALID
    assert len(remembering.messages) == (op == "sendSm")


REFUSALS: list[tuple[dict[str, Any], dict[str, Any]]] = [
    ({"account_disabled": True}, {}),
    ({"organisation_disabled": True}, {}),
    ({"refused_mobiles": [ANY_MOBILE]}, {}),
    ({"balance": 0}, {}),
    ({}, {"instead": codes.BUSY}),
    ({}, {"instead": codes.TOO_FREQUENT}),
]


@pytest.mark.parametrize(("trouble", "how"), REFUSALS)
def test_a_memory_of_every_timestamp_holds_those_of_refused_requests(
    trouble: dict[str, Any], how: dict[str, Any]
) -> None:
    remembering, message = platform(timestamps="every", **trouble), send_sm()
    assert code_of(remembering, message, **how) not in (codes.SUCCESS, codes.TIMESTAMP_INVALID)
    mend(remembering)
    assert code_of(remembering, message) == codes.TIMESTAMP_INVALID


@pytest.mark.parametrize(("trouble", "how"), REFUSALS)
def test_a_memory_of_accepted_timestamps_lets_a_refused_request_come_again(
    trouble: dict[str, Any], how: dict[str, Any]
) -> None:
    remembering, message = platform(timestamps="accepted", **trouble), send_sm()
    assert code_of(remembering, message, **how) not in (codes.SUCCESS, codes.TIMESTAMP_INVALID)
    mend(remembering)
    assert code_of(remembering, message) == codes.SUCCESS


def mend(platform: Platform) -> None:
    platform.change(
        {"account_disabled": False, "organisation_disabled": False, "refused_mobiles": [], "balance": 1}
    )


@pytest.mark.parametrize("memory", [*Memory])
def test_the_timestamp_of_an_unauthenticated_request_is_never_remembered(memory: Memory) -> None:
    remembering, timestamp = platform(timestamps=memory), plain_client.fresh_timestamp()
    assert code_of(remembering, send_sm(pwd="other", timestamp=timestamp)) == codes.AUTHENTICATION_FAILED
    assert code_of(remembering, send_sm(timestamp=timestamp)) == codes.SUCCESS


def test_a_forced_code_is_answered_even_to_a_timestamp_that_is_known() -> None:
    # the contract's 210 on a repeated timestamp: it must not pass for an answer to the first request
    remembering, message = platform(), send_sm()
    assert code_of(remembering, message) == codes.SUCCESS
    assert code_of(remembering, message, instead=codes.TOO_FREQUENT) == codes.TOO_FREQUENT


def test_a_request_held_up_on_its_way_can_be_accepted_after_a_later_one_when_timestamps_differ() -> None:
    slow, quick = send_sm(), send_sm()
    passive = platform()
    receive(passive, quick)
    receive(passive, slow, now=NOW + timedelta(minutes=10))
    assert [message.timestamp for message in passive.messages] == [quick["timestamp"], slow["timestamp"]]


@given(st.lists(st.tuples(st.integers(0, 9), st.booleans()), max_size=40), st.sampled_from([*Memory]))
def test_no_timestamp_is_ever_accepted_twice(requests: list[tuple[int, bool]], memory: Memory) -> None:
    remembering = platform(timestamps=memory)
    for number, refused in requests:
        message = send_sm(timestamp=f"20150124201131{number:04d}")
        receive(remembering, message, instead=codes.BUSY if refused else None)
    timestamps = [message.timestamp for message in remembering.messages]
    assert len(timestamps) == len(set(timestamps))


@pytest.mark.parametrize("memory", [*Memory])
def test_a_memory_apart_by_user_lets_another_user_use_the_timestamp_again(memory: Memory) -> None:
    apart = platform(timestamps=memory, timestamps_by=["user"], other_users={"second": "secret"})
    shared = platform(timestamps=memory, other_users={"second": "secret"})
    timestamp = plain_client.fresh_timestamp()
    for each, code in ((apart, codes.SUCCESS), (shared, codes.TIMESTAMP_INVALID)):
        assert code_of(each, send_sm(timestamp=timestamp)) == codes.SUCCESS
        assert code_of(each, send_sm(timestamp=timestamp)) == codes.TIMESTAMP_INVALID
        assert code_of(each, send_sm(timestamp=timestamp, uid="second")) == code
        assert code_of(each, send_sm(timestamp=timestamp, uid="second")) == codes.TIMESTAMP_INVALID
    assert [message.uid for message in apart.messages] == ["test", "second"]


@pytest.mark.parametrize("memory", [*Memory])
def test_a_memory_apart_by_server_lets_the_timestamp_come_again_elsewhere(memory: Memory) -> None:
    apart, shared = platform(timestamps=memory, timestamps_by=["server"]), platform(timestamps=memory)
    message = send_sm()
    for each, code in ((apart, codes.SUCCESS), (shared, codes.TIMESTAMP_INVALID)):
        assert code_of(each, message) == codes.SUCCESS
        assert code_of(each, message) == codes.TIMESTAMP_INVALID
        assert code_of(each, message, server=1) == code
        assert code_of(each, message, server=1) == codes.TIMESTAMP_INVALID
    assert [(message.server, message.token) for message in apart.messages] == [(0, 376), (1, 377)]


def test_a_memory_can_be_apart_by_user_and_server_at_once() -> None:
    apart = platform(timestamps_by=["user", "server"], other_users={"second": "secret"})
    timestamp = plain_client.fresh_timestamp()
    for uid in ("test", "second"):
        for server in (0, 1):
            message = send_sm(timestamp=timestamp, uid=uid)
            assert code_of(apart, message, server=server) == codes.SUCCESS
            assert code_of(apart, message, server=server) == codes.TIMESTAMP_INVALID


@pytest.mark.parametrize("memory", [*Memory])
def test_a_memory_for_some_seconds_forgets_and_counts_from_the_first_time(memory: Memory) -> None:
    forgetful, message = platform(timestamps=memory, timestamps_for=3600), send_sm()
    seen = {}
    for seconds in (0, 1800, 3599.9, 3600, 7199, 7200):
        seen[seconds] = code_of(forgetful, message, now=NOW + timedelta(seconds=seconds))
    assert seen == {0: 0, 1800: 230, 3599.9: 230, 3600: 0, 7199: 230, 7200: 0}


def test_what_is_remembered_for_whom_may_change_while_it_runs() -> None:
    changing, message = platform(), send_sm()
    assert code_of(changing, message) == codes.SUCCESS
    assert code_of(changing, message, server=1) == codes.TIMESTAMP_INVALID
    changing.change({"timestamps_by": ["server"]})
    assert code_of(changing, message) == codes.TIMESTAMP_INVALID
    assert code_of(changing, message, server=1) == codes.SUCCESS
    changing.change({"timestamps_by": [], "timestamps_for": 60})
    assert code_of(changing, message, server=2, now=NOW + timedelta(seconds=59)) == codes.TIMESTAMP_INVALID
    assert code_of(changing, message, server=2, now=NOW + timedelta(seconds=60)) == codes.SUCCESS


def test_users_of_one_organisation_share_its_balance_and_have_passwords_of_their_own() -> None:
    shared = platform(balance=2, other_users={"second": "other"})
    assert code_of(shared, send_sm()) == codes.SUCCESS
    assert code_of(shared, send_sm(uid="second")) == codes.AUTHENTICATION_FAILED
    assert code_of(shared, send_sm(uid="second", pwd="other")) == codes.SUCCESS
    assert code_of(shared, send_sm()) == codes.BALANCE_SHORT
    assert code_of(shared, send_sm(uid="third")) == codes.UNKNOWN_ACCOUNT


# The platform's own clock


@pytest.mark.parametrize(
    ("ahead", "at_time", "code"),
    [
        (10, "2015-01-24 20:11:39", 330),  # in 8 s by ours, 2 s ago by the platform's
        (10, "2015-01-24 20:11:41", 0),
        (0, "2015-01-24 20:11:39", 0),
        (-10, "2015-01-24 20:11:21", 0),  # 10 s ago by ours
        (-10, "2015-01-24 20:11:20", 330),
    ],
)
def test_an_at_time_is_judged_by_the_platforms_own_clock(ahead: float, at_time: str, code: int) -> None:
    assert code_of(platform(clock_ahead=ahead), send_sm(atTime=at_time)) == code


def test_a_timestamp_is_judged_by_the_platforms_own_clock() -> None:
    strict = platform(clock_ahead=700, clock_window=600)
    assert code_of(strict, signed(timestamp="201501242011310001"), "login") == codes.TIMESTAMP_INVALID
    strict.change({"clock_ahead": 500})
    assert code_of(strict, signed(timestamp="201501242011310002"), "login") == codes.SUCCESS


# Handsets


def texts(*contents: str, **parameters: Any) -> tuple[Platform, list[Message]]:
    sending = platform()
    for content in contents:
        receive(sending, send_sm(content=content, **parameters))
    return sending, sending.messages


def test_the_next_text_is_what_was_not_read_yet() -> None:
    _, (first, second) = texts("code 111111", "code 222222")
    inbox, six = Inbox(), Pattern(r"\d{6}")
    assert inbox.read(ANY_MOBILE, six) is None
    inbox.deliver(first, checked_settings())
    inbox.deliver(second, checked_settings())
    found = [inbox.read(ANY_MOBILE, six) for _ in range(3)]
    assert [each and each.match for each in found] == ["111111", "222222", None]


def test_a_text_that_does_not_match_is_passed_over() -> None:
    _, messages = texts("hello", "code 222222", "hello again")
    inbox = Inbox()
    for message in messages:
        inbox.deliver(message, checked_settings())
    found = inbox.read(ANY_MOBILE, Pattern(r"code (?P<code>\d+)(x)?"))
    assert found is not None
    assert (found.match, found.groups, found.message) == ("code 222222", ["222222", None], messages[1])
    found = inbox.read(ANY_MOBILE, Pattern(None))
    assert found is not None
    assert (found.match, found.groups) == ("hello again", [])


def test_what_came_after_a_token_is_found_again_and_again() -> None:
    _, messages = texts("one", "two", "three")
    inbox = Inbox()
    for message in messages:
        inbox.deliver(message, checked_settings())
    for _ in range(2):
        found = inbox.read(ANY_MOBILE, Pattern(None), after=376)
        assert found is not None
        assert (found.match, found.message.token) == ("two", 377)
    assert [text.token for text in inbox.texts(ANY_MOBILE, after=376)] == [377, 378]
    assert inbox.texts("13000000000") == []


def test_a_handset_that_is_off_gets_nothing_answers_nothing_and_its_reports_fail() -> None:
    off = {"handsets": {"18930612517": {"off": True, "answers": [{"content": "R"}]}}}
    settings = checked_settings(**off)
    _, (message,) = texts("x", mobiles=[ANY_MOBILE, "18930612517"])
    inbox = Inbox()
    inbox.deliver(message, settings)
    assert [len(inbox.texts(mobile)) for mobile in (ANY_MOBILE, "18930612517")] == [1, 0]
    assert [*replies_to(message, settings)] == []
    assert accepted(platform(**off), mobiles=[ANY_MOBILE, "18930612517"]) == [
        (ANY_MOBILE, "DELIVER", True),
        ("18930612517", "EXPIRED", False),
    ]


def test_a_handset_answers_by_the_first_rule_that_fits() -> None:
    rules = [{"match": "拒收请回复(R|TD)", "content": "R"}, {"match": "^code", "content": "thanks"}]
    settings = checked_settings(handsets={ANY_MOBILE: {"answers": rules}})

    def answers(content: str) -> list[str]:
        _, (message,) = texts(content)
        return [reply.content for _, reply in replies_to(message, settings)]

    assert answers("特价，拒收请回复R") == ["R"]
    assert answers("code 1，拒收请回复TD") == ["R"]
    assert answers("code 1") == ["thanks"]
    assert answers("a code") == []


def test_a_rule_for_every_handset_spares_those_with_one_of_their_own() -> None:
    settings = checked_settings(
        handsets={"*": {"answers": [{"content": "TD"}]}, "18930612517": {"answers": [{"content": "no"}]}}
    )
    _, (message,) = texts("x", mobiles=[ANY_MOBILE, "18930612517"])
    said = [(mobile, reply.content) for mobile, reply in replies_to(message, settings)]
    assert said == [(ANY_MOBILE, "TD"), ("18930612517", "no")]


@pytest.mark.parametrize(
    "pattern", ["(", r"(\w)\1", "(?=x)", "x{1001}", "((a{100}){100}){10}", "x" * 501, "\ud83d", "*"]
)
def test_a_pattern_that_is_none_is_refused_with_a_sentence(pattern: str) -> None:
    with pytest.raises(BadPattern, match=r"^[A-Z].*[a-z)].*"):
        Pattern(pattern)
    with pytest.raises(Refused, match="handsets"):
        checked_settings(handsets={"*": {"answers": [{"match": pattern, "content": "R"}]}})


@pytest.mark.parametrize(
    "pattern", ["(a|a)*(a*)*b", "(.*)(.*)(.*)(.*)(.*)x", "(?:.{1,500})*y", "(a?){500}a{500}b"]
)
def test_no_pattern_takes_longer_than_a_moment(pattern: str) -> None:
    started = time.monotonic()
    with suppress(BadPattern):
        assert Pattern(pattern).found("a" * 1_000) is None
    assert time.monotonic() - started < 1


# Reports


def accepted(platform: Platform, **parameters: Any) -> list[tuple[str, str, bool]]:
    message = receive(platform, send_sm(**parameters)).accepted
    assert message is not None
    reports = [*reports_of(message, platform.settings)]
    assert {report.token for report in reports} == {message.token}
    return [(report.mobile, report.result_code, report.success) for report in reports]


def test_every_mobile_is_reported_once_and_the_failing_ones_with_their_code() -> None:
    reports = accepted(platform(failing_mobiles={"18930612517": "2:46"}), mobiles=[ANY_MOBILE, "18930612517"])
    assert reports == [(ANY_MOBILE, "DELIVER", True), ("18930612517", "2:46", False)]


def test_a_success_may_be_called_0() -> None:
    assert accepted(platform(delivered_code="0")) == [(ANY_MOBILE, "0", True)]


def test_long_messages_may_be_reported_piece_by_piece_alike_or_mixed() -> None:
    failing = {"failing_mobiles": {ANY_MOBILE: "2:46"}}
    failure, success = (ANY_MOBILE, "2:46", False), (ANY_MOBILE, "DELIVER", True)
    assert accepted(platform(segment_reports=Segments.WHOLE, **failing), content="好" * 135) == [failure]
    assert accepted(platform(segment_reports=Segments.EACH, **failing), content="好" * 135) == [failure] * 3
    mixed = accepted(platform(segment_reports=Segments.MIXED, **failing), content="好" * 135)
    assert mixed == [success, success, failure]


# The journal


def test_the_journal_keeps_the_last_requests_and_counts_all() -> None:
    journal = Journal(kept=2)
    for _ in range(5):
        journal.open(NOW, "POST", "127.0.0.1", 0, {})
    assert journal.count == 5
    assert [record.number for record in journal.after(0)] == [4, 5]


# Settings


def test_an_unknown_or_bad_setting_is_refused_by_name_and_without_its_value() -> None:
    with pytest.raises(Refused, match="pasword") as unknown:
        checked_settings(pasword="hush")
    assert "hush" not in str(unknown.value)
    with pytest.raises(Refused, match="balance"):
        checked_settings(balance=-1)


def test_settings_show_no_password() -> None:
    shown = repr(checked_settings(pwd="hush", push_pwd="quiet", other_users={"second": "still"}))
    for password in ("hush", "quiet", "still"):
        assert password not in shown


def test_forgetting_fills_the_balance_up_and_never_gives_a_token_twice() -> None:
    forgetful, message = platform(balance=1), send_sm()
    receive(forgetful, message)
    forgetful.forget()
    assert (forgetful.balance, forgetful.messages) == (1, [])
    assert receive(forgetful, message).answer.results["token"] == 377


# What it is built of


def test_it_shares_no_code_with_the_layer() -> None:
    # one mistake must not hide on both sides
    imported = {name for path in (ROOT / "local" / "simulator").glob("*.py") for name in imports(path)}
    others = {name for name in imported if name.split(".")[0] not in sys.stdlib_module_names}
    assert {name for name in others if not name.startswith("local.simulator")} <= {"aiohttp", "pydantic", "re2"}


def imports(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module or ""


def test_the_core_needs_no_network() -> None:
    code = "import sys, local.simulator.platform, local.simulator.faults; print('aiohttp' in sys.modules)"
    assert subprocess.check_output([sys.executable, "-c", code], cwd=ROOT, text=True, timeout=30) == "False\n"
