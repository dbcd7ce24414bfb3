"""Bodies that are no sends: a row that says why, and nothing else."""

import json

from tests.fake_platform import Line
from tests.sending import (
    BODY,
    states,
)
from tests.world import World

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


def test_category_and_campaign_stand_in_the_row(world: World) -> None:
    world.deliver({"mobiles": ["13708600860"], "content": "x", "category": "otp", "campaign": "spring"})
    assert (world.row()["category"], world.row()["campaign"]) == ("otp", "spring")
