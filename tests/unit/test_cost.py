"""What a send costs: mobiles × segments."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kuaixintong.core.cost import cost, segments
from local.simulator.platform import segments as fee_segments
from local.simulator.settings import Settings

EMOJI = "\U0001f600"


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("x", 1),
        ("长" * 70, 1),
        ("长" * 71, 2),
        ("长" * 134, 2),
        ("长" * 135, 3),
        ("x" * 1_000, 15),
        (EMOJI * 35, 1),
        (EMOJI * 36, 2),
        (EMOJI * 35 + "x", 2),
    ],
)
def test_70_utf_16_units_make_one_segment_and_longer_texts_67_a_segment(content: str, expected: int) -> None:
    assert segments(content) == expected


def test_a_send_costs_its_segments_for_every_mobile() -> None:
    assert cost(("13708600860", "18930612517"), "长" * 71) == 4
    assert cost(["13708600860"], "x") == 1
    assert cost((), "x") == 0


@given(st.text(min_size=1, max_size=1_000))
def test_the_simulated_platform_counts_the_same(content: str) -> None:
    assert segments(content) == fee_segments(content, Settings())
