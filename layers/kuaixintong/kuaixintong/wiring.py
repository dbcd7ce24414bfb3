"""How the parts of a function hang together: settings in, one ready object out."""

import random
from datetime import UTC, datetime, timedelta

import boto3
from botocore.config import Config

from kuaixintong.account_check import AccountCheck
from kuaixintong.admission import Admission
from kuaixintong.client import PlatformClient
from kuaixintong.credentials import PlatformCredentials
from kuaixintong.settings import WRITING, BalanceSettings, SenderSettings
from kuaixintong.stores import dynamo
from kuaixintong.stores.account import Accounts
from kuaixintong.stores.queue import SendQueue
from kuaixintong.stores.secrets import CachedSecret
from kuaixintong.stores.sends import Sends
from kuaixintong.submission import Submitter

_AWS = Config(connect_timeout=2, read_timeout=3, retries={"mode": "standard", "total_max_attempts": 3})

_RESULT_ATTEMPTS = 5
"""Tries of a write. A result that cannot be written is an answer lost, so it gets more than AWS's usual three."""


def now() -> datetime:
    """Return the time; the only clock of the sender."""
    return datetime.now(UTC)


def submitter(settings: SenderSettings, *, threads: int) -> Submitter:
    """Build the sender's heart for up to ``threads`` messages side by side."""
    dynamodb = dynamo.connect(connections=threads, attempts=_RESULT_ATTEMPTS)
    secret = CachedSecret(
        boto3.client("secretsmanager", config=_AWS), settings.platform_secret_arn, PlatformCredentials
    )
    return Submitter(
        rows=Sends(
            dynamodb,
            settings.sends_table,
            retention=settings.retention,
            lease=timedelta(seconds=settings.lease),
            store_content=settings.store_content,
        ),
        admission=Admission(
            Accounts(dynamodb, settings.account_table),
            secret,
            clock=now,
            probe_lease=timedelta(seconds=settings.longest_request + WRITING),
        ),
        platform=PlatformClient(
            settings.platform_url,
            connect_timeout=settings.connect_timeout,
            answer_timeout=settings.answer_timeout,
            connections=threads,
        ),
        queue=SendQueue(
            boto3.client("sqs", config=_AWS.merge(Config(max_pool_connections=threads))),
            settings.send_queue_url,
            settings.dead_letter_queue_url,
        ),
        receive_limit=settings.receive_limit,
        longest_request=settings.longest_request,
        clock=now,
        chance=random.random,
    )


def account_check(settings: BalanceSettings) -> AccountCheck:
    """Build the account check. The secret is read every time: a rotated one is what a check is there to try."""
    return AccountCheck(
        Accounts(dynamo.connect(connections=1), settings.account_table),
        CachedSecret(
            boto3.client("secretsmanager", config=_AWS),
            settings.platform_secret_arn,
            PlatformCredentials,
            max_age=0,
        ),
        PlatformClient(
            settings.platform_url,
            connect_timeout=settings.connect_timeout,
            answer_timeout=settings.answer_timeout,
            connections=1,
        ),
        clock=now,
    )
