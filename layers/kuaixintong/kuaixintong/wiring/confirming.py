"""Whoever settles parts by a person's word: from the table's name to a :class:`~kuaixintong.confirm.Confirmer`."""

from datetime import timedelta
from typing import TYPE_CHECKING

from kuaixintong.confirm import Confirmer
from kuaixintong.core.rows import Rows
from kuaixintong.settings import ConfirmSettings
from kuaixintong.stores import aws
from kuaixintong.stores.parts import Parts
from kuaixintong.stores.table import DynamoTable
from kuaixintong.wiring import now

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient


def confirmer_of(settings: ConfirmSettings, client: "DynamoDBClient | None" = None) -> Confirmer:
    """Build a confirmer on ``client``, or with the credentials and region of the environment."""
    table = DynamoTable(client or aws.dynamodb(connections=1), settings.sends_table)
    return Confirmer(Parts(table), Rows(settings.retention, lease=timedelta()), now)  # nothing is claimed here
