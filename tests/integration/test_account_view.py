"""How the account is, as a person is told: by its own row, its queues' attributes and what CloudWatch knows."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from kuaixintong.account_view import AccountState, QueueState
from kuaixintong.core.errors import AccessRefused
from kuaixintong.core.gate import Dear
from kuaixintong.core.lanes import Lane
from kuaixintong.stores import aws as edge
from tests.aws_faults import client_error
from tests.deployed import Deployed

NOON = "2026-11-25T12:00:00.000+08:00"
LATER = "2026-11-25T12:05:00.000+08:00"
AT_NOON = datetime(2026, 11, 25, 4, tzinfo=UTC)


@pytest.fixture
def deployed(aws: None) -> Deployed:
    return Deployed()


class CloudWatch:
    """Knows how old the oldest message of each queue is, the newest value first."""

    def __init__(self, **ages: list[float]) -> None:
        self.ages = ages
        self.asked: list[dict[str, Any]] = []

    def get_metric_data(self, **asked: Any) -> dict[str, Any]:
        self.asked.append(asked)
        return {"MetricDataResults": [{"Label": name, "Values": values} for name, values in self.ages.items()]}


def put(deployed: Deployed, cid: str = "1", sequence: int = 1, **row: Any) -> None:
    deployed.put("AccountTable", {"cid": cid, "sequence": sequence} | row)


# --- the account ------------------------------------------------------------------------------------------------


def test_an_account_that_was_never_asked_is_none(deployed: Deployed) -> None:
    assert deployed.stack().account.state() is None
    deployed.put("AccountTable", {"cid": "1:balances", "balances": []})
    assert deployed.stack().account.state() is None


def test_an_account_of_which_little_is_known_says_so(deployed: Deployed) -> None:
    put(deployed)
    assert deployed.stack().account.state() == AccountState("1", None, None, None, None, None, None, None)


def test_all_that_the_row_says_is_told(deployed: Deployed) -> None:
    put(
        deployed, sm_balance=900, mm_balance=7, checked_at=NOON, pause_reason="balance", pause_until=LATER,
        dear_cost=5, dear_since=NOON, dear_until=LATER, dear_times=2, rate_milli=2_500, cut_at=1,
    )  # fmt: skip
    until = AT_NOON + timedelta(minutes=5)
    state = deployed.stack().account.state()
    assert state == AccountState("1", 900, 7, AT_NOON, "balance", until, Dear(5, AT_NOON, until, 2), 2.5)
    assert state.checked_at is not None
    assert state.checked_at.tzinfo is UTC
    assert state.paused(AT_NOON)
    assert not state.paused(until)


def test_of_two_accounts_the_one_that_was_asked_last_is_told(deployed: Deployed) -> None:
    put(deployed, "1", 12)
    put(deployed, "2", 30)
    put(deployed, "3", 7)
    state = deployed.stack().account.state()
    assert state is not None
    assert state.cid == "2"


@pytest.mark.parametrize(
    ("parameter", "learnt", "pace"),
    [("0", None, None), ("", None, None), ("5", None, 5), ("0", 2_500, 2.5), ("5", 2_500, 2.5), ("2", 2_500, 2)],
)
def test_the_pace_is_the_lower_of_what_is_set_and_what_is_learnt(
    deployed: Deployed, parameter: str, learnt: int | None, pace: float | None
) -> None:
    deployed.parameters["RequestsPerSecond"] = parameter
    known: dict[str, Any] = {"rate_milli": learnt, "cut_at": 1} if learnt else {}
    put(deployed, **known)
    view = deployed.stack().account
    assert view.pace(view.state()) == pace


def test_without_an_account_and_a_parameter_nothing_bounds_the_pace(deployed: Deployed) -> None:
    del deployed.parameters["RequestsPerSecond"]
    assert deployed.stack().account.pace(None) is None


# --- the queues -------------------------------------------------------------------------------------------------


def fill(deployed: Deployed, queue: str, count: int, *, in_hand: int = 0) -> None:
    url = deployed.outputs[f"{queue}Url"]
    for _ in range(count):
        deployed.sqs.send_message(QueueUrl=url, MessageBody="{}")
    for _ in range(in_hand):
        assert deployed.sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=1)["Messages"]


def test_queues_are_told_with_what_waits_and_what_is_in_hand(deployed: Deployed) -> None:
    fill(deployed, "SendQueue", 5, in_hand=2)
    fill(deployed, "UrgentQueue", 1)
    assert deployed.stack().account.queues() == {
        Lane.URGENT: QueueState(1, 0),
        Lane.ORDINARY: QueueState(3, 2),
        None: QueueState(0, 0),
    }


def test_the_age_of_the_oldest_message_is_told_where_one_is_there(
    deployed: Deployed, monkeypatch: pytest.MonkeyPatch
) -> None:
    cloudwatch = CloudWatch(SendQueue=[61.0, 1.0], UrgentQueue=[], DeadLetterQueue=[9.0])
    monkeypatch.setattr(edge.Person, "cloudwatch", lambda _: cloudwatch)
    fill(deployed, "SendQueue", 1, in_hand=1)
    fill(deployed, "UrgentQueue", 1)
    begun = datetime.now(UTC)
    assert deployed.stack().account.queues(ages=True) == {
        Lane.URGENT: QueueState(1, 0),
        Lane.ORDINARY: QueueState(0, 1, 61),
        None: QueueState(0, 0),  # the age is of a message that has gone
    }
    (asked,) = cloudwatch.asked
    assert asked["EndTime"] - asked["StartTime"] == timedelta(minutes=10)
    assert timedelta() <= asked["EndTime"] - begun < timedelta(minutes=1)
    assert asked["MetricDataQueries"] == [
        {
            "Id": f"q{place}",
            "Label": queue,
            "MetricStat": {
                "Metric": {
                    "Namespace": "AWS/SQS",
                    "MetricName": "ApproximateAgeOfOldestMessage",
                    "Dimensions": [{"Name": "QueueName", "Value": queue}],
                },
                "Period": 60,
                "Stat": "Maximum",
            },
        }
        for place, queue in enumerate(("UrgentQueue", "SendQueue", "DeadLetterQueue"))
    ]


def test_ages_are_asked_for_once_a_minute(deployed: Deployed, monkeypatch: pytest.MonkeyPatch) -> None:
    cloudwatch, now = CloudWatch(SendQueue=[61.0]), [1_000.0]
    monkeypatch.setattr(edge.Person, "cloudwatch", lambda _: cloudwatch)
    monkeypatch.setattr("kuaixintong.account_view.time.monotonic", lambda: now[0])
    fill(deployed, "SendQueue", 1)
    view = deployed.stack().account
    assert view.queues()[Lane.ORDINARY].oldest is None
    for second, asked in ((0, 1), (59, 1), (60, 2)):
        now[0] = 1_000.0 + second
        assert view.queues(ages=True)[Lane.ORDINARY].oldest == 61
        assert len(cloudwatch.asked) == asked


def test_whoever_may_not_read_metrics_sees_the_queues_and_is_asked_again_in_a_minute(
    deployed: Deployed, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Refusing(CloudWatch):
        def get_metric_data(self, **asked: Any) -> dict[str, Any]:
            super().get_metric_data(**asked)
            raise client_error("AccessDenied", "GetMetricData")

    cloudwatch = Refusing()
    monkeypatch.setattr(edge.Person, "cloudwatch", lambda _: cloudwatch)
    fill(deployed, "SendQueue", 1)
    view = deployed.stack().account
    for _ in range(2):
        assert view.queues(ages=True)[Lane.ORDINARY] == QueueState(1, 0)
    assert len(cloudwatch.asked) == 1


def test_whoever_may_not_look_at_queues_is_told_by_the_permission(
    deployed: Deployed, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Refusing:
        def get_queue_attributes(self, **_: Any) -> dict[str, Any]:
            raise client_error("AccessDenied", "GetQueueAttributes")

    monkeypatch.setattr(edge.Person, "sqs", lambda _: Refusing())
    with pytest.raises(AccessRefused, match="sqs:GetQueueAttributes"):
        deployed.stack().account.queues()
