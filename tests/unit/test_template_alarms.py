"""Alarms and dashboard: each is told to somebody, has its page, and looks at a metric that exists."""

import json
import operator
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.template import load, resources, watched

RUNBOOK = Path(__file__).parents[2] / "docs" / "operations.md"

OWN = {"Fn::Sub": "Kuaixintong/${AWS::StackName}"}

WHOLE = watched()

ALARMS = {name: alarm["Properties"] for name, alarm in resources("AWS::CloudWatch::Alarm", WHOLE).items()}

AWS_METRICS = {
    "AWS/SQS": {"ApproximateNumberOfMessagesVisible", "ApproximateAgeOfOldestMessage"},
    "AWS/Lambda": {"Errors", "Throttles"},
    "AWS/ApiGateway": {"5XXError"},
    "AWS/DynamoDB": {"WriteThrottleEvents"},
}


def anchors() -> set[str]:
    """The anchors of the runbook's headings, as GitHub and GitLab make them."""
    headings = re.findall(r"^#+ (.+)$", RUNBOOK.read_text("utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading).strip().lower().replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("name", ALARMS)
def test_every_alarm_says_what_is_wrong_and_names_its_section_of_the_runbook(name: str) -> None:
    described = re.fullmatch(r"(.{10,}\.) See docs/operations\.md#([\w-]+)", ALARMS[name]["AlarmDescription"])
    assert described, ALARMS[name]["AlarmDescription"]
    assert described[2] in anchors()


def test_every_section_of_the_runbook_has_its_alarm() -> None:
    _, _, runbook = RUNBOOK.read_text("utf-8").partition("\n## Runbook\n")
    sections = re.findall(r"^### (.+)$", runbook.partition("\n## ")[0], re.MULTILINE)
    named = {alarm["AlarmDescription"].partition("#")[2] for alarm in ALARMS.values()}
    assert {re.sub(r"[^\w\- ]", "", section).lower().replace(" ", "-") for section in sections} == named


@pytest.mark.parametrize("name", ALARMS)
def test_every_alarm_is_told_to_the_topic(name: str) -> None:
    assert ALARMS[name]["AlarmActions"] == [{"Ref": "AlarmTopic"}]


@pytest.mark.parametrize("name", ALARMS)
def test_an_alarm_goes_by_the_stacks_name_and_its_own(name: str) -> None:
    assert ALARMS[name]["AlarmName"] == {"Fn::Sub": f"${{AWS::StackName}}-{name}"}


def test_the_template_itself_has_the_alarms_that_guard_a_deployment_and_no_other() -> None:
    guards = {
        alarm["Ref"]
        for function in resources("AWS::Serverless::Function").values()
        for alarm in function["Properties"].get("DeploymentPreference", {}).get("Alarms", [])
    }
    assert set(resources("AWS::CloudWatch::Alarm")) == guards


OF_NO_STRANGER = {("AWS/Lambda", "Errors"), ("own", "SendErrors"), ("own", "StoreErrors")}
"""What only a fault of ours or of AWS's brings about: whoever is not let in is answered 403 and counted elsewhere.

5xx of the API are none of them: a body too large for Lambda, or more requests than it takes at once, are enough.
"""


def test_no_stranger_moves_an_alarm_that_guards_a_deployment() -> None:
    guards = [alarm["Properties"] for alarm in resources("AWS::CloudWatch::Alarm").values()]
    looked_at = {
        ("own" if alarm["Namespace"] == OWN else alarm["Namespace"], alarm["MetricName"]) for alarm in guards
    }
    assert looked_at == OF_NO_STRANGER


@pytest.mark.parametrize("name", ALARMS)
def test_an_alarm_looks_at_a_metric_of_aws_or_at_one_of_this_stack(name: str) -> None:
    alarm = ALARMS[name]
    assert alarm["Namespace"] == OWN or alarm["MetricName"] in AWS_METRICS[alarm["Namespace"]]
    assert "Metrics" not in alarm  # of one metric each: emulators know no more


def test_missing_data_is_good_news_but_for_what_a_schedule_writes_each_time() -> None:
    odd = {name: each["TreatMissingData"] for name, each in ALARMS.items()}
    assert {name: treatment for name, treatment in odd.items() if treatment != "notBreaching"} == {
        "LoginFailedAlarm": "breaching",
        "DueLateAlarm": "breaching",
        "LowBalanceAlarm": "ignore",
    }


def test_alarms_on_the_account_check_look_at_one_check_at_a_time() -> None:
    periods = {minutes: int(each["Period"]) for minutes, each in WHOLE["Mappings"]["CheckTimes"].items()}
    assert periods == {minutes: 60 * int(minutes) for minutes in periods}
    assert set(periods) == {str(each) for each in WHOLE["Parameters"]["CheckRateMinutes"]["AllowedValues"]}
    for name in ("LoginFailedAlarm", "LowBalanceAlarm"):
        assert ALARMS[name]["Period"] == {"Fn::FindInMap": ["CheckTimes", {"Ref": "CheckRateMinutes"}, "Period"]}


def test_an_alarm_that_no_period_could_hold_is_not_made() -> None:
    for name, alarm in ALARMS.items():
        period = alarm["Period"] if isinstance(alarm["Period"], int) else 86400
        assert period * alarm["EvaluationPeriods"] <= (7 * 86400 if period >= 3600 else 86400), name


def test_pushes_that_api_gateway_turns_away_are_counted_from_its_log() -> None:
    [filter_] = resources("AWS::Logs::MetricFilter", WHOLE).values()
    api = WHOLE["Resources"]["PushApi"]["Properties"]
    assert filter_["Properties"]["LogGroupName"] == {"Ref": "PushApiLogGroup"}
    assert filter_["Properties"]["FilterPattern"] == '{ $.status = "429" }'
    assert json.loads(api["AccessLogSetting"]["Format"])["status"] == "$context.status"
    [metric] = filter_["Properties"]["MetricTransformations"]
    alarm = ALARMS["PushesThrottledAlarm"]
    assert (metric["MetricNamespace"], metric["MetricName"]) == (alarm["Namespace"], alarm["MetricName"])
    assert "Dimensions" not in alarm


def test_the_topic_is_encrypted_with_a_key_that_cloudwatch_may_use_and_takes_this_accounts_alarms_alone() -> None:
    template = WHOLE["Resources"]
    assert template["AlarmTopic"]["Properties"]["KmsMasterKeyId"] == {"Ref": "AlarmKey"}
    key = template["AlarmKey"]["Properties"]["KeyPolicy"]["Statement"]
    assert {"Service": "cloudwatch.amazonaws.com"} in [statement["Principal"] for statement in key]
    [policy] = template["AlarmTopicPolicy"]["Properties"]["PolicyDocument"]["Statement"]
    assert policy["Condition"] == {"StringEquals": {"aws:SourceAccount": {"Ref": "AWS::AccountId"}}}


# --- what raises them ------------------------------------------------------------------------------------------
#
# Metrics as CloudWatch sees them: a history is a list of periods, oldest first, a period the list of its samples.

type History = list[list[float]]

NOTHING: list[float] = []
ONE_IS_TOO_MANY: tuple[list[History], list[History]] = ([[[1]], [[0, 0, 1]]], [[[0]], [NOTHING]])
A_PAUSE: tuple[list[History], list[History]] = (
    [[NOTHING, NOTHING, [1]], [[1], NOTHING, NOTHING]],
    [[[0], [0], [0]], [NOTHING, NOTHING, NOTHING]],
)

HISTORIES: dict[str, tuple[list[History], list[History]]] = {
    "SendsGivenUpAlarm": ([[[1]], [[0, 3, 0]]], [[[0]], [NOTHING]]),
    "EventsGivenUpAlarm": ([[[1]], [[0, 3, 0]]], [[[0]], [NOTHING]]),
    "GaveUpAlarm": ONE_IS_TOO_MANY,
    "RefusedAlarm": ONE_IS_TOO_MANY,
    "SendsLateAlarm": (
        [[[901], [901], [901]], [[901], [5, 901], [999]]],
        [[[901], [901], [900]], [[901], [500, 500], [901]]],
    ),
    "UrgentSendsLateAlarm": ([[[61]], [[5, 61]]], [[[60]], [[31, 31]], [NOTHING]]),
    "PartsTooDearAlarm": ONE_IS_TOO_MANY,
    "DailyLimitNearAlarm": ([[[80]], [[3, 99, 50]], [[100]]], [[[79]], [NOTHING]]),
    "DailyLimitReachedAlarm": ONE_IS_TOO_MANY,
    "SendsPutOffAlarm": (
        [[[1], NOTHING, [2], [1]], [[1], [1], [1], NOTHING]],
        [[[9], [9], NOTHING, NOTHING], [NOTHING] * 4, [[0]] * 4],
    ),
    "DueLateAlarm": ([[[301], [0, 301]], [NOTHING, NOTHING], [[999], NOTHING]], [[[301], [300]], [[0], [301]]]),
    "PausedAuthenticationAlarm": A_PAUSE,
    "PausedSourceAddressAlarm": A_PAUSE,
    "PausedAccountDisabledAlarm": A_PAUSE,
    "PausedOrganisationDisabledAlarm": A_PAUSE,
    "PausedBalanceAlarm": A_PAUSE,
    "PausedTimestampAlarm": A_PAUSE,
    "PausedUnreachableAlarm": ([[[1], NOTHING, [1]]], [[NOTHING, NOTHING, [5]], [[0], [0], [0]], [NOTHING] * 3]),
    "UnconfirmedAlarm": ONE_IS_TOO_MANY,
    "ProtocolAlarm": ONE_IS_TOO_MANY,
    "NoTokenAlarm": ONE_IS_TOO_MANY,
    "PushesRefusedAlarm": ONE_IS_TOO_MANY,
    "PushesQuarantinedAlarm": ONE_IS_TOO_MANY,
    "EntriesQuarantinedAlarm": ONE_IS_TOO_MANY,
    "StoreErrorsAlarm": ONE_IS_TOO_MANY,
    "ReceiverErrorsAlarm": ONE_IS_TOO_MANY,
    "PushApiErrorsAlarm": ONE_IS_TOO_MANY,
    "SenderErrorsAlarm": ONE_IS_TOO_MANY,
    "UrgentSenderErrorsAlarm": ONE_IS_TOO_MANY,
    "SendErrorsAlarm": ONE_IS_TOO_MANY,
    "BalanceErrorsAlarm": ONE_IS_TOO_MANY,
    "LoginFailedAlarm": ([[[1], [1]], [[0, 1], NOTHING], [NOTHING, NOTHING]], [[[1], [0]], [[0], [1]]]),
    "LowBalanceAlarm": ([[[999]], [[5000, 999]]], [[[1000]], [NOTHING]]),
    "SenderThrottlesAlarm": ONE_IS_TOO_MANY,
    "UrgentSenderThrottlesAlarm": ONE_IS_TOO_MANY,
    "ReceiverThrottlesAlarm": ONE_IS_TOO_MANY,
    "PushesThrottledAlarm": ONE_IS_TOO_MANY,
    "SendsThrottlesAlarm": ONE_IS_TOO_MANY,
    "OutboundThrottlesAlarm": ([[[1]] * 3], [[[9], [9], NOTHING], [NOTHING, [9], [9]], [[0]] * 3]),
    "AccountThrottlesAlarm": ONE_IS_TOO_MANY,
    "ReportsThrottlesAlarm": ONE_IS_TOO_MANY,
    "InboundThrottlesAlarm": ONE_IS_TOO_MANY,
    "MobilesThrottlesAlarm": ONE_IS_TOO_MANY,
    "QuarantineThrottlesAlarm": ONE_IS_TOO_MANY,
}
"""For each alarm histories that raise it and histories that do not, with the parameters' defaults."""

STATISTICS: dict[str, Callable[[list[float]], float]] = {"Sum": sum, "Maximum": max, "Minimum": min}
COMPARISONS: dict[str, Callable[[float, float], bool]] = {
    "GreaterThanThreshold": operator.gt,
    "GreaterThanOrEqualToThreshold": operator.ge,
    "LessThanThreshold": operator.lt,
    "LessThanOrEqualToThreshold": operator.le,
}


def raised(alarm: dict[str, Any], history: History) -> bool:
    """Whether an alarm that is off goes on, as CloudWatch decides it: M of the last N periods are past it.

    A period without data counts as past it (``breaching``), as not past it (``notBreaching``), or not at all.
    """
    threshold = alarm["Threshold"]
    if isinstance(threshold, dict):
        threshold = WHOLE["Parameters"][threshold["Ref"]]["Default"]
    statistic, past = STATISTICS[alarm["Statistic"]], COMPARISONS[alarm["ComparisonOperator"]]
    assert len(history) == alarm["EvaluationPeriods"], "a history is as long as the alarm looks back"
    without_data = alarm["TreatMissingData"] == "breaching"
    breaching: int = sum(past(statistic(period), threshold) if period else without_data for period in history)
    needed: int = alarm.get("DatapointsToAlarm", alarm["EvaluationPeriods"])
    return breaching >= needed


def test_every_alarm_has_its_histories() -> None:
    assert set(HISTORIES) == set(ALARMS)


@pytest.mark.parametrize("name", HISTORIES)
def test_what_should_raise_an_alarm_does_and_what_should_not_does_not(name: str) -> None:
    loud, quiet = HISTORIES[name]
    assert [history for history in loud if not raised(ALARMS[name], history)] == []
    assert [history for history in quiet if raised(ALARMS[name], history)] == []


# --- dashboard -------------------------------------------------------------------------------------------------


def dashboard() -> list[dict[str, Any]]:
    """The widgets, with references left as they are written."""
    text, _ = WHOLE["Resources"]["Dashboard"]["Properties"]["DashboardBody"]["Fn::Sub"]
    widgets: list[dict[str, Any]] = json.loads(text)["widgets"]
    return widgets


def test_the_dashboard_shows_the_path_from_left_to_right() -> None:
    first_row = sorted((widget for widget in dashboard() if widget["y"] == 0), key=lambda widget: widget["x"])
    titles = [widget["properties"]["title"].partition(":")[0].partition(",")[0] for widget in first_row]
    assert titles == ["Queue", "Sender", "Parts", "Receiver", "Tables", "Account"]


def test_the_dashboards_widgets_do_not_overlap() -> None:
    cells = [
        (x, y)
        for widget in dashboard()
        for x in range(widget["x"], widget["x"] + widget["width"])
        for y in range(widget["y"], widget["y"] + widget["height"])
    ]
    assert len(cells) == len(set(cells))
    assert max(x for x, _ in cells) == 23  # CloudWatch's grid is 24 wide


def test_the_dashboard_shows_every_alarm() -> None:
    [widget] = [each for each in dashboard() if each["type"] == "alarm"]
    _, inserted = WHOLE["Resources"]["Dashboard"]["Properties"]["DashboardBody"]["Fn::Sub"]
    assert inserted["Guards"]["Fn::Join"][0] == '", "'  # between the quotation marks around ${Guards}
    own, names = load()["Resources"]["MonitoringStack"]["Properties"]["Parameters"]["GuardingAlarms"]["Fn::Sub"]
    assert names["OfEvents"]["Fn::If"][1]["Fn::Sub"].endswith(":alarm:${AWS::StackName}-EventsGivenUpAlarm")
    own = own.replace("${OfEvents}", ",${Arn}:${EventsGivenUpAlarm}")
    shown = [*own.split(","), *(each for each in widget["properties"]["alarms"] if each != "${Guards}")]
    assert sorted(shown) == sorted(f"${{Arn}}:${{{name}}}" for name in ALARMS)


def test_every_metric_that_raises_an_alarm_is_on_the_dashboard() -> None:
    shown = {metric[1] for widget in dashboard() for metric in widget["properties"].get("metrics", [])}
    assert {alarm["MetricName"] for alarm in ALARMS.values()} - shown == set()
