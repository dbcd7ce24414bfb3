"""A campaign is cancelled while many workers send it: to the message, what is cancelled was not accepted.

``CHAOS=full`` cancels a campaign of 2,000 at twelve moments; the deployed stack is cancelled in ``tests/e2e``.
"""

import os
import random
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest

from kuaixintong.core.ledger import State
from tests.fake_platform import Fate
from tests.stopping import canceller
from tests.world import LEASE, World

FULL = os.environ.get("CHAOS") == "full"
COUNT = 2_000 if FULL else 300
TIMES = 12 if FULL else 4
WORKERS = 8


class Elapsed:
    """Seconds that pass when somebody sleeps, and no others; whoever sleeps lets the workers work."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def __call__(self) -> float:
        return self.seconds

    def sleep(self, seconds: float) -> None:
        """Let them pass."""
        self.seconds += seconds
        time.sleep(0.01)


def lots(die: random.Random) -> Iterator[Fate]:
    """Most requests go well; of some the answer is lost, some never arrive, some are to come later."""
    while True:
        yield die.choices(("well", "lost", "never", 1, 210), (90, 3, 3, 3, 1))[0]


def begun(world: World, seed: int) -> tuple[list[dict[str, Any]], random.Random]:
    """A campaign, a tenth of it to several numbers of which one is refused (310)."""
    die = random.Random(seed)
    world.platform.change({"refused_mobiles": ["13999999999"]})
    fates = lots(die)
    world.line.fates.extend(next(fates) for _ in range(3 * COUNT))
    sends = []
    for number in range(COUNT):
        mobiles = [f"138{number:08}"]
        if number % 10 == 9:
            mobiles += [f"139{number:08}", "13999999999"]
        sends.append({"id": f"c-{number}", "mobiles": mobiles, "content": "x", "campaign": "spring"})
    return sends, die


@pytest.mark.parametrize("seed", range(TIMES))
def test_cancelled_accepted_and_in_doubt_are_all_and_the_platform_agrees(seed: int) -> None:
    world = World()
    sends, die = begun(world, seed)
    moment = die.randrange(1, COUNT)
    sent, elapsed = threading.Semaphore(0), Elapsed()

    def deliver(number: int) -> None:
        world.deliver(sends[number], message_id=f"m-{number}")
        sent.release()

    with ThreadPoolExecutor(WORKERS) as workers, ThreadPoolExecutor(1) as canceling:
        deliveries = [workers.submit(deliver, number) for number in range(COUNT)]
        for _ in range(moment):
            assert sent.acquire(timeout=120)
        one = canceller(world, monotonic=elapsed, sleep=elapsed.sleep, threads=4)
        call = canceling.submit(one.cancel_campaign, "spring")
        for delivery in deliveries:
            delivery.result(timeout=120)
        stopped = call.result(timeout=120)
    first = Counter(state for state in states(world).values())
    world.now += LEASE + timedelta(seconds=1)
    for number, send in enumerate(sends):  # the queue's own copies, which come back
        assert world.deliver(send, message_id=f"m-{number}", receive_count=2).again is None
    agree(world, sends)
    sys.stdout.write(f"\ncancelled after {moment} of {COUNT}: {dict(first)}\n")
    assert stopped.under_way == 0
    assert sum(stopped.states.values()) <= sum(first.values())
    assert first[State.CANCELLED]


def states(world: World) -> dict[tuple[str, str], str]:
    return {(row["send_id"], row["part"]): row["state"] for row in world.all_rows()}


def agree(world: World, sends: list[dict[str, Any]]) -> None:
    """Hold the rows against what the platform has accepted, mobile by mobile."""
    accepted = Counter(world.accepted())
    told: dict[str, str] = {}
    for row in world.all_rows():
        if row["state"] != "SPLIT":
            told |= dict.fromkeys(row["mobiles"], row["state"])
            told |= {each["mobile"] + row["send_id"]: "REJECTED" for each in row.get("invalid_mobiles", ())}
    assert {row["send_id"] for row in world.all_rows()} == {send["id"] for send in sends}
    assert set(told.values()) <= {"ACCEPTED", "CANCELLED", "UNCONFIRMED", "REJECTED"}
    assert max(accepted.values(), default=1) == 1
    for mobile, state in told.items():
        if state == "ACCEPTED":
            assert accepted[mobile] == 1
        if state == "CANCELLED":
            assert not accepted[mobile]
    assert accepted.keys() <= told.keys()
