"""A part with a number that the platform refuses (310) is halved until the bad numbers stand alone."""

from collections import Counter

from local.simulator.settings import Memory
from tests.fake_platform import Line
from tests.gates import Life
from tests.sending import (
    BODY,
    EIGHT,
    MOBILE,
    held_by,
    proven,
    refuse,
    remember,
    rows_of,
)
from tests.world import World


def numbers_by_end(world: World) -> dict[str, list[str]]:
    """Every number of the send by the state of the one row that still holds it."""
    ends: dict[str, list[str]] = {}
    for row in rows_of(world):
        ends.setdefault(row["state"], []).extend(held_by(row))
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


def test_a_split_cut_off_anywhere_loses_nobody_and_sends_to_nobody_twice(world: World) -> None:
    refuse(world, EIGHT[0])
    proven(world)
    for call in range(1, 100):
        world.platform.messages.clear()
        body = BODY | {"id": f"send-{call}", "mobiles": EIGHT[:3]}
        died = world.dies_before(call, body)
        world.pass_time(minutes=6)  # the queue's visibility timeout, longer than a lease
        world.deliver_until_done(body)
        accepted = Counter(world.accepted())
        rows = rows_of(world, body["id"])
        assert {row["state"] for row in rows} <= {"SPLIT", "ACCEPTED", "REJECTED", "UNCONFIRMED"}
        held = Counter(mobile for row in rows for mobile in held_by(row))
        assert held == Counter(EIGHT[:3])
        assert set(accepted.values()) <= {1}
        for row in rows:
            if row["state"] == "ACCEPTED":
                assert all(accepted[mobile] for mobile in row["mobiles"])
        if not died:
            break
    assert call > 12, "a split takes more calls than that"
    assert accepted == {EIGHT[1]: 1, EIGHT[2]: 1}


def test_a_redelivered_split_reads_its_finished_rows_at_once(world: World) -> None:
    mobiles = [f"139{number:08d}" for number in range(64)]
    refuse(world, *mobiles[::8])
    body = BODY | {"mobiles": mobiles}
    assert world.deliver(body).again is None
    requests, life = len(world.line.requests), Life()
    world.sender = world.new_sender(gate=life)
    assert world.deliver(body, receive_count=2).again is None
    assert len(world.line.requests) == requests
    assert len(world.all_rows()) > 60
    assert len(life.calls) < 6


def test_after_its_own_split_a_worker_claims_no_half_with_a_write_that_has_to_fail(world: World) -> None:
    mobiles = [f"137{number:08}" for number in range(1_000)]
    world.platform.change({"refused_mobiles": frozenset(mobiles[::400])})
    writes = {name: world.happens(f"SendsTable.{name}", lambda _: None) for name in ("put", "update", "transact")}
    world.deliver({"mobiles": mobiles, "content": "x"})
    requests = len(world.line.requests)
    assert writes["put"].count == 1, "the noting, which creates the part"
    assert writes["transact"].count == (requests - 1) // 2, "a division each"
    assert writes["update"].count == requests + (requests + 1) // 2, "a claim each, and a result where no split"


def test_a_half_is_written_without_its_mobiles_until_it_comes_to_its_end(world: World) -> None:
    mobiles = [f"137{number:08}" for number in range(4)]
    world.platform.change({"refused_mobiles": frozenset(mobiles[:1])})
    world.line.fates += ["well", 1]
    world.deliver({"mobiles": mobiles, "content": "x"})
    halves = [row for row in world.all_rows() if "." in row["part"]]
    assert [(row["state"], row["positions"], "mobiles" in row) for row in halves] == [
        ("WAITING", [0, 2], False),
        ("WAITING", [2, 4], False),
    ]
    assert world.row()["divided"] == mobiles
    world.pass_time(minutes=1)
    world.deliver({"mobiles": mobiles, "content": "x"}, receive_count=2)
    ended = {row["part"]: row["mobiles"] for row in world.all_rows() if row["state"] == "ACCEPTED"}
    assert ended == {"1.1.2": mobiles[1:2], "1.2": mobiles[2:]}
