"""The options around the network: what they make, that they cost nothing when off, and whom they let through."""

import re
from pathlib import Path
from typing import Any

import pytest

from tests.cloudformation import Stack, deployed
from tests.template import load, resources

FOLDER = Path(__file__).parents[2] / "network"

TALK_TO_THE_PLATFORM = ("Sender", "UrgentSender", "Balance")


@pytest.fixture(scope="module")
def template() -> dict[str, Any]:
    return load()


@pytest.fixture(scope="module")
def network() -> dict[str, Any]:
    return load(FOLDER / "template.yaml")


@pytest.fixture(scope="module")
def plain_push() -> dict[str, Any]:
    return load(FOLDER / "plain-push.yaml")


# --- off by default --------------------------------------------------------------------------------------------


def test_without_the_options_there_is_no_network_and_no_cost(template: dict[str, Any]) -> None:
    parameters = template["Parameters"]
    assert (parameters["Network"]["Default"], parameters["PlainPush"]["Default"]) == ("None", "false")
    conditions = {
        name: each.get("Condition")
        for name, each in template["Resources"].items()
        if each["Type"] in ("AWS::CloudFormation::Stack", "AWS::IAM::ManagedPolicy") and name != "MonitoringStack"
    }
    assert conditions == {
        "NetworkStack": "MakesNetwork",
        "NetworkPolicy": "HasNetwork",
        "PlainPushStack": "TakesPlainPushes",
    }
    for name in TALK_TO_THE_PLATFORM:
        vpc = template["Resources"][f"{name}Function"]["Properties"]["VpcConfig"]["Fn::If"]
        assert (vpc[0], vpc[2]) == ("HasNetwork", {"Ref": "AWS::NoValue"})


def test_the_risk_of_plain_pushes_is_said(template: dict[str, Any]) -> None:
    assert "read and forge pushes" in template["Parameters"]["PlainPush"]["Description"]


# --- a fixed source address ------------------------------------------------------------------------------------


def test_the_functions_that_talk_to_the_platform_are_in_the_network_and_no_other(template: dict[str, Any]) -> None:
    functions = resources("AWS::Serverless::Function", template)
    connected = {name for name, each in functions.items() if "VpcConfig" in each["Properties"]}
    assert connected == {f"{name}Function" for name in TALK_TO_THE_PLATFORM}
    roles = resources("AWS::IAM::Role", template)
    for name in TALK_TO_THE_PLATFORM:
        managed = roles[f"{name}Role"]["Properties"]["ManagedPolicyArns"]
        assert managed == {"Fn::If": ["HasNetwork", [{"Ref": "NetworkPolicy"}], {"Ref": "AWS::NoValue"}]}
    assert "ManagedPolicyArns" not in roles["ReceiverRole"]["Properties"]


def test_lambda_may_connect_a_function_and_the_functions_code_may_not(template: dict[str, Any]) -> None:
    policy = template["Resources"]["NetworkPolicy"]["Properties"]["PolicyDocument"]
    allowed, denied = policy["Statement"]
    assert (allowed["Effect"], denied["Effect"]) == ("Allow", "Deny")
    assert allowed["Action"] == denied["Action"]
    assert denied["Condition"] == {"Null": {"lambda:SourceFunctionArn": "false"}}


def test_the_functions_leave_by_one_gateway_with_one_address(network: dict[str, Any]) -> None:
    [gateway] = resources("AWS::EC2::NatGateway", network).values()
    assert gateway["Properties"]["AllocationId"] == {"Fn::GetAtt": ["Address", "AllocationId"]}
    assert network["Outputs"]["SourceAddress"]["Value"] == {"Ref": "Address"}
    ways_out = [each["Properties"] for each in resources("AWS::EC2::Route", network).values()]
    private = [each for each in ways_out if each["RouteTableId"] == {"Ref": "PrivateRoutes"}]
    assert [each["NatGatewayId"] for each in private] == [{"Ref": "NatGateway"}]


def test_the_network_has_two_zones_and_its_subnets_are_apart(network: dict[str, Any]) -> None:
    subnets = {name: each["Properties"] for name, each in resources("AWS::EC2::Subnet", network).items()}
    zones = {name: each["AvailabilityZone"]["Fn::Select"][0] for name, each in subnets.items()}
    assert zones == {"PublicSubnetA": 0, "PublicSubnetB": 1, "PrivateSubnetA": 0, "PrivateSubnetB": 1}
    assert sorted(each["CidrBlock"]["Fn::Select"][0] for each in subnets.values()) == [0, 1, 2, 3]


def test_what_no_emulator_deploys_is_left_out_off_aws(network: dict[str, Any]) -> None:
    conditional = {name for name, each in network["Resources"].items() if each.get("Condition") == "IsOnAws"}
    assert conditional == {"Address", "NatGateway", "PrivateWayOut"}


def test_nothing_comes_in_to_the_functions(network: dict[str, Any]) -> None:
    [group] = resources("AWS::EC2::SecurityGroup", network).values()
    assert "SecurityGroupIngress" not in group["Properties"]


# --- a push address on plain HTTP ------------------------------------------------------------------------------


def test_plain_pushes_come_from_the_named_sources_to_the_one_path(plain_push: dict[str, Any]) -> None:
    [rule] = resources("AWS::ElasticLoadBalancingV2::ListenerRule", plain_push).values()
    path, sources = rule["Properties"]["Conditions"]
    assert path["PathPatternConfig"] == {"Values": [{"Ref": "Path"}]}
    assert sources["SourceIpConfig"] == {"Values": {"Fn::Split": [",", {"Ref": "Sources"}]}}
    [listener] = resources("AWS::ElasticLoadBalancingV2::Listener", plain_push).values()
    assert listener["Properties"]["DefaultActions"][0]["Type"] == "fixed-response"


def test_plain_pushes_are_taken_in_by_the_same_function_under_the_same_path(template: dict[str, Any]) -> None:
    handed_over = template["Resources"]["PlainPushStack"]["Properties"]["Parameters"]
    assert handed_over["FunctionArn"] == {"Ref": "ReceiverFunction.Alias"}
    assert handed_over["Path"] == {"Fn::Sub": "/${Stage}/receive"}
    assert handed_over["Sources"] == {"Ref": "PushSources"}


def test_a_plain_push_address_is_https_with_a_certificate_and_http_without() -> None:
    def made(certificate: str) -> tuple[Any, ...]:
        stacks = deployed(
            "cn-northwest-1",
            "kuaixintong",
            **{"PlatformUrl": "https://p", "Network": "Create", "PlainPushCertificateArn": certificate, **BOUNDED},
        )
        listener = stacks["PlainPushStack"].resources()["Listener"]["Properties"]
        url = stacks[""].outputs["PlainPushStack"]["Url"]
        return url.partition(":")[0], listener["Protocol"], listener.get("Certificates"), listener["Port"]

    certificate = "arn:aws-cn:acm:cn-northwest-1:123456789012:certificate/0123"
    assert made(certificate) == ("https", "HTTPS", [{"CertificateArn": certificate}], "8180")
    assert made("") == ("http", "HTTP", None, "8180")


CLOSED_WITHOUT_A_FILING = {80, 443, 8080, 8443}


def test_the_plain_push_addresss_own_port_is_open_in_mainland_china(template: dict[str, Any]) -> None:
    assert template["Parameters"]["PlainPushPort"]["Default"] not in CLOSED_WITHOUT_A_FILING
    for name in ("Parameters", "Outputs"):
        told = str(template[name]["PlainPush" if name == "Parameters" else "PushUrl"]["Description"])
        assert "ICP filing" in told, name


BOUNDED = {"PlainPush": "true", "PushSources": "121.40.152.72/32", "ReserveConcurrency": "true"}


@pytest.mark.parametrize(
    ("values", "broken"),
    [
        ({}, []),
        ({**BOUNDED, "Network": "Create"}, []),
        ({**BOUNDED, "PlainPushVpcId": "vpc-0", "PlainPushSubnetIds": "subnet-0,subnet-1"}, []),
        (BOUNDED, ["PlainPushVpcId"]),
        ({**BOUNDED, "Network": "Create", "PushSources": "0.0.0.0/0"}, ["PushSources"]),
        ({**BOUNDED, "Network": "Create", "ReserveConcurrency": "false"}, ["ReserveConcurrency"]),
        ({"PlainPush": "true"}, ["PlainPushVpcId", "PushSources", "ReserveConcurrency"]),
        ({"Network": "Existing"}, ["SubnetIds", "SecurityGroupIds"]),
        ({"Network": "Create", "SubnetIds": "subnet-0"}, ["SubnetIds"]),
    ],
)
def test_what_does_not_go_together_is_refused_before_anything_is_made(
    template: dict[str, Any], values: dict[str, str], broken: list[str]
) -> None:
    said = Stack(template, {"PlatformUrl": "https://p", **values}).broken_rules()
    assert len(said) == len(broken)
    assert all(name in sentence for name, sentence in zip(broken, said, strict=True)), said


@pytest.mark.parametrize(
    ("parameter", "value", "taken"),
    [
        ("PushSources", "0.0.0.0/0", True),
        ("PushSources", "121.40.152.72/32,10.0.0.0/8", True),
        ("PushSources", "121.40.152.72", False),
        ("PushSources", "121.40.152.72/32,0.0.0.0/0", False),  # everybody, past the rule
        ("PushSources", "0.0.0.0/1,128.0.0.0/1", False),
        ("PlatformUrl", "https://platform.example:8443/webservice/http/service", True),
        ("PlatformUrl", "http://127.0.0.1:8180/webservice/http/service", True),
        ("PlatformUrl", "https://user:password@platform.example/", False),
        ("PlatformUrl", "https://user@platform.example/", False),
        ("PlatformUrl", "https://platform.example/?pwd=123", False),
        ("PlatformUrl", "https://platform.example/服务", False),
        ("PlainPushCertificateArn", "arn:aws-cn:acm:cn-north-1:123456789012:certificate/0123-4567", True),
        ("PlainPushCertificateArn", "arn:aws-cn:iam::123456789012:server-certificate/company/push", True),
        ("PlainPushCertificateArn", "push.example", False),
    ],
)
def test_a_parameter_takes_what_it_should_and_nothing_else(
    template: dict[str, Any], parameter: str, value: str, taken: bool
) -> None:
    pattern = template["Parameters"][parameter]["AllowedPattern"]
    assert bool(re.fullmatch(pattern, value, re.ASCII)) is taken


def test_a_fifth_source_of_plain_pushes_is_refused_with_a_sentence(plain_push: dict[str, Any]) -> None:
    sources = plain_push["Parameters"]["Sources"]
    assert re.fullmatch(sources["AllowedPattern"], ",".join(["192.0.2.1/32"] * 4))
    assert not re.fullmatch(sources["AllowedPattern"], ",".join(["192.0.2.1/32"] * 5))
    assert "Four" in sources["ConstraintDescription"]


# --- concurrency -----------------------------------------------------------------------------------------------


def test_what_is_reserved_for_the_sender_is_what_its_queue_may_ask_of_it(template: dict[str, Any]) -> None:
    sender = template["Resources"]["SenderFunction"]["Properties"]
    asked = sender["Events"]["Sends"]["Properties"]["ScalingConfig"]["MaximumConcurrency"]
    reserved = {"Fn::If": ["ReservesConcurrency", asked, {"Ref": "AWS::NoValue"}]}
    assert sender["ReservedConcurrentExecutions"] == reserved
