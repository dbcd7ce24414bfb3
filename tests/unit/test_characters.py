"""Characters that do not show, and characters as Java and JSON count and write them."""

import json
import unicodedata

import pytest

from kuaixintong.core.characters import escaped, hidden, hidden_at, made_visible, utf16_units

NOT_SHOWN = {
    "controls": "\x00\x07\x1f\x7f\x80\x9f",
    "blanks other than the plain one": "\t\n\r\xa0\u1680\u2000\u200a\u2028\u2029\u202f\u205f\u3000",
    "directions and joiners": "\u200b\u200c\u200d\u200e\u200f\u202a\u202d\u202e\u2060\u2066\u2069\u206f\u061c",
    "variation selectors": "\u180b\u180d\u180f\ufe00\ufe0f\U000e0100\U000e01ef",
    "fillers": "\u115f\u1160\u17b4\u17b5\u2800\u3164\uffa0",
    "marks and tags": "\xad\u034f\ufeff\ufff0\ufff9\ufffb\U000e0000\U000e007f\U000e0fff",
    "format characters of notations": "\U0001bca0\U0001bca3\U0001d173\U0001d17a",
}

SHOWN = (
    " 0Xx~¡®\u0300é退订，。—\u2010\u2015\u2030\u20ac\uff0d\ufe10\ufffc\ufffd"
    "\U0001f600\U0001bca4\U0001d172\U000df000"
)


@pytest.mark.parametrize("characters", NOT_SHOWN.values(), ids=NOT_SHOWN)
def test_what_a_reader_would_miss_is_hidden(characters: str) -> None:
    assert [each for each in characters if not hidden(each)] == []
    assert made_visible(characters).isascii()


@pytest.mark.parametrize("character", SHOWN, ids=lambda each: f"U+{ord(each):04X}")
def test_what_a_reader_sees_is_not(character: str) -> None:
    assert hidden(character) == []
    assert made_visible(character) == character


def test_everything_that_unicode_calls_a_control_a_format_or_a_separator_is_hidden_but_for_those_of_scripts() -> (
    None
):
    kinds = ("Cc", "Cf", "Zl", "Zp", "Zs")
    found = {
        chr(code) for code in range(0x110000) if unicodedata.category(chr(code)) in kinds and not hidden(chr(code))
    }
    assert " " in found
    arabic_syriac_kaithi_and_hieroglyphs = "\u0600\u0605\u06dd\u070f\u0890\u0891\u08e2\U000110bd\U000110cd"
    assert {each for each in found if not "\U00013430" <= each <= "\U0001343f"} <= {
        " ",
        *arabic_syriac_kaithi_and_hieroglyphs,
        *map(chr, range(0x600, 0x606)),
    }


def test_the_first_three_different_ones_are_named_in_their_order() -> None:
    assert hidden("a\u200bb\ufeff\u200b\x00\u202d") == ["U+200B", "U+FEFF", "U+0000"]
    assert hidden("\U000e0041") == ["U+E0041"]
    assert hidden("周末") == []


def test_what_does_not_show_is_named_at_its_place() -> None:
    assert hidden_at("a\u200bb", 1) == "U+200B"
    assert hidden_at("a\u200bb", 0) is None
    assert hidden_at("a\u200bb", 2) is None


@pytest.mark.parametrize(
    ("character", "written"),
    [("\x00", "\\u0000"), ("退", "\\u9000"), ("\U0001f600", "\\ud83d\\ude00"), ("\ud83d", "\\ud83d")],
)
def test_a_character_is_escaped_as_json_has_it(character: str, written: str) -> None:
    assert escaped(character) == written
    assert json.loads(f'"{written}"') == character


def test_a_text_is_made_visible_and_reads_the_same_as_json() -> None:
    assert made_visible("13\u200b8\U000e0041") == "13\\u200b8\\udb40\\udc41"
    assert json.loads(f'"{made_visible("13\u200b8\U000e0041")}"') == "13\u200b8\U000e0041"


@pytest.mark.parametrize(("text", "units"), [("", 0), ("a", 1), ("退订", 2), ("\U0001f600", 2), ("e\u0301", 2)])
def test_a_text_is_as_long_as_java_has_it(text: str, units: int) -> None:
    assert utf16_units(text) == units


def test_half_a_surrogate_pair_has_no_length() -> None:
    with pytest.raises(ValueError, match="surrogates not allowed"):
        utf16_units("\ud83d")
