"""What logs may show of a mobile."""

import re
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

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
        ("order-2026-11-23:1", "order-2026-11-23:1"),
        ("059f36b4-87a3-44ab-83d2-661975830a7d", "059f36b4-87a3-44ab-83d2-661975830a7d"),
        ("13708600860-otp-4711", "137****0860-otp-4711"),
        ("13708600860.18930612517", "137****0860.189****2517"),
        ("otp-135-0000-0000-x", "otp-135-****-0000-x"),
        ("otp_1 3 5_00.00:0000", "otp_1 3 5_**.**:0000"),
        ("+86\u202a137\u20110860\u20110860", "+86\u202a137\u2011****\u20110860"),
        ("１３７０８６００８６０", "１３７****０８６０"),
        ("2026112513500001234", "2026112********1234"),  # mobiles can begin at three of its digits
        ("2026-11-23:13708600860", "2026-11-2*:*******0860"),
        ("20261123-000017", "20261123-000017"),
        ("1370860086-x", "1370860086-x"),
    ],
)
def test_an_id_that_is_made_of_a_mobile_does_not_tell_it(text: str, shown: str) -> None:
    assert mask_all(text) == shown


IDS = "0123456789abzAZ._:-"


@given(
    st.text(IDS, max_size=20), st.from_regex(r"1[0-9]{10}", fullmatch=True), st.data(), st.text(IDS, max_size=20)
)
def test_no_whole_mobile_can_be_read_out_of_an_id_wherever_it_stands_and_whatever_separates_its_digits(
    before: str, mobile: str, data: st.DataObject, after: str
) -> None:
    marks = data.draw(st.lists(st.text("._:-", max_size=2), min_size=11, max_size=11))
    written = "".join(mark + digit for mark, digit in zip(marks, mobile, strict=True))
    told = mask_all(before + written + after)
    assert len(told) == len(before + written + after)
    digits = re.sub(r"[._:-]", "", told)
    assert not re.search(r"1[0-9]{10}", digits)


@given(st.text(IDS, max_size=128))
def test_nothing_but_digits_is_ever_masked(text: str) -> None:
    told = mask_all(text)
    assert all(now == before or (now == "*" and before.isdigit()) for before, now in zip(text, told, strict=True))


def test_masking_takes_time_in_proportion_to_the_text() -> None:
    text = "1" + "-" * 100_000 + ("12" + "-" * 1_000) * 50 + "x"
    began = time.process_time()
    mask_all(text * 3)
    assert time.process_time() - began < 1
