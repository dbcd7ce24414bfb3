"""Events on the bus reach a rule's target: a part's end, a report and an MO (docs/streams.md)."""

import json
import uuid
from collections.abc import Iterator
from typing import Any

import jsonschema
import pytest

from local.processes import wait_until
from local.simulator.running import RunningSimulator
from tests.e2e.deployment import Deployment
from tests.template import ROOT

SCHEMAS = {"Part Ended": "part", "Report": "report", "MO": "mo"}


@pytest.fixture
def target(deployment: Deployment) -> Iterator[str]:
    """A queue that a rule on the bus leads everything to."""
    aws, bus = deployment.aws, deployment.outputs["EventBusName"]
    events = aws._client("events")
    url = aws.sqs.create_queue(QueueName="told")["QueueUrl"]
    arn = aws.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    pattern = json.dumps({"source": ["kuaixintong"]})
    events.put_rule(Name="told", EventBusName=bus, EventPattern=pattern)
    events.put_targets(Rule="told", EventBusName=bus, Targets=[{"Id": "queue", "Arn": arn}])
    yield url
    events.remove_targets(Rule="told", EventBusName=bus, Ids=["queue"])
    events.delete_rule(Name="told", EventBusName=bus)
    aws.sqs.delete_queue(QueueUrl=url)


class Told:
    """What the rule's target has been told of one send and one mobile, by its kind."""

    def __init__(self, deployment: Deployment, target: str, send_id: str, mobile: str) -> None:
        self.events: list[dict[str, Any]] = []
        self._sqs = deployment.aws.sqs
        self._target = target
        self._about = (send_id, mobile)

    def all_kinds(self) -> dict[str, dict[str, Any]]:
        """The details, once there is one of each kind."""
        answer = self._sqs.receive_message(QueueUrl=self._target, MaxNumberOfMessages=10, WaitTimeSeconds=1)
        self.events += [json.loads(message["Body"]) for message in answer.get("Messages", [])]
        found = {each["detail-type"]: each["detail"] for each in self.events if self._is_ours(each["detail"])}
        return found if found.keys() == SCHEMAS.keys() else {}

    def _is_ours(self, detail: dict[str, Any]) -> bool:
        return detail.get("send_id") == self._about[0] or detail.get("mobile") == self._about[1]


def test_an_end_a_report_and_an_mo_reach_a_rules_target(
    deployment: Deployment, platform: RunningSimulator, target: str
) -> None:
    send_id, mobile = uuid.uuid4().hex, "13900000081"
    deployment.enqueue({"id": send_id, "mobiles": [mobile], "content": "x", "category": "otp"})
    platform.mo(mobile, "你好吗")
    told = Told(deployment, target, send_id, mobile)
    found = wait_until(told.all_kinds, "all three events have come", seconds=120)
    for kind, detail in found.items():
        schema = json.loads((ROOT / "docs" / "events" / f"{SCHEMAS[kind]}.schema.json").read_text("utf-8"))
        jsonschema.validate(detail, schema)
    part, report, mo = (found[kind] for kind in ("Part Ended", "Report", "MO"))
    assert (part["state"], part["category"], part["mobiles"]) == ("ACCEPTED", "otp", 1)
    assert (report["send_id"], report["part"], report["token"]) == (send_id, "1", part["token"])
    assert (mo["mobile"], mo["content"]) == (mobile, "你好吗")
    assert {each["source"] for each in told.events} == {"kuaixintong"}
