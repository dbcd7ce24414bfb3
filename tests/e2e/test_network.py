"""The options around the network, as far as the emulator goes: it has no NAT gateway, and no Lambda in a network.

What a deployment in an account shows and this does not: that requests leave from the one address, that the
functions reach AWS from inside, and that the list of sources keeps others out.
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest
import requests

from local.simulator.running import running_simulator
from local.stack import EmulatedStack
from tests.e2e.deployment import Deployment

if TYPE_CHECKING:
    from mypy_boto3_cloudformation.type_defs import StackResourceSummaryTypeDef


BOUNDED = {"PlainPush": "true", "PushSources": "127.0.0.0/8", "ReserveConcurrency": "true"}


@pytest.fixture(scope="module")
def connected() -> Iterator[Deployment]:
    """A deployment with a network of its own and a plain push address."""
    parameters = {
        "Network": "Create",
        **BOUNDED,
        "CheckRateMinutes": "1440",
    }
    with (
        running_simulator() as platform,
        EmulatedStack("network", platform_url=platform.url, parameters=parameters, enforce_iam=True) as stack,
    ):
        deployment = Deployment(stack, platform)
        deployment.begin_anew()
        yield deployment


def pieces(deployment: Deployment, nested: str) -> "dict[str, StackResourceSummaryTypeDef]":
    """What a nested stack is made of."""
    found = deployment.aws.cloudformation.list_stack_resources(StackName=deployment.physical(nested))
    return {each["LogicalResourceId"]: each for each in found["StackResourceSummaries"]}


def live(deployment: Deployment, function: str) -> str:
    """The ARN of the alias that the template hands over."""
    return deployment.aws.functions.get_alias(FunctionName=deployment.physical(function), Name="live")["AliasArn"]


def test_the_network_is_made_less_its_address(connected: Deployment) -> None:
    made = pieces(connected, "NetworkStack")
    assert {"Vpc", "PrivateSubnetA", "PrivateSubnetB", "PublicSubnetA", "PublicSubnetB"} <= set(made)
    assert {"DynamoDbEndpoint", "FunctionsSecurityGroup"} <= set(made)
    assert not {"Address", "NatGateway", "PrivateWayOut"} & set(made)
    assert "SourceAddress" not in connected.outputs


def test_sends_go_out_with_a_network(connected: Deployment) -> None:
    send_id = connected.enqueue({"mobiles": ["13708600860"], "content": "周末参加不了培训了"})
    assert [part["state"] for part in connected.settled(send_id)] == ["ACCEPTED"]


def test_a_plain_push_is_taken_in(connected: Deployment) -> None:
    url = urlsplit(connected.outputs["PlainPushUrl"])
    assert (url.scheme, url.port, url.path) == ("http", 8180, "/local/receive")
    # the emulator leaves the template's targets out
    connected.aws._client("elbv2").register_targets(
        TargetGroupArn=pieces(connected, "PlainPushStack")["Receiver"]["PhysicalResourceId"],
        Targets=[{"Id": live(connected, "ReceiverFunction")}],
    )
    data = '[{"token": 9101, "mobile": "13500000001", "resultCode": "0", "success": true}]'
    answer = requests.post(
        f"{connected.stack.endpoint}{url.path}",  # the emulator knows load balancers by their names
        headers={"Host": url.netloc},
        data={**connected.push_credentials, "type": "report", "jsonData": data},
        timeout=30,
    )
    assert (answer.status_code, answer.text) == (200, "0")
    assert [each["mobile"] for each in connected.lookup.reports_of_token("9101")] == ["13500000001"]


@pytest.mark.parametrize(
    ("parameters", "sentence"),
    [
        ({"Network": "Existing"}, "SubnetIds names the subnets"),
        ({"SubnetIds": "subnet-0123456789abcdef0"}, 'go with Network "Existing" alone'),
        (BOUNDED, "PlainPush needs PlainPushVpcId and PlainPushSubnetIds"),
        ({**BOUNDED, "Network": "Create", "PushSources": "0.0.0.0/0"}, "PlainPush needs PushSources"),
        ({**BOUNDED, "Network": "Create", "ReserveConcurrency": "false"}, "PlainPush needs ReserveConcurrency"),
    ],
)
def test_parameters_that_do_not_go_together_are_refused_with_a_sentence(
    deployment: Deployment, parameters: dict[str, str], sentence: str
) -> None:
    cloudformation = deployment.aws.cloudformation
    template = cloudformation.get_template(StackName=deployment.stack.name, TemplateStage="Processed")
    values = {"PlatformUrl": "http://127.0.0.1:1/", "OnAws": "false", "GradualDeployment": "false", **parameters}
    with pytest.raises(cloudformation.exceptions.ClientError, match=sentence):
        cloudformation.create_stack(
            StackName="refused",
            TemplateBody=str(template["TemplateBody"]),
            Parameters=[{"ParameterKey": key, "ParameterValue": value} for key, value in values.items()],
            Capabilities=["CAPABILITY_IAM", "CAPABILITY_AUTO_EXPAND"],
        )
