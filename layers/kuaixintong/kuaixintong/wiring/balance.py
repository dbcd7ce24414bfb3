"""The account check's function: from its settings to an :class:`~kuaixintong.account_check.AccountCheck`."""

from kuaixintong.account_check import AccountCheck
from kuaixintong.client import PlatformClient
from kuaixintong.core.credentials import PlatformCredentials
from kuaixintong.core.pace import Lane
from kuaixintong.settings import BalanceSettings
from kuaixintong.slots import Slots
from kuaixintong.stores import aws
from kuaixintong.stores.account import Accounts
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
