"""Two and three workers at once, let go step by step: whoever is next, nothing is sent twice and nothing lost."""

import os
import sys
from collections.abc import Callable
from dataclasses import replace
from math import comb

import pytest
from boto3.dynamodb.conditions import Attr

from kuaixintong.stores import parts
from local.simulator.settings import Memory
from tests.chaos.faults import Answered, Fault
from tests.chaos.judge import judge
from tests.chaos.progress import Progress
from tests.chaos.run import Run, Schedule
from tests.chaos.scenes import FATES, HISTORIES, Part, Scene, crowd, scenes, trios
from tests.chaos.steps import Actor, Choices, Thrown, act, every_way
from tests.world import World

FULL = os.environ.get("CHAOS") == "full"
SHARDS = 8


def plan() -> list[tuple[Scene, int | None]]:
    """Scenes, and how often the baton may be taken away in each: ``None`` is without a limit."""
    if not FULL:
        return [(scene, 1) for scene in scenes(FATES[:3], HISTORIES[:1])]
    later = (scene for scene in scenes(FATES[:3], HISTORIES[1:]) if not scene.late)
    freely = (scene for scene in scenes(FATES[:2], HISTORIES[:1]) if scene.ground.proven and not scene.stall)
    return [
        *((scene, 1 if scene.late or scene.slow else 2) for scene in scenes(FATES, HISTORIES[:1])),
        *((scene, 2) for scene in later),
        *((scene, 1) for scene in trios(FATES[:2])),
        *((scene, None) for scene in freely),
    ]


def wrong(runs: list[Run]) -> list[str]:
    return [what for run in runs for what in judge(run)]


@pytest.mark.parametrize("shard", range(SHARDS))
def test_whoever_is_next_nothing_is_sent_twice_or_lost(progress: Callable[..., Progress], shard: int) -> None:
    todo, ways = plan(), 0
    how_far = progress(f"steps-{shard}", len(todo), "scenes")
    for scene, switches in todo[shard::SHARDS]:
        for runs in every_way(lambda choices: scene.play(choices, switches=switches)):  # noqa: B023  # played here
            assert not wrong(runs), str(scene)
            ways += 1
        how_far.add()
    sys.stdout.write(f"\n{len(todo[shard::SHARDS])} scenes, played in {ways:,} ways\n")


@pytest.mark.parametrize("shard", range(SHARDS))
def test_whoever_the_die_says_is_next(shard: int) -> None:
    for seed in range(shard, 500 if FULL else 40, SHARDS):
        scene = replace(crowd(seed, copies=3), late=True, stall=True)
        assert not wrong(scene.play(Thrown(seed))), (seed, str(scene))


@pytest.mark.parametrize("shard", range(SHARDS))
def test_eight_workers_on_threads_that_nobody_holds_back(shard: int) -> None:
    for seed in range(shard, 100 if FULL else 20, SHARDS):
        scene = crowd(seed, copies=8)
        assert not wrong(scene.play_at_once(World())), (seed, str(scene))


# --- the tests' own tests ---------------------------------------------------------------------------------------


class Counting:
    """An actor of so many steps, who writes down each."""

    def __init__(self, name: str, steps: int, told: list[str]) -> None:
        self.name, self.left, self.told = name, steps, told

    def step(self) -> bool:
        self.told.append(self.name)
        self.left -= 1
        return self.left > 0


def orders(*steps: int, switches: int | None = None) -> list[str]:
    """Every order in which actors of so many steps can act."""

    def play(choices: Choices) -> str:
        told: list[str] = []
        actors: list[Actor] = [Counting(name, count, told) for name, count in zip("ABC", steps, strict=False)]
        act(actors, choices, switches=switches)
        return "".join(told)

    return list(every_way(play))


def test_every_way_is_every_order_once() -> None:
    assert sorted(orders(1, 2)) == ["ABB", "BAB", "BBA"]
    assert len(set(orders(6, 5))) == len(orders(6, 5)) == comb(11, 5)
    assert len(set(orders(2, 2, 2))) == len(orders(2, 2, 2)) == 90


def test_switches_are_how_often_the_baton_is_taken_away() -> None:
    assert sorted(orders(2, 2, switches=0)) == ["AABB", "BBAA"]
    assert sorted(orders(2, 2, switches=1)) == ["AABB", "ABBA", "BAAB", "BBAA"]
    assert sorted(orders(2, 2, switches=2)) == sorted(orders(2, 2))


def broken_somewhere(scene: Scene, switches: int = 2) -> list[str]:
    return [
        what for runs in every_way(lambda choices: scene.play(choices, switches=switches)) for what in wrong(runs)
    ]


def regardless(
    self: parts.Parts, send_id: str, part: str, change: object, *, seen: int, noted: bool = False
) -> None:
    self._table.update({"send_id": send_id, "part": part}, change)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("where", "name", "instead", "history"),
    [
        (parts, "_absent", Attr("nothing").not_exists, ()),
        (parts.Parts, "advance", regardless, (Answered(1),)),
    ],
    ids=["of a first claim", "of a further claim"],
)
def test_two_workers_find_a_condition_missing(
    monkeypatch: pytest.MonkeyPatch, where: object, name: str, instead: object, history: tuple[Fault, ...]
) -> None:
    scene = Scene(Schedule(history, Memory.EVERY, proven=True), (Part(), Part()))
    assert not broken_somewhere(scene)
    monkeypatch.setattr(where, name, instead)
    assert any("accepted more than once" in what for what in broken_somewhere(scene))
