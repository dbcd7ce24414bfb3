"""Words that opt out and come back: compared whole, however they are written."""

import re
import unicodedata

import pytest

from kuaixintong.core.messages import MO
from kuaixintong.core.optout_words import OPT_OUT, RESUBSCRIBE, Said, Words, listed, normalised, said
from tests.template import load

WORDS = Words.of()

OPT_OUTS = [
    *(
        "R",
        "T",
        "TD",
        "N",
        "QX",
        "0000",
        "退",
        "退订",
        "拒收",
        "取消",
        "回T",
        "回TD",
        "回复TD",
        "TD退订",
        "退订回T",
    ),
    *(
        "r",
        "td",
        "Td",
        "Ｒ",
        "ＴＤ",
        "０００0",
        "T.",
        "退订。",
        "“退订”",
        '"TD"',
        "「取消」",
        " T D ",
        "\u3000退 订\n",
    ),
    *("回复Ｒ！", "退订回复", "R\u200b", "\ufeffTD", "TD~", "【退订】", "回 复：T", "t\u00a0", "(R)", "Ⓡ"),
]
NONE = [
    *(
        "退货",
        "我要退订单",
        "TDK",
        "N次",
        "",
        "。",
        "?",
        "R?R",
        "RR",
        "不退订",
        "00000",
        "回",
        "回复",
        "退订退订",
        "你好",
    ),
    *("TD退订退订", "订", "消", "取消订单", "R" * 100_000, " " * 100_000, "R" + " " * 1_000 + "R"),
]


@pytest.mark.parametrize("text", [each for each in OPT_OUTS if each != "退订回复"])
def test_these_opt_out(text: str) -> None:
    assert WORDS.meaning(text) is True


@pytest.mark.parametrize("text", [*NONE, "退订回复"], ids=lambda text: text[:10])
def test_these_do_not(text: str) -> None:
    assert WORDS.meaning(text) is None


@pytest.mark.parametrize("text", ["START", "start", "ｓｔａｒｔ！", "订阅", "恢复。", " 订 阅 "])
def test_these_come_back(text: str) -> None:
    assert WORDS.meaning(text) is False


def test_the_lists_are_the_contracts() -> None:
    words = ("R", "T", "TD", "N", "QX", "0000", "退", "退订", "拒收", "取消")
    prefixed = {prefix + word for prefix in ("回", "回复", "退订回") for word in words}
    assert set(OPT_OUT) == {*words, *prefixed, "TD退订"}
    assert set(RESUBSCRIBE) == {"START", "订阅", "恢复"}


def test_a_deployments_own_words_take_the_place_of_the_lists() -> None:
    words = Words.of(r"\u9000\u8ba2, stop", "go")
    assert [words.meaning(text) for text in ("退订", "STOP!", "T", "GO", "START")] == [
        True,
        True,
        None,
        False,
        None,
    ]
    assert Words.of(" ", "") == WORDS


def test_a_word_that_stands_in_both_lists_opts_out() -> None:
    assert Words.of("T,GO", "go").meaning("go") is True


@pytest.mark.parametrize(
    "parameter", ["T,,R", ",T", "T,", "!", r"T,\u3002", "T,?", r"\u003f", "T?", "？", r"\u9000,？"]
)
def test_a_word_of_which_nothing_is_left_or_that_a_question_mark_has_replaced_is_refused(parameter: str) -> None:
    with pytest.raises(ValueError, match=re.escape(parameter)):
        Words.of(parameter)


PARAMETERS = [load()["Parameters"][name] for name in ("OptOutWords", "ResubscribeWords")]


@pytest.mark.parametrize("parameter", PARAMETERS, ids=["out", "back"])
def test_the_template_lets_no_word_through_that_is_none(parameter: dict[str, str]) -> None:
    fits = re.compile(parameter["AllowedPattern"], re.ASCII).fullmatch
    for refused in (
        "T,,R",
        ",T",
        "T,",
        "!",
        r"T,\u3002",
        "T,?",
        "?",
        r"\u003f",
        "退订",
        r"\u90",
        r"\u4dc0",
        " ",
        ",",
    ):
        assert not fits(refused), refused
    for taken in ("", "T", "TD,R", "T, R", r"\u9000\u8ba2,T", r"回T".encode("unicode_escape").decode()):
        assert fits(taken), taken
    every = [f"\\u{number:04x}" for number in range(0x10000)]
    escapes = [each for each in every if fits(each)]
    assert len(escapes) > 20_000
    for each in escapes:
        (word,) = listed(each)
        assert word


def test_every_character_that_the_template_lets_through_is_a_letter() -> None:
    fits = re.compile(PARAMETERS[0]["AllowedPattern"], re.ASCII).fullmatch
    for number in range(0x10000):
        if fits(f"\\u{number:04x}"):
            assert unicodedata.category(chr(number)) in ("Lo", "Cn"), hex(number)


def test_a_text_is_read_no_further_than_it_could_be_a_word() -> None:
    assert normalised("退订" * 1_000, most=3) == "退订退订"


def mo(content: str, date: str = "2026-11-25 12:00:00", mobile: str = "13700000001") -> MO:
    return MO(mobile, content, date)


def test_of_several_the_latest_counts_and_at_the_same_moment_the_one_that_opts_out() -> None:
    mos = [mo("T"), mo("订阅", "2026-11-25 12:00:01"), mo("N", "2026-11-25 12:00:00.5"), mo("你好")]
    assert said(mos, WORDS) == {"13700000001": Said("2026-11-25T12:00:01.000+08:00", out=False)}
    same = [mo("订阅"), mo("T"), mo("订阅")]
    for order in (same, same[::-1]):
        assert said(order, WORDS) == {"13700000001": Said("2026-11-25T12:00:00.999+08:00", out=True)}
    assert said([mo("你好")], WORDS) == {}


def test_a_fraction_of_a_second_sorts_as_it_should() -> None:
    mos = [mo("T", "2026-11-25 12:00:00.25"), mo("订阅", "2026-11-25 12:00:00.3")]
    assert said(mos, WORDS) == {"13700000001": Said("2026-11-25T12:00:00.300+08:00", out=False)}


@pytest.mark.parametrize("fraction", ["1", "12", "123", "1234", "123456789"])
def test_a_fraction_of_a_second_counts_to_the_millisecond(fraction: str) -> None:
    mos = [mo("T", f"2026-11-25 12:00:00.{fraction}")]
    assert said(mos, WORDS)["13700000001"].at == f"2026-11-25T12:00:00.{fraction[:3]:0<3}+08:00"


def test_a_question_mark_is_none_however_it_is_written() -> None:
    for parameter in ("T,退?", "T,退\\u003f"):
        with pytest.raises(ValueError, match="T"):
            listed(parameter)
