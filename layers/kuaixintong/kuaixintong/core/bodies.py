"""The body of one message in the send queue: its fields, its rules, and the sentences that tell what is wrong.

:class:`SendRequest` gives both the check and the JSON Schema that is published. What a schema has no words for is
checked beside it: the calendar, UTF-16 units, one field beside another, how much a queue can carry.
"""

import json
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from enum import StrEnum
from functools import cache
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from kuaixintong.core import beijing, references
from kuaixintong.core.characters import escaped, hidden, hidden_at, made_visible, utf16_units
from kuaixintong.core.errors import SendRefused
from kuaixintong.core.limits import MAX_CONTENT_UNITS, MESSAGE_BYTES

_BESIDE = 256
"""Bytes of a message that are left to what our own queues write beside a body: its lane, for one."""

LONGEST_BODY = MESSAGE_BYTES - _BESIDE
"""Bytes of a body with its id in it, in UTF-8. A longer one could not be put into the dead-letter queue."""


class Category(StrEnum):
    """What a send is for; the guard rails hang on it."""

    OTP = "otp"
    NOTICE = "notice"
    MARKETING = "marketing"


_LONGEST_SHOWN = 40
_MOST_FAULTS_TOLD = 20
_MOST_PLACES_TOLD = 5

# What a schema's readers have in common: no look-ahead (RE2), no bare hyphen in a class (ECMA's flag v).
_ID = r"[A-Za-z0-9._:\-]{1,128}"
_CAMPAIGN = r"[A-Za-z0-9._:\-]{1,100}"
_CLOCK = r"([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]"
_MOMENT = r"[0-9]{4}-[0-9]{2}-[0-9]{2} [0-9]{2}:[0-9]{2}:[0-9]{2}"

_RULES = {
    "id": "1–128 characters of A-Z a-z 0-9 . _ : -",
    "mobiles": "an array of at least one string",
    "content": f"a string of 1–{MAX_CONTENT_UNITS} characters, counted in UTF-16 units, in valid Unicode",
    "atTime": "a date and time that exists, yyyy-MM-dd HH:mm:ss, Beijing time",
    "dailyBeginTime": "a time of day, HH:mm:ss, from 00:00:00 to 23:59:59",
    "dailyEndTime": "a time of day, HH:mm:ss, from 00:00:00 to 23:59:59",
    "validUntil": "a date and time that exists, yyyy-MM-dd HH:mm:ss, Beijing time",
    "category": "otp, notice or marketing",
    "campaign": "1–100 characters of A-Z a-z 0-9 . _ : -",
    "hold": "true or false",
}

_PATTERNS = {
    "id": _ID,
    "atTime": _MOMENT,
    "dailyBeginTime": _CLOCK,
    "dailyEndTime": _CLOCK,
    "validUntil": _MOMENT,
    "campaign": _CAMPAIGN,
}


def _written(name: str, description: str) -> Meta:
    """Describe a field by its pattern, for the schema alone; the code looks by itself.

    The pattern is anchored and lets the empty string through: a field left out, as in the spec's sample (3.2).
    Python's and Java's ``$`` let a newline follow, and RE2 does not know what would forbid it.
    """
    return Meta(description=description, extra_json_schema={"pattern": f"^({_PATTERNS[name]})?$"})


class SendRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One send, the body of one message in the send queue. An empty optional field is a field left out."""

    mobiles: Annotated[
        list[str],
        Meta(
            min_length=1,
            description="Chinese mobiles. +86, 0086, 86, blanks, hyphens and what does not show are normalised "
            "away, full-width digits count as digits; duplicates are sent once; what is then not 11 digits "
            "beginning with 1 is listed as invalid.",
        ),
    ]
    content: Annotated[
        str,
        Meta(
            min_length=1,
            max_length=MAX_CONTENT_UNITS,
            description="The text. Its length counts in UTF-16 units: a character beyond U+FFFF is two.",
        ),
    ]
    id: Annotated[str, _written("id", "Idempotency key and send_id. Left out: the SQS message id.")] = ""
    atTime: Annotated[str, _written("atTime", "When to send, Beijing time. Left out: at once.")] = ""  # noqa: N815
    dailyBeginTime: Annotated[str, _written("dailyBeginTime", "Not before this time of day.")] = ""  # noqa: N815
    dailyEndTime: Annotated[str, _written("dailyEndTime", "Not after this time of day.")] = ""  # noqa: N815
    validUntil: Annotated[  # noqa: N815
        str,
        _written("validUntil", "Beijing time. What the platform has not accepted by then is never sent."),
    ] = ""
    category: Annotated[
        Literal["", "otp", "notice", "marketing"],
        Meta(
            description="What the send is for: otp is a one-time code that somebody waits for. Left out: notice.",
        ),
    ] = ""
    campaign: Annotated[
        str,
        _written("campaign", "A label that many sends share, so that they can be watched and cancelled together."),
    ] = ""
    hold: Annotated[
        bool | Literal[""],
        Meta(
            description="true, which needs atTime: the send is kept until then, and can be cancelled. Left out "
            "or false: the platform gets atTime at once, and nobody can recall it.",
        ),
    ] = False

    def __repr__(self) -> str:
        """Show nothing: mobiles and content belong into no log."""
        return "SendRequest(…)"


def schema() -> dict[str, Any]:
    """Return the JSON Schema of a send, which is published as ``docs/send.schema.json``."""
    (_,), definitions = msgspec.json.schema_components([SendRequest])
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **definitions["SendRequest"],
        "title": "Send",
    }


# --- reading ----------------------------------------------------------------------------------------------------


def read(body: str, message_id: str, longest: int | None = LONGEST_BODY) -> SendRequest:
    """Check a body, which is known by ``message_id`` if it has no id of its own; ``longest`` is in bytes.

    Raises :class:`SendRefused` with every fault at once, each a sentence with the field, the value and the rule.
    """
    values = _decoded(body)
    faults = [*_faults_of(values)]
    if longest is not None:
        faults.extend(_length_fault(body, values, message_id, longest))
    if faults:
        raise SendRefused(_bounded(faults))
    return SendRequest(**values)


def id_of(body: str) -> str | None:
    """Return a body's own id if that can be used, whatever else is wrong with the body."""
    try:
        values = _decoded(body)
    except SendRefused:
        return None
    value = values.get("id")
    usable = isinstance(value, str) and re.fullmatch(_ID, value) and "id" not in values.repeated
    return value if usable else None


def stamped(body: str, send_id: str) -> str:
    """Return the body of a send with its id in it, as the dead-letter queue gets it.

    A redrive gives a message another SQS id. Without an ``id`` of its own it would come back as another send, and
    be sent twice; so no message goes there without one.
    """
    values = json.loads(body)
    return body if values.get("id") or references.read(body) else written(values | {"id": send_id})


_NOT_FOR_SQS = re.compile("[\ud800-\udfff\ufffe\uffff]")


def written(values: dict[str, Any] | str) -> str:
    """Return a body's JSON, or a string's, compact; what JSON may hold and SQS does not take is escaped."""
    text = json.dumps(values, ensure_ascii=False, separators=(",", ":"))
    return _NOT_FOR_SQS.sub(lambda found: escaped(found[0]), text)


def _no_json(odd: str | None, place: int) -> str:
    where = f": its character {place + 1} is {odd}, which does not show" if odd else ""
    return f"The body is no JSON text{where}; it must be a JSON object in UTF-8."


class _Values(dict[str, Any]):
    """A JSON object; ``repeated`` names its fields that stand more than once."""

    repeated: Sequence[str] = ()


def _decoded(body: str) -> _Values:
    try:
        values = json.loads(body, object_pairs_hook=_noting_repeats, parse_constant=_no_constant)
    except json.JSONDecodeError as error:
        raise SendRefused([_no_json(hidden_at(body, error.pos), error.pos)]) from None
    except (ValueError, RecursionError):
        raise SendRefused([_no_json(None, 0)]) from None
    if not isinstance(values, _Values):
        raise SendRefused([f"The body is {_kind(values)}; it must be a JSON object."])
    return values


def _noting_repeats(pairs: Sequence[tuple[str, Any]]) -> _Values:
    values = _Values(pairs)
    if len(values) < len(pairs):
        values.repeated = [name for name, times in Counter(name for name, _ in pairs).items() if times > 1]
    return values


def _no_constant(name: str) -> None:
    raise ValueError(name)  # NaN and Infinity are Python's, not JSON's


# --- what is wrong ----------------------------------------------------------------------------------------------


def _faults_of(values: _Values) -> Iterator[str]:
    """Check field by field, so that all faults are told at once."""
    for field in _fields():
        if field.name not in values:
            if field.required:
                yield f"{field.name} is missing; it must be {_RULES[field.name]}."
        elif not _keeps_the_rule(field, values[field.name]):
            yield _fault(field.name, values[field.name])
    yield from _window_fault(values)
    if values.get("hold") is True and not values.get("atTime"):
        yield "hold is true, and atTime is left out; what is held needs an atTime."
    for name in values.repeated:
        yield f"The field {_shown(name)} stands twice; a field may stand once."
    unknown = [name for name in values if name not in _RULES]
    yield from map(_not_a_field, unknown[:_MOST_FAULTS_TOLD])
    yield from unknown[_MOST_FAULTS_TOLD:]  # these are counted and not told


@cache
def _fields() -> tuple[msgspec.structs.FieldInfo, ...]:
    """Return the fields of a send; to find them out takes longer than to check them."""
    return msgspec.structs.fields(SendRequest)


def _keeps_the_rule(field: msgspec.structs.FieldInfo, value: object) -> bool:
    try:
        msgspec.convert(value, field.type)
        if value and field.name in _PATTERNS and not re.fullmatch(_PATTERNS[field.name], str(value)):
            return False
        if field.name in ("atTime", "validUntil") and value:
            beijing.parse(str(value))  # a schema cannot say that February has no 30th
        if field.name == "content":
            return utf16_units(str(value)) <= MAX_CONTENT_UNITS
    except (msgspec.ValidationError, ValueError):  # half a surrogate pair is a ValueError
        return False
    return True


def _window_fault(values: dict[str, Any]) -> Iterator[str]:
    begin, end = values.get("dailyBeginTime"), values.get("dailyEndTime")
    both = all(isinstance(each, str) and re.fullmatch(_CLOCK, each) for each in (begin, end))
    if both and begin >= end:  # type: ignore[operator]  # both are strings here
        yield f"dailyBeginTime is {_shown(begin)} and dailyEndTime is {_shown(end)}; begin must be before end."


def _length_fault(body: str, values: _Values, message_id: str, longest: int) -> Iterator[str]:
    """Refuse at the door what could not be put into the dead-letter queue, with its id in it, afterwards."""
    if len(body) * len(r"\uffff") + len(message_id) + _BESIDE < longest:
        return  # however it is written
    text = body if values.get("id") else written(values | {"id": message_id})
    length = len(text.encode("utf-8", "surrogatepass"))
    if length > longest:
        yield (
            f"The body takes {length} bytes with its id in it; it must take at most {longest}, so that the "
            "queues can carry it. Share its mobiles out among several sends."
        )


def _not_a_field(name: str) -> str:
    meant = _meant(name)
    suggestion = f" (did you mean {meant}?)" if meant else ""
    return f"{_shown(name)} is not a field of a send{suggestion}; the fields are {', '.join(_RULES)}."


def _meant(name: str) -> str | None:
    """Return the field that an unknown one is most likely meant for: a keystroke or two away from it."""
    typed = _letters(name)
    distances = {field: _distance(typed, _letters(field)) for field in _RULES if len(typed) < 2 * len(field)}
    nearest = min(distances, key=distances.__getitem__, default="")
    return nearest if nearest and distances[nearest] <= len(nearest) // 3 else None


def _letters(name: str) -> str:
    return "".join(filter(str.isalnum, name.casefold()))


def _distance(one: str, other: str) -> int:
    """Return how many letters have to be put in, taken out or exchanged to make one word of the other."""
    row = list(range(len(other) + 1))
    for done, letter in enumerate(one, start=1):
        above, row = row, [done]
        for place, wanted in enumerate(other):
            row.append(min(above[place] + (letter != wanted), above[place + 1] + 1, row[place] + 1))
    return row[-1]


def _fault(name: str, value: object) -> str:
    rule = _RULES[name]
    match name, value:
        case "content", _:  # told by its size: a text does not belong into a sentence that travels
            return f"content is {_sized(value)}; it must be {rule}."
        case "mobiles", []:
            return f"mobiles is an empty array; it must be {rule}."
        case "mobiles", list():
            return f"{_told(value)}; mobiles must be {rule}."
        case "mobiles", _:
            return f"mobiles is {_kind(value)}; it must be {rule}."
        case _:
            return f"{name} is {_shown(value)}; it must be {rule}."


def _told(mobiles: list[object]) -> str:
    """Say which of the mobiles are no strings: the first few by their places, the others by their number."""
    wrong = [(place, each) for place, each in enumerate(mobiles) if not isinstance(each, str)]
    told = [f"mobiles[{place}] is {_kind(each)}" for place, each in wrong[:_MOST_PLACES_TOLD]]
    rest = len(wrong) - len(told)
    return ", ".join([*told, f"and {rest} more are no strings"] if rest else told)


def _bounded(faults: list[str]) -> list[str]:
    rest = len(faults) - _MOST_FAULTS_TOLD
    return faults if rest <= 0 else [*faults[:_MOST_FAULTS_TOLD], f"And {rest} more faults of this kind."]


def _shown(value: object) -> str:
    """Return a value as a sentence shows it: cut to 40 characters, and what does not show escaped and named."""
    text = json.dumps(value, ensure_ascii=False, default=str)
    odd = hidden(text)
    cut = text if len(text) <= _LONGEST_SHOWN else f"{text[:_LONGEST_SHOWN]}…"
    named = f" (with {', '.join(odd)}, which {'does' if len(odd) == 1 else 'do'} not show)" if odd else ""
    return storable(made_visible(cut)) + named


def storable(text: str) -> str:
    """Put ``?`` in place of half a surrogate pair, which JSON can bring along and no UTF-8 can hold."""
    return text.encode("utf-8", "replace").decode()


def _sized(value: object) -> str:
    match value:
        case "":
            return "empty"
        case str() if any("\ud800" <= each <= "\udfff" for each in value):
            return "text with half a surrogate pair"
        case str():
            return f"{utf16_units(value)} characters long"
        case _:
            return _kind(value)


def _kind(value: object) -> str:
    match value:
        case None:
            return "null"
        case bool():
            return "true or false"
        case str():
            return "a string"
        case int() | float():
            return "a number"
        case list():
            return "an array"
        case _:
            return "an object"
