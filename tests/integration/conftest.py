"""In-process AWS for one thread at a time: moto, with the template's own tables.

moto is not thread-safe: two writers can both win one conditional put. What is concurrent is tested in ``e2e``.
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import boto3
import pytest
from moto import mock_aws

from tests.template import create_tables
from tests.world import World

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_secretsmanager import SecretsManagerClient
    from mypy_boto3_sqs import SQSClient


@pytest.fixture
def aws() -> Iterator[None]:
    """Turn every boto3 call of the test into moto's."""
    with mock_aws():
        yield


@pytest.fixture
def dynamodb(aws: None) -> "DynamoDBClient":
    """A DynamoDB client of an account that is empty but for ``tables``, if the test asks for them."""
    return boto3.client("dynamodb")


@pytest.fixture
def sqs(aws: None) -> "SQSClient":
    """An SQS client of an account without queues."""
    return boto3.client("sqs")


@pytest.fixture
def secrets(aws: None) -> "SecretsManagerClient":
    """A Secrets Manager client of an account without secrets."""
    return boto3.client("secretsmanager")


@pytest.fixture
def tables(dynamodb: "DynamoDBClient") -> dict[str, str]:
    """The template's five tables, empty: ``{"SendsTable": name, "ReportsTable": name, …}``."""
    return create_tables(dynamodb, prefix="test-")


@pytest.fixture(scope="module")
def shared_aws() -> Iterator[None]:
    """moto for a whole module, whose clients are quicker to make; worlds in it have tables of their own."""
    with mock_aws():
        yield


@pytest.fixture
def world(shared_aws: None) -> World:
    """A sender's world, new for each test."""
    return World()
