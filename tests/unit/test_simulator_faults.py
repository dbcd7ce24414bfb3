"""Which request or push meets which fault."""

from collections.abc import Callable
from typing import Any

import pytest

from local.simulator.faults import FaultBook, GarbleFault, checked_rules
from local.simulator.settings import Refused


def book(*rules: dict[str, Any]) -> FaultBook:
    return FaultBook.of(*checked_rules([*rules]))


def about(*mobiles: str) -> Callable[[str], bool]:
    return lambda mobile: mobile in mobiles


def struck(book: FaultBook, count: int, op: str = "sendSm", *mobiles: str) -> list[int]:
    """Which of ``count`` requests in a row meet a fault, from 1."""
    return [number for number in range(1, count + 1) if book.of_request(op, about(*mobiles))]


def test_a_rule_without_conditions_strikes_always() -> None:
    assert struck(book({"do": "cut"}), 3) == [1, 2, 3]


def test_a_rule_may_strike_a_limited_number_of_times() -> None:
    assert struck(book({"do": "cut", "times": 2}), 4) == [1, 2]


def test_a_rule_may_strike_the_nth_or_several() -> None:
    assert struck(book({"do": "cut", "nth": 3}), 5) == [3]
    assert struck(book({"do": "cut", "nth": [1, 4]}), 5) == [1, 4]


def test_a_rule_may_strike_one_op_and_counts_only_that() -> None:
    rules = book({"do": "cut", "op": "sendSm", "nth": 2})
    assert struck(rules, 3, "login") == []
    assert struck(rules, 3, "sendSm") == [2]


def test_a_rule_may_strike_requests_to_one_mobile() -> None:
    rules = book({"do": "cut", "mobile": "13708600860"})
    assert struck(rules, 1, "sendSm", "18930612517") == []
    assert struck(rules, 1, "sendSm", "18930612517", "13708600860") == [1]


def test_chance_strikes_about_as_often_as_it_says_and_the_same_for_the_same_seed() -> None:
    first, again = (struck(book({"do": "cut", "chance": 0.1, "seed": 7}), 2_000) for _ in range(2))
    assert first == again
    assert 150 < len(first) < 250
    assert first != struck(book({"do": "cut", "chance": 0.1, "seed": 8}), 2_000)


def test_of_several_rules_the_first_that_fires_strikes_and_counting_goes_on_for_all() -> None:
    rules = book({"do": "cut", "nth": 1}, {"do": "code", "code": 210, "nth": 2}, {"do": "garble"})
    faults = [rules.of_request("sendSm", about()) for _ in range(3)]
    assert [fault and fault.do for fault in faults] == ["cut", "code", "garble"]
    assert rules.applied == {"cut": 1, "code": 1, "garble": 1}


def test_an_exhausted_rule_makes_room_for_the_next() -> None:
    rules = book({"do": "cut", "times": 1}, {"do": "garble"})
    faults = [rules.of_request("sendSm", about()) for _ in range(2)]
    assert [fault and fault.do for fault in faults] == ["cut", "garble"]


def test_faults_of_pushes_and_of_requests_do_not_mix() -> None:
    rules = book({"do": "duplicate", "op": "mo"}, {"do": "cut"}, {"do": "early"})
    assert rules.of_push("report", about()) is None
    push, request, early = rules.of_push("mo", about()), rules.of_request("login", about()), rules.early(about())
    assert [fault and fault.do for fault in (push, request, early)] == ["duplicate", "cut", "early"]


def test_what_was_seen_and_applied_is_told_and_new_rules_keep_the_totals() -> None:
    rules = book({"do": "cut", "nth": 2, "when": "after"})
    struck(rules, 3)
    assert rules.as_json() == {
        "rules": [{"do": "cut", "nth": [2], "when": "after", "seen": 3, "applied": 1}],
        "applied": {"cut": 1},
    }
    rules.replace([])
    assert rules.as_json() == {"rules": [], "applied": {"cut": 1}}
    rules.forget()
    assert rules.as_json() == {"rules": [], "applied": {}}


def test_a_garbled_answer_is_unreadable_in_another_way_each_time() -> None:
    assert len({GarbleFault().garbled(turn) for turn in range(7)}) == 7
    assert GarbleFault(body="?").garbled(3) == b"?"


@pytest.mark.parametrize(
    "rule",
    [
        {"do": "explode"},
        {},
        {"do": "code"},
        {"do": "cut", "chances": 0.5},
        {"do": "cut", "chance": 2},
        {"do": "delay", "seconds": -1},
        {"do": "duplicate", "op": "sendSm"},
        {"do": "late", "when": "before"},
        "cut",
    ],
)
def test_a_rule_that_makes_no_sense_is_refused(rule: Any) -> None:
    with pytest.raises(Refused):
        checked_rules(rule)
