"""The pace beside the contract (section 2a): slots, reach, and what a platform that says 210 teaches."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kuaixintong.core import pace
from kuaixintong.core.beijing import TICKS_PER_SECOND as SECOND
from kuaixintong.core.lanes import Lane
from kuaixintong.core.pace import Astray, Learnt, Take, Wait, plan, rate, step

NOW = 1_000 * SECOND
TEN = step(10)


def test_a_platform_that_takes_a_thousand_a_second_needs_no_pace() -> None:
    assert rate(0, Learnt(999.0, NOW), now=NOW) == 999.0
    assert rate(0, Learnt(1_000.0, NOW), now=NOW) is None


def test_what_the_contract_says_in_seconds() -> None:
    assert (pace.MISSED, pace.ASTRAY) == (SECOND // 10, 60 * SECOND)
    assert pace.AHEAD == {Lane.ORDINARY: SECOND, Lane.URGENT: 20 * SECOND}


def test_slots_are_a_little_further_apart_than_the_pace_says() -> None:
    assert (TEN, step(50), step(0.5)) == (1_030, 206, 20_600)
    assert step(None) == 1


@pytest.mark.parametrize(
    ("sequence", "wanted", "lane", "planned"),
    [
        (None, 10, Lane.ORDINARY, Take(10, behind=True)),
        (NOW - 2 * TEN, 3, Lane.ORDINARY, Take(3, behind=True)),
        (NOW - TEN - 1, 1, Lane.ORDINARY, Take(1, behind=True)),
        (NOW - TEN, 1, Lane.ORDINARY, Take(1, behind=False)),
        (None, 50, Lane.ORDINARY, Take(10, behind=True)),
        (NOW, 50, Lane.ORDINARY, Take(9, behind=False)),
        (NOW + SECOND // 2, 50, Lane.ORDINARY, Wait(5 * TEN - SECOND // 2)),
        (NOW + SECOND // 2, 4, Lane.ORDINARY, Take(4, behind=False)),
        (NOW + SECOND, 1, Lane.ORDINARY, Wait(TEN)),
        (NOW + SECOND, 1, Lane.URGENT, Take(1, behind=False)),
        (NOW + 20 * SECOND, 1, Lane.URGENT, Wait(TEN)),
        (NOW + 61 * SECOND, 1, Lane.URGENT, Astray(61 * SECOND)),
    ],
)
def test_slots_are_planned_by_how_far_the_lane_may_reach(
    sequence: int | None, wanted: int, lane: Lane, planned: Take | Wait | Astray
) -> None:
    assert plan(sequence, now=NOW, step=TEN, wanted=wanted, lane=lane) == planned


def test_a_slow_pace_still_gives_the_next_slot() -> None:
    slow = step(0.1)
    assert plan(None, now=NOW, step=slow, wanted=10, lane=Lane.ORDINARY) == Take(1, behind=True)
    assert plan(NOW, now=NOW, step=slow, wanted=10, lane=Lane.ORDINARY) == Wait(slow - SECOND)
    later = NOW + slow - SECOND
    assert plan(NOW, now=later, step=slow, wanted=10, lane=Lane.ORDINARY) == Take(1, behind=False)


@pytest.mark.parametrize("ahead", [0, 1, 5 * SECOND, 59 * SECOND])
def test_without_a_pace_nobody_waits_for_a_timestamp(ahead: int) -> None:
    assert plan(NOW + ahead, now=NOW, step=1, wanted=10, lane=Lane.ORDINARY) == Take(10, behind=False)


workers = st.lists(
    st.tuples(
        st.integers(0, 400), st.integers(1, 12), st.integers(-2 * SECOND, 2 * SECOND), st.sampled_from(Lane)
    ),
    max_size=60,
)


@given(workers, st.sampled_from([1, 10, 50]))
def test_never_more_slots_in_any_second_than_the_pace_whatever_the_clocks_say(
    asked: list[tuple[int, int, int, Lane]], requests: int
) -> None:
    """One sequence, many workers whose clocks are up to two seconds off, each doing what the plan says."""
    ticks, sequence, slots = NOW, None, list[int]()
    distance = step(requests)
    for pause, wanted, skew, lane in asked:
        ticks += pause * 10
        now = ticks + skew
        planned = plan(sequence, now=now, step=distance, wanted=wanted, lane=lane)
        if isinstance(planned, Take):
            first = now if planned.behind or sequence is None else sequence + distance
            slots += [first + distance * number for number in range(planned.count)]
            sequence = slots[-1]
            assert planned.count >= 1
            assert slots[-1] <= now + max(pace.AHEAD[lane], distance)
    assert slots == sorted(slots)
    for position, slot in enumerate(slots):
        assert sum(slot <= other < slot + SECOND for other in slots[position:]) <= requests


def test_what_is_learnt_rises_by_a_hundredth_a_second_and_never_over_the_deployments_own() -> None:
    learnt = Learnt(10.0, NOW)
    assert rate(0, None, now=NOW) is None
    assert rate(20, None, now=NOW) == 20
    assert rate(0, learnt, now=NOW + 2 * SECOND) == 10
    assert rate(0, learnt, now=NOW + 12 * SECOND) == pytest.approx(11.05, abs=0.01)
    assert rate(20, learnt, now=NOW + 72 * SECOND) == 20
    assert rate(0, learnt, now=NOW + 600 * SECOND) is None, "in the end nothing limits it any more"
    assert rate(0, learnt, now=NOW - SECOND) == 10, "nor does a clock that is behind"


def test_what_is_learnt_rises_faster_where_nothing_is_refused_for_long() -> None:
    grown = [rate(0, Learnt(5.0, NOW), now=NOW + (2 + quiet) * SECOND) for quiet in (10, 30, 52)]
    assert grown == pytest.approx([5.52, 10.0, 48.9], rel=0.01)


@pytest.mark.parametrize(
    ("slot", "accepted", "asked", "cuts"),
    [
        (NOW + SECOND + 1, 4, 5, True),
        (NOW + SECOND, 4, 5, False),
        (NOW + 1, 0, 4, False),
        (NOW + 1, 2, 5, True),
        (NOW + 1, 3, 5, False),
    ],
)
def test_shortly_after_a_cut_only_many_refusals_cut_again(
    slot: int, accepted: int, asked: int, cuts: bool
) -> None:
    assert pace.too_fast(Learnt(10.0, NOW), slot=slot, accepted=accepted, asked=asked) is cuts
    assert pace.too_fast(None, slot=slot, accepted=accepted, asked=asked), "the first refusal always does"


@pytest.mark.parametrize(
    ("current", "handed_out", "accepted", "asked", "after"),
    [
        (None, 50.0, 0, 1, 9.3),  # one answer proves little: a fifth may be taken
        (None, 50.0, 45, 46, 39.03),
        (None, 0.0, 45, 46, 0.1),
        (10.0, 9.7, 0, 1, 9.3),  # one may be chance's
        (10.0, 30.0, 20, 100, 2.17),
        (10.0, 30.0, 0, 100, 1.86),
        (0.1, 0.1, 0, 9, 0.1),
        (10.0, 7.0, 8, 10, 8.58),  # slots are taken some at a time: the pace was used in full
        (10.0, 6.9, 8, 10, 5.92),
        (10.0, 9.7, 9, 10, 9.7),  # a lone refusal among many answers
        (10.0, 9.7, 8, 9, 9.3),
        (None, 9.7, 9, 10, 4.96),
        (10.0, 9.7, 28, 30, 9.02),
    ],
)
def test_a_cut_goes_to_a_little_less_than_the_platform_takes(
    current: float | None, handed_out: float, accepted: int, asked: int, after: float
) -> None:
    found = pace.cut(current, handed_out=handed_out, accepted=accepted, asked=asked)
    assert found == pytest.approx(after, abs=0.01)


# --- claiming before the slot -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("claiming", "early"), [(0.0, 500), (400.0, 500), (401.0, 502), (4_000.0, 5_000), (4_001.0, 5_000)]
)
def test_a_claim_begins_before_its_slot_by_what_claims_have_taken_of_late(claiming: float, early: int) -> None:
    assert pace.early(claiming) == early


def test_a_claim_that_took_long_is_remembered_for_a_while() -> None:
    assert pace.claiming(0.0, took=100.0) == 100.0
    assert pace.claiming(1_000.0, took=100.0) == 980.0
    assert pace.claiming(100.0, took=99.0) == 99.0
