"""A stack as CloudFormation describes it: how somebody outside it learns its queues, tables and parameters."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from kuaixintong.core.errors import AccessRefused
from kuaixintong.stores.access import refusals

if TYPE_CHECKING:
    from mypy_boto3_cloudformation import CloudFormationClient


@dataclass(frozen=True, slots=True)
class Description:
    """A stack's outputs (contract, section 7) and parameters by name, and what CloudFormation says of it."""

    name: str
    status: str
    outputs: Mapping[str, str]
    parameters: Mapping[str, str]


def described(client: "CloudFormationClient", stack: str) -> Description:
    """Return what is known of ``stack``.

    Raises :class:`AccessRefused` if there is no such stack or nobody may look, :class:`StoreUnavailable`.
    """
    missing = f"There is no stack {stack} in the region {client.meta.region_name} of this account."
    with refusals("cloudformation", {"ValidationError": missing}):
        stacks = client.describe_stacks(StackName=stack)["Stacks"]
    if not stacks:
        raise AccessRefused(missing)
    [found, *_] = stacks
    return Description(
        stack,
        found["StackStatus"],
        {each["OutputKey"]: each["OutputValue"] for each in found.get("Outputs", [])},
        {each["ParameterKey"]: each.get("ParameterValue", "") for each in found.get("Parameters", [])},
    )


def outputs(client: "CloudFormationClient", stack: str) -> Mapping[str, str]:
    """Return the outputs of ``stack``; raises as :func:`described` does."""
    return described(client, stack).outputs


def resource(client: "CloudFormationClient", stack: str, name: str) -> str:
    """Return the physical name of a resource that the template calls ``name``; raises as :func:`described`."""
    missing = f"The stack {stack} has no {name}."
    with refusals("cloudformation", {"ValidationError": missing}):
        found = client.describe_stack_resource(StackName=stack, LogicalResourceId=name)
    return found["StackResourceDetail"].get("PhysicalResourceId", "")
