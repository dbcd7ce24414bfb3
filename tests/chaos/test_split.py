"""Ten thousand numbers, three of which the platform refuses: the rest go out once each, killed or not."""

from collections import Counter
from datetime import timedelta

import pytest

from tests.sending import refuse
from tests.world import World

MOBILES = [f"139{number:08d}" for number in range(10_000)]
REFUSED = {"13900000003", "13900004444", "13900009999"}
MOST_REQUESTS = 100
VISIBILITY = timedelta(seconds=360)


@pytest.mark.parametrize("deaths", [(), (5, 9, 20)], ids=["undisturbed", "killed three times"])
def test_three_refused_numbers_of_ten_thousand_are_set_apart_and_the_rest_accepted_once(
    deaths: tuple[int, ...],
) -> None:
    world = World()
    body = {"id": "split", "mobiles": MOBILES, "content": "x"}
    refuse(world, *REFUSED)
    for death in deaths:
        assert world.dies_before(death, body, of="platform.ask")
        world.now += VISIBILITY
    assert world.deliver(body).again is None
    rows, accepted = world.all_rows(), Counter(world.accepted())
    assert set(accepted) == set(MOBILES) - REFUSED
    assert set(accepted.values()) == {1}
    assert len(world.line.requests) <= MOST_REQUESTS
    invalid = {each["mobile"]: each["reason"] for row in rows for each in row.get("invalid_mobiles", ())}
    assert set(invalid) == REFUSED
    assert all("310" in reason for reason in invalid.values())
    assert {row["state"] for row in rows} == {"ACCEPTED", "REJECTED", "SPLIT"}
