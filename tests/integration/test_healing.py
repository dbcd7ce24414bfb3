"""UNCONFIRMED heals itself where reports prove an acceptance, and nowhere else (contract, section 4)."""

from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import pytest

from kuaixintong import healing
from kuaixintong.core import beijing
from kuaixintong.core.change import Change
from kuaixintong.core.errors import StoreUnavailable
from kuaixintong.core.inference import REST, SETTLED, YOUNG
from kuaixintong.healing import Healed
from kuaixintong.stores.optouts import OptOutRows
from kuaixintong.stores.parts import Parts
from local.simulator.platform import Message
from tests.sending import BODY, proven, rows_of
from tests.world import CID, World

A, B, C = "13700000001", "13700000002", "13700000003"
SOMEBODYS = "13999999999"


@dataclass
class Lost:
    """Sends whose answers are cut off after the platform has acted, and which may not be asked for any more."""

    world: World
    bodies: dict[str, dict[str, Any]] = field(default_factory=dict)

    def send(self, send_id: str, *mobiles: str, without: str = "", **changes: Any) -> Message:
        """Let one be accepted and its answer be lost; return what the platform has accepted.

        A mobile that a guard rail leaves out of it is named by ``without``.
        """
        until = (self.world.now + timedelta(minutes=5)).astimezone(beijing.BEIJING)
        body = BODY | {"id": send_id, "mobiles": [*mobiles], "validUntil": until.strftime("%Y-%m-%d %H:%M:%S")}
        body |= changes
        self.bodies[send_id] = body
        self.world.line.fates.append("lost")
        self.world.deliver(body)
        message = self.world.platform.messages[-1]
        assert message.mobiles == tuple(mobile for mobile in mobiles if mobile != without)
        self.world.deliver(BODY | {"mobiles": [SOMEBODYS]}, message_id=f"beside-{send_id}")  # no outage
        self.world.pass_time(seconds=1)
        return message

    def give_up(self) -> None:
        """Let the time for sending pass, and each come back: with a request unanswered, it is unconfirmed."""
        self.world.pass_time(minutes=6)
        for send_id, body in self.bodies.items():
            self.world.deliver(body, receive_count=2)
            assert self.world.row(send_id)["state"] == "UNCONFIRMED"


@pytest.fixture
def world() -> World:
    world = World()
    proven(world)
    return world


@pytest.fixture
def lost(world: World) -> Lost:
    return Lost(world)


def settle(world: World) -> None:
    """Let what was reported become old enough."""
    world.now += SETTLED


def heal(world: World, **how: Any) -> Healed:
    return world.new_healing(**how).run(CID)


def tokens(world: World) -> dict[str, str]:
    """The tokens of all parts that are called accepted by inference."""
    return {row["send_id"]: row["token"] for row in world.all_rows() if row.get("inferred")}


def test_a_part_whose_reports_prove_its_acceptance_is_accepted_under_their_token(world: World, lost: Lost) -> None:
    message = lost.send("s", A)
    lost.give_up()
    before = world.row("s")
    world.push(message)
    settle(world)
    assert heal(world).inferred == [("s", "1")]
    row = world.row("s")
    assert (row["state"], row["token"], row["inferred"]) == ("ACCEPTED", str(message.token), True)
    assert row["accepted_at"] == before["asked_at"]
    assert row["revision"] == before["revision"] + 1
    assert str(message.token) in row["words"]
    assert not {"attention", "advice", "code"} & row.keys()
    assert (row["history"][-1]["event"], row["history"][-1]["time"]) == ("ACCEPTED", beijing.iso(world.now))
    assert heal(world) == Healed()


def test_nothing_is_sent_for_it(world: World, lost: Lost) -> None:
    message = lost.send("s", A)
    lost.give_up()
    world.push(message)
    settle(world)
    requests = len(world.line.requests)
    heal(world)
    assert world.deliver(lost.bodies["s"], receive_count=3).repeats == 1
    assert len(world.line.requests) == requests


def test_a_quarter_of_an_hour_has_to_pass_after_the_last_report(world: World, lost: Lost) -> None:
    message = lost.send("s", A, B)
    lost.give_up()
    world.push(message, mobiles=[A])
    world.pass_time(minutes=14)
    world.push(message, mobiles=[B])
    world.pass_time(minutes=14)
    assert heal(world) == Healed(looked_at=1)
    world.pass_time(minutes=1)
    assert heal(world).inferred == [("s", "1")]


def test_of_two_parts_that_could_have_a_token_neither_gets_it(world: World, lost: Lost) -> None:
    lost.send("one", A)
    message = lost.send("other", A)
    lost.give_up()
    world.push(message)
    settle(world)
    assert heal(world) == Healed(looked_at=2)


def test_a_part_that_is_settled_leaves_the_other_to_be_inferred(world: World, lost: Lost) -> None:
    first, second = lost.send("one", A), lost.send("other", A, B)
    lost.give_up()
    world.push(first, second)
    settle(world)
    heal(world)  # The first fits both; the second names B, and is the other's alone.
    heal(world)  # That one stands in doubt no longer.
    assert tokens(world) == {"one": str(first.token), "other": str(second.token)}


def test_a_second_send_under_way_keeps_the_first_in_doubt(world: World, lost: Lost) -> None:
    message = lost.send("first", A)
    lost.give_up()
    world.line.fates.append("held")
    world.deliver(BODY | {"id": "second", "mobiles": [A]})
    assert world.row("second")["state"] == "SUBMITTING"
    world.pass_time(seconds=1)
    world.push(message)
    settle(world)
    assert heal(world).inferred == []
    world.deliver(BODY | {"id": "second", "mobiles": [A]}, receive_count=2)
    assert world.row("second")["state"] == "ACCEPTED"
    assert heal(world).inferred == [("first", "1")]
    assert world.row("first")["token"] == str(message.token)


def test_a_token_that_turns_up_by_itself_is_not_given_to_another(world: World, lost: Lost) -> None:
    message = lost.send("s", A)
    lost.give_up()
    world.deliver(BODY | {"id": "late", "mobiles": [A]})
    noted = world.row("late")["token"]
    world.report(noted, A)
    settle(world)
    assert heal(world) == Healed(looked_at=1)
    world.push(message)
    settle(world)
    assert heal(world).inferred == [("s", "1")]


def test_an_old_orphan_that_is_pushed_again_stays_one(world: World, lost: Lost) -> None:
    orphan = lost.send("old", A)
    lost.give_up()
    lost.bodies.clear()
    world.pass_time(days=20)
    message = lost.send("new", A)
    lost.give_up()
    world.push(orphan)
    settle(world)
    assert heal(world) == Healed(looked_at=1)
    world.push(message)
    settle(world)
    assert heal(world).inferred == [], "two tokens, and two parts that could have either"


def test_a_large_part_is_found_by_a_few_reports(world: World, lost: Lost) -> None:
    mobiles = [f"137{number:08}" for number in range(2_000)]
    message = lost.send("large", *mobiles)
    lost.give_up()
    world.push(message, mobiles=mobiles[1_990:1_993])
    settle(world)
    runs = [heal(world, reads=300).inferred for _ in range(7)]
    assert runs == [*[[]] * 6, [("large", "1")]], "a run's reads are bounded, and the next goes on from there"
    assert tokens(world) == {"large": str(message.token)}


def test_many_parts_are_looked_at_in_turns(world: World, lost: Lost) -> None:
    messages = {f"s-{n}": lost.send(f"s-{n}", f"137{n:08}") for n in range(1, 31)}
    lost.give_up()
    world.push(*messages.values())
    settle(world)
    healed = [heal(world, reads=20).inferred for _ in range(8)]
    assert max(map(len, healed)) < 10
    assert tokens(world) == {send_id: str(message.token) for send_id, message in messages.items()}


def test_what_cannot_be_inferred_does_not_keep_the_others_from_their_turn(world: World, lost: Lost) -> None:
    for n in range(1, 11):
        lost.send(f"silent-{n}", f"138{n:08}")
    message = lost.send("s", A)
    lost.give_up()
    world.push(message)
    settle(world)
    for _ in range(4):
        heal(world, reads=10)
    assert tokens(world) == {"s": str(message.token)}
    settle(world)
    assert sum(heal(world, reads=10).looked_at for _ in range(3)) >= 10, "and it begins again"


def test_a_part_that_is_settled_where_a_run_stopped_costs_the_next_no_mobile(world: World, lost: Lost) -> None:
    lost.send("one", *(f"138{n:08}" for n in range(100)))
    message = lost.send("two", *(f"137{n:08}" for n in range(100)))
    world.pass_time(minutes=6)
    for send_id in ("one", "two"):
        world.deliver(lost.bodies[send_id], receive_count=2)
        world.pass_time(seconds=1)
    world.push(message, mobiles=["13700000000"])
    settle(world)
    heal(world, reads=50)
    assert world.account(f"{CID}:inference")["send_id"] == "one"
    del world.memory["SendsTable"].rows["one", "1"]["attention"]
    assert heal(world).inferred == [("two", "1")]


def test_a_part_of_more_than_a_week_ago_is_left_alone(world: World, lost: Lost) -> None:
    message = lost.send("s", A)
    lost.give_up()
    world.now += YOUNG
    world.push(message)
    settle(world)
    assert heal(world) == Healed()


def test_the_halves_of_a_divided_part_heal_each_by_its_own_mobiles(world: World, lost: Lost) -> None:
    world.platform.change({"refused_mobiles": [C]})
    body = BODY | {"id": "s", "mobiles": [A, B, C, SOMEBODYS]}
    world.line.fates.extend(["well", "lost"])
    world.deliver(body)
    message = world.platform.messages[-1]
    assert message.mobiles == (A, B)
    world.pass_time(hours=2)
    world.deliver(body, receive_count=2)
    assert [(row["part"], row["state"]) for row in rows_of(world, "s")][1] == ("1.1", "UNCONFIRMED")
    world.push(message)
    settle(world)
    assert heal(world).inferred == [("s", "1.1")]
    assert tokens(world) == {"s": str(message.token)}


def test_a_mobile_that_was_left_out_was_not_in_the_request_and_is_no_strangers(world: World, lost: Lost) -> None:
    OptOutRows(world.table("MobilesTable")).change(B, out=True, at=beijing.iso(world.now), by="mo")
    message = lost.send("s", A, B, C, without=B, category="marketing")
    lost.give_up()
    world.report("777", A)
    world.report("777", B)
    settle(world)
    assert heal(world) == Healed(looked_at=1), "the part had both, and asked for one of them"
    world.push(message)
    settle(world)
    assert heal(world).inferred == [("s", "1")]
    assert world.row("s")["token"] == str(message.token)


# --- somebody else's ---------------------------------------------------------------------------------------------


def test_another_senders_token_lets_inference_rest_and_says_so(world: World, lost: Lost) -> None:
    message = lost.send("s", A)
    lost.give_up()
    world.push(message)
    world.report("777", A)
    world.report("777", "13655555555")
    settle(world)
    healed = heal(world)
    assert healed.inferred == []
    assert healed.rests_until == world.now + REST
    assert "777" in healed.why
    assert world.account()["inference_rests_until"] == beijing.iso(world.now + REST)
    assert world.account(f"{CID}:inference")["why"] == healed.why
    world.now += REST - timedelta(seconds=1)
    assert heal(world).rests_until
    assert tokens(world) == {}


def test_inference_goes_on_after_its_rest(world: World, lost: Lost) -> None:
    lost.send("s", A)
    lost.give_up()
    world.report("777", A)
    world.report("777", "13655555555")
    settle(world)
    assert heal(world).why
    world.now += REST
    lost.bodies.clear()
    message = lost.send("t", B)
    lost.give_up()
    world.push(message)
    settle(world)
    assert heal(world).inferred == [("t", "1")]


# --- what goes wrong ---------------------------------------------------------------------------------------------


def test_a_part_that_outbound_does_not_know_is_left_alone(world: World, lost: Lost) -> None:
    message = lost.send("s", A)
    lost.give_up()
    world.memory["OutboundTable"].rows.clear()
    world.push(message)
    settle(world)
    assert heal(world) == Healed(looked_at=1)


def test_more_sends_to_a_mobile_than_can_be_looked_at_leave_it_in_doubt(world: World, lost: Lost) -> None:
    message = lost.send("s", A)
    lost.give_up()
    for n in range(200):
        world.table("OutboundTable").put({"mobile": A, "send_id": f"other-{n:03}", "part": "1"})
    world.push(message)
    settle(world)
    assert heal(world) == Healed(looked_at=1)


def test_a_row_that_has_moved_meanwhile_is_left_as_it_is(world: World, lost: Lost) -> None:
    message = lost.send("s", A)
    lost.give_up()
    world.push(message)
    settle(world)

    def by_a_person(_: int) -> None:
        world.memory["SendsTable"].rows["s", "1"] |= {"state": "REJECTED"}

    world.happens("SendsTable.update", by_a_person)
    assert heal(world) == Healed(looked_at=1)
    assert world.row("s")["state"] == "REJECTED"


def test_a_write_whose_answer_is_lost_knows_itself(
    world: World, lost: Lost, monkeypatch: pytest.MonkeyPatch
) -> None:
    message = lost.send("s", A)
    lost.give_up()
    world.push(message)
    settle(world)
    conclude = Parts.conclude

    def twice(self: Parts, row: dict[str, Any], change: Change) -> None:
        """What AWS's client does when the answer to its first try is lost."""
        conclude(self, row, change)
        conclude(self, row, change)

    monkeypatch.setattr(Parts, "conclude", twice)
    assert heal(world).inferred == [("s", "1")]


def test_a_store_that_fails_leaves_the_place_and_what_was_written(world: World, lost: Lost) -> None:
    messages = [lost.send(f"s-{n}", f"137{n:08}") for n in range(1, 5)]
    lost.give_up()
    world.push(*messages)
    settle(world)

    def fails_at_the_third(call: int) -> None:
        if call == 2:
            raise StoreUnavailable("DynamoDB: Throttled")

    world.happens("SendsTable.update", fails_at_the_third)
    with pytest.raises(StoreUnavailable):
        heal(world)
    assert len(tokens(world)) == 2
    world.gates.up.clear()
    heal(world)
    assert len(tokens(world)) == 4


def test_a_run_out_of_time_ends_where_it_is(world: World, lost: Lost) -> None:
    messages = [lost.send(f"s-{n}", f"137{n:08}") for n in range(1, 5)]
    lost.give_up()
    world.push(*messages)
    settle(world)
    times = iter([1.0, 1.0, 0.0])
    assert len(world.new_healing().run(CID, lambda: next(times)).inferred) == 2
    assert len(heal(world).inferred) == 2


# --- 200 sends ---------------------------------------------------------------------------------------------------


def test_of_200_lost_answers_every_unambiguous_one_is_found_and_not_one_wrong_token(
    world: World, lost: Lost
) -> None:
    alone = {f"alone-{n}": lost.send(f"alone-{n}", f"137{n:08}") for n in range(160)}
    twins = {f"twin-{n}": lost.send(f"twin-{n}", f"138{n // 2:08}") for n in range(20)}
    several = {f"several-{n}": lost.send(f"several-{n}", f"136{n:08}", f"137{n:08}") for n in range(20)}
    given = alone | twins | several
    lost.give_up()
    silent = {f"alone-{n}" for n in range(100, 110)}
    world.push(*(message for send_id, message in given.items() if send_id not in silent))
    settle(world)
    for _ in range(6):
        heal(world)
    found = tokens(world)
    assert found == {send_id: str(given[send_id].token) for send_id in found}, "not one wrong token"
    assert found.keys() == given.keys() - twins.keys() - silent
    for send_id in twins.keys() | silent:
        assert world.row(send_id)["state"] == "UNCONFIRMED"
    assert len(world.platform.messages) == len({message.token for message in world.platform.messages})


# --- parts that are older than Outbound --------------------------------------------------------------------------


def forget_outbound(world: World, send_id: str) -> None:
    """Let a send be from before the table was there."""
    rows = world.memory["OutboundTable"].rows
    for key in [key for key, row in rows.items() if row["send_id"] == send_id]:
        del rows[key]


def test_a_part_from_before_the_table_is_a_rival_all_the_same(world: World, lost: Lost) -> None:
    old = lost.send("old", A)
    lost.give_up()
    lost.bodies.clear()
    forget_outbound(world, "old")
    heal(world)
    world.pass_time(days=1)
    message = lost.send("new", A)
    lost.give_up()
    world.push(old)
    settle(world)
    assert heal(world) == Healed(looked_at=2)
    del world.memory["SendsTable"].rows["old", "1"]
    world.push(message)
    settle(world)
    assert heal(world).why, "nobody had it, and one part could have either"


def test_more_old_parts_than_can_be_looked_at_leave_everything_in_doubt(
    world: World, lost: Lost, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(healing, "_OLDER", 3)
    for number in range(4):
        lost.send(f"old-{number}", f"138{number:08}")
    lost.give_up()
    heal(world)
    lost.bodies.clear()
    message = lost.send("new", A)
    lost.give_up()
    world.push(message)
    settle(world)
    assert heal(world).inferred == []
    monkeypatch.setattr(healing, "_OLDER", 4)
    assert heal(world).inferred == [("new", "1")]


def test_when_inference_began_is_kept(world: World) -> None:
    heal(world)
    since = world.account(f"{CID}:inference")["since"]
    assert since == beijing.iso(world.now)
    world.pass_time(hours=1)
    heal(world)
    assert world.account(f"{CID}:inference")["since"] == since
