"""A deploy over live data and messages in flight."""

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from local.processes import wait_until
from local.simulator.running import RunningSimulator
from tests.e2e.deployment import Deployment

SENDS = 200
MOBILES = [f"139{number:08d}" for number in range(SENDS)]


def live(deployment: Deployment, function: str) -> Mapping[str, Any]:
    """The configuration of the version that the alias stands for."""
    name = deployment.physical(function)
    return deployment.aws.functions.get_function_configuration(FunctionName=name, Qualifier="live")


@pytest.fixture
def slow_platform(deployment: Deployment, platform: RunningSimulator) -> RunningSimulator:
    """A platform that takes a while for each send and few in a second, so that a deploy meets all states."""
    platform.change(balance=SENDS, rate=8)
    platform.reset()
    platform.faults([{"op": "sendSm", "do": "delay", "seconds": 0.5}])
    return platform


def test_a_deploy_under_load_loses_no_send_and_doubles_none(
    deployment: Deployment, slow_platform: RunningSimulator
) -> None:
    before = live(deployment, "SenderFunction")
    with ThreadPoolExecutor(8) as threads:
        bodies = ({"id": f"change-{mobile}", "mobiles": [mobile], "content": "x"} for mobile in MOBILES)
        list(threads.map(deployment.enqueue, bodies))
    wait_until(slow_platform.messages, "The first is accepted")
    rows = {(row["send_id"], row["part"]) for row in deployment.rows("Sends")}

    deployment.stack.deploy(LogLevel="DEBUG")

    assert len(slow_platform.messages()) < SENDS, "the deploy came too late to be one under load"
    slow_platform.change(rate=None)
    assert live(deployment, "SenderFunction")["Version"] != before["Version"]
    deployment.queue_runs_empty()
    assert slow_platform.acceptances() == dict.fromkeys(MOBILES, 1)
    states = {(row["send_id"], row["part"]): row["state"] for row in deployment.rows("Sends")}
    assert rows <= set(states)
    assert {states[f"change-{mobile}", "1"] for mobile in MOBILES} == {"ACCEPTED"}
    assert deployment.messages_left("DeadLetterQueueUrl") == 0


def test_a_parameters_new_value_reaches_what_the_queue_and_the_api_call_and_its_alarm(
    deployment: Deployment,
) -> None:
    deployment.stack.deploy(LogLevel="INFO", RetentionDays="61", LowBalance="77")
    for function in ("SenderFunction", "ReceiverFunction"):
        assert live(deployment, function)["Environment"]["Variables"]["RETENTION_DAYS"] == "61"
    [low_balance] = deployment.aws.cloudwatch.describe_alarms(
        AlarmNames=[f"{deployment.stack.name}-LowBalanceAlarm"]
    )["MetricAlarms"]
    assert low_balance["Threshold"] == 77
    assert deployment.push(type="report", jsonData="[]").text == "0"


def test_a_deploy_that_changes_nothing_leaves_versions_and_secrets_alone(deployment: Deployment) -> None:
    def state() -> list[Any]:
        secrets = [
            deployment.aws.secrets.get_secret_value(SecretId=deployment.outputs[name])["VersionId"]
            for name in ("PlatformSecretArn", "PushSecretArn")
        ]
        return [
            live(deployment, "SenderFunction")["Version"],
            live(deployment, "ReceiverFunction")["Version"],
            *secrets,
        ]

    before = state()
    deployment.stack.deploy()
    assert state() == before
