"""No fault makes the sender send twice, or lose a part without saying so; and a broken rule would be found."""

import os
import sys
from collections import defaultdict
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from itertools import product
from typing import Any

import pytest
from boto3.dynamodb.conditions import Attr
from moto import mock_aws

from kuaixintong import request
from kuaixintong.claims import Claimed
from kuaixintong.core import ledger, rows
from kuaixintong.core.change import Change
from kuaixintong.core.ledger import Outcome, Standing, Submit
from kuaixintong.core.messages import Answer
from kuaixintong.stores import parts
from kuaixintong.stores.campaigns import Campaign
from local.simulator.settings import Memory
from tests.chaos.campaign import Branch, Known, Result, everything, grounds, grown, in_turn, some
from tests.chaos.faults import (
    FAULTS,
    Answered,
    Clean,
    Fault,
    Forgotten,
    Kill,
    LateRequest,
    LostAnswer,
    Overtaken,
)
from tests.chaos.judge import judge
from tests.chaos.progress import Progress
from tests.chaos.run import Run, Schedule
from tests.world import DynamoWorld, World

FULL = os.environ.get("CHAOS") == "full"
LEAST = 5 * 2_470
"""Schedules of the short form: five times as many as a campaign in moto could afford."""


def chosen() -> list[Branch]:
    """Every schedule of up to three faults and a choice of four; in the short form of two, and of three.

    Of an account that is not proven yet, every one of two: most sends find one that is.
    """
    return [*everything(3, unproven=2), *some(400, 4, seed=4)] if FULL else [*everything(2), *some(240, 3, seed=3)]


def test_the_campaign_counts_five_times_the_schedules_of_old() -> None:
    assert sum(branch.size for branch in chosen()) >= LEAST


@pytest.mark.parametrize("ground", grounds(), ids=lambda ground: str(ground).replace(" ", "-")[:-2])
def test_no_schedule_of_faults_sends_twice_or_loses_a_part(
    progress: Callable[..., Progress], ground: Schedule
) -> None:
    branches, result = chosen(), Result()
    how_far = progress(f"campaign-{ground}", sum(branch.size for branch in branches))
    known = Known(how_far.add)
    for branch in branches:
        if replace(branch.root, faults=()) == ground:
            for run in grown(branch, known=known):
                result.count(run, heals=True)
                how_far.add()
    sys.stdout.write(f"\n{result}\n")
    assert not result.breaches, "\n".join(map(str, result.breaches[:10]))
    assert set(result.acceptances) <= {0, 1}
    assert result.states["ACCEPTED" if not ground.refused else "REJECTED"], "the faults must leave something"
    assert result.healed or ground.refused, "the faults must leave something to heal"


def test_a_schedule_that_is_forked_ends_as_one_that_is_played_from_its_beginning() -> None:
    forked = {run.schedule: ending(run) for branch in some(6, 3, seed=6) for run in grown(branch)}
    assert len(forked) > len(FAULTS)
    assert list(forked.values()) == [ending(run) for run in in_turn(World(), forked)]


def test_runs_that_stand_alike_end_alike() -> None:
    alike: defaultdict[str, list[Run]] = defaultdict(list)
    for first, second in product(FAULTS, (None, LostAnswer(), Kill(4), Answered(210))):
        run = Run.on(World(), Schedule((first,), Memory.ACCEPTED, proven=True))
        for fault in (first, second) if second else (first,):
            run.meet(fault)
        alike[run.standing()].append(run)
    groups = [runs for runs in alike.values() if len(runs) > 1]
    assert sum(map(len, groups)) >= len(FAULTS), "or nothing is gained"
    for one, *others in groups:
        for fault in (Clean(), LateRequest(1), Answered(400)):
            ends = [run.fork() for run in (one, *others)]
            for end in ends:
                end.meet(fault)
                end.finish()
            assert len({str(ending(end)) for end in ends}) == 1


def test_on_motos_tables_a_sample_ends_as_it_does_in_memory() -> None:
    sample = [branch.root for branch in some(15, 3, seed=5)]
    with mock_aws():
        on_moto = [ending(run) for run in in_turn(DynamoWorld(), sample)]
    assert on_moto == [ending(run) for run in in_turn(World(), sample)]


def ending(run: Run) -> tuple[list[str], int, list[Any]]:
    """What must not depend on what the tables are made of."""
    return (
        judge(run),
        len(run.platform.messages),
        [(row["part"], row["state"], row.get("code")) for row in run.rows],
    )


# --- the campaign's own tests: each rule taken out, the campaign must find what it was there for ---


def found_by(schedule: Schedule, **changes: Any) -> str:
    run = Run.on(World(**changes), schedule)
    run.play()
    return " ".join(judge(run))


def never(row: Standing) -> bool:
    return False


def none_left(submitted: Submit, answer: Answer | None) -> int:
    return submitted.unanswered if answer is None else 0


def one_fewer(submitted: Submit, answer: Answer | None) -> int:
    return submitted.unanswered - 1


def regardless(
    self: parts.Parts, send_id: str, part: str, change: Change, *, seen: int, noted: bool = False
) -> None:
    self._table.update({"send_id": send_id, "part": part}, change)


def without(*rules: Callable[[Outcome], bool]) -> tuple[ledger.Rule, ...]:
    """The ledger's table without some of its rules."""
    return tuple(each for each in ledger.TABLE if each.when not in rules)


TWICE = "accepted more than once"
LIE = "says REJECTED, but was accepted"
told_again = ledger.rule_for(Outcome(Answer(230), first_use=False, mobiles=1)).when
in_doubt = ledger._may_not_hold_for_every_copy

RULES: dict[str, tuple[Any, str, Any, tuple[Fault, ...], Memory, str]] = {
    "a part with an unanswered request repeats its timestamp": (
        *(ledger, "must_repeat", never),
        *((LostAnswer(),), Memory.EVERY, TWICE),
    ),
    "a timestamp is retired when every request that carried it is answered": (
        *(rows, "unanswered_after", none_left),
        *((LateRequest(99), Answered(210)), Memory.ACCEPTED, TWICE),
    ),
    "a request without an answer counts as unanswered": (
        *(rows, "unanswered_after", one_fewer),
        *((LostAnswer(),), Memory.EVERY, TWICE),
    ),
    "a first claim is a new row": (
        *(parts, "_absent", Attr("nothing").not_exists),
        *((Overtaken(3),), Memory.EVERY, TWICE),
    ),
    "a further claim is of the row that was seen": (
        *(parts.Parts, "advance", regardless),
        *((Answered(1), Overtaken(4)), Memory.EVERY, TWICE),
    ),
    "a 230 to a repeated timestamp is no rejection": (
        *(ledger, "TABLE", without(told_again, in_doubt)),
        *((LostAnswer(),), Memory.EVERY, LIE),
    ),
    "what does not hold for every copy of a request rejects nothing while one is unanswered": (
        *(ledger, "TABLE", without(in_doubt)),
        *((LostAnswer(), Answered(999)), Memory.ACCEPTED, LIE),
    ),
}


def unannounced(self: request.PartRequest, claimed: Claimed, campaign: object) -> Claimed:
    return claimed


def announced_by_the_last(self: request.PartRequest, claimed: Claimed, campaign: Campaign | None) -> Claimed:
    return AS_IT_IS(self, claimed, campaign) if claimed.submit.attempts > 1 else claimed


AS_IT_IS = request.PartRequest._announced


@pytest.mark.parametrize("instead", [unannounced, announced_by_the_last])
def test_a_request_before_it_is_written_down_who_is_sent_to_is_found(
    instead: Callable[..., Claimed], monkeypatch: pytest.MonkeyPatch
) -> None:
    schedule = Schedule((LostAnswer(),), Memory.EVERY, proven=True, campaign=True)
    forgotten = replace(schedule, faults=(Forgotten(),))
    assert not found_by(schedule) + found_by(forgotten)
    monkeypatch.setattr(request.PartRequest, "_announced", instead)
    assert "not in Outbound" in found_by(forgotten)
    assert "its campaign is not there" in found_by(forgotten)


@pytest.mark.parametrize("rule", RULES)
def test_without_a_rule_the_campaign_finds_what_it_is_there_for(
    rule: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    module, name, instead, faults, memory, found = RULES[rule]
    schedule = Schedule(faults, memory, proven=True)
    assert not found_by(schedule)
    monkeypatch.setattr(module, name, instead)
    assert found in found_by(schedule)


def test_a_lease_shorter_than_a_functions_life_throws_answers_away() -> None:
    # The count of unanswered requests alone still keeps the platform from accepting twice; what a short lease
    # costs is the truth: a worker with the answer in its hand is no longer the row's owner.
    schedule = Schedule((Overtaken(6),), Memory.EVERY, proven=True)
    assert not found_by(schedule)
    assert "one was thrown away" in found_by(schedule, lease=timedelta(seconds=10))


def test_a_short_lease_without_the_owners_condition_sends_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    # The overtaken worker writes its count over the other's, whose request is still on its way.
    overtaken = Overtaken(5, other=LateRequest(99), own=Answered(210))
    schedule = Schedule((overtaken,), Memory.ACCEPTED, proven=True)
    short = timedelta(seconds=10)
    assert TWICE not in found_by(schedule, lease=short)
    monkeypatch.setattr(parts, "_ours", lambda claim, revision: Attr("claim").exists())
    assert TWICE in found_by(schedule, lease=short)


def test_without_the_bound_a_platform_that_forgets_accepts_twice() -> None:
    schedule = Schedule((Forgotten(),), Memory.EVERY, proven=True)
    assert not found_by(schedule)
    assert TWICE in found_by(schedule, repeat_within=timedelta(days=9))
