"""Ten thousand numbers, three of which the platform refuses: the rest go out once each, killed or not."""

from collections import Counter
from datetime import timedelta

import pytest
from moto import mock_aws

from kuaixintong.core.credentials import PlatformCredentials
from kuaixintong.core.messages import Answer, Login, SendSm
from tests.chaos.campaign import Cut, Killed
from tests.world import World

MOBILES = [f"139{number:08d}" for number in range(10_000)]
REFUSED = {"13900000003", "13900004444", "13900009999"}
MOST_REQUESTS = 100
VISIBILITY = timedelta(seconds=360)


class KilledAt:
    """A worker that dies at its n-th request, before it leaves: the claim is written, nothing is asked."""

    address = "direct"

    def __init__(self, world: World, request: int | None) -> None:
        self._world = world
        self._request = request
        self._asked = 0
        self._dead = False

    def pass_(self) -> None:
        """Let a call to AWS through, unless the worker is dead."""
        if self._dead:
            raise Killed

    def ask(self, request: Login | SendSm, credentials: PlatformCredentials, timestamp: str) -> Answer:
        """Ask the platform, or die."""
        self._asked += 1
        if self._asked == self._request:
            self._dead = True
        self.pass_()
        return self._world.line.ask(request, credentials, timestamp)


@pytest.mark.parametrize("deaths", [(), (5, 9, 20)], ids=["undisturbed", "killed three times"])
def test_three_refused_numbers_of_ten_thousand_are_set_apart_and_the_rest_accepted_once(
    deaths: tuple[int, ...],
) -> None:
    with mock_aws():
        world = World()
        world.platform.change({"refused_mobiles": sorted(REFUSED)})
        for death in (*deaths, None):
            wire = KilledAt(world, death)
            world.sender = world.new_sender(dynamodb=Cut(world.dynamodb, wire), platform=wire)
            try:
                assert world.deliver({"id": "split", "mobiles": MOBILES, "content": "x"}).again is None
            except Killed:
                world.now += VISIBILITY
        rows = world.all_rows()
        accepted = Counter(world.accepted())
    assert set(accepted) == set(MOBILES) - REFUSED
    assert set(accepted.values()) == {1}
    assert len(world.line.requests) <= MOST_REQUESTS
    invalid = {each["mobile"]: each["reason"] for row in rows for each in row.get("invalid_mobiles", ())}
    assert set(invalid) == REFUSED
    assert all("310" in reason for reason in invalid.values())
    assert {row["state"] for row in rows} == {"ACCEPTED", "REJECTED", "SPLIT"}
