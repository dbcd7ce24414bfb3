"""Where the four parameters of a push are found, in every notation of contract 3."""

import base64
import json

import pytest

from kuaixintong.core.gateway import Request
from kuaixintong.core.parameters import parameters
from tests import spec_samples

FORM = "application/x-www-form-urlencoded"
EXPECTED = {"uid": "abc", "pwd": "123", "type": "mo"}
CONTENT = "你好吗 😀"
JSON_DATA = json.dumps([{"mobile": "13500000000", "content": CONTENT}], ensure_ascii=False)


def test_the_platforms_form_is_read() -> None:
    found = parameters(Request(content_type=f"{FORM}; charset=UTF-8", body=spec_samples.MO_FORM))
    assert found.items() >= EXPECTED.items()
    assert json.loads(found["jsonData"]) == json.loads(spec_samples.MO_JSON_DATA)


@pytest.mark.parametrize("content_type", ["", "text/plain", "application/json", FORM])
def test_the_specs_own_notation_is_read_under_any_content_type(content_type: str) -> None:
    found = parameters(Request(content_type=content_type, body=spec_samples.MO_PUSH.encode()))
    assert found == EXPECTED | {"jsonData": spec_samples.MO_JSON_DATA}


@pytest.mark.parametrize("content_type", ["", "application/json", FORM])
@pytest.mark.parametrize("as_text", [True, False])
def test_a_json_object_is_read_with_the_array_in_it_or_as_text(content_type: str, as_text: bool) -> None:
    json_data = JSON_DATA if as_text else json.loads(JSON_DATA)
    body = json.dumps(EXPECTED | {"jsonData": json_data}, ensure_ascii=False).encode()
    assert parameters(Request(content_type=content_type, body=body)) == EXPECTED | {"jsonData": JSON_DATA}


@pytest.mark.parametrize("content_type", ["application/json", "multipart/form-data; boundary=x"])
def test_a_form_called_something_else_is_read(content_type: str) -> None:
    found = parameters(Request(content_type=content_type, body=spec_samples.MO_FORM))
    assert found.items() >= EXPECTED.items()


@pytest.mark.parametrize("line", [b"\r\n", b"\n"])
@pytest.mark.parametrize("declared", [True, False])
def test_multipart_is_read_with_its_boundary_declared_or_not(line: bytes, declared: bool) -> None:
    fields = EXPECTED | {"jsonData": JSON_DATA}
    parts = [
        b"--b0undary"
        + line
        + f'Content-Disposition: form-data; name="{name}"'.encode()
        + line * 2
        + value.encode()
        for name, value in fields.items()
    ]
    body = line.join([*parts, b"--b0undary--", b""])
    content_type = "multipart/form-data; boundary=b0undary" if declared else "multipart/form-data"
    assert parameters(Request(content_type=content_type, body=body)) == fields


def test_a_parts_own_charset_counts() -> None:
    body = (
        b'--x\r\ncontent-disposition: form-data; name="jsonData"\r\nContent-Type: text/plain; charset=GBK\r\n\r\n'
        + "你好".encode("gbk")
        + b"\r\n--x--"
    )
    assert parameters(Request(content_type='multipart/form-data; boundary="x"', body=body)) == {"jsonData": "你好"}


def test_the_query_is_read() -> None:
    request = Request(query=(*EXPECTED.items(), ("jsonData", JSON_DATA)))
    assert parameters(request) == EXPECTED | {"jsonData": JSON_DATA}


def test_body_and_query_complete_each_other_and_the_body_comes_first() -> None:
    request = Request(query=(("uid", "of the query"), ("type", "mo")), body=b"uid=abc&pwd=123")
    assert parameters(request) == EXPECTED


def test_of_a_repeated_parameter_the_first_that_is_not_empty_counts() -> None:
    assert parameters(Request(body=b"uid=&uid=abc&uid=other&pwd=123&type=mo")) == EXPECTED


@pytest.mark.parametrize("charset", ["gbk", "GB18030", "utf-8", "utf-16", "utf-16-le", "big5"])
def test_a_declared_charset_counts(charset: str) -> None:
    body = '{"content": "你好"}'.encode(charset)
    assert parameters(Request(content_type=f"application/json; charset={charset}", body=body)) == {
        "content": "你好"
    }


@pytest.mark.parametrize("charset", ["", "; charset=ISO-8859-1", "; charset=no-such-thing", "; charset=rot13"])
def test_utf_8_is_assumed_where_no_usable_charset_is_declared(charset: str) -> None:
    found = parameters(Request(content_type=FORM + charset, body=f"content={CONTENT}".encode()))
    assert found == {"content": CONTENT}


def test_a_charset_that_does_not_fit_gives_way_to_utf_8() -> None:
    found = parameters(Request(content_type=f"{FORM}; charset=us-ascii", body=f"content={CONTENT}".encode()))
    assert found == {"content": CONTENT}


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-32"])
def test_a_byte_order_mark_is_no_part_of_the_push(encoding: str) -> None:
    assert parameters(Request(body='{"uid": "abc"}'.encode(encoding))) == {"uid": "abc"}


def test_a_form_may_begin_with_a_byte_order_mark_too() -> None:
    assert parameters(Request(body=b"\xef\xbb\xbfuid=abc")) == {"uid": "abc"}


def test_bytes_of_no_charset_survive() -> None:
    found = parameters(Request(body=b"uid=abc&jsonData=%FF\xfe"))
    assert found["uid"] == "abc"
    assert found["jsonData"].encode("utf-8", "surrogateescape") == b"\xff\xfe"


def test_what_cannot_be_read_is_given_from_where_it_starts() -> None:
    body = b'{"uid": "abc", "pwd": "123", "jsonData": [{"token": 7331, "mob'
    assert parameters(Request(body=body)) == {"uid": "abc", "pwd": "123", "jsonData": '[{"token": 7331, "mob'}


def test_null_is_nothing_and_numbers_are_text() -> None:
    assert parameters(Request(body=b'{"uid": null, "pwd": 123, "type": 1.50}')) == {"pwd": "123", "type": "1.50"}


@pytest.mark.parametrize(
    "body", [b"", b"{", b"{}", b"{uid", b"{uid=", b"{1:2}", b"--", b"--\r\n", b"=", b"&&&", b"[]"]
)
def test_a_body_without_parameters_has_none(body: bytes) -> None:
    assert not parameters(Request(body=body)).keys() & {"uid", "pwd"}


def test_a_million_separators_cost_no_million_fields() -> None:
    assert len(parameters(Request(body=b"&".join(b"%d=1" % n for n in range(1_000_000))))) <= 101
    multipart = "multipart/form-data; boundary=x"
    assert parameters(Request(content_type=multipart, body=b"--x" * 1_000_000)) == {}
    headers = b"--x\r\n" + b"a: b\r\n" * 1_000_000 + b"\r\n1\r\n--x--"
    assert parameters(Request(content_type=multipart, body=headers)) == {}


def test_the_event_of_api_gateway_becomes_a_request() -> None:
    request = Request.from_event(
        {
            "headers": {"CONTENT-type": FORM},
            "multiValueQueryStringParameters": {"uid": ["abc", "other"], "type": ["mo"]},
            "queryStringParameters": {"uid": "other", "type": "mo"},
            "body": "pwd=123",
            "isBase64Encoded": False,
        }
    )
    assert request == Request((("uid", "abc"), ("uid", "other"), ("type", "mo")), FORM, b"pwd=123")
    assert parameters(request) == EXPECTED


@pytest.mark.parametrize(
    ("body", "expected"), [(base64.b64encode(b"\xff\x00").decode(), b"\xff\x00"), ("not base64!", b"not base64!")]
)
def test_base64_is_undone_if_it_is_base64(body: str, expected: bytes) -> None:
    assert Request.from_event({"body": body, "isBase64Encoded": True}).body == expected


def test_an_event_that_lacks_everything_is_an_empty_request() -> None:
    assert Request.from_event({}) == Request()
    nulls = dict.fromkeys(("headers", "multiValueQueryStringParameters", "queryStringParameters", "body"))
    assert Request.from_event(nulls) == Request()


def test_half_a_character_in_a_body_is_no_obstacle() -> None:
    assert Request.from_event({"body": "uid=\ud800"}).body == b"uid=\xed\xa0\x80"
