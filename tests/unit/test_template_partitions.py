"""The templates as SAM transforms them, for the global and the Chinese partition.

What a partition has is cfn-lint's knowledge of CloudFormation's registry: ``make check`` lints for both Chinese
regions. Here it is the text that counts: what SAM makes of it names no foreign partition.
"""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.cloudformation import PARTITIONS, transformed
from tests.template import ROOT, TEMPLATE

TEMPLATES = [TEMPLATE, *sorted(ROOT.glob("network/*.yaml")), *sorted(ROOT.glob("monitoring/*.yaml"))]

PRINCIPALS = {"lambda", "apigateway", "cloudwatch", "events", "elasticloadbalancing"}
"""Services whose principal ends in ``.amazonaws.com`` in every partition.

CodeDeploy is none of them: of its principal in ``aws-cn`` sources say different things. SAM writes it, and
``GradualDeployment`` that leaves it out.
"""


def texts(value: Any) -> Iterator[str]:
    """Yield every string, keys included."""
    match value:
        case str():
            yield value
        case dict():
            for key, each in value.items():
                yield key
                yield from texts(each)
        case list():
            for each in value:
                yield from texts(each)


@pytest.fixture(scope="module", params=PARTITIONS)
def region(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


@pytest.fixture(scope="module")
def stack(region: str) -> dict[str, Any]:
    return transformed(region)


def test_every_arn_is_of_the_stacks_own_partition(region: str, stack: dict[str, Any]) -> None:
    arns = [text for each in texts(stack["Resources"]) for text in re.findall(r"\barn:\S{0,20}", each)]
    own = re.compile(rf"arn:({PARTITIONS[region]}|\$\{{AWS::Partition\}}):")
    assert arns
    assert [arn for arn in arns if not own.match(arn)] == []


def test_no_host_name_is_of_one_partition(region: str) -> None:
    at_once = transformed(region, GradualDeployment="false")
    hosts = {
        host for text in texts(at_once["Resources"]) for host in re.findall(r"[\w.-]+\.amazonaws\.com[\w.]*", text)
    }
    assert hosts == {f"{each}.amazonaws.com" for each in PRINCIPALS - {"elasticloadbalancing"}}


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_partition_region_account_or_url_suffix_is_spelled_out(path: Path) -> None:
    text = path.read_text("utf-8")
    assert re.findall(r"arn:aws[\w-]*:", text) == []
    assert re.findall(r"\b[a-z]{2}-[a-z]+-\d\b", text) == []
    assert re.findall(r"\b\d{12}\b", text) == []
    hosts = set(re.findall(r"[\w.-]+\.amazonaws\.com[\w.]*", text))
    assert hosts <= {f"{each}.amazonaws.com" for each in PRINCIPALS}


def test_the_queue_and_the_api_call_the_alias(stack: dict[str, Any]) -> None:
    resources = stack["Resources"]
    assert resources["SenderFunctionSends"]["Properties"]["FunctionName"] == {"Ref": "SenderFunctionAliaslive"}
    methods = resources["PushApi"]["Properties"]["Body"]["paths"]["/receive"]
    assert set(methods) == {"get", "post"}
    for method in methods.values():
        uri = method["x-amazon-apigateway-integration"]["uri"]["Fn::Sub"]
        assert uri.endswith("/functions/${ReceiverFunctionAliaslive}/invocations")


def test_bodies_that_are_no_text_arrive_byte_for_byte(stack: dict[str, Any]) -> None:
    # API Gateway makes text of every other body, and U+FFFD of what is not UTF-8 in it
    api = stack["Resources"]["PushApi"]["Properties"]
    wanted = {"multipart/form-data", "application/octet-stream"}
    declared = {each.replace("~1", "/") for each in api["BinaryMediaTypes"]}
    assert declared == set(api["Body"]["x-amazon-apigateway-binary-media-types"]) == wanted


def test_without_gradual_deployment_nothing_of_codedeploy_is_left(region: str) -> None:
    at_once = transformed(region, GradualDeployment="false")["Resources"]
    assert [text for text in texts(at_once) if "codedeploy" in text.lower()] == []
    assert [name for name, each in at_once.items() if "UpdatePolicy" in each] == []


def before(resources: dict[str, Any], name: str) -> set[str]:
    """The resources that CloudFormation makes before one, since it refers to them or depends on them."""
    found: set[str] = set()
    todo = [name]
    while todo:
        each = resources[todo.pop()]
        named = {
            word
            for text in [*texts(each), *texts(each.get("DependsOn", []))]
            for word in re.findall(r"\w+", text)
            if word in resources
        }
        todo += named - found
        found |= named
    return found - {name}


def test_the_stage_logs_only_when_the_account_has_a_role_for_it(stack: dict[str, Any]) -> None:
    [stage] = [name for name, each in stack["Resources"].items() if each["Type"] == "AWS::ApiGateway::Stage"]
    assert {"ApiAccount", "ApiAccountRole"} <= before(stack["Resources"], stage)


def test_the_api_takes_pushes_from_the_named_sources_alone(stack: dict[str, Any]) -> None:
    [statement] = stack["Resources"]["PushApi"]["Properties"]["Body"]["x-amazon-apigateway-policy"]["Statement"]
    assert statement["Effect"] == "Allow"  # and what no statement allows is denied
    [sources] = statement["Condition"]["IpAddress"].values()
    assert sources["Fn::Split"][0] == ","


def test_other_sources_are_deployed_to_the_stage() -> None:
    def deployment(sources: str) -> list[str]:
        resources = transformed("us-east-1", PushSources=sources)["Resources"]
        return [name for name, each in resources.items() if each["Type"] == "AWS::ApiGateway::Deployment"]

    assert deployment("121.40.152.72/32") != deployment("0.0.0.0/0")
