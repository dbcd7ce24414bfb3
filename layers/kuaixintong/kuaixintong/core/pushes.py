"""What the platform pushes: reports and MOs (spec 4 and 5), told apart from what cannot be read.

:func:`read` finds who pushes what; :func:`sort_out` turns the ``jsonData`` of a push into messages, and what is
wrong into :class:`Unreadable`, each with its own text and a reason. Tolerant in types (contract, section 3) as
long as there is one way to understand an entry; where there are two, it is unreadable rather than guessed at.

Reasons name fields and rules and never quote a value: they are logged.
"""

import json
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from hashlib import sha256
from types import MappingProxyType
from typing import Any
from urllib.parse import quote, quote_plus

from kuaixintong.core.errors import PushUnreadable
from kuaixintong.core.gateway import Request
from kuaixintong.core.jsontext import Literal, NotJson, dump, elements
from kuaixintong.core.messages import MO, Report
from kuaixintong.core.parameters import parameters

_MAX_KEY_BYTES = 1_000
"""DynamoDB takes 2,048 bytes in a partition key and 1,024 in a sort key; sort keys here have two pieces."""

_MAX_ROW_BYTES = 390_000
"""DynamoDB takes 400 KB in an item; the rest is names, keys and times."""

_LONGEST_TYPE = 100
"""Characters of ``type`` in a quarantine row; a longer one stays where it is, in the body."""

_MANY = 200
"""Unreadable entries of one push that get a record each; more share one, for each costs a call of its own."""

_NEAR = 128
"""Bytes between the name ``pwd`` and the password itself, in any notation: a multipart header fits."""


class Kept(StrEnum):
    """Which piece of a push a quarantine record holds."""

    ENTRY = "entry"
    CONTRADICTION = "contradiction"  # readable, but the push says otherwise too: for a person to judge
    JSON_DATA = "jsonData"
    BODY = "body"


@dataclass(frozen=True, slots=True)
class Unreadable:
    """What could not be read. ``raw`` is UTF-8 wherever the sender's text was text; ``entries`` is how many."""

    type: str
    kept: Kept
    raw: bytes = field(repr=False)
    reason: str = field(compare=False)
    entries: int = field(default=1, compare=False)

    @property
    def digest(self) -> str:
        """64 hex digits that are the same whenever the same is pushed again, whatever the reason given."""
        return sha256(f"{self.type}\n{self.kept}\n".encode() + self.raw).hexdigest()


@dataclass(frozen=True, slots=True)
class Push:
    """One push (spec 4.4, 5.4), its ``jsonData`` not yet looked into. What was missing is empty."""

    uid: str
    pwd: str = field(repr=False)
    type: str
    json_data: str = field(repr=False)
    body: bytes = field(repr=False)

    def unreadable(self, reason: str) -> Unreadable:
        """Return the push for quarantine: its ``jsonData``, or its body where none was found.

        The password is cut out where it follows its name; every other byte is as it came.
        """
        kept = Kept.JSON_DATA if self.json_data and len(self.type) <= _LONGEST_TYPE else Kept.BODY
        raw = _bytes(self.json_data) if kept == Kept.JSON_DATA else self.body
        kind = self.type[:_LONGEST_TYPE].encode("utf-8", "backslashreplace").decode()
        return Unreadable(kind, kept, _without(self.pwd, raw), reason)


@dataclass(frozen=True, slots=True)
class Sorted:
    """The contents of a push: reports or MOs, never both, and what is neither. No two reports share a key."""

    reports: tuple[Report, ...] = ()
    mos: tuple[MO, ...] = ()
    unreadable: tuple[Unreadable, ...] = ()


def read(request: Request) -> Push:
    """Find the parameters of a push. Never fails: a request without credentials has empty ones."""
    found = parameters(request)
    return Push(
        uid=found.get("uid", ""),
        pwd=found.get("pwd", ""),
        type=found.get("type", "").strip(),
        json_data=found.get("jsonData", ""),
        body=request.body,
    )


def sort_out(kind: str, json_data: str) -> Sorted:
    """Return the messages in ``jsonData``, and the entries that are none.

    Raises :class:`PushUnreadable` if ``kind`` is neither ``report`` nor ``mo`` or ``jsonData`` is no JSON array.
    """
    match kind:
        case "report":
            read_reports, unreadable = _each(kind, json_data, _report)
            reports, denied = _agreed(kind, read_reports)
            held = _gathered(unreadable, Kept.JSON_DATA) + _gathered(denied, Kept.CONTRADICTION)
            return Sorted(reports=reports, unreadable=tuple(held))
        case "mo":
            mos, unreadable = _each(kind, json_data, _mo)
            held = _gathered(unreadable, Kept.JSON_DATA)
            return Sorted(mos=tuple(mo for mo, _ in mos), unreadable=tuple(held))
        case _:
            raise PushUnreadable("type is neither report nor mo")


def reread(record: Unreadable) -> Sorted:
    """Return the messages in what could not be read at the time. Raises :class:`PushUnreadable` as ever."""
    text = record.raw.decode("utf-8", "surrogateescape")
    match record.kept:
        case Kept.ENTRY:
            return sort_out(record.type, f"[{text}]")
        case Kept.CONTRADICTION:
            raise PushUnreadable(record.reason)
        case Kept.JSON_DATA:
            return sort_out(record.type, text)
        case Kept.BODY:
            push = read(Request(body=record.raw))
            return sort_out(push.type or record.type, push.json_data)


class _Faulty(ValueError):
    """An entry breaks a rule; the text says which."""


def _each[M](
    kind: str, json_data: str, to_message: Callable[[dict[str, Any]], M]
) -> tuple[list[tuple[M, str]], list[Unreadable]]:
    """Return each message with its entry's own text, and what is no message."""
    messages: list[tuple[M, str]] = []
    unreadable: list[Unreadable] = []
    try:
        for value, text in elements(json_data.lstrip("\ufeff")):
            try:
                messages.append((to_message(_object(value)), text))
            except _Faulty as fault:
                unreadable.append(Unreadable(kind, Kept.ENTRY, _bytes(text), str(fault)))
    except NotJson:
        raise PushUnreadable("jsonData is not a JSON array") from None
    return messages, unreadable


def _agreed(kind: str, reports: Iterable[tuple[Report, str]]) -> tuple[tuple[Report, ...], list[Unreadable]]:
    """Let no two reports share a key: a repetition is dropped, and of two that differ, one gives way.

    Which one does not depend on their order: a success stands against a failure.
    """
    standing: dict[tuple[str, str], tuple[Report, str]] = {}
    denied: list[Unreadable] = []
    denial = "Another entry of the push has the same token, mobile and resultCode and says otherwise."
    for entry in reports:
        report = entry[0]
        key = (report.token, report.outcome)
        other = standing.setdefault(key, entry)
        if other[0] != report:
            standing[key], (_, text) = sorted((other, entry), key=_weight, reverse=True)
            denied.append(Unreadable(kind, Kept.CONTRADICTION, _bytes(text), denial))
    return tuple(report for report, _ in standing.values()), denied


def _weight(entry: tuple[Report, str]) -> tuple[bool, str]:
    return entry[0].success, entry[0].extra


def _gathered(unreadable: list[Unreadable], kept: Kept) -> list[Unreadable]:
    """Put very many into one record, which holds them as an array."""
    if len(unreadable) <= _MANY:
        return unreadable
    raw = b"[%b]" % b",\n".join(each.raw for each in unreadable)
    reason = f"{len(unreadable)} entries of one push, the first of them: {unreadable[0].reason}"
    return [Unreadable(unreadable[0].type, kept, raw, reason, entries=len(unreadable))]


def _object(value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise _Faulty("The entry is no JSON object.")
    return value


def _report(entry: dict[str, Any]) -> Report:
    return Report(
        token=_identifier(entry, "token"),
        mobile=_mobile(entry),
        result_code=_result_code(entry),
        success=_truth(entry, "success"),
        extra=_extra(entry, ("token", "mobile", "resultCode", "success")),
    )


def _mo(entry: dict[str, Any]) -> MO:
    content = _content(entry)
    extra = _extra(entry, ("mobile", "content", "smgRecvDate"))
    if len(content.encode()) + len(extra.encode()) > _MAX_ROW_BYTES:
        raise _Faulty("The entry is larger than a row can be.")
    return MO(mobile=_mobile(entry), content=content, smg_recv_date=_date(entry, "smgRecvDate"), extra=extra)


def _identifier(entry: Mapping[str, Any], name: str) -> str:
    text = _text(entry, name)
    if not text:
        raise _Faulty(f"{name} is empty.")
    if isinstance(entry[name], Literal) and "." in text:
        raise _Faulty(f"{name} is a number but no whole one.")
    return text


def _mobile(entry: Mapping[str, Any]) -> str:
    mobile = _identifier(entry, "mobile")
    if "#" in mobile:
        raise _Faulty("mobile contains #, which parts the two halves of a report's key.")
    return mobile


def _result_code(entry: Mapping[str, Any]) -> str:
    # may be empty: the sender said so, and success says what it means
    return _text(entry, "resultCode")


# Senders whose numbers are all floating write 7331.0. What they write as 7.331E3 may have lost digits.
_number = re.compile(r"(-?[0-9]+)(\.[0-9]+)?").fullmatch


def _text(entry: Mapping[str, Any], name: str) -> str:
    """Return text without the blanks around it, or a number's digits."""
    match _given(entry, name):
        case Literal() as literal:
            number = _number(literal)
            if not number:
                raise _Faulty(f"{name} is a number that can be written in more than one way.")
            text = number.group() if (number.group(2) or "").strip(".0") else number.group(1)
        case str() as value:
            text = value.strip()
        case _:
            raise _Faulty(f"{name} is neither text nor a number.")
    if not text.isprintable():
        raise _Faulty(f"{name} contains characters that do not print.")
    if len(text.encode()) > _MAX_KEY_BYTES // 2:
        raise _Faulty(f"{name} is too long.")
    return text


def _given(entry: Mapping[str, Any], name: str) -> Any:
    value = entry.get(name)
    if value is None:
        raise _Faulty(f"{name} is missing.")
    return value


_TRUTH = MappingProxyType(
    dict.fromkeys(("true", "1", "yes", "y", "success", "ok", "成功", "是"), True)
    | dict.fromkeys(("false", "0", "no", "n", "failure", "fail", "failed", "失败", "否"), False)
)


def _truth(entry: Mapping[str, Any], name: str) -> bool:
    match _given(entry, name):
        case bool() as truth:
            return truth
        case str() as word if word.strip().lower() in _TRUTH:
            return _TRUTH[word.strip().lower()]
        case _:
            raise _Faulty(f"{name} is neither a boolean nor a word for one.")


def _content(entry: Mapping[str, Any]) -> str:
    match _given(entry, "content"):
        case str() as content:  # a number keeps the digits that were written
            pass
        case _:
            raise _Faulty("content is no text.")
    try:
        content.encode()
    except UnicodeEncodeError:
        raise _Faulty("content contains half a character.") from None
    return str(content)


# java.sql.Timestamp prints a fraction; the spec (5.5) has none.
_date_form = re.compile(r"([0-9]{4}-[0-9]{2}-[0-9]{2} [0-9]{2}:[0-9]{2}:[0-9]{2})(?:\.[0-9]{1,9})?").fullmatch


def _date(entry: Mapping[str, Any], name: str) -> str:
    value = _given(entry, name)
    form = _date_form(value.strip()) if isinstance(value, str) else None
    if not form:
        raise _Faulty(f"{name} is not yyyy-MM-dd HH:mm:ss.")
    try:
        datetime.fromisoformat(form.group(1))
    except ValueError:
        raise _Faulty(f"{name} is a moment that does not exist.") from None
    return form.group()


def _extra(entry: Mapping[str, Any], known: Iterable[str]) -> str:
    rest = {name: value for name, value in entry.items() if name not in known}
    if not rest:
        return ""
    try:
        extra = dump(rest)
    except NotJson:
        raise _Faulty("A field beyond the spec's is nested too deeply.") from None
    if len(extra.encode()) > _MAX_ROW_BYTES // 2:
        raise _Faulty("The fields beyond the spec's are too large.")
    return extra


def _bytes(text: str) -> bytes:
    try:
        return text.encode("utf-8", "surrogateescape")  # the very bytes that were no UTF-8 on the way in
    except UnicodeEncodeError:
        return text.encode("utf-8", "surrogatepass")  # half characters that came as JSON escapes


def _without(password: str, raw: bytes) -> bytes:
    """Cut the password out where its name stands shortly before it: as it is, as in JSON, and as in a form."""
    if b"pwd" not in raw:
        return raw
    secret = _bytes(password)
    forms = {secret, _bytes(json.dumps(password)[1:-1]), quote(secret).encode(), quote_plus(secret).encode()}
    pattern = b"|".join(re.escape(form) for form in sorted(forms, key=len, reverse=True))

    def cut(found: re.Match[bytes]) -> bytes:
        named = b"pwd" in raw[max(0, found.start() - _NEAR) : found.start()]
        return b"" if named else found.group()

    return re.sub(pattern, cut, raw)
