"""What a push is as a whole, what is kept of one that cannot be read, and how it is read again."""

import json
from urllib.parse import quote

import pytest

from kuaixintong.core import pushes
from kuaixintong.core.entries import Sorted, sort_out
from kuaixintong.core.errors import PushUnreadable
from kuaixintong.core.gateway import Request
from kuaixintong.core.pushes import reread
from kuaixintong.core.unreadable import Kept, Unreadable
from tests import spec_samples

ENTRY = {"token": 7331, "mobile": "13500000000", "resultCode": "0", "success": True}
ENTRIES = json.dumps([ENTRY])


def kept(request: Request) -> Unreadable:
    push = pushes.read(request)
    with pytest.raises(PushUnreadable) as caught:
        push.contents()
    return push.unreadable(str(caught.value))


def contents(body: str, query: str = "") -> Sorted:
    return pushes.read(Request(query=query.encode(), body=body.encode())).contents()


def test_every_value_of_json_data_is_taken_in() -> None:
    other = json.dumps([ENTRY | {"token": 1}])
    found = contents(f"type=report&jsonData={ENTRIES}&jsonData=&jsonData={other}", f"jsonData={ENTRIES}")
    assert [each.token for each in found.reports] == ["7331", "1"]


def test_a_type_that_stands_twice_may_say_the_same() -> None:
    assert contents(f"type=report&type=+report&jsonData={ENTRIES}", "type=report").reports


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (f"type=report&type=mo&jsonData={ENTRIES}", "type stands there twice and says two things"),
        (f"type=reports&jsonData={ENTRIES}", "type is neither report nor mo"),
        (f"jsonData={ENTRIES}", "type is neither report nor mo"),
        ("", "type is neither report nor mo"),
        ("type=report", "jsonData is not a JSON array"),
        (f"type=report&jsondata={ENTRIES}", "jsonData is not a JSON array"),
        (f"type=report&jsonData={ENTRIES}&jsonData=x", "jsonData is not a JSON array"),
    ],
)
def test_what_is_no_push_of_the_specs_is_unreadable_as_a_whole(body: str, reason: str) -> None:
    record = kept(Request(body=body.encode()))
    assert (record.kept, record.reason, record.raw) == (Kept.BODY, reason, body.encode())


@pytest.mark.parametrize("name", ["jsondata", "data", "jsonData"])
def test_a_push_in_the_query_is_kept_whole(name: str) -> None:
    array = quote(ENTRIES if name != "jsonData" else ENTRIES[1:])
    query = f"uid=abc&pwd=123&type=report&{name}={array}".encode()
    record = kept(Request(query=query))
    assert (record.query, record.raw) == (query.replace(b"123", b"", 1), b"")


def test_pushes_in_the_query_do_not_share_a_record() -> None:
    digests = {
        kept(Request(query=query, content_type=content_type, body=body)).digest
        for query in (b"", b"a=1", b"a=12")
        for body in (b"", b"a=1", b"2")
        for content_type in ("", "a")
    }
    assert len(digests) == 18


def test_what_stands_behind_a_bare_separator_in_a_text_is_kept() -> None:
    body = b'uid=abc&pwd=123&type=mo&jsonData=[{"mobile":"13500000000","content":"a&b","smgRecvDate":"x"}]'
    assert kept(Request(body=body)).raw == body.replace(b"123", b"", 1)


def test_digits_of_the_data_are_no_password() -> None:
    array = '[{"token":71234,"mobile":"13512345678","resultCode":"0","success":true}'
    body = f'{{"uid":"abc","pwd":"123","type":"report","jsonData":{array}'.encode()
    assert kept(Request(body=body)).raw == body.replace(b'"123"', b'""')


def test_every_byte_of_an_unreadable_push_is_as_it_came() -> None:
    garbage = bytes(range(256)) * 3 + b"123 13500000123"
    record = kept(Request(query=b"uid=abc&pwd=123&%ff", body=garbage))
    assert (record.raw, record.query) == (garbage, b"uid=abc&pwd=&%ff")


def test_an_endless_type_and_content_type_are_cut_in_the_record_and_the_type_stays_whole_in_the_body() -> None:
    body = b"uid=abc&pwd=123&jsonData=[]&type=" + b"%FF" * 1_000
    record = kept(Request(content_type="a/" + "\ud800" * 10_000, body=body))
    assert len(record.type.encode()) <= 1_000
    assert len(record.content_type.encode()) <= 10_000
    assert record.raw == body.replace(b"123", b"")


def test_a_digest_knows_the_same_again_and_nothing_else() -> None:
    one = Unreadable("report", Kept.ENTRY, b"17", "because")
    others = [
        Unreadable("mo", Kept.ENTRY, b"17", "because"),
        Unreadable("report", Kept.JSON_DATA, b"17", "because"),
        Unreadable("report", Kept.ENTRY, b"18", "because"),
        Unreadable("report", Kept.BODY, b"17", "because"),
        Unreadable("report", Kept.BODY, b"7", "because", query=b"1"),
        Unreadable("report", Kept.BODY, b"17", "because", content_type="a"),
    ]
    assert Unreadable("report", Kept.ENTRY, b"17", "because of something else", 2).digest == one.digest
    assert len({each.digest for each in [one, *others]}) == 7


MULTIPART = (
    "--x\r\ncontent-disposition: form-data; name=type\r\n\r\nreport\r\n"
    f"--x\r\ncontent-disposition: form-data; name=jsonData\r\n\r\n{ENTRIES}\r\n--x--\r\n"
)


@pytest.mark.parametrize(
    "request_",
    [
        Request(body=spec_samples.REPORT_PUSH.encode()),
        Request(query=b"pwd=123&type=report&jsonData=" + quote(ENTRIES).encode()),
        Request(query=b"type=report", body=b"jsonData=" + quote(ENTRIES).encode()),
        Request(content_type="multipart/form-data; boundary=x", body=b"preamble\r\n" + MULTIPART.encode()),
    ],
    ids=["body", "query", "both", "multipart"],
)
def test_a_whole_push_is_read_again_from_what_was_kept(request_: Request) -> None:
    push = pushes.read(request_)
    assert push.contents().reports
    assert reread(push.unreadable("because")) == push.contents()


def test_a_push_whose_password_was_a_bare_number_is_read_again_too() -> None:
    body = f'{{"uid": "abc", "pwd": 123, "type": "report", "jsonData": {ENTRIES}}}'.encode()
    assert reread(pushes.read(Request(body=body)).unreadable("because")).reports


def test_entries_are_read_again_and_those_that_an_earlier_version_had_no_row_for() -> None:
    entry = json.dumps(ENTRY).encode()
    expected = sort_out("report", [ENTRIES])
    for record in (Kept.ENTRY, Kept.CONTRADICTION):
        assert reread(Unreadable("report", record, entry, "because")) == expected
    assert reread(Unreadable("report", Kept.JSON_DATA, ENTRIES.encode(), "because")) == expected
    assert reread(Unreadable("report", Kept.BODY, b"jsonData=" + ENTRIES.encode(), "because")) == expected
    with pytest.raises(PushUnreadable):
        reread(Unreadable("mo", Kept.JSON_DATA, b"\xff", "because"))
