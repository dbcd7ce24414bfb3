"""The event of API Gateway or of a load balancer, as the request that a push came in."""

import base64
import binascii
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Self
from urllib.parse import unquote_plus


@dataclass(frozen=True, slots=True)
class Request:
    """One HTTP request, as far as a push can be in it. ``query`` keeps repeated names and is already decoded."""

    query: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    content_type: str = ""
    body: bytes = field(default=b"", repr=False)

    @classmethod
    def from_event(cls, event: Mapping[str, Any]) -> Self:
        """Read a REST API's Lambda proxy event, or a load balancer's. What it lacks is empty."""
        return cls(query=_query(event), content_type=_header(event, "content-type"), body=_body(event))


def _query(event: Mapping[str, Any]) -> tuple[tuple[str, str], ...]:
    repeated = event.get("multiValueQueryStringParameters") or {}
    single = event.get("queryStringParameters") or {}
    pairs = [(name, value) for name, values in repeated.items() for value in values or ()] or single.items()
    decoded = unquote_plus if _balanced(event) else str
    return tuple((decoded(name), decoded(value or "")) for name, value in pairs)


def _balanced(event: Mapping[str, Any]) -> bool:
    """Tell a load balancer's event, whose query is as it was on the wire; API Gateway has decoded its own."""
    return "elb" in (event.get("requestContext") or {})


def _header(event: Mapping[str, Any], wanted: str) -> str:
    headers = event.get("headers") or {}
    return next((value or "" for name, value in headers.items() if name.lower() == wanted), "")


def _body(event: Mapping[str, Any]) -> bytes:
    text = event.get("body") or ""
    if event.get("isBase64Encoded"):
        try:
            return base64.b64decode(text)
        except (binascii.Error, ValueError):
            pass  # not what it claims to be: read as it stands, and refused or quarantined as such
    return bytes(text.encode("utf-8", "surrogatepass"))
