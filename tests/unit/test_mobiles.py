"""Mobiles, in the ways in which people and programs write them."""

import pytest

from kuaixintong.core.mobiles import normalise

PLAIN = "13708600860"


@pytest.mark.parametrize(
    "written",
    [
        PLAIN,
        "+8613708600860",
        "008613708600860",
        "8613708600860",
        "+86 137 0860 0860",
        "137-0860-0860",
        "137\u20100860\u20140860",
        "137\u22120860\uff0d0860",
        "137\u20430860\ufe580860\ufe63",
        "137\u2e3a0860\u2e3b0860\u2015",
        "１３７０８６００８６０",
        "＋86 13708600860",
        "\ufe6286 13708600860",
        "\u202d137 0860 0860\u202c",
        "\ufeff13708600860\u200b",
        "137\u30000860\xa00860",
        " 13708600860\n",
    ],
)
def test_a_mobile_is_its_eleven_digits_however_it_is_written(written: str) -> None:
    assert normalise(written) == PLAIN


@pytest.mark.parametrize(
    "written",
    [
        "",
        "1370860086",
        "137086008600",
        "23708600860",
        "+85213708600860",
        "+13708600860",
        "86 86 13708600860",
        "137.0860.0860",
        "(137)08600860",
        "137/08600860",
        "1370860086²",
        "١٣٧٠٨٦٠٠٨٦٠",
        "1370860086O",
        "137X08600860",
        "13708600860,13708600861",
    ],
)
def test_what_is_no_mobile_of_eleven_digits_is_none(written: str) -> None:
    assert normalise(written) is None
