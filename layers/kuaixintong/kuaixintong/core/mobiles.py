"""A Chinese mobile, in the ways in which people and programs write it."""

import re

from kuaixintong.core.characters import HIDDEN

_MOBILE = re.compile(r"(?:\+86|0086|86)?(1[0-9]{10})")

_HYPHENS = "\\-\u2010-\u2015\u2043\u2212\u2e3a\u2e3b\ufe58\ufe63\uff0d"
_LEFT_OUT = re.compile(f"[ {_HYPHENS}{HIDDEN}]+")

# Full-width forms alone, and not all that Unicode calls a digit: the ² of a footnote is no part of a number.
_FULL_WIDTH = str.maketrans("０１２３４５６７８９＋\ufe62", "0123456789++")


def normalise(mobile: str) -> str | None:
    """Return the 11 digits of a Chinese mobile, or ``None`` if they are not there.

    A country code, blanks, hyphens, full-width forms and what does not show make no difference.
    """
    found = _MOBILE.fullmatch(mobile) or _MOBILE.fullmatch(_LEFT_OUT.sub("", mobile).translate(_FULL_WIDTH))
    return found[1] if found else None
