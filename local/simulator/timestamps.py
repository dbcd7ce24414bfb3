"""Which timestamps the platform has seen: pure, the time as an argument.

The spec says that a timestamp that comes again is refused. It does not say for how long, nor whether one user's
timestamps count for another, nor whether the platform's servers tell each other. So each of them is a setting:
``timestamps`` (which are remembered), ``timestamps_by`` (apart by user, by server, or both) and ``timestamps_for``
(seconds, counted from the first time).
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from local.simulator.settings import Apart, Settings


@dataclass(frozen=True, slots=True)
class _Sight:
    uid: str
    server: int
    at: datetime


class Timestamps:
    """A memory that is asked by the settings of the moment, so that they may change while it fills."""

    def __init__(self) -> None:
        self._seen: dict[str, list[_Sight]] = {}

    def know(self, timestamp: str, uid: str, server: int, now: datetime, settings: Settings) -> bool:
        """Whether it is remembered for a request of this user's to this server."""
        return any(
            (Apart.USER not in settings.timestamps_by or sight.uid == uid)
            and (Apart.SERVER not in settings.timestamps_by or sight.server == server)
            and (settings.timestamps_for is None or now - sight.at < timedelta(seconds=settings.timestamps_for))
            for sight in self._seen.get(timestamp, ())
        )

    def remember(self, timestamp: str, uid: str, server: int, now: datetime, settings: Settings) -> None:
        """Note it, unless it is remembered already: that does not begin anew."""
        if not self.know(timestamp, uid, server, now, settings):
            self._seen.setdefault(timestamp, []).append(_Sight(uid, server, now))

    def clear(self) -> None:
        """Lose all of them."""
        self._seen.clear()
