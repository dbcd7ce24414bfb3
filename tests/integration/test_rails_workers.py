"""Rails under many workers at once: no cap and no limit is passed by one, and none is left unused."""

import json
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any

from kuaixintong.core.caps import Caps
from kuaixintong.core.rails import Rails
from kuaixintong.errand import QueueMessage
from tests.gates import Incident
from tests.world import World

MOBILE = "13700000001"


def at_once(world: World, workers: int, bodies: list[dict[str, Any]], *, receive_count: int = 1) -> None:
    """Deliver messages to so many processes at once; each has its share."""
    senders = [world.new_sender() for _ in range(workers)]

    def work(number: int) -> None:
        for body in bodies[number::workers]:
            message = QueueMessage(body["id"], "receipt", json.dumps(body), receive_count)
            tries = 0
            while senders[number].take(message, world.life()).again is not None:
                tries += 1
                assert tries < 50, "it comes back and back"

    with ThreadPoolExecutor(workers) as threads:
        list(threads.map(work, range(workers)))


def sends(count: int, category: str) -> list[dict[str, Any]]:
    return [
        {"id": f"{category}-{number}", "mobiles": [MOBILE], "content": "x", "category": category}
        for number in range(count)
    ]


def test_a_thousand_codes_by_thirty_two_workers_are_ten_and_the_others_say_why() -> None:
    world = World(rails=Rails(caps=Caps(10, 20)))
    counted = Incident("MobilesTable.*", lambda _: None)
    world.gates.up.append(counted)
    bodies = sends(1_000, "otp")
    at_once(world, 32, bodies)
    rows = [world.row(body["id"]) for body in bodies]
    assert len(world.accepted()) == 10
    assert Counter(row["state"] for row in rows) == {"ACCEPTED": 10, "REJECTED": 990}
    words = {row["words"] for row in rows if row["state"] == "REJECTED"}
    assert words == {
        "Nobody is left of this part's mobiles: over the cap of 10 one-time codes in 60 minutes, "
        "until 2026-11-23 13:00."
    }
    assert counted.count == 1_000  # one write each, of a row under a kilobyte
    (row,) = world.memory["MobilesTable"].rows.values()
    assert len(json.dumps(row, default=str)) < 1_024


def test_eight_hundred_messages_by_eight_workers_are_five_hundred_a_day() -> None:
    world = World(rails=Rails(daily_limit=500))
    bodies = sends(800, "notice")
    at_once(world, 8, bodies)
    states = Counter(world.row(body["id"])["state"] for body in bodies)
    assert (len(world.accepted()), states) == (500, {"ACCEPTED": 500, "WAITING": 300})
    assert (world.account()["day"], world.account()["day_cost"]) == ("2026-11-23", 500)
    waiting = [body for body in bodies if world.row(body["id"])["state"] == "WAITING"]
    assert {world.row(body["id"])["waits_until"] for body in waiting} == {"2026-11-24T00:00:00.000+08:00"}

    world.now = datetime(2026, 11, 23, 16, 0, 1, tzinfo=UTC)
    at_once(world, 8, waiting, receive_count=2)
    assert (len(world.accepted()), world.account()["day_cost"]) == (800, 300)
    assert {world.row(body["id"])["state"] for body in bodies} == {"ACCEPTED"}
