"""Every alarm, driven to fire.

Two halves meet at the metric. A function in trouble writes metrics into its log, which CloudWatch reads and the
emulator does not: here the log is read instead, and held against the deployed alarm's definition. And a metric
past its threshold raises the alarm, which is told to the topic: that the emulator does.
"""

import json
import operator
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
import requests

from kuaixintong.stores.table import DynamoTable
from local.processes import wait_until
from local.simulator.running import RunningSimulator
from tests.e2e.deployment import Deployment, record
from tests.holding import hold
from tests.template import load, resources, watched

if TYPE_CHECKING:
    from mypy_boto3_cloudwatch.type_defs import MetricAlarmTypeDef

SEND = {"mobiles": ["13708600860"], "content": "周末参加不了培训了"}

COMPARISONS = {
    "GreaterThanThreshold": operator.gt,
    "GreaterThanOrEqualToThreshold": operator.ge,
    "LessThanThreshold": operator.lt,
}

type Trouble = Callable[[Deployment, RunningSimulator], None]


# --- what a function's log tells CloudWatch --------------------------------------------------------------------


@dataclass(frozen=True)
class Datum:
    """One value of a metric."""

    namespace: str
    name: str
    dimensions: frozenset[tuple[str, str]]
    value: float


def data(deployment: Deployment, group: str, since: int) -> Iterator[Datum]:
    """Read what CloudWatch would find in a log since a moment, in milliseconds: its embedded metric format."""
    pages = deployment.aws.logs.get_paginator("filter_log_events").paginate(
        logGroupName=deployment.physical(group), startTime=since
    )
    for line in (event["message"] for page in pages for event in page["events"] if "_aws" in event["message"]):
        entry = json.loads(line)
        for directive in entry["_aws"]["CloudWatchMetrics"]:
            for metric in directive["Metrics"]:
                for dimensions in directive["Dimensions"]:
                    named = frozenset((each, entry[each]) for each in dimensions)
                    yield Datum(directive["Namespace"], metric["Name"], named, sum(entry[metric["Name"]]))


def alarms(deployment: Deployment) -> dict[str, "MetricAlarmTypeDef"]:
    """The deployed alarms by their names in the template."""
    found = deployment.aws.cloudwatch.describe_alarms()["MetricAlarms"]
    by_name = {alarm["AlarmName"]: alarm for alarm in found}
    return {
        name: by_name[f"{deployment.stack.name}-{name}"] for name in resources("AWS::CloudWatch::Alarm", watched())
    }


def raises(alarm: "MetricAlarmTypeDef", datum: Datum) -> bool:
    """Whether an alarm looks at this metric, and finds its value past the threshold."""
    dimensions = frozenset((each["Name"], each["Value"]) for each in alarm["Dimensions"])
    looks = (alarm["Namespace"], alarm["MetricName"], dimensions)
    past = COMPARISONS[alarm["ComparisonOperator"]](datum.value, alarm["Threshold"])
    return looks == (datum.namespace, datum.name, datum.dimensions) and past


# --- troubles --------------------------------------------------------------------------------------------------


def settings(**changes: Any) -> Trouble:
    """Send something to a platform that is set differently."""

    def trouble(deployment: Deployment, platform: RunningSimulator) -> None:
        platform.change(**changes)
        platform.reset()
        deployment.enqueue(SEND)

    return trouble


def fault(**rule: Any) -> Trouble:
    """Send something to a platform that misbehaves, after it has shown once that the account works."""

    def trouble(deployment: Deployment, platform: RunningSimulator) -> None:
        deployment.settled(deployment.enqueue(SEND))
        platform.faults([{"op": "sendSm", **rule}])
        deployment.enqueue(SEND)

    return trouble


def too_dear(deployment: Deployment, platform: RunningSimulator) -> None:
    platform.change(balance=1)
    platform.reset()
    deployment.enqueue(SEND | {"mobiles": ["13708600860", "13708600861"]})


def no_send(deployment: Deployment, platform: RunningSimulator) -> None:
    deployment.enqueue({"mobiles": "13708600860", "content": "周末参加不了培训了"})


def outage(deployment: Deployment, platform: RunningSimulator) -> None:
    platform.refuse_connections()
    deployment.enqueue(SEND)


def last_receive(deployment: Deployment, platform: RunningSimulator) -> None:
    platform.refuse_connections()
    limit = load()["Parameters"]["ReceiveLimit"]["Default"]
    deployment.deliver(record("given-up", SEND, receive_count=limit))


def push(**fields: str) -> Trouble:
    def trouble(deployment: Deployment, platform: RunningSimulator) -> None:
        deployment.push(**fields)

    return trouble


def check(**changes: Any) -> Trouble:
    """Check the account of a platform that is set differently."""

    def trouble(deployment: Deployment, platform: RunningSimulator) -> None:
        platform.change(**changes)
        platform.reset()
        deployment.aws.functions.invoke(FunctionName=deployment.physical("BalanceFunction"), Payload=b"{}")

    return trouble


def due_late(deployment: Deployment, platform: RunningSimulator) -> None:
    table = DynamoTable(deployment.aws.dynamodb, deployment.outputs["SendsTableName"])
    hold(table, SEND | {"id": uuid.uuid4().hex}, datetime.now(UTC) - timedelta(minutes=10))
    deployment.invoke("DueFunction", {})


TROUBLES: dict[str, tuple[str, Trouble]] = {
    "GaveUpAlarm": ("SenderLogGroup", last_receive),
    "SendsPutOffAlarm": ("SenderLogGroup", fault(do="code", code=1)),
    "DueLateAlarm": ("DueLogGroup", due_late),
    "PausedAuthenticationAlarm": ("SenderLogGroup", settings(pwd="changed")),
    "PausedSourceAddressAlarm": ("SenderLogGroup", settings(allowed_sources=["192.0.2.1"])),
    "PausedAccountDisabledAlarm": ("SenderLogGroup", settings(account_disabled=True)),
    "PausedOrganisationDisabledAlarm": ("SenderLogGroup", settings(organisation_disabled=True)),
    "PausedBalanceAlarm": ("SenderLogGroup", settings(balance=0)),
    "PartsTooDearAlarm": ("SenderLogGroup", too_dear),
    "RefusedAlarm": ("SenderLogGroup", no_send),
    "PausedTimestampAlarm": ("SenderLogGroup", fault(do="code", code=230)),
    "PausedUnreachableAlarm": ("SenderLogGroup", outage),
    "UnconfirmedAlarm": ("SenderLogGroup", fault(do="cut", when="after", times=1)),
    "ProtocolAlarm": ("SenderLogGroup", fault(do="code", code=110)),
    "NoTokenAlarm": ("SenderLogGroup", fault(do="garble", body='{"stateCode": 0, "message": "操作成功"}')),
    "PushesRefusedAlarm": ("ReceiverLogGroup", push(type="report", jsonData="[]", pwd="wrong")),
    "PushesQuarantinedAlarm": ("ReceiverLogGroup", push(type="carrier pigeon", jsonData="[]")),
    "EntriesQuarantinedAlarm": ("ReceiverLogGroup", push(type="report", jsonData='[{"mobile": "13708600860"}]')),
    "LoginFailedAlarm": ("BalanceLogGroup", check(account_disabled=True)),
    "LowBalanceAlarm": ("BalanceLogGroup", check(balance=999)),
}

ELSEWHERE = {
    "StoreErrorsAlarm",  # tests/integration: no store of the emulator fails when asked to
    "DailyLimitNearAlarm",  # tests/integration: the deployed stack has no limit
    "DailyLimitReachedAlarm",
    "SendErrorsAlarm",  # tests/integration: it takes a fault in the program
    "PushesThrottledAlarm",  # tests/unit: it is counted from the access log, which the emulator does not write
}
"""Alarms on metrics of our own whose trouble cannot be made here."""


@pytest.mark.parametrize("name", TROUBLES)
def test_a_trouble_is_told_to_its_alarm(deployment: Deployment, platform: RunningSimulator, name: str) -> None:
    group, trouble = TROUBLES[name]
    alarm = alarms(deployment)[name]
    since = int(time.time() * 1000)
    trouble(deployment, platform)
    wait_until(
        lambda: any(raises(alarm, datum) for datum in data(deployment, group, since)),
        f"The log of {group} holds what raises {name}",
        seconds=120,
    )


def test_work_that_goes_well_raises_no_alarm(deployment: Deployment, platform: RunningSimulator) -> None:
    since = int(time.time() * 1000)
    platform.change(balance=1000 + len(SEND["mobiles"]))
    platform.reset()
    deployment.settled(deployment.enqueue(SEND))
    deployment.push(type="report", jsonData="[]")
    check()(deployment, platform)
    told = [
        datum
        for group in ("SenderLogGroup", "ReceiverLogGroup", "BalanceLogGroup")
        for datum in data(deployment, group, since)
    ]
    assert {"PartsAccepted", "EntriesQuarantined", "LoginFailed", "SmBalance"} <= {datum.name for datum in told}
    raised = [
        (name, datum) for name, alarm in alarms(deployment).items() for datum in told if raises(alarm, datum)
    ]
    assert raised == []


STRANGERS: dict[str, dict[str, Any]] = {
    "nothing": {},
    "a wrong password": {"data": {"uid": "test", "pwd": "wrong", "type": "report", "jsonData": "[]"}},
    "a form that is none": {
        "data": "%%%&=&&pwd",
        "headers": {"Content-Type": "application/x-www-form-urlencoded"},
    },
    "bytes": {"data": bytes(range(256)) * 100, "headers": {"Content-Type": "application/octet-stream"}},
    "a JSON object": {"data": '{"uid": {"pwd": []}}', "headers": {"Content-Type": "application/json"}},
    "the spec's notation, cut off": {"data": '{uid="x", pwd="'},
    "a multipart body without a boundary": {"data": "--x", "headers": {"Content-Type": "multipart/form-data"}},
    "hostile heads": {
        "data": "--x\r\nContent-Disposition: form-data; name*=a; name*0*=b\r\n\r\n1\r\n--x--\r\n",
        "headers": {"Content-Type": "multipart/form-data; boundary=x"},
    },
    "a head that names no charset": {
        "data": "--x\r\nContent-Disposition: form-data; name*=idna''x\r\n\r\n1\r\n--x--\r\n",
        "headers": {"Content-Type": "multipart/form-data; boundary=x"},
    },
    "a content type of their own": {"data": "x", "headers": {"Content-Type": "a/b; boundary*=a; boundary*0*=b"}},
    "a megabyte": {"data": {"uid": "test", "pwd": "x" * 1_000_000}},
}


def test_strangers_are_turned_away_and_hold_no_deployment_back(deployment: Deployment) -> None:
    since = int(time.time() * 1000)
    url = deployment.stack.push_url
    answers = {name: requests.post(url, timeout=30, **request).status_code for name, request in STRANGERS.items()}
    assert answers == dict.fromkeys(STRANGERS, 403)
    told = list(data(deployment, "ReceiverLogGroup", since))
    assert sum(datum.value for datum in told if datum.name == "PushRefused") == len(STRANGERS)
    deployed = alarms(deployment)
    guards = [deployed[name] for name in resources("AWS::CloudWatch::Alarm")]
    assert [datum for datum in told for guard in guards if raises(guard, datum)] == []


def test_every_alarm_on_a_metric_of_our_own_has_its_trouble_here_or_elsewhere(deployment: Deployment) -> None:
    own = {name for name, alarm in alarms(deployment).items() if alarm["Namespace"].startswith("Kuaixintong/")}
    assert own == set(TROUBLES) | ELSEWHERE


# --- from the metric to those who have to act ------------------------------------------------------------------


@pytest.fixture
def mailbox(deployment: Deployment) -> Iterator[str]:
    """The URL of a queue that every alarm is told to."""
    sns, sqs, topic = deployment.aws.sns, deployment.aws.sqs, deployment.outputs["AlarmTopicArn"]
    url = sqs.create_queue(QueueName="mailbox")["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    allow = {"Effect": "Allow", "Principal": {"Service": "sns.amazonaws.com"}, "Action": "sqs:SendMessage"}
    from_topic = {"Resource": arn, "Condition": {"ArnEquals": {"aws:SourceArn": topic}}}
    policy = json.dumps({"Version": "2012-10-17", "Statement": [allow | from_topic]})
    sqs.set_queue_attributes(QueueUrl=url, Attributes={"Policy": policy})
    subscription = sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn, ReturnSubscriptionArn=True)
    yield url
    sns.unsubscribe(SubscriptionArn=subscription["SubscriptionArn"])
    sqs.delete_queue(QueueUrl=url)


def test_every_alarm_is_told_to_whoever_subscribes(deployment: Deployment, mailbox: str) -> None:
    cloudwatch, sqs = deployment.aws.cloudwatch, deployment.aws.sqs
    deployed = alarms(deployment)
    for alarm in deployed.values():
        cloudwatch.set_alarm_state(
            AlarmName=alarm["AlarmName"], StateValue="OK", StateReason="as if all were well"
        )
        past = -1 if alarm["ComparisonOperator"].startswith("Less") else 1
        cloudwatch.put_metric_data(
            Namespace=alarm["Namespace"],
            MetricData=[
                {
                    "MetricName": alarm["MetricName"],
                    "Dimensions": alarm["Dimensions"],
                    "Value": alarm["Threshold"] + past,
                }
            ],
        )
    told: dict[str, str] = {}

    def all_told() -> bool:
        answer = sqs.receive_message(QueueUrl=mailbox, MaxNumberOfMessages=10)
        for message in answer.get("Messages", []):
            sqs.delete_message(QueueUrl=mailbox, ReceiptHandle=message["ReceiptHandle"])
            notice = json.loads(json.loads(message["Body"])["Message"])
            if notice["NewStateValue"] == "ALARM":
                told[notice["AlarmName"]] = notice["AlarmDescription"]
        return len(told) == len(deployed)

    wait_until(all_told, "Every alarm is told")
    assert told == {alarm["AlarmName"]: alarm["AlarmDescription"] for alarm in deployed.values()}


def test_the_dashboard_shows_the_deployed_alarms(deployment: Deployment) -> None:
    cloudwatch = deployment.aws.cloudwatch
    dashboard = cloudwatch.get_dashboard(DashboardName=deployment.outputs["DashboardName"])
    [widget] = [each for each in json.loads(dashboard["DashboardBody"])["widgets"] if each["type"] == "alarm"]
    assert sorted(widget["properties"]["alarms"]) == sorted(
        alarm["AlarmArn"] for alarm in alarms(deployment).values()
    )
