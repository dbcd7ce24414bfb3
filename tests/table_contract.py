"""What the stores rely on, asked of every :class:`~kuaixintong.stores.table.Table` alike.

DynamoDB's own rules, so that the twin in memory, moto and the emulator cannot drift apart unseen.
"""

from collections.abc import Callable
from typing import Any

import pytest
from boto3.dynamodb.conditions import Attr

from kuaixintong.core.change import Change
from kuaixintong.core.errors import StoreUnavailable
from kuaixintong.stores.query import Sorted
from kuaixintong.stores.table import Moved, Put, Table, Update

type Check = Callable[[Table], None]

KEY = {"send_id": "s", "part": "1"}
ROW = KEY | {"state": "WAITING", "revision": 1, "mobiles": ["13700000000"], "unset": None}
STORED = {name: value for name, value in ROW.items() if value is not None}


def a_row_comes_back_as_it_was_put(table: Table) -> None:
    table.put(ROW)
    assert table.get(KEY) == STORED


def a_row_that_is_not_there_is_none(table: Table) -> None:
    assert table.get(KEY) is None


def a_put_whose_condition_fails_tells_what_stands_there(table: Table) -> None:
    table.put(ROW)
    with pytest.raises(Moved) as moved:
        table.put(ROW | {"revision": 9}, only_if=Attr("send_id").not_exists())
    assert moved.value.standing == STORED
    assert table.get(KEY) == STORED


def an_update_whose_condition_fails_tells_what_stands_there(table: Table) -> None:
    table.put(ROW)
    with pytest.raises(Moved) as moved:
        table.update(KEY, Change({"state": "ACCEPTED"}), only_if=Attr("revision").eq(2))
    assert moved.value.standing == STORED
    assert table.get(KEY) == STORED


def an_update_that_expects_a_row_finds_none(table: Table) -> None:
    with pytest.raises(Moved) as moved:
        table.update(KEY, Change({"state": "ACCEPTED"}), only_if=Attr("revision").eq(1))
    assert moved.value.standing is None
    assert table.get(KEY) is None


def an_update_sets_removes_and_counts(table: Table) -> None:
    table.put(ROW)
    change = Change({"state": "ACCEPTED", "token": "376", "fee": None}, gone=("mobiles",), added={"revision": 1})
    after = table.update(KEY, change, only_if=Attr("revision").eq(1), answer=True)
    assert after == table.get(KEY) == KEY | {"state": "ACCEPTED", "token": "376", "revision": 2}


def an_update_makes_lists_longer_also_one_that_is_not_there(table: Table) -> None:
    table.put(ROW)
    change = Change({"state": "ACCEPTED"}, appended={"mobiles": ["1"], "history": [{"event": "X", "code": 0}]})
    assert table.update(KEY, change, answer=True) == STORED | {
        "state": "ACCEPTED",
        "mobiles": ["13700000000", "1"],
        "history": [{"event": "X", "code": 0}],
    }
    after = table.update(KEY, Change(appended={"history": [{"event": "Y"}, ["now", 1, None]]}), answer=True)
    assert after["history"] == [{"event": "X", "code": 0}, {"event": "Y"}, ["now", 1, None]]


def an_update_without_a_condition_makes_the_row(table: Table) -> None:
    assert table.update(KEY, Change({"state": "X"}, added={"revision": 5}), answer=True) == KEY | {
        "state": "X",
        "revision": 5,
    }


def a_removal_of_what_is_not_there_does_nothing(table: Table) -> None:
    table.put(ROW)
    assert table.update(KEY, Change(gone=("lease_until",)), answer=True) == STORED


def a_value_is_handed_on_as_it_was_before_the_change(table: Table) -> None:
    table.put(KEY | {"p00": "new", "p01": "old"})
    on = {"p03": "p02", "p02": "p01", "p01": "p00"}
    after = table.update(KEY, Change({"p00": "newest"}, handed_on=on, blank="-"), answer=True)
    assert after == table.get(KEY) == KEY | {"p00": "newest", "p01": "new", "p02": "old", "p03": "-"}
    back = Change(gone=("p03",), handed_on={"p00": "p01", "p01": "p02"}, blank="-")
    assert table.update(KEY, back, answer=True) == KEY | {"p00": "new", "p01": "old", "p02": "old"}


def many_rows_are_read_at_once(table: Table) -> None:
    for part in ("1", "2", "3"):
        table.put(KEY | {"part": part})
    keys = [KEY | {"part": str(number)} for number in range(2, 102)]
    assert sorted(row["part"] for row in table.get_all(keys)) == ["2", "3"]


CONDITIONS = [
    (Attr("revision").eq(1), True),
    (Attr("revision").eq(2), False),
    (Attr("revision").ne(2), True),
    (Attr("absent").ne(2), True),
    (Attr("absent").eq(2), False),
    (Attr("absent").lt(2), False),
    (Attr("revision").lt(2), True),
    (Attr("revision").lt(1), False),
    (Attr("revision").lte(1), True),
    (Attr("revision").gt(0), True),
    (Attr("revision").gte(2), False),
    (Attr("revision").between(0, 1), True),
    (Attr("revision").between(2, 3), False),
    (Attr("absent").between(0, 9), False),
    (Attr("state").is_in(["WAITING", "SUBMITTING"]), True),
    (Attr("state").is_in(["ACCEPTED"]), False),
    (Attr("absent").not_exists(), True),
    (Attr("absent").exists(), False),
    (Attr("absent").not_exists() | Attr("revision").eq(5), True),
    (Attr("state").eq("WAITING") & Attr("revision").eq(5), False),
    (~Attr("state").eq("WAITING"), False),
    (Attr("state").begins_with("WAIT"), True),
    (Attr("state").begins_with("X"), False),
    (Attr("mobiles").contains("13700000000"), True),
    (Attr("mobiles").contains("1"), False),
    (Attr("state").contains("AIT"), True),
    (Attr("state").eq(5), False),
    (Attr("state").ne(5), True),
]


def conditions_mean_what_dynamodb_means(table: Table) -> None:
    for condition, holds in CONDITIONS:
        table.put(ROW)
        try:
            table.update(KEY, Change({"mark": 1}), only_if=condition)
        except Moved:
            assert not holds, condition.get_expression()
        else:
            assert holds, condition.get_expression()


def of_two_types_neither_is_more(table: Table) -> None:
    table.put(ROW)
    for condition in (Attr("state").lt(5), Attr("state").gte(5), Attr("revision").between("0", "9")):
        with pytest.raises(Moved):
            table.update(KEY, Change({"mark": 1}), only_if=condition)


def a_transaction_writes_all(table: Table) -> None:
    table.put(ROW)
    half = KEY | {"part": "1.1", "state": "WAITING"}
    whole = Update(KEY, Change({"state": "SPLIT"}, gone=("mobiles",)), Attr("revision").eq(1))
    table.transact([whole, Put(half, Attr("send_id").not_exists())], token="t-1")
    assert [row["state"] for row in table.query("send_id", "s")] == ["SPLIT", "WAITING"]


def a_transaction_whose_condition_fails_writes_nothing(table: Table) -> None:
    table.put(ROW)
    half = KEY | {"part": "1.1", "state": "WAITING"}
    whole = Update(KEY, Change({"state": "SPLIT"}), Attr("revision").eq(7))
    with pytest.raises(Moved) as moved:
        table.transact([Put(half), whole], token="t-2")
    assert moved.value.standing is None
    assert list(table.query("send_id", "s")) == [STORED]


def a_repeated_transaction_is_one(table: Table) -> None:
    table.put(ROW)
    writes = [Update(KEY, Change(added={"revision": 1}), Attr("revision").eq(1))]
    table.transact(writes, token="t-3")
    table.transact(writes, token="t-3")
    assert (table.get(KEY) or {})["revision"] == 2


def many_rows_are_put_at_once_whatever_stands_there(table: Table) -> None:
    rows = [KEY | {"part": str(number), "revision": number} for number in range(1, 26)]
    table.put(ROW)
    assert list(table.put_some(rows)) == []
    assert sorted(row["revision"] for row in table.query("send_id", "s")) == list(range(1, 26))
    assert table.get(KEY) == KEY | {"revision": 1}


def no_more_than_25_rows_are_put_at_once(table: Table) -> None:
    with pytest.raises(StoreUnavailable):
        table.put_some([KEY | {"part": str(number)} for number in range(26)])
    assert list(table.query("send_id", "s")) == []


def no_two_rows_of_one_key_are_put_at_once(table: Table) -> None:
    with pytest.raises(StoreUnavailable):
        table.put_some([KEY, KEY | {"revision": 1}])
    assert list(table.query("send_id", "s")) == []


def rows_come_in_the_order_of_the_sort_key_and_of_one_partition(table: Table) -> None:
    for part in ("2", "1", "1.2", "1.1", "10"):
        table.put(KEY | {"part": part, "state": "WAITING"})
    table.put({"send_id": "other", "part": "1"})
    rows = list(table.query("send_id", "s", fields=("part",), consistent=True))
    assert rows == [{"part": part} for part in ("1", "1.1", "1.2", "10", "2")]


def a_span_narrows_the_sort_key_both_ends_included(table: Table) -> None:
    for part in ("2", "1", "1.2", "1.1", "10"):
        table.put(KEY | {"part": part})
    family = table.query("send_id", "s", sort=Sorted("part", since="1", up_to="1/"), consistent=True)
    assert [row["part"] for row in family] == ["1", "1.1", "1.2"]
    for span, parts in (
        (Sorted("part", since="10"), ["10", "2"]),
        (Sorted("part", up_to="1.1"), ["1", "1.1"]),
        (Sorted("part", prefix="1"), ["1", "1.1", "1.2", "10"]),
        (Sorted("part"), ["1", "1.1", "1.2", "10", "2"]),
    ):
        assert [row["part"] for row in table.query("send_id", "s", sort=span)] == parts


def a_span_narrows_an_index_with_some_fields_of_it(table: Table) -> None:
    for part in ("1", "2", "3"):
        table.put(KEY | {"part": part, "attention": "GAVE_UP", "updated_at": f"2026-11-2{part}"})
    span = Sorted("updated_at", since="2026-11-22", up_to="2026-11-23")
    found = table.query("attention", "GAVE_UP", index="by-attention", sort=span, fields=("part",))
    assert [*found] == [{"part": "2"}, {"part": "3"}]


def a_sparse_index_holds_the_rows_that_have_its_keys(table: Table) -> None:
    table.put(ROW | {"token": "376"})
    table.put(KEY | {"part": "2"})
    assert [row["part"] for row in table.query("token", "376", index="by-token")] == ["1"]
    assert list(table.query("token", "377", index="by-token")) == []


def what_is_handed_out_is_nobodys_to_change(table: Table) -> None:
    mine: dict[str, Any] = KEY | {"mobiles": ["13700000000"]}
    table.put(mine)
    mine["mobiles"].append("x")
    (table.get(KEY) or {})["mobiles"].append("y")
    assert (table.get(KEY) or {})["mobiles"] == ["13700000000"]


def a_row_holds_400_kb_and_no_more(table: Table) -> None:
    table.put(KEY | {"content": "长" * 134_000})
    for too_much in (
        lambda: table.put(KEY | {"content": "长" * 137_000}),
        lambda: table.put(KEY | {"mobiles": ["13700000000"] * 38_000}),
        lambda: table.update(KEY, Change({"words": "x" * 9_000})),
    ):
        with pytest.raises(StoreUnavailable):
            too_much()
    assert (table.get(KEY) or {}).keys() == {*KEY, "content"}


def a_transaction_touches_no_row_twice(table: Table) -> None:
    with pytest.raises(StoreUnavailable):
        table.transact([Put(ROW), Put(ROW)], token="t-4")
    assert table.get(KEY) is None


def a_number_with_a_fraction_is_refused(table: Table) -> None:
    with pytest.raises(TypeError):
        table.put(KEY | {"rate": 0.5})


CHECKS: list[Check] = [
    a_row_comes_back_as_it_was_put,
    a_row_that_is_not_there_is_none,
    a_put_whose_condition_fails_tells_what_stands_there,
    an_update_whose_condition_fails_tells_what_stands_there,
    an_update_that_expects_a_row_finds_none,
    an_update_sets_removes_and_counts,
    an_update_makes_lists_longer_also_one_that_is_not_there,
    an_update_without_a_condition_makes_the_row,
    a_removal_of_what_is_not_there_does_nothing,
    a_value_is_handed_on_as_it_was_before_the_change,
    many_rows_are_read_at_once,
    conditions_mean_what_dynamodb_means,
    of_two_types_neither_is_more,
    a_transaction_writes_all,
    a_transaction_whose_condition_fails_writes_nothing,
    a_repeated_transaction_is_one,
    many_rows_are_put_at_once_whatever_stands_there,
    no_more_than_25_rows_are_put_at_once,
    no_two_rows_of_one_key_are_put_at_once,
    rows_come_in_the_order_of_the_sort_key_and_of_one_partition,
    a_span_narrows_the_sort_key_both_ends_included,
    a_span_narrows_an_index_with_some_fields_of_it,
    a_sparse_index_holds_the_rows_that_have_its_keys,
    what_is_handed_out_is_nobodys_to_change,
    a_row_holds_400_kb_and_no_more,
    a_transaction_touches_no_row_twice,
    a_number_with_a_fraction_is_refused,
]
