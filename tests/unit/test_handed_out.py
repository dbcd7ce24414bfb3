"""Slots a second, as two marks tell them."""

from kuaixintong.core.beijing import TICKS_PER_SECOND
from kuaixintong.core.gate import Account

NOW = 1_000_000 * TICKS_PER_SECOND


def test_a_rest_before_a_burst_does_not_make_the_burst_small() -> None:
    """The older mark is of an hour ago: it would tell a hundredth of a slot a second."""
    account = Account(
        handed=140, mark=(NOW - TICKS_PER_SECOND, 100), mark_before=(NOW - 3_600 * TICKS_PER_SECOND, 90)
    )
    assert account.handed_out(now=NOW) == 40
