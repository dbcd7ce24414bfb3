"""The sender: from its settings to a :class:`~kuaixintong.submission.Submitter`."""

import random
from datetime import timedelta

from kuaixintong.admission import Admission
from kuaixintong.claims import Claims
from kuaixintong.client import PlatformClient
from kuaixintong.core.credentials import PlatformCredentials
from kuaixintong.core.rows import Rows
from kuaixintong.settings import SenderSettings
from kuaixintong.stores import aws
from kuaixintong.stores.account import Accounts
from kuaixintong.stores.parts import Parts
from kuaixintong.stores.queue import SendQueue
from kuaixintong.stores.secrets import CachedSecret
from kuaixintong.stores.table import DynamoTable
from kuaixintong.submission import Submitter
from kuaixintong.wiring import now

_RESULT_ATTEMPTS = 5
"""Tries of a write. A result that cannot be written is an answer lost, so it gets more than AWS's usual three."""


def submitter(settings: SenderSettings, *, threads: int) -> Submitter:
    """Build the sender's heart for up to ``threads`` messages side by side."""
    dynamodb = aws.dynamodb(connections=threads, attempts=_RESULT_ATTEMPTS)
    secret = CachedSecret(aws.secrets_manager(), settings.platform_secret_arn, PlatformCredentials)
    return Submitter(
        claims=Claims(
            Parts(DynamoTable(dynamodb, settings.sends_table)),
            Rows(
                settings.retention,
                timedelta(seconds=settings.lease),
                settings.store_content,
                settings.repeat_within,
            ),
        ),
        admission=Admission(
            Accounts(DynamoTable(dynamodb, settings.account_table)),
            secret,
            clock=now,
            probe_lease=timedelta(seconds=settings.longest_request),
        ),
        platform=PlatformClient(
            settings.platform_url,
            connect_timeout=settings.connect_timeout,
            answer_timeout=settings.answer_timeout,
            connections=threads,
        ),
        queue=SendQueue(aws.sqs(connections=threads), settings.send_queue_url, settings.dead_letter_queue_url),
        receive_limit=settings.receive_limit,
        longest_request=settings.longest_request,
        clock=now,
        chance=random.random,
    )
