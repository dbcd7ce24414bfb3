"""The entries of a push: ``jsonData`` into reports and MOs (spec 4.5, 5.5), good and bad.

Tolerant in types (contract, section 3) as long as there is one way to understand an entry; where there are two,
it is unreadable rather than guessed at.
"""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import chain
from types import MappingProxyType
from typing import Any

from kuaixintong.core.errors import PushUnreadable
from kuaixintong.core.jsontext import Ambiguous, NotJson, dump, elements
from kuaixintong.core.limits import ITEM_BYTES, SORT_KEY_BYTES
from kuaixintong.core.messages import MO, Report
from kuaixintong.core.mobiles import normalise
from kuaixintong.core.numbers import Written, whole
from kuaixintong.core.unreadable import Kept, Unreadable, as_bytes

_LONGEST_KEY_TEXT = (SORT_KEY_BYTES - 24) // 2
"""Bytes of a text that goes into a key; sort keys here have two such pieces."""

_LONGEST_TEXT = ITEM_BYTES - 20_000
"""Bytes of texts in a row; the rest is names, keys and times."""

_LONGEST_MOBILE = 100
"""Characters of a mobile that is written with signs of all sorts between its digits."""

_MANY = 200
"""Unreadable entries of one push that get a record each; more share one, for each costs a call of its own."""


_BETWEEN_LOOKS = 500
"""Entries that are read between two looks at the time; they take a millisecond or two."""


@dataclass(frozen=True, slots=True)
class Sorted:
    """The contents of a push: reports or MOs, never both, and what is neither. No two share a key."""

    reports: tuple[Report, ...] = ()
    mos: tuple[MO, ...] = ()
    unreadable: tuple[Unreadable, ...] = ()


def sort_out(kind: str, arrays: Sequence[str], in_time: Callable[[], None] = lambda: None) -> Sorted:
    """Return the messages in each ``jsonData`` of a push, and the entries that are none.

    Of two entries with one key the later stands; they say the same but for the fields that the spec does not name.
    ``in_time`` is called now and then; it raises when there is no time left. Raises :class:`PushUnreadable` if
    ``kind`` is neither ``report`` nor ``mo`` or any ``jsonData`` is no JSON array.
    """
    match kind:
        case "report":
            reports, unreadable = _each(kind, arrays, _report, in_time)
            return Sorted(reports=_latest(reports, lambda each: (each.token, each.outcome)), unreadable=unreadable)
        case "mo":
            mos, unreadable = _each(kind, arrays, _mo, in_time)
            return Sorted(mos=_latest(mos, lambda each: (each.mobile, each.message_key)), unreadable=unreadable)
        case _:
            raise PushUnreadable("type is neither report nor mo")


class _Faulty(ValueError):
    """An entry breaks a rule; the text says which."""


def _each[M](
    kind: str, arrays: Sequence[str], to_message: Callable[[dict[str, Any]], M], in_time: Callable[[], None]
) -> tuple[list[M], tuple[Unreadable, ...]]:
    """Return the messages, and what is no message."""
    messages: list[M] = []
    faults = _Faults(kind)
    suspicious = any("\ufffd" in each or "\\u" in each for each in arrays)
    entries = chain.from_iterable(elements(each.lstrip("\ufeff")) for each in arrays)
    try:
        for number, (value, text) in enumerate(entries):
            if number % _BETWEEN_LOOKS == 0:
                in_time()
            reason = _against(value) or (_damage_to(value, text) if suspicious else None)
            if reason is None:
                try:
                    messages.append(to_message(value))
                except _Faulty as fault:
                    reason = str(fault)
            if reason:
                faults.add(text, reason)
    except NotJson:
        raise PushUnreadable("jsonData is not a JSON array") from None
    return messages, faults.gathered()


class _Faults:
    """Unreadable entries, and why the first of them are."""

    def __init__(self, kind: str) -> None:
        self._kind = kind
        self._texts: list[str] = []
        self._reasons: list[str] = []

    def add(self, text: str, reason: str) -> None:
        self._texts.append(text)
        if len(self._reasons) < _MANY:
            self._reasons.append(reason)

    def gathered(self) -> tuple[Unreadable, ...]:
        """Return a record each, or one for very many, which holds them as an array."""
        if len(self._texts) <= _MANY:
            pairs = zip(self._texts, self._reasons, strict=True)
            return tuple(Unreadable(self._kind, Kept.ENTRY, as_bytes(text), reason) for text, reason in pairs)
        raw = b"[%b]" % b",\n".join(map(as_bytes, self._texts))
        count = len(self._texts)
        reason = f"{count} entries of one push, the first of them: {self._reasons[0]}"
        return (Unreadable(self._kind, Kept.JSON_DATA, raw, reason, entries=count),)


def _latest[M](messages: Iterable[M], key: Callable[[M], Any]) -> tuple[M, ...]:
    return tuple({key(each): each for each in messages}.values())


def _against(value: Any) -> str | None:
    """Return what speaks against an entry before its fields are looked at. A million may be nothing but junk."""
    if isinstance(value, Ambiguous):
        return "The entry has a field twice."
    if not isinstance(value, dict):
        return "The entry is no JSON object."
    return None


def _damage_to(value: Any, text: str) -> str | None:
    damaged = _may_be_damaged(text) and _is_damaged(value)
    return "The entry has text that was damaged on its way." if damaged else None


# what stands for a character that somebody before us could not read, as itself or escaped
_may_be_damaged = re.compile(r"\ufffd|\\uFFFD", re.IGNORECASE).search


def _is_damaged(value: Any) -> bool:
    match value:
        case str():
            return "\ufffd" in value
        case dict():
            return any(map(_is_damaged, chain(value, value.values())))
        case list():
            return any(map(_is_damaged, value))
        case _:
            return False


def _report(entry: dict[str, Any]) -> Report:
    mobile, as_pushed = _mobile(entry)
    return Report(
        token=_identifier(entry, "token"),
        mobile=mobile,
        result_code=_result_code(entry),
        success=_truth(entry, "success"),
        mobile_as_pushed=as_pushed,
        extra=_extra(entry, ("token", "mobile", "resultCode", "success")),
    )


def _mo(entry: dict[str, Any]) -> MO:
    content = _content(entry)
    extra = _extra(entry, ("mobile", "content", "smgRecvDate"))
    if len(content.encode()) + len(extra.encode()) > _LONGEST_TEXT:
        raise _Faulty("The entry is larger than a row can be.")
    mobile, as_pushed = _mobile(entry)
    return MO(
        mobile=mobile,
        content=content,
        smg_recv_date=_date(entry, "smgRecvDate"),
        mobile_as_pushed=as_pushed,
        extra=extra,
    )


def _identifier(entry: Mapping[str, Any], name: str) -> str:
    text = _text(entry, name)
    if not text:
        raise _Faulty(f"{name} is empty.")
    return text


def _mobile(entry: Mapping[str, Any]) -> tuple[str, str]:
    """Return the mobile's 11 digits, if it has them, and its own writing, if that is another."""
    value = entry.get("mobile")
    if isinstance(value, str) and len(value) <= _LONGEST_MOBILE and (digits := normalise(value)):
        return digits, "" if value == digits else str(value)
    written = _identifier(entry, "mobile")
    if "#" in written:
        raise _Faulty("mobile contains #, which parts the pieces of a report's key.")
    digits = normalise(written) or written
    return digits, written if written != digits else ""


_fraction = re.compile(r"-?[0-9]+\.[0-9]*[1-9]").fullmatch


def _result_code(entry: Mapping[str, Any]) -> str:
    # may be empty: the sender said so, and success says what it means
    value = entry.get("resultCode")
    return str(value) if isinstance(value, Written) and _fraction(value) else _text(entry, "resultCode")


def _text(entry: Mapping[str, Any], name: str) -> str:
    """Return text without the blanks around it, or a number's digits."""
    match _given(entry, name):
        case Written() as number:
            text = whole(number)
            if text is None:
                raise _Faulty(f"{name} is a number that is not whole, or has lost digits.")
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
        case str() as value:
            word = (whole(value) or "") if isinstance(value, Written) else value.strip().lower()
            if word in _TRUTH:
                return _TRUTH[word]
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


_date_form = re.compile(r"([0-9]{4}-[0-9]{2}-[0-9]{2} [0-9]{2}:[0-9]{2}:[0-9]{2})(\.[0-9]{1,9})?").fullmatch


def _date(entry: Mapping[str, Any], name: str) -> str:
    """Return the spec's own text (5.5), and a fraction of the second if there is one."""
    value = _given(entry, name)
    form = _date_form(value.strip()) if isinstance(value, str) else None
    if not form:
        raise _Faulty(f"{name} is not yyyy-MM-dd HH:mm:ss.")
    second, fraction = form.groups()
    try:
        datetime.fromisoformat(second)
    except ValueError:
        raise _Faulty(f"{name} is a moment that does not exist.") from None
    # java.sql.Timestamp prints .0 where there is no fraction: one moment, one text
    return f"{second}{(fraction or '').rstrip('.0')}"


def _extra(entry: Mapping[str, Any], known: Iterable[str]) -> str:
    rest = {name: value for name, value in entry.items() if name not in known}
    if not rest:
        return ""
    try:
        extra = dump(rest)
    except NotJson:
        raise _Faulty("A field beyond the spec's is nested too deeply, or has a field twice.") from None
    if len(extra.encode()) > _LONGEST_TEXT // 2:
        raise _Faulty("The fields beyond the spec's are too large.")
    return extra
