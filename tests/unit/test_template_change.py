"""A deploy over a running stack: what makes new versions, and how they take over."""

import re
from collections.abc import Iterator
from typing import Any

import pytest

from tests.template import load

FUNCTIONS = ("SenderFunction", "UrgentSenderFunction", "ReceiverFunction")
NOT_IN_A_VERSION = {"ReservedConcurrentExecutions", "Events", "VersionDescription", "DeploymentPreference"}


@pytest.fixture(scope="module")
def template() -> dict[str, Any]:
    return load()


def parameters_in(template: dict[str, Any], value: Any) -> Iterator[str]:
    """Yield the parameters on which a value depends, by reference or by condition."""
    match value:
        case {"Ref": name} | {"Fn::FindInMap": [_, {"Ref": name}, _]}:
            yield from {name} & set(template["Parameters"])
        case {"Fn::Sub": str(text)}:
            yield from set(re.findall(r"\$\{(\w+)\}", text)) & set(template["Parameters"])
        case {"Fn::Sub": [text, more]}:
            yield from parameters_in(template, [{"Fn::Sub": text}, more])
        case {"Fn::If": [condition, *values]}:
            yield from parameters_in(template, template["Conditions"][condition])
            yield from parameters_in(template, values)
        case {"Condition": name}:
            yield from parameters_in(template, template["Conditions"][name])
        case dict():
            yield from parameters_in(template, list(value.values()))
        case list():
            for each in value:
                yield from parameters_in(template, each)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_parameters_new_value_makes_a_new_version(template: dict[str, Any], name: str) -> None:
    properties = template["Resources"][name]["Properties"]
    config = {key: value for key, value in properties.items() if key not in NOT_IN_A_VERSION}
    named = set(parameters_in(template, properties["VersionDescription"]))
    reaching = set(parameters_in(template, [config, template["Globals"]["Function"]]))
    # The table's, queue's and secret's names come from resources, and the layer's too: they change with the text.
    assert named == reaching


def test_a_change_of_code_settings_or_layer_makes_a_new_version(template: dict[str, Any]) -> None:
    for name in FUNCTIONS:
        properties = template["Resources"][name]["Properties"]
        assert (properties["AutoPublishAlias"], properties["AutoPublishAliasAllProperties"]) == ("live", True)
    assert template["Resources"]["KuaixintongLayer"]["Properties"]["PublishLambdaVersion"] is True


@pytest.mark.parametrize("name", FUNCTIONS)
def test_production_tries_a_version_on_a_tenth_and_goes_back_on_an_alarm(
    template: dict[str, Any], name: str
) -> None:
    preference = template["Resources"][name]["Properties"]["DeploymentPreference"]
    assert preference["Enabled"] == {"Ref": "GradualDeployment"}
    assert preference["Type"] == {"Fn::If": ["IsProd", "Canary10Percent5Minutes", "AllAtOnce"]}
    alarms = [template["Resources"][alarm["Ref"]] for alarm in preference["Alarms"]]
    assert alarms
    # an alarm that outlasts its cause would keep the next deploy, the mending one, from being made
    assert all(alarm["Properties"]["Period"] * alarm["Properties"]["EvaluationPeriods"] <= 60 for alarm in alarms)


def test_tables_and_secrets_outlive_the_stack_and_their_replacement(template: dict[str, Any]) -> None:
    kept = {"AWS::DynamoDB::Table", "AWS::SecretsManager::Secret"}
    policies = {
        name: (each.get("DeletionPolicy"), each.get("UpdateReplacePolicy"))
        for name, each in template["Resources"].items()
        if each["Type"] in kept
    }
    assert policies
    assert set(policies.values()) == {("RetainExceptOnCreate", "Retain")}


def test_a_row_outlives_its_message(template: dict[str, Any]) -> None:
    fortnights = [
        template["Resources"][queue]["Properties"]["MessageRetentionPeriod"]
        for queue in ("SendQueue", "DeadLetterQueue")
    ]
    assert template["Parameters"]["RetentionDays"]["MinValue"] * 86400 > 2 * sum(
        fortnights
    )  # once there, and once redriven
