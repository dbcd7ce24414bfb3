"""Whoever asks the tables: from their names to a :class:`~kuaixintong.status.Lookup`."""

from collections.abc import Callable
from datetime import datetime
from typing import TYPE_CHECKING

from kuaixintong.settings import TableNames
from kuaixintong.status import THREADS, Lookup
from kuaixintong.stores import aws
from kuaixintong.stores.inbound import Inbound
from kuaixintong.stores.listings import Listings, Tables
from kuaixintong.stores.parts import Parts
from kuaixintong.stores.reports import Reports
from kuaixintong.stores.table import DynamoTable
from kuaixintong.wiring import now

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

CONNECTIONS = THREADS + 4
"""As many as one question has threads, and those that read keys for them."""


def reader(
    tables: TableNames, client: "DynamoDBClient | None" = None, *, clock: Callable[[], datetime] = now
) -> Lookup:
    """Build the look-up on ``client``, or with the credentials and region of the environment."""
    client = client or aws.dynamodb_for_reading(connections=CONNECTIONS)
    others = Tables(tables.sends, tables.outbound, tables.campaigns, tables.mobiles, tables.account)
    return Lookup(
        Parts(DynamoTable(client, tables.sends)),
        Reports(client, tables.reports),
        Inbound(client, tables.inbound),
        Listings(client, others),
        reports_within=tables.reports_within,
        clock=clock,
    )
