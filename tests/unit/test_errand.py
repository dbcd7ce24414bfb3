"""What one delivery of a message has come to, as metrics tell it."""

from collections import Counter

from kuaixintong.core.codes import Trouble
from kuaixintong.core.ledger import Attention, State
from kuaixintong.errand import Again, Progress


def test_a_delivery_that_comes_to_nothing_counts_itself() -> None:
    assert [*Progress("order-1").counts()] == [("Deliveries", 1)]


def test_each_count_has_the_name_that_the_alarms_know() -> None:
    progress = Progress(
        "order-1",
        again=Again(3.0, "the account is paused"),
        states=Counter({State.ACCEPTED: 2, State.REJECTED: 3}),
        pauses=Counter({Trouble.ACCOUNT_DISABLED: 4}),
        attention=Counter({Attention.GAVE_UP: 5}),
        repeats=6,
        too_dear=7,
        waiting=8,
        left_out=Counter({"OptedOut": 9}),
        over_limit=10,
        daily_used=0,
    )
    assert dict(progress.counts()) == {
        "Deliveries": 1,
        "PutOff": 1,
        "PartsAccepted": 2,
        "PartsRejected": 3,
        "PausedAccountDisabled": 4,
        "AttentionGaveUp": 5,
        "PartsRepeated": 6,
        "PartsTooDear": 7,
        "PartsHeld": 8,
        "LeftOutOptedOut": 9,
        "PartsOverLimit": 10,
        "DailyLimitUsed": 0,
    }


def test_the_soonest_of_several_delays_counts() -> None:
    progress = Progress("order-1")
    for delay in (5.0, 2.0, 9.0):
        progress.put_off(Again(delay, "later"))
    assert progress.again is not None
    assert progress.again.delay == 2.0
