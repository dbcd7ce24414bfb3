"""Waiting for sends ends when all their parts are final, or when it has taken too long."""

from typing import Any, cast

import pytest

from kuaixintong.status import DeliveryStatus, Lookup, judge
from kuaixintong.waiting import are_final, until_final


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
