"""``kxt doctor`` finds what is wrong with a deployment, and says the next step."""

import io
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError

from kuaixintong.core import beijing
from kuaixintong.doctor import Finding, Verdict, examine
from kuaixintong.stack import Stack
from kuaixintong.stores import aws as edge
from tests.deployed import Deployed, kxt

NOW = datetime(2026, 11, 25, 4, tzinfo=UTC)
CONFIRMED = {"SubscriptionArn": "arn:aws:sns:us-east-1:123456789012:alarms:1"}


class Others:
    """The services that moto does not play here, on paper: what each answers."""

    def __init__(self) -> None:
        self.login: dict[str, Any] | None = {"code": 0, "words": "操作成功"}
        self.failed: dict[str, Any] | None = None
        self.subscriptions = [CONFIRMED]
        self.alarms: list[str] = []
        self.mapping = "Enabled"
        self.refused: frozenset[str] = frozenset()
        self.invoked: list[dict[str, Any]] = []

    def describe_stack_resource(self, **_: Any) -> dict[str, Any]:
        return {"StackResourceDetail": {"PhysicalResourceId": "balance"}}

    def invoke(self, **asked: Any) -> dict[str, Any]:
        self._refuse("Invoke")
        self.invoked.append(asked)
        told = self.failed or self.login
        answer = {"Payload": io.BytesIO(json.dumps(told).encode())}
        return answer | ({"FunctionError": "Unhandled"} if self.failed else {})

    def list_subscriptions_by_topic(self, **_: Any) -> dict[str, Any]:
        self._refuse("ListSubscriptionsByTopic")
        return {"Subscriptions": self.subscriptions}

    def describe_alarms(self, **_: Any) -> dict[str, Any]:
        return {"MetricAlarms": [{"AlarmName": name} for name in self.alarms]}

    def list_event_source_mappings(self, **_: Any) -> dict[str, Any]:
        return {"EventSourceMappings": [{"State": self.mapping}] if self.mapping else []}

    def _refuse(self, operation: str) -> None:
        if operation in self.refused:
            raise ClientError({"Error": {"Code": "AccessDeniedException", "Message": "…"}}, operation)


@pytest.fixture
def others(monkeypatch: pytest.MonkeyPatch) -> Others:
    others = Others()
    for name in ("cloudformation", "functions", "sns", "cloudwatch"):
        monkeypatch.setattr(edge.Person, name, lambda _self: others)
    return others


@pytest.fixture
def deployed(aws: None, others: Others, monkeypatch: pytest.MonkeyPatch) -> Deployed:
    deployed = Deployed()
    deployed.outputs |= {
        "SendQueueArn": "arn:send",
        "UrgentQueueArn": "arn:urgent",
        "SourceAddress": "203.0.113.7",
    }
    deployed.parameters["PlatformUrl"] = "https://platform.example/service"
    deployed.put("AccountTable", {"cid": "1", "sequence": 1, "sm_balance": 900})
    monkeypatch.setattr(Stack, "of", lambda name, **_: deployed.stack(name))
    monkeypatch.setenv("KXT_STACK", "kuaixintong-test")
    return deployed


def found(deployed: Deployed, check: str) -> Finding:
    (finding,) = (each for each in examine(deployed.stack(), now=NOW) if each.check == check)
    return finding


def accepted(deployed: Deployed, send_id: str = "order-1", *, ago: timedelta = timedelta(hours=1)) -> None:
    at = beijing.iso(NOW - ago)
    listing = {"day_shard": "2026-11-25#0", "created_at": at, "updated_at": at, "parts": 1}
    deployed.part(send_id, **listing)


def reported(deployed: Deployed) -> None:
    row = {
        "token": "376",
        "outcome": "13700000001#0#1",
        "mobile": "13700000001",
        "result_code": "0",
        "success": True,
    }
    deployed.put("ReportsTable", row | {"received_at": "2026-11-25T12:00:05.000+08:00"})


def test_where_all_is_well_the_status_is_0(deployed: Deployed, others: Others) -> None:
    accepted(deployed, ago=timedelta(hours=3))
    reported(deployed)
    told = kxt("doctor", "--json")
    assert told.status == 0
    assert {each["check"]: each["verdict"] for each in told.json if each["verdict"] == "wrong"} == {}
    assert len(told.json) == 11
    assert json.loads(others.invoked[0]["Payload"]) == {"only": "login"}


@pytest.mark.parametrize(
    ("told", "words", "step"),
    [
        ({"code": 200, "words": "认证错"}, "cid, uid or password is wrong", "put-secret-value"),
        ({"code": 240, "words": "认证失败"}, "cid, uid or password is wrong", "put-secret-value"),
        ({"code": 220, "words": None}, "the source address is refused", "203.0.113.7"),
        ({"code": 250, "words": "账户已停用"}, "250 账户已停用", "staff"),
        ({"no_answer": "name not found", "words": "…"}, "does not answer: name not found", "PlatformUrl"),
    ],
)
def test_what_the_platform_refuses_is_told(
    deployed: Deployed, others: Others, told: dict[str, Any], words: str, step: str
) -> None:
    others.login = told
    finding = found(deployed, "login")
    assert (finding.verdict, words in finding.words, step in finding.step) == (Verdict.WRONG, True, True)


def test_an_empty_secret_is_told(deployed: Deployed, others: Others) -> None:
    others.failed = {
        "errorType": "CredentialsUnusable",
        "errorMessage": "The secret's field cid, uid, pwd is missing.",
    }
    finding = found(deployed, "login")
    assert finding.verdict is Verdict.WRONG
    assert "cid, uid, pwd is missing" in finding.words
    assert deployed.outputs["PlatformSecretArn"] in finding.step


def test_without_an_address_of_its_own_the_stack_is_told_how_to_get_one(
    deployed: Deployed, others: Others
) -> None:
    others.login = {"code": 220, "words": None}
    del deployed.outputs["SourceAddress"]
    assert "Network=Create" in found(deployed, "login").step


def test_a_function_that_fails_otherwise_is_told(deployed: Deployed, others: Others) -> None:
    others.failed = {"errorType": "SettingsMissing", "errorMessage": "PLATFORM_URL is missing"}
    finding = found(deployed, "login")
    assert (finding.verdict, "PLATFORM_URL" in finding.words) == (Verdict.WRONG, True)


def test_what_may_not_be_looked_at_is_told_and_the_rest_goes_on(deployed: Deployed, others: Others) -> None:
    others.refused = frozenset({"Invoke", "ListSubscriptionsByTopic"})
    findings = {each.check: each for each in examine(deployed.stack(), now=NOW)}
    assert len(findings) == 11
    assert findings["login"].verdict is Verdict.UNKNOWN
    assert "do not permit lambda:Invoke" in findings["login"].words
    assert "do not permit sns:ListSubscriptionsByTopic" in findings["alarm topic"].words


def test_a_pause_is_told_with_its_reason(deployed: Deployed) -> None:
    paused = {"pause_reason": "authentication", "pause_until": beijing.iso(NOW + timedelta(minutes=1))}
    deployed.put("AccountTable", {"cid": "1", "sequence": 1, "sm_balance": 0} | paused)
    assert found(deployed, "pause").verdict is Verdict.WRONG
    assert "authentication" in found(deployed, "pause").words
    assert found(deployed, "balance").verdict is Verdict.WRONG


def test_a_push_url_that_nobody_pushes_to_is_told(deployed: Deployed) -> None:
    accepted(deployed)
    finding = found(deployed, "pushes")
    assert (finding.verdict, "https://push.example/prod/receive" in finding.step) == (Verdict.WRONG, True)
    reported(deployed)
    assert found(deployed, "pushes").verdict is Verdict.GOOD


def test_what_was_accepted_just_now_proves_nothing(deployed: Deployed) -> None:
    accepted(deployed, ago=timedelta(minutes=5))
    finding = found(deployed, "pushes")
    assert (finding.verdict, "No push has ever come" in finding.words) == (Verdict.UNKNOWN, True)


@pytest.mark.parametrize(
    ("subscriptions", "words"),
    [([], "Nobody hears the alarms."), ([{"SubscriptionArn": "PendingConfirmation"}], "is confirmed")],
)
def test_alarms_that_nobody_hears_are_told(
    deployed: Deployed, others: Others, subscriptions: list[dict[str, str]], words: str
) -> None:
    others.subscriptions = subscriptions
    finding = found(deployed, "alarm topic")
    assert (finding.verdict, words in finding.words) == (Verdict.WRONG, True)


def test_an_alarm_that_is_on_is_told(deployed: Deployed, others: Others) -> None:
    others.alarms = ["kuaixintong-test-StoreErrorsAlarm"]
    assert "kuaixintong-test-StoreErrorsAlarm" in found(deployed, "alarms").words


@pytest.mark.parametrize("state", ["Disabled", ""])
def test_a_queue_that_nobody_works_on_is_told(deployed: Deployed, others: Others, state: str) -> None:
    others.mapping = state
    finding = found(deployed, "workers")
    assert (finding.verdict, "SendQueue and UrgentQueue" in finding.words) == (Verdict.WRONG, True)


def test_what_a_person_has_to_do_is_told_with_the_command(deployed: Deployed) -> None:
    deployed.sqs.send_message(QueueUrl=deployed.outputs["DeadLetterQueueUrl"], MessageBody="{}")
    deployed.part("order-9", attention="UNCONFIRMED", updated_at="2026-11-25T12:00:00.000+08:00")
    deployed.put(
        "QuarantineTable", {"digest": "4fd1", "chunk": 0, "raw": "x", "reason": "resultCode is missing", "seen": 1}
    )
    told = kxt("doctor")
    assert told.status == 1
    for command in ("kxt redrive", "kxt attention", "kxt quarantine list"):
        assert f"→ {command}" in told.printed or command in told.printed


@pytest.mark.parametrize(
    ("status", "verdict"),
    [("UPDATE_COMPLETE", "good"), ("ROLLBACK_COMPLETE", "wrong"), ("UPDATE_ROLLBACK_COMPLETE", "wrong")],
)
def test_a_deploy_that_failed_is_told(deployed: Deployed, status: str, verdict: str) -> None:
    stack = deployed.stack()
    stack.description = type(stack.description)(
        stack.name, status, stack.description.outputs, stack.description.parameters
    )
    (finding,) = (each for each in examine(stack, now=NOW) if each.check == "stack")
    assert finding.verdict == verdict
