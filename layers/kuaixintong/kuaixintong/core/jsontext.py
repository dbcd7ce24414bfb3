"""JSON from a stranger: nothing lost in reading, nothing that a hostile text can blow up.

Three habits of ``json.loads`` are dangerous at an open door. It turns numbers into machine numbers, which loses
digits of long tokens and refuses integers past 4,300 digits; of a member that stands twice it keeps the last; and
it gives back values only, while quarantine wants the very text of what was bad. So numbers stay as they were
written, an object that says two things says so, and members and elements come with their own text.
"""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from kuaixintong.core.numbers import Written


class NotJson(ValueError):
    """The text is not the JSON that was asked for. The message never quotes the text."""


class Ambiguous:
    """Stands for an object in which a member stands twice."""


@dataclass(frozen=True, slots=True)
class Member:
    """A member of an object: its value as text, the place of what is between its quotes, and if it has an end."""

    name: str
    value: str = field(repr=False)
    begin: int
    end: int
    complete: bool = True


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any] | Ambiguous:
    values = dict(pairs)
    return values if len(values) == len(pairs) else Ambiguous()


# strict=False: a raw line break inside a string is a sloppy sender's, and harmless.
_decode = json.JSONDecoder(
    strict=False, parse_int=Written, parse_float=Written, parse_constant=Written, object_pairs_hook=_object
).raw_decode
_past_space = re.compile(r"[ \t\r\n]*").match
_separator = re.compile(r"[ \t\r\n]*([,\]])[ \t\r\n]*").match
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
        separator = _separator(text, end)
        if separator is None:
            raise NotJson("One of ,] is missing.")
        at = separator.end()
        if separator[1] == "]":
            _expect_end(text, at)
            return


def members(text: str) -> Iterator[Member]:
    """Yield the members of an object: strings unquoted, ``null`` and nothing empty, all else in its own words.

    Takes JSON and the notation of the spec's samples (4.6, 5.6), whose names are bare and whose values follow
    an ``=``. Where the text stops making sense, so does the yielding; a value that cannot be read is given as
    the whole rest of the text, for nobody can tell where it was to end.
    """
    try:
        at = _skip(text, _expect("{", text, _skip(text, int(text.startswith("\ufeff")))))
        while not text.startswith("}", at):
            name, at = _name(text, at)
            at = _skip(text, _expect(":=", text, _skip(text, at)))
            member = _member(name, text, at)
            yield member
            if not member.complete:
                return
            at = _skip(text, member.end + text.startswith('"', at))
            if text.startswith("}", at):
                return
            at = _skip(text, _expect(",", text, at))
    except NotJson:
        return


def _member(name: str, text: str, at: int) -> Member:
    if text[at : at + 1] in (",", "}"):
        return Member(name, "", at, at)  # what is left of a number that was a password
    try:
        value, end = _value(text, at)
    except NotJson:
        return Member(name, text[at:], at, len(text), complete=False)
    if isinstance(value, str) and not isinstance(value, Written):
        return Member(name, value, at + 1, end - 1)
    return Member(name, "" if value is None else text[at:end], at, end)


def picked(text: str, names: tuple[str, ...], longest: int) -> dict[str, str]:
    """Return some members of a JSON object as text, in a few milliseconds a megabyte whatever the others are.

    Without those that are written in more than ``longest`` bytes; empty if the text is no JSON object. Of a member
    that stands twice, the last counts.
    """
    content = text.encode("utf-8", "replace").translate(_NO_CONTROLS)  # as tolerant of raw line breaks as above
    # where a text was cut in the middle of a character, "\ud83d" stands alone: no escape at all is in nobody's way
    values = _picked(content, names) or _picked(content.replace(b"\\u", b"\\n"), names)
    return {
        name: _member(name, own_text, 0).value for name, own_text in values.items() if 0 < len(own_text) <= longest
    }


def _picked(content: bytes, names: tuple[str, ...]) -> dict[str, str]:
    import msgspec  # noqa: PLC0415  # 20 ms that a push in the spec's own order has no need of

    try:
        values = msgspec.json.decode(content, type=_picker(names))
    except (msgspec.MsgspecError, RecursionError):
        return {}
    return {name: bytes(getattr(values, name)).decode() for name in names}


@cache
def _picker(names: tuple[str, ...]) -> Any:
    import msgspec  # noqa: PLC0415

    return msgspec.defstruct("Picked", [(name, msgspec.Raw, msgspec.Raw(b"")) for name in names])


_NO_CONTROLS = bytes(byte if byte >= 0x20 else 0x20 for byte in range(256))


def dump(value: Any) -> str:
    """Return the JSON of a value read here, members in order of their names: one text for equal values.

    Raises :class:`NotJson` for a value nested too deeply, and for one that says two things.
    """
    try:
        return _dump(value)
    except RecursionError:
        raise NotJson("It is nested too deeply.") from None


def _dump(value: Any) -> str:
    match value:
        case Written():
            return str(value)
        case str():
            # what does not print (lone surrogates among it) goes escaped, so that the text can always be stored
            return json.dumps(value, ensure_ascii=not value.isprintable())
        case list():
            return f"[{', '.join(map(_dump, value))}]"
        case dict():
            return f"{{{', '.join(f'{_dump(name)}: {_dump(value[name])}' for name in sorted(value))}}}"
        case Ambiguous():
            raise NotJson("A member stands twice in it.")
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
