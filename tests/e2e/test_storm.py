"""Never twice, never lost, on the deployed stack: answers go astray and the sender is killed, again and again."""

import json
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from itertools import batched
from typing import TYPE_CHECKING, Any

import psutil

from kuaixintong.stores.dynamo import Item
from local.processes import wait_until
from local.simulator.running import RunningSimulator
from tests.e2e.deployment import ACCOUNT, Deployment

if TYPE_CHECKING:
    from mypy_boto3_sqs.type_defs import SendMessageBatchRequestEntryTypeDef

SENDS = 300
CHANCE = 0.1
KILLS = 8
GROWN_UP = 1.5
"""Seconds: a worker younger than that is still importing, and its death would prove nothing."""

CALLS_IN_A_MINUTE = 5


class Killer:
    """Kills one worker of the sender after another with SIGKILL, at least ``every`` seconds apart."""

    def __init__(self, deployment: Deployment, *, every: float) -> None:
        self._deployment = deployment
        self._every = every
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._work, daemon=True)
        self.kills = 0

    def __enter__(self) -> "Killer":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _work(self) -> None:
        while self.kills < KILLS and not self._stop.wait(self._every):
            for worker in self._workers()[:1]:
                with suppress(psutil.NoSuchProcess):
                    worker.kill()
                    self.kills += 1

    def _workers(self) -> list[psutil.Process]:
        """The sender's processes at work."""
        return [each for each in self._deployment.workers("SenderFunction") if self._grown_up(each)]

    def _grown_up(self, process: psutil.Process) -> bool:
        with suppress(psutil.Error):
            return time.time() - process.create_time() > GROWN_UP
        return False


def enqueue(deployment: Deployment, bodies: list[dict[str, Any]]) -> None:
    """Put many sends on the queue, ten at a time."""

    def put(some: tuple[dict[str, Any], ...]) -> None:
        entries: list[SendMessageBatchRequestEntryTypeDef] = [
            {"Id": str(number), "MessageBody": json.dumps(body)} for number, body in enumerate(some)
        ]
        answer = deployment.aws.sqs.send_message_batch(
            QueueUrl=deployment.outputs["SendQueueUrl"], Entries=entries
        )
        assert len(answer["Successful"]) == len(some)

    with ThreadPoolExecutor(4) as threads:
        list(threads.map(put, batched(bodies, 10, strict=False)))


def sends(prefix: str, count: int) -> list[dict[str, Any]]:
    return [
        {"id": f"{prefix}-{number}", "mobiles": [f"138{number:08d}"], "content": "暴风雨就要来了"}
        for number in range(count)
    ]


def test_a_storm_of_faults_and_kills_sends_nothing_twice_and_loses_nothing(
    deployment: Deployment, platform: RunningSimulator
) -> None:
    faults = [
        {"do": "cut", "when": "after", "chance": CHANCE, "seed": 1},
        {"do": "garble", "when": "before", "chance": CHANCE, "seed": 2},
        {"do": "delay", "seconds": 0.5, "chance": CHANCE, "seed": 3},
        {"do": "late", "seconds": 3, "chance": CHANCE / 5, "seed": 4},
    ]
    platform.faults([{"op": "sendSm", **fault} for fault in faults])
    with Killer(deployment, every=0.7) as killer:
        enqueue(deployment, sends("storm", SENDS))
        wait_until(lambda: killer.kills >= KILLS, "the sender is killed often enough", seconds=120)
    deployment.queue_runs_empty(seconds=420)
    platform.release()

    happened = platform.faults_applied()
    assert killer.kills >= KILLS
    assert len(happened) == len(faults), happened
    rows = {row["send_id"]: row for row in deployment.rows("Sends") if row["send_id"].startswith("storm-")}
    acceptances = platform.acceptances()
    assert max(acceptances.values()) == 1, "accepted twice"
    assert len(rows) == SENDS, "a part without a row"
    wrong = [row for row in rows.values() if not _true(row, acceptances)]
    assert not wrong, wrong[:3]
    assert Counter(row["state"] for row in rows.values())["ACCEPTED"] > SENDS / 2
    assert deployment.messages_left("DeadLetterQueueUrl") == 0


def _true(row: Item, acceptances: Counter[str]) -> bool:
    """Whether a row tells what the platform knows: accepted with its token, or that a person must look."""
    taken = acceptances[row["mobiles"][0]]
    if row["state"] == "ACCEPTED":
        return taken == 1 and "token" in row
    return row["state"] == "UNCONFIRMED" and row["attention"] == "UNCONFIRMED" and bool(row["advice"])


def test_a_wrong_password_costs_a_few_calls_and_no_send(
    deployment: Deployment, platform: RunningSimulator
) -> None:
    count = 300
    platform.change(pwd="changed")  # not the secret: a warm worker may go on with the one it has read, for minutes
    enqueue(deployment, sends("wrong", count))
    wait_until(lambda: len(platform.requests()) > 0, "the sender tries", seconds=120)
    minute = platform.requests()[0].received_at + timedelta(minutes=1)
    wait_until(lambda: datetime.now(UTC) > minute, "a minute passes", seconds=70)
    # How much later this machine gets round to looking is not the sender's doing.
    assert sum(request.received_at < minute for request in platform.requests()) <= CALLS_IN_A_MINUTE
    assert not platform.messages()

    deployment.stack.fill_in_platform_secret(cid=ACCOUNT.cid, uid=ACCOUNT.uid, pwd="changed")
    wait_until(lambda: len(platform.messages()) == count, "every send goes out", seconds=300)
    deployment.queue_runs_empty()
    assert set(platform.acceptances().values()) == {1}
    rows = [row for row in deployment.rows("Sends") if row["send_id"].startswith("wrong-")]
    assert Counter(row["state"] for row in rows) == {"ACCEPTED": count}
