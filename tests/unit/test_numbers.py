"""Numbers in the platform's JSON: whole and below 2**53 is exact; above it, a floating notation is unreadable."""

import json
import time
from fractions import Fraction

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from kuaixintong.core.numbers import EXACT_BELOW, Written, whole


@pytest.mark.parametrize(
    ("written", "digits"),
    [
        ("7331", "7331"),
        ("7331.0", "7331"),
        ("7.331E3", "7331"),
        ("7.0000012E7", "70000012"),
        ("70000012e+00", "70000012"),
        ("1500e-2", "15"),
        ("0.05e2", "5"),
        ("0.050e3", "50"),
        ("1.500e1", "15"),
        (f"7.{'0' * 400}", "7"),
        (f"7e{'0' * 400}1", "70"),
        ("-1.0E1", "-10"),
        ("-0", "0"),
        ("-0.0", "0"),
        ("0e999999999999999999999999", "0"),
        ("9007199254740991.0", "9007199254740991"),
        ("9.007199254740991E15", "9007199254740991"),
        ("9007199254740993", "9007199254740993"),
        ("9" * 400, "9" * 400),
    ],
)
def test_a_whole_number_keeps_its_digits_in_any_notation(written: str, digits: str) -> None:
    assert whole(written) == digits


@pytest.mark.parametrize(
    "written",
    ["9007199254740992.0", "9.007199254740993E15", "-9007199254740992.0", "1e16", "1e99", f"{'9' * 400}.0"],
)
def test_above_what_a_double_holds_a_floating_notation_is_unreadable(written: str) -> None:
    assert whole(written) is None


@pytest.mark.parametrize(
    "written",
    ["1.5", "15e-1", "1e-99999999999999", f"1{'0' * 200}e-{'9' * 20}", "NaN", "Infinity", "-", "1e", "1.", "１"],
)
def test_what_is_no_whole_number_has_no_digits(written: str) -> None:
    assert whole(written) is None


numbers = st.from_regex(r"\A-?(0|[1-9][0-9]{0,20})(\.[0-9]{1,20})?([eE][+-]?[0-9]{1,3})?\Z")


@given(numbers)
@example("0.9007199254740991e16")
@example("90071992547409910e-1")
def test_the_digits_are_those_of_the_number_itself(written: str) -> None:
    exact = Fraction(written)
    floating = any(sign in written for sign in ".eE")
    beyond_doubt = exact.denominator == 1 and (not floating or abs(exact) < EXACT_BELOW)
    assert whole(written) == (str(exact.numerator) if beyond_doubt else None)


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_what_a_double_wrote_is_the_double_or_nothing(number: float) -> None:
    digits = whole(json.dumps(number))
    assert digits == (str(int(number)) if number.is_integer() and abs(number) < EXACT_BELOW else None)


@given(st.text(max_size=30))
def test_no_text_is_too_strange(text: str) -> None:
    digits = whole(Written(text))
    assert digits is None or digits.removeprefix("-").isdigit()


@pytest.mark.parametrize(
    "hostile", ["1e999999999999", f"1e{'9' * 1_000_000}", f"{'1' * 1_000_000}e-999999", f"1.{'0' * 1_000_000}"]
)
def test_no_exponent_costs_more_than_its_text(hostile: str) -> None:
    begin = time.process_time()
    whole(hostile)
    assert time.process_time() - begin < 1
