"""Secrets: what they hold, and how a function reads them (contract, section 5).

A secret's value never reaches a ``repr``, a log, an exception's text or the environment. A function caches it
for minutes; the sender asks afresh when the platform refuses what it has.
"""

import json
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Self

from botocore.exceptions import BotoCoreError, ClientError

from kuaixintong.errors import CredentialsUnusable, StoreUnavailable

if TYPE_CHECKING:
    from mypy_boto3_secretsmanager import SecretsManagerClient


@dataclass(frozen=True, slots=True)
class _Credentials:
    version: str = field(compare=False)

    @classmethod
    def parse(cls, text: str, version: str) -> Self:
        """Read a secret's JSON. Raises :class:`CredentialsUnusable`, which names fields and never values."""
        names = [each.name for each in fields(cls) if each.name != "version"]
        try:
            values = json.loads(text)
        except ValueError:
            values = None
        if not isinstance(values, dict):
            # "from None": the JSON error quotes the text it choked on
            raise CredentialsUnusable(
                f"The secret is no JSON object with the fields {', '.join(names)}."
            ) from None
        lacking = [name for name in names if not isinstance(values.get(name), str) or not values[name]]
        if lacking:
            raise CredentialsUnusable(f"The secret's field {', '.join(lacking)} is missing, empty, or no string.")
        return cls(version=version, **{name: values[name] for name in names})


@dataclass(frozen=True, slots=True)
class PlatformCredentials(_Credentials):
    """What every request to the platform carries. ``version`` is the secret's version id, no secret itself."""

    cid: str
    uid: str
    pwd: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class PushCredentials(_Credentials):
    """What every push from the platform has to carry."""

    uid: str
    pwd: str = field(repr=False)


class CachedSecret[C: _Credentials]:
    """One secret, read at most every ``max_age`` seconds unless asked for afresh. Safe between threads."""

    def __init__(
        self,
        client: "SecretsManagerClient",
        arn: str,
        kind: type[C],
        *,
        max_age: float = 300.0,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._client = client
        self._arn = arn
        self._kind = kind
        self._max_age = max_age
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._value: C | None = None
        self._read_at = 0.0

    def get(self, *, newer_than: str | None = None, at_most_every: float = 0.0) -> C:
        """Return the credentials; with ``newer_than``, read afresh if the cache still holds that version.

        ``at_most_every`` spares Secrets Manager: within so many seconds of the last try, what is known is good
        enough. Raises :class:`CredentialsUnusable` for a malformed secret and :class:`StoreUnavailable` when
        Secrets Manager does not answer.
        """
        with self._lock:
            age = self._monotonic() - self._read_at
            if age >= self._max_age:
                self._value = None
            disowned = self._value is not None and self._value.version == newer_than and age >= at_most_every
            if self._value is None or disowned:
                self._read_at = self._monotonic()  # a try that fails is a try as well
                self._value = self._read()
            return self._value

    def _read(self) -> C:
        try:
            answer = self._client.get_secret_value(SecretId=self._arn)
        except (ClientError, BotoCoreError) as error:
            raise StoreUnavailable(f"Secrets Manager: {type(error).__name__}") from error
        return self._kind.parse(answer.get("SecretString", ""), answer["VersionId"])
