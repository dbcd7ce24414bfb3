"""Who is sent to is written down before the first request goes out: once, whatever is cut off, and nobody else."""

import json
import threading
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from fnmatch import fnmatchcase
from typing import Any

import pytest

from kuaixintong.core.beijing import iso
from kuaixintong.core.sends import NAMED_WITH_PART_ONE
from kuaixintong.errand import QueueMessage
from kuaixintong.stores.dynamo import Item
from kuaixintong.stores.optouts import OptOutRows
from kuaixintong.stores.outbound import Outbound
from tests.fake_platform import Line
from tests.gates import Life
from tests.memory_table import MemoryTable
from tests.sending import BODY, EIGHT, IN_AN_HOUR, MOBILE, MORE_THAN_ONE_PART, fails, proven, refuse, states
from tests.world import RETENTION, World

SMALL = BODY | {"id": "order-1", "mobiles": EIGHT}
LARGE = BODY | {"id": "order-1", "mobiles": [f"137{number:08}" for number in range(26)]}
OUTBOUND, REQUEST = "OutboundTable.put_some", "platform.ask"


def rows(body: dict[str, Any], part: str = "1") -> list[tuple[str, str, str]]:
    return [(mobile, body["id"], part) for mobile in sorted(body["mobiles"])]


def calls_of(world: World, body: dict[str, Any], *, message_id: str = "m-1", **more: Any) -> list[str]:
    """Deliver a message that comes alone to a process that knows its account; return what it called."""
    world.pass_time(seconds=2)
    life = Life()
    world.gates.up.append(life)
    world.deliver(body, message_id=message_id, **more)
    world.gates.up.remove(life)
    return life.calls


def writes(calls: list[str]) -> list[str]:
    return [call for call in calls if not call.startswith("Account")]


# --- before the request -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("mobiles", [[MOBILE], EIGHT, LARGE["mobiles"][:25]])
def test_up_to_25_rows_are_one_call_between_the_claim_and_the_request(world: World, mobiles: list[str]) -> None:
    proven(world)
    body = SMALL | {"mobiles": mobiles}
    assert writes(calls_of(world, body)) == ["SendsTable.put", OUTBOUND, REQUEST, "SendsTable.update"]
    assert [row for row in world.outbound() if row[1] == "order-1"] == rows(body)


def test_a_single_send_makes_no_other_call_than_before(world: World) -> None:
    proven(world)
    assert calls_of(world, SMALL) == [
        *("AccountTable.update", "SendsTable.put", OUTBOUND, REQUEST, "SendsTable.update"),
    ]


def test_a_large_parts_rows_come_after_it_is_noted_and_before_a_slot_is_asked_for(world: World) -> None:
    proven(world)
    assert calls_of(world, LARGE) == [
        *("SendsTable.put", OUTBOUND, OUTBOUND),
        *("AccountTable.update", "SendsTable.update", REQUEST, "SendsTable.update"),
    ]
    assert [row for row in world.outbound() if row[1] == "order-1"] == rows(LARGE)


def test_each_part_of_a_send_has_its_own_mobiles(world: World) -> None:
    body = BODY | {"id": "order-1", "mobiles": MORE_THAN_ONE_PART}
    world.deliver(body)
    found = world.outbound()
    assert found == sorted([(each, "order-1", "1") for each in MORE_THAN_ONE_PART[:10_000]] + [
        (MORE_THAN_ONE_PART[10_000], "order-1", "2")
    ])  # fmt: skip


def test_unusable_mobiles_are_sent_nothing(world: World) -> None:
    bad = [f"bad-{number}" for number in range(NAMED_WITH_PART_ONE + 1)]
    world.deliver(SMALL | {"mobiles": [*EIGHT, *bad]})
    assert world.outbound() == rows(SMALL)


@pytest.mark.parametrize("body", [SMALL, LARGE], ids=["small", "large"])
def test_a_body_in_conflict_writes_none(world: World, body: dict[str, Any]) -> None:
    world.deliver(SMALL | {"mobiles": [MOBILE]})
    before = world.outbound()
    assert world.deliver(body, message_id="m-2").send_id == "m-2"
    assert world.outbound() == before == [(MOBILE, "order-1", "1")]


def test_a_refused_body_writes_none(world: World) -> None:
    world.deliver(SMALL | {"contents": "x"})
    assert world.outbound() == []


# --- without a request ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("body", [SMALL, LARGE], ids=["small", "large"])
def test_a_part_that_waits_for_the_account_is_found_by_mobile_and_written_down_once(
    world: World, body: dict[str, Any]
) -> None:
    proven(world).fates += [250]
    world.deliver(BODY, message_id="pauses")
    written = world.happens(OUTBOUND, lambda _: None)
    assert world.deliver(body).again
    once = written.count
    assert [row for row in world.outbound() if row[1] == "order-1"] == rows(body)
    for receive_count in (2, 3):
        world.sender = world.new_sender()
        world.deliver(body, receive_count=receive_count)
    world.pass_time(minutes=6)
    world.deliver(body, receive_count=4)
    assert states(world, "order-1") == {"1": "ACCEPTED"}
    assert written.count == once


@pytest.mark.parametrize("body", [SMALL, LARGE], ids=["small", "large"])
def test_a_part_that_waits_as_a_row_is_found_by_mobile(world: World, body: dict[str, Any]) -> None:
    world.deliver(body | {"atTime": IN_AN_HOUR, "hold": True})
    assert states(world, "order-1") == {"1": "WAITING"}
    assert world.outbound() == rows(body)
    assert world.row("order-1")["outbound"] is True
    assert world.accepted() == []


def test_who_is_sent_to_in_a_year_is_known_until_then_and_as_long_after_as_ever(world: World) -> None:
    world.deliver(SMALL | {"atTime": "2027-11-23 12:00:00", "hold": True})
    row = world.table("OutboundTable").get({"mobile": EIGHT[0], "send_id": "order-1"})
    assert row is not None
    assert row["expires_at"] == world.row("order-1")["expires_at"]
    assert row["expires_at"] == int((world.now + timedelta(days=365) + RETENTION).timestamp())


def test_a_row_of_a_version_that_knew_no_outbound_goes_on_and_is_told(world: World) -> None:
    proven(world).fates += [1]
    world.deliver(SMALL)
    table = world.memory["SendsTable"]
    old = {"outbound", "history", "day_shard"}
    for key, row in table.rows.items():
        table.rows[key] = {name: value for name, value in row.items() if name not in old}
    world.memory["OutboundTable"].rows.clear()
    world.pass_time(minutes=1)
    world.deliver(SMALL, receive_count=2)
    assert states(world, "order-1") == {"1": "ACCEPTED"}
    assert world.outbound() == rows(SMALL)
    assert [event[0] for event in told(world)] == ["SUBMITTING", "ACCEPTED"]


@pytest.mark.parametrize("body", [SMALL, LARGE], ids=["small", "large"])
def test_a_part_that_came_too_late_is_found_by_mobile(world: World, body: dict[str, Any]) -> None:
    world.deliver(body | {"validUntil": "2026-11-23 11:00:00"})
    assert states(world, "order-1") == {"1": "EXPIRED"}
    assert world.outbound() == rows(body)


def test_a_part_of_which_the_rails_left_nobody_is_found_by_mobile(world: World) -> None:
    OptOutRows(world.table("MobilesTable")).change(MOBILE, out=True, at=iso(world.now), by="mo")
    world.deliver(SMALL | {"mobiles": [MOBILE], "category": "marketing"})
    assert states(world, "order-1") == {"1": "REJECTED"}
    assert world.outbound() == [(MOBILE, "order-1", "1")]
    assert world.accepted() == []


def test_a_large_part_that_was_written_down_and_expires_is_not_written_down_again(world: World) -> None:
    proven(world).fates += [250]
    world.deliver(BODY, message_id="pauses")
    body = LARGE | {"validUntil": IN_AN_HOUR}
    written = world.happens(OUTBOUND, lambda _: None)
    world.deliver(body)
    world.pass_time(hours=2)
    world.deliver(body, receive_count=2)
    assert states(world, "order-1") == {"1": "EXPIRED"}
    assert written.count == 2


# --- cut off, and delivered again -------------------------------------------------------------------------------


@pytest.mark.parametrize("body", [SMALL, LARGE], ids=["small", "large"])
@pytest.mark.parametrize("call", range(1, 12))
def test_wherever_a_worker_dies_the_same_rows_are_there_in_the_end(
    world: World, body: dict[str, Any], call: int
) -> None:
    life = Life()
    World().new_sender(gate=life).take(QueueMessage("m-1", "receipt", json.dumps(body), 1), world.life())
    died = world.dies_before(call, body)
    assert died == (call <= len(life.calls) < 12)
    assert set(world.outbound()) <= set(rows(body))
    world.pass_time(minutes=6)
    world.deliver_until_done(body)
    assert world.outbound() == rows(body)
    for receive_count in (2, 3):
        world.deliver(body, receive_count=receive_count)
    assert world.outbound() == rows(body)
    assert sorted(set(world.accepted())) == sorted(world.accepted()) == sorted(body["mobiles"])


def test_a_send_that_was_given_up_and_redriven_has_the_same_rows(world: World, line: Line) -> None:
    line.fates += [1, 1]
    world.deliver(SMALL)
    world.deliver(SMALL, receive_count=world.receive_limit)
    (buried,) = world.queue.buried
    world.deliver(buried, message_id="m-9")
    assert states(world, "order-1") == {"1": "ACCEPTED"}
    assert [row for row in world.outbound() if row[1] != "warm-up"] == rows(SMALL)


@pytest.mark.parametrize("body", [SMALL, LARGE], ids=["small", "large"])
def test_what_the_row_knows_to_be_there_is_not_written_again(
    world: World, line: Line, body: dict[str, Any]
) -> None:
    line.fates += [1, "lost", "lost"]
    written = world.happens(OUTBOUND, lambda _: None)
    world.deliver(body)
    once = written.count
    for receive_count in (2, 3, 4):
        world.pass_time(minutes=3)
        world.sender = world.new_sender()
        world.deliver(body, receive_count=receive_count)
    assert states(world, "order-1") == {"1": "UNCONFIRMED"}
    assert written.count == once


@pytest.mark.parametrize("fate", [250, 400, "lost"])
def test_a_large_part_that_is_held_back_remembers_its_rows(world: World, fate: Any) -> None:
    """Also where its message goes back without a claim, again and again: ten thousand rows are not cheap."""
    proven(world).fates += [fate]
    world.deliver(BODY, message_id="pauses" if fate != "lost" else "lost")
    if fate == "lost":
        world.happens("secret.get_secret_value", fails)
        world.sender = world.new_sender()
    written, noted = (world.happens(call, lambda _: None) for call in (OUTBOUND, "SendsTable.put"))
    for receive_count in range(1, 5):
        assert world.deliver(LARGE, receive_count=receive_count).again
    assert states(world, "order-1") == {"1": "WAITING"}
    assert written.count == 2
    assert noted.count == 1, "later deliveries read what stands there: a write that fails costs as much as the row"
    assert [row for row in world.outbound() if row[1] == "order-1"] == rows(LARGE)


@pytest.mark.parametrize("body", [SMALL, LARGE], ids=["small", "large"])
def test_nothing_goes_out_whose_mobiles_cannot_be_written_down(world: World, body: dict[str, Any]) -> None:
    line = proven(world)
    broken = world.happens(OUTBOUND, fails)
    delivery = world.deliver(body)
    assert delivery.again
    assert delivery.again.why.startswith("StoreUnavailable")
    assert line.requests == []
    row = world.row("order-1")
    assert (row["state"], row.get("unanswered", 0), "outbound" in row) == ("WAITING", 0, False)
    world.gates.up.remove(broken)
    world.pass_time(minutes=1)
    world.deliver(body, receive_count=2)
    assert states(world, "order-1") == {"1": "ACCEPTED"}
    assert [each for each in world.outbound() if each[1] == "order-1"] == rows(body)


def test_the_halves_of_a_part_write_none_of_their_own(world: World) -> None:
    proven(world)
    refuse(world, EIGHT[3])
    written = world.happens(OUTBOUND, lambda _: None)
    world.deliver(SMALL)
    assert len(states(world, "order-1")) > 3
    assert written.count == 1
    assert [row for row in world.outbound() if row[1] == "order-1"] == rows(SMALL)


def test_a_finished_large_part_asks_for_no_slot_when_it_comes_again(world: World) -> None:
    world.deliver(LARGE)
    assert calls_of(world, LARGE, receive_count=2) == ["SendsTable.query"]
    assert world.deliver(LARGE, receive_count=3).repeats == 1


# --- side by side -----------------------------------------------------------------------------------------------


def test_a_single_send_does_not_wait_for_the_rows_of_a_large_one(world: World) -> None:
    """The large one's rows are begun, and come no further before the small one has been accepted."""
    proven(world)
    begun, accepted, order = threading.Event(), threading.Event(), list[str]()

    class Slow(MemoryTable):
        def put_some(self, rows: Sequence[Mapping[str, Any]]) -> Sequence[Item]:
            if rows[0]["send_id"] == "large":
                begun.set()
                assert accepted.wait(60), "the small one waits"
            order.append(rows[0]["send_id"])
            return super().put_some(rows)

    table = Slow("OutboundTable")
    with ThreadPoolExecutor(4) as pool, ThreadPoolExecutor(2) as records:
        sender = replace(world.sender, outbound=Outbound(table, RETENTION, pool))

        def take(send_id: str, mobiles: list[str]) -> str:
            body = json.dumps(BODY | {"id": send_id, "mobiles": mobiles})
            sender.take(QueueMessage(send_id, "receipt", body, 1), world.life())
            return send_id

        large = records.submit(take, "large", MORE_THAN_ONE_PART[:10_000])
        assert begun.wait(60)
        records.submit(take, "small", [MOBILE]).result(60)
        assert states(world, "small") == {"1": "ACCEPTED"}
        accepted.set()
        large.result(60)
    assert order == ["small", *["large"] * 400]
    assert states(world, "large") == {"1": "ACCEPTED"}
    assert len(table.rows) == 10_001


# --- campaigns --------------------------------------------------------------------------------------------------


def campaign(world: World, name: str = "autumn") -> Item | None:
    return world.table("CampaignsTable").get({"campaign": name})


def test_the_first_send_that_names_a_campaign_writes_it_down_and_the_others_look(world: World) -> None:
    proven(world)
    first = [call for call in calls_of(world, SMALL | {"campaign": "autumn"}) if not call.startswith("Account")]
    assert first == [
        *("CampaignsTable.get", "SendsTable.put", "CampaignsTable.put"),
        *(OUTBOUND, REQUEST, "SendsTable.update"),
    ]
    row = campaign(world)
    assert row is not None
    assert (row["day"], row["source"]) == ("2026-11-23", "queue")
    world.pass_time(days=1)
    again = calls_of(world, SMALL | {"id": "order-2", "campaign": "autumn"}, message_id="m-2")
    assert [call for call in again if fnmatchcase(call, "CampaignsTable.*")] == ["CampaignsTable.get"]
    assert campaign(world) == row


def test_a_campaign_is_read_before_every_claim(world: World) -> None:
    line = proven(world)
    line.fates += [1]
    reads = world.happens("CampaignsTable.get", lambda _: None)
    body = SMALL | {"campaign": "autumn"}
    world.deliver(body)
    world.pass_time(minutes=1)
    world.deliver(body, receive_count=2)
    assert reads.count == 2


def test_a_send_without_a_campaign_and_a_body_in_conflict_name_none(world: World) -> None:
    world.deliver(SMALL)
    world.deliver(SMALL | {"campaign": "autumn"}, message_id="m-2")
    world.deliver(LARGE | {"campaign": "autumn"}, message_id="m-3")
    assert campaign(world) is None


def test_a_campaign_whose_sends_have_to_wait_is_there_already(world: World) -> None:
    proven(world).fates += [250]
    world.deliver(BODY, message_id="pauses")
    assert world.deliver(SMALL | {"campaign": "autumn"}).again
    assert campaign(world) is not None


@pytest.mark.parametrize("call", ["get", "put"])
def test_nothing_goes_out_whose_campaign_cannot_be_written_down(world: World, call: str) -> None:
    line = proven(world)
    broken = world.happens(f"CampaignsTable.{call}", fails)
    assert world.deliver(SMALL | {"campaign": "autumn"}).again
    assert line.requests == []
    world.gates.up.remove(broken)
    world.pass_time(minutes=3)
    world.deliver(SMALL | {"campaign": "autumn"}, receive_count=2)
    assert states(world, "order-1") == {"1": "ACCEPTED"}
    assert campaign(world) is not None


# --- what a row tells of its life -------------------------------------------------------------------------------


def told(world: World, part: str = "1") -> list[tuple[Any, ...]]:
    history = world.row("order-1", part)["history"]
    return [tuple(event.get(name) for name in ("event", "timestamp", "code", "words")) for event in history]


def test_a_row_tells_what_has_happened_to_it(world: World) -> None:
    line = proven(world)
    line.fates += [1, "never", "well"]
    for receive_count in (1, 2, 3):
        world.deliver(SMALL, receive_count=receive_count)
        world.pass_time(minutes=3)
    first, second = (request["timestamp"] for request in line.requests[:2])
    assert told(world) == [
        ("SUBMITTING", first, None, None),
        ("WAITING", None, 1, world.row("order-1")["history"][1]["words"]),
        ("SUBMITTING", second, None, None),
        ("SUBMITTING", None, None, "lost on the way"),
        ("SUBMITTING", second, None, None),
        ("ACCEPTED", None, 0, None),
    ]


def test_a_part_that_waits_expires_or_is_given_up_tells_it_too(world: World) -> None:
    proven(world).fates += [250]
    world.deliver(BODY, message_id="pauses")
    body = SMALL | {"validUntil": IN_AN_HOUR}
    world.deliver(body)
    world.deliver(body, receive_count=world.receive_limit)
    world.pass_time(hours=2)
    world.deliver(body, receive_count=2)
    assert told(world) == [
        ("WAITING", None, None, None),
        ("GAVE_UP", None, None, None),
        ("EXPIRED", None, None, f"validUntil {IN_AN_HOUR} has passed."),
    ]


def test_a_divided_part_and_its_halves_tell_it_each(world: World) -> None:
    refuse(world, EIGHT[0])
    world.deliver(SMALL | {"mobiles": EIGHT[:2]})
    assert [event[0] for event in told(world)] == ["SUBMITTING", "SPLIT"]
    assert [event[0] for event in told(world, "1.1")] == ["WAITING", "SUBMITTING", "REJECTED"]
    assert [event[0] for event in told(world, "1.2")] == ["WAITING", "SUBMITTING", "ACCEPTED"]


def test_a_row_keeps_its_last_20_events_however_long_it_lives(world: World) -> None:
    line = proven(world)
    line.fates += [1] * 30
    world.deliver_until_done(SMALL, most=40)
    history = told(world)
    assert len(history) == 20
    assert history[-2:] == [("SUBMITTING", line.timestamps[-1], None, None), ("ACCEPTED", None, 0, None)]
    assert [event[1] for event in history[::2]] == line.timestamps[-10:]


# --- what it costs ----------------------------------------------------------------------------------------------

KILOBYTE = 1_024


def size_of(value: Any) -> int:
    """The bytes that DynamoDB charges for."""
    match value:
        case bool():
            return 1
        case int():
            return (len(str(abs(value))) + 1) // 2 + 1
        case str():
            return len(value.encode())
        case list():
            return 3 + sum(1 + size_of(each) for each in value)
        case dict():
            return 3 + sum(1 + size_of(name) + size_of(each) for name, each in value.items())
        case _:
            raise TypeError(type(value))


@pytest.mark.parametrize("more", [{}, {"category": "otp"}, {"campaign": "c" * 24}])
def test_the_row_of_a_plain_life_costs_one_unit_a_write(
    world: World, monkeypatch: pytest.MonkeyPatch, more: dict[str, str]
) -> None:
    """The longest text of one segment, the queue's own id, the longest address of a platform."""
    monkeypatch.setattr(Line, "address", "h" * 80)
    send_id = "01234567-0123-0123-0123-0123456789ab"
    world.deliver({"mobiles": [MOBILE], "content": "长" * 70} | more, message_id=send_id)
    row = world.row(send_id)
    assert row["state"] == "ACCEPTED"
    assert size_of(row) - 3 - len(row) <= KILOBYTE
