"""What logs may show of a mobile."""

import pytest

from kuaixintong.core.masking import mask_all, masked


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


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("order-1", "order-1"),
        ("2026-11-23:13708600860", "2026-11-23:137****0860"),
        ("13708600860.18930612517", "137****0860.189****2517"),
        ("059f36b4-87a3-44ab-83d2-661975830a7d", "059f36b4-87a3-44ab-83d2-661975830a7d"),
    ],
)
def test_an_id_that_is_made_of_a_mobile_does_not_tell_it(text: str, shown: str) -> None:
    assert mask_all(text) == shown
