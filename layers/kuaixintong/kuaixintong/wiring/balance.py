"""The account check's function: from its settings to what asks the platform, and what looks at the tables."""

from datetime import timedelta

from kuaixintong.account_check import AccountCheck
from kuaixintong.client import PlatformClient
from kuaixintong.core.credentials import PlatformCredentials
from kuaixintong.core.lanes import Lane
from kuaixintong.core.rows import Rows
from kuaixintong.healing import Healing
from kuaixintong.settings import BalanceSettings
from kuaixintong.slots import Slots
from kuaixintong.stores import aws
from kuaixintong.stores.account import Accounts
from kuaixintong.stores.evidence import Evidence
from kuaixintong.stores.secrets import CachedSecret
from kuaixintong.stores.table import DynamoTable
from kuaixintong.wiring import now


def account_check(settings: BalanceSettings) -> AccountCheck:
    """Build the account check. The secret is read every time: a rotated one is what a check is there to try."""
    dynamodb, secrets, skew = aws.dynamodb(connections=1), aws.secrets_manager(), aws.Skew(now)
    skew.watch(dynamodb)
    skew.watch(secrets)
    accounts = Accounts(DynamoTable(dynamodb, settings.account_table))
    return AccountCheck(
        accounts,
        CachedSecret(secrets, settings.platform_secret_arn, PlatformCredentials, max_age=0),
        PlatformClient(
            settings.platform_url,
            connect_timeout=settings.connect_timeout,
            answer_timeout=settings.answer_timeout,
            connections=1,
        ),
        Slots(
            accounts,
            clock=now,
            lane=Lane.URGENT,
            requests=settings.requests_per_second,
            skew=skew.seconds,
        ),
    )


def healing(settings: BalanceSettings) -> Healing | None:
    """Build what looks for acceptances that reports prove; ``None`` where that is switched off."""
    if not settings.infer_accepted:
        return None
    dynamodb = aws.dynamodb(connections=1)
    return Healing(
        Accounts(DynamoTable(dynamodb, settings.account_table)),
        Evidence(
            DynamoTable(dynamodb, settings.sends_table),
            DynamoTable(dynamodb, settings.reports_table),
            DynamoTable(dynamodb, settings.outbound_table),
        ),
        Rows(settings.retention, lease=timedelta()),  # nothing is claimed here
        clock=now,
    )
