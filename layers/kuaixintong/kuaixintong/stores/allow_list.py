"""The allow-list: the only mobiles that a test stage sends to, kept in a parameter of Systems Manager.

It is read at most once a minute. While it cannot be read, nothing is sent.
"""

import threading
import time
from collections.abc import Callable
from typing import Any

from kuaixintong.stores.aws import our_errors

_MAX_AGE = 60.0


class AllowList:
    """Reads the list. Safe between threads. ``client`` is Systems Manager's."""

    def __init__(self, client: Any, name: str, *, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._client = client
        self._name = name
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._mobiles: frozenset[str] | None = None
        self._read_at = float("-inf")

    def get(self) -> frozenset[str] | None:
        """Return the mobiles that may be sent to, ``None`` for everybody.

        Raises :class:`~kuaixintong.core.errors.StoreUnavailable`.
        """
        with self._lock:
            if self._monotonic() - self._read_at >= _MAX_AGE:
                with our_errors("Systems Manager"):
                    text = self._client.get_parameter(Name=self._name)["Parameter"]["Value"]
                self._mobiles = None if text == "*" else frozenset(text.split(","))
                self._read_at = self._monotonic()
            return self._mobiles
