"""Each role allows what its function does and no more. (That they allow enough, every other e2e test shows.)"""

from collections.abc import Callable

import pytest
from botocore.exceptions import ClientError

from local.stack import Clients
from tests.e2e.deployment import Deployment

SECRETS = {"PlatformSecretArn", "PushSecretArn"}
TABLES = {
    f"{name}TableName"
    for name in ("Sends", "Outbound", "Campaigns", "Reports", "Inbound", "Account", "Quarantine")
}


def denied(call: Callable[[], object]) -> bool:
    """Return whether IAM refuses a call; what the service itself says of it does not matter."""
    try:
        call()
    except ClientError as error:
        return error.response["Error"]["Code"].startswith(
            "AccessDenied"
        )  # the services spell the rest differently
    return False


def read(clients: Clients, arn: str) -> Callable[[], object]:
    return lambda: clients.secrets.get_secret_value(SecretId=arn)


def write(clients: Clients, table: str) -> Callable[[], object]:
    # no row has this key: where IAM lets the call through, DynamoDB refuses it
    key = {"nothing": {"S": "nothing"}}
    return lambda: clients.dynamodb.update_item(TableName=table, Key=key)


def batch(clients: Clients, table: str) -> Callable[[], object]:
    item = {"nothing": {"S": "nothing"}}
    return lambda: clients.dynamodb.batch_write_item(RequestItems={table: [{"PutRequest": {"Item": item}}]})


@pytest.mark.parametrize(
    ("role", "secrets", "updates", "batches"),
    [
        ("SenderRole", {"PlatformSecretArn"}, {"SendsTableName", "AccountTableName"}, {"OutboundTableName"}),
        ("UrgentSenderRole", {"PlatformSecretArn"}, {"SendsTableName", "AccountTableName"}, {"OutboundTableName"}),
        ("BalanceRole", {"PlatformSecretArn"}, {"SendsTableName", "AccountTableName"}, set()),
        ("DueRole", set(), {"SendsTableName"}, set()),
        ("EventsRole", set(), set(), set()),
        ("ReceiverRole", {"PushSecretArn"}, {"QuarantineTableName"}, {"ReportsTableName", "InboundTableName"}),
    ],
)
def test_a_function_reaches_its_own_secret_and_tables_and_no_others(
    deployment: Deployment, role: str, secrets: set[str], updates: set[str], batches: set[str]
) -> None:
    clients = deployment.acting_as(role)
    outputs = deployment.outputs
    assert {name for name in SECRETS if not denied(read(clients, outputs[name]))} == secrets
    assert {name for name in TABLES if not denied(write(clients, outputs[name]))} == updates
    assert {name for name in TABLES if not denied(batch(clients, outputs[name]))} == batches


def test_a_function_scans_no_table(deployment: Deployment) -> None:
    for role in ("SenderRole", "UrgentSenderRole", "ReceiverRole", "BalanceRole", "DueRole", "EventsRole"):
        dynamodb = deployment.acting_as(role).dynamodb
        for name in TABLES:
            table = deployment.outputs[name]
            assert denied(lambda: dynamodb.scan(TableName=table)), (role, name)  # noqa: B023 - called at once


@pytest.mark.parametrize("role", ["SenderRole", "UrgentSenderRole"])
def test_a_sender_puts_nothing_on_a_queue_of_sends(deployment: Deployment, role: str) -> None:
    sqs = deployment.acting_as(role).sqs
    for queue in ("SendQueueUrl", "UrgentQueueUrl"):
        url = deployment.outputs[queue]
        assert denied(lambda: sqs.send_message(QueueUrl=url, MessageBody="{}"))  # noqa: B023 - called at once
