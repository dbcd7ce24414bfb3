"""On the deployed stack: the account check infers what reports prove, with its own permissions and indexes."""

import json
import uuid
from datetime import UTC, datetime, timedelta

import requests

from kuaixintong.core import beijing
from local.processes import wait_until
from local.simulator.running import RunningSimulator
from tests.e2e.deployment import Deployment


def age(deployment: Deployment, send_id: str, token: str, mobile: str) -> None:
    """Let a request and its report be as old as they have to be: nobody waits for a quarter of an hour."""
    long_ago = datetime.now(UTC) - timedelta(hours=1)
    for table, key, name, moment in (
        ("SendsTableName", {"send_id": send_id, "part": "1"}, "asked_at", long_ago),
        (
            *("ReportsTableName", {"token": token, "outcome": f"{mobile}#0#1"}),
            *("received_at", long_ago + timedelta(minutes=30)),
        ),
    ):
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
    [message] = [each for each in platform.messages() if mobile in each.mobiles]
    token = str(message.token)
    report = {"token": message.token, "mobile": mobile, "resultCode": "0", "success": True}
    assert deployment.push(type="report", jsonData=json.dumps([report])).status_code == requests.codes.ok
    age(deployment, send_id, token, mobile)
    deployment.invoke("BalanceFunction", {})
    [healed] = wait_until(
        lambda: [each for each in deployment.parts(send_id) if each["state"] == "ACCEPTED"], "it is accepted"
    )
    assert (healed["token"], healed["inferred"]) == (token, True)
    assert "attention" not in healed
