"""Between two writes: what a delivery that is cut off, overtaken or late leaves behind, and tells."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from kuaixintong.core import beijing
from kuaixintong.stores.table import Moved
from tests.fake_platform import Fate, Line
from tests.gates import Incident, Killed
from tests.sending import MORE_THAN_ONE_PART, fails, states
from tests.world import CID, PWD, World

MOBILE = "13708600860"
SEND: dict[str, Any] = {"id": "order-1", "mobiles": [MOBILE], "content": "周末参加不了培训了"}
OTHER_CID = "87654321"
RETENTION = timedelta(days=180)


def meet(world: World, *fates: Fate) -> Line:
    """Give the next requests of a new process their fates."""
    world.meet(world.platform)
    world.line.fates += fates
    world.sender = world.new_sender()
    return world.line


def die() -> None:
    raise Killed


# --- an acceptance that cannot be written down ------------------------------------------------------------------


def test_the_token_of_an_acceptance_that_cannot_be_written_is_told(world: World) -> None:
    world.deliver(SEND, message_id="warm-up")
    world.happens("*.update", fails)
    delivery = world.deliver(SEND | {"id": "order-2"})
    accepted = world.platform.messages[-1]
    assert world.row("order-2")["state"] == "SUBMITTING"
    assert delivery.again
    assert delivery.again.why.startswith("StoreUnavailable: ")
    assert (
        f"part 1 was accepted with timestamp {accepted.timestamp} as token {accepted.token}" in delivery.again.why
    )


def test_no_token_is_told_of_a_refusal_that_cannot_be_written(world: World) -> None:
    world.deliver(SEND, message_id="warm-up")

    def refuse() -> Fate:
        world.happens("*.update", fails)
        return 320

    meet(world, refuse)
    delivery = world.deliver(SEND | {"id": "order-2"})
    assert delivery.again
    assert delivery.again.why.startswith("StoreUnavailable: ")
    assert "accepted" not in delivery.again.why


# --- validUntil -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("fate", "state"), [(1, "EXPIRED"), ("lost", "UNCONFIRMED")])
def test_after_an_answer_a_message_comes_back_no_later_than_its_validity_ends(
    world: World, fate: Fate, state: str
) -> None:
    world.deliver(SEND, message_id="warm-up")
    world.platform.messages.clear()
    meet(world, *[fate] * 3, *[1] * 9)
    start = world.now
    world.deliver_until_done(SEND | {"id": "order-2", "validUntil": "2026-11-23 12:00:16"})
    assert world.row("order-2")["state"] == state
    assert timedelta(seconds=16) <= world.now - start <= timedelta(seconds=17.1)


# --- a noting that is cut off -----------------------------------------------------------------------------------


def test_all_parts_are_noted_before_the_first_is_asked_for_also_after_a_noting_that_was_cut_off(
    world: World,
) -> None:
    world.deliver(SEND, message_id="warm-up")
    body = {"id": "big", "mobiles": MORE_THAN_ONE_PART, "content": "x"}
    assert world.dies_before(2, body, of="SendsTable.*")
    assert [*states(world, "big")] == ["1"]
    seen: list[list[str]] = []
    meet(world, lambda: seen.append([*states(world, "big")]), die)
    with pytest.raises(Killed):  # when the first part has been asked for, enough is known
        world.deliver(body, receive_count=2)
    assert seen == [["1", "2"]]


# --- how long a row lives ---------------------------------------------------------------------------------------


def expires(world: World, send_id: str = "order-2", part: str = "1") -> timedelta:
    """How long a row still lives from now, to the second."""
    return timedelta(seconds=world.row(send_id, part)["expires_at"] - int(world.now.timestamp()))


@pytest.mark.parametrize("fate", ["well", 1, 320, 999, "lost"])
def test_an_answer_renews_how_long_a_row_lives(world: World, fate: Fate) -> None:
    world.deliver(SEND, message_id="warm-up")

    def later() -> Fate:
        world.pass_time(days=20)  # so that it is the answer that renews, and not the claim before it
        return fate

    meet(world, 1, later)
    world.deliver(SEND | {"id": "order-2"})
    world.pass_time(days=30)
    world.deliver(SEND | {"id": "order-2"}, receive_count=2)
    assert expires(world) == RETENTION


def test_a_claim_renews_how_long_a_row_lives(world: World) -> None:
    world.deliver(SEND, message_id="warm-up")
    meet(world, 1, die)
    world.deliver(SEND | {"id": "order-2"})
    world.pass_time(days=30)
    with pytest.raises(Killed):
        world.deliver(SEND | {"id": "order-2"}, receive_count=2)
    assert (world.row("order-2")["state"], expires(world)) == ("SUBMITTING", RETENTION)


def test_a_validity_that_ends_renews_how_long_a_row_lives(world: World) -> None:
    body = SEND | {"id": "order-2", "validUntil": "2026-12-01 12:00:00"}
    meet(world, 400)
    world.deliver(body)
    world.pass_time(days=30)
    world.deliver(body, receive_count=2)
    assert (world.row("order-2")["state"], expires(world)) == ("EXPIRED", RETENTION)


def test_a_split_renews_how_long_its_row_lives_and_begins_its_halves(world: World) -> None:
    world.platform.change({"refused_mobiles": ["13700000001"]})
    world.deliver(SEND, message_id="warm-up")
    meet(world, 1, "well", 1, 1)
    body = SEND | {"id": "order-2", "mobiles": ["13700000001", "13700000002"]}
    world.deliver(body)
    world.pass_time(days=30)
    world.deliver(body, receive_count=2)
    rows = {row["part"]: row["state"] for row in world.all_rows() if row["send_id"] == "order-2"}
    assert rows == {"1": "SPLIT", "1.1": "WAITING", "1.2": "WAITING"}
    assert {expires(world, part=part) for part in rows} == {RETENTION}


# --- a give-up that is overtaken --------------------------------------------------------------------------------


def test_a_part_that_another_worker_finishes_while_it_is_given_up_asks_for_nobodys_attention(world: World) -> None:
    world.receive_limit = 2
    for call in range(1, 20):
        send = SEND | {"id": f"order-{call}", "mobiles": [f"137{call:08}"]}
        meet(world, 400)
        world.deliver(send, message_id="first")
        other = world.new_sender()

        def finish(send: dict[str, Any] = send, other: Any = other) -> None:
            world.pass_time(minutes=10)  # the pause is over, and its probe's lease
            world.sender = other
            assert world.deliver(send, message_id="other").again is None

        at = call - 1

        def meanwhile(number: int, at: int = at, finish: Callable[[], None] = finish) -> None:
            if number == at:
                finish()

        gate = Incident("*Table.*", meanwhile)
        world.sender = world.new_sender(gate=gate)
        world.deliver(send, message_id="first", receive_count=2)
        if gate.count < call:
            break
        row = world.row(send["id"])
        assert (row["state"], row.get("attention"), row.get("advice")) == ("ACCEPTED", None, None)
        world.pass_time(minutes=10)
    assert call > 3, "a give-up takes more calls than that"


# --- another account in mid-way ---------------------------------------------------------------------------------


def change_account(world: World) -> None:
    world.platform.change({"cid": OTHER_CID})
    world.change_secret(PWD, cid=OTHER_CID)


def sequence_of(request: dict[str, Any]) -> int:
    """The tick that a request's timestamp tells."""
    text = request["timestamp"]
    moment = beijing.parse(f"{text[:4]}-{text[4:6]}-{text[6:8]} {text[8:10]}:{text[10:12]}:{text[12:14]}")
    return beijing.ticks(moment) + int(text[14:])


def test_a_secret_that_changes_to_another_account_while_it_is_refused_is_used_with_that_accounts_sequence(
    world: World,
) -> None:
    world.deliver(SEND, message_id="warm-up")

    def meanwhile() -> None:
        change_account(world)  # so the platform refuses the old account: 200
        world.pass_time(seconds=0.5)  # it remembers timestamps whoever's they are

    line = meet(world, meanwhile)
    delivery = world.deliver(SEND | {"id": "order-2"})
    assert delivery.again is None
    assert [request["cid"] for request in line.requests] == [CID, OTHER_CID]
    assert sequence_of(line.requests[1]) <= world.account(OTHER_CID)["sequence"]
    assert world.row("order-2")["state"] == "ACCEPTED"
    assert world.row("order-2")["cid"] == OTHER_CID
    assert "pause_reason" not in world.account(OTHER_CID)


def test_after_a_pause_a_secret_of_another_account_leaves_the_paused_one_as_it_is(world: World) -> None:
    world.platform.change({"pwd": "new"})
    world.deliver(SEND)
    assert world.account()["pause_reason"] == "authentication"
    world.platform.change({"pwd": PWD})
    change_account(world)
    world.pass_time(seconds=61)  # the old secret is still cached
    delivery = world.deliver(SEND, receive_count=2)
    if delivery.again:
        assert delivery.again.delay < 10
        world.pass_time(seconds=delivery.again.delay)
        assert world.deliver(SEND, receive_count=3).again is None
    first, second = world.line.requests
    assert (first["cid"], second["cid"]) == (CID, OTHER_CID)
    assert sequence_of(second) <= world.account(OTHER_CID)["sequence"]
    assert world.account(OTHER_CID)["proven"]
    left = world.account()
    assert left["pause_reason"] == "authentication"
    assert "proven" not in left
    assert "probe_until" not in left, "nobody else of the old account has to wait for a probe that went elsewhere"


# --- a pause that is newer than the proof -----------------------------------------------------------------------


def test_a_good_answer_to_a_request_from_before_a_pause_does_not_end_the_pause(world: World) -> None:
    world.deliver(SEND, message_id="warm-up")
    world.pass_time(seconds=2)

    def pause() -> None:
        world.pass_time(seconds=2)
        other = world.new_sender(platform=Line(world.platform, world._clock, 400))
        mine, world.sender = world.sender, other
        assert world.deliver(SEND | {"id": "poor"}, message_id="poor").pauses
        world.sender = mine
        world.pass_time(seconds=2)

    # One answer is lost first: with a spotless account a good answer would have nothing to clear.
    line = meet(world, "lost", pause)
    world.deliver(SEND | {"id": "order-2"})
    world.pass_time(seconds=2)
    assert world.deliver(SEND | {"id": "order-3"}).again is None
    assert world.account()["pause_reason"] == "balance"
    world.pass_time(seconds=2)
    asked = len(line.requests)
    delivery = world.deliver(SEND | {"id": "order-4"})
    assert delivery.again
    assert delivery.again.why == "paused: balance"
    assert len(line.requests) == asked


# --- an end whose write AWS's client repeats --------------------------------------------------------------------


def test_whom_an_end_was_for_is_written_down_though_its_write_was_repeated(world: World) -> None:
    def repeat(call: int) -> None:
        if call == 0:
            raise Moved(world.row("order-1"))

    world.happens("SendsTable.put", repeat, after=True)
    delivery = world.deliver(SEND | {"validUntil": "2026-11-23 11:00:00"})
    assert (world.row("order-1")["state"], dict(delivery.states)) == ("EXPIRED", {"EXPIRED": 1})
    assert world.outbound() == [(MOBILE, "order-1", "1")]
