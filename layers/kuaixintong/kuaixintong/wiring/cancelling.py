"""A cancel: from the tables' names to a :class:`~kuaixintong.cancel.Canceller`."""

from datetime import timedelta
from typing import TYPE_CHECKING

from kuaixintong.cancel import RETENTION, THREADS, Canceller
from kuaixintong.settings import CancelSettings
from kuaixintong.stores import aws
from kuaixintong.stores.table import DynamoTable
from kuaixintong.wiring import now

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient


def canceller(settings: CancelSettings) -> Canceller:
    """Build it, with the credentials and region of the environment."""
    return of_client(aws.dynamodb(connections=THREADS), settings)


def of_client(
    client: "DynamoDBClient", settings: CancelSettings, *, retention: timedelta = RETENTION
) -> Canceller:
    """Build it on a client; this machine's clock is put right by what AWS's answers say of theirs."""
    skew = aws.Skew(now)
    skew.watch(client)
    return Canceller(
        DynamoTable(client, settings.sends_table),
        DynamoTable(client, settings.campaigns_table),
        clock=now,
        ahead=skew.seconds,
        retention=retention,
    )
