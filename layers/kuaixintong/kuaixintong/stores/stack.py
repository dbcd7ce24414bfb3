"""A stack's outputs: how somebody outside it learns its queues and tables."""

from typing import TYPE_CHECKING

from kuaixintong.core.errors import AccessRefused
from kuaixintong.stores.access import refusals

if TYPE_CHECKING:
    from mypy_boto3_cloudformation import CloudFormationClient


def outputs(client: "CloudFormationClient", stack: str) -> dict[str, str]:
    """Return the outputs of ``stack`` (contract, section 7), by name.

    Raises :class:`AccessRefused` if there is no such stack or nobody may look, :class:`StoreUnavailable`.
    """
    missing = f"There is no stack {stack} in the region {client.meta.region_name} of this account."
    with refusals("cloudformation", {"ValidationError": missing}):
        stacks = client.describe_stacks(StackName=stack)["Stacks"]
    if not stacks:
        raise AccessRefused(missing)
    return {each["OutputKey"]: each["OutputValue"] for each in stacks[0].get("Outputs", [])}
