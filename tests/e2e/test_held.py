"""Held sends on the deployed stack: enqueued by the function on its schedule, through deaths of it, none twice.

``HELD=3000`` makes it the figure that is promised: 3,000 sends due in one minute are all out within three minutes,
and within five with the function killed twice in the middle.
"""

import os
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest

from kuaixintong.core.lanes import Lane
from kuaixintong.stores.table import DynamoTable
from local.processes import wait_until
from local.simulator.running import RunningSimulator
from tests.e2e.deployment import Deployment
from tests.holding import hold

COUNT = int(os.environ.get("HELD", "40"))
FULL = COUNT >= 3_000
SECONDS = {"well": 180, "killed twice": 300}

AT_WORK = 2.0 if FULL else 0.8
"""Seconds until the function is in the middle of enqueueing; forty sends may be through by then."""


def held(deployment: Deployment, at: datetime, prefix: str) -> list[str]:
    """Let so many sends wait until a moment; return their mobiles, which begin alike."""
    table = DynamoTable(deployment.aws.dynamodb, deployment.outputs["SendsTableName"])
    mobiles = [f"{prefix}{number:08}" for number in range(COUNT)]
    with ThreadPoolExecutor(8) as threads:
        list(
            threads.map(
                lambda mobile: hold(
                    table, {"id": f"{at:%H%M%S}-{mobile}", "mobiles": [mobile], "content": "x"}, at
                ),
                mobiles,
            )
        )
    return mobiles


def accepted(platform: RunningSimulator) -> Counter[str]:
    return Counter(mobile for message in platform.messages() for mobile in message.mobiles)


def kills(deployment: Deployment) -> None:
    """Call the function, and kill its process once it has begun to enqueue."""
    with ThreadPoolExecutor(1) as thread:
        called = thread.submit(deployment.invoke, "DueFunction", {})
        time.sleep(AT_WORK)
        cut_off = not called.done()
        killed = deployment.workers("DueFunction")
        for worker in killed:
            worker.kill()
        assert not FULL or (cut_off and killed), "it had come to its end"
        called.exception()  # the emulator may call it anew


@pytest.mark.parametrize("how", SECONDS)
def test_what_is_due_in_one_minute_goes_out_and_none_twice(
    deployment: Deployment, platform: RunningSimulator, how: str
) -> None:
    platform.change(balance=10 * COUNT)
    due_at = datetime.now(UTC) + timedelta(seconds=60 if FULL else 10)
    mobiles = held(deployment, due_at, "135" if how == "well" else "136")
    assert not set(mobiles) & accepted(platform).keys()
    wait_until(lambda: datetime.now(UTC) >= due_at, "They are due", seconds=120)
    began = time.monotonic()
    if how == "killed twice":
        for _ in range(2):
            kills(deployment)
    if not FULL:  # the schedule's minute is waited for in the full measure alone
        deployment.invoke("DueFunction", {})
    out, seconds = 0, 0.0
    while out < COUNT and seconds < SECONDS[how]:
        time.sleep(1)
        out, seconds = len(accepted(platform).keys() & {*mobiles}), time.monotonic() - began
    print(f"{out} of {COUNT} held sends, {how}, are out {seconds:.0f} s after they were due")  # noqa: T201
    assert out == COUNT
    deployment.queue_runs_empty()
    assert {mobile: accepted(platform)[mobile] for mobile in mobiles} == dict.fromkeys(mobiles, 1)
    states = Counter(
        row["state"] for row in deployment.rows("Sends") if row["send_id"].startswith(f"{due_at:%H%M%S}")
    )
    assert states == {"ACCEPTED": COUNT}
    assert not [row for row in deployment.rows("Sends") if "due_shard" in row and row["state"] == "ACCEPTED"]


def test_an_urgent_one_goes_out_through_its_own_lane(deployment: Deployment, platform: RunningSimulator) -> None:
    table = DynamoTable(deployment.aws.dynamodb, deployment.outputs["SendsTableName"])
    name = f"code-{time.time_ns()}"
    code = {"id": name, "mobiles": ["13511111111"], "content": "x", "category": "otp"}
    hold(table, code, datetime.now(UTC) - timedelta(seconds=1), Lane.URGENT)
    deployment.invoke("DueFunction", {})
    [part] = deployment.settled(name)
    assert (part["state"], accepted(platform)["13511111111"]) == ("ACCEPTED", 1)
