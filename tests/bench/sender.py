"""The sender against bare loops that do the same calls, and what a send costs in write units.

Needs DynamoDB, SQS and Secrets Manager at ``AWS_ENDPOINT_URL``, and a simulated platform.
"""

import io
import json
import subprocess
import sys
import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, redirect_stdout
from datetime import timedelta
from functools import partial
from itertools import batched
from pathlib import Path
from statistics import median
from typing import Any
from unittest.mock import patch

import boto3
import requests
from requests.adapters import HTTPAdapter

from functions.sender import handler
from kuaixintong import wiring
from kuaixintong.core import beijing
from kuaixintong.core.codec import encode
from kuaixintong.core.credentials import PlatformCredentials
from kuaixintong.core.limits import BATCH_ITEMS, MAX_MOBILES
from kuaixintong.core.messages import SendSm
from kuaixintong.core.sends import parse
from kuaixintong.stores import aws
from kuaixintong.stores.dynamo import to_item
from kuaixintong.stores.outbound import Outbound
from kuaixintong.stores.table import DynamoTable
from kuaixintong.wiring.sender import OUTBOUND_THREADS
from local.simulator.settings import Settings
from tests.cloudformation import Stack
from tests.receiving import Context
from tests.template import create_tables, load

ROOT = Path(__file__).parents[2]
BATCH = 10
PLATFORM_SECONDS = 0.2
SENDS = 300
ROUNDS = 5
OUTBOUND_ROUNDS = 3
LONE_SENDS = 10
IMPORTS = 9

KINDS: dict[str, tuple[dict[str, str], int]] = {
    "alone": ({}, 6),
    "of a campaign": ({"campaign": "autumn"}, 7),
    "with a one-time code": ({"category": "otp"}, 8),
}
"""Single-number sends: what a body says more, and the write units that one may cost."""


def run(platform_url: str, control_url: str) -> None:
    """Measure, and print both sides and the ratio of each."""
    with patch.dict("os.environ", deployment(platform_url)):
        handler.logger.handlers[0].setStream(io.StringIO())  # type: ignore[attr-defined]
        handler._settings.cache_clear()
        handler._submitter.cache_clear()
        _handle(_sends(1))  # the process's first good answer: from here on its records go side by side
        with _answers_after(control_url, PLATFORM_SECONDS):
            _compare_batch()
        _compare_throughput(platform_url)
        _compare_outbound()
        for kind, (more, most) in KINDS.items():
            _count_write_units(kind, more, most)
    _compare_imports()


# --- (a) a batch of ten against a batch of one ------------------------------------------------------------------


def _compare_batch() -> None:
    one = median(_timed(_handle, _sends(1)) for _ in range(ROUNDS))
    ten = median(_timed(_handle, _sends(BATCH)) for _ in range(ROUNDS))
    _print(
        f"a batch of {BATCH} on a platform that takes {PLATFORM_SECONDS * 1000:.0f} ms",
        f"ten records {ten:.3f} s, one record {one:.3f} s",
        ten / one,
        "at most 2",
    )


# --- (b) sends per second against a bare loop -------------------------------------------------------------------


def _compare_throughput(platform_url: str) -> None:
    """Interleave the two, so that what else the machine does strikes both alike."""
    bare = _Bare(platform_url)
    ours, theirs = [], []
    for _ in range(ROUNDS):
        ours.append(_timed(_handle_all, list(_sends(SENDS))))
        theirs.append(_timed(bare.send_all, list(_sends(SENDS))))
    handler_rate, bare_rate = SENDS / median(ours), SENDS / median(theirs)
    _print(
        f"{SENDS} sends in batches of {BATCH}, {handler.THREADS} threads",
        f"handler {handler_rate:.0f} sends/s, bare loop {bare_rate:.0f} sends/s",
        handler_rate / bare_rate,
        "at least 0.7",
    )


class _Bare:
    """The same HTTP requests and the same DynamoDB writes, with nothing else: no check, no decision, no log."""

    def __init__(self, url: str) -> None:
        settings = handler._settings()
        self._url = url
        self._sends, self._account, self._outbound = (
            settings.sends_table,
            settings.account_table,
            settings.outbound_table,
        )
        self._dynamodb = aws.dynamodb(connections=handler.THREADS)
        self._session = requests.Session()
        self._session.trust_env = False
        self._session.mount("http://", HTTPAdapter(pool_maxsize=handler.THREADS, pool_block=True))
        self._threads = ThreadPoolExecutor(handler.THREADS)
        account = Settings()
        self._credentials = PlatformCredentials("1", account.cid, account.uid, account.pwd)

    def send_all(self, bodies: list[str]) -> None:
        for batch in batched(bodies, BATCH, strict=False):
            ticks = self._reserve(len(batch))
            list(self._threads.map(self._send, batch, ticks))

    def _reserve(self, count: int) -> list[int]:
        row = self._dynamodb.update_item(
            TableName=self._account,
            Key={"cid": {"S": self._credentials.cid}},
            UpdateExpression="ADD #sequence :count",
            ExpressionAttributeNames={"#sequence": "sequence"},
            ExpressionAttributeValues={":count": {"N": str(count)}},
            ReturnValues="ALL_NEW",
        )
        last = int(row["Attributes"]["sequence"]["N"])
        return list(range(last - count + 1, last + 1))

    def _send(self, body: str, tick: int) -> None:
        send = parse(body, "")
        timestamp = beijing.timestamp(tick)
        stamp = beijing.iso(wiring.now())
        row = {
            "send_id": send.send_id,
            "part": "1",
            "parts": 1,
            "state": "SUBMITTING",
            "mobiles": list(send.mobiles),
            "content": send.content,
            "fingerprint": send.fingerprint,
            "timestamp": timestamp,
            "uses": 1,
            "unanswered": 1,
            "attempts": 1,
            "claim": uuid.uuid4().hex,
            "lease_until": stamp,
            "day_shard": f"{stamp[:10]}#{tick % 8}",
            "created_at": stamp,
            "updated_at": stamp,
            "expires_at": 1,
            "revision": 1,
        }
        self._dynamodb.put_item(
            TableName=self._sends, Item=to_item(row), ConditionExpression="attribute_not_exists(send_id)"
        )
        outbound = {"mobile": send.mobiles[0], "send_id": send.send_id, "part": "1", "expires_at": 1}
        self._dynamodb.batch_write_item(
            RequestItems={self._outbound: [{"PutRequest": {"Item": to_item(outbound)}}]}
        )
        fields = encode(SendSm(send.mobiles, send.content), self._credentials, timestamp)
        answer = self._session.post(self._url, data=fields, timeout=10).json()
        self._dynamodb.update_item(
            TableName=self._sends,
            Key=to_item({"send_id": send.send_id, "part": "1"}),
            UpdateExpression="SET #state = :state, #token = :token, fee = :fee, accepted_at = :now,"
            " updated_at = :now, code = :code, words = :words, unanswered = :none, revision = :two"
            " REMOVE lease_until",
            ConditionExpression="revision = :one",
            ExpressionAttributeNames={"#state": "state", "#token": "token"},
            ExpressionAttributeValues=to_item(
                {
                    ":state": "ACCEPTED",
                    ":token": str(answer["token"]),
                    ":fee": answer["fee"],
                    ":now": stamp,
                    ":code": 0,
                    ":words": answer["message"],
                    ":none": 0,
                    ":one": 1,
                    ":two": 2,
                }
            ),
        )


# --- (c) who is sent to, against a bare loop of batches ----------------------------------------------------------


def _compare_outbound() -> None:
    """The rows of one large part, by the store, and as bare batches on as many threads and on one."""
    table, client = handler._settings().outbound_table, aws.dynamodb(connections=OUTBOUND_THREADS, validate=False)
    mobiles = [f"137{number:08}" for number in range(MAX_MOBILES)]
    with ThreadPoolExecutor(OUTBOUND_THREADS) as pool, ThreadPoolExecutor(OUTBOUND_THREADS) as others:
        outbound = Outbound(DynamoTable(client, table), timedelta(days=180), pool)

        def store(send_id: str) -> None:
            outbound.put(send_id, "1", mobiles, now=wiring.now(), seconds=600)

        def batch(send_id: str, some: tuple[str, ...]) -> None:
            rows: Any = [
                {
                    "PutRequest": {
                        "Item": {
                            "mobile": {"S": mobile},
                            "send_id": {"S": send_id},
                            "part": {"S": "1"},
                            "expires_at": {"N": "1810958400"},
                        }
                    }
                }
                for mobile in some
            ]
            client.batch_write_item(RequestItems={table: rows})

        def bare(send_id: str) -> None:
            list(others.map(partial(batch, send_id), batched(mobiles, BATCH_ITEMS, strict=False)))

        def alone(send_id: str) -> None:
            for some in batched(mobiles, BATCH_ITEMS, strict=False):
                batch(send_id, some)

        store("warm")
        seconds = {side: list[float]() for side in (store, bare, alone)}
        for number in range(OUTBOUND_ROUNDS):
            for side, times in seconds.items():
                began = time.perf_counter()
                side(f"{side.__name__}-{number}")
                times.append(time.perf_counter() - began)
    ours, threads, one = (median(times) for times in seconds.values())
    _print(
        f"who is sent to, {MAX_MOBILES:,} rows on {OUTBOUND_THREADS} threads",
        f"store {ours:.2f} s, bare loop of batch_write_item {threads:.2f} s, on one thread {one:.2f} s",
        threads / ours,
        "at least 0.8",
    )


# --- (d) write units --------------------------------------------------------------------------------------------


def _count_write_units(kind: str, more: dict[str, str], most: int) -> None:
    """Sends that come alone, each with a sequence reservation of its own: the dearest way to send."""
    units: Counter[str] = Counter()
    with _consumed(units):
        handler._submitter.cache_clear()
        _handle(_sends(1, **more))
        units.clear()
        for body in _sends(LONE_SENDS, **more):
            _wait_out_the_reservation()
            _handle([body])
    per_send = sum(units.values()) / LONE_SENDS
    where = ", ".join(f"{name} {total / LONE_SENDS:g}" for name, total in sorted(units.items()))
    print(f"write units per single-number send {kind}: {per_send:g} ({where}); target: at most {most}")


@contextmanager
def _consumed(units: Counter[str]) -> Iterator[None]:
    """Add up DynamoDB's own figures, of tables and indexes, for every client made in the block."""

    def ask(params: dict[str, Any], **_: Any) -> None:
        params["ReturnConsumedCapacity"] = "INDEXES"

    def add(parsed: Mapping[str, Any], **_: Any) -> None:
        consumed = parsed.get("ConsumedCapacity", [])
        for each in consumed if isinstance(consumed, list) else [consumed]:
            table = each["TableName"].rsplit("-", 1)[-1]
            units[table] += each.get("Table", {}).get("CapacityUnits", 0)
            for index, figures in each.get("GlobalSecondaryIndexes", {}).items():
                units[f"{table}/{index}"] += figures["CapacityUnits"]

    session = boto3.Session()
    for operation in ("PutItem", "UpdateItem", "TransactWriteItems", "BatchWriteItem"):
        session.events.register(f"provide-client-params.dynamodb.{operation}", ask)
        session.events.register(f"after-call.dynamodb.{operation}", add)
    with patch.object(boto3, "DEFAULT_SESSION", session):
        yield


def _wait_out_the_reservation() -> None:
    time.sleep(1.05)  # what is left of a block of timestamps is thrown away after a second


# --- (e) imports ------------------------------------------------------------------------------------------------

_HANDLER = "import functions.sender.handler"
_BASELINE = "import boto3, requests; boto3.client('dynamodb')"


def _compare_imports() -> None:
    ours, theirs = [], []
    for _ in range(IMPORTS):
        ours.append(_import_seconds(_HANDLER))
        theirs.append(_import_seconds(_BASELINE))
    mine, base = median(ours), median(theirs)
    _print(
        "importing the handler, processor time",
        f"handler {mine * 1000:.0f} ms, boto3 with a DynamoDB client and requests {base * 1000:.0f} ms",
        mine / base,
        "at most 1.3",
    )


def _import_seconds(statement: str) -> float:
    code = f"import time; began = time.process_time(); {statement}; print(time.process_time() - began)"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    return float(done.stdout)


# --- shared -----------------------------------------------------------------------------------------------------


def deployment(platform_url: str) -> dict[str, str]:
    """Make tables, queues and a secret of this run's own; return the environment that names them."""
    prefix = f"bench-{uuid.uuid4().hex[:8]}-"
    tables = create_tables(boto3.client("dynamodb"), prefix)
    account = Settings()
    secret = json.dumps({"cid": account.cid, "uid": account.uid, "pwd": account.pwd})
    arn = boto3.client("secretsmanager").create_secret(Name=prefix, SecretString=secret)["ARN"]
    sqs = boto3.client("sqs")
    template = load()
    environment = template["Resources"]["SenderFunction"]["Properties"]["Environment"]["Variables"]
    return {
        **Stack(template, {"PlatformUrl": platform_url, "ReceiveLimit": "500"}).value(environment),
        **{f"{logical.removesuffix('Table').upper()}_TABLE": name for logical, name in tables.items()},
        "PLATFORM_SECRET_ARN": arn,
        "SEND_QUEUE_URL": sqs.create_queue(QueueName=f"{prefix}sends")["QueueUrl"],
        "DEAD_LETTER_QUEUE_URL": sqs.create_queue(QueueName=f"{prefix}dead")["QueueUrl"],
    }


def _sends(count: int, **more: str) -> list[str]:
    """Bodies like the spec's own sample, each with a number of its own."""
    return [
        json.dumps(
            {"id": uuid.uuid4().hex, "mobiles": [f"137{number:08d}"], "content": "周末参加不了培训了", **more},
            ensure_ascii=False,
        )
        for number in range(count)
    ]


def _handle_all(bodies: list[str]) -> None:
    for batch in batched(bodies, BATCH, strict=False):
        _handle(list(batch))


def _handle(bodies: list[str]) -> None:
    records = [
        {
            "messageId": uuid.uuid4().hex,
            "receiptHandle": "handle",
            "body": body,
            "attributes": {"ApproximateReceiveCount": "1", "SentTimestamp": str(int(time.time() * 1000))},
            "messageAttributes": {},
            "eventSource": "aws:sqs",
            "eventSourceARN": "arn:aws:sqs:us-east-1:000000000000:sends",
            "awsRegion": "us-east-1",
        }
        for body in bodies
    ]
    with redirect_stdout(io.StringIO()):  # metrics; the log's stream is set once for all
        answer = handler.lambda_handler({"Records": records}, Context(seconds_left=60))
    assert answer == {"batchItemFailures": []}, answer


@contextmanager
def _answers_after(control_url: str, seconds: float) -> Iterator[None]:
    rule = {"op": "sendSm", "do": "delay", "when": "before", "seconds": seconds}
    requests.post(f"{control_url}/faults", json=[rule], timeout=10).raise_for_status()
    yield
    requests.post(f"{control_url}/faults", json=[], timeout=10).raise_for_status()


def _timed(work: Callable[[list[str]], None], bodies: list[str]) -> float:
    began = time.perf_counter()
    work(bodies)
    return time.perf_counter() - began


def _print(what: str, sides: str, ratio: float, target: str) -> None:
    print(f"{what}: {sides}; ratio {ratio:.2f}, target: {target}")
