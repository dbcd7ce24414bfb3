"""The platform as a pure core: form fields and the time in, an answer out. No sockets, no clock, no chance.

A caller may hold a request back and hand it in later, after others: that is all it takes to play a request
that was held up on its way.

The spec names the state codes, but not the order in which they are looked for. Here, first to last:

==========  ==========================================================================================
220         the source address is not allowed
120, 100    ``op`` or ``message`` is missing; ``op`` is unknown
110, 120    ``message`` is no JSON object, or a parameter has a wrong type; a parameter is missing or null
200, 240    ``cid`` or ``uid`` is unknown; the digest is wrong
230         the timestamp is not 18 digits with a real date and time, or too far from the platform's clock
----------  ------------------------------ memory ``every`` remembers the timestamp here -----------------
250, 260    the account, the organisation is disabled
210         too many requests (``limits``)
230         the timestamp is remembered already
300 – 340   mobiles, content, ``atTime``, daily window, in this order
400         the fee is more than the balance
----------  ---------------------------- memory ``accepted`` remembers the timestamp here ----------------
0           done
==========  ==========================================================================================

200 and 240 mean nearly the same in the spec (认证错, 认证失败); so that both can be provoked, 200 stands for an
unknown account and 240 for a wrong password. 130 (GET) is the HTTP side's business; 1, 350 and 360 come by
fault alone, since no op of the spec takes tokens. ``timestamps`` says for whom and for how long one is remembered.
"""

import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta, timezone
from typing import Any, Never

from local.simulator import codes
from local.simulator.limits import Limiter
from local.simulator.settings import Memory, Segments, Settings
from local.simulator.timestamps import Timestamps

MAX_MOBILES = 10_000  # spec 3.1
MAX_CONTENT_UNITS = 1_000  # spec 3.1

BEIJING = timezone(timedelta(hours=8))

_TIMESTAMP = re.compile(r"[0-9]{18}")
_MOBILE = re.compile(r"1[0-9]{10}")
_DATE_TIME = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2} [0-9]{2}:[0-9]{2}:[0-9]{2}")
_TIME_OF_DAY = re.compile(r"([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]")


@dataclass(frozen=True, slots=True)
class Message:
    """One accepted ``sendSm``. ``raw`` is the form field ``message`` exactly as it came."""

    token: int
    timestamp: str
    mobiles: tuple[str, ...]
    content: str
    at_time: str
    daily_begin_time: str
    daily_end_time: str
    segments: int
    """Pieces in which the content goes out."""
    fee: int
    uid: str
    server: int
    """Which of the platform's addresses it came to, from 0."""
    accepted_at: datetime
    raw: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Answer:
    """What the platform answers: a state code, its words, and an op's own results."""

    state_code: int
    results: Mapping[str, int] = field(default_factory=dict)

    @property
    def body(self) -> bytes:
        """The answer's JSON, UTF-8 (spec 1.3, 2.4, 3.4)."""
        words = codes.WORDS.get(self.state_code, "")
        return compact({"stateCode": self.state_code, "message": words, **self.results})


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a request: what is to be answered, and the part it brought about, if it did."""

    answer: Answer
    accepted: Message | None = None


@dataclass(frozen=True, slots=True)
class Report:
    """One delivery report (spec 4.5)."""

    token: int
    mobile: str
    result_code: str
    success: bool

    def as_json(self) -> dict[str, Any]:
        """In the spec's names and order (4.6)."""
        return {
            "token": self.token,
            "mobile": self.mobile,
            "resultCode": self.result_code,
            "success": self.success,
        }


@dataclass(frozen=True, slots=True)
class MO:
    """One uplink message (spec 5.5); ``smg_recv_date`` is ``yyyy-MM-dd HH:mm:ss``, Beijing time."""

    mobile: str
    content: str
    smg_recv_date: str
    sent_at: datetime | None = field(default=None, compare=False)
    """To the fraction of a second, by this machine's clock; no part of what is pushed."""

    def as_json(self) -> dict[str, Any]:
        """In the spec's names and order (5.6)."""
        return {"mobile": self.mobile, "content": self.content, "smgRecvDate": self.smg_recv_date}


def compact(value: Any) -> bytes:
    """Return JSON as the platform writes it: no blanks, Chinese as it is, UTF-8.

    Half a surrogate pair, which UTF-8 cannot hold, becomes the JSON escape that it came as.
    """
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    return text.encode("utf-8", "backslashreplace")


def digest(pwd: str, timestamp: str) -> str:
    """Return the password as it travels: md5 of password and timestamp, 32 lower-case hex digits (spec 6.1)."""
    return hashlib.md5(f"{pwd}{timestamp}".encode(), usedforsecurity=False).hexdigest()


def utf16_units(text: str) -> int:
    """Count characters as the platform's Java does."""
    return len(text.encode("utf-16-le", "surrogatepass")) // 2


def segments(content: str, settings: Settings) -> int:
    """Count the pieces a content goes out in: one up to 70 UTF-16 units, pieces of 67 when it is longer.

    So it is unless ``settings`` have another rule; three units of a long message's piece go to its header.
    """
    units = utf16_units(content) + settings.signature
    return 1 if units <= settings.single_segment else -(-units // settings.long_segment)


def reports_of(message: Message, settings: Settings) -> Iterator[Report]:
    """Yield an accepted message's reports in the order of its mobiles, lazily.

    Time is not played: what waits for its ``atTime`` or daily window is reported like what goes out at once.
    """
    pieces = 1 if settings.segment_reports is Segments.WHOLE else message.segments
    for mobile in message.mobiles:
        failure = _failure(mobile, settings)
        for piece in range(1, pieces + 1):
            spared = settings.segment_reports is Segments.MIXED and piece < pieces
            if failure is None or spared:
                yield Report(message.token, mobile, settings.delivered_code, success=True)
            else:
                yield Report(message.token, mobile, failure, success=False)


def _failure(mobile: str, settings: Settings) -> str | None:
    handset = settings.handset(mobile)
    return handset.code if handset.off else settings.failing_mobiles.get(mobile)


@dataclass(frozen=True, slots=True)
class _Arrival:
    """When, from where and to where a request came."""

    now: datetime
    source: str
    server: int
    connection: object


class Platform:
    """One customer's platform. Not safe between threads; whoever owns it serialises the calls."""

    def __init__(self, settings: Settings | None = None) -> None:
        self.settings = settings or Settings()
        self.balance = self.settings.balance
        self.messages: list[Message] = []
        """Everything accepted, in order of acceptance."""
        self._next_token = self.settings.first_token
        self._timestamps = Timestamps()
        self._limiter = Limiter()

    def receive(
        self,
        fields: Mapping[str, str],
        now: datetime,
        *,
        source: str = "127.0.0.1",
        server: int = 0,
        connection: object = None,
        instead: int | None = None,
    ) -> Outcome:
        """Take one POST's form fields at an aware time ``now`` and do what the spec says.

        ``source`` is the client's address, ``server`` which of the platform's it came to, and ``connection``
        whatever tells one connection from another.

        With ``instead`` the platform answers that state code in place of acting, having looked no further than
        the timestamp's form: the memory ``every`` has then seen the timestamp. (A platform that turns a request
        away before it has looked at it need not be asked at all.)
        """
        try:
            return self._act(fields, _Arrival(now, source, server, connection), instead)
        except _Refusal as refusal:
            return Outcome(Answer(refusal.code))

    def change(self, changes: Mapping[str, Any]) -> None:
        """Change settings; a new ``balance`` or ``first_token`` holds from now on. Raises ``Refused``."""
        self.settings = self.settings.changed(changes)
        if "balance" in changes:
            self.balance = self.settings.balance
        if "first_token" in changes:
            self._next_token = self.settings.first_token

    def forget(self) -> None:
        """Drop messages and timestamps and fill the balance up; settings stay, and tokens go on rising.

        A token given twice would mix up the reports of whoever kept the rows of the first.
        """
        self.messages = []
        self.balance = self.settings.balance
        self._timestamps.clear()
        self._limiter.forget()

    def clock(self, now: datetime) -> datetime:
        """Return what the platform's own clock shows at ``now``."""
        return now + timedelta(seconds=self.settings.clock_ahead)

    def _act(self, fields: Mapping[str, str], arrival: _Arrival, instead: int | None) -> Outcome:
        allowed = self.settings.allowed_sources
        if allowed is not None and arrival.source not in allowed:
            _refuse(codes.SOURCE_REFUSED)
        op, request = _parsed(fields)
        self._authenticate(request)
        _check_timestamp(request.timestamp, self.clock(arrival.now), self.settings.clock_window)
        sight = request.timestamp, request.uid, arrival.server, arrival.now, self.settings
        known = self._timestamps.know(*sight)
        if self.settings.timestamps is Memory.EVERY:
            self._timestamps.remember(*sight)
        if instead is not None:
            _refuse(instead)
        self._check_standing(arrival)
        if known:
            _refuse(codes.TIMESTAMP_INVALID)
        outcome = self._logged_in() if op == "login" else self._sent(request, fields["message"], arrival)
        self._timestamps.remember(*sight)
        return outcome

    def _authenticate(self, request: "_Request") -> None:
        users = {**self.settings.other_users, self.settings.uid: self.settings.pwd}
        if request.cid != self.settings.cid or request.uid not in users:
            _refuse(codes.UNKNOWN_ACCOUNT)
        if request.pwd != digest(users[request.uid], request.timestamp):
            _refuse(codes.AUTHENTICATION_FAILED)

    def _check_standing(self, arrival: _Arrival) -> None:
        if self.settings.account_disabled:
            _refuse(codes.ACCOUNT_DISABLED)
        if self.settings.organisation_disabled:
            _refuse(codes.ORGANISATION_DISABLED)
        if not self._limiter.lets_in(arrival.now, arrival.connection, self.settings):
            _refuse(codes.TOO_FREQUENT)

    def _logged_in(self) -> Outcome:
        balances = {"smBalance": self.balance, "mmBalance": self.settings.mm_balance}
        return Outcome(Answer(codes.SUCCESS, balances))

    def _sent(self, request: "_Request", raw: str, arrival: _Arrival) -> Outcome:
        _check_mobiles(request.mobiles, self.settings.refused_mobiles)
        if not 1 <= utf16_units(request.content) <= MAX_CONTENT_UNITS:
            _refuse(codes.CONTENT_LENGTH_WRONG)
        now = self.clock(arrival.now)
        _check_at_time(request.at_time, now if self.settings.past_at_time_refused else None)
        _check_daily_times(request.daily_begin_time, request.daily_end_time)
        if len(request.mobiles) * segments(request.content, self.settings) > self.balance:
            _refuse(codes.BALANCE_SHORT)
        return self._accepted(request, raw, arrival)

    def _accepted(self, request: "_Request", raw: str, arrival: _Arrival) -> Outcome:
        pieces = segments(request.content, self.settings)
        fee = len(request.mobiles) * pieces
        message = Message(
            token=self._next_token,
            timestamp=request.timestamp,
            mobiles=request.mobiles,
            content=request.content,
            at_time=request.at_time,
            daily_begin_time=request.daily_begin_time,
            daily_end_time=request.daily_end_time,
            segments=pieces,
            fee=fee,
            uid=request.uid,
            server=arrival.server,
            accepted_at=arrival.now,
            raw=raw,
        )
        self._next_token += 1
        self.balance -= fee
        self.messages.append(message)
        return Outcome(Answer(codes.SUCCESS, {"token": message.token, "fee": fee}), accepted=message)


class _Refusal(Exception):
    def __init__(self, code: int) -> None:
        super().__init__(code)
        self.code = code


def _refuse(code: int) -> Never:
    raise _Refusal(code)


@dataclass(frozen=True, slots=True)
class _Request:
    """The parameters of a ``message`` (spec 2.1, 3.1), present and of the right types; not yet right."""

    cid: str
    uid: str
    pwd: str
    timestamp: str
    mobiles: tuple[str, ...] = ()
    content: str = ""
    at_time: str = ""
    daily_begin_time: str = ""
    daily_end_time: str = ""


def _parsed(fields: Mapping[str, str]) -> tuple[str, _Request]:
    if "op" not in fields or "message" not in fields:
        _refuse(codes.PARAMETER_MISSING)
    op = fields["op"]
    if op not in ("login", "sendSm"):
        _refuse(codes.UNKNOWN_OP)
    values = _json_object(fields["message"])
    return op, _login(values) if op == "login" else _send_sm(values)


def _login(values: Mapping[str, Any]) -> _Request:
    return _Request(
        cid=_text(values, "cid"),
        uid=_text(values, "uid"),
        pwd=_text(values, "pwd"),
        timestamp=_text(values, "timestamp"),
    )


def _send_sm(values: Mapping[str, Any]) -> _Request:
    return replace(
        _login(values),
        mobiles=_mobiles(values),
        content=_text(values, "content"),
        at_time=_text(values, "atTime", default=""),
        daily_begin_time=_text(values, "dailyBeginTime", default=""),
        daily_end_time=_text(values, "dailyEndTime", default=""),
    )


def _json_object(text: str) -> dict[str, Any]:
    try:
        values = json.loads(text, parse_constant=_refuse_constant)
    except (ValueError, RecursionError):
        _refuse(codes.INVALID_JSON)
    if not isinstance(values, dict):
        _refuse(codes.INVALID_JSON)
    return values


def _refuse_constant(_name: str) -> Never:
    """Refuse ``NaN`` and ``Infinity``, which Python takes for JSON."""
    _refuse(codes.INVALID_JSON)


def _text(values: Mapping[str, Any], name: str, default: str | None = None) -> str:
    value = values.get(name)
    if value is None:
        return _refuse(codes.PARAMETER_MISSING) if default is None else default
    if not isinstance(value, str) or not _is_unicode(value):
        _refuse(codes.INVALID_JSON)
    return value


def _is_unicode(text: str) -> bool:
    """Whether a text can be UTF-8 at all: half a surrogate pair, or what was no UTF-8 on the wire, cannot."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _mobiles(values: Mapping[str, Any]) -> tuple[str, ...]:
    mobiles = values.get("mobiles")
    if mobiles is None:
        _refuse(codes.PARAMETER_MISSING)
    if not isinstance(mobiles, list) or not all(isinstance(mobile, str) for mobile in mobiles):
        _refuse(codes.INVALID_JSON)
    return tuple(mobiles)


def _check_timestamp(timestamp: str, now: datetime, window: float | None) -> None:
    if not _TIMESTAMP.fullmatch(timestamp):
        _refuse(codes.TIMESTAMP_INVALID)
    moment = _beijing(timestamp[:14], "%Y%m%d%H%M%S")
    if moment is None or (window is not None and abs(moment - now) > timedelta(seconds=window)):
        _refuse(codes.TIMESTAMP_INVALID)


def _check_mobiles(mobiles: tuple[str, ...], refused: frozenset[str]) -> None:
    if not 1 <= len(mobiles) <= MAX_MOBILES:
        _refuse(codes.MOBILE_COUNT_WRONG)
    if not all(_MOBILE.fullmatch(mobile) for mobile in mobiles) or not refused.isdisjoint(mobiles):
        _refuse(codes.MOBILE_INVALID)


def _check_at_time(at_time: str, not_before: datetime | None) -> None:
    if not at_time:
        return
    moment = _beijing(at_time, "%Y-%m-%d %H:%M:%S") if _DATE_TIME.fullmatch(at_time) else None
    if moment is None or (not_before is not None and moment < not_before):
        _refuse(codes.AT_TIME_WRONG)


def _check_daily_times(begin: str, end: str) -> None:
    if not all(_TIME_OF_DAY.fullmatch(time) for time in (begin, end) if time):
        _refuse(codes.DAILY_TIME_WRONG)
    if begin and end and begin >= end:
        _refuse(codes.DAILY_TIME_WRONG)


def _beijing(text: str, form: str) -> datetime | None:
    try:
        return datetime.strptime(f"{text}+0800", f"{form}%z")
    except ValueError:
        return None
