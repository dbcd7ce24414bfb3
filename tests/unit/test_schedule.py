"""When a message comes back."""

import pytest

from kuaixintong.core.schedule import LONGEST_BACKOFF, backoff


@pytest.mark.parametrize(
    ("tries", "longest"), [(1, 2), (2, 4), (3, 8), (9, 512), (10, 900), (11, 900), (500, 900), (10**6, 900)]
)
def test_backoff_doubles_to_a_quarter_of_an_hour_less_up_to_half(tries: int, longest: float) -> None:
    assert backoff(tries, 0.0) == longest
    assert backoff(tries, 1.0) == longest / 2
    assert backoff(tries, 0.5) <= LONGEST_BACKOFF
