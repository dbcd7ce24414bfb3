"""The table and its twin: DynamoDB's rules, in moto and in memory. ``e2e`` asks the emulator the same."""

from typing import TYPE_CHECKING

import pytest

from kuaixintong.stores.table import Table
from tests.memory_table import MemoryTable
from tests.table_contract import (
    CHECKS,
    Check,
    a_repeated_transaction_is_one,
    no_more_than_25_rows_are_put_at_once,
    no_two_rows_of_one_key_are_put_at_once,
    of_two_types_neither_is_more,
)

if TYPE_CHECKING:
    from tests.world import DynamoWorld


_NOT_IN_MOTO: dict[Check, str] = {
    a_repeated_transaction_is_one: "a transaction's token",
    of_two_types_neither_is_more: "that types do not compare",
    no_more_than_25_rows_are_put_at_once: "how many rows a batch takes",
    no_two_rows_of_one_key_are_put_at_once: "that a batch takes a key once",
}


@pytest.fixture(params=["moto", "memory"])
def table(request: pytest.FixtureRequest) -> Table:
    if request.param == "memory":
        return MemoryTable("SendsTable")
    moto_world: DynamoWorld = request.getfixturevalue("moto_world")
    return moto_world.table("SendsTable")


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_a_table_keeps_dynamodbs_rules(table: Table, check: Check) -> None:
    if check in _NOT_IN_MOTO and not isinstance(table, MemoryTable):
        pytest.skip(f"moto does not know {_NOT_IN_MOTO[check]}; the emulator does")
    check(table)
