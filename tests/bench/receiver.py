"""The receiver against a bare loop that writes the same rows, and its memory at the largest request.

Needs a DynamoDB that can take threads, at ``AWS_ENDPOINT_URL``: moto in one process cannot.
"""

import base64
import gc
import json
import os
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import batched
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any
from unittest.mock import patch

import boto3
from botocore.awsrequest import AWSResponse

from functions.receiver import handler
from kuaixintong.core.gateway import Request
from kuaixintong.intake import THREADS
from kuaixintong.stores import aws
from tests.hostile_bodies import LARGEST_REQUEST, requests
from tests.receiving import Context, Event, push, report
from tests.template import create_tables

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

ROOT = Path(__file__).parents[2]

TARGET = 1.3
"""How many times the bare loop's time the handler may take."""

ROUNDS = 5

MOST_FOR_A_STRANGER = 0.25
"""Seconds of processor time for the dearest request without the right password."""


def run() -> None:
    """Measure, and print both sides and the ratio."""
    with patch.dict("os.environ", _account()):
        for count in (1_000, 10_000):
            _compare(count)
        _print_strangers()
        _print_memory()


def _account() -> dict[str, str]:
    """Make tables and a secret of this run's own; return the environment that names them."""
    prefix = f"bench-{uuid.uuid4().hex[:8]}-"
    tables = create_tables(boto3.client("dynamodb"), prefix)
    secret = json.dumps({"uid": "abc", "pwd": "123"})
    return {
        "PUSH_SECRET_ARN": boto3.client("secretsmanager").create_secret(Name=prefix, SecretString=secret)["ARN"],
        "REPORTS_TABLE": tables["ReportsTable"],
        "INBOUND_TABLE": tables["InboundTable"],
        "QUARANTINE_TABLE": tables["QuarantineTable"],
        "MOBILES_TABLE": tables["MobilesTable"],
        "RETENTION_DAYS": "180",
    }


def _compare(count: int) -> None:
    """Let the two take turns, so that a slow minute of the machine is both's."""
    incoming = push("report", [report(number, token=number % 100) for number in range(count)])
    context: Any = Context()

    def handle() -> None:
        assert handler.lambda_handler(incoming, context)["body"] == "0"

    client = aws.dynamodb(connections=THREADS, validate=False)
    rows = [_row(number) for number in range(count)]
    with (
        ThreadPoolExecutor(THREADS) as pool,
        patch.object(handler.logger, "info"),
        patch("builtins.print", _silent),
    ):
        bare = partial(_put, client, os.environ["REPORTS_TABLE"], rows, pool)
        handle()
        bare()
        times = [(_seconds(handle), _seconds(bare)) for _ in range(ROUNDS)]
    handled, put = (median(side) for side in zip(*times, strict=True))
    print(
        f"{count:>6,} reports in one push: handler {handled:.2f} s, bare loop of batched writes {put:.2f} s, "
        f"ratio {handled / put:.2f} (target: at most {TARGET})"
    )


def _silent(*_: object, **__: object) -> None:
    """Stand in for ``print``, which Powertools writes metrics with."""


def _row(number: int) -> dict[str, Any]:
    mobile = f"135{number:08}"
    return {
        "token": {"S": str(number % 100)},
        "outcome": {"S": f"{mobile}#0"},
        "mobile": {"S": mobile},
        "result_code": {"S": "0"},
        "success": {"BOOL": True},
        "received_at": {"S": "2026-11-23T12:00:00.000+08:00"},
        "expires_at": {"N": "1810958400"},
    }


def _put(client: "DynamoDBClient", table: str, rows: list[dict[str, Any]], pool: ThreadPoolExecutor) -> None:
    def write(batch: tuple[dict[str, Any], ...]) -> None:
        client.batch_write_item(RequestItems={table: [{"PutRequest": {"Item": row}} for row in batch]})

    list(pool.map(write, batched(rows, 25, strict=False)))


def _seconds(work: Callable[[], None]) -> float:
    gc.collect()
    begin = time.perf_counter()
    work()
    return time.perf_counter() - begin


def _print_strangers() -> None:
    """Let those come who have not got the password, with an ordinary push and with the dearest bodies."""
    context: Any = Context()

    def refused(incoming: Event) -> float:
        begin = time.process_time()
        assert handler.lambda_handler(incoming, context)["statusCode"] == 403
        return time.process_time() - begin

    with patch("builtins.print", _silent):
        ordinary = push("report", [report(1), report(2)], pwd="wrong")
        usual = median(refused(ordinary) for _ in range(200))
        costs = {name: min(refused(_event_of(each)) for _ in range(2)) for name, each in requests(LARGEST_REQUEST)}
    dearest = max(costs, key=lambda name: costs[name])
    print(
        f"without the right password: an ordinary push {usual * 1000:.2f} ms of processor time, the dearest of "
        f"{len(costs)} of 6 MB {costs[dearest]:.2f} s ({dearest}; target: at most {MOST_FOR_A_STRANGER})"
    )


def _event_of(request: Request) -> Event:
    return push("report", []) | {
        "headers": {"Content-Type": request.content_type},
        "multiValueQueryStringParameters": {"pwd": ["wrong"]},
        "body": base64.b64encode(request.body).decode(),
        "isBase64Encoded": True,
    }


def _print_memory() -> None:
    """Let a fresh process take the largest event that Lambda lets in, of each sort, and print its peak."""
    for sort in ("nothing", "reports", "one MO", "garbage"):
        done = subprocess.run(
            [sys.executable, "-m", "tests.bench.receiver", sort],
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=True,
            timeout=300,
        )
        print(f"peak memory with an event of 6 MB, {sort}: {done.stdout.strip()}")


class _Nothing:
    """The body of an answer that only says yes."""

    def stream(self) -> Iterator[bytes]:
        yield b'{"UnprocessedItems": {}}'


def _yes(**_: object) -> Any:
    headers: Any = {}
    return AWSResponse("https://dynamodb", 200, headers, _Nothing())


def _largest(sort: str) -> Event:
    room = LARGEST_REQUEST - 1_000
    match sort:
        case "reports":
            each = json.dumps(report(), separators=(",", ":"))
            count = room // (len(json.dumps(each)) + 1)  # quotes are escaped in the event
            entries = [report(number) for number in range(count)]
            body = json.dumps(
                {"uid": "abc", "pwd": "123", "type": "report", "jsonData": entries}, separators=(",", ":")
            )
            return push("report", []) | {"body": body}
        case "one MO":
            return push(
                "mo", [{"mobile": "13500000000", "content": "x" * room, "smgRecvDate": "2015-01-01 12:00:00"}]
            )
        case "garbage":
            return push("report", "x" * room)
        case _:
            return push("report", [])


def _take_largest(sort: str) -> None:
    """Take one event in full, but for DynamoDB, which says yes to all, and print what it needed."""
    event = json.loads(json.dumps(_largest(sort), ensure_ascii=False))
    context: Any = Context()
    events = handler._reception()._intake.writer.client.meta.events
    events.register_first("before-send.dynamodb.*", _yes)
    begin = time.process_time()
    with patch.multiple(handler.logger, info=_silent, warning=_silent), patch("builtins.print", _silent):
        handler.lambda_handler(event, context)
    print(f"{_peak_megabytes():.0f} MB, {time.process_time() - begin:.1f} s of processor time")


def _peak_megabytes() -> float:
    """Read this process's own peak; ``getrusage`` would tell the parent's where that was higher."""
    (line,) = (line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM"))
    return int(line.split()[1]) / 1024


if __name__ == "__main__":
    _take_largest(sys.argv[1])
