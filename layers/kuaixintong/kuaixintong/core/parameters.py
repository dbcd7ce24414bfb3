"""The parameters of a push request, from wherever they are and in whatever notation (contract, section 3).

The body's content decides its notation, not its header: senders of this platform's age label JSON as a form and
the reverse. A body that opens with a brace is a JSON object or the spec's own ``{uid="abc", …}``; one that opens
with a boundary, or has the declared one, is multipart; everything else is a form.
"""

import codecs
import json
import re
from collections.abc import Iterator
from email.message import Message
from email.parser import BytesHeaderParser
from email.utils import collapse_rfc2231_value
from itertools import chain
from urllib.parse import unquote_to_bytes

from kuaixintong.core.gateway import Request
from kuaixintong.core.jsontext import members

_MAX_FIELDS = 100
"""A push has four; a body of a million separators must not cost a million fields."""

_MAX_HEAD = 4_096
"""Bytes of a multipart section's headers, for the same reason."""

_CHARSETS = frozenset({"utf-8", "utf-16", "utf-16-le", "utf-16-be", "gb2312", "gbk", "gb18030", "big5"})
"""Declared charsets that are believed. ISO-8859-1 is not: it is what old HTTP libraries declare unasked."""

_BLANK_LINE = re.compile(rb"\r?\n\r?\n")


def parameters(request: Request) -> dict[str, str]:
    """Return each parameter's first value that is not empty, the body's before the query's.

    Bytes that are not of the charset survive as ``surrogateescape`` leaves them, so that one broken character
    does not hide the credentials, and what is kept of an unreadable push is still what was sent.
    """
    found: dict[str, str] = {}
    for name, value in chain(_in_body(request), request.query):
        if value:
            found.setdefault(name, value)
    return found


def _in_body(request: Request) -> Iterator[tuple[str, str]]:
    declared = Message()
    declared["content-type"] = request.content_type
    charset = _charset(declared)
    # undeclared, a whole body can still tell what it is (a form's values are too short to)
    text = _decoded(request.body, charset or json.detect_encoding(request.body[:4])).lstrip("\ufeff \t\r\n")
    if text.startswith("{"):
        return members(text)
    body = request.body.removeprefix(codecs.BOM_UTF8)
    boundary = _boundary(declared, body)
    if boundary and boundary in body:
        return _multipart(body, boundary, charset)
    return _form(body, charset)


def _form(body: bytes, charset: str | None) -> Iterator[tuple[str, str]]:
    for pair in body.split(b"&", _MAX_FIELDS):
        name, _, value = pair.replace(b"+", b" ").partition(b"=")
        yield _decoded(unquote_to_bytes(name), charset), _decoded(unquote_to_bytes(value), charset)


def _multipart(body: bytes, boundary: bytes, charset: str | None) -> Iterator[tuple[str, str]]:
    for section in body.split(boundary, _MAX_FIELDS)[1:]:
        head, *rest = _BLANK_LINE.split(section, maxsplit=1)
        if not rest or len(head) > _MAX_HEAD:
            continue  # the "--" that closes the body, or nonsense
        headers = BytesHeaderParser().parsebytes(head.lstrip())
        name = headers.get_param("name", header="content-disposition")
        if name is not None:
            value = rest[0].removesuffix(b"\n").removesuffix(b"\r")
            yield collapse_rfc2231_value(name), _decoded(value, _charset(headers) or charset)


def _boundary(declared: Message, body: bytes) -> bytes:
    if boundary := declared.get_boundary():
        return b"--" + boundary.encode("utf-8", "surrogatepass")
    if body.startswith(b"--"):
        return body.split(b"\n", 1)[0].rstrip()
    return b""


def _charset(headers: Message) -> str | None:
    try:
        charset = codecs.lookup(headers.get_content_charset() or "").name
    except (LookupError, ValueError):
        return None
    return charset if charset in _CHARSETS else None


def _decoded(value: bytes, charset: str | None) -> str:
    try:
        return value.decode(charset or "utf-8")
    except UnicodeDecodeError:
        return value.decode("utf-8", "surrogateescape")
