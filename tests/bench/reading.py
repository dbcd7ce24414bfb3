"""The read side on a campaign and a day of 100,000 single-number sends, each in tables of its own.

Rows are written by the stores, not through the queue; what is measured is a process that only reads.
"""

import json
import os
import subprocess
import sys
import time
import uuid
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path
from typing import Any

import boto3

from kuaixintong.core.messages import Report
from kuaixintong.core.rows import Rows, campaign_shards, day_shards
from kuaixintong.core.sends import Send, parse
from kuaixintong.settings import TableNames
from kuaixintong.status import THREADS, Lookup
from kuaixintong.stores import aws
from kuaixintong.stores.batch import Stamp, Writer
from kuaixintong.stores.dynamo import to_item
from kuaixintong.stores.listings import Listings, Tables
from kuaixintong.stores.reports import Reports
from kuaixintong.wiring.reading import CONNECTIONS, reader
from tests.template import create_tables

ROOT = Path(__file__).parents[2]

COUNT = 100_000
SAMPLE = 10_000
"""Mobiles whose reports are asked for: the first so many of a campaign."""

CAMPAIGN = "autumn"
BEGIN = datetime(2026, 11, 25, 1, 0, tzinfo=UTC)
DAY = "2026-11-25"

COUNT_SECONDS, COUNT_MEGABYTES = 20, 200
STREAM_RATIO = 0.8
PAGE_SECONDS = 3

_WRITERS = 8
_ROWS = Rows(timedelta(days=180), timedelta(seconds=90))


def run(count: int = COUNT, sample: int = SAMPLE) -> None:
    """Measure, and print each figure beside its target."""
    campaign = write(count, campaign=CAMPAIGN)
    print(f"{count:>6,} sends of one campaign: {_in_a_process('counts', campaign)}")
    _report(campaign, sample)
    print(f"{sample:>6,} statuses of it: {_in_a_process('statuses', campaign, str(sample))}")
    print(f"{count:>6,} sends of one day: {_in_a_process('day', write(count))}")


# --- what is there to read --------------------------------------------------------------------------------------


def write(count: int, campaign: str | None = None) -> dict[str, str]:
    """Write ``count`` sends, accepted a millisecond after each other; return what names their tables."""
    names = create_tables(boto3.client("dynamodb"), f"bench-{uuid.uuid4().hex[:8]}-")

    def row(number: int) -> Any:
        send = send_of(number, campaign)
        now = BEGIN + timedelta(milliseconds=number)
        accepted = {
            "state": "ACCEPTED",
            "token": str(number),
            "fee": 1,
            "accepted_at": "2026-11-25T09:00:01.000+08:00",
        }
        return to_item(_ROWS.noted(send, send.parts[0], now=now) | accepted)

    _writer().put(names["SendsTable"], range(count), row, deadline=time.monotonic() + 600)
    return {f"{each.upper()}_TABLE": names[f"{each}Table"] for each in ("Sends", "Reports", "Inbound")}


def send_of(number: int, campaign: str | None) -> Send:
    """Return a send to one mobile."""
    body = {"id": f"send-{number}", "mobiles": [f"139{number:08}"], "content": f"您的订单{number}已发出"}
    return parse(json.dumps(body | ({"campaign": campaign} if campaign else {})), "m")


def _writer() -> Writer:
    return Writer(aws.dynamodb(connections=_WRITERS, validate=False), threads=_WRITERS)


def _report(environment: Mapping[str, str], sample: int) -> None:
    """Report the mobiles that are asked for."""
    reports = [Report(token, f"139{int(token):08}", "0", success=True) for token in _tokens(environment, sample)]
    writer = _writer()
    store = Reports(writer.client, environment["REPORTS_TABLE"])
    store.put(reports, Stamp.at(BEGIN, timedelta(days=180)), writer, deadline=time.monotonic() + 600)


def _tokens(environment: Mapping[str, str], sample: int) -> list[str]:
    """Return the tokens that a campaign's statuses begin with."""
    listings = Listings(aws.dynamodb_for_reading(connections=1), Tables(environment["SENDS_TABLE"]))
    keys = (key for shard in campaign_shards(CAMPAIGN) for key in listings.in_order(shard, at_once=sample))
    return [key["send_id"].removeprefix("send-") for key in islice(keys, sample)]


# --- what reads -------------------------------------------------------------------------------------------------


def _in_a_process(*what: Any) -> str:
    question, environment, *rest = what
    done = subprocess.run(
        [sys.executable, "-m", "tests.bench.reading", question, *rest],
        cwd=ROOT,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=900,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(done.stderr)
    return done.stdout.strip()


def _look() -> Lookup:
    return reader(TableNames.read(os.environ))


def counts() -> None:
    """Count a campaign."""
    lookup, begin = _look(), time.perf_counter()
    found = lookup.counts_of_campaign(CAMPAIGN)
    seconds = time.perf_counter() - begin
    print(
        f"{found.sends:,} counted in {seconds:.1f} s (target: at most {COUNT_SECONDS}), "
        f"peak memory {_peak_megabytes():.0f} MB (target: at most {COUNT_MEGABYTES})"
    )


def statuses(sample: int) -> None:
    """Stream statuses, and ask for the same tokens in a bare loop on as many threads, in turns."""
    lookup, client = _look(), aws.dynamodb_for_reading(connections=CONNECTIONS)
    tokens = _tokens(os.environ, sample)
    rounds = 3

    def bare() -> float:
        def ask(token: str) -> Any:
            return client.query(
                TableName=os.environ["REPORTS_TABLE"],
                KeyConditionExpression="#token = :token",
                ExpressionAttributeNames={"#token": "token"},
                ExpressionAttributeValues={":token": {"S": token}},
            )["Items"]

        begin = time.perf_counter()
        with ThreadPoolExecutor(THREADS) as pool:
            assert sum(len(found) for found in pool.map(ask, tokens)) == len(tokens)
        return time.perf_counter() - begin

    def streamed() -> float:
        begin = time.perf_counter()
        found = list(islice(lookup.statuses_of_campaign(CAMPAIGN), sample))
        assert {each.delivery for each in found} == {"delivered"}
        return time.perf_counter() - begin

    times = [(streamed(), bare()) for _ in range(rounds)]
    ours, theirs = (sorted(side)[rounds // 2] for side in zip(*times, strict=True))
    print(
        f"streamed in {ours:.1f} s, a bare loop of queries on {THREADS} threads {theirs:.1f} s, "
        f"ratio {theirs / ours:.2f} (target: at least {STREAM_RATIO}), peak memory {_peak_megabytes():.0f} MB"
    )


def day() -> None:
    """Read the first page of a day, and the second, and the first one's shards by bare queries, in turns."""
    lookup, client = _look(), aws.dynamodb_for_reading(connections=CONNECTIONS)
    rounds = 3

    def bare() -> float:
        begin = time.perf_counter()
        for shard in day_shards(DAY):
            client.query(
                TableName=os.environ["SENDS_TABLE"],
                IndexName="by-day",
                KeyConditionExpression="day_shard = :shard",
                ExpressionAttributeValues={":shard": {"S": shard}},
                ScanIndexForward=False,
                Limit=50,
            )
        return time.perf_counter() - begin

    def page(which: str | None = None) -> tuple[float, str | None]:
        begin = time.perf_counter()
        found = lookup.of_day(DAY, page=which)
        assert len(found.items) == 50
        return time.perf_counter() - begin, found.next

    pages, shards = zip(*((page(), bare()) for _ in range(rounds)), strict=True)
    first, theirs = sorted(seconds for seconds, _ in pages)[rounds // 2], sorted(shards)[rounds // 2]
    second, _ = page(pages[0][1])
    print(
        f"the first page in {first:.1f} s (target: at most {PAGE_SECONDS}), bare queries of its shards in "
        f"{theirs:.1f} s, ratio {theirs / first:.2f}; the second in {second:.1f} s, "
        f"peak memory {_peak_megabytes():.0f} MB"
    )


def _peak_megabytes() -> float:
    (line,) = (line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM"))
    return int(line.split()[1]) / 1024


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["counts"]:
            counts()
        case ["statuses", sample]:
            statuses(int(sample))
        case ["day"]:
            day()
