"""What logs may show of a mobile."""

import pytest

from kuaixintong.masking import masked


@pytest.mark.parametrize(
    ("mobile", "shown"),
    [
        ("13708600860", "137****0860"),
        ("+8613708600860", "+86****0860"),
        ("1370860086", "****"),  # ten digits: seven shown would leave three to guess
        ("1234567", "****"),
        ("", "****"),
    ],
)
def test_a_mobile_is_never_shown_whole(mobile: str, shown: str) -> None:
    assert masked(mobile) == shown
