"""How often a page asks: at most every two seconds, at most ten calls to AWS each time."""

import pytest

pytest.importorskip("nicegui", reason="the console is not installed: make .venv/marks/console")

from kxt.console.live import CALLS, REFRESH, Turns


class Question:
    """A question that is always wanted, and counts."""

    def __init__(self, cost: int, *, wanted: bool = True) -> None:
        self.cost = cost
        self.wanted = wanted

    async def refresh(self) -> None:
        raise AssertionError("it is only looked at")


def turns(*questions: Question) -> Turns:
    made = Turns()
    for each in questions:
        made.add(each)
    return made


def test_a_refresh_is_two_seconds_and_ten_calls() -> None:
    assert (REFRESH, CALLS) == (2.0, 10)


def test_a_page_that_opens_asks_for_everything_once() -> None:
    questions = [Question(13), Question(9), Question(4)]
    assert turns(*questions).next() == questions


@pytest.mark.parametrize("costs", [(4,), (13, 9, 4, 1, 2), (25,), (10, 10), (103, 1), (5, 5, 5)])
def test_then_ten_calls_a_refresh_are_never_exceeded_on_average_and_everybody_has_a_turn(
    costs: tuple[int, ...],
) -> None:
    questions = [Question(cost) for cost in costs]
    made = turns(*questions)
    made.next()
    asked = [made.next() for _ in range(200)]
    spent = 0
    for number, each in enumerate(asked, start=1):
        spent += sum(question.cost for question in each)
        # the dearest may be begun before it is paid for, and nothing else
        assert spent <= CALLS * number + max(0, max(costs) - CALLS)
    seen = [sum(question in each for each in asked) for question in questions]
    assert min(seen) >= 200 * CALLS // (2 * sum(costs) + CALLS)


def test_what_fits_goes_together_and_what_is_not_wanted_is_left_out() -> None:
    first, second, third, fourth = Question(4), Question(6), Question(1), Question(0, wanted=False)
    made = turns(first, second, third, fourth)
    made.next()
    assert made.next() == [first, second]
    assert made.next() == [third, first]


def test_what_costs_no_call_is_asked_every_time() -> None:
    free, dear = Question(0), Question(45)
    made = turns(dear, free)
    made.next()
    assert made.next() == [dear, free]
    assert [made.next() for _ in range(3)] == [[free]] * 3
