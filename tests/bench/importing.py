"""A file of people: how fast it is checked and enqueued, and that being killed costs nobody a text.

``BENCH_FULL=1`` enqueues all 100,000 people; else 20,000 are.
"""

import json
import os
import random
import subprocess
import sys
import tempfile
import time
import uuid
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import batched
from pathlib import Path
from typing import Any

import boto3

from kuaixintong.core.bodies import written
from local.processes import wait_until
from tests.bench.traffic import FULL, _Bench, _print
from tests.template import create_tables

ROOT = Path(__file__).parents[2]

CHECKED = 100_000
PEOPLE = CHECKED if FULL else 20_000
TO_THE_END = 20_000
KILLS = 5
TEXT = "{name}，您好：您在{city}的余额为{amount}元，请及时处理。"
CAMPAIGN = "spring"
BARE = 2_000

_CHECK = f"""
import resource, sys, time
from pathlib import Path
from kuaixintong.importing import Import
began = time.perf_counter()
plan = Import.read(Path(sys.argv[1]), text={TEXT!r}, campaign={CAMPAIGN!r}).plan
took = time.perf_counter() - began
assert (plan.sends, plan.faults) == ({CHECKED}, [])
print(took, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
"""

_ENQUEUE = f"""
import sys, time
from datetime import timedelta
from pathlib import Path
from kuaixintong.importing import Import
from kuaixintong.producer import Outbox
from kuaixintong.stores import aws
from kuaixintong.stores.campaigns import Campaigns
from kuaixintong.stores.table import DynamoTable
path, queue, table, text = sys.argv[1:]
campaigns = Campaigns(DynamoTable(aws.Person().dynamodb(), table), timedelta(days=180))
people = Import.read(Path(path), text=text, campaign={CAMPAIGN!r}).claim(campaigns)
outbox = Outbox.of_queues(queue)
print("enqueueing", flush=True)
began = time.perf_counter()
for outcome in people.enqueue(outbox, people.bookmark(queue)):
    pass
print(time.perf_counter() - began, flush=True)
"""


def run(platform_url: str, control_url: str) -> None:
    """Measure, and print each figure with its goal."""
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        _check(_people(place / "checked.csv", CHECKED))
        _enqueue(_people(place / "people.csv", PEOPLE), place / "states")
        bench = _Bench(platform_url, control_url)
        _to_the_end(bench, _people(place / "ended.csv", TO_THE_END), place / "ended")
        _one_text(bench, _people(place / "same.csv", TO_THE_END), place / "same")


def _people(path: Path, count: int) -> Path:
    rows = (f"{13700000000 + number},人{number},北京,{number}.50\n" for number in range(count))
    path.write_text("mobile,name,city,amount\n" + "".join(rows), "utf-8")
    return path


def _check(path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", _CHECK, str(path)], cwd=ROOT, capture_output=True, text=True, check=True
    )
    seconds, megabytes = map(float, done.stdout.split())
    _print(f"{CHECKED} personal rows checked", f"{seconds:.1f} s, {megabytes:.0f} MB", "at most 20 s, 300 MB")


def _enqueue(path: Path, states: Path) -> None:
    sqs = boto3.client("sqs")
    tables = create_tables(boto3.client("dynamodb"), prefix=f"{uuid.uuid4().hex[:8]}-")
    queue = sqs.create_queue(QueueName=f"bench-{uuid.uuid4().hex[:8]}")["QueueUrl"]
    spare = sqs.create_queue(QueueName=f"bench-{uuid.uuid4().hex[:8]}")["QueueUrl"]
    base = _bare(sqs, spare)
    rate = PEOPLE / _import(path, spare, tables["CampaignsTable"], states / "whole", kills=0)
    _print(
        f"{PEOPLE} personal sends enqueued",
        f"{rate:.0f} sends/s, bare loop of send_message_batch {base:.0f} sends/s; ratio {rate / base:.2f}",
        "at least 0.7",
    )
    tables = create_tables(boto3.client("dynamodb"), prefix=f"{uuid.uuid4().hex[:8]}-")
    _import(path, queue, tables["CampaignsTable"], states / "killed", kills=KILLS)
    bodies = Counter(body["id"] for body in _taken(sqs, queue))
    people = {f"{CAMPAIGN}:{line}" for line in range(2, PEOPLE + 2)}
    _print(
        f"{PEOPLE} personal sends, killed {KILLS} times and run again",
        f"{len(people & {*bodies})} enqueued, {len({*bodies} - people)} under another id, "
        f"{sum(bodies.values()) - len(bodies)} messages more",
        f"{PEOPLE}, none",
    )
    for url in (queue, spare):
        sqs.delete_queue(QueueUrl=url)


def _bare(sqs: Any, queue: str) -> float:
    """Return how many of such sends a second a bare loop enqueues."""
    sends = [
        {"id": f"{CAMPAIGN}:{at}", "mobiles": [f"137{at:08}"], "content": TEXT, "campaign": CAMPAIGN}
        for at in range(BARE)
    ]
    began = time.perf_counter()
    for batch in batched(sends, 10, strict=False):
        entries = [{"Id": str(at), "MessageBody": written(each)} for at, each in enumerate(batch)]
        assert not sqs.send_message_batch(QueueUrl=queue, Entries=entries).get("Failed")
    return BARE / (time.perf_counter() - began)


def _import(path: Path, queue: str, campaigns: str, states: Path, *, kills: int, text: str = TEXT) -> float:
    """Import in a process, kill it so many times at random moments, and let the last one come to its end.

    Returns the seconds that the last one enqueued for.
    """
    chance, took = random.Random(17), ""
    for attempt in range(kills + 1):
        with subprocess.Popen(
            [sys.executable, "-c", _ENQUEUE, str(path), queue, campaigns, text],
            cwd=ROOT,
            env=os.environ | {"XDG_STATE_HOME": str(states)},
            stdout=subprocess.PIPE,
            text=True,
        ) as process:
            assert process.stdout
            assert process.stdout.readline() == "enqueueing\n"
            if attempt < kills:
                time.sleep(chance.uniform(0.1, 2.0))
                process.kill()
            else:
                took = process.stdout.read()
    return float(took)


def _taken(sqs: Any, queue: str) -> Iterator[dict[str, Any]]:
    """Yield what lies in a queue, which is empty afterwards."""

    def some(_: int) -> list[dict[str, Any]]:
        found = sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10, VisibilityTimeout=3600).get(
            "Messages", []
        )
        return [json.loads(message["Body"]) for message in found]

    with ThreadPoolExecutor(8) as threads:
        while any(bodies := list(threads.map(some, range(64)))):
            yield from (body for each in bodies for body in each)


def _to_the_end(bench: _Bench, path: Path, states: Path) -> None:
    with bench._anew() as queues, bench._senders(queues, ordinary=4):
        bench._post("faults", [])
        began = time.perf_counter()
        campaigns = bench._environment["CAMPAIGNS_TABLE"]
        _import(path, queues["ordinary"], campaigns, states, kills=2)
        wait_until(lambda: bench._accepted() >= TO_THE_END, "All are accepted", seconds=900)
        took = time.perf_counter() - began
        mobiles = Counter(mobile for each in bench._get("messages") for mobile in each["mobiles"])
    _print(
        f"{TO_THE_END} personal rows to the end, killed twice",
        f"{len(mobiles)} people accepted, {sum(count > 1 for count in mobiles.values())} twice, {took:.0f} s",
        f"{TO_THE_END}, none twice",
    )


def _one_text(bench: _Bench, path: Path, states: Path) -> None:
    with bench._anew() as queues, bench._senders(queues, ordinary=2):
        bench._post("faults", [])
        campaigns = bench._environment["CAMPAIGNS_TABLE"]
        _import(path, queues["ordinary"], campaigns, states, kills=0, text="明天停水")

        def everybody() -> bool:
            return sum(len(each["mobiles"]) for each in bench._get("messages")) >= TO_THE_END

        wait_until(everybody, "All are accepted", seconds=120)
        requests = len(bench._log())
    _print(f"{TO_THE_END} rows of one text", f"{requests} requests to the platform", "at most 2")
