"""Secrets Manager: how a function reads its secret (contract, section 5).

A function caches it for minutes; the sender asks afresh when the platform refuses what it has.
"""

import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from kuaixintong.core.credentials import Credentials
from kuaixintong.stores.aws import our_errors

if TYPE_CHECKING:
    from mypy_boto3_secretsmanager import SecretsManagerClient


class CachedSecret[C: Credentials]:
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
        with our_errors("Secrets Manager"):
            answer = self._client.get_secret_value(SecretId=self._arn)
        return self._kind.parse(answer.get("SecretString", ""), answer["VersionId"])
