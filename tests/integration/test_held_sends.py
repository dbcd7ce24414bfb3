"""What waits for longer than a message can: as a row, which is enqueued again when it is due."""

import json
from collections.abc import Mapping
from contextlib import suppress
from datetime import timedelta
from typing import Any
from unittest.mock import patch

import pytest

from kuaixintong import calling_in as module
from kuaixintong.calling_in import CallingIn
from kuaixintong.core import beijing, due, references
from kuaixintong.core.lanes import Lane
from kuaixintong.core.ledger import State
from kuaixintong.core.references import Reference
from tests.fake_platform import Line
from tests.gates import Killed, Life
from tests.holding import hold
from tests.sending import BODY, EIGHT, IN_AN_HOUR, MOBILE, MORE_THAN_ONE_PART, fails, refuse, rows_of, states
from tests.stopping import PaperLanes, calling_in
from tests.world import World

HELD = BODY | {"id": "held", "atTime": IN_AN_HOUR, "hold": True}
HOUR = timedelta(hours=1)
DUE = ("waits_until", "due_at", "due_shard")


@pytest.fixture
def lanes() -> PaperLanes:
    return PaperLanes()


@pytest.fixture
def calling(world: World, lanes: PaperLanes) -> CallingIn:
    return calling_in(world, lanes)


def test_a_held_send_waits_as_a_row_and_goes_out_when_it_is_due(
    world: World, line: Line, calling: CallingIn, lanes: PaperLanes
) -> None:
    assert world.deliver(HELD).again is None  # the message has done its duty
    row = world.row("held")
    assert (row["state"], row["waits_until"], row["due_at"]) == ("WAITING", *[beijing.iso(world.now + HOUR)] * 2)
    assert row["words"] == "Held until 2026-11-23 13:00:00, Beijing time."
    assert row["expires_at"] == int((world.now + HOUR + timedelta(days=180)).timestamp())
    assert calling.run(seconds=50).enqueued.total() == 0
    assert line.requests == []
    world.now += HOUR
    assert calling.run(seconds=50).enqueued == {Lane.ORDINARY: 1}
    [body] = lanes.take()
    assert json.loads(body) == {"row": {"send_id": "held", "part": "1", "fingerprint": row["fingerprint"]}}
    assert world.deliver(body, message_id="m-2").again is None
    assert states(world, "held") == {"1": "ACCEPTED"}
    assert not {*DUE} & world.row("held").keys()
    assert (world.accepted()[-1], line.requests[-1].get("atTime")) == (MOBILE, "")


def test_a_second_message_for_a_row_that_left_out_thousands_finds_it_at_its_end(world: World) -> None:
    mobiles = [f"{13_700_000_000 + number}" for number in range(1_500)]
    world.allowed = frozenset(mobiles[:1])
    world.deliver(HELD | {"mobiles": mobiles})
    row = world.row("held")
    world.now += HOUR
    body = references.written(Reference("held", "1", row["fingerprint"]))
    assert world.deliver(body, message_id="m-2").states == {State.ACCEPTED: 1}
    assert world.deliver(body, message_id="m-3").repeats == 1
    assert world.accepted() == mobiles[:1]


def test_one_that_is_held_for_minutes_waits_as_a_message_with_its_row(world: World, line: Line) -> None:
    body = BODY | {"atTime": "2026-11-23 12:10:00", "hold": True}
    again = world.deliver(body).again
    assert again
    assert 600 <= again.delay <= 602
    assert (world.row()["state"], line.requests) == ("WAITING", [])
    assert world.row()["words"] == "Held until 2026-11-23 12:10:00, Beijing time."
    world.now += timedelta(seconds=again.delay)
    world.deliver(body)
    assert states(world) == {"1": "ACCEPTED"}


def test_a_row_that_was_enqueued_is_looked_at_again_in_fifteen_minutes_and_not_before(
    world: World, calling: CallingIn, lanes: PaperLanes
) -> None:
    world.deliver(HELD)
    world.now += HOUR
    seen = []
    for _ in range(32):
        calling.run(seconds=50)
        seen.append(len(lanes.take()))
        world.now += timedelta(minutes=1)
    assert [minute for minute, count in enumerate(seen) if count] == [0, 15, 30]


def test_what_was_not_enqueued_is_looked_at_the_next_minute(world: World, lanes: PaperLanes) -> None:
    class Closed(PaperLanes):
        def put_one(self, lane: Lane, body: str) -> None:
            fails()

    world.deliver(HELD)
    world.now += HOUR
    called = calling_in(world, Closed()).run(seconds=50)
    assert (called.enqueued.total(), called.failed) == (0, 1)
    assert calling_in(world, lanes).run(seconds=50).enqueued.total() == 1


def test_urgent_ones_are_enqueued_before_others_that_are_due_for_longer(world: World) -> None:
    class One(PaperLanes):
        def __init__(self) -> None:
            super().__init__()
            self.order: list[str] = []

        def put_one(self, lane: Lane, body: str) -> None:
            self.order.append(lane)

    lanes = One()
    mine = [name for name in map(str, range(200)) if due.shard(name, "1") == "due#0"][:6]
    for number, name in enumerate(mine):
        hold(
            world.table("SendsTable"),
            BODY | {"id": name},
            world.now,
            Lane.URGENT if number == 5 else Lane.ORDINARY,
        )
    with patch.object(module, "THREADS", 1):
        calling_in(world, lanes).run(seconds=50)
    assert lanes.order == ["urgent", *["ordinary"] * 5]


def test_a_function_that_dies_after_enqueueing_enqueues_again_and_the_send_goes_out_once(
    world: World, line: Line, lanes: PaperLanes
) -> None:
    world.deliver(HELD)
    world.now += HOUR
    incident = world.happens("SendsTable.update", fails)
    gated_parts = world.new_sender().claims._parts
    cut_off = CallingIn(gated_parts, lanes, clock=world._clock, monotonic=world._seconds)
    assert cut_off.run(seconds=50).failed == 1
    world.gates.up.remove(incident)
    calling_in(world, lanes).run(seconds=50)
    bodies = lanes.take()
    assert len(bodies) == 2
    for number, body in enumerate(bodies):
        assert world.deliver(body, message_id=f"r-{number}").again is None
    assert world.accepted() == [MOBILE]


def test_a_look_whose_time_runs_out_leaves_the_rest_to_the_next(world: World, calling: CallingIn) -> None:
    world.deliver(HELD)
    world.now += HOUR
    called = calling.run(seconds=0)
    assert (called.left, called.enqueued.total()) == (True, 0)
    assert calling.run(seconds=50).enqueued.total() == 1


def test_what_is_due_in_one_minute_goes_out_although_the_function_is_killed_twice(
    world: World, line: Line, lanes: PaperLanes
) -> None:
    table, mobiles = world.table("SendsTable"), [f"135{number:08}" for number in range(300)]
    for mobile in mobiles:
        hold(table, BODY | {"id": mobile, "mobiles": [mobile]}, world.now)
    for calls in (100, 150):
        with suppress(Killed):
            calling_in(world, lanes, Life(calls, of="lanes.put_one")).run(seconds=50)
        world.now += timedelta(minutes=1)
    calling_in(world, lanes).run(seconds=50)
    bodies = lanes.take()
    assert 300 <= len(bodies) <= 300 + 2 * 16  # what was enqueued and not yet put off is enqueued again
    for number, body in enumerate(bodies):
        assert world.deliver(body, message_id=f"r-{number}").again is None
    assert sorted(world.accepted()) == mobiles
    world.now += timedelta(days=1)
    assert calling_in(world, lanes).run(seconds=50).enqueued.total() == 0


def test_an_urgent_send_goes_back_into_its_own_lane(world: World, calling: CallingIn, lanes: PaperLanes) -> None:
    world.sender = world.new_sender(lane=Lane.URGENT)
    world.deliver(HELD)
    world.now += HOUR
    calling.run(seconds=50)
    assert (len(lanes.take(Lane.URGENT)), lanes.take(Lane.ORDINARY)) == (1, [])


def test_a_claim_takes_the_row_off_the_list(world: World, calling: CallingIn, lanes: PaperLanes) -> None:
    world.deliver(HELD)
    world.now += HOUR
    calling.run(seconds=50)
    world.platform.change({"account_disabled": True})
    again = world.deliver(lanes.take()[0]).again
    assert again  # the message goes on with it
    assert not {*DUE} & world.row("held").keys()
    world.now += HOUR
    assert calling.run(seconds=50).enqueued.total() == 0


@pytest.mark.parametrize("kind", ["the message itself", "a message of its row"])
def test_a_copy_that_comes_before_the_time_goes_back(world: World, line: Line, kind: str) -> None:
    world.deliver(HELD)
    row = world.row("held")
    copy = json.dumps(HELD) if kind == "the message itself" else references.written(reference(row))
    assert world.deliver(copy, receive_count=2).again is None  # to the list that it stands in
    world.now += HOUR - timedelta(minutes=5)
    again = world.deliver(copy, receive_count=3).again
    assert again
    assert 300 <= again.delay <= 302
    assert (world.row("held"), line.requests) == (row, [])


def reference(row: Mapping[str, Any]) -> Reference:
    return Reference(row["send_id"], row["part"], row["fingerprint"])


def test_every_part_of_a_held_send_waits_and_goes_out(
    world: World, line: Line, calling: CallingIn, lanes: PaperLanes
) -> None:
    world.deliver(HELD | {"mobiles": [*MORE_THAN_ONE_PART, *(f"x{n}" for n in range(501))]})
    assert states(world, "held") == {"1": "WAITING", "2": "WAITING", "3": "REJECTED"}
    before = rows_of(world, "held")
    world.now += HOUR
    calling.run(seconds=50)
    for body in lanes.take():
        world.deliver(body)
    assert states(world, "held") == {"1": "ACCEPTED", "2": "ACCEPTED", "3": "REJECTED"}
    assert sorted(world.accepted()) == sorted(MORE_THAN_ONE_PART)
    for was, row in zip(before, rows_of(world, "held"), strict=True):
        same = ("mobiles", "parts", "content", "fingerprint", "invalid_mobiles", "at_time", "hold")
        assert [row.get(name) for name in same] == [was.get(name) for name in same]


def test_a_number_that_is_kept_cut_and_looks_good_then_is_not_sent_to(
    world: World, line: Line, calling: CallingIn, lanes: PaperLanes
) -> None:
    looks_good = f"{'-' * 29}13700000009"  # its first 40 characters are a mobile with hyphens before it
    world.deliver(HELD | {"mobiles": [MOBILE, f"{looks_good}7"]})
    assert world.row("held")["invalid_mobiles"][0]["mobile"] == looks_good
    world.now += HOUR
    calling.run(seconds=50)
    world.deliver(lanes.take()[0])
    assert world.accepted() == [MOBILE]
    assert world.row("held")["invalid_mobiles"][0]["mobile"] == looks_good


def test_a_held_part_that_is_divided_goes_out_to_its_good_numbers(
    world: World, line: Line, calling: CallingIn, lanes: PaperLanes
) -> None:
    refuse(world, EIGHT[3])
    world.deliver(HELD | {"mobiles": EIGHT})
    world.now += HOUR
    calling.run(seconds=50)
    world.deliver_until_done(lanes.take()[0])
    assert sorted(world.accepted()) == [each for each in EIGHT if each != EIGHT[3]]


def test_what_expires_before_its_time_says_so_when_it_does(
    world: World, line: Line, calling: CallingIn, lanes: PaperLanes
) -> None:
    world.deliver(HELD | {"validUntil": "2026-11-23 12:30:00"})
    world.now += HOUR / 2
    calling.run(seconds=50)
    assert world.deliver(lanes.take()[0]).again is None
    assert (states(world, "held"), line.requests) == ({"1": "EXPIRED"}, [])
    assert not {*DUE} & world.row("held").keys()


# --- its text ---------------------------------------------------------------------------------------------------


@pytest.fixture
def discreet() -> World:
    """A world that stores no texts."""
    return World(store_content=False)


def test_a_text_is_kept_until_it_has_gone_out_and_no_longer(discreet: World) -> None:
    lanes = PaperLanes()
    discreet.deliver(HELD)
    assert discreet.row("held")["content"] == BODY["content"]
    discreet.now += HOUR
    calling_in(discreet, lanes).run(seconds=50)
    discreet.deliver_until_done(lanes.take()[0])
    assert states(discreet, "held") == {"1": "ACCEPTED"}
    assert not {"content", "content_lent"} & discreet.row("held").keys()


def test_the_halves_of_a_held_part_have_its_text_until_they_have_gone_out(discreet: World) -> None:
    lanes = PaperLanes()
    discreet.deliver(BODY | {"mobiles": ["13900000000"]})
    refuse(discreet, EIGHT[3])
    discreet.deliver(HELD | {"mobiles": EIGHT})
    discreet.now += HOUR
    calling_in(discreet, lanes).run(seconds=50)
    [body] = lanes.take()
    dies_after_dividing(discreet, body)
    assert {row["part"]: row.get("content") for row in rows_of(discreet, "held")} == {
        "1": None,
        "1.1": BODY["content"],
        "1.2": BODY["content"],
    }
    discreet.now += HOUR
    discreet.deliver_until_done(body)
    assert sorted(discreet.accepted()) == [*(each for each in EIGHT if each != EIGHT[3]), "13900000000"]
    assert not any({"content", "content_lent"} & row.keys() for row in rows_of(discreet, "held"))
    assert discreet.deliver(body).again is None  # a late copy finds nothing to do


def dies_after_dividing(world: World, body: str) -> None:
    incident = world.happens("SendsTable.transact", fails, after=True)
    assert world.deliver(body).again
    world.gates.up.remove(incident)


# --- what only looks like a reference ---------------------------------------------------------------------------


def test_a_message_that_refers_to_no_row_is_refused_and_does_nothing(world: World, line: Line) -> None:
    world.deliver(HELD)
    row = world.row("held")
    forged = [
        Reference("nobody", "1", row["fingerprint"]),
        Reference("held", "2", row["fingerprint"]),
        Reference("held", "1", "0" * 32),
    ]
    for number, each in enumerate(forged):
        assert world.deliver(references.written(each), message_id=f"forged-{number}").again is None
        assert world.row(f"forged-{number}")["state"] == "REJECTED"
    assert (world.row("held"), line.requests) == (row, [])


def test_a_reference_to_a_row_that_has_come_to_its_end_changes_nothing(world: World, line: Line) -> None:
    world.deliver(BODY | {"id": "done"})
    row, asked = world.row("done"), len(line.requests)
    progress = world.deliver(references.written(reference(row)))
    assert (progress.again, progress.repeats) == (None, 1)
    assert (world.row("done"), len(line.requests)) == (row, asked)


def test_a_reference_goes_to_the_dead_letter_queue_as_it_is(limited: World) -> None:
    limited.deliver(HELD)
    body = references.written(reference(limited.row("held")))
    limited.now += HOUR
    limited.platform.change({"account_disabled": True})
    assert limited.deliver(body, receive_count=3).again is None
    assert limited.queue.buried == [json.loads(body)]
    assert limited.row("held")["attention"] == "GAVE_UP"


def test_a_table_that_does_not_answer_lets_the_reference_come_back(world: World) -> None:
    world.deliver(HELD)
    body = references.written(reference(world.row("held")))
    world.now += HOUR
    world.happens("SendsTable.get", fails)
    assert world.deliver(body).again


def test_the_list_has_no_key_that_takes_all() -> None:
    shards = [due.shard(f"send-{number}", "1") for number in range(4_000)]
    assert {*shards} == {*due.shards()}
    assert max(map(shards.count, due.shards())) < 4_000 / due.SHARDS * 1.2
