"""The environment, read in one place: one frozen value per function."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Self

from kuaixintong.core.errors import SettingsMissing

WRITING = 3.0
"""Seconds for the writes around a request: what has to be left of the function's time beside the request's own."""


class _Environment:
    """Reads variables and keeps count of what is wrong, so that one error names all of it."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._environ = environ
        self._faults: list[str] = []

    def text(self, name: str) -> str:
        value = self._environ.get(name, "")
        if not value:
            self._faults.append(f"{name} is missing")
        return value

    def whole(self, name: str) -> int:
        return self._number(name, int, "a whole number")

    def seconds(self, name: str) -> float:
        return self._number(name, float, "a number of seconds")

    def yes_or_no(self, name: str) -> bool:
        value = self.text(name)
        if value not in ("", "true", "false"):
            self._faults.append(f"{name} must be true or false")
        return value == "true"

    def _number[N: (int, float)](self, name: str, kind: Callable[[str], N], rule: str) -> N:
        value = self.text(name)
        try:
            number = kind(value or "1")
        except ValueError:
            number = kind("0")
        if not 0 < number < math.inf:  # "nan" is a float too, and no lease is shorter than it
            self._faults.append(f"{name} must be {rule} above zero")
        return number

    def fault(self, sentence: str) -> None:
        self._faults.append(sentence)

    def check(self) -> None:
        if self._faults:
            raise SettingsMissing(f"The function's environment: {'; '.join(self._faults)}.")


@dataclass(frozen=True, slots=True)
class SenderSettings:
    """What the sender needs to know. Times are in seconds."""

    platform_url: str
    platform_secret_arn: str
    sends_table: str
    account_table: str
    send_queue_url: str
    dead_letter_queue_url: str
    receive_limit: int
    lease: float
    retention: timedelta
    store_content: bool
    repeat_within: timedelta
    connect_timeout: float
    answer_timeout: float

    @classmethod
    def read(cls, environ: Mapping[str, str]) -> Self:
        """Read the environment. Raises :class:`SettingsMissing`, which names everything that is wrong."""
        env = _Environment(environ)
        settings = cls(
            platform_url=env.text("PLATFORM_URL"),
            platform_secret_arn=env.text("PLATFORM_SECRET_ARN"),
            sends_table=env.text("SENDS_TABLE"),
            account_table=env.text("ACCOUNT_TABLE"),
            send_queue_url=env.text("SEND_QUEUE_URL"),
            dead_letter_queue_url=env.text("DEAD_LETTER_QUEUE_URL"),
            receive_limit=env.whole("RECEIVE_LIMIT"),
            lease=env.seconds("LEASE_SECONDS"),
            retention=timedelta(days=env.whole("RETENTION_DAYS")),
            store_content=env.yes_or_no("STORE_CONTENT"),
            repeat_within=timedelta(minutes=env.whole("REPEAT_WITHIN_MINUTES")),
            connect_timeout=env.seconds("CONNECT_TIMEOUT_SECONDS"),
            answer_timeout=env.seconds("ANSWER_TIMEOUT_SECONDS"),
        )
        env.check()
        return settings

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
class BalanceSettings:
    """What the account check needs to know. Times are in seconds."""

    platform_url: str
    platform_secret_arn: str
    account_table: str
    connect_timeout: float
    answer_timeout: float

    @classmethod
    def read(cls, environ: Mapping[str, str]) -> Self:
        """Read the environment. Raises :class:`SettingsMissing`, which names everything that is wrong."""
        env = _Environment(environ)
        settings = cls(
            platform_url=env.text("PLATFORM_URL"),
            platform_secret_arn=env.text("PLATFORM_SECRET_ARN"),
            account_table=env.text("ACCOUNT_TABLE"),
            connect_timeout=env.seconds("CONNECT_TIMEOUT_SECONDS"),
            answer_timeout=env.seconds("ANSWER_TIMEOUT_SECONDS"),
        )
        env.check()
        return settings


@dataclass(frozen=True, slots=True)
class TableNames:
    """The tables of the read side: the stack's outputs of the same names."""

    sends: str
    reports: str
    inbound: str

    @classmethod
    def read(cls, environ: Mapping[str, str]) -> Self:
        """Read the environment. Raises :class:`SettingsMissing`, which names everything that is missing."""
        env = _Environment(environ)
        names = cls(
            sends=env.text("SENDS_TABLE"), reports=env.text("REPORTS_TABLE"), inbound=env.text("INBOUND_TABLE")
        )
        env.check()
        return names


@dataclass(frozen=True, slots=True)
class StorageSettings:
    """Where the contents of pushes go, and for how long."""

    reports_table: str
    inbound_table: str
    quarantine_table: str
    retention: timedelta

    @classmethod
    def read(cls, environ: Mapping[str, str]) -> Self:
        """Read the environment. Raises :class:`SettingsMissing`, which names everything that is wrong."""
        env = _Environment(environ)
        settings = cls.of(env)
        env.check()
        return settings

    @classmethod
    def of(cls, env: _Environment) -> Self:
        """Read what belongs here; it is for the caller to check."""
        return cls(
            reports_table=env.text("REPORTS_TABLE"),
            inbound_table=env.text("INBOUND_TABLE"),
            quarantine_table=env.text("QUARANTINE_TABLE"),
            retention=timedelta(days=env.whole("RETENTION_DAYS")),
        )


@dataclass(frozen=True, slots=True)
class ReceiverSettings:
    """What the receiver needs to know."""

    push_secret_arn: str
    storage: StorageSettings

    @classmethod
    def read(cls, environ: Mapping[str, str]) -> Self:
        """Read the environment. Raises :class:`SettingsMissing`, which names everything that is wrong."""
        env = _Environment(environ)
        settings = cls(push_secret_arn=env.text("PUSH_SECRET_ARN"), storage=StorageSettings.of(env))
        env.check()
        return settings
