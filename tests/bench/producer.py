"""The producer library: how fast it enqueues beside a bare loop, and what its import costs beside boto3's."""

import subprocess
import sys
import time
import uuid
from collections.abc import Callable
from itertools import batched
from pathlib import Path
from statistics import median

import boto3

from kuaixintong.core.bodies import written
from kuaixintong.producer import Outbox, SendFields

ROOT = Path(__file__).parents[2]
SENDS = 2_000
ROUNDS = 3
IMPORTS = 15


def run() -> None:
    """Measure, and print both sides and the ratio of each."""
    _compare_enqueueing()
    _compare_imports()


def _compare_enqueueing() -> None:
    sqs = boto3.client("sqs")
    url = sqs.create_queue(QueueName=f"bench-{uuid.uuid4().hex[:8]}")["QueueUrl"]
    outbox = Outbox.of_queues(url)

    def ours() -> None:
        assert len(outbox.send_many(_sends())) == SENDS

    def bare() -> None:
        for batch in batched(map(dict, _sends()), 10, strict=False):
            entries = [{"Id": str(at), "MessageBody": written(each)} for at, each in enumerate(batch)]
            assert not sqs.send_message_batch(QueueUrl=url, Entries=entries).get("Failed")  # type: ignore[arg-type]

    mine, theirs = [], []
    for _ in range(ROUNDS):  # by turns, so that what else the machine does strikes both alike
        mine.append(_seconds(ours))
        theirs.append(_seconds(bare))
    rate, base = SENDS / median(mine), SENDS / median(theirs)
    print(
        f"{SENDS} sends enqueued: outbox {rate:.0f} sends/s, bare loop of send_message_batch {base:.0f} sends/s; "
        f"ratio {rate / base:.2f}, target: at least 0.7"
    )
    sqs.delete_queue(QueueUrl=url)


def _sends() -> list[SendFields]:
    return [
        {"id": uuid.uuid4().hex, "mobiles": [f"137{number:08}"], "content": f"亲爱的 {number}，新年好"}
        for number in range(SENDS)
    ]


def _compare_imports() -> None:
    ours, theirs = [], []
    for _ in range(IMPORTS):
        ours.append(_import_seconds("import kuaixintong.producer"))
        theirs.append(_import_seconds("import boto3"))
    mine, base = median(ours), median(theirs)
    print(
        f"importing kuaixintong.producer, processor time: {mine * 1000:.0f} ms, boto3 alone {base * 1000:.0f} ms; "
        f"ratio {mine / base:.2f}, target: at most 1.2"
    )


def _import_seconds(statement: str) -> float:
    code = f"import time; began = time.process_time(); {statement}; print(time.process_time() - began)"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    return float(done.stdout)


def _seconds(work: Callable[[], None]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began
