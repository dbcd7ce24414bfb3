"""The wire format of requests and answers (spec 1.4, 2, 3): values to form fields, bytes to values.

The JSON keys stand in the order of the spec's own samples, so that a log of the wire can be laid beside them.
"""

import hashlib
import json
from typing import Any

from kuaixintong.core.credentials import PlatformCredentials
from kuaixintong.core.errors import NoAnswer, Unanswered
from kuaixintong.core.messages import Answer, Login, SendSm
from kuaixintong.core.numbers import Written, whole

LONGEST_ANSWER = 65_536
"""Bytes of an answer; the spec's largest is under two hundred, so more than this is none."""

_LONGEST_TOKEN = 128
"""Characters of a token; the platform's are numbers of 64 bits, and DynamoDB takes no index key of thousands."""

_LONGEST_NUMBER = len(str(-(2**63)))


def digest(password: str, timestamp: str) -> str:
    """Return MD5(password + timestamp) as 32 lower-case hex digits (spec 6.1).

    MD5 is the platform's choice. The result is as good as the password to anyone who can search the short
    passwords in use, so it is never logged either.
    """
    return hashlib.md5(f"{password}{timestamp}".encode(), usedforsecurity=False).hexdigest()


def encode(request: Login | SendSm, credentials: PlatformCredentials, timestamp: str) -> dict[str, str]:
    """Return the two form fields ``op`` and ``message`` of a request (spec 1.4)."""
    message: dict[str, Any] = {
        "cid": credentials.cid,
        "uid": credentials.uid,
        "pwd": digest(credentials.pwd, timestamp),
        "timestamp": timestamp,
    }
    match request:
        case Login():
            op = "login"
        case SendSm():
            op = "sendSm"
            message |= _submission(request)
    return {"op": op, "message": json.dumps(message, ensure_ascii=False)}


def _submission(request: SendSm) -> dict[str, Any]:
    fields: dict[str, Any] = {
        "mobiles": request.mobiles,
        "content": request.content,
        "atTime": request.at_time,  # the spec's sample sends it empty for "at once" (3.2)
    }
    if request.daily_begin_time:
        fields["dailyBeginTime"] = request.daily_begin_time
    if request.daily_end_time:
        fields["dailyEndTime"] = request.daily_end_time
    return fields


def decode_answer(body: bytes) -> Answer:
    """Read an answer (spec 2.3, 3.3), tolerant in types: what matters is that the state code is beyond doubt.

    Raises :class:`NoAnswer` if it is not; the text does not quote the body. Any other field that is in doubt is
    left out: one that stands twice and says two things, or a number that may have lost digits on its way.
    """
    try:
        values = _decode(body.decode("utf-8-sig"))
    except (ValueError, RecursionError):
        raise NoAnswer("The answer is no JSON text in UTF-8.", Unanswered.UNREADABLE) from None
    if not isinstance(values, dict):
        raise NoAnswer("The answer is no JSON object.", Unanswered.UNREADABLE)
    state_code = _number(values.get("stateCode"))
    if state_code is None:
        raise NoAnswer("The answer has no readable stateCode.", Unanswered.UNREADABLE)
    return Answer(
        state_code=state_code,
        message=_text(values.get("message")),
        token=_token(values.get("token")),
        fee=_number(values.get("fee")),
        sm_balance=_number(values.get("smBalance")),
        mm_balance=_number(values.get("mmBalance")),
    )


class _Contradiction:
    """Stands for what two members of the same name say."""


def _object(members: list[tuple[str, Any]]) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for name, value in members:
        values[name] = value if values.get(name, value) == value else _Contradiction()
    return values


# Numbers stay as they were written; a raw line break inside a text is harmless.
_decode = json.JSONDecoder(
    strict=False, parse_int=Written, parse_float=Written, parse_constant=Written, object_pairs_hook=_object
).decode


def _number(value: object) -> int | None:
    """Return a whole number given as a number or as its text, within 64 bits as the platform's Java has them."""
    digits = whole(value.strip()) if isinstance(value, str) else None
    if digits is None or len(digits) > _LONGEST_NUMBER:
        return None
    number = int(digits)
    return number if -(2**63) <= number < 2**63 else None


def _token(value: object) -> str | None:
    token = _text(value)
    return token if 0 < len(token) <= _LONGEST_TOKEN else None


def _text(value: object) -> str:
    """Return text as DynamoDB and a log can hold it; numbers become their digits, anything else nothing."""
    match value:
        case Written():
            return whole(value) or ""
        case str():
            return value.encode("utf-8", "replace").decode().strip()
        case _:
            return ""
