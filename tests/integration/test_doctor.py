"""``kxt doctor`` finds what is wrong with a deployment, and says the next step."""

import io
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from kuaixintong.core import beijing
from kuaixintong.core.codes import look_up
from kuaixintong.doctor import Finding, Verdict, examine
from kuaixintong.stack import Stack
from kuaixintong.stores import aws as edge
from tests.aws_faults import client_error
from tests.deployed import Deployed, kxt

NOW = datetime(2026, 11, 25, 4, tzinfo=UTC)
CONFIRMED = {"SubscriptionArn": "arn:aws:sns:us-east-1:123456789012:alarms:1"}


TOPIC, NAME = "arn:aws:sns:us-east-1:123456789012:alarms", "kuaixintong-test"


class Others:
    """The services that moto does not play here, on paper: what each answers about what belongs to the stack."""

    def __init__(self) -> None:
        self.login: dict[str, Any] | None = {"code": 0, "words": "操作成功"}
        self.failed: dict[str, Any] | None = None
        self.subscriptions = [CONFIRMED]
        self.alarms: list[str] = []
        self.mappings = {"arn:send": ["Enabled"], "arn:urgent": ["Enabled"]}
        self.refused: frozenset[str] = frozenset()
        self.invoked: list[dict[str, Any]] = []

    def describe_stack_resource(self, **asked: Any) -> dict[str, Any]:
        assert asked == {"StackName": NAME, "LogicalResourceId": "BalanceFunction"}
        return {"StackResourceDetail": {"PhysicalResourceId": "balance"}}

    def invoke(self, **asked: Any) -> dict[str, Any]:
        self._refuse("Invoke")
        self.invoked.append(asked)
        told = self.failed if self.failed is not None else self.login
        answer = {"Payload": io.BytesIO(json.dumps(told).encode() if told != {} else b"")}
        return answer | ({"FunctionError": "Unhandled"} if self.failed is not None else {})

    def list_subscriptions_by_topic(self, **asked: Any) -> dict[str, Any]:
        assert asked == {"TopicArn": TOPIC}
        self._refuse("ListSubscriptionsByTopic")
        return {"Subscriptions": self.subscriptions}

    def describe_alarms(self, **asked: Any) -> dict[str, Any]:
        assert asked == {"AlarmNamePrefix": f"{NAME}-", "StateValue": "ALARM"}
        self._refuse("DescribeAlarms")
        return {"MetricAlarms": [{"AlarmName": name} for name in self.alarms]}

    def list_event_source_mappings(self, **asked: Any) -> dict[str, Any]:
        self._refuse("ListEventSourceMappings")
        (queue,) = asked.values()
        return {"EventSourceMappings": [{"State": state} for state in self.mappings[queue]]}

    def _refuse(self, operation: str) -> None:
        if operation in self.refused:
            raise client_error("AccessDeniedException", operation)


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
    operations = {
        "login": "lambda:Invoke",
        "alarm topic": "sns:ListSubscriptionsByTopic",
        "alarms": "cloudwatch:DescribeAlarms",
        "workers": "lambda:ListEventSourceMappings",
    }
    others.refused = frozenset(each.partition(":")[2] for each in operations.values())
    findings = {each.check: each for each in examine(deployed.stack(), now=NOW)}
    assert len(findings) == 11
    for check, operation in operations.items():
        assert findings[check].verdict is Verdict.UNKNOWN
        assert f"do not permit {operation}" in findings[check].words


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


@pytest.mark.parametrize("states", [["Disabled"], []])
def test_a_queue_that_nobody_works_on_is_told(deployed: Deployed, others: Others, states: list[str]) -> None:
    others.mappings["arn:urgent"] = states
    assert found(deployed, "workers").words == "Nobody works on UrgentQueue: what is enqueued there waits."
    others.mappings["arn:send"] = states
    finding = found(deployed, "workers")
    assert (finding.verdict, "SendQueue and UrgentQueue" in finding.words) == (Verdict.WRONG, True)
    assert "aws lambda list-event-source-mappings" in finding.step


@pytest.mark.parametrize("state", ["Enabled", "Enabling", "Updating"])
def test_a_queue_that_is_about_to_be_worked_on_is_worked_on(
    deployed: Deployed, others: Others, state: str
) -> None:
    others.mappings["arn:urgent"] = ["Disabled", state]
    assert found(deployed, "workers") == Finding("workers", Verdict.GOOD, "Both lanes are worked on.")


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


# --- each in its own words --------------------------------------------------------------------------------------

PUSHES = (
    "Give the platform's staff the address https://push.example/prod/receive "
    "and the account in the secret arn:push."
)


def test_where_nothing_is_wrong_each_says_so_in_its_words(deployed: Deployed) -> None:
    accepted(deployed, ago=timedelta(hours=3))
    reported(deployed)
    assert [*examine(deployed.stack(), now=NOW)] == [
        Finding("stack", Verdict.GOOD, "CREATE_COMPLETE"),
        Finding("login", Verdict.GOOD, "The platform lets us in."),
        Finding("pause", Verdict.GOOD, "The account is not paused."),
        Finding("balance", Verdict.GOOD, "900 messages"),
        Finding("pushes", Verdict.GOOD, "1 of 1 accepted sends have reports."),
        Finding("alarm topic", Verdict.GOOD, "1 subscriber(s) hear alarms."),
        Finding("alarms", Verdict.GOOD, "No alarm is on."),
        Finding("workers", Verdict.GOOD, "Both lanes are worked on."),
        Finding("given up", Verdict.GOOD, "Nothing was given up."),
        Finding("attention", Verdict.GOOD, "Nothing needs a person."),
        Finding("quarantine", Verdict.GOOD, "All that was pushed could be read."),
    ]


def test_a_fresh_stack_is_judged_by_nothing_that_has_not_happened_yet(deployed: Deployed) -> None:
    deployed.dynamodb.delete_item(TableName=deployed.tables["AccountTable"], Key={"cid": {"S": "1"}})
    assert found(deployed, "pause") == Finding("pause", Verdict.UNKNOWN, "The platform has never been asked.")
    never = Finding("balance", Verdict.UNKNOWN, "No login has told the balance yet.")
    assert found(deployed, "balance") == never
    deployed.put("AccountTable", {"cid": "1", "sequence": 1})
    assert found(deployed, "balance") == never


@pytest.mark.parametrize(("balance", "verdict"), [(-1, "wrong"), (0, "wrong"), (1, "good")])
def test_a_balance_of_nothing_is_told(deployed: Deployed, balance: int, verdict: str) -> None:
    deployed.put("AccountTable", {"cid": "1", "sequence": 1, "sm_balance": balance})
    assert found(deployed, "balance").verdict == verdict


def test_a_pause_says_until_when_and_why(deployed: Deployed) -> None:
    until = NOW + timedelta(minutes=1)
    paused = {"pause_reason": "authentication", "pause_until": beijing.iso(until)}
    deployed.put("AccountTable", {"cid": "1", "sequence": 1} | paused)
    assert found(deployed, "pause") == Finding(
        "pause",
        Verdict.WRONG,
        f"The account is paused until {beijing.iso(until)}: authentication.",
        "Mend that; a good login ends it.",
    )


@pytest.mark.parametrize("told", [None, {}, {"words": "?"}])
def test_an_account_check_that_tells_nothing_is_of_an_older_release(
    deployed: Deployed, others: Others, told: dict[str, Any] | None
) -> None:
    others.login = told
    assert (found(deployed, "login").verdict, found(deployed, "login").step) == (Verdict.UNKNOWN, "make deploy")


def test_a_check_that_fails_without_a_word_is_told_all_the_same(deployed: Deployed, others: Others) -> None:
    others.failed = {}
    assert found(deployed, "login") == Finding(
        "login",
        Verdict.WRONG,
        "the account check failed",
        "Look at the log of the function BalanceFunction.",
    )


@pytest.mark.parametrize(
    ("told", "words"),
    [
        ({"no_answer": "timeout", "words": None}, "https://platform.example/service does not answer: timeout."),
        (
            {"no_answer": "tls", "words": "expired"},
            "https://platform.example/service does not answer: tls. expired",
        ),
        ({"code": 250, "words": None}, f"250 {look_up(250).meaning}"),
    ],
)
def test_what_the_platform_says_is_told_in_its_words(
    deployed: Deployed, others: Others, told: dict[str, Any], words: str
) -> None:
    others.login = told
    assert found(deployed, "login").words == words


def test_an_empty_secret_is_told_with_what_belongs_into_it(deployed: Deployed, others: Others) -> None:
    others.login = {"code": 200, "words": None}
    step = found(deployed, "login").step
    assert step.startswith('Put {"cid": …, "uid": …, "pwd": …} as the platform gave them into the secret: aws ')
    assert f"put-secret-value --secret-id {deployed.outputs['PlatformSecretArn']} --secret-string" in step


def test_where_no_push_has_ever_come_it_is_told_where_they_go(deployed: Deployed) -> None:
    deployed.outputs["PushSecretArn"] = "arn:push"
    assert found(deployed, "pushes").step == PUSHES
    reported(deployed)
    words = "Pushes have come; no send is old enough to miss its reports."
    assert found(deployed, "pushes") == Finding("pushes", Verdict.UNKNOWN, words)


def test_an_mo_proves_that_pushes_come(deployed: Deployed) -> None:
    deployed.put("InboundTable", {"mobile": "13700000001", "message_key": "k", "content": "好的"})
    assert found(deployed, "pushes").words.startswith("Pushes have come")


def test_sends_without_reports_are_told_with_their_number(deployed: Deployed) -> None:
    deployed.outputs["PushSecretArn"] = "arn:push"
    accepted(deployed, "order-1", ago=timedelta(minutes=16))
    deployed.part("order-2", day_shard="2026-11-24#0", created_at="2026-11-24T12:00:00.000+08:00")
    assert found(deployed, "pushes") == Finding(
        "pushes",
        Verdict.WRONG,
        "None of 1 accepted sends of the last two days has a report. Nobody seems to push.",
        PUSHES,
    )


@pytest.mark.parametrize(
    "row",
    [
        {"state": "REJECTED"},
        {"at_time": "2026-11-26 12:00:00"},
        {"mobiles": [f"137{number:08}" for number in range(101)]},
        {"updated_at": beijing.iso(NOW - timedelta(minutes=15))},
    ],
    ids=["refused", "for later", "large", "just now"],
)
def test_a_send_that_need_not_have_a_report_yet_proves_nothing(deployed: Deployed, row: dict[str, Any]) -> None:
    at = beijing.iso(NOW - timedelta(hours=1))
    deployed.part("order-1", **{"day_shard": "2026-11-25#0", "created_at": at, "updated_at": at, "parts": 1} | row)
    assert found(deployed, "pushes").verdict is Verdict.UNKNOWN


def test_twenty_sends_of_today_and_yesterday_are_enough(deployed: Deployed) -> None:
    for number in range(15):
        accepted(deployed, f"today-{number}")
    assert "None of 15 " in found(deployed, "pushes").words
    at = beijing.iso(NOW - timedelta(days=1))
    for number in range(15):
        listing = {"day_shard": "2026-11-24#0", "created_at": at, "updated_at": at, "parts": 1}
        deployed.part(f"yesterday-{number}", **listing)
    assert "None of 20 " in found(deployed, "pushes").words


def test_nobody_hearing_the_alarms_is_told_with_the_command(deployed: Deployed, others: Others) -> None:
    others.subscriptions = []
    step = found(deployed, "alarm topic").step
    assert step == (
        f"aws sns subscribe --topic-arn {TOPIC} --protocol email --notification-endpoint you@example.com"
    )


def test_alarms_that_are_on_are_told_in_order(deployed: Deployed, others: Others) -> None:
    others.alarms = ["b", "a"]
    assert found(deployed, "alarms") == Finding(
        "alarms", Verdict.WRONG, "On: a, b.", "docs/operations.md says what each wants."
    )


def test_what_lies_in_the_dead_letter_queue_is_counted_in_hand_or_not(deployed: Deployed) -> None:
    url = deployed.outputs["DeadLetterQueueUrl"]
    for _ in range(3):
        deployed.sqs.send_message(QueueUrl=url, MessageBody="{}")
    assert deployed.sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=1)["Messages"]
    assert found(deployed, "given up") == Finding(
        "given up",
        Verdict.WRONG,
        "3 message(s) lie in the dead-letter queue.",
        "Mend the cause, then: kxt redrive",
    )


def test_what_could_not_be_read_is_told_with_the_reason(deployed: Deployed) -> None:
    row = {"digest": "4fd1", "chunk": 0, "raw": "x", "reason": "resultCode is missing", "seen": 1}
    deployed.put("QuarantineTable", row)
    assert found(deployed, "quarantine") == Finding(
        "quarantine", Verdict.WRONG, "Pushes could not be read: resultCode is missing", "kxt quarantine list"
    )


@pytest.mark.parametrize(
    ("status", "step"),
    [
        ("DELETE_COMPLETE", "Look at the stack's events in CloudFormation for what failed."),
        ("UPDATE_IN_PROGRESS", "Look at the stack's events in CloudFormation for what failed."),
        ("UPDATE_ROLLBACK_COMPLETE", "make deploy"),
    ],
)
def test_what_to_do_about_a_deploy_is_told(deployed: Deployed, status: str, step: str) -> None:
    stack = deployed.stack()
    told = stack.description
    stack.description = type(told)(stack.name, status, told.outputs, told.parameters)
    finding = next(iter(examine(stack, now=NOW)))
    assert (finding.verdict, finding.step, finding.words.startswith(status)) == (Verdict.WRONG, step, True)
