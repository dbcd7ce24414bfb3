"""A campaign is cancelled on the deployed stack while it is sent, and the simulator's log agrees to the message.

``CANCELLED=2000`` makes it the figure that is promised: a campaign of 2,000, ten times, at random moments.
"""

import json
import os
import random
import uuid
from collections import Counter
from itertools import batched
from typing import Any

import pytest

from kuaixintong import cancel
from kuaixintong.cancel import Canceller
from kuaixintong.core.ledger import State
from kuaixintong.settings import CancelSettings
from kuaixintong.wiring.cancelling import of_client
from local.processes import wait_until
from local.simulator.running import RunningSimulator
from tests.e2e.deployment import Deployment

COUNT = int(os.environ.get("CANCELLED", "60"))
FULL = COUNT >= 2_000
TIMES = 10 if FULL else 1


def canceller(deployment: Deployment) -> Canceller:
    outputs = deployment.outputs
    settings = CancelSettings(outputs["SendsTableName"], outputs["CampaignsTableName"])
    return of_client(deployment.aws.dynamodb, settings)


def enqueued(deployment: Deployment, campaign: str) -> dict[str, str]:
    """Enqueue a campaign; return its sends' mobiles by their ids."""
    mobiles = {f"{campaign}-{number}": f"134{number:08}" for number in range(COUNT)}
    for batch in batched(mobiles.items(), 10, strict=False):
        bodies = [{"id": each, "mobiles": [to], "content": "x", "campaign": campaign} for each, to in batch]
        entries: Any = [{"Id": str(at), "MessageBody": json.dumps(body)} for at, body in enumerate(bodies)]
        assert not deployment.aws.sqs.send_message_batch(
            QueueUrl=deployment.outputs["SendQueueUrl"], Entries=entries
        ).get("Failed")
    return mobiles


@pytest.mark.parametrize("time", range(TIMES))
def test_cancelled_accepted_and_in_doubt_are_the_whole_campaign(
    deployment: Deployment, platform: RunningSimulator, monkeypatch: pytest.MonkeyPatch, time: int
) -> None:
    if not FULL:
        monkeypatch.setattr(cancel, "_SETTLES", 3.0)
    die = random.Random(time)
    platform.change(balance=10 * COUNT)
    platform.faults([{"op": "sendSm", "do": "cut", "when": "after", "chance": 0.02}] if FULL else [])
    campaign = f"campaign-{uuid.uuid4().hex[:8]}"
    mobiles = enqueued(deployment, campaign)
    moment = die.randrange(COUNT // 20, COUNT * 3 // 4)
    wait_until(lambda: len(platform.messages()) >= moment, "It is being sent", seconds=120)
    stopped = canceller(deployment).cancel_campaign(campaign)
    platform.faults([])
    deployment.queue_runs_empty()
    accepted = Counter(message.mobiles[0] for message in platform.messages())
    rows = {row["send_id"]: row for row in deployment.rows("Sends") if row.get("campaign") == campaign}
    states = Counter(row["state"] for row in rows.values())
    print(f"cancelled after {moment} of {COUNT}: {dict(states)}; {accepted.total()} accepted")  # noqa: T201
    assert rows.keys() == mobiles.keys()
    assert states.keys() <= {"ACCEPTED", "CANCELLED", "UNCONFIRMED"}
    assert states.total() == COUNT
    assert stopped.under_way == 0
    assert max(accepted.values()) == 1
    for send_id, mobile in mobiles.items():
        match rows[send_id]["state"]:
            case State.ACCEPTED:
                assert accepted[mobile] == 1
            case State.CANCELLED:
                assert accepted[mobile] == 0
    assert states[State.CANCELLED]
