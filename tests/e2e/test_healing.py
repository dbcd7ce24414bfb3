"""On the deployed stack: the account check infers what reports prove, with its own permissions and indexes."""

import uuid
from datetime import UTC, datetime, timedelta

from kuaixintong.core import beijing
from local.processes import wait_until
from local.simulator.running import RunningSimulator
from tests.e2e.deployment import Deployment


def age(deployment: Deployment, table: str, key: dict[str, str], name: str, moment: datetime) -> None:
    """Let a row's moment be as long ago as it has to be: nobody waits for a quarter of an hour."""
    deployment.aws.dynamodb.update_item(
        TableName=deployment.outputs[table],
        Key={each: {"S": value} for each, value in key.items()},
        UpdateExpression="SET #name = :moment",
        ExpressionAttributeNames={"#name": name},
        ExpressionAttributeValues={":moment": {"S": beijing.iso(moment)}},
    )


def test_an_answer_that_was_cut_off_is_found_again_by_its_report(
    deployment: Deployment, platform: RunningSimulator
) -> None:
    send_id, mobile = uuid.uuid4().hex, f"139{uuid.uuid4().int % 10**8:08}"
    platform.faults([{"op": "sendSm", "do": "cut", "when": "after", "nth": [1]}])
    deployment.enqueue({"id": send_id, "mobiles": [mobile], "content": "x"})
    [row] = deployment.settled(send_id)
    assert row["state"] == "UNCONFIRMED"
    [report] = wait_until(
        lambda: [each for each in deployment.rows("Reports") if each["mobile"] == mobile], "its report has come"
    )
    now = datetime.now(UTC)
    age(deployment, "SendsTableName", {"send_id": send_id, "part": "1"}, "asked_at", now - timedelta(hours=1))
    key = {"token": report["token"], "outcome": report["outcome"]}
    age(deployment, "ReportsTableName", key, "received_at", now - timedelta(minutes=30))
    deployment.invoke("BalanceFunction", {})
    [healed] = deployment.parts(send_id)
    [message] = [each for each in platform.messages() if mobile in each.mobiles]
    assert (healed["state"], healed["token"], healed["inferred"]) == ("ACCEPTED", str(message.token), True)
    assert "attention" not in healed
