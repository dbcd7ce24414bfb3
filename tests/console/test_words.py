"""The texts of the pages: whole in both languages, and each of use."""

import re
import string
from pathlib import Path

import pytest

pytest.importorskip("nicegui", reason="the console is not installed: make .venv/marks/console")

from kuaixintong.core.delivery import Delivery
from kuaixintong.core.ledger import Attention, State
from kxt.console.handsets import Mode
from kxt.console.language import Words, preferred
from kxt.console.pages.platform import SWITCHES
from kxt.console.words import TEXTS

SOURCES = "\n".join(
    path.read_text("utf-8")
    for path in (Path(__file__).parent.parent.parent / "kxt" / "console").rglob("*.py")
    if path.name != "words.py"
)
BY_VALUE = {"state", "delivery", "event", "attention", "advice", "pause", "category", "by"}
"""Texts for a library's values, whose keys are put together: :meth:`Words.of`."""

CHINESE = re.compile(r"[\u4e00-\u9fff]")
ALIKE = {"token {token}", "token"}
"""Words of the platform's that are the same in Chinese."""


def placeholders(text: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(text) if name}


@pytest.mark.parametrize("key", TEXTS)
def test_a_text_is_there_in_both_languages_with_room_for_the_same_values(key: str) -> None:
    english, chinese = TEXTS[key]
    assert english.strip()
    assert placeholders(english) == placeholders(chinese)
    if key == "language.name":
        return
    assert not CHINESE.search(english)
    assert CHINESE.search(chinese) or chinese in ALIKE
    assert not re.search(r"[a-z]{3,}", re.sub(r"\{\w+\}|token|HTTP|CSV", "", chinese)), "English in a Chinese text"


def test_every_key_that_a_page_asks_for_is_in_the_table() -> None:
    asked = set(re.findall(r"""\bt\(\s*["']([a-z][\w.\- ]+)["']""", SOURCES))
    asked |= set(re.findall(r"""["']((?:send|sends|account|platform|attention|mobile)\.[\w-]+)["']""", SOURCES))
    assert len(asked) > 100
    assert asked <= set(TEXTS)


def test_every_text_is_asked_for_somewhere() -> None:
    families = {
        found.rstrip(".-") for found in re.findall(r"""f["']([a-z][\w-]*[.-](?:[\w-]*-)?)\{""", SOURCES)
    } | BY_VALUE
    unused = [
        key
        for key in TEXTS
        if f'"{key}"' not in SOURCES
        and not any(key.startswith((f"{family}.", f"{family}-")) for family in families)
    ]
    assert unused == []


def test_what_the_library_knows_has_words() -> None:
    for kind, values in (
        ("state", State),
        ("delivery", Delivery),
        ("attention", Attention),
        ("advice", Attention),
        ("mode", Mode),
        ("fault", SWITCHES),
    ):
        assert [value for value in values if f"{kind}.{value}" not in TEXTS] == []


def test_a_value_that_nobody_has_words_for_stands_as_it_is() -> None:
    assert Words("zh").of("state", "ACCEPTED") == "已受理"
    assert Words("en").of("state", "BEYOND") == "BEYOND"
    assert Words("en").of("state", None) == "–"


@pytest.mark.parametrize(
    ("accepted", "language"),
    [
        ("", "en"),
        ("zh-CN,zh;q=0.9,en;q=0.8", "zh"),
        ("de, en;q=0.5, zh;q=0.7", "zh"),
        ("fr", "en"),
        ("en-GB,zh", "en"),
        ("zh;q=x,en", "en"),
    ],
)
def test_the_browsers_first_wish_decides_the_language(accepted: str, language: str) -> None:
    assert preferred(accepted) == language
