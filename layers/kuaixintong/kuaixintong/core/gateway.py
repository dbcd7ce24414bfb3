"""The event of API Gateway or of a load balancer, as the request that a push came in."""

import base64
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Self
from urllib.parse import quote_plus


@dataclass(frozen=True, slots=True)
class Request:
    """One HTTP request, as far as a push can be in it. Any bytes and any text; nothing has been judged yet."""

    query: bytes = field(default=b"", repr=False)
    """The query string, escaped: as it was on the wire, or the same pairs where API Gateway has decoded them."""

    content_type: str = ""

    body: bytes = field(default=b"", repr=False)

    @classmethod
    def from_event(cls, event: Mapping[str, Any]) -> Self:
        """Read a REST API's Lambda proxy event, or a load balancer's. What it lacks is empty."""
        return cls(query=_query(event), content_type=_header(event, "content-type"), body=_body(event))


def _query(event: Mapping[str, Any]) -> bytes:
    # a load balancer hands on what was on the wire; API Gateway has decoded its own
    written = _as_written if "elb" in (event.get("requestContext") or {}) else _escaped
    return b"&".join(b"%b=%b" % (written(name), written(value or "")) for name, value in _pairs(event))


def _pairs(event: Mapping[str, Any]) -> Iterator[tuple[str, str | None]]:
    repeated = event.get("multiValueQueryStringParameters")
    if repeated:
        return ((name, value) for name, values in repeated.items() for value in values or ())
    return iter((event.get("queryStringParameters") or {}).items())


def _as_written(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")


def _escaped(text: str) -> bytes:
    return quote_plus(text, errors="surrogatepass").encode()


def _header(event: Mapping[str, Any], wanted: str) -> str:
    headers = event.get("headers") or {}
    return next((value or "" for name, value in headers.items() if name.lower() == wanted), "")


def _body(event: Mapping[str, Any]) -> bytes:
    text = event.get("body") or ""
    if event.get("isBase64Encoded"):
        try:
            return base64.b64decode(text, validate=True)
        except ValueError:
            pass  # not what it claims to be: read as it stands, and refused or quarantined as such
    return _as_written(text)
