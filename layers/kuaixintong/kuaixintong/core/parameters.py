"""The parameters of a push request, from wherever they are and in whatever notation (contract, section 3).

The body's content decides its notation, not its header: senders of this platform's age label JSON as a form and
the reverse. A body that opens with a brace is a JSON object or the spec's own ``{uid="abc", …}``; one that opens
with a boundary, or has the declared one, is multipart; everything else is a form. A query string is a form.

It is read twice. First for the credentials alone, in time that is linear in the bytes and small whatever they
are, for anybody may send them. Then, for those who had the right ones, for everything.
"""

import codecs
import json
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import chain, islice
from types import MappingProxyType
from urllib.parse import unquote_to_bytes

from kuaixintong.core.gateway import Request
from kuaixintong.core.jsontext import members, picked
from kuaixintong.core.multipart import boundary_of, option, sections

_CREDENTIALS = ("uid", "pwd")

_NAMES = frozenset({*_CREDENTIALS, "type", "jsonData"})

_LONGEST_NAME = 3 * max(map(len, _NAMES))
"""Bytes of a form field's name, every letter of it escaped."""

_MOST_FIELDS = 2_000
"""Fields of a form among which the credentials are looked for; a push has four."""

_MOST_SECTIONS = 50
"""Sections of a multipart body, likewise."""

_MOST_TEXT = 100_000
_MOST_MEMBERS = 1_000
"""Characters and members of an object, likewise. What lies beyond is read by quicker and stricter means."""

_LONGEST_CREDENTIAL = 20_000
"""Bytes of one as it is written. A secret has at most 65,536, and nobody's password is near it."""

_CHARSETS = MappingProxyType(
    {
        **dict.fromkeys(("gbk", "gb2312", "x-gbk", "cp936", "ms936", "windows-936"), "gbk"),
        "gb18030": "gb18030",
        **dict.fromkeys(("big5", "big5-hkscs"), "big5hkscs"),
    }
)
"""Declared charsets that are believed of what is not UTF-8. ISO-8859-1 is not: old HTTP libraries declare it.

Spelled out, for Python remembers every name that it has been asked to look up, a stranger's among them.
"""

_ORDER_MARKS = (
    (codecs.BOM_UTF32_LE, "utf-32-le"),  # begins as UTF-16's does
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)

_bytes_open_object = re.compile(rb"(?:\xef\xbb\xbf)?[ \t\r\n]*+\{(?!\0)").match
_text_opens_object = re.compile("\ufeff?[ \t\r\n]*+\\{").match
_form_field = re.compile(rb"[^&]+").finditer


@dataclass(frozen=True, slots=True)
class Parameter:
    """One parameter, not empty. Bytes of no charset are in it as ``surrogateescape`` leaves them."""

    name: str
    value: str = field(repr=False)


def credentials(request: Request) -> tuple[str, str]:
    """Return ``uid`` and ``pwd``: of each the first that is not empty, the body's before the query's.

    Takes any bytes, and time that is linear in them and small. What is missing is empty.
    """
    charset = _charset(request.content_type)
    found: dict[str, str] = {}
    for each in chain(_credentials_in(request, charset), _form(request.query, charset, most=_MOST_FIELDS)):
        if each.name in _CREDENTIALS and each.end - each.begin <= _LONGEST_CREDENTIAL:
            value = each.value()
            if value:
                found.setdefault(each.name, value)
            if len(found) == len(_CREDENTIALS):
                break
    return found.get("uid", ""), found.get("pwd", "")


def parameters(request: Request, in_time: Callable[[], None] = lambda: None) -> Iterator[Parameter]:
    """Yield every ``uid``, ``pwd``, ``type`` and ``jsonData`` that is not empty, the body's before the query's.

    ``in_time`` is called now and then; it raises when there is no time left.
    """
    charset = _charset(request.content_type)
    body = _notation(request, charset)
    for number, each in enumerate(chain(body.fields, _form(request.query, charset))):
        if number % 1_000 == 0:
            in_time()
        if each.name in _NAMES and (value := each.value()):
            yield Parameter(each.name, value)


def without_passwords(request: Request) -> Request:
    """Return the request with each ``pwd`` cut out where it stands, in whatever escaping, and nothing else."""
    charset = _charset(request.content_type)
    body = _notation(request, charset)
    return replace(
        request,
        body=_cut(
            request.body, ((body.offset(each.begin), body.offset(each.end)) for each in _passwords(body.fields))
        ),
        query=_cut(request.query, ((each.begin, each.end) for each in _passwords(_form(request.query, charset)))),
    )


@dataclass(frozen=True, slots=True)
class _Field:
    """Something with a name: where its value is written, and how to read it, which can be dear."""

    name: str
    begin: int
    end: int
    value: Callable[[], str] = field(repr=False)
    complete: bool = True


@dataclass(frozen=True, slots=True)
class _Notation:
    """A body's fields, and how their places are told in bytes."""

    fields: Iterator[_Field]
    offset: Callable[[int], int] = lambda at: at


def _notation(request: Request, charset: str) -> _Notation:
    if text := _object(request.body, charset):
        return _Notation(_members(text.content), text.offset)
    return _Notation(_sections_or_form(request, charset))


def _credentials_in(request: Request, charset: str) -> Iterator[_Field]:
    text = _object(request.body, charset)
    if text is None:
        yield from _sections_or_form(request, charset, most=_MOST_FIELDS, most_sections=_MOST_SECTIONS)
        return
    beginning = text.content[:_MOST_TEXT]
    number = 0
    for each in islice(_members(beginning), _MOST_MEMBERS):
        number += 1
        # what ends where the beginning does may go on behind it
        if each.complete and (each.end < len(beginning) or len(beginning) == len(text.content)):
            yield each
    if number == _MOST_MEMBERS or len(beginning) < len(text.content):
        for name, value in picked(text.content, _CREDENTIALS, _LONGEST_CREDENTIAL).items():
            yield _Field(name, 0, len(value), partial(str, value))


@dataclass(frozen=True, slots=True)
class _Text:
    """A body that is text as a whole, and the encoding that makes the very same bytes of it."""

    content: str = field(repr=False)
    encoding: str

    def offset(self, at: int) -> int:
        """Return how many bytes the first ``at`` characters are."""
        return len(self.content[:at].encode(self.encoding, "surrogateescape"))


def _object(body: bytes, charset: str) -> _Text | None:
    """Return the body as text, if it opens with a brace."""
    if _bytes_open_object(body):
        return _Text(*_decoded(body, charset))
    # a whole body can tell that its characters are wide even if nobody says so (a form's values are too short to)
    wide = next((name for mark, name in _ORDER_MARKS if body.startswith(mark)), json.detect_encoding(body[:4]))
    try:
        text = body.decode(wide) if not wide.startswith("utf-8") else ""
    except UnicodeDecodeError:
        return None
    return _Text(text, wide) if _text_opens_object(text) else None


def _members(text: str) -> Iterator[_Field]:
    for each in members(text):
        yield _Field(each.name, each.begin, each.end, partial(str, each.value), each.complete)


def _sections_or_form(
    request: Request, charset: str, *, most: int | None = None, most_sections: int | None = None
) -> Iterator[_Field]:
    boundary = boundary_of(request.content_type, request.body)
    if boundary and b"--" + boundary in request.body:
        return _sections(request.body, boundary, charset, most_sections)
    return _form(request.body, charset, most=most)


def _sections(body: bytes, boundary: bytes, charset: str, most: int | None) -> Iterator[_Field]:
    for each in sections(body, boundary, most):
        own = _charset(each.content_type) or charset
        yield _Field(each.name, each.begin, each.end, partial(_read, body, each.begin, each.end, own))


def _form(text: bytes, charset: str, *, most: int | None = None) -> Iterator[_Field]:
    """Yield the fields that could be parameters of a push."""
    for pair in islice(_form_field(text, text.startswith(codecs.BOM_UTF8) and len(codecs.BOM_UTF8)), most):
        begin, end = pair.span()
        at = text.find(b"=", begin, min(end, begin + _LONGEST_NAME + 1))
        if at >= 0:
            name = unquote_to_bytes(text[begin:at]).decode("latin-1")
            yield _Field(name, at + 1, end, partial(_unescaped, text, at + 1, end, charset))


def _unescaped(text: bytes, begin: int, end: int, charset: str) -> str:
    return _decoded(unquote_to_bytes(text[begin:end].replace(b"+", b" ")), charset)[0]


def _read(body: bytes, begin: int, end: int, charset: str) -> str:
    return _decoded(body[begin:end], charset)[0]


def _charset(content_type: str) -> str:
    return _CHARSETS.get(option(content_type, "charset").lower(), "")


def _decoded(value: bytes, charset: str) -> tuple[str, str]:
    """Return text and its encoding: UTF-8 if it can be (spec 4.3), then what is declared, then UTF-8 with gaps."""
    for encoding in filter(None, ("utf-8", charset)):
        try:
            return value.decode(encoding), encoding
        except UnicodeDecodeError:
            pass
    return value.decode("utf-8", "surrogateescape"), "utf-8"


def _passwords(fields: Iterator[_Field]) -> list[_Field]:
    return [each for each in fields if each.name == "pwd" and each.complete]


def _cut(text: bytes, places: Iterable[tuple[int, int]]) -> bytes:
    kept = bytearray()
    at = 0
    for begin, end in places:
        kept += text[at:begin]
        at = end
    return bytes(kept + text[at:])
