"""How many requests a second the platform lets in: pure, the time as an argument. Beyond it the answer is 210.

``window``      at most ``rate`` within any second, of all requests together
``bucket``      a bucket of ``rate_burst`` tokens, filled with ``rate`` a second; each request takes one
``connection``  at most ``rate`` within any second on one connection

A rate below one, or with a fraction, is kept over a longer or shorter span: 0.5 is one request in two seconds. A
request that is refused does not count. The settings are asked at each request, so they may change in between.
"""

import math
from collections import deque
from datetime import datetime, timedelta

from local.simulator.settings import RateKind, Settings

_CONNECTIONS = 10_000  # remembered at most; the oldest go first


class Limiter:
    """What was let in, by each kind of limit."""

    def __init__(self) -> None:
        self.forget()

    def forget(self) -> None:
        """Begin anew, with a full bucket."""
        self._all: deque[datetime] = deque()
        self._by_connection: dict[object, deque[datetime]] = {}
        self._tokens = math.inf
        self._filled_at: datetime | None = None

    def lets_in(self, now: datetime, connection: object, settings: Settings) -> bool:
        """Whether a request may pass; if so, it is counted."""
        if settings.rate is None:
            return True
        match settings.rate_kind:
            case RateKind.WINDOW:
                return _fits(self._all, now, settings.rate)
            case RateKind.CONNECTION:
                return _fits(self._of(connection), now, settings.rate)
            case RateKind.BUCKET:
                return self._takes_a_token(now, settings.rate, settings.rate_burst or max(1.0, settings.rate))

    def _of(self, connection: object) -> deque[datetime]:
        if connection not in self._by_connection and len(self._by_connection) >= _CONNECTIONS:
            del self._by_connection[next(iter(self._by_connection))]
        return self._by_connection.setdefault(connection, deque())

    def _takes_a_token(self, now: datetime, rate: float, burst: float) -> bool:
        gone = (now - self._filled_at).total_seconds() if self._filled_at else 0.0
        self._tokens = min(burst, self._tokens + rate * max(gone, 0.0))
        self._filled_at = max(now, self._filled_at or now)
        if self._tokens < 1:
            return False
        self._tokens -= 1
        return True


def _fits(let_in: deque[datetime], now: datetime, rate: float) -> bool:
    count = max(1, math.floor(rate))
    span = timedelta(seconds=count / rate)
    while let_in and let_in[0] <= now - span:
        let_in.popleft()
    if len(let_in) >= count:
        return False
    let_in.append(now)
    return True
