"""The emulator's DynamoDB under the sender: the contract of tables, a sample of the campaign, real threads."""

from collections.abc import Iterator

import pytest

from kuaixintong.stores.table import DynamoTable
from tests.chaos.campaign import campaign, in_turn, some
from tests.chaos.judge import judge
from tests.chaos.scenes import crowd
from tests.e2e.deployment import Deployment
from tests.table_contract import CHECKS, Check
from tests.template import tables
from tests.world import DynamoWorld


@pytest.fixture(scope="module")
def world(shared_deployment: Deployment) -> DynamoWorld:
    """A world of its own beside the deployment, in the same emulator."""
    aws = shared_deployment.aws
    return DynamoWorld(dynamodb=aws.dynamodb, secretsmanager=aws.secrets)


@pytest.fixture
def table(shared_deployment: Deployment, request: pytest.FixtureRequest) -> Iterator[DynamoTable]:
    """An empty Sends table."""
    client, name = shared_deployment.aws.dynamodb, "contract-of-tables"
    client.create_table(TableName=name, **tables()["SendsTable"])
    yield DynamoTable(client, name)
    client.delete_table(TableName=name)


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_the_emulators_tables_keep_dynamodbs_rules(table: DynamoTable, check: Check) -> None:
    check(table)


def test_a_sample_of_the_campaign_keeps_every_promise(world: DynamoWorld) -> None:
    result = campaign(in_turn(world, [branch.root for branch in some(20, 3, seed=7)]))
    assert not result.breaches, "\n".join(map(str, result.breaches))
    assert set(result.acceptances) == {0, 1}


@pytest.mark.parametrize("seed", range(12))
def test_eight_workers_on_threads_send_nothing_twice_and_lose_nothing(world: DynamoWorld, seed: int) -> None:
    scene = crowd(seed, copies=8)
    assert not [what for run in scene.play_at_once(world) for what in judge(run)], scene
