"""Where the four parameters of a push are found, in every notation of contract 3; how the password is cut out."""

import base64
import json
from typing import Any
from urllib.parse import quote, quote_plus, urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kuaixintong.core.gateway import Request
from kuaixintong.core.parameters import Parameter, credentials, parameters, without_passwords
from tests import spec_samples

FORM = "application/x-www-form-urlencoded"
EXPECTED = {"uid": "abc", "pwd": "123", "type": "mo"}
CONTENT = "你好吗 😀"
JSON_DATA = json.dumps([{"mobile": "13500000000", "content": CONTENT}], ensure_ascii=False)


def found(request: Request) -> dict[str, str]:
    """Every parameter, none of them twice; what is found of the credentials alone is the same."""
    pairs = [(each.name, each.value) for each in parameters(request)]
    assert len(dict(pairs)) == len(pairs)
    assert credentials(request) == (dict(pairs).get("uid", ""), dict(pairs).get("pwd", ""))
    return dict(pairs)


def test_the_platforms_form_is_read() -> None:
    form = found(Request(content_type=f"{FORM}; charset=UTF-8", body=spec_samples.MO_FORM))
    assert form.items() >= EXPECTED.items()
    assert json.loads(form["jsonData"]) == json.loads(spec_samples.MO_JSON_DATA)


@pytest.mark.parametrize("content_type", ["", "text/plain", "application/json", FORM])
def test_the_specs_own_notation_is_read_under_any_content_type(content_type: str) -> None:
    request = Request(content_type=content_type, body=spec_samples.MO_PUSH.encode())
    assert found(request) == EXPECTED | {"jsonData": spec_samples.MO_JSON_DATA}


@pytest.mark.parametrize("content_type", ["", "application/json", FORM])
@pytest.mark.parametrize("as_text", [True, False])
def test_a_json_object_is_read_with_the_array_in_it_or_as_text(content_type: str, as_text: bool) -> None:
    json_data = JSON_DATA if as_text else json.loads(JSON_DATA)
    body = json.dumps(EXPECTED | {"jsonData": json_data}, ensure_ascii=False).encode()
    assert found(Request(content_type=content_type, body=body)) == EXPECTED | {"jsonData": JSON_DATA}


@pytest.mark.parametrize("content_type", ["application/json", "multipart/form-data; boundary=x"])
def test_a_form_called_something_else_is_read(content_type: str) -> None:
    assert found(Request(content_type=content_type, body=spec_samples.MO_FORM)).items() >= EXPECTED.items()


def multipart(fields: dict[str, str], *, boundary: bytes = b"b0undary", line: bytes = b"\r\n") -> bytes:
    heads = {name: f'Content-Disposition: form-data; name="{name}"'.encode() for name in fields}
    parts = [b"--" + boundary + line + heads[name] + line * 2 + fields[name].encode() for name in fields]
    return line.join([*parts, b"--" + boundary + b"--", b""])


@pytest.mark.parametrize("line", [b"\r\n", b"\n"])
@pytest.mark.parametrize("declared", [True, False])
def test_multipart_is_read_with_its_boundary_declared_or_not(line: bytes, declared: bool) -> None:
    fields = EXPECTED | {"jsonData": JSON_DATA}
    content_type = "multipart/form-data; boundary=b0undary" if declared else "multipart/form-data"
    assert found(Request(content_type=content_type, body=multipart(fields, line=line))) == fields


@pytest.mark.parametrize("declared", ["boundary=x", 'Boundary="x"', "charset=utf-8; BOUNDARY=x"])
def test_what_stands_before_the_first_section_is_for_nobody(declared: str) -> None:
    body = b"for a reader without MIME\r\n" + section(b"content-disposition: form-data; name=uid", b"abc")
    assert found(Request(content_type=f"multipart/form-data; {declared}", body=body)) == {"uid": "abc"}


def test_half_a_character_in_a_boundary_is_no_obstacle() -> None:
    boundary = "\ud83d".encode("utf-8", "surrogatepass")
    body = section(b"content-disposition: form-data; name=uid", b"abc").replace(b"--x", b"--" + boundary)
    body = b"for a reader without MIME\r\n" + body
    assert found(Request(content_type="multipart/form-data; boundary=\ud83d", body=body)) == {"uid": "abc"}


def test_a_password_that_is_empty_leaves_every_byte_where_it_is() -> None:
    head = b"content-disposition: form-data; name=pwd"
    for line in (b"\r\n", b"\n"):
        body = section(head, b"").replace(b"\r\n\r\n\r\n", b"\r\n\r\n").replace(b"\r\n", line)
        assert body.count(line * 2 + b"--x") == 1
        assert without_passwords(Request(body=body)).body == body


def test_what_looks_like_a_boundary_inside_a_value_is_none() -> None:
    fields = EXPECTED | {"jsonData": '["--b0undary", "\r\n--b0undaryx"]'}
    assert found(Request(body=multipart(fields))) == fields


def test_a_multipart_body_that_breaks_off_ends_in_its_last_value() -> None:
    body = multipart(EXPECTED | {"jsonData": '[{"token": 7331, "mob'}).removesuffix(b"\r\n--b0undary--\r\n")
    assert found(Request(body=body))["jsonData"] == '[{"token": 7331, "mob'


def section(head: bytes, value: bytes = b"mo") -> bytes:
    return b"--x\r\n" + head + b"\r\n\r\n" + value + b"\r\n--x--\r\n"


@pytest.mark.parametrize(
    "head",
    [
        b"content-disposition: form-data; name=type",
        b'CONTENT-DISPOSITION:form-data;filename="; name=\\"uid\\"";name="type"',
        b'Content-Disposition: form-data;\r\n name="type"',
        b'Content-Type: text/plain\r\nContent-Disposition: form-data; name="type"; name="uid"',
        b"Content-Disposition: form-data; name*=utf-8''uid; name=\"type\"",
    ],
)
def test_a_sections_name_is_read_in_every_writing(head: bytes) -> None:
    assert found(Request(body=section(head))) == {"type": "mo"}


@pytest.mark.parametrize(
    "head",
    [
        b"Content-Disposition: form-data; name*=idna''x",
        b"Content-Disposition: form-data; name*=a; name*0*=b",
        b"Content-Disposition: form-data; name*=\x00",
        b'Content-Disposition: form-data; name="',
        b"Content-Disposition",
        b"\xff\xfe: \xff",
        b"",
    ],
)
def test_a_head_that_makes_no_sense_has_no_name(head: bytes) -> None:
    body = section(head)
    assert found(Request(content_type="multipart/form-data; boundary=x", body=body)) == {}


@pytest.mark.parametrize(
    "content_type",
    ["a/b; boundary*=a; boundary*0*=b", "a/b; boundary*=idna''x", "; boundary=\x00", ';boundary="', "\ud800;" * 9],
)
def test_a_content_type_that_makes_no_sense_is_no_obstacle(content_type: str) -> None:
    assert found(Request(content_type=content_type, body=b"uid=abc&pwd=123&type=mo")) == EXPECTED


def test_a_sections_own_charset_counts() -> None:
    head = b'content-disposition: form-data; name="jsonData"\r\nContent-Type: text/plain; charset=GBK'
    body = section(head, "你好".encode("gbk"))
    assert found(Request(content_type='multipart/form-data; boundary="x"', body=body)) == {"jsonData": "你好"}


def test_the_query_is_read() -> None:
    request = Request(query=urlencode(EXPECTED | {"jsonData": JSON_DATA}).encode())
    assert found(request) == EXPECTED | {"jsonData": JSON_DATA}


def test_body_and_query_complete_each_other() -> None:
    assert found(Request(query=b"type=mo", body=b"uid=abc&pwd=123")) == EXPECTED


def test_of_repeated_credentials_the_first_that_is_not_empty_counts_the_bodys_before_the_querys() -> None:
    request = Request(query=b"pwd=of the query", body=b"uid=&uid=abc&uid=other&pwd=123")
    assert credentials(request) == ("abc", "123")


def test_every_value_of_a_repeated_parameter_is_there() -> None:
    request = Request(query=b"jsonData=3", body=b"jsonData=1&jsonData=&jsonData=2&jsonData=1")
    assert [each.value for each in parameters(request)] == ["1", "2", "1", "3"]
    again = Request(body=b'{"jsonData": [1], "jsonData": "[2]", "type": null}')
    assert list(parameters(again)) == [Parameter("jsonData", "[1]"), Parameter("jsonData", "[2]")]
    body = section(b"content-disposition: form-data; name=jsonData", b"1").replace(b"--x--", b"--x") + section(
        b"content-disposition: form-data; name=jsonData", b"2"
    ).removeprefix(b"--x\r\n")
    assert [each.value for each in parameters(Request(body=body))] == ["1", "2"]


@pytest.mark.parametrize(
    "charset", ["gbk", "GB18030", "utf-8", "utf-16", "utf-16-le", "utf-16-be", "big5", "utf-32"]
)
def test_a_declared_charset_counts(charset: str) -> None:
    body = '{"jsonData": "你好"}'.encode(charset)
    assert found(Request(content_type=f"application/json; charset={charset}", body=body)) == {"jsonData": "你好"}


@pytest.mark.parametrize(
    ("charset", "encoding"),
    [
        *((name, "gbk") for name in ("gbk", "GB2312", "x-gbk", "CP936", "ms936", "windows-936")),
        *((name, "big5") for name in ("Big5", "big5-hkscs")),
        ("GB18030", "gb18030"),
    ],
)
def test_a_charset_counts_under_every_name_and_for_every_parameter_wherever_it_stands(
    charset: str, encoding: str
) -> None:
    form = f"{FORM}; charset={charset}"
    pushed = b"uid=" + quote("同意".encode(encoding)).encode() + b"&pwd=1&jsonData=" + "同意".encode(encoding)
    for request in (Request(content_type=form, body=pushed), Request(content_type=form, query=pushed)):
        assert found(request) == {"uid": "同意", "pwd": "1", "jsonData": "同意"}
    body = section(b"content-disposition: form-data; name=pwd", "同意".encode(encoding))
    assert found(Request(content_type=f"multipart/form-data; boundary=x; charset={charset}", body=body)) == {
        "pwd": "同意"
    }


@pytest.mark.parametrize("charset", ["", "ISO-8859-1", "no-such-thing", "rot13", "us-ascii", "GBK", "big5"])
@pytest.mark.parametrize("escaped", [True, False])
def test_utf_8_comes_first_whatever_is_declared(charset: str, escaped: bool) -> None:
    text = quote("同意") if escaped else "同意"
    request = Request(content_type=f"{FORM}; charset={charset}", body=f"jsonData={text}".encode())
    assert found(request) == {"jsonData": "同意"}


def test_what_is_no_utf_8_is_of_the_declared_charset() -> None:
    body = b"jsonData=" + quote("同意".encode("gbk")).encode()
    assert found(Request(content_type=f"{FORM}; charset=GBK", body=body)) == {"jsonData": "同意"}


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-32"])
def test_a_byte_order_mark_is_no_part_of_the_push(encoding: str) -> None:
    assert found(Request(body='{"uid": "abc"}'.encode(encoding))) == {"uid": "abc"}


def test_a_form_may_begin_with_a_byte_order_mark_too() -> None:
    assert found(Request(body=b"\xef\xbb\xbfuid=abc")) == {"uid": "abc"}


def test_bytes_of_no_charset_survive() -> None:
    values = found(Request(body=b"uid=abc&jsonData=%FF\xfe"))
    assert values["uid"] == "abc"
    assert values["jsonData"].encode("utf-8", "surrogateescape") == b"\xff\xfe"


def test_what_cannot_be_read_is_given_from_where_it_starts() -> None:
    body = b'{"uid": "abc", "pwd": "123", "jsonData": [{"token": 7331, "mob'
    assert found(Request(body=body)) == {"uid": "abc", "pwd": "123", "jsonData": '[{"token": 7331, "mob'}


def test_null_and_nothing_are_nothing_and_numbers_are_text() -> None:
    assert found(Request(body=b'{"uid": null, "pwd": 123, "type": 1.50}')) == {"pwd": "123", "type": "1.50"}
    assert found(Request(body=b'{uid=, pwd=123, type="mo"}')) == {"pwd": "123", "type": "mo"}


def test_names_may_be_escaped() -> None:
    assert found(Request(body=b"%75id=abc&p%77d=123&%74%79%70%65=mo")) == EXPECTED
    assert found(Request(body=b'{"\\u0075id": "abc", "p\\u0077d": "123", "type": "mo"}')) == EXPECTED


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"{}", b"{uid", b"{uid=", b"{1:2}", b"--", b"--\r\n", b"=", b"&&&", b"[]", b"\xff\xfe{", b"{\0"],
)
def test_a_body_without_parameters_has_none(body: bytes) -> None:
    assert found(Request(body=body)) == {}


# --- what is far from the beginning ----------------------------------------------------------------------------

FAR = [{"n": number, "deep": [[["]}", '"', "\n"]]]} for number in range(20_000)]


@pytest.mark.parametrize("name", ["uid", "pwd", "jsonData"])
def test_credentials_are_found_behind_megabytes_of_anything_in_json(name: str) -> None:
    body: dict[str, Any] = {"jsonData": FAR} | EXPECTED
    body[name] = body.pop(name)  # to the end
    text = json.dumps(body, indent=1, ensure_ascii=False)
    assert len(text) > 1_000_000
    for written in (text, text.replace("\\n", "\n"), text.replace("]}", "\\ud800")):
        assert credentials(Request(body=written.encode())) == ("abc", "123")


@pytest.mark.parametrize("digits", range(1, 8))
def test_a_credential_is_whole_wherever_the_first_look_ends(digits: int) -> None:
    password = "1234567"[:digits]
    for length in range(99_970, 100_010):
        body = f'{{"uid":"abc","x":"{"x" * (length - 20)}","pwd":{password}}}'
        assert credentials(Request(body=body.encode())) == ("abc", password)


@pytest.mark.parametrize("members", [998, 999, 1_000, 1_001])
def test_credentials_are_found_behind_very_many_members(members: int) -> None:
    text = ",".join(f'"{number}":1' for number in range(members))
    assert credentials(Request(body=f'{{{text},"uid":"abc","pwd":"123"}}'.encode())) == ("abc", "123")


def test_credentials_are_found_behind_a_text_full_of_separators() -> None:
    body = b"jsonData=" + b"&a=b" * 1_900 + b"&uid=abc&pwd=123"
    assert credentials(Request(body=body)) == ("abc", "123")


def test_a_credential_that_is_longer_than_any_secret_is_none() -> None:
    assert credentials(Request(body=b"uid=abc&pwd=" + b"%31" * 1_000_000)) == ("abc", "")


# --- the password ----------------------------------------------------------------------------------------------

PASSWORDS = ["123", "a/b", "p&w d/?=", 'q"uote\\', "密码", "é"]


def forms_of(text: str) -> list[str]:
    """A password as different programs escape it in a form."""
    everything = "".join(f"%{byte:02x}" for byte in text.encode())
    return [quote(text), quote(text, safe=""), quote_plus(text), everything, everything.upper()]


@pytest.mark.parametrize("password", PASSWORDS)
def test_a_password_is_cut_out_of_a_form_in_whatever_escaping(password: str) -> None:
    for written in forms_of(password):
        for around in (b"uid=abc&pwd=%b&type=mo", b"pwd=%b", b"\xef\xbb\xbfp%%77d=%b&jsonData=123&x=\xff"):
            request = Request(body=around % written.encode(), query=b"a=%%FF&pwd=%b&=" % written.encode())
            assert credentials(request)[1] == password
            cut = without_passwords(request)
            assert (cut.body, cut.query) == (around % b"", b"a=%FF&pwd=&=")


@pytest.mark.parametrize("password", PASSWORDS)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-be", "utf-32"])
def test_a_password_is_cut_out_of_an_object_in_whatever_escaping(password: str, encoding: str) -> None:
    written = [
        json.dumps(password)[1:-1],
        json.dumps(password, ensure_ascii=False)[1:-1],
        "".join(f"\\u{ord(each):04X}" for each in password),
    ]
    for each in written:
        for around in (
            '{{"说明": "密码", "pwd" : "{}", "jsonData": "pwd=123"',
            '{{uid="abc", pwd="{}", type="mo"}}',
            ' {{"p\\u0077d":"{}"}} pwd="123"',
        ):
            request = Request(body=around.format(each).encode(encoding))
            assert credentials(request)[1] == password
            assert without_passwords(request).body == around.format("").encode(encoding)


@pytest.mark.parametrize("charset", ["gbk", "gb18030", "big5"])
def test_a_password_is_cut_out_of_an_object_of_another_charset(charset: str) -> None:
    around = (
        '{{"说明": "中文兀嗀一", "pwd": "{}", "type": "中"}}'
        if charset != "big5"
        else '{{"明": "兀嗀", "pwd": "{}"}}'
    )
    request = Request(content_type=f"a/b; charset={charset}", body=around.format("密碼").encode(charset))
    assert credentials(request)[1] == "密碼"
    assert without_passwords(request).body == around.format("").encode(charset)


@pytest.mark.parametrize("password", PASSWORDS)
@pytest.mark.parametrize("line", [b"\r\n", b"\n"])
def test_a_password_is_cut_out_of_multipart(password: str, line: bytes) -> None:
    fields = EXPECTED | {"jsonData": '["pwd", "123"]'}
    request = Request(body=multipart(fields | {"pwd": password}, line=line))
    assert credentials(request)[1] == password
    assert without_passwords(request).body == multipart(fields | {"pwd": ""}, line=line)


def test_every_password_is_cut_out_and_none_of_the_data() -> None:
    body = b"pwd=123&pwd=old&jsonData=" + quote('[{"token":71234,"mobile":"13512345678"}]').encode()
    assert without_passwords(Request(body=body)).body == body.replace(b"pwd=123&pwd=old", b"pwd=&pwd=")
    number = b'{"pwd": 123, "jsonData": [{"token":71234,"mobile":"13512345678","pwd":123}]}'
    assert without_passwords(Request(body=number)).body == number.replace(b": 123,", b": ,")


@given(st.binary(max_size=200) | st.text(max_size=200).map(lambda text: text.encode("utf-8", "surrogatepass")))
def test_bytes_without_a_password_stay_as_they_are(body: bytes) -> None:
    if b"pwd" not in body and b"%" not in body and b"\\u" not in body:
        assert without_passwords(Request(body=body, query=body)) == Request(body=body, query=body)


@given(
    st.lists(st.binary(max_size=20) | st.sampled_from([b"pwd", b"=", b"&", b"--x\r\n", b"{", b'"', b":", b"\xff"]))
)
def test_what_is_cut_is_the_password_alone(pieces: list[bytes]) -> None:
    request = Request(body=b"".join(pieces), query=b"".join(reversed(pieces)))
    cut = without_passwords(request)
    assert credentials(cut)[1] == "" or credentials(request)[1]
    for before, after in ((request.body, cut.body), (request.query, cut.query)):
        rest = iter(before)
        assert all(byte in rest for byte in after)


# --- the event -------------------------------------------------------------------------------------------------


def test_the_event_of_api_gateway_becomes_a_request() -> None:
    request = Request.from_event(
        {
            "headers": {"CONTENT-type": FORM},
            "multiValueQueryStringParameters": {"uid": ["a&c", "other"], "type": ["mo"]},
            "queryStringParameters": {"uid": "other", "type": "mo"},
            "body": "pwd=123",
            "isBase64Encoded": False,
        }
    )
    assert request == Request(b"uid=a%26c&uid=other&type=mo", FORM, b"pwd=123")
    assert credentials(request) == ("a&c", "123")


def test_a_load_balancers_query_stays_as_it_was_on_the_wire() -> None:
    event = {"requestContext": {"elb": {}}, "queryStringParameters": {"uid": "a%26c", "p%77d": "a%2fb", "x": ""}}
    request = Request.from_event(event)
    assert request == Request(b"uid=a%26c&p%77d=a%2fb&x=")
    assert credentials(request) == ("a&c", "a/b")


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (base64.b64encode(b"\xff\x00").decode(), b"\xff\x00"),
        ("not base64!", b"not base64!"),
        ("YWJj*", b"YWJj*"),
        ("密码", "密码".encode()),
    ],
)
def test_base64_is_undone_if_it_is_base64(body: str, expected: bytes) -> None:
    assert Request.from_event({"body": body, "isBase64Encoded": True}).body == expected


def test_an_event_that_lacks_everything_is_an_empty_request() -> None:
    assert Request.from_event({}) == Request()
    nulls = dict.fromkeys(("headers", "multiValueQueryStringParameters", "queryStringParameters", "body"))
    assert Request.from_event(nulls) == Request()
    assert Request.from_event({"queryStringParameters": {"uid": None}}).query == b"uid="


def test_half_a_character_in_an_event_is_no_obstacle() -> None:
    assert Request.from_event({"body": "uid=\ud800"}).body == b"uid=\xed\xa0\x80"
    request = Request.from_event({"queryStringParameters": {"\ud800": "\ud800", "uid": "abc"}})
    assert credentials(request) == ("abc", "")
