"""Whoever asks the tables: from their names to a :class:`~kuaixintong.status.Lookup`."""

from kuaixintong.settings import TableNames
from kuaixintong.status import Lookup
from kuaixintong.stores import aws
from kuaixintong.stores.inbound import Inbound
from kuaixintong.stores.parts import Parts
from kuaixintong.stores.reports import Reports
from kuaixintong.stores.table import DynamoTable

_CONNECTIONS = 10


def reader(tables: TableNames) -> Lookup:
    """Build the look-up, with the credentials and region of the environment."""
    client = aws.dynamodb(connections=_CONNECTIONS)
    parts = Parts(DynamoTable(client, tables.sends))
    return Lookup(parts, Reports(client, tables.reports), Inbound(client, tables.inbound))
