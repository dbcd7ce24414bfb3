"""A campaign's people in a file: whole, or not there."""

import csv
from collections.abc import Iterator
from pathlib import Path

import pytest

from kuaixintong.core.delivery import Delivery, MobileStatus
from kuaixintong.exporting import statuses_as_csv, write_statuses

PEOPLE = [
    MobileStatus("spring:2", "1", "13700000001", Delivery.DELIVERED, "ACCEPTED", None, "0", "2026-11-25T12:00:00"),
    MobileStatus("spring:2", "1", "13700000002", Delivery.UNSENT, "ACCEPTED", "opted out"),
]


def test_a_row_a_person_that_a_spreadsheet_opens(tmp_path: Path) -> None:
    path = tmp_path / "spring.csv"
    assert write_statuses(path, PEOPLE) == 2
    assert path.read_bytes().startswith(b"\xef\xbb\xbf")
    with path.open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.reader(file))
    assert rows == [
        ["mobile", "status", "state", "code", "time", "reason", "send_id"],
        ["13700000001", "delivered", "ACCEPTED", "0", "2026-11-25T12:00:00", "", "spring:2"],
        ["13700000002", "unsent", "ACCEPTED", "", "", "opted out", "spring:2"],
    ]


def test_as_text_it_is_the_same(tmp_path: Path) -> None:
    path = tmp_path / "spring.csv"
    write_statuses(path, PEOPLE)
    assert statuses_as_csv(PEOPLE).encode() == path.read_bytes()


def test_no_cell_is_a_formula(tmp_path: Path) -> None:
    path = tmp_path / "spring.csv"
    written = [
        MobileStatus("s", "1", mobile, Delivery.UNSENT, "ACCEPTED", "+1-1", "-43")
        for mobile in ("=HYPERLINK(1)", "@SUM(1)", "+8613700000001", "-1+cmd")
    ]
    write_statuses(path, written)
    with path.open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.reader(file))[1:]
    assert [row[0] for row in rows] == ["'=HYPERLINK(1)", "'@SUM(1)", "+8613700000001", "'-1+cmd"]
    assert {(row[3], row[5]) for row in rows} == {("-43", "'+1-1")}


def test_what_is_cut_off_leaves_the_file_that_was_there(tmp_path: Path) -> None:
    def cut_off() -> Iterator[MobileStatus]:
        yield PEOPLE[0]
        raise KeyboardInterrupt

    path = tmp_path / "spring.csv"
    path.write_text("as it was")
    with pytest.raises(KeyboardInterrupt):
        write_statuses(path, cut_off())
    assert path.read_text() == "as it was"
