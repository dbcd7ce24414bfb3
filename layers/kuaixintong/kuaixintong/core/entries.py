"""The entries of a push: ``jsonData`` into reports and MOs (spec 4.5, 5.5), good and bad.

Tolerant in types (contract, section 3) as long as there is one way to understand an entry; where there are two,
it is unreadable rather than guessed at.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType
from typing import Any

from kuaixintong.core.errors import PushUnreadable
from kuaixintong.core.jsontext import Literal, NotJson, dump, elements
from kuaixintong.core.limits import ITEM_BYTES, SORT_KEY_BYTES
from kuaixintong.core.messages import MO, Report
from kuaixintong.core.unreadable import Kept, Unreadable, as_bytes

_LONGEST_KEY_TEXT = (SORT_KEY_BYTES - 24) // 2
"""Bytes of a text that goes into a key; sort keys here have two such pieces."""

_LONGEST_TEXT = ITEM_BYTES - 20_000
"""Bytes of texts in a row; the rest is names, keys and times."""

_MANY = 200
"""Unreadable entries of one push that get a record each; more share one, for each costs a call of its own."""


@dataclass(frozen=True, slots=True)
class Sorted:
    """The contents of a push: reports or MOs, never both, and what is neither. No two reports share a key."""

    reports: tuple[Report, ...] = ()
    mos: tuple[MO, ...] = ()
    unreadable: tuple[Unreadable, ...] = ()


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
                unreadable.append(Unreadable(kind, Kept.ENTRY, as_bytes(text), str(fault)))
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
            denied.append(Unreadable(kind, Kept.CONTRADICTION, as_bytes(text), denial))
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
    if len(content.encode()) + len(extra.encode()) > _LONGEST_TEXT:
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
    if len(text.encode()) > _LONGEST_KEY_TEXT:
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
    if len(extra.encode()) > _LONGEST_TEXT // 2:
        raise _Faulty("The fields beyond the spec's are too large.")
    return extra
