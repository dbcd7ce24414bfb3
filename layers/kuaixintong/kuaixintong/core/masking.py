"""What may be shown of a mobile."""

import re

_MOBILE_LENGTH = 11
_HIDDEN = range(3, 7)
"""Places of a mobile that are never shown: three before them and four after may be."""

_DIGITS = re.compile(r"\d(?:[\W_]*\d){10,}")
"""Eleven digits or more, with nothing but marks between them: a letter ends a mobile, a hyphen does not."""


def masked(mobile: str) -> str:
    """Return a mobile as logs may show it: ``138****0860``; anything too short to stay anonymous is all stars."""
    return f"{mobile[:3]}****{mobile[-4:]}" if len(mobile) >= _MOBILE_LENGTH else "****"


def mask_all(text: str) -> str:
    """Return a text with every mobile in it masked: an id is the user's, and may be made of one.

    Where more digits stand together, nobody knows at which of them a mobile begins. So any eleven that begin with
    a 1 are taken for one, across separators too, and each loses its middle.
    """
    return _DIGITS.sub(lambda found: _without_middles(found[0]), text)


def _without_middles(run: str) -> str:
    places = [place for place, character in enumerate(run) if character.isdecimal()]
    begins = [n for n in range(len(places) - _MOBILE_LENGTH + 1) if int(run[places[n]]) == 1]
    hidden = {places[begin + middle] for begin in begins for middle in _HIDDEN}
    return "".join("*" if place in hidden else character for place, character in enumerate(run))
