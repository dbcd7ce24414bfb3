"""Traffic (contract, section 2a): what waits for what, and how well the pace of a platform is kept and found out.

Senders are processes of their own, which poll their queues. A run of the default size takes about six minutes;
``BENCH_FULL=1`` queues 20,000 sends and lets the changing limit last its six minutes.
"""

import json
import os
import subprocess
import sys
import time
import uuid
from collections.abc import Collection, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from datetime import datetime
from itertools import batched
from statistics import quantiles
from typing import Any

import boto3
import requests

from kuaixintong.core import beijing
from local.processes import Failed, wait_until
from tests.bench import sender

FULL = bool(os.environ.get("BENCH_FULL"))
QUEUED = 20_000 if FULL else 2_000
CODES = 100 if FULL else 40
SPAN = 60 if FULL else 20
PLATFORM_SECONDS = 0.2
BALANCE = 100_000_000


PARTS = (
    *("codes_beside_a_backlog", "codes_beside_a_dear_part", "first_codes", "pace_over_eight"),
    *("known_limit", "unknown_limit", "changing_limit"),
)


def run(platform_url: str, control_url: str, chosen: Collection[str] = PARTS) -> None:
    """Measure, and print each figure with its goal."""
    bench = _Bench(platform_url, control_url)
    for name in PARTS:
        if name in chosen:
            try:
                getattr(bench, name)()
            except (Failed, TimeoutError) as error:  # one figure that cannot be had does not hide the others
                print(f"{name.replace('_', ' ')}: not shown: {error}", flush=True)


class _Bench:
    def __init__(self, platform_url: str, control_url: str) -> None:
        self._url, self._control = platform_url, control_url
        self._sqs, self._dynamodb = boto3.client("sqs"), boto3.client("dynamodb")
        self._numbers = iter(range(10**8))

    # --- what is measured ---------------------------------------------------------------------------------------

    def codes_beside_a_backlog(self) -> None:
        with self._anew() as queues, self._senders(queues, urgent=2):
            idle = self._codes(queues, CODES, every=0.2)
        with self._anew() as queues:
            self._enqueue(queues["ordinary"], self._mobiles(QUEUED))
            with self._senders(queues, ordinary=5, urgent=2):
                wait_until(lambda: self._accepted() > 20, "The backlog is worked on", seconds=60)
                busy = self._codes(queues, CODES, every=0.2)
                left = QUEUED + CODES - self._accepted()
        assert left > 0, "the backlog was too small to tell"
        _print(
            f"{CODES} codes with {QUEUED} sends queued, from enqueued to a row that says ACCEPTED, p99",
            f"{_p99(busy):.2f} s, on an idle stack {_p99(idle):.2f} s; ratio {_p99(busy) / _p99(idle):.2f}",
            "at most 3 s, and a ratio of at most 3",
        )

    def codes_beside_a_dear_part(self) -> None:
        waits = []
        for dear in (False, True):
            with self._anew(balance=1_000) as queues, self._senders(queues, ordinary=2, urgent=2):
                self._codes(queues, 1, every=0.5)
                if dear:
                    self._enqueue(queues["ordinary"], [self._mobiles(2_000)])
                    wait_until(lambda: self._answered(400), "The dear part is refused", seconds=30)
                waits.append(self._codes(queues, 20, every=0.5))
        without, beside = map(_p99, waits)
        _print(
            "20 codes while a send of 2,000 waits for a balance of 1,000, p99",
            f"{beside:.2f} s, without it {without:.2f} s; ratio {beside / without:.2f}",
            "at most 1.5",
        )

    def first_codes(self) -> None:
        with self._anew() as queues, self._senders(queues, urgent=2):
            [first] = self._codes(queues, 1, every=0)
        _print("the first code on a fresh account", f"{first:.2f} s", "at most 3 s")
        outage = 60 if FULL else 20
        with self._anew() as queues, self._senders(queues, urgent=2):
            self._post("connections", {"refused": True, "seconds": outage})
            began = time.time()
            self._enqueue(queues["urgent"], self._mobiles(1), category="otp")
            wait_until(self._accepted, "The code is accepted", seconds=outage + 60)
            well = datetime.fromisoformat(self._get("messages")[0]["accepted_at"]).timestamp() - began - outage
        _print(f"the first code after an outage of {outage} s", f"{well:.2f} s after its end", "at most 5 s")

    def pace_over_eight(self) -> None:
        skews = (-1.0, 1.0, 0.0, 0.7, -0.5, 0.3, -0.9, 0.9)
        for name, apart in (("one clock", (0.0,)), ("clocks up to 2 s apart", skews)):
            with self._anew() as queues, self._senders(queues, ordinary=8, pace=50, skews=apart):
                self._enqueue(queues["ordinary"], self._mobiles(600))
                wait_until(lambda: self._accepted() >= 600, "All are accepted", seconds=120)
                noted = _most_in_a_second([_slot(each["timestamp"]) for each in self._get("messages")])
                seen = _most_in_a_second([at for at, _ in self._log()])
            target = "at most 50 and 55" if apart == (0.0,) else "at most 50 slots"
            _print(f"pace 50/s over 8 processes, {name}", f"{noted} slots in a second, {seen} requests", target)

    def known_limit(self) -> None:
        self._limit("600 sends at 10/s, which is known", "at most 1.02, at most 66 s", pace=10)

    def unknown_limit(self) -> None:
        self._limit("600 sends at 10/s, which is unknown", "at most 1.25, at most 80 s", pace=0)

    def _limit(self, what: str, target: str, *, pace: float) -> None:
        with self._anew(rate=10) as queues, self._senders(queues, ordinary=5, pace=pace):
            self._enqueue(queues["ordinary"], self._mobiles(600))
            wait_until(lambda: self._accepted() >= 600, "All are accepted", seconds=240)
            log = self._log()
        took = max(at for at, code in log if code == 0) - log[0][0]
        _print(what, f"{len(log) / 600:.3f} requests an acceptance, {took:.1f} s", target)

    def changing_limit(self) -> None:
        allowed = SPAN * (20 + 5 + 4 * 20)
        with self._anew(rate=20) as queues, self._senders(queues, ordinary=5):
            self._enqueue(queues["ordinary"], self._mobiles(allowed))
            wait_until(self._accepted, "The first is accepted", seconds=30)
            began = self._log()[0][0]
            for rate, until in ((20, SPAN), (5, 2 * SPAN), (20, 6 * SPAN)):
                self._post("settings", {"rate": rate})
                time.sleep(max(began + until - time.time(), 0))
            log = [(at, code) for at, code in self._log() if at <= began + 6 * SPAN]
        accepted = sum(code == 0 for _, code in log)
        _print(
            f"an unknown limit of 20/s for {SPAN} s, 5/s for {SPAN} s, 20/s for {4 * SPAN} s",
            f"{len(log) / accepted:.3f} requests an acceptance, {accepted / allowed:.0%} of what was allowed",
            "at most 1.2, at least 70 %",
        )

    # --- the stack ----------------------------------------------------------------------------------------------

    @contextmanager
    def _anew(self, **settings: Any) -> Iterator[dict[str, str]]:
        """Tables and queues of its own, and a platform as new; the lanes' queues come out, by name."""
        changes = {"balance": BALANCE, "rate": None, **settings}
        self._post("settings", changes)
        self._post("reset", {})
        self._post("faults", [{"op": "sendSm", "do": "delay", "when": "after", "seconds": PLATFORM_SECONDS}])
        self._environment = sender.deployment(self._url)
        urgent = self._sqs.create_queue(QueueName=f"bench-{uuid.uuid4().hex[:8]}-urgent")["QueueUrl"]
        yield {"ordinary": self._environment["SEND_QUEUE_URL"], "urgent": urgent}
        self._post("faults", [])
        self._post("settings", {"balance": BALANCE, "rate": None})

    @contextmanager
    def _senders(
        self,
        queues: Mapping[str, str],
        *,
        ordinary: int = 0,
        urgent: int = 0,
        pace: float = 0,
        skews: tuple[float, ...] = (0.0,),
    ) -> Iterator[None]:
        with ExitStack() as processes:
            started = []
            for lane, many in (("ordinary", ordinary), ("urgent", urgent)):
                for number in range(many):
                    changes = {
                        "LANE": lane,
                        "SEND_QUEUE_URL": queues[lane],
                        "REQUESTS_PER_SECOND": str(pace),
                        "CLOCK_AHEAD": str(skews[number % len(skews)]),
                    }
                    started.append(
                        subprocess.Popen(
                            [sys.executable, "-m", "tests.bench.worker"],
                            cwd=sender.ROOT,
                            env={**os.environ, **self._environment, **changes},
                            stdin=subprocess.PIPE,
                            stdout=subprocess.PIPE,
                        )
                    )
                    processes.callback(started[-1].kill)
            for process in started:
                assert process.stdout
                assert process.stdout.readline() == b"ready\n", "a sender does not start"
            yield

    def _codes(self, queues: Mapping[str, str], many: int, *, every: float) -> list[float]:
        """Enqueue codes one after another; return how long each took until its row said that it was accepted."""
        enqueued: dict[str, float] = {}
        for mobile in self._mobiles(many):
            at = time.time()
            [send_id] = self._enqueue(queues["urgent"], [mobile], category="otp")
            enqueued[send_id] = at
            time.sleep(every)

        def accepted() -> dict[str, float]:
            found = {send_id: self._accepted_at(send_id) for send_id in enqueued}
            return {send_id: at for send_id, at in found.items() if at} if all(found.values()) else {}

        moments = wait_until(accepted, "All codes are accepted", seconds=120)
        return [moments[send_id] - at for send_id, at in enqueued.items()]

    def _accepted_at(self, send_id: str) -> float | None:
        key = {"send_id": {"S": send_id}, "part": {"S": "1"}}
        row = self._dynamodb.get_item(TableName=self._environment["SENDS_TABLE"], Key=key).get("Item", {})
        return datetime.fromisoformat(row["accepted_at"]["S"]).timestamp() if "accepted_at" in row else None

    def _mobiles(self, many: int) -> list[str]:
        return [f"137{next(self._numbers):08}" for _ in range(many)]

    def _enqueue(self, queue: str, sends: list[str] | list[list[str]], **fields: str) -> list[str]:
        """Enqueue a send for each; return their ids."""
        bodies = [_body(mobiles, **fields) for mobiles in sends]

        def put(batch: tuple[dict[str, Any], ...]) -> None:
            entries: Any = [{"Id": str(at), "MessageBody": json.dumps(body)} for at, body in enumerate(batch)]
            assert not self._sqs.send_message_batch(QueueUrl=queue, Entries=entries).get("Failed")

        with ThreadPoolExecutor(4) as threads:
            list(threads.map(put, batched(bodies, 10, strict=False)))
        return [body["id"] for body in bodies]

    # --- the platform -------------------------------------------------------------------------------------------

    def _get(self, what: str) -> Any:
        return requests.get(f"{self._control}/{what}", timeout=60).json()

    def _post(self, what: str, body: Any) -> None:
        answer = requests.post(f"{self._control}/{what}", json=body, timeout=60)
        assert answer.ok, answer.text

    def _accepted(self) -> int:
        count: int = self._get("state")["accepted"]
        return count

    def _answered(self, code: int) -> bool:
        return any(found == code for _, found in self._log())

    def _log(self) -> list[tuple[float, int]]:
        """When each request came, and the code that it was answered."""
        return [
            (datetime.fromisoformat(each["received_at"]).timestamp(), json.loads(each["body"])["stateCode"])
            for each in self._get("requests")
            if each["body"]
        ]


def _body(mobiles: str | list[str], **fields: str) -> dict[str, Any]:
    return {
        "id": uuid.uuid4().hex,
        "mobiles": [mobiles] if isinstance(mobiles, str) else mobiles,
        "content": "验证码 1234",
        **fields,
    }


def _slot(timestamp: str) -> float:
    whole = datetime.strptime(f"{timestamp[:14]}+0800", "%Y%m%d%H%M%S%z")
    return whole.timestamp() + int(timestamp[14:]) / beijing.TICKS_PER_SECOND


def _most_in_a_second(moments: list[float]) -> int:
    moments = sorted(moments)
    most = begin = 0
    for end, moment in enumerate(moments):
        while moments[begin] <= moment - 1:
            begin += 1
        most = max(most, end - begin + 1)
    return most


def _p99(seconds: list[float]) -> float:
    return quantiles(seconds, n=100, method="inclusive")[-1] if len(seconds) > 1 else seconds[0]


def _print(what: str, figures: str, target: str) -> None:
    print(f"{what}: {figures}; target: {target}", flush=True)
