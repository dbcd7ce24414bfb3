"""Reading in several threads: in order, no further ahead than allowed, and over when the reader goes."""

import threading
from collections.abc import Iterator
from functools import partial

import pytest

from kuaixintong.readahead import as_they_come, in_order


class Ledger:
    """Writes down who asked, and lets the test hold answers back."""

    def __init__(self) -> None:
        self.asked: list[int] = []
        self.threads: set[str] = set()
        self.go = threading.Event()
        self.go.set()

    def ask(self, number: int) -> int:
        self.asked.append(number)
        self.threads.add(threading.current_thread().name)
        assert self.go.wait(10)
        return number * 10


def test_answers_come_in_the_order_of_the_questions() -> None:
    first_done = threading.Event()

    def ask(number: int) -> int:
        if number == 0:
            assert first_done.wait(10)  # the first answer is the last to be there
        if number == 3:
            first_done.set()
        return number

    assert list(in_order(ask, range(8), threads=4, ahead=4)) == list(range(8))


def test_questions_are_asked_side_by_side() -> None:
    together = threading.Barrier(3)
    assert list(in_order(lambda _: together.wait(10) >= 0, range(3), threads=3, ahead=3)) == [True] * 3


@pytest.mark.parametrize(("weight", "ahead"), [(1, 4), (3, 12)])
def test_nobody_asks_further_ahead_than_allowed(weight: int, ahead: int) -> None:
    ledger, taken = Ledger(), []

    def things() -> Iterator[int]:
        for number in range(50):
            taken.append(number)
            yield number

    answers = in_order(ledger.ask, things(), threads=2, ahead=ahead, weight=lambda _: weight)
    next(answers)
    ledger.go.clear()
    for count in range(1, 5):
        ledger.go.set()
        next(answers)
        ledger.go.clear()
        assert len(taken) <= count + 1 + ahead // weight + 1
    ledger.go.set()
    assert list(answers) == [number * 10 for number in range(5, 50)]


def test_what_weighs_more_than_all_that_is_allowed_goes_alone() -> None:
    ledger = Ledger()
    assert list(in_order(ledger.ask, range(3), threads=2, ahead=5, weight=lambda _: 9)) == [0, 10, 20]


def test_what_is_under_way_weighs_no_more_than_allowed() -> None:
    weights, taken = [1, 5, 5, 1, 4, 5, 2, 5, 5, 5, 1, 1], []

    def things() -> Iterator[int]:
        for number in range(len(weights)):
            taken.append(number)
            yield number

    answered = threading.Semaphore(0)
    answers = in_order(
        lambda _: answered.acquire(timeout=10),
        things(),
        threads=1,
        ahead=11,
        weight=lambda number: weights[number],
    )
    under_way = []
    for read in range(1, len(weights) + 1):
        answered.release()
        assert next(answers)
        under_way.append(sum(weights[read : len(taken) - 1]))  # the last that was taken is only looked at
    assert max(under_way) <= 11
    assert max(under_way[4:]) > 5  # still more than one at a time


@pytest.mark.parametrize("count", [1, 2, 3])
def test_no_more_threads_ask_than_allowed(count: int) -> None:
    ledger = Ledger()
    assert len(list(in_order(ledger.ask, range(60), threads=count, ahead=60))) == 60
    assert len(ledger.threads) <= count
    sources = [partial(map, ledger.ask, [number]) for number in range(60)]
    ledger.threads.clear()
    assert len(list(as_they_come(sources, threads=count))) == 60
    assert len(ledger.threads) <= count


def test_who_stops_reading_ends_the_asking() -> None:
    ledger = Ledger()
    answers = in_order(ledger.ask, range(1_000), threads=2, ahead=4)
    next(answers)
    answers.close()  # type: ignore[attr-defined]  # a generator
    assert len(ledger.asked) < 10
    assert not {each.name for each in threading.enumerate()} & ledger.threads


def test_an_error_comes_where_its_answer_would_have_and_ends_it() -> None:
    def ask(number: int) -> int:
        if number == 2:
            raise ValueError(number)
        return number

    answers = in_order(ask, range(9), threads=3, ahead=3)
    assert [next(answers), next(answers)] == [0, 1]
    with pytest.raises(ValueError, match="2"):
        next(answers)


def test_an_error_of_what_names_the_questions_ends_it_too() -> None:
    def things() -> Iterator[int]:
        yield 1
        raise ValueError("no more")

    with pytest.raises(ValueError, match="no more"):
        list(in_order(lambda number: number, things(), threads=2, ahead=1))


# --- several sources --------------------------------------------------------------------------------------------


def test_what_several_sources_have_comes_whole() -> None:
    sources = [partial(range, start, start + 3) for start in (0, 10, 20)]
    assert sorted(as_they_come(sources, threads=2)) == [0, 1, 2, 10, 11, 12, 20, 21, 22]
    assert list(as_they_come([], threads=2)) == []


def test_sources_are_read_side_by_side() -> None:
    together = threading.Barrier(3)

    def source() -> Iterator[int]:
        yield together.wait(10)

    assert sorted(as_they_come([source] * 3, threads=3)) == [0, 1, 2]


def test_an_error_of_one_source_ends_all_of_them() -> None:
    stopped = threading.Event()

    def endless() -> Iterator[int]:
        try:
            while True:
                yield 1
        finally:
            stopped.set()

    def broken() -> Iterator[int]:
        yield 1
        raise ValueError("broken")

    with pytest.raises(ValueError, match="broken"):
        list(as_they_come([endless, broken], threads=2))
    assert stopped.wait(10)


def test_sources_end_with_who_reads_them() -> None:
    stopped = threading.Event()

    def endless() -> Iterator[int]:
        try:
            while True:
                yield 1
        finally:
            stopped.set()

    found = as_they_come([endless], threads=1)
    next(found)
    found.close()  # type: ignore[attr-defined]  # a generator
    assert stopped.wait(10)


def test_a_source_that_nobody_has_begun_to_read_is_not_begun_for_nobody() -> None:
    begun: list[int] = []

    def source(number: int) -> Iterator[int]:
        begun.append(number)
        while True:
            yield number

    found = as_they_come([partial(source, number) for number in range(9)], threads=1)
    next(found)
    found.close()  # type: ignore[attr-defined]  # a generator
    assert begun == [0]
