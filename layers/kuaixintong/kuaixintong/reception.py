"""One push, from its credentials to durable rows (contract, section 3).

What is acknowledged is in a table: a push is taken in when all its messages are rows and all its unreadable
entries are in quarantine, and not before. Nothing is read beforehand, so a report may come before the sender has
noted its token; the two meet when somebody asks.
"""

import hmac
import time

from kuaixintong.core import parameters, pushes
from kuaixintong.core.credentials import PushCredentials
from kuaixintong.core.errors import PushForbidden, PushUnreadable, TooSlow
from kuaixintong.core.gateway import Request
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

        def in_time() -> None:
            if time.monotonic() >= deadline:
                raise TooSlow("The push is too large to be read in the time that the gateway leaves.")

        self._admit(*parameters.credentials(request))
        push = pushes.read(request, in_time)
        try:
            contents = push.contents(in_time)
        except PushUnreadable as fault:
            self._intake.keep([push.unreadable(str(fault))], deadline=deadline)
            raise
        return self._intake.store(contents, deadline=deadline)

    def _admit(self, uid: str, pwd: str) -> None:
        known = self._secret.get()
        if _match(uid, pwd, known):
            return
        renewed = self._secret.get(newer_than=known.version, at_most_every=_SECONDS_BETWEEN_LOOKS)
        if not _match(uid, pwd, renewed):
            raise PushForbidden("forbidden")


def _match(uid: str, pwd: str, known: PushCredentials) -> bool:
    """Compare both credentials, each in constant time, and both whatever becomes of the first."""
    same_uid = hmac.compare_digest(_bytes(uid), _bytes(known.uid))
    same_pwd = hmac.compare_digest(_bytes(pwd), _bytes(known.pwd))
    return same_uid & same_pwd


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")
