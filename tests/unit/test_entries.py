"""What the entries of a push say: reports and MOs, and what is neither."""

import json
from collections.abc import Mapping
from typing import Any

import pytest

from kuaixintong.core.entries import Sorted, sort_out
from kuaixintong.core.errors import PushUnreadable, TooSlow
from kuaixintong.core.messages import MO, Report
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
    contents = sort_out("report", [text])
    assert contents.unreadable == ()
    (report,) = contents.reports
    return report


def only_mo(text: str) -> MO:
    contents = sort_out("mo", [text])
    assert contents.unreadable == ()
    (mo,) = contents.mos
    return mo


def only_fault(kind: str, text: str) -> Unreadable:
    contents = sort_out(kind, [text])
    assert (contents.reports, contents.mos) == ((), ())
    (unreadable,) = contents.unreadable
    return unreadable


def test_the_specs_reports_are_read() -> None:
    assert sort_out("report", [spec_samples.REPORT_JSON_DATA]) == Sorted(
        reports=(Report("7331", "13500000000", "0", True), Report("8469", "13700000000", "2:46", False))
    )


def test_the_specs_mos_are_read() -> None:
    assert sort_out("mo", [spec_samples.MO_JSON_DATA]) == Sorted(
        mos=(
            MO("13500000000", "你好吗", "2015-01-01 12:00:00"),
            MO("13700000000", "我不好", "2015-01-01 12:00:00"),
        )
    )


@pytest.mark.parametrize("kind", ["report", "mo"])
@pytest.mark.parametrize("text", ["[]", " [ ] ", "\ufeff[]"])
def test_an_empty_push_has_nothing_in_it(kind: str, text: str) -> None:
    assert sort_out(kind, [text]) == Sorted()


@pytest.mark.parametrize(
    ("written", "token"),
    [
        ("7331", "7331"),
        ('"7331"', "7331"),
        ('"007331"', "007331"),
        ('" 7331 "', "7331"),
        ("7331.0", "7331"),
        ("7.331E3", "7331"),
        ("7.0000012E7", "70000012"),
        ("-1", "-1"),
        ("-0", "0"),
        ("9007199254740993", "9007199254740993"),
        ("9" * 400, "9" * 400),
        ('"a-b_c"', "a-b_c"),
    ],
)
def test_a_token_keeps_its_digits_as_a_number_or_as_text(written: str, token: str) -> None:
    text = array(REPORT).replace("7331", written)
    assert only_report(text).token == token


@pytest.mark.parametrize(
    "written",
    [
        "7331.5",
        "9.007199254740993E15",
        "9007199254740993.0",
        "1e999",
        "NaN",
        "-Infinity",
        "true",
        "[]",
        "{}",
        "null",
    ],
)
def test_a_token_that_is_no_whole_number_is_not_guessed_at(written: str) -> None:
    fault = only_fault("report", array(REPORT).replace("7331", written))
    assert fault.reason.startswith("token is ")


@pytest.mark.parametrize(
    ("value", "truth"),
    [
        *((word, True) for word in (True, 1, 1.0, "true", "TRUE", " True ", "1", "yes", "成功", "是")),
        *((word, False) for word in (False, 0, -0.0, "false", "False", "0", "no", "失败", "否")),
    ],
)
def test_success_is_a_boolean_or_a_word_for_one(value: Any, truth: bool) -> None:
    assert only_report(array(entry(REPORT, success=value))).success is truth


@pytest.mark.parametrize("value", ["", "maybe", 2, -1, 0.5, [], None, ABSENT])
def test_another_success_is_not_guessed_at(value: Any) -> None:
    assert only_fault("report", array(entry(REPORT, success=value))).reason.startswith("success is ")


@pytest.mark.parametrize(
    ("value", "code"),
    [(0, "0"), ("0", "0"), ("2:46", "2:46"), ("DELIVER", "DELIVER"), (2.46, "2.46"), (7e3, "7000"), ("", "")],
)
def test_a_result_code_is_text_or_a_number(value: Any, code: str) -> None:
    report = only_report(array(entry(REPORT, resultCode=value)))
    assert report.result_code == code
    assert report.outcome == f"13500000000#{code}#1"


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
        ({"mobile": "1#2"}, "mobile contains #, which parts the pieces of a report's key."),
        ({"mobile": "号" * 200}, "mobile is too long."),
        ({"resultCode": "x" * 501}, "resultCode is too long."),
        ({"resultCode": 1e99}, "resultCode is a number that is not whole, or has lost digits."),
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


@pytest.mark.parametrize(
    ("date", "kept"),
    [
        ("2015-01-01 12:00:00", "2015-01-01 12:00:00"),
        (" 2016-02-29 23:59:59 ", "2016-02-29 23:59:59"),
        ("2015-01-01 12:00:00.0", "2015-01-01 12:00:00"),
        ("2015-01-01 12:00:00.000", "2015-01-01 12:00:00"),
        ("2015-01-01 12:00:00.120", "2015-01-01 12:00:00.12"),
    ],
)
def test_a_date_keeps_its_text_and_one_moment_has_one(date: str, kept: str) -> None:
    assert only_mo(array(entry(ENTRY_MO, smgRecvDate=date))).smg_recv_date == kept


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
    assert "nested too deeply" in fault.reason


def test_a_bad_entry_leaves_the_good_ones_alone_and_keeps_its_own_text() -> None:
    bad = '{ "token" : 1.5,"mobile":"13500000000" , "说明": "坏的"}'
    contents = sort_out("report", [f"[{json.dumps(REPORT)}, {bad} ,17]"])
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
        sort_out("report", [text])
    assert caught.value.__suppress_context__


@pytest.mark.parametrize("kind", ["", "reports", "MO", "report,mo", "\ud800"])
def test_an_unknown_type_is_unreadable_as_a_whole(kind: str) -> None:
    with pytest.raises(PushUnreadable, match=r"^type is neither report nor mo$"):
        sort_out(kind, ["[]"])


def test_a_repeated_report_counts_once() -> None:
    assert only_report(array(REPORT, entry(REPORT, token="7331")))


@pytest.mark.parametrize("turned", [False, True])
def test_two_reports_that_contradict_each_other_are_both_there_in_any_order(turned: bool) -> None:
    entries = [REPORT, entry(REPORT, success=False)]
    contents = sort_out("report", [array(*(reversed(entries) if turned else entries))])
    assert {each.outcome for each in contents.reports} == {"13500000000#0#1", "13500000000#0#0"}
    assert contents.unreadable == ()


def test_of_two_that_differ_in_an_unknown_field_alone_the_later_stands() -> None:
    assert only_report(array(entry(REPORT, n=1), entry(REPORT, n=2))).extra == '{"n": 2}'
    assert only_mo(array(entry(ENTRY_MO, n=1), entry(ENTRY_MO, n=2))).extra == '{"n": 2}'


@pytest.mark.parametrize(
    "written",
    [
        "13511112222",
        "8613511112222",
        "+8613511112222",
        "0086 135-1111-2222",
        "１３５１１１１２２２２",
        8613511112222,
    ],
)
def test_a_subscriber_has_one_key_and_the_platforms_writing_is_kept_beside(written: Any) -> None:
    expected = ("13511112222", "" if written == "13511112222" else str(written))
    report = only_report(array(entry(REPORT, mobile=written)))
    assert (report.mobile, report.mobile_as_pushed) == expected
    assert report.outcome == "13511112222#0#1"
    mo = only_mo(array(entry(ENTRY_MO, mobile=written)))
    assert (mo.mobile, mo.mobile_as_pushed) == expected


@pytest.mark.parametrize("written", ["10690000", "12345", "+85291234567", "86135111122223"])
def test_what_has_no_11_digits_stays_as_it_is(written: str) -> None:
    report = only_report(array(entry(REPORT, mobile=written)))
    assert (report.mobile, report.mobile_as_pushed) == (written, "")


def test_one_mo_has_one_key_whatever_is_unknown_about_it() -> None:
    key = only_mo(array(ENTRY_MO)).message_key
    for changes in ({"n": 1}, {"smgRecvDate": "2015-01-01 12:00:00.0"}, {"mobile": 13500000000}):
        assert only_mo(array(entry(ENTRY_MO, **changes))).message_key == key
    for changes in (
        {"content": "你好"},
        {"smgRecvDate": "2015-01-01 12:00:01"},
        {"smgRecvDate": "2015-01-01 12:00:00.5"},
    ):
        assert only_mo(array(entry(ENTRY_MO, **changes))).message_key != key


@pytest.mark.parametrize(
    "text",
    [
        f'[{{{MEMBERS}, "token": 7331}}]',
        f'[{{{MEMBERS}, "s\\u0075ccess": false}}]',
        f'[{{{MEMBERS}, "x": [{{"y": 1, "y": 2}}]}}]',
    ],
)
def test_an_entry_with_a_field_twice_is_unreadable(text: str) -> None:
    fault = only_fault("report", text)
    assert "a field twice" in fault.reason
    assert fault.raw.decode() == text[1:-1]


@pytest.mark.parametrize("damaged", ["\ufffd", "你\ufffd好"])
@pytest.mark.parametrize("ascii_only", [True, False])
def test_text_that_was_damaged_on_its_way_is_unreadable(damaged: str, ascii_only: bool) -> None:
    for changes in ({"content": damaged}, {"n": [{"x": damaged}]}, {"mobile": f"135{damaged}"}, {damaged: 1}):
        text = json.dumps([entry(ENTRY_MO, **changes)], ensure_ascii=ascii_only)
        fault = only_fault("mo", text)
        assert (fault.reason, fault.raw.decode()) == (
            "The entry has text that was damaged on its way.",
            text[1:-1],
        )


def test_who_writes_of_an_escape_has_not_been_damaged() -> None:
    assert only_mo(array(entry(ENTRY_MO, content="\\ufffd"))).content == "\\ufffd"


def test_every_array_of_a_push_is_taken_in() -> None:
    contents = sort_out("report", [array(REPORT), array(entry(REPORT, token=1), "bad"), array()])
    assert [each.token for each in contents.reports] == ["7331", "1"]
    assert [each.raw for each in contents.unreadable] == [b'"bad"']


@pytest.mark.parametrize("texts", [[array(REPORT), "x"], ["x", array(REPORT)], [array(REPORT), ""]])
def test_where_one_of_several_is_no_array_the_push_is_unreadable_as_a_whole(texts: list[str]) -> None:
    with pytest.raises(PushUnreadable):
        sort_out("report", texts)


def test_the_time_is_looked_at_among_the_entries() -> None:
    looks: list[int] = []

    def in_time() -> None:
        looks.append(len(looks))
        if len(looks) == 3:
            raise TooSlow

    with pytest.raises(TooSlow):
        sort_out("mo", [array(*range(10_000))], in_time)
    sort_out("mo", [array(*range(900))], lambda: looks.append(-1))
    assert looks == [0, 1, 2, -1, -1]


def test_very_many_bad_entries_share_one_record() -> None:
    contents = sort_out("report", [array(*range(300), REPORT)])
    (record,) = contents.unreadable
    assert (record.kept, record.entries, json.loads(record.raw)) == (Kept.JSON_DATA, 300, list(range(300)))
    assert len(contents.reports) == 1
