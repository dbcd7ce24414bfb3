"""The sender: from its settings to a :class:`~kuaixintong.submission.Submitter`."""

import random
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

from kuaixintong.admission import Admission
from kuaixintong.claims import Claims
from kuaixintong.client import PlatformClient
from kuaixintong.core.caps import Caps
from kuaixintong.core.credentials import PlatformCredentials
from kuaixintong.core.rails import Rails
from kuaixintong.core.rows import Rows
from kuaixintong.guards import Guards
from kuaixintong.settings import SenderSettings
from kuaixintong.slots import Slots
from kuaixintong.stores import aws
from kuaixintong.stores.account import Accounts
from kuaixintong.stores.allow_list import AllowList
from kuaixintong.stores.campaigns import Campaigns
from kuaixintong.stores.mobiles import Mobiles
from kuaixintong.stores.outbound import Outbound
from kuaixintong.stores.parts import Parts
from kuaixintong.stores.queue import SendQueue
from kuaixintong.stores.secrets import CachedSecret
from kuaixintong.stores.table import DynamoTable, Table
from kuaixintong.submission import Submitter
from kuaixintong.wiring import now

OUTBOUND_THREADS = 4
"""Threads that write down who large parts go to, beside those that the messages of a batch have."""

_LOOKING = 8
"""Reads side by side when a part's mobiles are looked up: 10,000 take a hundred, which is a third of a second."""

_RESULT_ATTEMPTS = 5
"""Tries of a write. A result that cannot be written is an answer lost, so it gets more than AWS's usual three."""


def submitter(settings: SenderSettings, *, threads: int) -> Submitter:
    """Build the sender's heart for up to ``threads`` messages side by side."""
    dynamodb = aws.dynamodb(connections=threads, attempts=_RESULT_ATTEMPTS)
    many = aws.dynamodb(connections=threads + OUTBOUND_THREADS + _LOOKING, validate=False)
    secrets, skew = aws.secrets_manager(), aws.Skew(now)
    skew.watch(dynamodb)
    skew.watch(secrets)
    accounts = Accounts(DynamoTable(dynamodb, settings.account_table))
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
        outbound=Outbound(
            DynamoTable(many, settings.outbound_table),
            settings.retention,
            ThreadPoolExecutor(OUTBOUND_THREADS, thread_name_prefix="outbound"),
        ),
        campaigns=Campaigns(DynamoTable(dynamodb, settings.campaigns_table), settings.retention),
        admission=Admission(
            accounts,
            CachedSecret(secrets, settings.platform_secret_arn, PlatformCredentials),
            Slots(
                accounts,
                clock=now,
                lane=settings.lane,
                requests=settings.requests_per_second,
                skew=skew.seconds,
            ),
            probe_lease=timedelta(seconds=settings.longest_request),
        ),
        guards=_guards(settings, DynamoTable(many, settings.mobiles_table)),
        platform=PlatformClient(
            settings.platform_url,
            connect_timeout=settings.connect_timeout,
            answer_timeout=settings.answer_timeout,
            connections=threads,
        ),
        queue=SendQueue(
            aws.sqs(connections=threads), settings.send_queue_url, settings.dead_letter_queue_url, settings.lane
        ),
        receive_limit=settings.receive_limit,
        longest_request=settings.longest_request,
        lane=settings.lane,
        clock=now,
        chance=random.random,
    )


def _guards(settings: SenderSettings, table: Table) -> Guards:
    asked = settings.rails
    rails = Rails(
        invalid_for=timedelta(days=asked.invalid_for_days),
        caps=Caps(asked.otp_per_hour, asked.otp_per_day),
        otp_valid=timedelta(minutes=asked.otp_valid_minutes),
        daily_limit=asked.daily_limit,
        hours=asked.hours,
    )
    mobiles = Mobiles(table, ThreadPoolExecutor(_LOOKING, thread_name_prefix="look"))
    name = asked.allow_list_parameter
    allowed = AllowList(aws.systems_manager(), name).get if name else _everybody
    return Guards(rails, mobiles, allowed=allowed, clock=now)


def _everybody() -> None:
    """Return what stands for everybody."""
