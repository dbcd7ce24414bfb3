"""A sender's world in one process: its real code, the simulator's platform, a queue on paper, tables in memory.

Where boto3 itself is looked at, the tables are moto's, or the emulator's, instead (:class:`DynamoWorld`).

Time stands still until a test moves it, and chance is a constant, so that every run is the same run.
"""

import json
import uuid
from collections import deque
from collections.abc import Callable, Collection
from concurrent.futures import Executor, Future
from copy import copy
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import Enum
from functools import cached_property
from typing import TYPE_CHECKING, Any, Self, cast

import boto3

from kuaixintong.admission import Admission
from kuaixintong.claims import Claims
from kuaixintong.core import beijing
from kuaixintong.core.credentials import PlatformCredentials
from kuaixintong.core.lanes import Lane
from kuaixintong.core.messages import Report
from kuaixintong.core.rails import Rails
from kuaixintong.core.rows import Rows
from kuaixintong.errand import Progress, QueueMessage
from kuaixintong.guards import Guards
from kuaixintong.healing import READS, Healing
from kuaixintong.slots import Slots
from kuaixintong.stores.account import Accounts
from kuaixintong.stores.campaigns import Campaigns
from kuaixintong.stores.dynamo import from_item
from kuaixintong.stores.evidence import Evidence
from kuaixintong.stores.mobiles import Mobiles
from kuaixintong.stores.outbound import Outbound
from kuaixintong.stores.parts import Parts
from kuaixintong.stores.queue import SendQueue
from kuaixintong.stores.secrets import CachedSecret
from kuaixintong.stores.table import DynamoTable, Table
from kuaixintong.submission import Submitter
from local.simulator.platform import Message, Platform, reports_of
from local.simulator.settings import Settings
from tests.fake_platform import Line
from tests.gates import Gate, Gates, Incident, Killed, Life, gated
from tests.memory_table import MemoryTable
from tests.template import create_tables

if TYPE_CHECKING:
    from mypy_boto3_secretsmanager import SecretsManagerClient

CID, UID, PWD = "12345678", "test", "secret"
SECRET = {"cid": CID, "uid": UID, "pwd": PWD}
LEASE = timedelta(seconds=90)
RETENTION = timedelta(days=180)
PROBE_LEASE = timedelta(seconds=20)
START = datetime(2026, 11, 23, 4, 0, tzinfo=UTC)


class PaperQueue(SendQueue):
    """Writes down what would be asked of SQS."""

    def __init__(self) -> None:
        self.postponed: list[tuple[str, float]] = []
        self.buried: list[dict[str, Any]] = []

    def postpone(self, receipt_handle: str, seconds: float) -> None:
        self.postponed.append((receipt_handle, seconds))

    def bury(self, body: str) -> None:
        self.buried.append(json.loads(body))


class PaperSecrets:
    """As much of Secrets Manager as one secret needs."""

    def __init__(self, *texts: str) -> None:
        self._texts = texts

    def get_secret_value(self, SecretId: str) -> dict[str, str]:  # noqa: N803  # boto3's word
        """Return the newest version."""
        return {"SecretString": self._texts[-1], "VersionId": f"{SecretId}-{len(self._texts)}"}

    def put_secret_value(self, SecretId: str, SecretString: str) -> None:  # noqa: N803
        """Add a version."""
        self._texts = (*self._texts, SecretString)


class AtOnce(Executor):
    """A pool without threads: what is submitted is done, so that every run is the same run."""

    def submit[**P, R](self, fn: Callable[P, R], /, *args: P.args, **kwargs: P.kwargs) -> Future[R]:
        done = Future[R]()
        try:
            done.set_result(fn(*args, **kwargs))
        except Exception as error:  # noqa: BLE001  # whoever asks for the result has to see it
            done.set_exception(error)
        return done


@dataclass(frozen=True)
class _Bed:
    """Where a process sleeps: the world's time passes."""

    world: "World"

    def sleep(self, seconds: float) -> None:
        self.world.pass_time(seconds=seconds)


@dataclass
class World:
    """One account, its tables and its platform. Safe between threads that leave its time alone."""

    settings: Settings = field(default_factory=lambda: Settings(cid=CID, uid=UID, pwd=PWD, balance=10_000_000))
    receive_limit: int = 500
    store_content: bool = True
    lease: timedelta = LEASE
    repeat_within: timedelta = timedelta(minutes=60)
    requests_per_second: float = 0
    rails: Rails = field(default_factory=Rails)
    allowed: frozenset[str] | None = None
    now: datetime = START
    queue: PaperQueue = field(default_factory=PaperQueue)

    def __post_init__(self) -> None:
        self.gates = Gates()
        """What the calls of every process pass: a test's incidents."""
        self.meet(Platform(self.settings))
        self.open_store()

    def meet(self, platform: Platform) -> None:
        """Let another platform stand where the one was."""
        self.platform = platform
        self.line = Line(platform, self._clock)

    def open_store(self) -> None:
        """Make the tables and the secret."""
        self.memory: dict[str, MemoryTable] = {}
        self.secrets = cast("SecretsManagerClient", PaperSecrets(json.dumps(SECRET)))
        self.secret_arn = "secret"

    def table(self, logical: str) -> Table:
        """One of the template's tables."""
        if logical not in self.memory:
            self.memory[logical] = MemoryTable(logical)
        return self.memory[logical]

    def fork(self) -> Self:
        """Return a world as this one is now, for another future; neither sees what becomes of the other."""
        other = object.__new__(type(self))
        vars(other).update(vars(self))
        vars(other).pop("sender", None)
        other.memory = {logical: table.fork() for logical, table in self.memory.items()}
        other.secrets, other.queue, other.gates = copy(self.secrets), PaperQueue(), Gates()
        other.meet(_forked(self.platform))
        return other

    def _clock(self) -> datetime:
        return self.now

    def _seconds(self) -> float:
        return self.now.timestamp()

    # --- processes ----------------------------------------------------------------------------------------------

    @cached_property
    def sender(self) -> Submitter:
        """The process that messages are delivered to; assign :meth:`new_sender` to begin anew."""
        return self.new_sender()

    def new_sender(
        self,
        *,
        gate: Gate | None = None,
        platform: Any = None,
        probe_lease: timedelta = PROBE_LEASE,
        lane: Lane = Lane.ORDINARY,
        skew: timedelta = timedelta(),
    ) -> Submitter:
        """A sender as a new process has it: nothing cached, no connection open, its clock ahead by ``skew``.

        A gate may stand between it and everything outside.
        """

        def clock() -> datetime:
            return self.now + skew

        gates = (self.gates, gate) if gate else (self.gates,)
        accounts = Accounts(gated(self.table("AccountTable"), "AccountTable", *gates))
        secrets = gated(self.secrets, "secret", *gates)
        secret = CachedSecret(secrets, self.secret_arn, PlatformCredentials, monotonic=self._seconds)
        slots = self.new_slots(accounts, lane, clock=clock, sleep=gated(_Bed(self), "bed", *gates).sleep)
        return Submitter(
            claims=Claims(Parts(gated(self.table("SendsTable"), "SendsTable", *gates)), self.rows()),
            outbound=Outbound(
                gated(self.table("OutboundTable"), "OutboundTable", *gates),
                RETENTION,
                AtOnce(),
                monotonic=self._seconds,
            ),
            campaigns=Campaigns(gated(self.table("CampaignsTable"), "CampaignsTable", *gates), RETENTION),
            admission=Admission(accounts, secret, slots, probe_lease=probe_lease),
            guards=Guards(
                self.rails,
                Mobiles(gated(self.table("MobilesTable"), "MobilesTable", *gates)),
                allowed=lambda: self.allowed,
                clock=clock,
            ),
            platform=gated(platform or self.line, "platform", *gates),
            queue=self.queue,
            receive_limit=self.receive_limit,
            longest_request=1.0,
            lane=lane,
            clock=clock,
            chance=lambda: 0.5,
        )

    def new_healing(self, *, gate: Gate | None = None, reads: int = READS) -> Healing:
        """What looks for acceptances that reports prove, as a new process has it."""
        gates = (self.gates, gate) if gate else (self.gates,)
        sends, reports, outbound, account = (
            gated(self.table(logical), logical, *gates)
            for logical in ("SendsTable", "ReportsTable", "OutboundTable", "AccountTable")
        )
        return Healing(
            Accounts(account), Evidence(sends, reports, outbound), self.rows(), clock=self._clock, reads=reads
        )

    def push(self, *messages: Message, mobiles: Collection[str] | None = None) -> None:
        """Let the platform push the reports of accepted messages, or those of some ``mobiles``, here and now."""
        stamp = beijing.iso(self.now)
        for message in messages:
            for report in reports_of(message, self.platform.settings):
                if mobiles is None or report.mobile in mobiles:
                    self.report(str(report.token), report.mobile, report.result_code, received_at=stamp)

    def report(self, token: str, mobile: str, code: str = "0", *, received_at: str | None = None) -> None:
        """Put a delivery report into the table, as the receiver does."""
        read = Report(token, mobile, code, success=code == "0")
        self.table("ReportsTable").put(
            {
                "token": token,
                "outcome": read.outcome,
                "mobile": mobile,
                "result_code": code,
                "success": read.success,
                "received_at": received_at or beijing.iso(self.now),
            }
        )

    def new_slots(
        self,
        accounts: Accounts,
        lane: Lane = Lane.ORDINARY,
        *,
        clock: Callable[[], datetime] | None = None,
        sleep: Callable[[float], None] | None = None,
    ) -> Slots:
        """The slots of a process of its own. To sleep is to let the world's time pass."""
        return Slots(
            accounts,
            clock=clock or self._clock,
            lane=lane,
            requests=self.requests_per_second,
            monotonic=self._seconds,
            sleep=sleep or _Bed(self).sleep,
        )

    def rows(self) -> Rows:
        """How this world's rows are written."""
        return Rows(RETENTION, self.lease, self.store_content, self.repeat_within)

    def happens(self, calls: str, act: Callable[[int], object], *, after: bool = False) -> Incident:
        """Let ``act`` happen at every call like ``SendsTable.update`` of every process; it may raise."""
        incident = Incident(calls, act, after=after)
        self.gates.up.append(incident)
        return incident

    # --- what a test does ---------------------------------------------------------------------------------------

    def deliver(
        self,
        body: dict[str, Any] | str,
        *,
        message_id: str = "m-1",
        receive_count: int = 1,
        seconds: float = 60,
        sent_at: datetime | None = None,
    ) -> Progress:
        """Deliver one message to the sender, which has ``seconds`` to live."""
        text = body if isinstance(body, str) else json.dumps(body, ensure_ascii=False)
        message = QueueMessage(message_id, "receipt", text, receive_count, sent_at)
        return self.sender.take(message, self.life(seconds))

    def life(self, seconds: float = 60) -> Callable[[], float]:
        """What a function that has ``seconds`` to live from now on knows of the rest."""
        ends = self.now + timedelta(seconds=seconds)

        def left() -> float:
            return (ends - self.now).total_seconds()

        return left

    def deliver_until_done(self, body: dict[str, Any] | str, *, most: int = 20, message_id: str = "m-1") -> int:
        """Deliver as the queue would, time passing as asked for; return how many deliveries it took."""
        for count in range(1, most + 1):
            delivery = self.deliver(body, message_id=message_id, receive_count=count)
            if delivery.again is None:
                return count
            self.now += timedelta(seconds=delivery.again.delay + 0.001)
        raise AssertionError(f"not done after {most} deliveries: {delivery.again}")

    def dies_before(self, call: int, body: dict[str, Any], *, of: str = "*", message_id: str = "m-1") -> bool:
        """Deliver to a new process that dies before its n-th call; return whether it got to die."""
        life = Life(call, of=of)
        self.sender = self.new_sender(gate=life)
        try:
            self.deliver(body, message_id=message_id)
        except Killed:
            return True
        finally:
            self.sender = self.new_sender()
        return False

    def pass_time(self, **length: float) -> None:
        """Move the clock by a ``timedelta``."""
        self.now += timedelta(**length)

    def change_secret(self, pwd: str, **others: str) -> None:
        """Rotate the platform secret on our side alone."""
        text = json.dumps(SECRET | {"pwd": pwd, **others})
        self.secrets.put_secret_value(SecretId=self.secret_arn, SecretString=text)

    def open_platform(self, **settings: Any) -> Platform:
        """A platform that knows nothing of what another has seen."""
        return Platform(self.settings.changed(settings))

    # --- what a test looks at -----------------------------------------------------------------------------------

    def all_rows(self) -> list[dict[str, Any]]:
        """Every row of Sends, by send and part."""
        return sorted(self._scan("SendsTable"), key=lambda row: (row["send_id"], row["part"]))

    def outbound(self) -> list[tuple[str, str, str]]:
        """Who is sent to, by all rows of Outbound: mobile, send and part."""
        return sorted((row["mobile"], row["send_id"], row["part"]) for row in self._scan("OutboundTable"))

    def _scan(self, logical: str) -> list[dict[str, Any]]:
        return [dict(row) for row in self.memory[logical].rows.values()] if logical in self.memory else []

    def row(self, send_id: str = "m-1", part: str = "1") -> dict[str, Any]:
        """One row of Sends; fails if it is not there."""
        found = self.table("SendsTable").get({"send_id": send_id, "part": part})
        assert found is not None, f"no row {send_id}, {part}"
        return found

    def account(self, cid: str = CID) -> dict[str, Any]:
        """An account's row; fails if it is not there."""
        found = self.table("AccountTable").get({"cid": cid})
        assert found is not None, f"no row {cid}"
        return found

    def accepted(self) -> list[str]:
        """Every mobile that the platform has taken an SMS for, as often as it has."""
        return [mobile for message in self.platform.messages for mobile in message.mobiles]


def _forked[T](thing: T) -> T:
    """Return a copy that shares with the original only what nobody can change."""
    match thing:
        case list() | set() | deque() | tuple():
            return type(thing)(map(_forked, thing))
        case dict():
            return {key: _forked(value) for key, value in thing.items()}  # type: ignore[return-value]
    if isinstance(thing, _NEVER_CHANGES) or _is_frozen(thing):
        return thing
    other = object.__new__(type(thing))
    vars(other).update({name: _forked(value) for name, value in vars(thing).items()})
    return other


_NEVER_CHANGES = (str, int, float, bytes, frozenset, datetime, timedelta, Enum, Settings, type(None))


def _is_frozen(thing: object) -> bool:
    parameters = getattr(thing, "__dataclass_params__", None)
    return bool(parameters and parameters.frozen)


@dataclass
class DynamoWorld(World):
    """A world whose tables and secret are boto3's: moto's if that is switched on, or an emulator's."""

    dynamodb: Any = field(default_factory=lambda: boto3.client("dynamodb"))
    secretsmanager: Any = field(default_factory=lambda: boto3.client("secretsmanager"))

    def open_store(self) -> None:
        """Make the tables and the secret."""
        self.tables = create_tables(self.dynamodb, prefix=f"{uuid.uuid4().hex[:8]}-")
        self.secrets = self.secretsmanager
        text = json.dumps(SECRET)
        self.secret_arn = self.secrets.create_secret(Name=uuid.uuid4().hex, SecretString=text)["ARN"]

    def table(self, logical: str) -> Table:
        return DynamoTable(self.dynamodb, self.tables[logical])

    def fork(self) -> Self:
        raise NotImplementedError("What is in a database has one future.")

    def _scan(self, logical: str) -> list[dict[str, Any]]:
        pages = self.dynamodb.get_paginator("scan").paginate(TableName=self.tables[logical])
        return [from_item(item) for page in pages for item in page["Items"]]
