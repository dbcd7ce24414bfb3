"""A table of people made into sends: what is found, what is refused with its line, and what travels together."""

from collections.abc import Sequence
from datetime import date, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kuaixintong.core.people import Cell, Fault, Merged, Plan, Row, Table, TableWrong, Text, plan

FIRST, SECOND, THIRD = "13700000001", "13700000002", "13700000003"


def planned(
    *rows: Sequence[Any],
    text: str = "{name}，您好",
    names: Sequence[str] = ("mobile", "name"),
    mobile: str | None = None,
    merged: Sequence[Merged] = (),
) -> Plan:
    lines = [Row(line, cells) for line, cells in enumerate([names, *rows], start=1)]
    return plan(Table(lines, merged), Text.of(text), mobile=mobile)


def told(plan: Plan) -> list[str]:
    return [str(fault) for fault in plan.faults]


def fields(plan: Plan) -> list[tuple[str, list[str], str]]:
    return [(each["id"], each["mobiles"], each["content"]) for each in plan.fields("C", {})]


# --- the text ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "names", "made"),
    [
        ("{name}，您好", ("name",), "王，您好"),
        ("{ name }{name}", ("name", "name"), "王王"),
        ("no column", (), "no column"),
        ("{{name}} {name} }}{{", ("name",), "{name} 王 }{"),
        ("{{{name}}}", ("name",), "{王}"),
        ("{name.__class__}", ("name.__class__",), "…"),
        ("{name!r:>{9}}", (), ""),
    ],
)
def test_a_text_names_columns_and_does_nothing_else(text: str, names: tuple[str, ...], made: str) -> None:
    if not made:
        with pytest.raises(TableWrong):
            Text.of(text)
        return
    taken = Text.of(text)
    assert taken.names == names
    assert taken.filled({"name": "王", "name.__class__": "…"}) == made


@pytest.mark.parametrize("text", ["{name", "name}", "{}", "{ }", "a { b { c }"])
def test_a_brace_that_names_nothing_is_a_sentence(text: str) -> None:
    with pytest.raises(TableWrong, match="names no column"):
        Text.of(text)


@given(st.text())
def test_any_text_is_taken_or_refused_with_a_sentence(text: str) -> None:
    try:
        taken = Text.of(text)
    except TableWrong:
        return
    assert taken.filled(dict.fromkeys(taken.names, "x")).count("{") == text.count("{{")


@given(st.dictionaries(st.sampled_from(["a", "b"]), st.text(), min_size=2))
def test_what_a_cell_holds_is_never_read_as_a_column(values: dict[str, str]) -> None:
    assert Text.of("<{a}|{b}>").filled(values) == f"<{values['a']}|{values['b']}>"


# --- columns ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["mobile", "手机号", " Phone ", "联系电话", "MOBILE"])
def test_the_column_of_mobiles_is_found_by_its_name(name: str) -> None:
    assert planned([12345678901, FIRST], names=["other", name], text="x").mobile_column == name.strip()


def test_the_column_of_mobiles_is_found_by_what_it_holds() -> None:
    assert planned(["王", FIRST], ["李", SECOND], names=["name", "reached at"]).mobile_column == "reached at"


def test_a_column_that_is_named_is_taken_whatever_it_is_called() -> None:
    made = planned([FIRST, SECOND], names=["mobile", "spare"], text="x", mobile="spare")
    assert fields(made) == [("C:2", [SECOND], "x")]


@pytest.mark.parametrize(
    ("names", "text", "mobile", "sentence"),
    [
        (
            ["mobile", "phone"],
            "x",
            None,
            "More than one column may hold the mobiles: mobile, phone. Say which (kxt import --mobile COLUMN).",
        ),
        (
            ["a", "b"],
            "x",
            None,
            "More than one column may hold the mobiles: a, b. Say which (kxt import --mobile COLUMN).",
        ),
        (["mobile", "name"], "{city}", None, "There is no column city; the columns are mobile, name."),
        (["mobile", "name"], "x", "phone", "There is no column phone; the columns are mobile, name."),
        (
            ["mobile", "name", "name"],
            "{name}",
            None,
            "The column name stands 2 times; give each a name of its own.",
        ),
    ],
)
def test_wrong_columns_are_told(names: list[str], text: str, mobile: str | None, sentence: str) -> None:
    made = planned([FIRST, SECOND, "x"][: len(names)], names=names, text=text, mobile=mobile)
    assert (told(made), made.sends) == ([sentence], 0)


def test_without_a_column_of_mobiles_the_columns_are_named() -> None:
    made = planned(["王", "x"], names=["name", "city"], text="x")
    assert told(made) == [
        "No column of mobiles was found among name, city. Say which it is (kxt import --mobile COLUMN)."
    ]


def test_a_file_without_names_is_told_from_one_with_them() -> None:
    made = planned([SECOND, "李"], names=[FIRST, "王"], text="x")
    assert told(made) == [
        "line 1: there is a mobile where the columns' names should be; put names into the first line."
    ]


@pytest.mark.parametrize(
    ("rows", "sentence"),
    [([], "The file is empty."), ([["mobile", "name"]], "The file has column names and no rows.")],
)
def test_no_rows_are_told(rows: list[list[Cell]], sentence: str) -> None:
    made = plan(Table([Row(line, row) for line, row in enumerate(rows, 1)]), Text.of("x"))
    assert told(made) == [sentence]


# --- rows -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "cell",
    [FIRST, "+86 137-0000-0001", 13700000001, 13700000001.0, " 13700000001\u200b", "１３７０００００００１"],
)
def test_a_mobile_is_good_however_it_is_kept(cell: Cell) -> None:
    assert fields(planned([cell, "王"])) == [("C:2", [FIRST], "王，您好")]


@pytest.mark.parametrize(
    ("cell", "sentence"),
    [
        ("1.37E+10", "mobile is 1.37E+10: a spreadsheet has rounded it, and its last digits are lost."),
        ("1.37e10", "mobile is 1.37e10: a spreadsheet has rounded it"),
        ("", "mobile is empty."),
        (None, "mobile is empty."),
        ("  ", "mobile is empty."),
        ("12345", "mobile is 12345, which is not 11 digits beginning with 1."),
        (1370000000.5, "mobile is 1370000000.5, which is not 11 digits"),
        (date(2026, 11, 25), "mobile is a date (2026-11-25), not a mobile."),
        (True, "mobile is TRUE, which is not 11 digits"),
        ("x" * 90, f"mobile is {'x' * 30}…, which is not 11 digits"),
    ],
)
def test_an_unusable_mobile_is_told_with_its_line(cell: Cell, sentence: str) -> None:
    made = planned([FIRST, "王"], [cell, "李"])
    assert [fault.line for fault in made.faults] == [3]
    assert made.faults[0].words.startswith(sentence)


@pytest.mark.parametrize(
    ("cell", "shown"),
    [
        ("王 ", "王"),
        (3.0, "3"),
        (0.1 + 0.2, "0.3"),
        (1234567.5, "1234567.5"),
        (False, "FALSE"),
        (10**20, "1" + "0" * 20),
    ],
)
def test_a_cell_reads_as_a_spreadsheet_shows_it(cell: Cell, shown: str) -> None:
    assert fields(planned([FIRST, cell], text="{name}"))[0][2] == shown


@pytest.mark.parametrize(
    ("name", "cell", "sentence"),
    [
        ("name", "", "name is empty."),
        ("due", datetime(2026, 11, 25), "due is a date (2026-11-25), which can be written in many ways"),  # noqa: DTZ001
        (
            "到期日期",
            46000.0,
            "到期日期 is the number 46000, by which a spreadsheet keeps a date; write it as text.",
        ),
        ("due date", "46000.5", "due date is the number 46000.5, by which a spreadsheet keeps a date"),
        ("name", "#N/A", "name is #N/A, a formula that went wrong."),
    ],
)
def test_a_cell_that_no_text_can_hold_is_told(name: str, cell: Cell, sentence: str) -> None:
    made = planned([FIRST, cell], names=["mobile", name], text=f"{{{name}}}")
    assert (made.sends, made.faults[0].line) == (0, 2)
    assert made.faults[0].words.startswith(sentence)


def test_a_cell_that_no_text_names_may_hold_anything() -> None:
    assert planned([FIRST, date(2026, 1, 1)], [SECOND, ""], text="x").faults == []


def test_a_text_of_1001_characters_is_told_and_one_of_1000_goes() -> None:
    made = planned([FIRST, "字" * 1000], [SECOND, "字" * 1001], [THIRD, "字" * 998 + "😀"], text="{name}")
    assert told(made) == ["line 3: the text has 1001 characters; 1000 are the most."]
    assert made.sends == 2


def test_a_mobile_that_stands_twice_is_told_with_both_lines() -> None:
    made = planned([FIRST, "王"], [SECOND, "李"], ["+86" + FIRST, "赵"])
    assert told(made) == [f"line 4: the mobile {FIRST} stands in line 2 already."]


def test_blank_lines_between_rows_are_told_and_those_at_the_end_are_nobodys() -> None:
    made = planned([FIRST, "王"], ["", None], [SECOND, "李"], ["", ""], [None])
    assert (made.faults, made.notes) == ([], [Fault(3, "blank, passed over.")])
    assert made.rows == 2


@pytest.mark.parametrize("row", [[FIRST], [FIRST, "王", "more"]])
def test_a_row_of_other_cells_than_the_names_is_told(row: list[Cell]) -> None:
    assert told(planned(row)) == [f"line 2: {len(row)} cells, where the columns' names are 2."]


def test_empty_cells_too_many_are_nobodys() -> None:
    assert planned([FIRST, "王", "", " "]).faults == []


def test_merged_cells_are_told_where_they_are_used() -> None:
    cells = [Merged(2, 4, 1, 1), Merged(2, 3, 2, 2), Merged(1, 1, 0, 2)]
    rows: list[list[Cell]] = [[FIRST, "王", "x"], [SECOND, "", ""], [THIRD, "", "y"]]
    made = planned(*rows, names=["mobile", "name", "city"], merged=cells)
    assert told(made)[0] == (
        "line 2: lines 2 to 4 are merged into one cell in the column name; only the first has a value. "
        "Unmerge them and fill each in."
    )
    assert [fault.line for fault in made.faults] == [2, 3, 4]


def test_all_faults_of_a_row_are_told() -> None:
    made = planned(["x", "", "y"], names=["mobile", "name", "city"])
    assert [fault.words.split(" is ")[0] for fault in made.faults] == ["mobile", "name"]


# --- what travels together --------------------------------------------------------------------------------------


def test_equal_texts_travel_together_under_the_line_of_the_first() -> None:
    made = planned([FIRST, "王"], [SECOND, "李"], [THIRD, "王"])
    assert fields(made) == [("C:2", [FIRST, THIRD], "王，您好"), ("C:3", [SECOND], "李，您好")]
    assert (made.sends, made.mobiles, made.cost) == (2, 3, 3)


def test_a_request_has_ten_thousand_mobiles_at_the_most() -> None:
    made = planned(*([13700000000 + number, ""] for number in range(20_001)), text="x" * 71)
    assert [(each["id"], len(each["mobiles"])) for each in made.fields("C", {})] == [
        ("C:2", 10_000),
        ("C:10002", 10_000),
        ("C:20002", 1),
    ]
    assert (made.cost, made.longest) == (40_002, 2)


def test_sends_carry_what_they_have_in_common_and_can_begin_anywhere() -> None:
    made = planned([FIRST, "王"], [SECOND, "李"])
    (last,) = made.fields("C", {"category": "marketing"}, start=1)
    assert last == {
        "id": "C:3", "mobiles": [SECOND], "content": "李，您好", "campaign": "C", "category": "marketing"
    }  # fmt: skip


@given(st.lists(st.tuples(st.integers(0, 40), st.sampled_from("abc")), max_size=60))
def test_every_good_row_is_in_exactly_one_send(people: list[tuple[int, str]]) -> None:
    made = planned(*([13700000000 + number, name] for number, name in people), text="{name}")
    sent = [(mobile, text) for _, mobiles, text in fields(made) for mobile in mobiles]
    first = dict(reversed(people))
    assert sorted(sent) == sorted((str(13700000000 + number), name) for number, name in first.items())
