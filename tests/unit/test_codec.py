"""Requests byte for byte as the spec's samples, and answers from the spec's own to the most hostile."""

import json
import string
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from kuaixintong.core.codec import LONGEST_ANSWER, decode_answer, digest, encode
from kuaixintong.core.credentials import PlatformCredentials
from kuaixintong.core.errors import NoAnswer, Unanswered
from kuaixintong.core.messages import Answer, Login, SendSm
from tests import spec_samples

TIMESTAMP = "201501242011311000"
CREDENTIALS = PlatformCredentials("version", "12345678", "test", "secret")
SAMPLE = SendSm(
    ("13708600860", "18930612517"),
    "周末参加不了培训了",
    "",
    daily_begin_time="08:00:00",
    daily_end_time="18:00:00",
)


def as_in_the_spec(message: str) -> str:
    """A message with the spec's blanks inside its braces."""
    return f"{{ {message[1:-1]} }}"


def signed_for_real(sample: str, made_up: str) -> str:
    """A sample with a digest that a password gives, where the vendor's is made up."""
    assert sample.count(made_up) == 1
    return sample.replace(made_up, digest(CREDENTIALS.pwd, TIMESTAMP))


def test_a_login_is_the_specs_own_sample() -> None:
    fields = encode(Login(), CREDENTIALS, TIMESTAMP)
    expected = signed_for_real(spec_samples.LOGIN_MESSAGE, "0723d239c0c8007f09aaaeabb2807e977")
    assert fields.keys() == {"op", "message"}
    assert fields["op"] == spec_samples.LOGIN_OP
    assert as_in_the_spec(fields["message"]) == expected


def test_a_submission_is_the_specs_own_sample() -> None:
    fields = encode(SAMPLE, CREDENTIALS, TIMESTAMP)
    expected = signed_for_real(spec_samples.SEND_SM_MESSAGE, "0723d239c0c8007f09aaebbb2807e977")
    assert fields.keys() == {"op", "message"}
    assert fields["op"] == spec_samples.SEND_SM_OP
    assert as_in_the_spec(fields["message"]) == expected


def test_a_daily_window_that_is_not_given_is_left_out() -> None:
    message = json.loads(encode(SendSm(("13708600860",), "x"), CREDENTIALS, TIMESTAMP)["message"])
    assert [*message] == ["cid", "uid", "pwd", "timestamp", "mobiles", "content", "atTime"]
    assert message["atTime"] == ""


def test_the_digest_is_32_lower_case_digits_of_password_and_timestamp() -> None:
    password, timestamp, expected = spec_samples.DIGEST_EXAMPLE
    assert digest(password, timestamp) == expected
    assert digest("密码", "") == "a8105204604a0b11e916f3879aae3b0b"  # printf 密码 | md5sum


def test_the_password_itself_never_travels() -> None:
    credentials = PlatformCredentials("version", "12345678", "test", "a-password-to-look-for")
    assert "a-password-to-look-for" not in str(encode(SAMPLE, credentials, TIMESTAMP))


@given(content=st.text(st.characters(exclude_categories=["Cs"]), min_size=1))
def test_any_content_arrives_as_it_left(content: str) -> None:
    message = encode(SendSm(("13708600860",), content), CREDENTIALS, TIMESTAMP)["message"]
    assert json.loads(message)["content"] == content


# --- answers ----------------------------------------------------------------------------------------------------


def test_the_specs_answers_are_read() -> None:
    assert decode_answer(spec_samples.LOGIN_ANSWER) == Answer(0, "操作成功", sm_balance=0, mm_balance=0)
    assert decode_answer(spec_samples.SEND_SM_ANSWER) == Answer(0, "操作成功", token="376", fee=1)


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ('{"stateCode":"0","token":"376","fee":"1"}', Answer(0, token="376", fee=1)),
        ('{"stateCode":0.0,"fee":2.0}', Answer(0, fee=2)),
        ('{"stateCode":" 310 ","message":" 包含无效号码 "}', Answer(310, "包含无效号码")),
        ('{"stateCode":-1}', Answer(-1)),
        ('{"stateCode":0,"token":9223372036854775807}', Answer(0, token="9223372036854775807")),
        ('{"stateCode":0,"token":"007"}', Answer(0, token="007")),
        ('{"stateCode":0,"token":7331.0}', Answer(0, token="7331")),
        ('{"stateCode":0,"token":7331.5}', Answer(0)),
        ('{"stateCode":0,"token":1e300}', Answer(0)),
        ('{"stateCode":0,"token":1e400}', Answer(0)),
        ('{"stateCode":0,"token":null,"fee":null,"message":null}', Answer(0)),
        ('{"stateCode":0,"token":"","fee":""}', Answer(0)),
        ('{"stateCode":0,"token":true,"fee":false,"message":[]}', Answer(0)),
        ('{"stateCode":0,"fee":0.5,"smBalance":1e400}', Answer(0)),
        ('{"stateCode":0,"fee":1e300,"mmBalance":99999999999999999999}', Answer(0)),
        ('\ufeff\r\n {"stateCode":1}\r\n', Answer(1)),
        ('{"stateCode":1,"message":"\\ud800"}', Answer(1, "?")),
        ('{"stateCode":0,"token":"' + "7" * 3_000 + '"}', Answer(0)),  # no index of DynamoDB's takes such a key
        ('{"stateCode":0,"more":{"than":["the","spec"]}}', Answer(0)),
        ('{"stateCode":0,"message":"two\nlines"}', Answer(0, "two\nlines")),
    ],
)
def test_answers_are_read_tolerantly(text: str, answer: Answer) -> None:
    assert decode_answer(text.encode()) == answer


@pytest.mark.parametrize(
    ("written", "token"),
    [
        ("70000012", "70000012"),
        ("7.0000012E7", "70000012"),  # a double holds it, so nothing is lost
        ("7.0000012e+07", "70000012"),
        ("70000012.0", "70000012"),
        ("700000120e-1", "70000012"),
        ("-0", "0"),
        ("9007199254740993", "9007199254740993"),  # plain digits are believed at any length
        ("9007199254740991.0", "9007199254740991"),
        ("9.007199254740991E15", "9007199254740991"),
        ("9.007199254740993E15", None),  # beyond 2**53 a floating notation has been rounded before it was written
        ("9007199254740993.0", None),
        ("9.223372036854775E18", None),
        ("1e999999999999", None),
        ("70000012.5", None),
        ("7" * 128, "7" * 128),
        ("7" * 129, None),
        ("7" * 50_000, None),
        ('"7.0000012E7"', "7.0000012E7"),  # a text is a text
    ],
    ids=lambda text: str(text)[:24],
)
def test_a_token_is_read_to_the_digit_or_not_at_all(written: str, token: str | None) -> None:
    answer = decode_answer(f'{{"stateCode":0,"token":{written}}}'.encode())
    assert (answer.state_code, answer.token) == (0, token)


@pytest.mark.parametrize(
    ("written", "code"),
    [
        ("2.3E2", 230),
        ("230.000", 230),
        ("2300e-1", 230),
        ('"230"', 230),
        ('"2.3e2"', 230),
        ("-0.0", 0),
        ("0e9", 0),
    ],
)
def test_a_state_code_is_the_same_in_any_notation(written: str, code: int) -> None:
    assert decode_answer(f'{{"stateCode":{written}}}'.encode()).state_code == code


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ('{"stateCode":0,"token":376,"token":377,"fee":1}', Answer(0, fee=1)),
        ('{"stateCode":0,"token":376,"token":376,"token":377}', Answer(0)),
        ('{"stateCode":0,"token":376,"token":"376"}', Answer(0, token="376")),
        ('{"stateCode":0,"token":377,"token":null}', Answer(0)),
        ('{"stateCode":0,"stateCode":0,"token":376}', Answer(0, token="376")),
        ('{"stateCode":0,"fee":1,"fee":2,"token":376}', Answer(0, token="376")),
        ('{"stateCode":0,"message":"a","message":"b"}', Answer(0)),
        ('{"stateCode":0,"more":{"token":1,"token":2},"token":376}', Answer(0, token="376")),
    ],
)
def test_a_field_that_stands_twice_is_left_out_if_it_says_two_things(text: str, answer: Answer) -> None:
    assert decode_answer(text.encode()) == answer


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b" ",
        b"0",
        b"null",
        b"[]",
        b'"stateCode"',
        b"{}",
        b'{"stateCode":null}',
        b'{"stateCode":true}',
        b'{"stateCode":""}',
        b'{"stateCode":"zero"}',
        b'{"stateCode":"0x0"}',
        b'{"stateCode":0.5}',
        b'{"stateCode":1e-400}',
        b'{"stateCode":9.007199254740993E15}',
        b'{"stateCode":1e999999999999}',
        b'{"stateCode":0,"stateCode":1}',
        b'{"stateCode":1,"stateCode":0}',
        b'{"stateCode":0,"stateCode":null}',
        b'{"stateCode":0,"stateCode":0,"stateCode":230,"stateCode":0}',
        b'{"stateCode":0,"more":' + b'{"a":' * 30_000 + b"0",
        b'{"stateCode":NaN}',
        b'{"stateCode":Infinity}',
        b'{"stateCode":99999999999999999999}',
        b'{"stateCode":[0]}',
        b'{"statecode":0}',
        b'{"stateCode":0',
        b'{"stateCode":0}}',
        b'{"stateCode":0}{"stateCode":0}',
        b"{'stateCode':0}",
        b'{"stateCode":0,"message":"\xb2\xd9\xd7\xf7"}',
        b'\xff\xfe{\x00"\x00',
        b"<html><body>Bad Gateway</body></html>",
        b"[" * 60_000,
        b'{"stateCode":' + b"9" * 5_000 + b"}",
        spec_samples.SEND_SM_ANSWER[:-1],
    ],
    ids=lambda body: repr(body[:40]),
)
def test_what_leaves_the_state_code_in_doubt_is_no_answer(body: bytes) -> None:
    with pytest.raises(NoAnswer) as caught:
        decode_answer(body)
    assert "\n" not in str(caught.value)


def test_what_cannot_be_read_is_not_quoted() -> None:
    with pytest.raises(NoAnswer) as caught:
        decode_answer(b'{"message":"13708600860"')
    assert "13708600860" not in str(caught.value)
    assert caught.value.__suppress_context__


json_values: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)
answer_fields = st.dictionaries(
    st.sampled_from(["stateCode", "message", "token", "fee", "smBalance", "mmBalance"]),
    json_values | st.text(string.digits + "-+_ ٣", max_size=30),
)


def assert_read_or_refused(body: bytes) -> None:
    try:
        answer = decode_answer(body)
    except NoAnswer:
        return
    assert isinstance(answer.state_code, int)
    assert answer.meaning.code == answer.state_code
    for number in (answer.state_code, answer.fee, answer.sm_balance, answer.mm_balance):
        assert number is None or (not isinstance(number, bool) and -(2**63) <= number < 2**63)
    answer.message.encode()
    assert answer.token is None or answer.token.encode()


@given(st.binary(max_size=200))
@example(b'{"stateCode":"--5"}')
@example('{"stateCode":"٣"}'.encode())
@example('{"stateCode":"²"}'.encode())
def test_hostile_bytes_are_read_or_refused(body: bytes) -> None:
    assert_read_or_refused(body)


@given(answer_fields)
def test_hostile_fields_are_read_or_refused(fields: dict[str, Any]) -> None:
    assert_read_or_refused(json.dumps(fields).encode())


@given(st.integers(0, len(spec_samples.SEND_SM_ANSWER) - 1), st.binary(max_size=3))
def test_a_spoilt_answer_is_read_or_refused(position: int, noise: bytes) -> None:
    sample = spec_samples.SEND_SM_ANSWER
    assert_read_or_refused(sample[:position] + noise + sample[position + len(noise) :])


@given(st.integers(1, len(spec_samples.SEND_SM_ANSWER)))
def test_an_answer_cut_anywhere_is_none(cut: int) -> None:
    with pytest.raises(NoAnswer):
        decode_answer(spec_samples.SEND_SM_ANSWER[:-cut])


def test_the_longest_answer_is_far_beyond_the_specs() -> None:
    assert len(spec_samples.SEND_SM_ANSWER) * 100 < LONGEST_ANSWER


@pytest.mark.parametrize(
    ("fee", "read"),
    [
        (2**63 - 1, 2**63 - 1),
        (-(2**63), -(2**63)),
        (-129, -129),
        (2**63, None),
        (-(2**63) - 1, None),
        (10**30, None),
    ],
)
def test_a_number_is_read_within_the_64_bits_of_the_platforms_java(fee: int, read: int | None) -> None:
    for written in (str(fee), f'"{fee}"'):
        assert decode_answer(f'{{"stateCode": 0, "fee": {written}}}'.encode()).fee == read


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"<html>", "The answer is no JSON text in UTF-8."),
        (b"\xb3\xc9", "The answer is no JSON text in UTF-8."),
        (b"[0]", "The answer is no JSON object."),
        (b'{"stateCode": "none"}', "The answer has no readable stateCode."),
    ],
)
def test_an_answer_that_is_none_says_why_in_words_and_as_a_reason(body: bytes, words: str) -> None:
    with pytest.raises(NoAnswer) as caught:
        decode_answer(body)
    assert (str(caught.value), caught.value.reason, caught.value.left) == (words, Unanswered.UNREADABLE, True)


def test_an_answer_of_more_than_64_kilobytes_is_none() -> None:
    assert LONGEST_ANSWER == 64 * 1024
