r"""The words by which a handset opts out of marketing, and those by which it comes back (contract, section 2b).

A word is compared whole, after NFKC, and without blanks, punctuation, symbols and case: ``Ｔ``, ``“t”`` and ``T.``
are all ``T``, and a longer text that merely holds one is none.

The lists stand here, and a parameter's words may be written ``\uXXXX``: CloudFormation shows other characters than
ASCII's as ``?``.
"""

import re
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Self

from kuaixintong.core.messages import MO

_WORDS = ("R", "T", "TD", "N", "QX", "0000", "退", "退订", "拒收", "取消")

OPT_OUT = (*(start + word for word in _WORDS for start in ("", "回", "回复", "退订回")), "TD退订")
RESUBSCRIBE = ("START", "订阅", "恢复")

_LEFT_OUT = frozenset("ZPSC")
"""Unicode's categories of what makes no difference: blanks, punctuation, symbols, and what does not show."""

_ESCAPE = re.compile(r"\\u([0-9A-Fa-f]{4})")


def normalised(text: str, *, most: int | None = None) -> str:
    """Return what words are compared by; of a text with more than ``most`` characters, only the first of them."""
    kept: list[str] = []
    for character in _folded(text):
        if unicodedata.category(character)[0] not in _LEFT_OUT:
            kept.append(character)
            if most is not None and len(kept) > most:
                break
    return "".join(kept)


def _folded(text: str) -> str:
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())


@dataclass(frozen=True, slots=True)
class Words:
    """Both lists of a deployment, normalised."""

    out: frozenset[str]
    back: frozenset[str]

    @classmethod
    def of(cls, out: str = "", back: str = "") -> Self:
        """Read both parameters; an empty one means the layer's own list. Raises :class:`ValueError`."""
        opt_out = frozenset(listed(out)) or frozenset(map(normalised, OPT_OUT))
        # A word that stands in both lists opts out: who did not mean to can say so again.
        return cls(opt_out, (frozenset(listed(back)) or frozenset(map(normalised, RESUBSCRIBE))) - opt_out)

    def meaning(self, text: str) -> bool | None:
        """Return ``True`` for a text that opts out, ``False`` for one that comes back, ``None`` for any other."""
        said = normalised(text, most=max(map(len, self.out | self.back), default=0))
        if said in self.out:
            return True
        return False if said in self.back else None


@dataclass(frozen=True, slots=True, order=True)
class Said:
    """When a handset said that it opts out, or comes back; of two at the same moment, the one that opts out."""

    at: str
    out: bool


def said(mos: Iterable[MO], words: Words) -> Mapping[str, Said]:
    """Return, of the mobiles that say such a word, what they said last."""
    latest: dict[str, Said] = {}
    for mo in mos:
        out = words.meaning(mo.content)
        if out is not None:
            this = Said(_iso(mo.smg_recv_date, out=out), out)
            latest[mo.mobile] = max(this, latest.get(mo.mobile, this))
    return latest


def _iso(date: str, *, out: bool) -> str:
    """Return the spec's date, whose second may have a fraction, as ISO 8601 with milliseconds, which sorts.

    Of a whole second nobody knows the moment. Whoever opts out in it has done so at its end: after a person, whose
    moments are finer, has put the mobile back in the same second.
    """
    second, _, fraction = date.partition(".")
    return f"{second.replace(' ', 'T')}.{fraction[:3]:{9 if out and not fraction else 0}<3}+08:00"


def listed(parameter: str) -> Iterable[str]:
    r"""Return a parameter's words, normalised: separated by commas, a character also written as ``\u9000``.

    Raises :class:`ValueError` for a word of which nothing is left, or which holds a ``?``: one that CloudFormation
    has put in place of a character.
    """
    if not parameter.strip():
        return ()
    words = [_ESCAPE.sub(lambda found: chr(int(found[1], 16)), each) for each in parameter.split(",")]
    if "?" in parameter or "?" in "".join(words) or not all(map(normalised, words)):
        raise ValueError(parameter)
    return [normalised(word) for word in words]
