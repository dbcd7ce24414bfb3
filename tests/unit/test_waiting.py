"""Waiting for sends ends when all their parts are final, or when it has taken too long."""

from typing import Any, cast

import pytest

from kuaixintong.core.answers import CampaignCounts
from kuaixintong.status import DeliveryStatus, Lookup, judge
from kuaixintong.waiting import are_final, until_final, until_settled


def status(send_id: str, *states: str, halves: bool = False) -> DeliveryStatus:
    names = [f"1.{number}" if halves else str(number) for number in range(1, len(states) + 1)]
    parts = ({"part": name, "state": state, "mobiles": ["1"]} for name, state in zip(names, states, strict=True))
    return DeliveryStatus(send_id, tuple(judge(part, ()) for part in parts))


@pytest.mark.parametrize(
    ("statuses", "parts", "final"),
    [
        ([], 1, False),
        ([status("a")], 1, False),
        ([status("a", "ACCEPTED")], 1, True),
        ([status("a", "ACCEPTED")], 2, False),
        ([status("a", "ACCEPTED", "SUBMITTING")], 2, False),
        ([status("a", "REJECTED", "EXPIRED")], 2, True),
        ([status("a", "CANCELLED"), status("b", "UNCONFIRMED")], 2, True),
        ([status("a", "ACCEPTED", "WAITING", halves=True)], 1, False),
        ([status("a", "ACCEPTED", "REJECTED", halves=True)], 1, True),
        ([status("a", "ACCEPTED", "REJECTED", halves=True)], 2, False),
    ],
)
def test_sends_are_final_when_all_their_parts_are(statuses: list[DeliveryStatus], parts: int, final: bool) -> None:
    assert are_final(statuses, parts) is final


class Looks:
    """A look-up whose answers are written down, and a clock that only sleeping moves."""

    def __init__(self, *answers: str) -> None:
        self._answers = iter(answers)
        self.now = 0.0
        self.slept: list[float] = []

    def delivery_status(self, send_id: str) -> DeliveryStatus:
        return status(send_id, *next(self._answers).split())

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds

    def wait(self, *send_ids: str, parts: int = 1, **more: Any) -> list[DeliveryStatus]:
        return until_final(
            cast("Lookup", self), send_ids, parts=parts, sleep=self.sleep, monotonic=lambda: self.now, **more
        )


def test_it_looks_until_all_is_final_and_tells_each_look() -> None:
    looks, told = Looks("", "WAITING", "SUBMITTING", "ACCEPTED"), list[str]()
    found = looks.wait("a", tell=lambda each: told.append(" ".join(part.state for part in each[0].parts)))
    assert [part.state for part in found[0].parts] == ["ACCEPTED"]
    assert told == ["", "WAITING", "SUBMITTING", "ACCEPTED"]
    assert looks.slept == [0.2, 0.3, 0.5]


def test_a_send_that_is_shared_out_is_waited_for_as_a_whole() -> None:
    looks = Looks("ACCEPTED", "", "ACCEPTED", "ACCEPTED")
    assert len(looks.wait("a:1", "a:2", parts=2)) == 2
    assert looks.slept == [0.2]


def test_it_ends_before_it_takes_longer_than_it_may() -> None:
    looks = Looks(*["WAITING"] * 100)
    (found,) = looks.wait("a", seconds=60)
    assert found.parts[0].state == "WAITING"
    assert 55 < looks.now <= 60
    assert max(looks.slept) == 3.0


class Campaign:
    """A campaign as it is counted look after look, what the lanes hold at each, and a clock."""

    def __init__(self, *looks: tuple[int, dict[str, int]]) -> None:
        self._looks = [*looks]
        self.now = 0.0

    def queued(self) -> int:
        return self._looks[0][0]

    def counts_of_campaign(self, campaign: str) -> CampaignCounts:
        _, states = self._looks.pop(0) if len(self._looks) > 1 else self._looks[0]
        return CampaignCounts(campaign, sum(states.values()), states)

    def sleep(self, seconds: float) -> None:
        self.now += seconds

    def settled(self) -> dict[str, int]:
        found = until_settled(
            cast("Lookup", self), "spring", queued=self.queued, sleep=self.sleep, monotonic=lambda: self.now
        )
        return dict(found.states)


def test_a_campaign_has_settled_when_nothing_is_open_and_nothing_waits_in_a_lane() -> None:
    assert Campaign((0, {"ACCEPTED": 3})).settled() == {"ACCEPTED": 3}
    more = Campaign((9, {"ACCEPTED": 1}), (3, {"ACCEPTED": 7}), (0, {"ACCEPTED": 10}))
    assert more.settled() == {"ACCEPTED": 10}
    waiting = Campaign(
        (0, {"ACCEPTED": 1, "WAITING": 1}), (0, {"ACCEPTED": 1, "SUBMITTING": 1}), (0, {"ACCEPTED": 2})
    )
    assert waiting.settled() == {"ACCEPTED": 2}


def test_a_campaign_that_nobody_has_seen_yet_has_not_settled() -> None:
    assert Campaign((0, {}), (0, {"REJECTED": 1})).settled() == {"REJECTED": 1}


def test_what_others_have_in_the_lanes_holds_up_nobody_for_longer_than_half_a_minute() -> None:
    beside = Campaign((500, {"ACCEPTED": 2}))
    assert beside.settled() == {"ACCEPTED": 2}
    assert 30 <= beside.now <= 32
