"""The one rule for numbers in the platform's JSON: whole and below 2**53 is exact, however it is written.

Up to there a double holds every whole number, so ``7.0000012E7`` and ``70000012.0`` are 70000012 and have lost
nothing on the way. From there on a sender that writes a fraction or an exponent has rounded already, and which
number it meant cannot be told; plain digits are believed at any length.
"""

import re

EXACT_BELOW = 2**53

_DIGITS = len(str(EXACT_BELOW))

_form = re.compile(r"(-?)([0-9]+)(?:\.([0-9]+))?(?:[eE]([+-]?)([0-9]+))?").fullmatch


class Written(str):
    """A JSON number (or ``NaN``, ``Infinity``) as it was written."""

    __slots__ = ()


def whole(number: str) -> str | None:
    """Return the digits of a JSON number, with its sign, if it is whole and beyond doubt; otherwise ``None``.

    Takes any text and time linear in it: nothing is raised to a power that a stranger names.
    """
    form = _form(number)
    if form is None:
        return None
    sign, before, after, down, power = form.groups()
    digits = before.lstrip("0")
    if after is not None or power is not None:
        digits = _shifted(digits, after or "", _places(down, power or ""))
        if digits is None or int(digits or "0") >= EXACT_BELOW:
            return None
    return f"{sign}{digits}" if digits else "0"


def _places(down: str, power: str) -> int:
    """Return how far the point moves to the right; what is beyond any text's length is cut to that."""
    power = power.lstrip("0")
    places = int(power or "0") if len(power) < _DIGITS else 10**_DIGITS
    return -places if down == "-" else places


def _shifted(before: str, after: str, places: int) -> str | None:
    """Move the point; return the digits without leading zeros, or ``None`` if it is not whole, or too long."""
    significant = (before + after).lstrip("0")
    zeros = places - len(after)
    if not significant:
        return ""
    if zeros < 0:
        whole_part, fraction = significant[:zeros], significant[zeros:]
        if fraction.strip("0"):
            return None
        significant, zeros = whole_part, 0
    return significant + "0" * zeros if len(significant) + zeros <= _DIGITS else None
