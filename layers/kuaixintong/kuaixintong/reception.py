"""One push, from its credentials to durable rows (contract, section 3).

What is acknowledged is in a table: a push returns when all its messages are rows and all its unreadable entries
are in quarantine, and raises otherwise. Nothing is read beforehand, so a report may come before the sender has
noted its token; they meet when somebody asks.
"""

import hmac
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Self

import boto3

from kuaixintong import pushes
from kuaixintong.credentials import CachedSecret, PushCredentials
from kuaixintong.errors import PushForbidden, PushUnreadable
from kuaixintong.gateway import Request
from kuaixintong.pushes import Push, Sorted, Unreadable
from kuaixintong.settings import ReceiverSettings
from kuaixintong.stores import dynamo
from kuaixintong.stores.batch import Stamp, Writer
from kuaixintong.stores.inbound import Inbound
from kuaixintong.stores.quarantine import Quarantine
from kuaixintong.stores.reports import Reports

THREADS = 16
"""Writes side by side. More bring nothing: at the memory that the template gives, the processor is the limit."""

_SECRET_REST = 60.0
"""Seconds between the looks at the secret that wrong credentials cause: rotation shows, a flood does no harm."""


@dataclass(frozen=True, slots=True)
class Received:
    """What became of a push: rows written, and entries in quarantine."""

    type: str
    reports: int = 0
    mos: int = 0
    quarantined: int = 0


class Reception:
    """Takes pushes in. Built once per Lambda; used by one request at a time."""

    def __init__(
        self,
        *,
        secret: CachedSecret[PushCredentials],
        reports: Reports,
        inbound: Inbound,
        quarantine: Quarantine,
        writer: Writer,
        retention: timedelta,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._secret = secret
        self._reports = reports
        self._inbound = inbound
        self._quarantine = quarantine
        self._writer = writer
        self._retention = retention
        self._clock = clock

    @classmethod
    def connect(cls, settings: ReceiverSettings) -> Self:
        """Build the reception on AWS, with the credentials and region of the environment."""
        dynamodb = dynamo.connect(connections=THREADS)
        return cls(
            secret=CachedSecret(boto3.client("secretsmanager"), settings.push_secret_arn, PushCredentials),
            reports=Reports(dynamodb, settings.reports_table),
            inbound=Inbound(dynamodb, settings.inbound_table),
            quarantine=Quarantine(dynamodb, settings.quarantine_table),
            writer=Writer(dynamodb, threads=THREADS),
            retention=settings.retention,
        )

    def receive(self, request: Request, *, seconds: float) -> Received:
        """Take in one push, within ``seconds``.

        Raises :class:`PushForbidden` with nothing written, :class:`PushUnreadable` with the push in quarantine,
        and :class:`~kuaixintong.errors.TryLater` when the same push has to come again.
        """
        deadline = time.monotonic() + seconds
        push = pushes.read(request)
        self._authenticate(push)
        try:
            contents = pushes.sort_out(push.type, push.json_data)
        except PushUnreadable as fault:
            self._keep((push.unreadable(str(fault)),), deadline)
            raise
        return self._store(push.type, contents, deadline)

    def _authenticate(self, push: Push) -> None:
        known = self._secret.get()
        if not _match(push, known):
            renewed = self._secret.get(newer_than=known.version, at_most_every=_SECRET_REST)
            if not _match(push, renewed):
                raise PushForbidden("forbidden")

    def _store(self, kind: str, contents: Sorted, deadline: float) -> Received:
        stamp = Stamp.at(self._clock(), self._retention)
        reports = self._reports.put(contents.reports, stamp, self._writer, deadline=deadline)
        mos = self._inbound.put(contents.mos, stamp, self._writer, deadline=deadline)
        self._keep(contents.unreadable, deadline)
        return Received(kind, reports, mos, len(contents.unreadable))

    def _keep(self, unreadable: tuple[Unreadable, ...], deadline: float) -> None:
        stamp = Stamp.at(self._clock(), self._retention)
        self._quarantine.keep(unreadable, stamp, self._writer, deadline=deadline)


def _match(push: Push, known: PushCredentials) -> bool:
    """Compare both credentials, each in constant time, whatever became of the other."""
    uid = hmac.compare_digest(_bytes(push.uid), _bytes(known.uid))
    pwd = hmac.compare_digest(_bytes(push.pwd), _bytes(known.pwd))
    return uid & pwd


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")
