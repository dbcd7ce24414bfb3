"""A sender's world in one thread: its real code, the simulator's platform, a queue on paper, tables in moto.

Where thousands of worlds are wanted, the tables are in memory instead (:class:`QuickWorld`).

Time stands still until a test moves it, and chance is a constant, so that every run is the same run.
"""

import json
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, cast

import boto3

from kuaixintong.admission import Admission
from kuaixintong.claims import Claims
from kuaixintong.core.codec import decode_answer, encode
from kuaixintong.core.credentials import PlatformCredentials
from kuaixintong.core.messages import Answer, Login, SendSm
from kuaixintong.core.pace import Lane
from kuaixintong.core.rows import Rows
from kuaixintong.slots import Slots
from kuaixintong.stores.account import Accounts
from kuaixintong.stores.dynamo import from_item
from kuaixintong.stores.parts import Parts
from kuaixintong.stores.queue import SendQueue
from kuaixintong.stores.secrets import CachedSecret
from kuaixintong.stores.table import DynamoTable, Table
from kuaixintong.submission import Progress, QueueMessage, Submitter
from local.simulator.platform import Platform
from local.simulator.settings import Settings
from tests.memory_table import MemoryTable
from tests.template import create_tables, tables

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_secretsmanager import SecretsManagerClient

CID, UID, PWD = "12345678", "test", "secret"
SECRET = {"cid": CID, "uid": UID, "pwd": PWD}
LEASE = timedelta(seconds=90)
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


class DirectLine:
    """The platform without HTTP between: the layer's codec on one side, the simulator's own on the other."""

    def __init__(self, platform: Platform, clock: Callable[[], datetime]) -> None:
        self._platform = platform
        self._clock = clock
        self.requests: list[dict[str, Any]] = []

    address = "direct"

    def ask(self, request: Login | SendSm, credentials: PlatformCredentials, timestamp: str) -> Answer:
        fields = encode(request, credentials, timestamp)
        self.requests.append(json.loads(fields["message"]))
        return decode_answer(self.act(fields))

    def act(self, fields: dict[str, str]) -> bytes:
        """Let the platform act on a request; return its answer's bytes."""
        return self._platform.receive(fields, self._clock()).answer.body


@dataclass
class World:
    """One account, its tables and its platform. Needs moto switched on."""

    settings: Settings = field(default_factory=lambda: Settings(cid=CID, uid=UID, pwd=PWD, balance=10_000_000))
    receive_limit: int = 500
    store_content: bool = True
    repeat_within: timedelta = timedelta(minutes=60)
    requests_per_second: float = 0
    now: datetime = START
    queue: PaperQueue = field(default_factory=PaperQueue)

    def __post_init__(self) -> None:
        self.platform = Platform(self.settings)
        self.line = DirectLine(self.platform, self._clock)
        self.open_store()
        self.sender = self.new_sender()

    def open_store(self) -> None:
        """Make the tables and the secret."""
        self.dynamodb: DynamoDBClient = boto3.client("dynamodb")
        self.secrets: SecretsManagerClient = boto3.client("secretsmanager")
        self.tables = create_tables(self.dynamodb, prefix=f"{uuid.uuid4().hex[:8]}-")
        self.secret_arn = self.secrets.create_secret(Name=uuid.uuid4().hex, SecretString=json.dumps(SECRET))["ARN"]

    def table(self, logical: str, client: Any = None) -> Table:
        """One of the template's tables, through a client of the test's if it has one."""
        return DynamoTable(client or self.dynamodb, self.tables[logical])

    def _clock(self) -> datetime:
        return self.now

    def _seconds(self) -> float:
        return self.now.timestamp()

    # --- processes ----------------------------------------------------------------------------------------------

    def new_sender(
        self,
        *,
        dynamodb: Any = None,
        tables: Callable[[str], Table] | None = None,
        secrets: Any = None,
        platform: Any = None,
        lease: timedelta = LEASE,
        lane: Lane = Lane.ORDINARY,
    ) -> Submitter:
        """A sender as a new process has it: nothing cached, no connection open. A test may stand between."""
        table = tables or (lambda logical: self.table(logical, dynamodb))
        accounts = Accounts(table("AccountTable"))
        return Submitter(
            claims=Claims(Parts(table("SendsTable")), self.rows(lease)),
            admission=Admission(
                accounts,
                CachedSecret(
                    secrets or self.secrets, self.secret_arn, PlatformCredentials, monotonic=self._seconds
                ),
                self.new_slots(accounts, lane),
                probe_lease=timedelta(seconds=20),
            ),
            platform=platform or self.line,
            queue=self.queue,
            receive_limit=self.receive_limit,
            longest_request=1.0,
            lane=lane,
            clock=self._clock,
            chance=lambda: 0.5,
        )

    def new_slots(self, accounts: Accounts, lane: Lane = Lane.ORDINARY) -> Slots:
        """The slots of a process of its own. To sleep is to let the world's time pass."""
        return Slots(
            accounts,
            clock=self._clock,
            lane=lane,
            requests=self.requests_per_second,
            monotonic=self._seconds,
            sleep=lambda seconds: self.pass_time(seconds=seconds),
        )

    def rows(self, lease: timedelta = LEASE) -> Rows:
        """How this world's rows are written."""
        return Rows(timedelta(days=180), lease, self.store_content, self.repeat_within)

    # --- what a test does ---------------------------------------------------------------------------------------

    def deliver(
        self, body: dict[str, Any] | str, *, message_id: str = "m-1", receive_count: int = 1, seconds: float = 60
    ) -> Progress:
        """Deliver one message to the sender, which has ``seconds`` to live."""
        text = body if isinstance(body, str) else json.dumps(body, ensure_ascii=False)
        ends = self.now + timedelta(seconds=seconds)
        message = QueueMessage(message_id, "receipt", text, receive_count)

        def left() -> float:
            return (ends - self.now).total_seconds()

        return self.sender.take(message, left)

    def deliver_until_done(self, body: dict[str, Any] | str, *, most: int = 20, message_id: str = "m-1") -> int:
        """Deliver as the queue would, time passing as asked for; return how many deliveries it took."""
        for count in range(1, most + 1):
            delivery = self.deliver(body, message_id=message_id, receive_count=count)
            if delivery.again is None:
                return count
            self.now += timedelta(seconds=delivery.again.delay + 0.001)
        raise AssertionError(f"not done after {most} deliveries: {delivery.again}")

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
        pages = self.dynamodb.get_paginator("scan").paginate(TableName=self.tables["SendsTable"])
        rows = [from_item(item) for page in pages for item in page["Items"]]
        return sorted(rows, key=lambda row: (row["send_id"], row["part"]))

    def row(self, send_id: str = "m-1", part: str = "1") -> dict[str, Any]:
        """One row of Sends; fails if it is not there."""
        return next(row for row in self.all_rows() if (row["send_id"], row["part"]) == (send_id, part))

    def account(self) -> dict[str, Any]:
        """The account's row."""
        key = {"cid": {"S": CID}}
        return from_item(self.dynamodb.get_item(TableName=self.tables["AccountTable"], Key=key)["Item"])

    def accepted(self) -> list[str]:
        """Every mobile that the platform has taken an SMS for, as often as it has."""
        return [mobile for message in self.platform.messages for mobile in message.mobiles]


class PaperSecrets:
    """As much of Secrets Manager as one secret needs."""

    def __init__(self) -> None:
        self.versions = [json.dumps(SECRET)]

    def get_secret_value(self, SecretId: str) -> dict[str, str]:  # noqa: N803  # boto3's word
        return {"SecretString": self.versions[-1], "VersionId": f"v{len(self.versions)}"}

    def put_secret_value(self, SecretId: str, SecretString: str) -> None:  # noqa: N803
        self.versions.append(SecretString)


@dataclass
class QuickWorld(World):
    """A world whose tables are in memory: thousands of schedules a second, and threads are safe in it."""

    def open_store(self) -> None:
        self.memory = {name: MemoryTable(name) for name in tables()}
        self.secrets = cast("SecretsManagerClient", PaperSecrets())
        self.secret_arn = "v1"

    def table(self, logical: str, client: Any = None) -> Table:
        return self.memory[logical]

    def all_rows(self) -> list[dict[str, Any]]:
        rows = self.memory["SendsTable"].rows.values()
        return sorted(rows, key=lambda row: (row["send_id"], row["part"]))

    def account(self) -> dict[str, Any]:
        return self.memory["AccountTable"].rows[CID,]
