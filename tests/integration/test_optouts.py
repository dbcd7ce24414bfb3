"""The opt-out list as a person keeps it: changed, listed, imported and exported."""

import io
import tracemalloc
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import boto3
import pytest

from kuaixintong.core.errors import StoreUnavailable
from kuaixintong.optouts import Imported, NotAMobile, OptOut, OptOuts, Wrong
from kuaixintong.stores.optouts import OptOutRows
from kuaixintong.wiring.optouts import optouts_of
from tests.gates import Incident, gated
from tests.memory_table import MemoryTable
from tests.template import create_tables

NOW = datetime(2026, 11, 23, 4, 0, tzinfo=UTC)
NOON = "2026-11-23T12:00:00.000+08:00"
FIRST, SECOND, THIRD = "13700000001", "13700000002", "13700000003"


@pytest.fixture
def table() -> MemoryTable:
    return MemoryTable("MobilesTable")


@pytest.fixture
def optouts(table: MemoryTable) -> OptOuts:
    return keeping(table)


def keeping(table: MemoryTable, *gates: Incident) -> OptOuts:
    rows = OptOutRows(gated(table, "MobilesTable", *gates))
    return OptOuts(rows=rows, everyone=lambda: iter([*table.rows.values()]), clock=lambda: NOW)


def test_who_is_added_is_listed_and_who_is_removed_is_not(optouts: OptOuts) -> None:
    assert optouts.add("+86 137 0000 0001")
    assert optouts.add(SECOND)
    assert optouts.remove(SECOND, at=NOW + timedelta(seconds=1))
    assert list(optouts.list()) == [OptOut(FIRST, NOON, "person")]
    assert (optouts.of(FIRST), optouts.of(SECOND)) == (OptOut(FIRST, NOON, "person"), None)


def test_the_latest_change_counts_whoever_made_it(optouts: OptOuts, table: MemoryTable) -> None:
    OptOutRows(table).change(FIRST, out=True, at="2026-11-23T12:00:01.000+08:00", by="mo")
    assert not optouts.remove(FIRST)
    assert optouts.of(FIRST) == OptOut(FIRST, "2026-11-23T12:00:01.000+08:00", "mo")


def test_what_is_no_mobile_is_told(optouts: OptOuts) -> None:
    for change in (optouts.add, optouts.remove, optouts.of):
        with pytest.raises(NotAMobile, match="'12345' is no mobile"):
            change("12345")


def test_a_list_is_imported_however_it_is_written(optouts: OptOuts) -> None:
    lines = (
        "\ufeffName,Mobile,since",
        "张三,+86 137-0000-0001,",
        "李四,１３７００００００02,2020-01-02",
        ",,",
        "x,12345,",
        "y,13700000003,soon",
    )
    text = "".join(f"{line}\r\n" for line in lines)
    told = optouts.import_csv(io.StringIO(text, newline=""))
    assert told == Imported(
        line=6,
        noted=2,
        faults=2,
        wrong=(
            Wrong(5, "'12345' is no mobile: it takes 11 digits beginning with 1."),
            Wrong(6, f"'soon' is no moment like {NOON}."),
        ),
    )
    assert {each.mobile: each.since for each in optouts.list()} == {
        FIRST: NOON,
        SECOND: "2020-01-02T00:00:00.000+08:00",
    }


def test_a_bare_list_needs_no_head(optouts: OptOuts) -> None:
    assert optouts.import_csv([FIRST, "", SECOND]).noted == 2


def test_a_mark_of_the_files_encoding_belongs_to_no_name_and_no_mobile(optouts: OptOuts) -> None:
    assert optouts.import_csv(["\ufeffmobile,since", f"{FIRST},2020-01-02"]).wrong == ()
    assert optouts.import_csv([f"\ufeff{SECOND}"]).wrong == ()
    assert {each.mobile: each.since[:10] for each in optouts.list()} == {FIRST: "2020-01-02", SECOND: NOON[:10]}


def test_of_many_lines_that_are_wrong_the_first_hundred_are_told_and_all_are_counted(optouts: OptOuts) -> None:
    told: list[Imported] = []
    lines = ["x"] * 1_500
    found = optouts.import_csv(lines, progress=told.append)
    assert (found.line, found.faults, [each.line for each in found.wrong]) == (1_500, 1_500, [*range(1, 101)])
    assert [each.faults for each in told] == [1_000, 1_500]


def test_a_list_is_of_the_moment_that_it_is_said_to_be_of(optouts: OptOuts) -> None:
    optouts.import_csv([FIRST], at=NOW - timedelta(days=1))
    assert [each.since for each in optouts.list()] == ["2026-11-22T12:00:00.000+08:00"]


def test_a_row_that_does_not_say_who_changed_it_is_told_without(optouts: OptOuts, table: MemoryTable) -> None:
    table.put({"mobile": FIRST, "what": "opt-out", "state": "out", "changed_at": NOON})
    assert [*optouts.list()] == [optouts.of(FIRST)] == [OptOut(FIRST, NOON, "")]


def test_what_is_exported_can_be_imported_and_changes_nothing(optouts: OptOuts, table: MemoryTable) -> None:
    OptOutRows(table).change(FIRST, out=True, at="2020-01-01T00:00:00.000+08:00", by="mo")
    optouts.add(SECOND)
    optouts.remove(THIRD)
    exported = io.StringIO(newline="")
    assert optouts.export_csv(exported) == 2
    assert exported.getvalue().splitlines() == [
        "mobile,since,by",
        f"{FIRST},2020-01-01T00:00:00.000+08:00,mo",
        f"{SECOND},{NOON},person",
    ]
    before = dict(table.rows)
    told = optouts.import_csv(io.StringIO(exported.getvalue(), newline=""))
    assert (told.noted, told.known, table.rows) == (0, 2, before)


def many(count: int) -> Iterator[str]:
    return (f"{13_700_000_000 + number}\n" for number in range(count))


def test_an_import_that_is_cut_off_goes_on_where_it_was(table: MemoryTable) -> None:
    def cut(number: int) -> None:
        if number == 2_500:
            raise StoreUnavailable("cut off")

    told: list[Imported] = []
    with pytest.raises(StoreUnavailable):
        keeping(table, Incident("*.update", cut)).import_csv(many(5_000), progress=told.append)
    assert [each.line for each in told] == [1_000, 2_000]
    rest = keeping(table).import_csv(many(5_000), after=told[-1].line, progress=told.append)
    assert (rest.line, rest.noted + rest.known, len(table.rows)) == (5_000, 3_000, 5_000)


def test_a_list_of_any_length_is_never_in_memory(table: MemoryTable) -> None:
    class Nowhere(OptOutRows):
        def __init__(self) -> None: ...

        def change(self, mobile: str, *, out: bool, at: str, by: str) -> bool:
            return True

    with ThreadPoolExecutor(2) as pool:
        optouts = OptOuts(rows=Nowhere(), everyone=lambda: iter(()), pool=pool, clock=lambda: NOW)
        optouts.import_csv(many(1_000))
        tracemalloc.start()
        assert optouts.import_csv(many(20_000)).noted == 20_000
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    assert peak < 5_000_000


def test_it_works_on_the_deployed_table(aws: None) -> None:
    client = boto3.client("dynamodb")
    names = create_tables(client, "opt-outs-")
    optouts = optouts_of(client, names["MobilesTable"])
    assert optouts.add(FIRST)
    assert optouts.add(SECOND)
    client.put_item(TableName=names["MobilesTable"], Item={"mobile": {"S": FIRST}, "what": {"S": "invalid"}})
    assert sorted(each.mobile for each in optouts.list()) == [FIRST, SECOND]
