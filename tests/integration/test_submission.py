"""Queue messages from first delivery to last result: what contract 2 promises, one promise a test.

The campaign in ``tests/chaos`` counts acceptances under every fault; here stands what each single case looks like.
"""

import heapq
import json
from collections import Counter, deque
from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import timedelta
from itertools import pairwise
from typing import Any

import pytest

from kuaixintong.core.codec import decode_answer, encode
from kuaixintong.core.codes import Trouble
from kuaixintong.core.credentials import PlatformCredentials
from kuaixintong.core.errors import NoAnswer, StoreUnavailable, Unanswered
from kuaixintong.core.ledger import ADVICE, Attention, State
from kuaixintong.core.messages import Answer, Login, SendSm
from kuaixintong.core.schedule import LONGEST_BACKOFF, backoff
from kuaixintong.submission import QueueMessage
from local.simulator.settings import Memory, Settings
from tests.aws_faults import Faults, refusal
from tests.world import CID, LEASE, PWD, START, UID, DirectLine, World

MOBILE = "13708600860"
BODY: dict[str, Any] = {"mobiles": [MOBILE], "content": "周末参加不了培训了"}
IN_AN_HOUR = "2026-11-23 13:00:00"

type Fate = str | int | Callable[[], None]


class Line(DirectLine):
    """The way to the platform, with a fate for each of the next requests; after those all goes well.

    A state code: the platform answers it and does nothing, but has seen the timestamp. ``lost``: it acts, the
    answer is lost. ``never``: the request is lost. ``held``: it is on its way still when its client has gone.
    A function: it is called, then all goes well.
    """

    def __init__(self, world: World) -> None:
        super().__init__(world.platform, lambda: world.now)
        self.fates: deque[Fate] = deque()
        self.held: list[dict[str, str]] = []

    def ask(self, request: Login | SendSm, credentials: PlatformCredentials, timestamp: str) -> Answer:
        fields = encode(request, credentials, timestamp)
        self.requests.append(json.loads(fields["message"]))
        match self.fates.popleft() if self.fates else "well":
            case int(code):
                outcome = self._platform.receive(fields, self._clock(), instead=code)
                return decode_answer(outcome.answer.body)
            case "lost":
                self.act(fields)
                raise NoAnswer("lost on the way back", Unanswered.RESET)
            case "never":
                raise NoAnswer("lost on the way", Unanswered.RESET)
            case "held":
                self.held.append(fields)
                raise NoAnswer("held up on the way", Unanswered.RESET)
            case fate if callable(fate):
                fate()
        return decode_answer(self.act(fields))

    def release(self) -> None:
        """Let the platform act on what was held up."""
        for fields in self.held:
            self.act(fields)
        self.held.clear()

    @property
    def timestamps(self) -> list[str]:
        """The timestamps of all requests, in order."""
        return [request["timestamp"] for request in self.requests]


@pytest.fixture
def line(world: World) -> Line:
    """A line to the platform of an account that is proven, so that no probe comes first."""
    return proven(world)


def proven(world: World) -> Line:
    line = Line(world)
    world.line = line
    world.sender = world.new_sender()
    world.deliver(BODY, message_id="warm-up")
    assert world.platform.messages
    world.platform.messages.clear()
    line.requests.clear()
    return line


def remember(world: World, memory: Memory) -> None:
    world.platform.change({"timestamps": memory})


def states(world: World, send_id: str = "m-1") -> dict[str, str]:
    return {row["part"]: row["state"] for row in world.all_rows() if row["send_id"] == send_id}


def bodies(count: int, **changes: Any) -> list[tuple[str, dict[str, Any]]]:
    return [(f"m-{n}", BODY | {"mobiles": [f"137{n:08}"]} | changes) for n in range(1, count + 1)]


memories = pytest.mark.parametrize("memory", list(Memory))


# --- one send, once ---------------------------------------------------------------------------------------------


def test_the_specs_own_send_goes_through_unchanged(world: World, line: Line) -> None:
    sample = {
        "mobiles": ["13708600860", "18930612517"],
        "content": "周末参加不了培训了",
        "atTime": "",
        "dailyBeginTime": "08:00:00",
        "dailyEndTime": "18:00:00",
    }
    delivery = world.deliver(sample)
    assert delivery.again is None
    assert delivery.states == {State.ACCEPTED: 1}
    (request,) = line.requests
    assert {name: request[name] for name in sample} == sample
    assert (request["cid"], request["uid"]) == (CID, UID)
    (message,) = world.platform.messages
    row = world.row()
    assert (row["state"], row["token"], row["fee"]) == ("ACCEPTED", str(message.token), 2)
    assert row["timestamp"] == message.timestamp


def test_the_same_message_delivered_three_times_is_one_acceptance(world: World, line: Line) -> None:
    deliveries = [world.deliver(BODY, receive_count=count) for count in (1, 2, 3)]
    assert all(delivery.again is None for delivery in deliveries)
    assert world.accepted() == [MOBILE]
    assert [delivery.repeats for delivery in deliveries] == [0, 1, 1]
    assert len(line.requests) == 1


def test_the_same_id_with_the_same_payload_is_one_send_whichever_message_brings_it(world: World) -> None:
    for number, body in enumerate((BODY, {"content": BODY["content"], "mobiles": [f"+86 {MOBILE}"]})):
        world.deliver(body | {"id": "order-1"}, message_id=f"m-{number}")
        world.pass_time(days=30)
    assert world.accepted() == [MOBILE]
    assert [row["send_id"] for row in world.all_rows()] == ["order-1"]


def test_the_same_id_with_another_payload_is_refused_and_the_first_stands(world: World) -> None:
    world.deliver(BODY | {"id": "order-1"}, message_id="m-1")
    other = BODY | {"id": "order-1", "content": "别的"}
    for count in (1, 2):
        delivery = world.deliver(other, message_id="m-2", receive_count=count)
        assert (delivery.again, delivery.send_id, delivery.states) == (None, "m-2", {State.REJECTED: 1})
    world.deliver(BODY | {"id": "order-1"}, message_id="m-3")
    assert [message.content for message in world.platform.messages] == ["周末参加不了培训了"]
    assert {row["send_id"]: row["state"] for row in world.all_rows()} == {
        "order-1": "ACCEPTED",
        "m-2": "REJECTED",
    }
    assert world.row("m-2")["words"].startswith("id is order-1, which ")


@pytest.mark.parametrize("count", [1, 10_001])
def test_a_conflict_is_found_before_anything_is_sent_or_noted(world: World, line: Line, count: int) -> None:
    world.deliver(BODY | {"id": "order-1", "validUntil": "2026-11-22 00:00:00"}, message_id="m-1")
    mobiles = [f"137{number:08}" for number in range(count)]
    world.deliver({"id": "order-1", "mobiles": mobiles, "content": "x"}, message_id="m-2")
    assert line.requests == []
    assert states(world, "order-1") == {"1": "EXPIRED"}
    assert states(world, "m-2") == {"1": "REJECTED"}


def test_a_conflict_under_a_pause_is_found_too(world: World, line: Line) -> None:
    line.fates += [400]
    world.deliver(BODY | {"id": "order-1"}, message_id="m-1")
    delivery = world.deliver(BODY | {"id": "order-1", "content": "x"}, message_id="m-2")
    assert delivery.again is None
    assert states(world, "m-2") == {"1": "REJECTED"}


def test_without_an_id_every_message_is_a_send_of_its_own(world: World) -> None:
    for message_id in ("m-1", "m-2"):
        world.deliver(BODY, message_id=message_id)
    assert world.accepted() == [MOBILE, MOBILE]
    assert [row["send_id"] for row in world.all_rows()] == ["m-1", "m-2"]


def test_25_000_mobiles_are_three_parts_three_tokens_and_no_number_twice(world: World) -> None:
    mobiles = [f"137{number:08}" for number in range(25_000)]
    delivery = world.deliver({"mobiles": mobiles, "content": "x"})
    assert delivery.states == {State.ACCEPTED: 3}
    assert world.accepted() == mobiles
    rows = world.all_rows()
    assert [(row["part"], row["parts"], len(row["mobiles"])) for row in rows] == [
        ("1", 3, 10_000),
        ("2", 3, 10_000),
        ("3", 3, 5_000),
    ]
    assert len({row["token"] for row in rows}) == 3


def test_unusable_mobiles_are_listed_and_the_good_ones_sent(world: World) -> None:
    world.deliver(BODY | {"mobiles": ["12345", MOBILE, "\ud83d"]})
    assert world.accepted() == [MOBILE]
    assert [each["mobile"] for each in world.row()["invalid_mobiles"]] == ["12345", "?"]


def test_a_send_of_nothing_but_unusable_mobiles_is_rejected_without_a_call(world: World, line: Line) -> None:
    for count in (1, 2):
        assert world.deliver(BODY | {"mobiles": ["12345"]}, receive_count=count).again is None
    assert line.requests == []
    row = world.row()
    assert (row["state"], row["words"]) == (
        "REJECTED",
        "No mobile of this part is usable; invalid_mobiles says why.",
    )


# --- bodies that are no sends -----------------------------------------------------------------------------------

TEN_WRONG_BODIES = [
    '{"content": "x"}',
    '{"mobiles": ["13708600860"], "content": ""}',
    json.dumps(BODY | {"content": "长" * 1_001}),
    json.dumps(BODY | {"atTime": "tomorrow"}),
    json.dumps(BODY | {"dailyBeginTime": "18:00:00", "dailyEndTime": "08:00:00"}),
    json.dumps(BODY | {"colour": "red"}),
    "not JSON",
    json.dumps([BODY]),
    json.dumps(BODY | {"mobiles": 13708600860}),
    json.dumps(BODY | {"id": "order 1"}),
]


def test_ten_wrong_bodies_are_ten_rejected_rows_and_nothing_else(world: World, line: Line) -> None:
    for number, body in enumerate(TEN_WRONG_BODIES):
        for count in (1, 2):
            assert world.deliver(body, message_id=f"wrong-{number}", receive_count=count).again is None
    rows = [row for row in world.all_rows() if row["send_id"] != "warm-up"]
    assert [row["send_id"] for row in rows] == [f"wrong-{number}" for number in range(10)]
    assert {row["state"] for row in rows} == {"REJECTED"}
    assert [row["body"] for row in rows] == TEN_WRONG_BODIES
    assert all(row["words"].endswith(".") for row in rows)
    assert (line.requests, world.queue.buried, world.queue.postponed) == ([], [], [])


def test_a_wrong_body_under_the_id_of_a_send_leaves_the_send_alone(world: World) -> None:
    world.deliver(BODY | {"id": "order-1"}, message_id="m-1")
    world.deliver({"id": "order-1", "mobiles": []}, message_id="m-2")
    assert states(world, "order-1") == {"1": "ACCEPTED"}
    assert states(world, "m-2") == {"1": "REJECTED"}


# --- definite answers -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("code", [1, 210])
def test_a_busy_platform_is_asked_again_later_with_a_new_timestamp(world: World, line: Line, code: int) -> None:
    line.fates += [code, code]
    first = world.deliver(BODY)
    assert first.again
    assert first.again.delay == pytest.approx(1.5)
    assert states(world) == {"1": "WAITING"}
    second = world.deliver(BODY, receive_count=2)
    assert second.again
    assert second.again.delay == pytest.approx(3)
    world.deliver(BODY, receive_count=3)
    assert world.accepted() == [MOBILE]
    assert len({*line.timestamps}) == 3
    assert [delay for _, delay in world.queue.postponed] == [first.again.delay, second.again.delay]


@pytest.mark.parametrize("code", [300, 320, 330, 340])
def test_what_the_platform_refuses_about_a_request_ends_it(world: World, line: Line, code: int) -> None:
    line.fates += [code]
    assert world.deliver(BODY).again is None
    row = world.row()
    assert (row["state"], row["code"], row.get("attention")) == ("REJECTED", code, None)
    world.deliver(BODY, receive_count=2)
    assert len(line.requests) == 1


@pytest.mark.parametrize("code", [100, 110, 120, 130, 350, 360, 999])
def test_a_disagreement_on_the_protocol_ends_it_and_asks_for_attention(
    world: World, line: Line, code: int
) -> None:
    line.fates += [code]
    delivery = world.deliver(BODY)
    assert delivery.again is None
    assert delivery.attention == {Attention.PROTOCOL: 1}
    row = world.row()
    assert (row["state"], row["code"], row["attention"]) == ("REJECTED", code, "PROTOCOL")
    assert dict(delivery.counts())["AttentionProtocol"] == 1


# --- the lost answer --------------------------------------------------------------------------------------------


@memories
def test_an_acceptance_whose_answer_was_lost_is_unconfirmed_and_never_sent_again(
    world: World, line: Line, memory: Memory
) -> None:
    remember(world, memory)
    line.fates += ["lost"]
    assert world.deliver_until_done(BODY) == 2
    world.deliver(BODY, receive_count=3)
    assert line.timestamps == [line.timestamps[0]] * 2
    assert world.accepted() == [MOBILE]
    row = world.row()
    assert (row["state"], row["attention"], row["code"]) == ("UNCONFIRMED", "UNCONFIRMED", 230)
    assert row["advice"] == ADVICE[Attention.UNCONFIRMED]
    assert row["timestamp"] == line.timestamps[0]


@memories
def test_a_request_that_never_arrived_is_accepted_at_the_next_try(
    world: World, line: Line, memory: Memory
) -> None:
    remember(world, memory)
    line.fates += ["never", "never"]
    assert world.deliver_until_done(BODY) == 3
    assert line.timestamps == [line.timestamps[0]] * 3
    assert (world.accepted(), states(world)) == ([MOBILE], {"1": "ACCEPTED"})


@memories
def test_a_refusal_whose_answer_was_lost(world: World, line: Line, memory: Memory) -> None:
    remember(world, memory)
    world.platform.change({"balance": 0})
    line.fates += ["lost"]  # the platform says 400, and nobody hears it
    world.deliver(BODY)
    world.platform.change({"balance": 10})
    world.pass_time(minutes=1)
    assert world.deliver(BODY, receive_count=2).again is None
    # A platform that remembers every timestamp refuses it now; one that remembers the accepted ones takes it.
    ends = {Memory.EVERY: ([], "UNCONFIRMED"), Memory.ACCEPTED: ([MOBILE], "ACCEPTED")}
    assert (world.accepted(), world.row()["state"]) == ends[memory]


@memories
def test_a_request_held_up_past_a_later_answer_is_accepted_once_at_most(
    world: World, line: Line, memory: Memory
) -> None:
    remember(world, memory)
    line.fates += ["held", 210]
    for count in (1, 2, 3):
        world.deliver(BODY, receive_count=count)
        world.pass_time(seconds=30)
    line.release()
    assert line.timestamps == [line.timestamps[0]] * 3
    assert len(world.accepted()) <= 1
    assert world.row()["state"] == ("ACCEPTED" if memory is Memory.ACCEPTED else "UNCONFIRMED")


def test_a_lost_answer_keeps_the_row_submitting_and_comes_back_with_backoff(world: World, line: Line) -> None:
    line.fates += ["never"]
    delivery = world.deliver(BODY)
    assert delivery.again
    assert delivery.again.delay == pytest.approx(1.5)
    row = world.row()
    assert (row["state"], row["unanswered"]) == ("SUBMITTING", 1)
    assert "lease_until" not in row


# --- refused timestamps -----------------------------------------------------------------------------------------


def test_three_fresh_timestamps_refused_in_a_row_pause_the_account_as_a_clock_fault(
    world: World, line: Line
) -> None:
    line.fates += [230, 230, 230]
    for count in (1, 2):
        delivery = world.deliver(BODY, receive_count=count)
        assert delivery.again
        assert delivery.again.delay == 1
        assert not delivery.pauses
    third = world.deliver(BODY, receive_count=3)
    assert third.pauses == {Trouble.TIMESTAMP: 1}
    assert len({*line.timestamps}) == 3
    assert world.account()["pause_reason"] == "timestamp"
    assert states(world) == {"1": "WAITING"}
    world.deliver(BODY, receive_count=4)
    assert len(line.requests) == 3
    world.pass_time(minutes=2)
    world.deliver(BODY, receive_count=5)
    assert world.accepted() == [MOBILE]
    assert "pause_reason" not in world.account()


def test_a_good_answer_between_refused_timestamps_begins_the_count_anew(world: World, line: Line) -> None:
    line.fates += [230, 230, "well", 230, 230]
    for message_id, body in bodies(5):
        world.deliver(body, message_id=message_id)
    assert "pause_reason" not in world.account()


# --- the secret -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("code", [200, 240])
def test_a_changed_secret_is_taken_up_at_once_and_without_a_pause(world: World, line: Line, code: int) -> None:
    world.platform.change({"pwd": "new", "timestamps": Memory.EVERY})
    world.change_secret("new")
    if code == 200:
        line.fates += [200]
    delivery = world.deliver(BODY)
    assert delivery.again is None
    assert not delivery.pauses
    assert world.accepted() == [MOBILE]
    assert len({*line.timestamps}) == 2
    assert "pause_reason" not in world.account()
    assert world.row()["attempts"] == 2


def test_a_wrong_password_pauses_the_account_until_the_secret_is_put_right(world: World, line: Line) -> None:
    world.platform.change({"pwd": "new"})
    first = world.deliver(BODY)
    assert first.pauses == {Trouble.AUTHENTICATION: 1}
    assert states(world) == {"1": "WAITING"}
    world.change_secret("new")
    assert world.deliver(BODY, receive_count=2).again  # the pause holds until its time
    assert len(line.requests) == 1
    world.pass_time(seconds=61)  # less than the five minutes for which a secret is cached
    assert world.deliver(BODY, receive_count=3).again is None
    assert (world.accepted(), len(line.requests)) == ([MOBILE], 2)


def test_a_secret_that_keeps_changing_is_not_followed_for_ever(world: World, line: Line) -> None:
    world.platform.change({"pwd": "yet another"})
    line.fates += [lambda: world.change_secret(f"wrong {len(line.requests)}")] * 10
    delivery = world.deliver(BODY)
    assert delivery.again
    assert len(line.requests) == 3
    assert states(world) == {"1": "WAITING"}


@pytest.mark.parametrize("secret", ["no JSON", "{}"])
def test_an_unusable_secret_keeps_messages_in_the_queue_without_a_call(world: World, secret: str) -> None:
    world.secrets.put_secret_value(SecretId=world.secret_arn, SecretString=secret)
    delivery = world.deliver(BODY)
    assert delivery.again
    assert delivery.again.why.startswith("CredentialsUnusable: ")
    assert world.line.requests == []
    world.change_secret(PWD)
    assert world.deliver_until_done(BODY) == 1


def change_account(world: World) -> None:
    world.platform.change({"cid": "87654321"})
    values = {"cid": "87654321", "uid": UID, "pwd": PWD}
    world.secrets.put_secret_value(SecretId=world.secret_arn, SecretString=json.dumps(values))
    world.sender = world.new_sender()


def test_another_account_is_not_asked_with_a_timestamp_that_it_cannot_know(world: World, line: Line) -> None:
    line.fates += ["lost"]
    world.deliver(BODY)
    change_account(world)
    assert world.deliver(BODY, receive_count=2).again is None
    assert (len(line.requests), world.accepted()) == (1, [MOBILE])
    row = world.row()
    assert (row["state"], row["attention"]) == ("UNCONFIRMED", "UNCONFIRMED")
    assert "87654321" in row["words"]


def test_another_account_takes_over_what_the_first_has_answered(world: World, line: Line) -> None:
    line.fates += [210]
    world.deliver(BODY)
    change_account(world)
    world.pass_time(seconds=1)  # the platform of these tests remembers timestamps whoever's they are
    assert world.deliver(BODY, receive_count=2).again is None
    assert (states(world), line.requests[-1]["cid"]) == ({"1": "ACCEPTED"}, "87654321")


# --- pauses -----------------------------------------------------------------------------------------------------

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
            others.append(other.take(message, lambda: 60.0))

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
    assert die_before(world, 4, BODY)  # the secret, the sequence, the probe, and no more
    world.sender = world.new_sender()
    delivery = world.deliver(BODY, message_id="m-1")
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


@pytest.mark.parametrize("between", ["well", 210, 320])
def test_any_answer_between_lost_ones_begins_the_count_anew(world: World, line: Line, between: Fate) -> None:
    line.fates += ["never"] * 4 + [between] + ["never"] * 4
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


# --- validity ---------------------------------------------------------------------------------------------------


def with_validity(**changes: Any) -> dict[str, Any]:
    return BODY | {"validUntil": IN_AN_HOUR} | changes


def test_a_send_past_its_validity_is_never_sent(world: World, line: Line) -> None:
    world.pass_time(hours=1)
    assert world.deliver(with_validity()).states == {State.EXPIRED: 1}
    assert line.requests == []
    assert (states(world), "attention" in world.row()) == ({"1": "EXPIRED"}, False)


def test_a_send_is_sent_until_its_validity_ends(world: World) -> None:
    world.pass_time(seconds=3_599.999)
    world.deliver(with_validity())
    assert world.accepted() == [MOBILE]


@pytest.mark.parametrize(
    ("fates", "state", "attention"),
    [
        ([210], "EXPIRED", None),
        ([230], "EXPIRED", None),
        ([400], "EXPIRED", None),
        (["never"], "UNCONFIRMED", "UNCONFIRMED"),
        (["lost"], "UNCONFIRMED", "UNCONFIRMED"),
        (["held", 210], "UNCONFIRMED", "UNCONFIRMED"),
        (["never", 400], "UNCONFIRMED", "UNCONFIRMED"),
    ],
)
def test_validity_that_ends_while_a_part_waits_ends_it_without_a_call(
    world: World, line: Line, fates: list[Fate], state: str, attention: str | None
) -> None:
    line.fates += fates
    for count in range(len(fates)):
        world.deliver(with_validity(), receive_count=count + 1)
    world.pass_time(hours=1)
    delivery = world.deliver(with_validity(), receive_count=9)
    assert delivery.again is None
    assert len(line.requests) == len(fates)
    row = world.row()
    assert (row["state"], row.get("attention")) == (state, attention)
    assert delivery.attention == ({Attention(attention): 1} if attention else {})


def test_what_was_accepted_in_time_stays_accepted(world: World) -> None:
    world.deliver(with_validity())
    world.pass_time(hours=2)
    world.deliver(with_validity(), receive_count=2)
    assert states(world) == {"1": "ACCEPTED"}


def test_a_message_comes_back_from_a_pause_when_its_validity_ends(world: World, line: Line) -> None:
    line.fates += [250]
    world.deliver(BODY, message_id="m-0")
    delivery = world.deliver(with_validity(validUntil="2026-11-23 12:00:10"))
    assert delivery.again
    assert delivery.again.delay == pytest.approx(11)
    world.pass_time(seconds=11)
    assert world.deliver(with_validity(validUntil="2026-11-23 12:00:10"), receive_count=2).again is None
    assert states(world) == {"1": "EXPIRED"}


def test_validity_that_ends_while_a_request_waits_its_turn_ends_it(world: World, line: Line) -> None:
    world.pass_time(minutes=59)
    # The answer of the account's row takes two minutes; by then it is too late to ask the platform.
    Faults(world.dynamodb, "UpdateItem", lambda n: world.pass_time(minutes=2) if n == 0 else None)
    assert world.deliver(with_validity()).states == {State.EXPIRED: 1}
    assert line.requests == []
    assert states(world) == {"1": "EXPIRED"}


def test_a_clock_that_steps_back_at_the_moment_of_expiry_does_no_harm(world: World, line: Line) -> None:
    ticking = iter([timedelta(hours=1)])
    world.sender = replace(world.sender, clock=lambda: START + next(ticking, timedelta()))
    assert world.deliver(with_validity()).states == {State.EXPIRED: 1}
    assert line.requests == []


# --- atTime -----------------------------------------------------------------------------------------------------


def test_a_time_to_come_is_handed_on_and_one_gone_by_means_at_once(world: World, line: Line) -> None:
    body = BODY | {"atTime": IN_AN_HOUR}
    line.fates += [210]
    world.deliver(body)
    world.pass_time(hours=1)
    world.deliver(body, receive_count=2)
    assert [request["atTime"] for request in line.requests] == [IN_AN_HOUR, ""]
    assert world.accepted() == [MOBILE]
    assert world.row()["at_time"] == IN_AN_HOUR


def test_a_time_gone_by_is_sent_at_once_unless_validity_has_passed_too(world: World) -> None:
    world.deliver(BODY | {"atTime": "2026-11-22 12:00:00"}, message_id="m-1")
    gone = {"atTime": "2026-11-22 12:00:00", "validUntil": "2026-11-22 13:00:00"}
    world.deliver(BODY | gone, message_id="m-2")
    assert (states(world, "m-1"), states(world, "m-2")) == ({"1": "ACCEPTED"}, {"1": "EXPIRED"})


# --- giving up, and the redrive ---------------------------------------------------------------------------------


@pytest.fixture
def limited(world: World) -> World:
    """A world whose queue gives up at the third receive."""
    world.receive_limit = 3
    world.sender = world.new_sender()
    return world


def test_a_message_given_up_lies_in_the_dead_letter_queue_with_its_id(limited: World) -> None:
    line = proven(limited)
    line.fates += [210] * 3
    deliveries = [limited.deliver(BODY, receive_count=count) for count in (1, 2, 3)]
    assert [delivery.again is None for delivery in deliveries] == [False, False, True]
    assert limited.queue.buried == [BODY | {"id": "m-1"}]
    assert deliveries[2].attention == {Attention.GAVE_UP: 1}
    row = limited.row()
    assert (row["state"], row["attention"], row["advice"]) == (
        "WAITING",
        "GAVE_UP",
        ADVICE[Attention.GAVE_UP],
    )
    assert len(limited.queue.postponed) == 2


@memories
def test_a_redrive_goes_on_where_the_part_stood_under_another_message_id(limited: World, memory: Memory) -> None:
    line = proven(limited)
    remember(limited, memory)
    line.fates += ["held", "never", "never"]
    for count in (1, 2, 3):
        limited.deliver(BODY, receive_count=count)
        limited.pass_time(seconds=10)
    (body,) = limited.queue.buried
    limited.pass_time(minutes=50)
    limited.deliver(body, message_id="redriven")
    line.release()
    assert line.timestamps == [line.timestamps[0]] * 4
    assert limited.accepted() == [MOBILE]
    assert [row["send_id"] for row in limited.all_rows()] == ["m-1", "warm-up"]
    assert (limited.row()["state"], limited.row().get("attention")) == ("ACCEPTED", None)


def test_a_message_that_finishes_at_its_last_receive_is_not_given_up(limited: World) -> None:
    assert limited.deliver(BODY, receive_count=3).again is None
    assert limited.queue.buried == []


def test_a_wrong_body_at_its_last_receive_is_not_given_up(limited: World) -> None:
    assert limited.deliver("[]", receive_count=3).again is None
    assert limited.queue.buried == []


def test_every_unfinished_part_of_a_send_is_marked_when_it_is_given_up(limited: World) -> None:
    line = proven(limited)
    line.fates += [210]
    mobiles = [f"137{number:08}" for number in range(10_001)]
    limited.deliver({"mobiles": mobiles, "content": "x"}, receive_count=3)
    rows = [row for row in limited.all_rows() if row["send_id"] == "m-1"]
    assert [(row["state"], row["attention"]) for row in rows] == [("WAITING", "GAVE_UP")] * 2


def test_halves_that_are_not_finished_are_marked_too(limited: World) -> None:
    line = proven(limited)
    line.fates += [310, "well", 310, 210]
    limited.deliver(BODY | {"mobiles": EIGHT[:4]}, receive_count=3)
    rows = [row for row in limited.all_rows() if row["send_id"] == "m-1"]
    assert [(row["part"], row["state"], row.get("attention")) for row in rows] == [
        ("1", "SPLIT", None),
        ("1.1", "ACCEPTED", None),
        ("1.2", "SPLIT", None),
        ("1.2.1", "WAITING", "GAVE_UP"),
        ("1.2.2", "WAITING", "GAVE_UP"),
    ]


def test_a_send_that_never_got_as_far_as_a_row_has_one_when_it_is_given_up(limited: World) -> None:
    limited.secrets.put_secret_value(SecretId=limited.secret_arn, SecretString="{}")
    delivery = limited.deliver(BODY, receive_count=3)
    assert delivery.again is None
    assert limited.queue.buried == [BODY | {"id": "m-1"}]
    row = limited.row()
    assert (row["state"], row["attention"]) == ("WAITING", "GAVE_UP")


def test_a_send_whose_result_cannot_be_written_is_marked_when_it_is_given_up(limited: World) -> None:
    proven(limited)
    Faults(limited.dynamodb, "UpdateItem", lambda n: refusal("ThrottlingException") if n == 0 else None)
    limited.deliver(BODY, receive_count=3)
    assert limited.queue.buried == [BODY | {"id": "m-1"}]
    row = limited.row()
    assert (row["state"], row["unanswered"], row["attention"]) == ("SUBMITTING", 1, "GAVE_UP")


def test_a_send_is_given_up_also_when_its_mark_cannot_be_written(limited: World) -> None:
    Faults(limited.dynamodb, "PutItem", lambda _: refusal("ThrottlingException"))
    assert limited.deliver(BODY, receive_count=3).again is None
    assert limited.queue.buried == [BODY | {"id": "m-1"}]


def test_a_body_of_any_size_or_text_is_taken_by_the_dead_letter_queue(
    limited: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    buried: list[str] = []
    monkeypatch.setattr(limited.queue, "bury", buried.append)
    line = proven(limited)
    line.fates += [210] * 2
    compact = json.dumps(BODY | {"mobiles": ["bad"] * 9 + [MOBILE]}, separators=(",", ":"), ensure_ascii=False)
    limited.deliver(compact, message_id="m-1", receive_count=3)
    odd = '{"mobiles":["\\ud83d","13708600860"],"content":"\\uffff\\u0001"}'
    limited.deliver(odd, message_id="m-2", receive_count=3)
    own = '{ "id" : "order-1", "mobiles": ["13708600860"], "content": "x" }'
    line.fates += [210]
    limited.deliver(own, message_id="m-3", receive_count=3)
    assert len(buried[0]) < len(compact) + 100
    # As ASCII, since neither UTF-8 nor SQS can carry what a defect might leave in it.
    expected = '{"mobiles":["\\ud83d","13708600860"],"content":"\\uffff\\u0001","id":"m-2"}'
    assert ascii(buried[1]) == ascii(expected)
    assert buried[2] == own


# --- the 310 split ----------------------------------------------------------------------------------------------

EIGHT = [f"1370000000{number}" for number in range(8)]


def refuse(world: World, *mobiles: str) -> None:
    world.platform.change({"refused_mobiles": [*mobiles]})


def numbers_by_end(world: World) -> dict[str, list[str]]:
    """Every number of the send by the state of the one row that still holds it."""
    ends: dict[str, list[str]] = {}
    for row in world.all_rows():
        if row["send_id"] == "m-1":
            held = row.get("mobiles", []) + [each["mobile"] for each in row.get("invalid_mobiles", ())]
            ends.setdefault(row["state"], []).extend(held)
    return {state: sorted(held) for state, held in ends.items() if held}


def test_bad_numbers_end_alone_and_every_good_one_is_accepted_once(world: World, line: Line) -> None:
    refuse(world, EIGHT[1], EIGHT[2], EIGHT[7])
    assert world.deliver(BODY | {"mobiles": EIGHT}).again is None
    good = [mobile for mobile in EIGHT if mobile not in (EIGHT[1], EIGHT[2], EIGHT[7])]
    assert sorted(world.accepted()) == good
    assert numbers_by_end(world) == {"ACCEPTED": good, "REJECTED": [EIGHT[1], EIGHT[2], EIGHT[7]]}
    lone = world.row(part="1.2.2.2")
    assert lone["invalid_mobiles"] == [{"mobile": EIGHT[7], "reason": "310 包含无效号码"}]
    assert len({*line.timestamps}) == len(line.timestamps)
    assert not any("attention" in row for row in world.all_rows())


def test_a_single_number_that_is_refused_is_named_and_not_split(world: World, line: Line) -> None:
    refuse(world, MOBILE)
    world.deliver(BODY)
    row = world.row()
    assert (row["state"], row["mobiles"], len(line.requests)) == ("REJECTED", [], 1)
    assert row["invalid_mobiles"][0]["mobile"] == MOBILE


def test_a_310_to_a_repeated_timestamp_splits_as_well(world: World, line: Line) -> None:
    remember(world, Memory.ACCEPTED)
    refuse(world, EIGHT[0])
    line.fates += ["held"]
    body = BODY | {"mobiles": EIGHT[:2]}
    assert world.deliver_until_done(body) == 2
    line.release()  # the first copy of the request: refused for its content too, whenever it comes
    assert world.accepted() == [EIGHT[1]]
    assert numbers_by_end(world) == {"ACCEPTED": [EIGHT[1]], "REJECTED": [EIGHT[0]]}


def test_only_the_numbers_of_a_divided_part_leave_its_row(world: World) -> None:
    refuse(world, EIGHT[0])
    world.deliver(BODY | {"mobiles": [*EIGHT[:2], "bad"]})
    whole = world.row(part="1")
    assert (whole["state"], whole["code"]) == ("SPLIT", 310)
    assert [each["mobile"] for each in whole["invalid_mobiles"]] == ["bad"]


class Killed(BaseException):
    """The end of a process: nothing catches it, and nothing is written afterwards."""


class Mortal:
    """A client whose process dies before its n-th call to anything outside, counted over all its clients."""

    address = "direct"

    def __init__(self, calls: list[int], client: Any) -> None:
        self._calls = calls
        self._client = client

    def __getattr__(self, name: str) -> Any:
        call = getattr(self._client, name)

        def cut(*args: Any, **kwargs: Any) -> Any:
            self._calls[0] -= 1
            if self._calls[0] <= 0:
                raise Killed
            return call(*args, **kwargs)

        return cut


def die_before(world: World, call: int, body: dict[str, Any]) -> bool:
    """Deliver to a process that dies before its n-th call; return whether it got to die."""
    calls = [call]
    world.sender = world.new_sender(
        dynamodb=Mortal(calls, world.dynamodb),
        secrets=Mortal(calls, world.secrets),
        platform=Mortal(calls, world.line),
    )
    try:
        world.deliver(body)
    except Killed:
        return True
    return False


def test_a_split_cut_off_anywhere_loses_nobody_and_sends_to_nobody_twice(world: World) -> None:
    refuse(world, EIGHT[0])
    proven(world)
    for call in range(1, 100):
        world.platform.messages.clear()
        body = BODY | {"id": f"send-{call}", "mobiles": EIGHT[:3]}
        died = die_before(world, call, body)
        world.pass_time(minutes=6)  # the queue's visibility timeout, longer than a lease
        world.sender = world.new_sender()
        world.deliver_until_done(body)
        accepted = Counter(world.accepted())
        rows = [row for row in world.all_rows() if row["send_id"] == body["id"]]
        assert {row["state"] for row in rows} <= {"SPLIT", "ACCEPTED", "REJECTED", "UNCONFIRMED"}
        held = Counter(
            mobile
            for row in rows
            for mobile in [*row.get("mobiles", ()), *(bad["mobile"] for bad in row.get("invalid_mobiles", ()))]
        )
        assert held == Counter(EIGHT[:3])
        assert set(accepted.values()) <= {1}
        for row in rows:
            if row["state"] == "ACCEPTED":
                assert all(accepted[mobile] for mobile in row["mobiles"])
        if not died:
            break
    assert call > 12, "a split takes more calls than that"
    assert accepted == {EIGHT[1]: 1, EIGHT[2]: 1}


# --- another worker ---------------------------------------------------------------------------------------------


def test_a_part_that_another_worker_holds_is_left_alone_until_its_lease_ends(world: World, line: Line) -> None:
    world.pass_time(seconds=1)  # the sequence is behind the clock again, so that it takes one call
    assert die_before(world, 4, BODY)  # the secret, the sequence, the claim, and no request
    world.sender = world.new_sender()
    delivery = world.deliver(BODY, receive_count=2)
    assert delivery.again
    assert delivery.again.why == "another worker has it"
    assert delivery.again.delay == pytest.approx(LEASE.total_seconds() + 1, abs=0.01)
    assert line.requests == []
    world.pass_time(seconds=91)
    world.deliver(BODY, receive_count=3)
    row = world.row()
    assert (row["state"], row["uses"], row["attempts"]) == ("ACCEPTED", 2, 2)


def test_other_parts_of_a_send_go_on_while_one_is_held(world: World, line: Line) -> None:
    mobiles = [f"137{number:08}" for number in range(10_001)]
    body = {"mobiles": mobiles, "content": "x"}
    line.fates += [lambda: (_ for _ in ()).throw(Killed)]
    with pytest.raises(Killed):
        world.deliver(body)
    world.sender = world.new_sender()
    delivery = world.deliver(body, receive_count=2)
    assert states(world) == {"1": "SUBMITTING", "2": "ACCEPTED"}
    assert delivery.again
    assert delivery.again.delay > 60
    world.pass_time(seconds=91)
    assert world.deliver(body, receive_count=3).again is None
    assert sorted(world.accepted()) == mobiles


def test_a_result_that_comes_after_the_lease_is_not_written_over_another_workers(world: World, line: Line) -> None:
    def overtaken() -> None:
        world.pass_time(seconds=91)
        other = world.new_sender()
        assert other.take(QueueMessage("m-1", "receipt", json.dumps(BODY), 2), lambda: 60.0).again is None

    line.fates += [overtaken]
    delivery = world.deliver(BODY)  # its request comes second, with the same timestamp: 230
    assert delivery.again
    assert delivery.again.why == "ClaimLost: The part has been taken over by another worker."
    assert (world.accepted(), states(world)) == ([MOBILE], {"1": "ACCEPTED"})


# --- time -------------------------------------------------------------------------------------------------------


def test_a_big_send_stops_in_time_and_goes_on_where_it_stood(world: World, line: Line) -> None:
    mobiles = [f"137{number:08}" for number in range(10_001)]
    message = QueueMessage("m-1", "receipt", json.dumps({"mobiles": mobiles, "content": "x"}), 1)
    left = iter([60.0, 60.0])  # looked at before and after a ticket is taken: one request fits
    delivery = world.sender.take(message, lambda: next(left, 0.5))
    assert delivery.again
    assert delivery.again.why == "out of time"
    assert delivery.again.delay <= 1
    assert states(world) == {"1": "ACCEPTED", "2": "WAITING"}
    assert world.deliver(message.body, receive_count=2).again is None
    assert world.accepted() == mobiles
    assert len(line.requests) == 2


def test_a_ticket_that_came_too_late_is_handed_back_unused(world: World, line: Line) -> None:
    left = iter([60.0])
    message = QueueMessage("m-1", "receipt", json.dumps(BODY), 1)
    delivery = world.sender.take(message, lambda: next(left, 0.5))
    assert delivery.again
    assert delivery.again.why == "out of time"
    assert line.requests == []
    assert world.deliver(BODY, receive_count=2).again is None


@pytest.mark.parametrize(
    ("tries", "longest"), [(1, 2), (2, 4), (3, 8), (9, 512), (10, 900), (11, 900), (500, 900), (10**6, 900)]
)
def test_backoff_doubles_to_a_quarter_of_an_hour_less_up_to_half(tries: int, longest: float) -> None:
    assert backoff(tries, 0.0) == longest
    assert backoff(tries, 1.0) == longest / 2
    assert backoff(tries, 0.5) <= LONGEST_BACKOFF


# --- what is kept and told --------------------------------------------------------------------------------------


def test_without_store_content_no_text_of_a_message_is_kept(world: World) -> None:
    world.store_content = False
    refuse(world, EIGHT[0])
    line = proven(world)
    line.fates += [210]
    body = BODY | {"content": "验证码 123456", "mobiles": EIGHT[:2]}
    world.deliver(body)
    world.deliver(body, receive_count=2)
    world.deliver(body | {"id": "m-1", "mobiles": [MOBILE]}, message_id="m-2")
    world.deliver(body | {"mobiles": []}, message_id="m-3")
    kept = [row for row in world.all_rows() if row["send_id"] != "warm-up"]
    assert len(kept) == 5
    assert "验证码" not in str(kept)
    assert "验证码" in world.platform.messages[0].content


def test_a_store_that_fails_leaves_the_message_in_the_queue(world: World, line: Line) -> None:
    faults = Faults(world.dynamodb, "PutItem", lambda n: refusal("ThrottlingException") if n == 0 else None)
    delivery = world.deliver(BODY)
    assert delivery.again
    assert delivery.again.why == "StoreUnavailable: DynamoDB PutItem: ThrottlingException"
    assert (line.requests, faults.failed) == ([], 1)
    assert world.deliver_until_done(BODY) == 1


def test_a_result_that_cannot_be_written_is_an_answer_lost(world: World, line: Line) -> None:
    Faults(world.dynamodb, "UpdateItem", lambda n: refusal("ThrottlingException") if n == 0 else None)
    delivery = world.deliver(BODY)
    assert delivery.again
    assert world.row()["unanswered"] == 1
    world.pass_time(seconds=91)
    world.deliver(BODY, receive_count=2)
    assert world.accepted() == [MOBILE]
    assert line.timestamps == [line.timestamps[0]] * 2
    assert states(world) == {"1": "UNCONFIRMED"}


def test_a_queue_that_fails_is_no_secret(world: World, line: Line, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise StoreUnavailable("SQS")

    monkeypatch.setattr(world.queue, "postpone", fail)
    line.fates += [210]
    with pytest.raises(StoreUnavailable):
        world.deliver(BODY)
    assert states(world) == {"1": "WAITING"}


def test_a_message_does_not_show_what_it_carries() -> None:
    assert "培训" not in repr(QueueMessage("m-1", "receipt", json.dumps(BODY, ensure_ascii=False), 1))


def test_the_simulators_account_is_the_worlds() -> None:
    assert Settings(cid=CID, uid=UID, pwd=PWD).cid == CID
