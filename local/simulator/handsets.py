"""Handsets: what arrives on them, and what they answer by themselves. Pure; pushing it is for ``pushing``.

A handset is a setting (``handsets``: mobile → what it does; ``*`` is every mobile without an entry of its own):

``off``      it is switched off: nothing arrives, and its reports fail with ``code``
``answers``  rules; the first whose ``match`` is in the text, ``seconds`` later, sends an MO with ``content``
"""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from local.simulator.patterns import Pattern
from local.simulator.platform import Message
from local.simulator.settings import Reply, Settings


@dataclass(frozen=True, slots=True)
class Found:
    """A text that somebody waited for: what in it matched, and the pattern's groups."""

    message: Message
    mobile: str
    match: str
    groups: list[str | None]

    def as_json(self) -> dict[str, Any]:
        """For ``GET /_sim/wait``."""
        return {
            "token": self.message.token,
            "mobile": self.mobile,
            "content": self.message.content,
            "match": self.match,
            "groups": self.groups,
            "timestamp": self.message.timestamp,
            "accepted_at": self.message.accepted_at.isoformat(),
        }


class Inbox:
    """The texts that arrived on each handset, in order of acceptance, and how far each was read."""

    def __init__(self) -> None:
        self._texts: defaultdict[str, list[Message]] = defaultdict(list)
        self._read: dict[str, int] = {}

    def deliver(self, message: Message, settings: Settings) -> None:
        """Put an accepted part's text on its handsets, but those that are switched off."""
        for mobile in message.mobiles:
            if not settings.handset(mobile).off:
                self._texts[mobile].append(message)

    def texts(self, mobile: str, after: int = 0) -> list[Message]:
        """Return what arrived on a handset with a token greater than ``after``."""
        return [text for text in self._texts.get(mobile, ()) if text.token > after]

    def read(self, mobile: str, pattern: Pattern, after: int | None = None) -> Found | None:
        """Return the next text that matches, and count all up to it as read.

        Next is what comes after the last one that was read so; with ``after``, after that token, read or not.
        """
        for text in self.texts(mobile, self._read.get(mobile, 0) if after is None else after):
            if found := pattern.found(text.content):
                self._read[mobile] = max(text.token, self._read.get(mobile, 0))
                return Found(text, mobile, *found)
        return None

    def forget(self) -> None:
        """Empty all of them."""
        self._texts.clear()
        self._read.clear()


def replies_to(message: Message, settings: Settings) -> Iterator[tuple[str, Reply]]:
    """Yield which mobiles answer an accepted part by themselves, and what."""
    for mobile in message.mobiles:
        handset = settings.handset(mobile)
        if not handset.off:
            fitting = (reply for reply in handset.answers if Pattern(reply.match).found(message.content))
            yield from ((mobile, reply) for reply in [next(fitting, None)] if reply)
