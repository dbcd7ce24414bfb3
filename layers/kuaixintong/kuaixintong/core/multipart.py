"""``multipart/form-data`` from a stranger: each section's name, and where in the body its value stands.

Time is linear in the bytes, whatever they are, and no byte sequence is an error. The e-mail parser of the standard
library can promise neither. The extended parameters of RFC 2231 (``name*=…``) mean nothing here, as RFC 7578
(4.2) has it.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice

_LONGEST_BOUNDARY = 200
"""Bytes; RFC 2046 (5.1.1) has at most 70."""

_LONGEST_HEAD = 4_096
"""Bytes of a header, or of all headers of a section; browsers send about a hundred."""

_option = re.compile(r';\s*+([^\s=;"]++)\s*+=\s*+(?:"((?:[^"\\]|\\.)*+)"|([^;"\s]*+))', re.DOTALL).finditer
_blank_line = re.compile(rb"(?:\A|\r?\n)\r?\n").search
_header = re.compile(
    rb"^content-(disposition|type)[ \t]*+:((?:[^\n]++|\n[ \t])*+)", re.MULTILINE | re.IGNORECASE
).finditer


@dataclass(frozen=True, slots=True)
class Section:
    """One section: what it is called, what its content type is, and its value's first byte and the one after."""

    name: str
    content_type: str
    begin: int
    end: int


def option(header: str, wanted: str) -> str:
    """Return what a header says of ``wanted``, as in ``form-data; wanted="this"``; empty if it says nothing."""
    for found in _option(header[:_LONGEST_HEAD]):
        name, quoted, bare = found.groups()
        if name.lower() == wanted:
            return bare if quoted is None else re.sub(r"\\(.)", r"\1", quoted, flags=re.DOTALL)
    return ""


def boundary_of(content_type: str, body: bytes) -> bytes:
    """Return the boundary that is declared, or the one that the body opens with; empty if there is none."""
    declared = option(content_type, "boundary").encode("utf-8", "surrogatepass")
    if not declared and body.startswith(b"--"):
        declared = body[2 : _LONGEST_BOUNDARY + 2].partition(b"\n")[0].rstrip()
    return declared if len(declared) <= _LONGEST_BOUNDARY else b""


def sections(body: bytes, boundary: bytes, most: int | None = None) -> Iterator[Section]:
    """Yield the sections that have a name, of the first ``most``.

    A body that breaks off ends in its last section.
    """
    # the cheapest question first: a body may consist of nothing but what looks like a delimiter
    ends = rb"(?![^\r\n\t -])(--)?[ \t]*+(?:\r?\n|\Z)"
    delimiter = re.compile(b"^--" + re.escape(boundary) + ends, re.MULTILINE)
    begin = None
    for line in islice(delimiter.finditer(body), most):
        if begin is not None:
            yield from _section(body, begin, line.start())
        if line[1]:
            return
        begin = line.end()
    if begin is not None:
        yield from _section(body, begin, len(body))


def _section(body: bytes, begin: int, end: int) -> Iterator[Section]:
    space = _blank_line(body[begin : min(end, begin + _LONGEST_HEAD)])
    if space is None:
        return
    found = _header(body, begin, begin + space.start())
    headers = {each[1].lower(): each[2].decode("latin-1") for each in found}
    name = option(headers.get(b"disposition", ""), "name")
    begin += space.end()
    line_break = next((each for each in (b"\r\n", b"\n") if body.endswith(each, begin, end)), b"")
    if name:
        yield Section(name, headers.get(b"type", ""), begin, end - len(line_break))
