"""Requests that are as dear to read as a stranger can make them, without the right password."""

from collections.abc import Iterator
from dataclasses import dataclass

from kuaixintong.core.gateway import Request

LARGEST_REQUEST = 6 * 1024 * 1024
"""Bytes of an event that Lambda takes; API Gateway's 10 MB never get that far."""


@dataclass(frozen=True, slots=True)
class Filled:
    """A piece over and over, between two others."""

    piece: bytes
    before: bytes = b""
    after: bytes = b""

    def body(self, size: int) -> bytes:
        """Return a body of about ``size`` bytes."""
        times = (size - len(self.before) - len(self.after)) // len(self.piece)
        return self.before + self.piece * times + self.after


IN_AN_OBJECT = {
    "numbers": b"1,",
    "fractions": b"1.5,",
    "lists": b"[],",
    "nested lists": b"[[[]]],",
    "objects": b'{"b":1},',
    "texts": b'"ab",',
    "reports": b'{"token":7331,"mobile":"13500000000","resultCode":"0","success":true},',
}
IN_A_FORM = {
    "separators": b"&",
    "names": b"&a",
    "equals signs": b"=",
    "empty credentials": b"&uid=&pwd=",
    "escaped names": b"&%75id=",
    "escapes": b"%75",
    "blanks": b" ",
    "letters": b"x",
    "no UTF-8": b"\xff",
    "zeros": b"\0",
}
IN_SECTIONS = {
    "sections": b"--x\r\n",
    "sections of nothing": b"\n--x\n\n",
    "almost delimiters": b"\n--xa",
    "delimiters and blanks": b"\n--x  ",
    "delimiters that do not close": b"\n--x-",
    "line breaks": b"\n",
    "dashes": b"-",
    "long heads": b"--x\r\n" + b"a" * 4_000 + b"\r\n",
    "heads of many headers": b"--x\r\n" + b"a:b\r\n" * 800 + b"\r\n",
    "heads of many options": b"--x\r\nContent-Disposition: form-data" + b';a="' * 1_000 + b"\r\n\r\n",
    "heads of open quotes": b'--x\r\nContent-Disposition: form-data;a="' + b";" * 3_900 + b"\r\n\r\n",
    "heads of escapes": b"--x\r\nContent-Disposition: form-data" + b';a="\\' * 1_000 + b"\r\n\r\n",
    "passwords": b"--x\r\nContent-Disposition: form-data; name=pwd\r\n\r\n\r\n",
}
BY_THEMSELVES = {
    "members": Filled(b'"a":1,', b"{"),
    "empty passwords": Filled(b'"pwd":"",', b"{"),
    "members of the spec's notation": Filled(b'uid="",', b"{"),
    "an abyss": Filled(b"[", b'{"a":'),
    "an abyss of objects": Filled(b'{"a":'),
    "braces": Filled(b"{"),
    "a text of escapes": Filled(b"\\u4f60", b'{"pwd":"', b'"}'),
    "a text of half characters": Filled(b"\\ud800", b'{"a":"', b'"}'),
    "a text of no UTF-8": Filled(b"\xff", b'{"a":"'),
    "a text of broken UTF-8": Filled(b"\xe4\xbd", b'{"a":"'),
    "blanks before a brace": Filled(b" ", b"", b"{"),
    "blanks behind a brace": Filled(b" ", b"{"),
    "wide characters": Filled(b"[\0]\0,\0", '{"a":['.encode("utf-16")),
    "a password of escapes": Filled(b"%75", b"uid=abc&pwd="),
}


def _all() -> Iterator[tuple[str, str, Filled]]:
    for name, filled in BY_THEMSELVES.items():
        yield name, "", filled
        yield f"{name}, under GB18030", "a/b; charset=gb18030", filled
    for name, piece in IN_AN_OBJECT.items():
        yield f"{name} in an object", "", Filled(piece, b'{"a":[', b"1]}")
        yield f"{name} for a uid", "", Filled(piece, b'{"uid":[', b"1]}")
        yield f"{name} in the spec's notation", "", Filled(piece, b"{a=[")
    for name, piece in IN_A_FORM.items():
        yield f"{name} in a form", "", Filled(piece)
    for name, piece in IN_SECTIONS.items():
        yield f"{name} in a multipart body", "", Filled(piece, b"--x\r\n")
    for boundary in ("-" * 199, "x" * 199, "x" * 1_000_000):
        for piece in (b"-x", b"-", b"x", b"\n"):
            name = f"{piece!r} under a boundary of {len(boundary):,} {boundary[0]!r}"
            yield name, f"multipart/form-data; boundary={boundary}", Filled(piece)
    for option in (';a="', ";", ";a=", ';a="\\'):
        yield f"a content type of {option!r}", "multipart/form-data" + option * 300_000, Filled(b"--x\r\n")


def requests(size: int) -> Iterator[tuple[str, Request]]:
    """Yield each with a body of about ``size`` bytes, and what it is made of."""
    for name, content_type, filled in _all():
        yield name, Request(content_type=content_type, body=filled.body(size))
