"""JSON from a stranger: nothing lost in reading, nothing that a hostile text can blow up.

Two habits of ``json.loads`` are dangerous at an open door. It turns numbers into machine numbers, which loses
digits of long tokens and refuses integers past 4,300 digits; and it gives back values only, while quarantine
wants the very text of what was bad. So numbers stay as they were written, and members and elements come with
their own text.
"""

import json
import re
from collections.abc import Iterator
from typing import Any


class Literal(str):
    """A JSON number (or ``NaN``, ``Infinity``) as it was written."""

    __slots__ = ()


class NotJson(ValueError):
    """The text is not the JSON that was asked for. The message never quotes the text."""


# strict=False: a raw line break inside a string is a sloppy sender's, and harmless.
_decode = json.JSONDecoder(strict=False, parse_int=Literal, parse_float=Literal, parse_constant=Literal).raw_decode
_past_space = re.compile(r"[ \t\r\n]*").match
_bare_name = re.compile(r"[A-Za-z_][A-Za-z0-9_]*").match


def elements(text: str) -> Iterator[tuple[Any, str]]:
    """Yield each element of a JSON array, as a value and in its own text.

    Raises :class:`NotJson` if the text is no JSON array, at the latest when it is read to its end.
    """
    at = _skip(text, _expect("[", text, _skip(text, 0)))
    if text.startswith("]", at):
        _expect_end(text, at + 1)
        return
    while True:
        value, end = _value(text, at)
        yield value, text[at:end]
        at = _skip(text, end)
        if text.startswith("]", at):
            _expect_end(text, at + 1)
            return
        at = _skip(text, _expect(",", text, at))


def members(text: str) -> Iterator[tuple[str, str]]:
    """Yield the members of an object as text: strings unquoted, ``null`` empty, all else in its own words.

    Takes JSON and the notation of the spec's samples (4.6, 5.6), whose names are bare and whose values follow
    an ``=``. Where the text stops making sense, so does the yielding; a value that cannot be read is given as
    the whole rest of the text, for nobody can tell where it was to end.
    """
    try:
        at = _skip(text, _expect("{", text, _skip(text, 0)))
        while not text.startswith("}", at):
            name, at = _name(text, at)
            at = _skip(text, _expect(":=", text, _skip(text, at)))
            try:
                value, end = _value(text, at)
            except NotJson:
                yield name, text[at:]
                return
            yield name, _in_words(value, text[at:end])
            at = _skip(text, end)
            if text.startswith("}", at):
                return
            at = _skip(text, _expect(",", text, at))
    except NotJson:
        return


def dump(value: Any) -> str:
    """Return the JSON of a value read here, members in order of their names: one text for equal values.

    Raises :class:`NotJson` for a value nested too deeply.
    """
    try:
        return _dump(value)
    except RecursionError:
        raise NotJson("It is nested too deeply.") from None


def _dump(value: Any) -> str:
    match value:
        case Literal():
            return str(value)
        case str():
            # what does not print (lone surrogates among it) goes escaped, so that the text can always be stored
            return json.dumps(value, ensure_ascii=not value.isprintable())
        case list():
            return f"[{', '.join(map(_dump, value))}]"
        case dict():
            return f"{{{', '.join(f'{_dump(name)}: {_dump(value[name])}' for name in sorted(value))}}}"
        case _:
            return json.dumps(value)


def _value(text: str, at: int) -> tuple[Any, int]:
    try:
        return _decode(text, at)
    except RecursionError:
        raise NotJson("It is nested too deeply.") from None
    except ValueError:
        raise NotJson("It is not JSON.") from None  # the original carries the whole text


def _name(text: str, at: int) -> tuple[str, int]:
    if bare := _bare_name(text, at):
        return bare.group(), bare.end()
    name, end = _value(text, at)
    if not isinstance(name, str):
        raise NotJson("A member has no name.")
    return name, end


def _in_words(value: Any, own_text: str) -> str:
    match value:
        case None:
            return ""
        case str():
            return value
        case _:
            return own_text


def _skip(text: str, at: int) -> int:
    space = _past_space(text, at)
    return space.end() if space else at


def _expect(characters: str, text: str, at: int) -> int:
    if at < len(text) and text[at] in characters:
        return at + 1
    raise NotJson(f"One of {characters} is missing.")


def _expect_end(text: str, at: int) -> None:
    if _skip(text, at) != len(text):
        raise NotJson("Something follows the array.")
