"""Guard rails on the deployed stack: a handset opts out, and thirty-two workers meet a cap."""

import json
import os
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from unittest.mock import patch

import pytest

from kuaixintong.core.delivery import left_out
from kuaixintong.errand import QueueMessage
from kuaixintong.submission import Submitter
from kuaixintong.wiring.sender import submitter
from local.processes import wait_until
from local.simulator.running import RunningSimulator
from tests.e2e.deployment import Deployment

WORKERS = 32
CODES = 1_000


def test_a_handset_that_answers_with_a_word_gets_no_more_marketing(
    deployment: Deployment, platform: RunningSimulator
) -> None:
    tired, other = "13922222221", "13922222222"
    platform.mo(tired, "退订。")
    wait_until(
        lambda: any(row["what"] == "opt-out" and row["mobile"] == tired for row in deployment.rows("Mobiles")),
        "The receiver has noted who opted out",
        seconds=120,
    )
    send = {"mobiles": [tired, other], "content": "周末八折，拒收请回复R", "category": "marketing"}
    name = deployment.enqueue(send)
    [part] = deployment.settled(name)
    assert (part["state"], part["mobiles"]) == ("ACCEPTED", [other])
    assert left_out(part) == {tired: "opted out"}
    assert [list(message.mobiles) for message in platform.messages()] == [[other]]


@pytest.fixture
def workers(deployment: Deployment) -> Iterator[list[Submitter]]:
    """Senders as so many processes have them: nothing shared but the tables."""
    settings = deployment.sender_settings()
    with patch.dict(os.environ, deployment.stack.environment):
        yield [submitter(settings, threads=1) for _ in range(WORKERS)]


def test_a_thousand_codes_by_thirty_two_workers_are_ten_and_cost_a_write_unit_each(
    deployment: Deployment, platform: RunningSimulator, workers: list[Submitter]
) -> None:
    mobile, units = "13922222223", Counter[str]()

    def ask(params: dict[str, Any], **_: Any) -> None:
        params["ReturnConsumedCapacity"] = "TOTAL"
        units["calls"] += 1

    def add(parsed: dict[str, Any], **_: Any) -> None:
        units["most"] = max(units["most"], int(parsed.get("ConsumedCapacity", {}).get("CapacityUnits", 0)))

    for worker in workers:
        worker.queue.postpone = lambda *_: None  # type: ignore[method-assign]
        events = worker.guards._mobiles._table._client.meta.events  # type: ignore[attr-defined]
        events.register("before-parameter-build.dynamodb.UpdateItem", ask)
        events.register("after-call.dynamodb.UpdateItem", add)

    def work(number: int) -> None:
        for code in range(number, CODES, WORKERS):
            body = {"id": f"capped-{code}", "mobiles": [mobile], "content": "x", "category": "otp"}
            message = QueueMessage(body["id"], "handle", json.dumps(body), 1)  # type: ignore[arg-type]
            tries = 0
            while workers[number].take(message, lambda: 60.0).again is not None:
                tries += 1
                assert tries < 50, "it comes back and back"

    with ThreadPoolExecutor(WORKERS) as threads:
        list(threads.map(work, range(WORKERS)))
    parts = [row for row in deployment.rows("Sends") if row["send_id"].startswith("capped-")]
    assert Counter(part["state"] for part in parts) == {"ACCEPTED": 10, "REJECTED": CODES - 10}
    assert len(platform.messages()) == 10
    assert all("over the cap of 10" in part["words"] for part in parts if part["state"] == "REJECTED")
    assert (units["calls"] <= CODES + WORKERS, units["most"]) == (True, 1)
