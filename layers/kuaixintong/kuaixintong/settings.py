"""The environment, read in one place: one frozen value per function.

A field says which variable it is read from and what may stand there; :meth:`Settings.read` does the rest, and
tells everything that is wrong at once.
"""

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from datetime import timedelta
from typing import Any, Self

from kuaixintong.core.caps import MOST
from kuaixintong.core.errors import SettingsMissing
from kuaixintong.core.lanes import Lane
from kuaixintong.core.limits import REPORTS_WITHIN
from kuaixintong.core.optout_words import Words

_TIME_OF_DAY = re.compile(r"([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]")

WRITING = 3.0
"""Seconds for the writes around a request: what has to be left of the function's time beside the request's own."""

type _Read = Callable[[Mapping[str, str], list[str]], Any]
"""Takes the environment and returns a field's value; what is wrong with it is added to the list."""


@dataclass(frozen=True, slots=True)
class Settings:
    """Values of the environment. A field's metadata is one of those that the functions below make."""

    @classmethod
    def read(cls, environ: Mapping[str, str]) -> Self:
        """Read the environment. Raises :class:`SettingsMissing`, which names everything that is wrong."""
        faults: list[str] = []
        settings = cls._of(environ, faults)
        if faults:
            raise SettingsMissing(f"The function's environment: {'; '.join(faults)}.")
        return settings

    @classmethod
    def _of(cls, environ: Mapping[str, str], faults: list[str]) -> Self:
        return cls(**{each.name: each.metadata["read"](environ, faults) for each in fields(cls)})


def _text(name: str) -> dict[str, _Read]:
    return _variable(name, str, "")


def _whole(name: str) -> dict[str, _Read]:
    return _variable(name, _above_zero(int), "a whole number above zero")


def _days(name: str) -> dict[str, _Read]:
    return _variable(name, lambda text: timedelta(days=_above_zero(int)(text)), "a whole number above zero")


def _minutes(name: str) -> dict[str, _Read]:
    return _variable(name, lambda text: timedelta(minutes=_above_zero(int)(text)), "a whole number above zero")


def _if_there(name: str) -> dict[str, _Read]:
    """A text that may be missing."""
    return {"read": lambda environ, _: environ.get(name) or None}


def _hours(name: str, otherwise: timedelta) -> dict[str, _Read]:
    """Hours that may be missing."""
    told = _variable(name, lambda text: timedelta(hours=_above_zero(float)(text)), "a number of hours above zero")
    return {"read": lambda environ, faults: told["read"](environ, faults) if environ.get(name) else otherwise}


def _seconds(name: str) -> dict[str, _Read]:
    return _variable(name, _above_zero(float), "a number of seconds above zero")


def _not_below_zero(name: str) -> dict[str, _Read]:
    return _variable(name, _no_less_than_nothing, "a number that is not below zero")


def _lane(name: str) -> dict[str, _Read]:
    return _variable(name, Lane, " or ".join(Lane))


def _yes_or_no(name: str) -> dict[str, _Read]:
    return _variable(name, _truth, "true or false")


def _group(kind: type[Settings]) -> dict[str, _Read]:
    """Settings within settings, of the same environment."""
    return {"read": kind._of}  # noqa: SLF001  # one convention, one module


def _words(out: str, back: str) -> dict[str, _Read]:
    """The words of two variables, each of which may be empty or missing: the layer's own list."""

    def read(environ: Mapping[str, str], faults: list[str]) -> Words | None:
        try:
            return Words.of(environ.get(out, ""), environ.get(back, ""))
        except ValueError as error:
            rule = "words without ?, a Chinese character as \\uXXXX"
            faults.append(f"{out} and {back} must be {rule}, not {error}")
            return None

    return {"read": read}


def _variable(
    name: str, parse: Callable[[str], object], rule: str, *, may_be_empty: bool = False
) -> dict[str, _Read]:
    """One variable; ``parse`` raises :class:`ValueError` for what breaks the rule.

    An empty one is missing unless it ``may_be_empty``: ``parse`` is given nothing then.
    """

    def read(environ: Mapping[str, str], faults: list[str]) -> object:
        text = environ.get(name)
        if text is None or not (text or may_be_empty):
            faults.append(f"{name} is missing")
            return None
        try:
            return parse(text)
        except (ValueError, OverflowError):
            faults.append(f"{name} must be {rule}")
            return None

    return {"read": read}


def _count(name: str, most: int) -> dict[str, _Read]:
    """A whole number from 0 to ``most``."""

    def parse(text: str) -> int:
        number = int(text)
        if not 0 <= number <= most:
            raise ValueError
        return number

    return _variable(name, parse, f"a whole number from 0 to {most}")


def _window(text: str) -> tuple[str, str] | None:
    if not text:
        return None
    begin, _, end = text.partition("-")
    if not (_TIME_OF_DAY.fullmatch(begin) and _TIME_OF_DAY.fullmatch(end) and begin < end):
        raise ValueError
    return begin, end


def _no_less_than_nothing(text: str) -> float:
    number = float(text)
    if not 0 <= number < math.inf:
        raise ValueError
    return number


def _truth(text: str) -> bool:
    if text not in ("true", "false"):
        raise ValueError
    return text == "true"


def _above_zero[N: (int, float)](kind: Callable[[str], N]) -> Callable[[str], N]:
    def parse(text: str) -> N:
        number = kind(text)
        if not 0 < number < math.inf:  # "nan" is a float too, and no lease is shorter than it
            raise ValueError
        return number

    return parse


@dataclass(frozen=True, slots=True)
class RailSettings(Settings):
    """The guard rails; ``allow_list_parameter`` names where the allow-list is, or nothing for everybody."""

    invalid_for_days: int = field(metadata=_count("INVALID_FOR_DAYS", 365))
    otp_per_hour: int = field(metadata=_count("OTP_PER_HOUR", MOST))
    otp_per_day: int = field(metadata=_count("OTP_PER_DAY", MOST))
    otp_valid_minutes: int = field(metadata=_count("OTP_VALID_MINUTES", 1440))
    daily_limit: int = field(metadata=_count("DAILY_LIMIT", 99_999_999))
    hours: tuple[str, str] | None = field(
        metadata=_variable(
            "MARKETING_HOURS",
            _window,
            "two times of day, the later second: 08:00:00-21:00:00",
            may_be_empty=True,
        )
    )
    allow_list_parameter: str = field(metadata=_variable("ALLOW_LIST_PARAMETER", str, "", may_be_empty=True))


@dataclass(frozen=True, slots=True)
class SenderSettings(Settings):
    """What the sender needs to know. Times are in seconds."""

    platform_url: str = field(metadata=_text("PLATFORM_URL"))
    platform_secret_arn: str = field(metadata=_text("PLATFORM_SECRET_ARN"))
    sends_table: str = field(metadata=_text("SENDS_TABLE"))
    outbound_table: str = field(metadata=_text("OUTBOUND_TABLE"))
    campaigns_table: str = field(metadata=_text("CAMPAIGNS_TABLE"))
    mobiles_table: str = field(metadata=_text("MOBILES_TABLE"))
    account_table: str = field(metadata=_text("ACCOUNT_TABLE"))
    send_queue_url: str = field(metadata=_text("SEND_QUEUE_URL"))
    dead_letter_queue_url: str = field(metadata=_text("DEAD_LETTER_QUEUE_URL"))
    receive_limit: int = field(metadata=_whole("RECEIVE_LIMIT"))
    lease: float = field(metadata=_seconds("LEASE_SECONDS"))
    retention: timedelta = field(metadata=_days("RETENTION_DAYS"))
    store_content: bool = field(metadata=_yes_or_no("STORE_CONTENT"))
    repeat_within: timedelta = field(metadata=_minutes("REPEAT_WITHIN_MINUTES"))
    lane: Lane = field(metadata=_lane("LANE"))
    requests_per_second: float = field(metadata=_not_below_zero("REQUESTS_PER_SECOND"))
    connect_timeout: float = field(metadata=_seconds("CONNECT_TIMEOUT_SECONDS"))
    answer_timeout: float = field(metadata=_seconds("ANSWER_TIMEOUT_SECONDS"))
    rails: RailSettings = field(metadata=_group(RailSettings))

    @property
    def longest_request(self) -> float:
        """Seconds that one request can take, with the writes around it."""
        return self.connect_timeout + self.answer_timeout + WRITING

    def check_life(self, seconds: float) -> None:
        """Refuse to work in a function whose life, ``seconds`` from here, does not fit the settings.

        A claim has to outlive the worker that made it, or two workers could hold one part at once; and a worker
        has to live long enough for one request, or its messages would only go round. Raises
        :class:`SettingsMissing`.
        """
        if self.lease <= seconds:
            raise SettingsMissing(
                f"LEASE_SECONDS is {self.lease:g}, but the function can live {seconds:g} seconds from here; "
                "a claim has to outlive the worker that made it."
            )
        if self.longest_request > seconds:
            raise SettingsMissing(
                f"The function can live {seconds:g} seconds from here, but one request can take "
                f"{self.longest_request:g}: CONNECT_TIMEOUT_SECONDS and ANSWER_TIMEOUT_SECONDS, and {WRITING:g} "
                "for the writes around it."
            )


@dataclass(frozen=True, slots=True)
class BalanceSettings(Settings):
    """What the account check needs to know. Times are in seconds."""

    platform_url: str = field(metadata=_text("PLATFORM_URL"))
    platform_secret_arn: str = field(metadata=_text("PLATFORM_SECRET_ARN"))
    account_table: str = field(metadata=_text("ACCOUNT_TABLE"))
    connect_timeout: float = field(metadata=_seconds("CONNECT_TIMEOUT_SECONDS"))
    answer_timeout: float = field(metadata=_seconds("ANSWER_TIMEOUT_SECONDS"))
    requests_per_second: float = field(metadata=_not_below_zero("REQUESTS_PER_SECOND"))
    infer_accepted: bool = field(metadata=_yes_or_no("INFER_ACCEPTED"))
    sends_table: str = field(metadata=_text("SENDS_TABLE"))
    reports_table: str = field(metadata=_text("REPORTS_TABLE"))
    outbound_table: str = field(metadata=_text("OUTBOUND_TABLE"))
    retention: timedelta = field(metadata=_days("RETENTION_DAYS"))


@dataclass(frozen=True, slots=True)
class CancelSettings(Settings):
    """The tables of a cancel: the stack's outputs of the same names."""

    sends_table: str = field(metadata=_text("SENDS_TABLE"))
    campaigns_table: str = field(metadata=_text("CAMPAIGNS_TABLE"))


@dataclass(frozen=True, slots=True)
class DueSettings(Settings):
    """What the function that enqueues what is due needs to know."""

    sends_table: str = field(metadata=_text("SENDS_TABLE"))
    send_queue_url: str = field(metadata=_text("SEND_QUEUE_URL"))
    urgent_queue_url: str = field(metadata=_text("URGENT_QUEUE_URL"))


@dataclass(frozen=True, slots=True)
class EventsSettings(Settings):
    """What the events' function needs to know."""

    event_bus: str = field(metadata=_text("EVENT_BUS"))
    dead_letter_queue_url: str = field(metadata=_text("EVENTS_DEAD_LETTER_QUEUE_URL"))
    sends_table: str = field(metadata=_text("SENDS_TABLE"))


@dataclass(frozen=True, slots=True)
class TableNames(Settings):
    """The tables of the read side: the stack's outputs of the same names.

    The first three have to be there; the others are missed by the questions that need them alone. How long a
    report is waited for is told in hours.
    """

    sends: str = field(metadata=_text("SENDS_TABLE"))
    reports: str = field(metadata=_text("REPORTS_TABLE"))
    inbound: str = field(metadata=_text("INBOUND_TABLE"))
    outbound: str | None = field(default=None, metadata=_if_there("OUTBOUND_TABLE"))
    campaigns: str | None = field(default=None, metadata=_if_there("CAMPAIGNS_TABLE"))
    mobiles: str | None = field(default=None, metadata=_if_there("MOBILES_TABLE"))
    account: str | None = field(default=None, metadata=_if_there("ACCOUNT_TABLE"))
    reports_within: timedelta = field(
        default=REPORTS_WITHIN, metadata=_hours("REPORTS_WITHIN_HOURS", REPORTS_WITHIN)
    )


@dataclass(frozen=True, slots=True)
class IntakeSettings(Settings):
    """Where the contents of pushes go, and for how long."""

    reports_table: str = field(metadata=_text("REPORTS_TABLE"))
    inbound_table: str = field(metadata=_text("INBOUND_TABLE"))
    quarantine_table: str = field(metadata=_text("QUARANTINE_TABLE"))
    mobiles_table: str = field(metadata=_text("MOBILES_TABLE"))
    words: Words = field(metadata=_words("OPT_OUT_WORDS", "RESUBSCRIBE_WORDS"))
    retention: timedelta = field(metadata=_days("RETENTION_DAYS"))


@dataclass(frozen=True, slots=True)
class ReceiverSettings(Settings):
    """What the receiver needs to know."""

    push_secret_arn: str = field(metadata=_text("PUSH_SECRET_ARN"))
    intake: IntakeSettings = field(metadata=_group(IntakeSettings))


@dataclass(frozen=True, slots=True)
class ConfirmSettings(Settings):
    """Where parts stand, and for how long: a row lives on after it is written."""

    sends_table: str = field(metadata=_text("SENDS_TABLE"))
    retention: timedelta = field(metadata=_days("RETENTION_DAYS"))


@dataclass(frozen=True, slots=True)
class RedriveSettings(Settings):
    """The queues of a redrive: the stack's outputs of the same names."""

    send_queue_url: str = field(metadata=_text("SEND_QUEUE_URL"))
    urgent_queue_url: str = field(metadata=_text("URGENT_QUEUE_URL"))
    dead_letter_queue_url: str = field(metadata=_text("DEAD_LETTER_QUEUE_URL"))
