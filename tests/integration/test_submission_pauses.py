"""An answer about the account holds every message back, and no longer than it has to."""

import heapq
import json
from collections import Counter
from collections.abc import Iterable
from datetime import timedelta
from itertools import pairwise
from typing import Any

import pytest

from kuaixintong.core.codes import Trouble
from kuaixintong.core.ledger import State
from kuaixintong.errand import QueueMessage
from kuaixintong.stores.account import Accounts
from tests.fake_platform import Fate, Line
from tests.sending import BODY, MOBILE, MORE_THAN_ONE_PART, bodies, fails, proven, states
from tests.world import CID, START, World

PAUSES = {
    220: ("source address", 300),
    250: ("account disabled", 300),
    260: ("organisation disabled", 300),
    400: ("balance", 120),
    240: ("authentication", 60),
}


@pytest.mark.parametrize("code", PAUSES)
def test_an_answer_about_the_account_pauses_it_for_every_message(world: World, line: Line, code: int) -> None:
    reason, seconds = PAUSES[code]
    line.fates += [code]
    first = world.deliver(BODY, message_id="m-1")
    assert dict(first.counts())[f"Paused{reason.title().replace(' ', '')}"] == 1
    assert world.account()["pause_reason"] == reason
    second = world.deliver(BODY, message_id="m-2")
    assert second.again
    assert second.again.why == f"paused: {reason}"
    assert seconds <= second.again.delay <= seconds + 3
    assert len(line.requests) == 1
    for message_id in ("m-1", "m-2"):
        assert states(world, message_id) == {"1": "WAITING"}
    assert "timestamp" not in world.row("m-2")
    world.pass_time(seconds=seconds - 1)
    world.deliver(BODY, message_id="m-2", receive_count=2)
    assert len(line.requests) == 1
    world.pass_time(seconds=1)
    for message_id in ("m-2", "m-1"):
        assert world.deliver(BODY, message_id=message_id, receive_count=3).again is None
    assert {"pause_reason", "pause_until", "pauses", "probe_until"} & {*world.account()} == set()


def test_a_request_that_becomes_too_old_to_repeat_does_not_wait_for_the_pauses_end(
    world: World, line: Line
) -> None:
    line.fates += ["lost"]
    world.deliver(BODY)
    accounts, until = Accounts(world.table("AccountTable")), world.now + timedelta(days=2)
    assert accounts.pause(CID, Trouble.SOURCE_ADDRESS, until, by="another", now=world.now)
    world.pass_time(minutes=59)
    again = world.deliver(BODY, receive_count=2).again
    assert again
    assert (again.why, states(world)) == ("paused: source address", {"1": "SUBMITTING"})
    world.pass_time(minutes=2)
    assert world.deliver(BODY, receive_count=3).again is None
    assert states(world) == {"1": "UNCONFIRMED"}
    assert len(line.requests) == 1


def test_pauses_in_a_row_grow_and_a_good_answer_makes_them_short_again(world: World, line: Line) -> None:
    line.fates += [400, 400, 400, "well", 400]
    lengths = []
    for _ in range(5):
        world.deliver(BODY, message_id=f"m-{len(line.requests)}")
        account = world.account()
        if "pause_until" not in account:
            continue
        until = account["pause_until"]
        lengths.append(until)
        world.now = START.fromisoformat(until)
    begun = [START, *map(START.fromisoformat, lengths)]
    spans = [(after - before).total_seconds() for before, after in pairwise(begun)]
    assert spans == [120, 240, 300, 120]


def test_after_a_pause_one_message_goes_first_and_the_others_wait_for_it(world: World, line: Line) -> None:
    line.fates += [400]
    world.deliver(BODY, message_id="m-0")
    world.pass_time(seconds=120)
    others = []

    def meanwhile() -> None:
        other = world.new_sender()
        for message_id in ("m-1", "m-2"):
            message = QueueMessage(message_id, "receipt", json.dumps(BODY), 1)
            others.append(other.take(message, world.life(1)))

    line.fates += [meanwhile]
    world.deliver(BODY, message_id="m-0", receive_count=2)
    assert [delivery.again and delivery.again.why for delivery in others] == ["paused: another worker probes"] * 2
    assert len(line.requests) == 2
    assert states(world, "m-1") == {"1": "WAITING"}
    world.deliver(BODY, message_id="m-1", receive_count=2)
    assert len(world.accepted()) == 2


def test_a_probe_that_dies_holds_the_others_up_for_its_lease_only(world: World, line: Line) -> None:
    line.fates += [400]
    world.deliver(BODY, message_id="m-0")
    world.pass_time(seconds=120)
    assert world.dies_before(4, BODY)  # the secret, the sequence, the probe, and no more
    delivery = world.deliver(BODY, message_id="m-1", seconds=1)
    assert delivery.again
    assert delivery.again.delay <= 20 + 3
    world.pass_time(seconds=20)
    assert world.deliver(BODY, message_id="m-1", receive_count=2).again is None


def test_five_lost_answers_in_a_row_pause_the_account_briefly(world: World, line: Line) -> None:
    line.fates += ["never"] * 5
    deliveries = [world.deliver(body, message_id=message_id) for message_id, body in bodies(6)]
    assert len(line.requests) == 5
    assert [sum(delivery.pauses.values()) for delivery in deliveries] == [0, 0, 0, 0, 1, 0]
    assert world.account()["pause_reason"] == "unreachable"
    assert deliveries[5].again
    assert deliveries[5].again.delay <= 23
    world.pass_time(seconds=23)
    for message_id, body in bodies(6):
        assert world.deliver(body, message_id=message_id, receive_count=2).again is None
    assert len(world.accepted()) == len({*world.accepted()}) == 6


@pytest.mark.parametrize("between", ["well", 1, 320])
def test_any_answer_between_lost_ones_begins_the_count_anew(world: World, line: Line, between: Fate) -> None:
    four: list[Fate] = ["never"] * 4
    line.fates += [*four, between, *four]
    for message_id, body in bodies(9):
        world.deliver(body, message_id=message_id)
        world.pass_time(seconds=2)
    assert "pause_reason" not in world.account()
    assert len(line.requests) == 9


def test_a_message_under_a_pause_that_is_finished_already_leaves_the_queue(world: World, line: Line) -> None:
    line.fates += ["well", 400]
    world.deliver(BODY, message_id="m-1")
    world.deliver(BODY, message_id="m-2")
    assert world.deliver(BODY, message_id="m-1", receive_count=2).again is None
    assert len(line.requests) == 2


def test_a_message_under_a_pause_that_was_split_goes_on_with_its_halves(world: World, line: Line) -> None:
    world.platform.change({"refused_mobiles": ["13700000001"]})
    line.fates += ["well", 400]
    body = BODY | {"mobiles": ["13700000001", "13700000002"]}
    first = world.deliver(body)
    assert states(world) == {"1": "SPLIT", "1.1": "WAITING", "1.2": "WAITING"}
    assert first.pauses
    again = world.deliver(body, receive_count=2)
    assert again.again
    world.pass_time(minutes=3)
    world.deliver(body, receive_count=3)
    assert states(world) == {"1": "SPLIT", "1.1": "REJECTED", "1.2": "ACCEPTED"}


def run_queue(world: World, messages: Iterable[tuple[str, dict[str, Any]]], until: timedelta) -> Counter[str]:
    """Deliver as a queue would, time passing from message to message; return the receives of each."""
    todo = [(world.now, message_id, body) for message_id, body in messages]
    receives: Counter[str] = Counter()
    end = world.now + until
    while todo:
        when, message_id, body = heapq.heappop(todo)
        if when > end:
            break
        world.now = max(world.now, when)
        receives[message_id] += 1
        delivery = world.deliver(body, message_id=message_id, receive_count=receives[message_id])
        if delivery.again:
            heapq.heappush(todo, (world.now + timedelta(seconds=delivery.again.delay), message_id, body))
    return receives


def test_while_the_password_is_wrong_no_minute_sees_more_than_five_calls(world: World, line: Line) -> None:
    calls: list[float] = []
    world.platform.change({"pwd": "right"})
    line.fates += [lambda: calls.append(world.now.timestamp())] * 100
    run_queue(world, bodies(10), timedelta(minutes=12))
    assert calls
    assert max(sum(start <= call < start + 60 for call in calls) for start in calls) <= 5
    world.change_secret("right")
    run_queue(world, bodies(10), timedelta(minutes=15))
    assert sorted(world.accepted()) == [f"137{number:08}" for number in range(1, 11)]


# --- what coming back costs -------------------------------------------------------------------------------------


@pytest.mark.parametrize("mobiles", [[MOBILE], MORE_THAN_ONE_PART], ids=["one part", "two"])
def test_a_message_that_comes_back_in_a_pause_reads_its_rows_once_and_writes_nothing(
    world: World, mobiles: list[str]
) -> None:
    proven(world).fates.append(240)
    world.deliver(BODY, message_id="m-0")  # it pauses the account
    body = BODY | {"mobiles": mobiles}
    world.deliver(body)
    before = world.all_rows()
    writes, reads = (world.happens(f"SendsTable.{call}", lambda _: None) for call in ("[pu]*", "query"))
    for count in (2, 3):
        assert world.deliver(body, receive_count=count).again
        world.pass_time(seconds=5)
    assert (writes.count, reads.count) == (0, 2)
    assert world.all_rows() == before


def test_a_message_that_comes_again_when_all_is_done_takes_no_slot(world: World) -> None:
    proven(world)
    world.deliver(BODY)
    world.pass_time(seconds=5)
    world.happens("AccountTable.*", fails)
    assert world.deliver(BODY, receive_count=2).repeats == 1


def test_another_payload_under_a_taken_id_is_found_out_by_reading_too(world: World) -> None:
    world.deliver(BODY | {"id": "order-1"})
    again = world.deliver(BODY | {"id": "order-1", "content": "y"}, message_id="m-2", receive_count=2)
    assert again.states == {State.REJECTED: 1}
    assert "taken" in world.row("m-2")["words"]
