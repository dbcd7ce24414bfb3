"""The opt-out list: from a client and a table's name to an :class:`~kuaixintong.optouts.OptOuts`."""

from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TYPE_CHECKING

from kuaixintong.optouts import OptOuts
from kuaixintong.stores.optouts import OptOutRows, everyone
from kuaixintong.stores.table import DynamoTable
from kuaixintong.wiring import now

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

THREADS = 8
"""Writes side by side: a list of a million takes some minutes."""


def optouts_of(client: "DynamoDBClient", mobiles_table: str) -> OptOuts:
    """Build what keeps the list."""
    return OptOuts(
        rows=OptOutRows(DynamoTable(client, mobiles_table)),
        everyone=partial(everyone, client, mobiles_table),
        pool=ThreadPoolExecutor(THREADS, thread_name_prefix="opt-outs"),
        clock=now,
    )
