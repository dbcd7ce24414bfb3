"""A stack as CloudFormation describes it, and what is said of one that is not there."""

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import pytest

from kuaixintong.core.errors import AccessRefused
from kuaixintong.stores.stack import Description, described, outputs, resource
from tests.aws_faults import client_error

if TYPE_CHECKING:
    from mypy_boto3_cloudformation import CloudFormationClient

STACK: dict[str, Any] = {
    "StackStatus": "CREATE_COMPLETE",
    "Outputs": [{"OutputKey": "SendQueueUrl", "OutputValue": "https://sqs.example/1/send"}],
    "Parameters": [{"ParameterKey": "RetentionDays", "ParameterValue": "180"}, {"ParameterKey": "Hidden"}],
}


class Client:
    """CloudFormation on paper, which knows one stack."""

    meta = SimpleNamespace(region_name="cn-north-1")

    def __init__(self, *stacks: dict[str, Any], code: str | None = None) -> None:
        self.stacks = stacks
        self.code = code

    def _answer(self, operation: str) -> None:
        if self.code:
            raise client_error(self.code, operation)

    def describe_stacks(self, *, StackName: str) -> dict[str, Any]:  # noqa: N803
        assert StackName == "prod"
        self._answer("DescribeStacks")
        return {"Stacks": self.stacks}

    def describe_stack_resource(self, **asked: str) -> dict[str, Any]:
        assert asked == {"StackName": "prod", "LogicalResourceId": "BalanceFunction"}
        self._answer("DescribeStackResource")
        return {"StackResourceDetail": self.stacks[0]}


def of(*stacks: dict[str, Any], code: str | None = None) -> "CloudFormationClient":
    return cast("CloudFormationClient", Client(*stacks, code=code))


def test_a_stack_is_told_with_its_outputs_and_parameters() -> None:
    found = {"SendQueueUrl": "https://sqs.example/1/send"}
    assert described(of(STACK), "prod") == Description(
        "prod", "CREATE_COMPLETE", found, {"RetentionDays": "180", "Hidden": ""}
    )
    assert outputs(of(STACK), "prod") == found
    bare = {"StackStatus": "CREATE_IN_PROGRESS"}
    assert described(of(bare), "prod") == Description("prod", "CREATE_IN_PROGRESS", {}, {})


@pytest.mark.parametrize("code", [None, "ValidationError"])
def test_a_stack_that_is_not_there_is_told_with_where_it_was_looked_for(code: str | None) -> None:
    with pytest.raises(AccessRefused) as caught:
        described(of(code=code), "prod")
    assert str(caught.value) == "There is no stack prod in the region cn-north-1 of this account."


def test_a_resource_is_told_by_its_physical_name() -> None:
    assert resource(of({"PhysicalResourceId": "prod-Balance-1"}), "prod", "BalanceFunction") == "prod-Balance-1"
    assert resource(of({}), "prod", "BalanceFunction") == ""


def test_a_resource_that_a_stack_does_not_have_is_told() -> None:
    with pytest.raises(AccessRefused, match="The stack prod has no BalanceFunction"):
        resource(of(code="ValidationError"), "prod", "BalanceFunction")


def test_whoever_may_not_look_is_told_by_the_permission() -> None:
    with pytest.raises(AccessRefused, match="cloudformation:DescribeStacks"):
        described(of(code="AccessDenied"), "prod")
    with pytest.raises(AccessRefused, match="cloudformation:DescribeStackResource"):
        resource(of(code="AccessDenied"), "prod", "BalanceFunction")
