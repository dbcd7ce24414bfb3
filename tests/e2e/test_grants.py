"""Nothing is granted that nothing needs: each grant of each role is taken away, and something is refused.

The functions' own handlers run here, on the deployed tables, queues and secrets, as a role that has all grants of
the deployed one but one. What a handler catches counts all the same: a refusal is seen where boto3 sees it.
"""

import importlib.util
import json
import uuid
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import boto3
import pytest

from kuaixintong.core import beijing, references
from kuaixintong.core.errors import TryLater
from kuaixintong.core.lanes import Lane
from kuaixintong.core.references import Reference
from kuaixintong.stores.dynamo import to_item
from kuaixintong.stores.table import DynamoTable
from local.simulator.running import RunningSimulator
from tests.e2e.deployment import Deployment, record
from tests.holding import hold
from tests.receiving import Context
from tests.template import ROOT, load, resources

type Event = Mapping[str, Any]
type Scenario = Callable[[Deployment, RunningSimulator], list[Event]]

FUNCTIONS = resources("AWS::Serverless::Function")

BY_LAMBDA_ITSELF = {
    "SQS": {"sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes"},
    "DynamoDB": {"dynamodb:DescribeStream", "dynamodb:GetRecords", "dynamodb:GetShardIterator"},
    "logs": {"logs:CreateLogStream", "logs:PutLogEvents"},
}
"""What Lambda, unlike the emulator, asks for in a function's name: for an event source, for its log."""


# --- what the functions do -------------------------------------------------------------------------------------


def a_divided_send_that_comes_twice(deployment: Deployment, platform: RunningSimulator) -> list[Event]:
    """The transaction that divides it, and the second delivery's look at the rows that there are."""
    bad, good = f"139{uuid.uuid4().int % 10**8:08}", "13900000002"  # what is refused once is known from then on
    platform.change(refused_mobiles=[bad])
    name, send = uuid.uuid4().hex, {"mobiles": [bad, good], "content": "x"}
    return [{"Records": [record(name, send, receive_count=times)]} for times in (1, 2)]


def a_code_that_is_refused(deployment: Deployment, platform: RunningSimulator) -> list[Event]:
    """It is counted for its mobile, and given back."""
    platform.faults([{"op": "sendSm", "do": "code", "code": 320}])
    send = {"mobiles": ["13900000009"], "content": "x", "category": "otp"}
    return [{"Records": [record(uuid.uuid4().hex, send)]}]


def a_send_that_is_put_off(deployment: Deployment, platform: RunningSimulator) -> list[Event]:
    platform.faults([{"op": "sendSm", "do": "code", "code": 1}])
    return [{"Records": [record(uuid.uuid4().hex, {"mobiles": ["13900000003"], "content": "x"})]}]


def a_send_that_is_given_up(deployment: Deployment, platform: RunningSimulator) -> list[Event]:
    platform.faults([{"op": "sendSm", "do": "code", "code": 1}])
    limit = load()["Parameters"]["ReceiveLimit"]["Default"]
    send = {"mobiles": ["13900000004"], "content": "x"}
    return [{"Records": [record(uuid.uuid4().hex, send, receive_count=limit)]}]


def sends_to_a_disabled_account(deployment: Deployment, platform: RunningSimulator) -> list[Event]:
    """The first pauses it, the second meets the pause, the third looks whether it is over."""
    platform.change(account_disabled=True)
    send = {"mobiles": ["13900000006"], "content": "x"}
    return [{"Records": [record(uuid.uuid4().hex, send)]} for _ in range(3)]


def a_part_that_has_waited_as_a_row(deployment: Deployment, platform: RunningSimulator) -> list[Event]:
    reference = held_until_now(deployment)
    return [{"Records": [record(uuid.uuid4().hex, json.loads(references.written(reference)))]}]


def held_until_now(deployment: Deployment, lane: Lane = Lane.ORDINARY) -> Reference:
    table = DynamoTable(deployment.aws.dynamodb, deployment.outputs["SendsTableName"])
    send = {"id": uuid.uuid4().hex, "mobiles": ["13900000008"], "content": "x"}
    return hold(table, send, datetime.now(UTC) - timedelta(seconds=2), lane)


def a_look_at_what_is_due(deployment: Deployment, platform: RunningSimulator) -> list[Event]:
    for lane in Lane:
        held_until_now(deployment, lane)
    return [{}]


def a_push(kind: str, data: str) -> Scenario:
    def scenario(deployment: Deployment, platform: RunningSimulator) -> list[Event]:
        new = data.replace("NEW", uuid.uuid4().hex)  # what is in quarantine already is only counted
        query = {**deployment.push_credentials, "type": kind, "jsonData": new}
        return [{"httpMethod": "GET", "queryStringParameters": query, "headers": {}, "body": None}]

    return scenario


def a_check(deployment: Deployment, platform: RunningSimulator) -> list[Event]:
    return [{}]


def an_acceptance_that_reports_prove(deployment: Deployment, platform: RunningSimulator) -> list[Event]:
    """Whatever is read for it, and the write."""
    send_id, mobile, now = uuid.uuid4().hex, f"139{uuid.uuid4().int % 10**8:08}", datetime.now(UTC)
    asked, reported = (beijing.iso(now - timedelta(minutes=minutes)) for minutes in (60, 30))
    row = {"send_id": send_id, "part": "1", "state": "UNCONFIRMED", "mobiles": [mobile], "unanswered": 1}
    row |= {"timestamp": "202611251400000000", "asked_at": asked, "created_at": asked}
    row |= {"attention": "UNCONFIRMED", "updated_at": asked}
    report = {"token": send_id, "outcome": f"{mobile}#0#1", "mobile": mobile, "received_at": reported}
    deployment.put("SendsTableName", row)
    deployment.put("OutboundTableName", {"mobile": mobile, "send_id": send_id, "part": "1"})
    deployment.put("ReportsTableName", report)
    return [{}]


def a_send_of_a_campaign(deployment: Deployment, platform: RunningSimulator) -> list[Event]:
    """Its first: whether it is there already, and its name."""
    send = {"mobiles": ["13900000007"], "content": "x", "campaign": uuid.uuid4().hex}
    return [{"Records": [record(uuid.uuid4().hex, send)]}]


def a_reports_record(deployment: Deployment, platform: RunningSimulator) -> list[Event]:
    """Its part is looked for, and it is told."""
    row = {"token": "9703", "outcome": "13900000005#0#1", "mobile": "13900000005", "success": True}
    return [_streamed(row | {"result_code": "0", "received_at": "2026-11-23T12:00:00.000+08:00"})]


def an_mos_record_that_the_bus_does_not_take(deployment: Deployment, platform: RunningSimulator) -> list[Event]:
    """It is larger than an event may be, and old."""
    row = {"mobile": "13900000005", "message_key": "k", "content": "x" * 300_000}
    return [_streamed(row | {"smg_recv_date": "2026-11-23 12:00:00", "received_at": "2026-11-23T12:00:00+08:00"})]


def _streamed(row: dict[str, Any]) -> Event:
    change = {"NewImage": to_item(row), "SequenceNumber": "1", "ApproximateCreationDateTime": 1_700_000_000}
    return {"Records": [{"eventName": "INSERT", "dynamodb": change}]}


SENDING: list[Scenario] = [
    a_send_of_a_campaign,
    a_divided_send_that_comes_twice,
    a_code_that_is_refused,
    a_send_that_is_put_off,
    a_send_that_is_given_up,
    sends_to_a_disabled_account,
    a_part_that_has_waited_as_a_row,
]

SCENARIOS: dict[str, list[Scenario]] = {
    "SenderFunction": SENDING,
    "UrgentSenderFunction": SENDING,
    "ReceiverFunction": [
        a_push("report", '[{"token": 9701, "mobile": "13900000005", "resultCode": "0", "success": true}]'),
        a_push("mo", '[{"mobile": "13900000005", "content": "x", "smgRecvDate": "2015-01-01 12:00:00"}]'),
        a_push("mo", '[{"mobile": "13900000005", "content": "R", "smgRecvDate": "2015-01-01 12:00:00"}]'),
        a_push("no type", f"NEW and longer than a record's first chunk {'x' * 5_000}"),
    ],
    "DueFunction": [a_look_at_what_is_due],
    "BalanceFunction": [a_check, an_acceptance_that_reports_prove],
    "EventsFunction": [a_reports_record, an_mos_record_that_the_bus_does_not_take],
}


# --- grants ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Grant:
    """One action on one resource."""

    sid: str
    action: str
    resource: str


def as_list(value: str | list[str]) -> list[str]:
    return [value] if isinstance(value, str) else value


def granted(deployment: Deployment, role: str) -> list[Grant]:
    """What a deployed role allows."""
    iam, name = deployment.aws._client("iam"), deployment.physical(role)
    return [
        Grant(statement["Sid"], action, resource)
        for policy in iam.list_role_policies(RoleName=name)["PolicyNames"]
        for statement in document(iam.get_role_policy(RoleName=name, PolicyName=policy))["Statement"]
        for action in as_list(statement["Action"])
        for resource in as_list(statement["Resource"])
    ]


def document(answer: Any) -> dict[str, Any]:
    """A policy as IAM hands it out, decoded by boto3 or not."""
    found = answer["PolicyDocument"]
    decoded: dict[str, Any] = json.loads(found) if isinstance(found, str) else found
    return decoded


def by_lambda_itself(function: str) -> Counter[str]:
    """The actions that Lambda asks for in a function's name, each as often as there are resources to it."""
    events = FUNCTIONS[function]["Properties"].get("Events", {}).values()
    kinds = [*(event["Type"] for event in events if event["Type"] in BY_LAMBDA_ITSELF), "logs"]
    return Counter(action for kind in kinds for action in BY_LAMBDA_ITSELF[kind])


@dataclass
class Stage:
    """Handlers on the deployed stack, as a role whose grants a test sets."""

    deployment: Deployment
    platform: RunningSimulator
    patch: pytest.MonkeyPatch
    calls: dict[str, set[Scenario]] = field(default_factory=dict)
    """Which scenarios make a call: where its permission is missed first."""
    role: str = field(default_factory=lambda: f"grants-{uuid.uuid4().hex[:8]}")

    def open(self) -> None:
        """Make the role, and act as it from now on."""
        trust = {"Effect": "Allow", "Principal": {"AWS": "*"}, "Action": "sts:AssumeRole"}
        arn = self.deployment.aws._client("iam").create_role(
            RoleName=self.role,
            AssumeRolePolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [trust]}),
        )["Role"]["Arn"]
        given = self.deployment.aws.sts.assume_role(RoleArn=arn, RoleSessionName="test")["Credentials"]
        self.patch.setenv("AWS_ENDPOINT_URL", self.deployment.stack.endpoint)
        self.patch.setenv("AWS_ACCESS_KEY_ID", given["AccessKeyId"])
        self.patch.setenv("AWS_SECRET_ACCESS_KEY", given["SecretAccessKey"])
        self.patch.setenv("AWS_SESSION_TOKEN", given["SessionToken"])

    def grant(self, grants: list[Grant]) -> None:
        """Let the role do this and no more."""
        statements = [{"Effect": "Allow", "Action": each.action, "Resource": each.resource} for each in grants]
        self.deployment.aws._client("iam").put_role_policy(
            RoleName=self.role,
            PolicyName="grants",
            PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": statements}),
        )

    def refusals(self, function: str, scenario: Scenario) -> list[str]:
        """Run a function's handler as a new process does; return the calls that IAM refused."""
        self.deployment.begin_anew()
        events = scenario(self.deployment, self.platform)
        name = self.deployment.physical(function)
        settings = self.deployment.aws.functions.get_function_configuration(FunctionName=name)
        for key, value in settings["Environment"]["Variables"].items():
            self.patch.setenv(key, value)
        refused: list[str] = []

        def look(parsed: dict[str, Any], model: Any, **_: Any) -> None:
            self.calls.setdefault(model.name, set()).add(scenario)
            if parsed.get("Error", {}).get("Code", "").startswith("AccessDenied"):
                refused.append(model.name)

        session = boto3.Session()
        session.events.register("after-call", look)
        self.patch.setattr(boto3, "DEFAULT_SESSION", session)
        new_handler, context = handler(function).lambda_handler, Context(seconds_left=settings["Timeout"])
        for event in events:
            with suppress(TryLater):  # what the account check raises when it cannot read its secret
                new_handler(event, context)
        return refused


def handler(function: str) -> Any:
    """A function's handler, imported anew: nothing is built yet, nothing cached."""
    path = ROOT / Path(FUNCTIONS[function]["Properties"]["CodeUri"]) / "handler.py"
    spec = importlib.util.spec_from_file_location(f"{function}_{uuid.uuid4().hex}", path)
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def stage(deployment: Deployment, platform: RunningSimulator, monkeypatch: pytest.MonkeyPatch) -> Iterator[Stage]:
    stage = Stage(deployment, platform, monkeypatch)
    stage.open()
    yield stage
    deployment.aws._client("iam").delete_role_policy(RoleName=stage.role, PolicyName="grants")
    deployment.aws._client("iam").delete_role(RoleName=stage.role)


def test_every_function_has_its_scenarios() -> None:
    assert set(SCENARIOS) == set(FUNCTIONS)


@pytest.mark.filterwarnings("ignore:No application metrics")  # of a handler that gets no further than its secret
@pytest.mark.parametrize("function", SCENARIOS)
def test_with_any_grant_taken_away_something_is_refused(stage: Stage, function: str) -> None:
    [role, _] = FUNCTIONS[function]["Properties"]["Role"]["Fn::GetAtt"]
    grants = granted(stage.deployment, role)
    of_lambda = by_lambda_itself(function)
    assert Counter(each.action for each in grants if each.action in of_lambda) == of_lambda
    stage.grant(grants)
    assert [stage.refusals(function, scenario) for scenario in SCENARIOS[function]] == [
        [] for _ in SCENARIOS[function]
    ]
    not_needed = []
    for grant in grants:
        if grant.action in of_lambda:
            continue
        stage.grant([each for each in grants if each != grant])
        callers = stage.calls.get(grant.action.partition(":")[2], set())
        likely_first = sorted(SCENARIOS[function], key=lambda scenario: scenario not in callers)
        if not any(stage.refusals(function, scenario) for scenario in likely_first):
            not_needed.append(grant)
    assert not_needed == []
