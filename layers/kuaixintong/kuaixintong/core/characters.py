"""Characters: how many the platform counts, and which of them do not show.

Contacts, chats and PDFs bring along what a reader of a text would miss: controls, blanks other than the plain one,
and what Unicode lets renderers ignore (directions, joiners, variation selectors, fillers, the byte order mark).
"""

import re

HIDDEN = (
    r"\x00-\x1f\x7f-\xa0\xad\u034f\u061c\u115f\u1160\u1680\u17b4\u17b5\u180b-\u180f\u2000-\u200f"
    r"\u2028-\u202f\u205f-\u206f\u2800\u3000\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufffb"
    r"\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff"
)
"""The ranges of a regular expression's class, to be put between brackets."""

_HIDDEN = re.compile(f"[{HIDDEN}]")

_MOST_NAMED = 3


def hidden(text: str) -> list[str]:
    """Return the names (``U+200B``) of what does not show in a text: the first three different ones, in order."""
    return [_name(each) for each in dict.fromkeys(_HIDDEN.findall(text))][:_MOST_NAMED]


def hidden_at(text: str, place: int) -> str | None:
    """Return the name of the character at ``place`` if it does not show."""
    found = _HIDDEN.match(text, place)
    return _name(found[0]) if found else None


def made_visible(text: str) -> str:
    r"""Return a text with JSON's escapes (``\u200b``) in place of what does not show."""
    return _HIDDEN.sub(lambda found: escaped(found[0]), text)


def escaped(character: str) -> str:
    """Return JSON's escape of a character: six ASCII characters, or twelve beyond U+FFFF."""
    units = character.encode("utf-16-be", "surrogatepass").hex()
    return "".join(f"\\u{units[at : at + 4]}" for at in range(0, len(units), 4))


def _name(character: str) -> str:
    return f"U+{ord(character):04X}"


def utf16_units(text: str) -> int:
    """Return the length of ``text`` as Java counts it: an emoji outside the basic plane is two.

    Raises ``ValueError`` where half a surrogate pair stands alone.
    """
    return len(text.encode("utf-16-le")) // 2
