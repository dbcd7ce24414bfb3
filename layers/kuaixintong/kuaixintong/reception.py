"""One push, from its credentials to durable rows (contract, section 3).

What is acknowledged is in a table: a push is taken in when all its messages are rows and all its unreadable
entries are in quarantine, and not before. Nothing is read beforehand, so a report may come before the sender has
noted its token; the two meet when somebody asks.
"""

import hmac
import time

from kuaixintong.core import pushes
from kuaixintong.core.credentials import PushCredentials
from kuaixintong.core.entries import sort_out
from kuaixintong.core.errors import PushForbidden, PushUnreadable
from kuaixintong.core.gateway import Request
from kuaixintong.core.pushes import Push
from kuaixintong.intake import Intake, Stored
from kuaixintong.stores.secrets import CachedSecret

_SECONDS_BETWEEN_LOOKS = 60.0
"""How often wrong credentials, be they a flood, make us look at the secret anew: it may have been rotated."""


class Reception:
    """Takes pushes in."""

    def __init__(self, secret: CachedSecret[PushCredentials], intake: Intake) -> None:
        self._secret = secret
        self._intake = intake

    def receive(self, request: Request, *, seconds: float) -> Stored:
        """Take in one push, within ``seconds``.

        Raises :class:`~kuaixintong.core.errors.PushForbidden` with nothing written,
        :class:`~kuaixintong.core.errors.PushUnreadable` with the whole push in quarantine, and
        :class:`~kuaixintong.core.errors.TryLater` when the same push has to come again.
        """
        deadline = time.monotonic() + seconds
        push = pushes.read(request)
        self._admit(push)
        try:
            contents = sort_out(push.type, push.json_data)
        except PushUnreadable as fault:
            self._intake.keep([push.unreadable(str(fault))], deadline=deadline)
            raise
        return self._intake.store(contents, deadline=deadline)

    def _admit(self, push: Push) -> None:
        known = self._secret.get()
        if _match(push, known):
            return
        renewed = self._secret.get(newer_than=known.version, at_most_every=_SECONDS_BETWEEN_LOOKS)
        if not _match(push, renewed):
            raise PushForbidden("forbidden")


def _match(push: Push, known: PushCredentials) -> bool:
    """Compare both credentials, each in constant time, and both whatever becomes of the first."""
    uid = hmac.compare_digest(_bytes(push.uid), _bytes(known.uid))
    pwd = hmac.compare_digest(_bytes(push.pwd), _bytes(known.pwd))
    return uid & pwd


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")
