"""No fault makes the sender send twice, or lose a part without saying so; and a broken rule would be found."""

import os
import sys
from collections.abc import Iterator
from datetime import timedelta
from itertools import islice

import pytest
from boto3.dynamodb.conditions import Attr

from kuaixintong.core import ledger, rows
from kuaixintong.core.ledger import Standing, Submit
from kuaixintong.core.messages import Answer
from kuaixintong.stores import parts
from local.simulator.settings import Memory
from tests.chaos.campaign import (
    Answered,
    Ground,
    LateRequest,
    LostAnswer,
    Overtaken,
    Schedule,
    campaign,
    schedules,
)

FULL = os.environ.get("CHAOS") == "full"
SHARDS = 8
"""The campaign in slices, so that they can run side by side."""

TRIPLES_IN_SHORT = 300


@pytest.fixture
def ground() -> Ground:
    return Ground()


def chosen(shard: int) -> Iterator[Schedule]:
    """Every schedule of up to three faults; in the short form all of up to two, and of three a fixed choice."""
    everything = list(schedules(3))
    if not FULL:
        triples = [each for each in everything if len(each.faults) == 3]
        step = len(triples) // TRIPLES_IN_SHORT
        everything = [each for each in everything if len(each.faults) < 3] + triples[:: step | 1]
    return islice(everything, shard, None, SHARDS)


def test_the_campaign_counts_at_least_two_thousand_schedules() -> None:
    assert sum(1 for shard in range(SHARDS) for _ in chosen(shard)) >= 2_000


@pytest.mark.parametrize("shard", range(SHARDS))
def test_no_schedule_of_faults_sends_twice_or_loses_a_part(ground: Ground, shard: int) -> None:
    result = campaign(ground, chosen(shard))
    sys.stdout.write(f"\n{result}\n")
    assert not result.breaches, "\n".join(map(str, result.breaches[:10]))
    assert set(result.acceptances) <= {0, 1}
    assert result.states["ACCEPTED"], "the faults must leave something to accept"


# --- the campaign's own tests: each rule taken out, the campaign must find what it was there for ---


def found_by(ground: Ground, *todo: Schedule) -> str:
    return " ".join(breach.what for breach in campaign(ground, todo).breaches)


def test_without_the_same_timestamp_a_lost_answer_sends_twice(
    ground: Ground, monkeypatch: pytest.MonkeyPatch
) -> None:
    def never(row: Standing) -> bool:
        return False

    schedule = Schedule((LostAnswer(),), Memory.EVERY)
    assert not found_by(ground, schedule)
    monkeypatch.setattr(ledger, "must_repeat", never)
    assert "accepted more than once" in found_by(ground, schedule)


def test_a_timestamp_retired_at_the_last_answer_sends_twice(
    ground: Ground, monkeypatch: pytest.MonkeyPatch
) -> None:
    def none_left(submitted: Submit, answer: Answer | None) -> int:
        return submitted.unanswered if answer is None else 0

    schedule = Schedule((LateRequest(99), Answered(210)), Memory.ACCEPTED)
    assert not found_by(ground, schedule)
    monkeypatch.setattr(rows, "unanswered_after", none_left)
    assert "accepted more than once" in found_by(ground, schedule)


def test_without_the_claims_condition_two_workers_send_twice(
    ground: Ground, monkeypatch: pytest.MonkeyPatch
) -> None:
    schedule = Schedule((Overtaken(3),), Memory.EVERY, proven=True)
    assert not found_by(ground, schedule)
    monkeypatch.setattr(parts, "_absent", Attr("nothing").not_exists)
    assert "accepted more than once" in found_by(ground, schedule)


def test_a_lease_shorter_than_a_functions_life_throws_answers_away(ground: Ground) -> None:
    # The count of unanswered requests alone still keeps the platform from accepting twice; what a short lease
    # costs is the truth: a worker with the answer in its hand is no longer the row's owner.
    schedule = Schedule((Overtaken(5),), Memory.EVERY, proven=True)
    assert not found_by(ground, schedule)
    ground.lease = timedelta(seconds=10)
    assert "one was thrown away" in found_by(ground, schedule)


def test_a_short_lease_without_the_owners_condition_sends_twice(
    ground: Ground, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The overtaken worker writes its count over the other's, whose request is still on its way.
    overtaken = Overtaken(4, other=LateRequest(99), own=Answered(210))
    schedule = Schedule((overtaken,), Memory.ACCEPTED, proven=True)
    ground.lease = timedelta(seconds=10)
    assert "accepted more than once" not in found_by(ground, schedule)
    monkeypatch.setattr(parts, "_ours", lambda claim, revision: Attr("claim").exists())
    assert "accepted more than once" in found_by(ground, schedule)
