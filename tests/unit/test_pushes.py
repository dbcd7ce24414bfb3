"""What a push says: reports and MOs, and what is neither."""

import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote, quote_plus

import pytest

from kuaixintong.core import pushes
from kuaixintong.core.entries import Sorted, sort_out
from kuaixintong.core.errors import PushUnreadable
from kuaixintong.core.gateway import Request
from kuaixintong.core.messages import MO, Report
from kuaixintong.core.pushes import reread
from kuaixintong.core.unreadable import Kept, Unreadable
from tests import spec_samples

REPORT = {"token": 7331, "mobile": "13500000000", "resultCode": "0", "success": True}
ENTRY_MO = {"mobile": "13500000000", "content": "你好吗", "smgRecvDate": "2015-01-01 12:00:00"}

MEMBERS = json.dumps(REPORT)[1:-1]

ABSENT = object()


def entry(base: Mapping[str, Any], **changes: Any) -> dict[str, Any]:
    return {name: value for name, value in (dict(base) | changes).items() if value is not ABSENT}


def array(*entries: Any) -> str:
    return json.dumps(entries, ensure_ascii=False)


def only_report(text: str) -> Report:
    contents = sort_out("report", text)
    assert contents.unreadable == ()
    (report,) = contents.reports
    return report


def only_mo(text: str) -> MO:
    contents = sort_out("mo", text)
    assert contents.unreadable == ()
    (mo,) = contents.mos
    return mo


def only_fault(kind: str, text: str) -> Unreadable:
    contents = sort_out(kind, text)
    assert (contents.reports, contents.mos) == ((), ())
    (unreadable,) = contents.unreadable
    return unreadable


def test_the_specs_reports_are_read() -> None:
    assert sort_out("report", spec_samples.REPORT_JSON_DATA) == Sorted(
        reports=(Report("7331", "13500000000", "0", True), Report("8469", "13700000000", "2:46", False))
    )


def test_the_specs_mos_are_read() -> None:
    assert sort_out("mo", spec_samples.MO_JSON_DATA) == Sorted(
        mos=(
            MO("13500000000", "你好吗", "2015-01-01 12:00:00"),
            MO("13700000000", "我不好", "2015-01-01 12:00:00"),
        )
    )


@pytest.mark.parametrize("kind", ["report", "mo"])
@pytest.mark.parametrize("text", ["[]", " [ ] ", "\ufeff[]"])
def test_an_empty_push_has_nothing_in_it(kind: str, text: str) -> None:
    assert sort_out(kind, text) == Sorted()


@pytest.mark.parametrize(
    ("written", "token"),
    [
        ("7331", "7331"),
        ('"7331"', "7331"),
        ('"007331"', "007331"),
        ('" 7331 "', "7331"),
        ("7331.0", "7331"),
        ("-1", "-1"),
        ("9007199254740993", "9007199254740993"),
        ("9" * 400, "9" * 400),
        ('"a-b_c"', "a-b_c"),
    ],
)
def test_a_token_keeps_its_digits_as_a_number_or_as_text(written: str, token: str) -> None:
    text = array(REPORT).replace("7331", written)
    assert only_report(text).token == token


@pytest.mark.parametrize("written", ["7331.5", "7.331E3", "1e999", "NaN", "-Infinity", "true", "[]", "{}", "null"])
def test_a_token_that_is_no_whole_number_is_not_guessed_at(written: str) -> None:
    fault = only_fault("report", array(REPORT).replace("7331", written))
    assert fault.reason.startswith("token is ")


@pytest.mark.parametrize(
    ("value", "truth"),
    [
        *((word, True) for word in (True, 1, "true", "TRUE", " True ", "1", "yes", "成功", "是")),
        *((word, False) for word in (False, 0, "false", "False", "0", "no", "失败", "否")),
    ],
)
def test_success_is_a_boolean_or_a_word_for_one(value: Any, truth: bool) -> None:
    assert only_report(array(entry(REPORT, success=value))).success is truth


@pytest.mark.parametrize("value", ["", "maybe", 2, -1, 0.5, [], None, ABSENT])
def test_another_success_is_not_guessed_at(value: Any) -> None:
    assert only_fault("report", array(entry(REPORT, success=value))).reason.startswith("success is ")


@pytest.mark.parametrize(
    ("value", "code"), [(0, "0"), ("0", "0"), ("2:46", "2:46"), ("DELIVER", "DELIVER"), (2.46, "2.46"), ("", "")]
)
def test_a_result_code_is_text_or_a_number(value: Any, code: str) -> None:
    report = only_report(array(entry(REPORT, resultCode=value)))
    assert report.result_code == code
    assert report.outcome == f"13500000000#{code}"


@pytest.mark.parametrize("value", [13500000000, "13500000000", " 13500000000"])
def test_a_mobile_is_text_or_a_number(value: Any) -> None:
    assert only_report(array(entry(REPORT, mobile=value))).mobile == "13500000000"


@pytest.mark.parametrize("name", list(REPORT))
def test_a_report_lacks_nothing(name: str) -> None:
    assert only_fault("report", array(entry(REPORT, **{name: ABSENT}))).reason == f"{name} is missing."


@pytest.mark.parametrize("name", list(ENTRY_MO))
def test_an_mo_lacks_nothing(name: str) -> None:
    assert only_fault("mo", array(entry(ENTRY_MO, **{name: ABSENT}))).reason == f"{name} is missing."


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"token": ""}, "token is empty."),
        ({"token": "  "}, "token is empty."),
        ({"token": "a\x00b"}, "token contains characters that do not print."),
        ({"token": "\ud800"}, "token contains characters that do not print."),
        ({"token": "9" * 501}, "token is too long."),
        ({"mobile": "1#2"}, "mobile contains #, which parts the two halves of a report's key."),
        ({"mobile": "号" * 200}, "mobile is too long."),
        ({"resultCode": "x" * 501}, "resultCode is too long."),
        ({"resultCode": 1e99}, "resultCode is a number that can be written in more than one way."),
    ],
)
def test_what_no_key_can_hold_is_unreadable(changes: dict[str, Any], reason: str) -> None:
    assert only_fault("report", array(entry(REPORT, **changes))).reason == reason


@pytest.mark.parametrize("content", ["", "你好吗", "😀" * 5_000, " 带空格 \n", "\x00", "长" * 100_000])
def test_an_mo_says_what_it_says(content: str) -> None:
    assert only_mo(array(entry(ENTRY_MO, content=content))).content == content


def test_a_content_that_came_as_a_number_keeps_its_digits() -> None:
    assert only_mo(array(ENTRY_MO).replace('"你好吗"', "007".lstrip("0"))).content == "7"


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("\ud83d", "content contains half a character."),
        ("x" * 400_000, "The entry is larger than a row can be."),
        (True, "content is no text."),
        (["你好吗"], "content is no text."),
    ],
)
def test_a_content_that_no_row_can_hold_is_unreadable(content: Any, reason: str) -> None:
    assert only_fault("mo", json.dumps([entry(ENTRY_MO, content=content)])).reason == reason


@pytest.mark.parametrize("date", ["2015-01-01 12:00:00", "2016-02-29 23:59:59", "2015-01-01 12:00:00.0"])
def test_a_date_keeps_its_text(date: str) -> None:
    assert only_mo(array(entry(ENTRY_MO, smgRecvDate=date))).smg_recv_date == date


@pytest.mark.parametrize(
    "date",
    [
        "",
        "2015-02-29 12:00:00",
        "2015-1-1 12:00:00",
        "2015-01-01",
        "2015-01-01T12:00:00",
        1420084800000,
        "２０15-01-01 12:00:00",
    ],
)
def test_a_date_that_is_none_is_unreadable(date: Any) -> None:
    assert only_fault("mo", array(entry(ENTRY_MO, smgRecvDate=date))).reason.startswith("smgRecvDate is ")


def test_fields_that_the_spec_does_not_name_are_kept_in_one_text_for_equal_fields() -> None:
    text = f'[{{{MEMBERS}, "seq": 1.50, "b": {{"y": [null, true], "x": "内容"}}}}]'
    turned = f'[{{"b": {{"x": "内容", "y": [null, true]}}, "seq": 1.50, {MEMBERS}}}]'
    assert only_report(text).extra == '{"b": {"x": "内容", "y": [null, true]}, "seq": 1.50}'
    assert only_report(turned) == only_report(text)


def test_huge_numbers_and_half_characters_in_other_fields_are_kept_too() -> None:
    digits = "9" * 100_000
    report = only_report(f'[{{{MEMBERS}, "a": {digits}, "b": "\\ud800"}}]')
    assert report.extra == f'{{"a": {digits}, "b": "\\ud800"}}'


def test_other_fields_that_no_row_can_hold_are_unreadable() -> None:
    together = entry(ENTRY_MO, content="长" * 100_000, x="长" * 40_000)
    assert only_fault("mo", array(together)).reason == "The entry is larger than a row can be."
    assert only_fault("report", array(entry(REPORT, x="x" * 400_000))).reason.endswith("are too large.")
    deep = "[" * 5_000 + "]" * 5_000
    fault = only_fault("mo", array(entry(ENTRY_MO, x="deep")).replace('"deep"', deep))
    assert fault.reason.endswith("nested too deeply.")


def test_a_bad_entry_leaves_the_good_ones_alone_and_keeps_its_own_text() -> None:
    bad = '{ "token" : 1.5,"mobile":"13500000000" , "说明": "坏的"}'
    contents = sort_out("report", f"[{json.dumps(REPORT)}, {bad} ,17]")
    assert [report.token for report in contents.reports] == ["7331"]
    assert [(each.kept, each.raw.decode()) for each in contents.unreadable] == [
        (Kept.ENTRY, bad),
        (Kept.ENTRY, "17"),
    ]


@pytest.mark.parametrize("bad", [None, 1, "x", True, [], [REPORT], {}])
def test_an_entry_that_is_no_report_is_unreadable(bad: Any) -> None:
    assert only_fault("report", array(bad)).raw == json.dumps(bad).encode()


NO_ARRAYS = (
    "",
    " ",
    "x",
    "{}",
    "null",
    "17",
    '"[]"',
    "[",
    "[1",
    "[1,",
    "[1,]",
    "[1 2]",
    "[]]",
    "[] x",
    "[}",
    '["x',
)
ABYSSES = ("[" * 100_000, "[" * 100_000 + "]" * 100_000, '[{"a":' * 100_000)


@pytest.mark.parametrize("text", [*NO_ARRAYS, *ABYSSES, "[\ud800]"])
def test_what_is_no_json_array_is_unreadable_as_a_whole(text: str) -> None:
    with pytest.raises(PushUnreadable, match=r"^jsonData is not a JSON array$") as caught:
        sort_out("report", text)
    assert caught.value.__suppress_context__


@pytest.mark.parametrize("kind", ["", "reports", "MO", "report,mo", "\ud800"])
def test_an_unknown_type_is_unreadable_as_a_whole(kind: str) -> None:
    with pytest.raises(PushUnreadable, match=r"^type is neither report nor mo$"):
        sort_out(kind, "[]")


def test_a_repeated_report_counts_once() -> None:
    assert only_report(array(REPORT, entry(REPORT, token="7331")))


@pytest.mark.parametrize("turned", [False, True])
def test_of_two_reports_that_contradict_each_other_the_success_stands_in_any_order(turned: bool) -> None:
    entries = [REPORT, entry(REPORT, success=False)]
    contents = sort_out("report", array(*(reversed(entries) if turned else entries)))
    assert [report.success for report in contents.reports] == [True]
    (denied,) = contents.unreadable
    assert denied.kept == Kept.CONTRADICTION
    assert json.loads(denied.raw) == entries[1]
    with pytest.raises(PushUnreadable):
        reread(denied)


def test_very_many_bad_entries_share_one_record() -> None:
    contents = sort_out("report", array(*range(300), REPORT))
    (record,) = contents.unreadable
    assert (record.kept, record.entries, json.loads(record.raw)) == (Kept.JSON_DATA, 300, list(range(300)))
    assert len(contents.reports) == 1


def test_a_digest_knows_the_same_again_and_nothing_else() -> None:
    one = Unreadable("report", Kept.ENTRY, b"17", "because")
    others = [
        Unreadable("mo", Kept.ENTRY, b"17", "because"),
        Unreadable("report", Kept.JSON_DATA, b"17", "because"),
        Unreadable("report", Kept.ENTRY, b"18", "because"),
    ]
    assert Unreadable("report", Kept.ENTRY, b"17", "because of something else").digest == one.digest
    assert len({each.digest for each in [one, *others]}) == 4


def unreadable(body: bytes, **query: str) -> Unreadable:
    return pushes.read(Request(query=tuple(query.items()), body=body)).unreadable("because")


@pytest.mark.parametrize("password", ["123", "p&w d/?=", 'q"uote\\', "密码"])
def test_an_unreadable_push_is_kept_without_its_password(password: str) -> None:
    bodies = [
        f"uid=abc&pwd={quote(password)}&type=report",
        f"uid=abc&pwd={quote_plus(password)}&type=report&jsondata=%5B%5D",
        json.dumps({"uid": "abc", "pwd": password}, ensure_ascii=False),
        json.dumps({"jsondata": [], "pwd": password}),
        f'--x\r\nContent-Disposition: form-data; name="pwd"\r\n'
        f"Content-Type: text/plain; charset=UTF-8\r\n\r\n{password}\r\n--x--",
    ]
    for body in bodies:
        kept = unreadable(body.encode())
        assert kept.kept == Kept.BODY
        assert password not in kept.raw.decode()
        assert pushes.read(Request(body=kept.raw)).pwd == ""


def test_every_other_byte_of_an_unreadable_push_is_as_it_came() -> None:
    garbage = bytes(range(256)) * 3 + b"123 13500000123"
    assert unreadable(garbage, uid="abc", pwd="123").raw == garbage
    body = b'{uid="abc", pwd="123", type="report", jsonData=[ {"mobile": "13500000123"  ,'
    assert unreadable(body).raw == b'[ {"mobile": "13500000123"  ,'


def test_an_endless_type_is_cut_and_stays_whole_in_the_body() -> None:
    body = b"uid=abc&pwd=123&jsonData=[]&type=" + b"%FF" * 1_000
    kept = unreadable(body)
    assert (kept.kept, len(kept.type.encode()) <= 1_000) == (Kept.BODY, True)
    assert kept.raw == body.replace(b"123", b"")


def test_what_was_held_is_read_again() -> None:
    whole = pushes.read(Request(body=spec_samples.REPORT_PUSH.encode())).unreadable("because")
    expected = sort_out("report", spec_samples.REPORT_JSON_DATA)
    assert (whole.kept, reread(whole)) == (Kept.JSON_DATA, expected)
    assert reread(Unreadable("report", Kept.BODY, spec_samples.REPORT_PUSH.encode(), "because")) == expected
    assert reread(Unreadable("mo", Kept.ENTRY, array(ENTRY_MO)[1:-1].encode(), "because")).mos
    with pytest.raises(PushUnreadable):
        reread(Unreadable("mo", Kept.JSON_DATA, b"\xff", "because"))
