"""Files of people as spreadsheets write them."""

from pathlib import Path
from typing import Any

import pytest

from kuaixintong import sheets
from kuaixintong.core.people import Merged, TableWrong
from tests import workbooks
from tests.workbooks import Date, Formula

PEOPLE = "手机,姓名\n13700000001,王\n13700000002,李\n"


def rows(path: Path, sheet: str | None = None) -> list[tuple[int, list[Any]]]:
    return [(row.line, [*row.cells]) for row in sheets.read(path, sheet).table.rows]


def written(tmp_path: Path, raw: bytes | str) -> Path:
    path = tmp_path / "people.csv"
    path.write_bytes(raw if isinstance(raw, bytes) else raw.encode())
    return path


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gbk", "gb18030", "utf-16"])
@pytest.mark.parametrize("ends", ["\n", "\r\n"])
def test_a_csv_file_is_read_in_every_encoding_that_spreadsheets_write(
    tmp_path: Path, encoding: str, ends: str
) -> None:
    path = written(tmp_path, PEOPLE.replace("\n", ends).encode(encoding))
    assert rows(path) == [(1, ["手机", "姓名"]), (2, ["13700000001", "王"]), (3, ["13700000002", "李"])]


@pytest.mark.parametrize("separator", [",", ";", "\t", "|", "，", "^", "~", "#"])
def test_a_separator_is_found(tmp_path: Path, separator: str) -> None:
    assert rows(written(tmp_path, PEOPLE.replace(",", separator)))[1] == (2, ["13700000001", "王"])


def test_a_separator_in_a_quoted_name_is_none(tmp_path: Path) -> None:
    assert rows(written(tmp_path, '手机;"a,b,c,d"\n1;2\n')) == [(1, ["手机", "a,b,c,d"]), (2, ["1", "2"])]


def test_a_file_of_one_column_has_one(tmp_path: Path) -> None:
    assert rows(written(tmp_path, "mobile\n13700000001\n"))[1] == (2, ["13700000001"])


def test_a_spreadsheets_own_note_of_the_separator_is_heeded(tmp_path: Path) -> None:
    assert rows(written(tmp_path, "sep=;\r\na;b,c\r\n1;2\r\n")) == [(2, ["a", "b,c"]), (3, ["1", "2"])]


def test_a_row_over_several_lines_is_known_by_its_first(tmp_path: Path) -> None:
    assert rows(written(tmp_path, 'a,b\n1,"x\ny"\n2,z\n')) == [
        (1, ["a", "b"]),
        (2, ["1", "x\ny"]),
        (4, ["2", "z"]),
    ]


@pytest.mark.parametrize(
    ("raw", "line"), [(b"a,b\n1,\xff\xff\n", 2), (b'a,b\n1,2\n3,"x\n4,5\n', 3), (b'a,b\n"1"x,2\n', 2)]
)
def test_what_cannot_be_read_is_told_with_its_line(tmp_path: Path, raw: bytes, line: int) -> None:
    with pytest.raises(TableWrong) as wrong:
        rows(written(tmp_path, raw))
    assert wrong.value.fault.line == line


def test_a_file_that_is_not_there_is_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(TableWrong, match="cannot be read: No such file"):
        sheets.read(tmp_path / "nothing.csv")


def test_a_files_digest_is_its_bytes(tmp_path: Path) -> None:
    one = sheets.read(written(tmp_path, PEOPLE)).digest
    assert sheets.read(written(tmp_path, PEOPLE)).digest == one
    assert sheets.read(written(tmp_path, PEOPLE + "\n")).digest != one


# --- workbooks --------------------------------------------------------------------------------------------------


def test_a_workbook_is_read_with_what_its_cells_hold(tmp_path: Path) -> None:
    path = workbooks.write(
        tmp_path / "people.xlsx",
        {
            "S": [
                ["手机", "姓名"],
                [13700000001, "王"],
                [Formula("A2+1", 13700000002.0), Formula("B2", "李")],
                ["1.37E+10", None],
            ]
        },
        merged=["B2:B3"],
    )
    assert rows(path) == [
        (1, ["手机", "姓名"]),
        (2, [13700000001.0, "王"]),
        (3, [13700000002.0, "李"]),
        (4, ["1.37E+10", ""]),
    ]
    assert sheets.read(path).table.merged == [Merged(2, 3, 1, 1)]


def test_a_date_in_a_workbook_is_one(tmp_path: Path) -> None:
    path = workbooks.write(tmp_path / "people.xlsx", {"S": [["手机", "日期"], ["13700000001", Date(46351)]]})
    assert str(rows(path)[1][1][1]) == "2026-11-25"


def test_a_table_that_begins_further_down_and_to_the_right_keeps_its_lines(tmp_path: Path) -> None:
    path = workbooks.write(tmp_path / "people.xlsx", {"S": [[], [], [None, "手机"], [None, "13700000001"]]})
    assert rows(path) == [(3, ["", "手机"]), (4, ["", "13700000001"])]


def test_of_several_sheets_one_has_to_be_named(tmp_path: Path) -> None:
    path = workbooks.write(tmp_path / "people.xlsx", {"一": [["手机"]], "二": [["电话"]], "空": []})
    with pytest.raises(TableWrong, match=r"More than one sheet has something in it: 一, 二\. Say which"):
        sheets.read(path)
    assert rows(path, "二") == [(1, ["电话"])]
    with pytest.raises(TableWrong, match="There is no sheet 三; the sheets are 一, 二, 空"):
        sheets.read(path, "三")


def test_the_only_sheet_with_something_in_it_is_taken(tmp_path: Path) -> None:
    path = workbooks.write(tmp_path / "people.xlsx", {"空": [], "二": [["电话"]]})
    assert rows(path) == [(1, ["电话"])]


@pytest.mark.parametrize("raw", [b"PK\x03\x04 and no more", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1 and no more"])
def test_a_broken_workbook_is_a_sentence(tmp_path: Path, raw: bytes) -> None:
    with pytest.raises(TableWrong, match="The workbook cannot be read"):
        sheets.read(written(tmp_path, raw))
