"""What tests in one process stand on: a sender's world in memory, or moto with the template's own tables.

moto is for what looks at boto3, and for one thread at a time: two writers can both win one conditional put.
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import boto3
import pytest
from moto import mock_aws

from tests.fake_platform import Line
from tests.reading import Tables
from tests.sending import proven
from tests.template import create_tables
from tests.world import DynamoWorld, World

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
    """The template's tables, empty: ``{"SendsTable": name, "ReportsTable": name, …}``."""
    return create_tables(dynamodb, prefix="test-")


@pytest.fixture
def reading(dynamodb: "DynamoDBClient", tables: dict[str, str]) -> Tables:
    """The template's tables, to be filled row by row, and a look-up of them."""
    return Tables(dynamodb, tables)


@pytest.fixture(scope="module")
def shared_aws() -> Iterator[None]:
    """moto for a whole module, whose clients are quicker to make; worlds in it have tables of their own."""
    with mock_aws():
        yield


@pytest.fixture
def moto_world(shared_aws: None) -> DynamoWorld:
    """A sender's world whose tables are moto's, new for each test."""
    return DynamoWorld()


@pytest.fixture
def world() -> World:
    """A sender's world in memory, new for each test."""
    return World()


@pytest.fixture
def limited(world: World) -> World:
    """A world whose queue gives up at the third receive."""
    world.receive_limit = 3
    return world


@pytest.fixture
def line(world: World) -> Line:
    """A line to the platform of an account that is proven, so that no probe comes first."""
    return proven(world)
