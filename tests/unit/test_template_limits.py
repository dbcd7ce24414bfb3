"""Alphabets and lengths: AWS refuses a name, a description, a number that has not the form which it asks for.

The templates are carried out as CloudFormation does, with the shortest and with the longest values that their
parameters take, and every property that comes of it is held against what is known of AWS: CloudFormation's own
schemas of the region (cfn-lint has them), the services' own models (botocore has them), and what stands in manuals
alone.
"""

import json
import re
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any

import botocore.session
import pytest
from botocore.model import ListShape, Shape, StringShape, StructureShape
from cfnlint.api import lint  # type: ignore[import-untyped]
from cfnlint.config import ManualArgs  # type: ignore[import-untyped]

from tests.cloudformation import Stack, deployed
from tests.template import ROOT, load

REGIONS = ("us-east-1", "cn-northwest-1")

PARAMETERS = load()["Parameters"]

URL = "https://platform.example:8443/webservice/http/service"
VPC = "vpc-0123456789abcdef0"
SUBNETS = [f"subnet-0123456789abcdef{number}" for number in range(3)]
GROUPS = [f"sg-0123456789abcdef{number}" for number in range(2)]
BOUNDED = {
    "PlainPush": "true",
    "PushSources": ",".join(f"121.140.152.{number}/32" for number in range(172, 176)),
    "ReserveConcurrency": "true",
}


def longest(name: str) -> str:
    """The longest value of a parameter that has a list of them or a highest number."""
    parameter = PARAMETERS[name]
    return max(map(str, parameter.get("AllowedValues", [parameter.get("MaxValue", "")])), key=len)


LONGEST = {
    **{name: longest(name) for name in PARAMETERS if longest(name)},
    "Stage": "s" * 20,
    "PlatformUrl": "https://" + "p" * 51 + ".example:8443/service",
    "AlarmEmail": "operations@" + "e" * 230 + ".example",
    "SenderTimeout": "120",
    "OptOutWords": ",".join([r"\u9000\u8ba2"] * 7 + ["REFUSE"]) + "   ",
    "ResubscribeWords": ",".join([r"\u8ba2\u9605"] * 7 + ["RETURN"]) + "   ",
    "AllowList": ",".join(f"{13700000000 + number}" for number in range(333)),
    "MarketingHours": "08:00:00-21:00:00",
    "OnAws": "true",
    "Events": "true",
    "GradualDeployment": "true",
    "ApiLogRole": "Create",
    **BOUNDED,
}
CERTIFICATE = "arn:aws:acm:us-east-1:123456789012:certificate/01234567-89ab-cdef-0123-456789abcdef"

CASES: dict[str, tuple[str, dict[str, str]]] = {
    "shortest": ("k", {"PlatformUrl": "http://p", "Stage": "qa"}),
    "production": ("kuaixintong-prod", {"PlatformUrl": URL, "Stage": "prod", "AlarmEmail": "a@b.example"}),
    "longest": (
        "K" * 128,
        {**LONGEST, "Network": "Create", "SubnetIds": "", "SecurityGroupIds": "", "PlainPushCertificateArn": ""},
    ),
    "longest, in a network of one's own": (
        "K" * 128,
        {
            **LONGEST,
            "Network": "Existing",
            "SubnetIds": ",".join(SUBNETS),
            "SecurityGroupIds": ",".join(GROUPS),
            "PlainPushVpcId": VPC,
            "PlainPushSubnetIds": ",".join(SUBNETS),
            "PlainPushCertificateArn": CERTIFICATE,
        },
    ),
}
"""Name of the stack and values of the parameters."""


@cache
def stacks(region: str, case: str) -> dict[str, Stack]:
    name, values = CASES[case]
    return deployed(region, name, **values)


@pytest.fixture(params=[(region, case) for region in REGIONS for case in CASES], ids=" ".join)
def made(request: pytest.FixtureRequest) -> dict[str, Stack]:
    """The stacks of a deploy in one of the regions."""
    return stacks(*request.param)


def properties(made: Mapping[str, Stack]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Yield each resource's place, type and properties."""
    for nested, stack in made.items():
        for name, each in stack.resources().items():
            yield f"{nested}/{name}", each["Type"], each["Properties"]


# --- the cases themselves --------------------------------------------------------------------------------------


def test_the_values_are_ones_that_cloudformation_would_take(made: dict[str, Stack]) -> None:
    for place, stack in made.items():
        assert stack.broken_rules() == [], place
        for name, parameter in stack.template["Parameters"].items():
            value = str(stack.values.get(name, parameter.get("Default")))
            assert re.fullmatch(str(parameter.get("AllowedPattern", ".*")), value, re.ASCII), (place, name, value)
            assert len(value) <= int(parameter.get("MaxLength", 4096)), (place, name, value)
            assert value in [str(each) for each in parameter.get("AllowedValues", [value])], (place, name, value)


def test_the_longest_values_are_as_long_as_they_may_be() -> None:
    values = CASES["longest, in a network of one's own"][1]
    limits = {name: int(each["MaxLength"]) for name, each in PARAMETERS.items() if "MaxLength" in each}
    assert {name: len(values[name]) for name in limits} == limits


# --- what CloudFormation's schemas know ------------------------------------------------------------------------


LINTED = [(region, case) for region in REGIONS for case in CASES if case.startswith("longest")]


@pytest.mark.parametrize(("region", "case"), LINTED)
def test_what_is_made_has_the_form_that_cloudformation_asks_for(region: str, case: str) -> None:
    made = {
        f"{nested}{name}": {"Type": each["Type"], "Properties": each["Properties"]}
        for nested, stack in stacks(region, case).items()
        for name, each in stack.resources().items()
    }
    template = json.dumps({"AWSTemplateFormatVersion": "2010-09-09", "Resources": made})
    faults = lint(template, config=ManualArgs(regions=[region], ignore_checks=["W", "I"]))
    assert [f"{list(fault.path)[1:]}: {fault}" for fault in faults] == []


# --- what the services' models know ----------------------------------------------------------------------------

MADE_BY = {
    "AWS::ApiGateway::Account": None,
    "AWS::ApiGateway::Deployment": "apigateway CreateDeployment",
    "AWS::ApiGateway::RestApi": "apigateway CreateRestApi",
    "AWS::ApiGateway::Stage": "apigateway CreateStage",
    "AWS::CloudFormation::Stack": "cloudformation CreateStack",
    "AWS::CloudWatch::Alarm": "cloudwatch PutMetricAlarm",
    "AWS::CloudWatch::Dashboard": "cloudwatch PutDashboard",
    "AWS::CodeDeploy::Application": "codedeploy CreateApplication",
    "AWS::CodeDeploy::DeploymentGroup": "codedeploy CreateDeploymentGroup",
    "AWS::DynamoDB::Table": "dynamodb CreateTable",
    "AWS::EC2::EIP": "ec2 AllocateAddress",
    "AWS::EC2::InternetGateway": "ec2 CreateInternetGateway",
    "AWS::EC2::NatGateway": "ec2 CreateNatGateway",
    "AWS::EC2::Route": "ec2 CreateRoute",
    "AWS::EC2::RouteTable": "ec2 CreateRouteTable",
    "AWS::EC2::SecurityGroup": "ec2 CreateSecurityGroup",
    "AWS::EC2::Subnet": "ec2 CreateSubnet",
    "AWS::EC2::SubnetRouteTableAssociation": "ec2 AssociateRouteTable",
    "AWS::EC2::VPC": "ec2 CreateVpc",
    "AWS::EC2::VPCEndpoint": "ec2 CreateVpcEndpoint",
    "AWS::EC2::VPCGatewayAttachment": "ec2 AttachInternetGateway",
    "AWS::ElasticLoadBalancingV2::Listener": "elbv2 CreateListener",
    "AWS::ElasticLoadBalancingV2::ListenerRule": "elbv2 CreateRule",
    "AWS::ElasticLoadBalancingV2::LoadBalancer": "elbv2 CreateLoadBalancer",
    "AWS::ElasticLoadBalancingV2::TargetGroup": "elbv2 CreateTargetGroup",
    "AWS::Events::EventBus": "events CreateEventBus",
    "AWS::Events::Rule": "events PutRule",
    "AWS::IAM::ManagedPolicy": "iam CreatePolicy",
    "AWS::IAM::Role": "iam CreateRole",
    "AWS::KMS::Key": "kms CreateKey",
    "AWS::Lambda::Alias": "lambda CreateAlias",
    "AWS::Lambda::EventInvokeConfig": "lambda PutFunctionEventInvokeConfig",
    "AWS::Lambda::EventSourceMapping": "lambda CreateEventSourceMapping",
    "AWS::Lambda::Function": "lambda CreateFunction",
    "AWS::Lambda::LayerVersion": "lambda PublishLayerVersion",
    "AWS::Lambda::Permission": "lambda AddPermission",
    "AWS::Lambda::Version": "lambda PublishVersion",
    "AWS::Logs::LogGroup": "logs CreateLogGroup",
    "AWS::Logs::MetricFilter": "logs PutMetricFilter",
    "AWS::SNS::Subscription": "sns Subscribe",
    "AWS::SNS::Topic": "sns CreateTopic",
    "AWS::SNS::TopicPolicy": None,
    "AWS::SSM::Parameter": "ssm PutParameter",
    "AWS::IAM::Policy": "iam PutRolePolicy",
    "AWS::SQS::Queue": "sqs CreateQueue",
    "AWS::SecretsManager::Secret": "secretsmanager CreateSecret",
}
"""The call that makes a resource; most of its parameters are called as the resource's properties are."""


@cache
def request_shape(call: str) -> Shape:
    service, operation = call.split()
    shape = botocore.session.get_session().get_service_model(service).operation_model(operation).input_shape
    assert shape
    return shape


def against(shape: Shape, value: Any, place: str) -> Iterator[str]:
    """Yield what a service's model has against a value."""
    match shape, value:
        case StructureShape(), dict():
            members = {name.lower(): member for name, member in shape.members.items()}
            for name, each in value.items():
                if name.lower() in members:
                    yield from against(members[name.lower()], each, f"{place}.{name}")
        case ListShape(), list():
            yield from out_of_range(shape, len(value), f"{place} has {len(value)}")
            for each in value:
                yield from against(shape.member, each, f"{place}[]")
        case StringShape(), str():
            yield from out_of_range(shape, len(value), f"{place} is {len(value)} long: {value}")
            pattern = shape.metadata.get("pattern", "")
            if pattern and "\\p" not in pattern and not re.fullmatch(pattern, value, re.ASCII):
                yield f"{place} is not like {pattern}: {value}"
            if shape.enum and value not in shape.enum:
                yield f"{place} is none of {shape.enum}: {value}"
        case _ if shape.type_name in ("integer", "long") and str(value).isdigit():
            yield from out_of_range(shape, int(value), f"{place} is {value}")


def out_of_range(shape: Shape, value: int, words: str) -> Iterator[str]:
    if not shape.metadata.get("min", value) <= value <= shape.metadata.get("max", value):
        yield f"{words}, and not from {shape.metadata.get('min')} to {shape.metadata.get('max')}"


def test_what_is_made_has_the_form_that_the_services_ask_for(made: dict[str, Stack]) -> None:
    calls = [(place, MADE_BY[kind], values) for place, kind, values in properties(made)]
    assert [
        fault for place, call, values in calls if call for fault in against(request_shape(call), values, place)
    ] == []


# --- what stands in manuals alone ------------------------------------------------------------------------------

EC2_DESCRIPTION = re.compile(r"[a-zA-Z0-9 ._\-:/()#,@\[\]+=&;{}!$*]{0,255}")
TAG = re.compile(r"[\w +\-=.:/@]{0,256}", re.ASCII)
STAGE_VARIABLE = re.compile(r"[A-Za-z0-9\-._~:/?#&=,]+")
DASHBOARD_NAME = re.compile(r"[A-Za-z0-9\-_]{1,255}")
TOPIC_DISPLAY_NAME = re.compile(r"[ -~]{0,100}")


def strings(value: Any, *path: str) -> Iterator[tuple[tuple[str, ...], str]]:
    """Yield every string of a value with the names that lead to it."""
    match value:
        case str():
            yield path, value
        case dict():
            for key, each in value.items():
                yield from strings(each, *path, key)
        case list():
            for each in value:
                yield from strings(each, *path)


def alphabet(kind: str, path: tuple[str, ...]) -> re.Pattern[str] | None:
    match kind.split("::")[1], path:
        case "EC2", (*_, "Description" | "GroupDescription"):
            return EC2_DESCRIPTION
        case _, ("Tags", *_):
            return TAG
        case "ApiGateway", ("Variables", *_):
            return STAGE_VARIABLE
        case "CloudWatch", ("DashboardName",):
            return DASHBOARD_NAME
        case "SNS", ("DisplayName",):
            return TOPIC_DISPLAY_NAME
        case _:
            return None


def test_what_is_made_keeps_to_the_alphabets_of_the_manuals(made: dict[str, Stack]) -> None:
    looked_at = [
        (place, path, text, letters)
        for place, kind, values in properties(made)
        for path, text in strings(values)
        if (letters := alphabet(kind, path))
    ]
    assert looked_at
    assert [each[:3] for each in looked_at if not each[3].fullmatch(each[2])] == []


@pytest.mark.parametrize(
    "path", ["template.yaml", "network/template.yaml", "network/plain-push.yaml", "monitoring/template.yaml"]
)
def test_no_text_of_a_template_arrives_as_question_marks(path: str) -> None:
    # CloudFormation keeps ASCII alone; comments it does not see
    texts = [text for _, text in strings(load(ROOT / path))]
    assert [text for text in texts if not text.isascii()] == []
