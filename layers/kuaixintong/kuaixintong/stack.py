"""A stack, for whoever works with it from outside: everything that the library can do, by the stack's name.

::

    from kuaixintong.stack import Stack

    stack = Stack.of("kuaixintong-prod")          # the AWS credentials are those of the environment
    stack.outbox.send(mobiles=["13708600860"], content="…")
    stack.lookup.delivery_status("order-4711").mobiles

Each part is built when it is first asked for, and needs no permission before that. The credentials have to permit
``cloudformation:DescribeStacks``. All can be shared between threads.
"""

from datetime import timedelta
from functools import cached_property
from typing import TYPE_CHECKING, Self

from kuaixintong.core.errors import AccessRefused
from kuaixintong.core.lanes import Lane
from kuaixintong.nearby import LocalStack, local_stack
from kuaixintong.stores import aws, stack
from kuaixintong.stores.access import refusals
from kuaixintong.stores.stack import Description

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

    from kuaixintong.account_view import AccountView
    from kuaixintong.cancel import Canceller
    from kuaixintong.confirm import Confirmer
    from kuaixintong.intake import Intake
    from kuaixintong.optouts import OptOuts
    from kuaixintong.producer import Outbox
    from kuaixintong.status import Lookup
    from kuaixintong.stores.campaigns import Campaigns
    from kuaixintong.stores.queue import DeadLetters

__all__ = ["Stack"]


class Stack:
    """A stack's parts. ``nearby`` is what is known of it besides if it is the local one that is up."""

    def __init__(self, person: aws.Person, description: Description, nearby: LocalStack | None = None) -> None:
        self.person = person
        self.description = description
        self.nearby = nearby

    @classmethod
    def of(cls, name: str, *, region: str | None = None, profile: str | None = None) -> Self:
        """Return the stack ``name``; the local one, if one of that name is up and no region or profile is named.

        Raises :class:`AccessRefused` with a sentence that says what is missing.
        """
        near = None if region or profile else local_stack()
        if near and near.name == name:
            return cls._of(aws.Person(region=near.region, emulator=near.emulator), name, near)
        with refusals("cloudformation"):
            person = aws.Person(region=region, profile=profile)
        return cls._of(person, name, None)

    @classmethod
    def local(cls) -> Self | None:
        """Return the local stack that is up; ``None`` if there is none."""
        near = local_stack()
        return cls._of(aws.Person(region=near.region, emulator=near.emulator), near.name, near) if near else None

    @classmethod
    def _of(cls, person: aws.Person, name: str, nearby: LocalStack | None) -> Self:
        with refusals("cloudformation"):
            described = stack.described(person.cloudformation(), name)
        return cls(person, described, nearby)

    @property
    def name(self) -> str:
        """Its name."""
        return self.description.name

    def output(self, name: str) -> str:
        """Return an output. Raises :class:`AccessRefused` if the stack has none of that name."""
        if value := self.description.outputs.get(name):
            return value
        raise AccessRefused(
            f"The stack {self.name} has no output {name}: it is none of 快信通's, an older one, or not done yet "
            f"({self.description.status})."
        )

    def parameter(self, name: str, default: str = "") -> str:
        """Return a parameter's value; ``default`` for one that this stack does not have."""
        return self.description.parameters.get(name, default)

    @property
    def push_url(self) -> str:
        """Where the platform pushes to, as it can be reached from here."""
        return self.nearby.push_url if self.nearby else self.output("PushUrl")

    @cached_property
    def dynamodb(self) -> "DynamoDBClient":
        """The client of all tables."""
        with refusals("dynamodb"):
            return self.person.dynamodb()

    @cached_property
    def outbox(self) -> "Outbox":
        """Where sends are put in."""
        from kuaixintong.producer import Outbox  # noqa: PLC0415  # each part costs only those who use it
        from kuaixintong.stores.lanes import Lanes  # noqa: PLC0415

        with refusals("sqs"):
            return Outbox(Lanes(self.person.sqs(), self._lanes))

    @cached_property
    def lookup(self) -> "Lookup":
        """Every question that the tables answer."""
        from kuaixintong.settings import TableNames  # noqa: PLC0415
        from kuaixintong.wiring.reading import reader  # noqa: PLC0415

        outputs = self.description.outputs  # an older stack lacks some: only what needs them says so
        tables = TableNames(
            sends=self.output("SendsTableName"),
            reports=self.output("ReportsTableName"),
            inbound=self.output("InboundTableName"),
            outbound=outputs.get("OutboundTableName"),
            campaigns=outputs.get("CampaignsTableName"),
            mobiles=outputs.get("MobilesTableName"),
            account=outputs.get("AccountTableName"),
            reports_within=timedelta(hours=float(self.parameter("ReportsWithinHours", "72"))),
        )
        return reader(tables, self.dynamodb)

    @cached_property
    def campaigns(self) -> "Campaigns":
        """What has been named a campaign, and by whom."""
        from kuaixintong.stores.campaigns import Campaigns  # noqa: PLC0415
        from kuaixintong.stores.table import DynamoTable  # noqa: PLC0415

        return Campaigns(DynamoTable(self.dynamodb, self.output("CampaignsTableName")), self._retention)

    @cached_property
    def canceller(self) -> "Canceller":
        """What ends sends and campaigns."""
        from kuaixintong.settings import CancelSettings  # noqa: PLC0415
        from kuaixintong.wiring import cancelling  # noqa: PLC0415

        tables = CancelSettings(
            sends_table=self.output("SendsTableName"), campaigns_table=self.output("CampaignsTableName")
        )
        return cancelling.of_client(self.dynamodb, tables, retention=self._retention)

    @cached_property
    def confirmer(self) -> "Confirmer":
        """What settles parts by a person's word."""
        from kuaixintong.settings import ConfirmSettings  # noqa: PLC0415
        from kuaixintong.wiring.confirming import confirmer_of  # noqa: PLC0415

        settings = ConfirmSettings(sends_table=self.output("SendsTableName"), retention=self._retention)
        return confirmer_of(settings, self.dynamodb)

    @cached_property
    def dead_letters(self) -> "DeadLetters":
        """What was given up, and the way back."""
        from kuaixintong.stores.queue import DeadLetters  # noqa: PLC0415

        with refusals("sqs"):
            return DeadLetters(self.person.sqs(), self.output("DeadLetterQueueUrl"), self._lanes)

    @cached_property
    def quarantine(self) -> "Intake":
        """What could not be read, and where its contents belong."""
        from kuaixintong.core.optout_words import Words  # noqa: PLC0415
        from kuaixintong.settings import IntakeSettings  # noqa: PLC0415
        from kuaixintong.wiring.receiver import intake  # noqa: PLC0415

        settings = IntakeSettings(
            reports_table=self.output("ReportsTableName"),
            inbound_table=self.output("InboundTableName"),
            quarantine_table=self.output("QuarantineTableName"),
            mobiles_table=self.output("MobilesTableName"),
            words=Words.of(self.parameter("OptOutWords"), self.parameter("ResubscribeWords")),
            retention=self._retention,
        )
        return intake(settings, client=self.dynamodb)

    @cached_property
    def optouts(self) -> "OptOuts":
        """Who has opted out of marketing."""
        from kuaixintong.wiring.optouts import optouts_of  # noqa: PLC0415

        return optouts_of(self.dynamodb, self.output("MobilesTableName"))

    @cached_property
    def account(self) -> "AccountView":
        """How the account on the platform is, and what waits in the queues."""
        from kuaixintong.account_view import AccountView  # noqa: PLC0415

        return AccountView(self)

    @property
    def _retention(self) -> timedelta:
        return timedelta(days=int(self.parameter("RetentionDays", "180")))

    @property
    def _lanes(self) -> dict[Lane, str]:
        return {Lane.URGENT: self.output("UrgentQueueUrl"), Lane.ORDINARY: self.output("SendQueueUrl")}
