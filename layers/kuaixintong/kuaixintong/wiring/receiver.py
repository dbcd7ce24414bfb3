"""The receiver: from its settings to a :class:`~kuaixintong.reception.Reception`."""

from typing import TYPE_CHECKING

from kuaixintong.core.credentials import PushCredentials
from kuaixintong.intake import THREADS, Intake
from kuaixintong.reception import Reception
from kuaixintong.settings import IntakeSettings, ReceiverSettings
from kuaixintong.stores import aws
from kuaixintong.stores.batch import Writer
from kuaixintong.stores.holding import Holding
from kuaixintong.stores.inbound import Inbound
from kuaixintong.stores.optouts import OptOutRows
from kuaixintong.stores.reports import Reports
from kuaixintong.stores.secrets import CachedSecret
from kuaixintong.stores.table import DynamoTable
from kuaixintong.wiring import now

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient


def reception(settings: ReceiverSettings) -> Reception:
    """Build the receiver's heart."""
    secret = CachedSecret(aws.secrets_manager(), settings.push_secret_arn, PushCredentials)
    return Reception(secret, intake(settings.intake))


def intake(settings: IntakeSettings, *, threads: int = THREADS, client: "DynamoDBClient | None" = None) -> Intake:
    """Build what the contents of pushes are put into, on ``threads`` side by side."""
    dynamodb = client or aws.dynamodb(connections=threads, validate=False)
    return Intake(
        reports=Reports(dynamodb, settings.reports_table),
        inbound=Inbound(dynamodb, settings.inbound_table),
        quarantine=Holding(dynamodb, settings.quarantine_table),
        opt_outs=OptOutRows(DynamoTable(dynamodb, settings.mobiles_table)),
        words=settings.words,
        writer=Writer(dynamodb, threads=threads),
        retention=settings.retention,
        clock=now,
    )
