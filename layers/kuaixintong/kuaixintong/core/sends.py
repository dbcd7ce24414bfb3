"""What a user may enqueue: one SQS message, one send (contract, section 1).

A send is checked once, here, and trusted afterwards. It is cut into parts the same way every time, because a
redelivered message must find the parts that its first delivery wrote down.
"""

import hashlib
import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from itertools import batched
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from kuaixintong.core import beijing
from kuaixintong.core.errors import SendRefused
from kuaixintong.core.messages import MAX_CONTENT_UNITS, MAX_MOBILES

UNUSABLE = "not 11 digits beginning with 1"
NAMED_WITH_PART_ONE = 500
"""Unusable mobiles that stand in part 1's row; more get rows of their own, since a row holds 400 KB."""

_UNUSABLE_PER_ROW = 1_000
_LONGEST_SHOWN = 40
_MOST_FAULTS_TOLD = 20

# What a schema's readers have in common: no look-ahead (RE2), no bare hyphen in a class (ECMA's flag v).
_ID = r"[A-Za-z0-9._:\-]{1,128}"
_CLOCK = r"([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]"
_MOMENT = r"[0-9]{4}-[0-9]{2}-[0-9]{2} [0-9]{2}:[0-9]{2}:[0-9]{2}"
_SEPARATORS = re.compile(r"[\s\u2010-\u2015-]+")
_MOBILE = re.compile(r"(?:\+86|0086|86)?(1[0-9]{10})")

_RULES = {
    "id": "1–128 characters of A-Z a-z 0-9 . _ : -",
    "mobiles": "an array of at least one string",
    "content": f"a string of 1–{MAX_CONTENT_UNITS} characters, counted in UTF-16 units, in valid Unicode",
    "atTime": "a date and time that exists, yyyy-MM-dd HH:mm:ss, Beijing time",
    "dailyBeginTime": "a time of day, HH:mm:ss, from 00:00:00 to 23:59:59",
    "dailyEndTime": "a time of day, HH:mm:ss, from 00:00:00 to 23:59:59",
    "validUntil": "a date and time that exists, yyyy-MM-dd HH:mm:ss, Beijing time",
}


def utf16_units(text: str) -> int:
    """Return the length of ``text`` as Java counts it: an emoji outside the basic plane is two."""
    return len(text.encode("utf-16-le")) // 2


_PATTERNS = {
    "id": _ID,
    "atTime": _MOMENT,
    "dailyBeginTime": _CLOCK,
    "dailyEndTime": _CLOCK,
    "validUntil": _MOMENT,
}


def _or_empty(name: str) -> str:
    """Anchor a field's pattern and let the empty string through: a field left out, as in the spec's sample (3.2).

    Python's and Java's ``$`` let a newline follow. RE2 does not know what would forbid it: the code looks again.
    """
    return f"^({_PATTERNS[name]})?$"


class SendRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One send, the body of one message in the send queue. An empty optional field is a field left out."""

    mobiles: Annotated[
        list[str],
        Meta(
            min_length=1,
            description="Chinese mobiles. +86, 0086, 86, spaces and hyphens are normalised away; "
            "duplicates are sent once; what is then not 11 digits beginning with 1 is listed as invalid.",
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
    id: Annotated[
        str,
        Meta(pattern=_or_empty("id"), description="Idempotency key and send_id. Left out: the SQS message id."),
    ] = ""
    atTime: Annotated[  # noqa: N815
        str, Meta(pattern=_or_empty("atTime"), description="When to send, Beijing time. Left out: at once.")
    ] = ""
    dailyBeginTime: Annotated[  # noqa: N815
        str, Meta(pattern=_or_empty("dailyBeginTime"), description="Not before this time of day.")
    ] = ""
    dailyEndTime: Annotated[  # noqa: N815
        str, Meta(pattern=_or_empty("dailyEndTime"), description="Not after this time of day.")
    ] = ""
    validUntil: Annotated[  # noqa: N815
        str,
        Meta(
            pattern=_or_empty("validUntil"),
            description="Beijing time. What the platform has not accepted by then is never sent.",
        ),
    ] = ""


def schema() -> dict[str, Any]:
    """Return the JSON Schema of a send, which is published as ``docs/send.schema.json``."""
    (_,), definitions = msgspec.json.schema_components([SendRequest])
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **definitions["SendRequest"],
        "title": "Send",
    }


@dataclass(frozen=True, slots=True)
class InvalidMobile:
    """A mobile that is not sent to, as the user wrote it (cut to 40 characters), and why."""

    mobile: str
    reason: str


@dataclass(frozen=True, slots=True)
class Part:
    """A slice of a send: at most 10,000 mobiles, or nothing but mobiles that cannot be used.

    ``start`` is where a half, however often halved, begins in the mobiles of its first-level part.
    """

    name: str
    mobiles: tuple[str, ...]
    invalid_mobiles: tuple[InvalidMobile, ...] = ()
    start: int = 0

    @property
    def is_half(self) -> bool:
        """Whether a 310 brought this part forth."""
        return "." in self.name

    def halves(self) -> tuple["Part", "Part"]:
        """Return the two parts that a 310 divides this one into: the same two every time."""
        middle = len(self.mobiles) // 2
        return (
            Part(f"{self.name}.1", self.mobiles[:middle], start=self.start),
            Part(f"{self.name}.2", self.mobiles[middle:], start=self.start + middle),
        )


@dataclass(frozen=True)
class Send:
    """A send that keeps every rule: what its parts have in common, and the parts."""

    send_id: str
    mobiles: tuple[str, ...]
    invalid_mobiles: tuple[InvalidMobile, ...]
    content: str = field(repr=False)
    at_time: str | None = None
    daily_begin_time: str | None = None
    daily_end_time: str | None = None
    valid_until: str | None = None

    @cached_property
    def fingerprint(self) -> str:
        """32 hex digits that two bodies share exactly if they ask for the same thing.

        It is taken after normalisation, so the order of fields and the formatting of numbers do not count. The
        order of the mobiles does: it decides which part a mobile is in.
        """
        payload = [
            self.mobiles,
            [invalid.mobile for invalid in self.invalid_mobiles],
            self.content,
            self.at_time,
            self.daily_begin_time,
            self.daily_end_time,
            self.valid_until,
        ]
        return hashlib.sha256(json.dumps(payload).encode()).hexdigest()[:32]

    @cached_property
    def parts(self) -> tuple[Part, ...]:
        """The send's first-level parts, in order. At least one; every mobile, good or not, is in exactly one."""
        good = list(batched(self.mobiles, MAX_MOBILES, strict=False))
        few = len(self.invalid_mobiles) <= NAMED_WITH_PART_ONE
        with_first = self.invalid_mobiles if good and few else ()
        apart = () if with_first else batched(self.invalid_mobiles, _UNUSABLE_PER_ROW, strict=False)
        slices = [(mobiles, ()) for mobiles in good] + [((), invalid) for invalid in apart]
        return tuple(
            Part(str(number), mobiles, with_first if number == 1 and good else invalid)
            for number, (mobiles, invalid) in enumerate(slices, start=1)
        )

    @cached_property
    def expires(self) -> datetime | None:
        """The moment of ``valid_until``."""
        return beijing.parse(self.valid_until) if self.valid_until else None


def parse(body: str, message_id: str) -> Send:
    """Check the body of the queue message ``message_id`` and return its send.

    Raises :class:`SendRefused` with every fault at once, each a sentence with the field, the value and the rule.
    """
    request = _checked(_decoded(body))
    mobiles, invalid = _normalised(request.mobiles)
    return Send(
        send_id=request.id or message_id,
        mobiles=mobiles,
        invalid_mobiles=invalid,
        content=request.content,
        at_time=request.atTime or None,
        daily_begin_time=request.dailyBeginTime or None,
        daily_end_time=request.dailyEndTime or None,
        valid_until=request.validUntil or None,
    )


def send_id_of(body: str, message_id: str) -> str:
    """Return the id under which a refused body is known: its own if that is usable, else the message's."""
    try:
        value = _decoded(body).get("id")
    except SendRefused:
        return message_id
    return value if isinstance(value, str) and re.fullmatch(_ID, value) else message_id


def normalise(mobile: str) -> str | None:
    """Return the 11 digits of a Chinese mobile, or ``None`` if they are not there."""
    found = _MOBILE.fullmatch(_SEPARATORS.sub("", mobile))
    return found[1] if found else None


def _normalised(raw: Iterable[str]) -> tuple[tuple[str, ...], tuple[InvalidMobile, ...]]:
    good: dict[str, None] = {}
    bad: dict[str, None] = {}
    for mobile in raw:
        digits = normalise(mobile)
        if digits:
            good[digits] = None
        else:
            bad[_storable(mobile[:_LONGEST_SHOWN])] = None
    return tuple(good), tuple(InvalidMobile(mobile, UNUSABLE) for mobile in bad)


def _decoded(body: str) -> dict[str, Any]:
    try:
        values = json.loads(body, object_pairs_hook=_no_repeats, parse_constant=_no_constant)
    except _RepeatedField as error:
        raise SendRefused([f"The field {_shown(error.args[0])} stands twice; a field may stand once."]) from None
    except (ValueError, RecursionError):
        raise SendRefused(["The body is no JSON text; it must be a JSON object in UTF-8."]) from None
    if not isinstance(values, dict):
        raise SendRefused([f"The body is {_kind(values)}; it must be a JSON object."])
    return values


class _RepeatedField(Exception):
    pass


def _no_repeats(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for name, value in pairs:
        if name in values:
            raise _RepeatedField(name)
        values[name] = value
    return values


def _no_constant(name: str) -> None:
    raise ValueError(name)  # NaN and Infinity are Python's, not JSON's


def _checked(values: dict[str, Any]) -> SendRequest:
    """Check field by field, so that all faults are told at once."""
    faults = [_not_a_field(name) for name in values if name not in _RULES]
    for field_ in msgspec.structs.fields(SendRequest):
        if field_.name not in values:
            if field_.required:
                faults.append(f"{field_.name} is missing; it must be {_RULES[field_.name]}.")
        elif not _keeps_the_rule(field_, values[field_.name]):
            faults.append(_fault(field_.name, values[field_.name]))
    faults += _window_fault(values)
    if faults:
        raise SendRefused(_bounded(faults))
    return SendRequest(**values)


def _keeps_the_rule(field_: msgspec.structs.FieldInfo, value: object) -> bool:
    try:
        msgspec.convert(value, field_.type)
        if value and field_.name in _PATTERNS and not re.fullmatch(_PATTERNS[field_.name], str(value)):
            return False
        if field_.name in ("atTime", "validUntil") and value:
            beijing.parse(str(value))  # a schema cannot say that February has no 30th
        if field_.name == "content":
            return utf16_units(str(value)) <= MAX_CONTENT_UNITS
    except (msgspec.ValidationError, ValueError):  # half a surrogate pair is a ValueError
        return False
    return True


def _not_a_field(name: str) -> str:
    return f"{_shown(name)} is not a field of a send; the fields are {', '.join(_RULES)}."


def _window_fault(values: dict[str, Any]) -> list[str]:
    begin, end = values.get("dailyBeginTime"), values.get("dailyEndTime")
    both = all(isinstance(each, str) and re.fullmatch(_CLOCK, each) for each in (begin, end))
    if not both or begin < end:  # type: ignore[operator]  # both are strings here
        return []
    return [f"dailyBeginTime is {_shown(begin)} and dailyEndTime is {_shown(end)}; begin must be before end."]


def _fault(name: str, value: object) -> str:
    rule = _RULES[name]
    match name, value:
        case "content", _:  # told by its size: a text does not belong into a sentence that travels
            return f"content is {_sized(value)}; it must be {rule}."
        case "mobiles", []:
            return f"mobiles is an empty array; it must be {rule}."
        case "mobiles", list():
            place, wrong = next((n, each) for n, each in enumerate(value) if not isinstance(each, str))
            return f"mobiles[{place}] is {_kind(wrong)}; mobiles must be {rule}."
        case "mobiles", _:
            return f"mobiles is {_kind(value)}; it must be {rule}."
        case _:
            return f"{name} is {_shown(value)}; it must be {rule}."


def _bounded(faults: list[str]) -> list[str]:
    rest = len(faults) - _MOST_FAULTS_TOLD
    return faults if rest <= 0 else [*faults[:_MOST_FAULTS_TOLD], f"And {rest} more faults of this kind."]


def _shown(value: object) -> str:
    text = json.dumps(value, ensure_ascii=False, default=str)
    text = text if len(text) <= _LONGEST_SHOWN else f"{text[:_LONGEST_SHOWN]}…"
    return _storable(text)


def _storable(text: str) -> str:
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
