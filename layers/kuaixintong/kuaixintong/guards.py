"""Guard rails at work: who is looked up before a request, and when; what is counted, and given back.

What they decide is :mod:`kuaixintong.core.rails`'. A part that no rail holds for makes no call here.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import batched, takewhile

from kuaixintong.core import caps
from kuaixintong.core.daily import Wish
from kuaixintong.core.errors import StoreUnavailable, TooSlow
from kuaixintong.core.rails import LOOK_LASTS, Charge, Known, LeftOut, Rails, Terms, What
from kuaixintong.core.sends import Part, Send
from kuaixintong.stores.mobiles import Mobiles

_COUNTED_AT_ONCE = 100
"""Mobiles that a send is counted for before the time that is left is looked at."""


@dataclass(frozen=True, slots=True)
class Look:
    """What the rails make of a request with a fresh timestamp, by a look at its mobiles that ``began`` then.

    ``known`` is what the table said of them. Without ``lasts`` the look does not grow old; ``repeats`` tells that
    the request repeats another, and so whatever was decided for that.
    """

    terms: Terms
    known: Known
    began: datetime
    lasts: bool
    repeats: bool = False

    def too_old(self, now: datetime) -> bool:
        """Return whether a request that goes out now needs another look."""
        return self.lasts and now - self.began > LOOK_LASTS


class Guards:
    """The rails of a deployment, and the table that they look at. Safe between threads.

    ``allowed`` returns the allow-list as it is now, ``None`` for everybody.
    """

    def __init__(
        self,
        rails: Rails,
        mobiles: Mobiles,
        *,
        allowed: Callable[[], frozenset[str] | None] = lambda: None,
        clock: Callable[[], datetime],
    ) -> None:
        self._rails = rails
        self._mobiles = mobiles
        self._allowed = allowed
        self._clock = clock

    def concern(self, send: Send, part: Part) -> bool:
        """Whether something is looked up or counted for a part, which its row may show to be in vain."""
        rails = self._rails
        asked = rails.asks(send.category, _mobiles_of(part))
        return bool(asked or rails.capped(send.category) or rails.limited(send.category))

    def dated(self, send: Send, sent_at: datetime | None) -> Send:
        """Return a send with the moment at which it expires by a rail; ``sent_at`` is when it was enqueued."""
        until = self._rails.valid_until(send, sent_at)
        return replace(send, otp_until=until) if until else send

    def look(self, send: Send, part: Part, refused: Mapping[str, str] | None = None) -> Look:
        """Look a part's mobiles up; ``refused`` are those that are known to be invalid, if that was looked up."""
        rails, began = self._rails, self._clock()
        allowed = self._allowed()
        asked = rails.asks(send.category, _mobiles_of(part))
        missing = asked if refused is None else asked - {What.INVALID}
        known = self._mobiles.known(part.mobiles, missing, now=began)
        if refused is not None:
            known = replace(known, refused=refused)
        terms = Terms(rails.left_out(part.mobiles, known, allowed), rails.window(send))
        return Look(terms, known, began, What.OPT_OUT in asked)

    def wish(self, send: Send, cost: int, has: Charge | None) -> Wish | None:
        """Return what a part wants of the daily limit, if that holds for it; ``has`` is what it has already."""
        if not self._rails.limited(send.category):
            return None
        return Wish(cost, self._rails.daily_limit, has)

    def count(self, send: Send, part: Part, left_out: LeftOut, *, spare: Callable[[], float]) -> "Counted":
        """Count a send for each mobile that is left, and leave out those that it would take over a cap.

        ``spare`` tells how many seconds are left for it. Raises :class:`TooSlow`; what was counted stays so.
        """
        rails = self._rails
        if rails.caps is None or not rails.capped(send.category):
            return Counted(left_out)
        digest, out = caps.digest(send.send_id, send.fingerprint), left_out.all_positions
        new: list[str] = []
        over: dict[int, str] = {}
        here = ((position, mobile) for position, mobile in enumerate(part.mobiles) if position not in out)
        for number, some in enumerate(batched(here, _COUNTED_AT_ONCE, strict=False)):
            if number and spare() < 0:
                raise TooSlow("So many one-time codes could not be counted in time.")
            mobiles = [mobile for _, mobile in some]
            results = self._mobiles.count_each(mobiles, digest, rails.caps, now=self._clock())
            for (position, mobile), (counted, why) in zip(some, results, strict=True):
                if why:
                    over[position] = why
                elif counted:
                    new.append(mobile)
        return Counted(left_out.and_also(over) if over else left_out, tuple(new))

    def give_back(self, send: Send, mobiles: tuple[str, ...], *, spare: Callable[[], float]) -> None:
        """Count a send no longer, for mobiles to which nothing of it was accepted, as far as ``spare`` seconds go.

        A row of caps that cannot be written now counts one too many until it ends: that harms nobody.
        """
        if not self._rails.capped(send.category):
            return
        digest = caps.digest(send.send_id, send.fingerprint)
        try:
            for mobile in takewhile(lambda _: spare() >= 0, mobiles):
                self._mobiles.give_back(mobile, digest)
        except StoreUnavailable:
            return

    def note_refused(self, part: Part, left_out: LeftOut) -> Mapping[str, str]:
        """Note a number that the platform has refused by itself, in a part of several; return it with the day.

        What cannot be noted now is asked for again in the next list.
        """
        rails, now = self._rails, self._clock()
        if not rails.invalid_for or _mobiles_of(part) < 2:
            return {}
        noted: dict[str, str] = {}
        for mobile in left_out.remaining(part.mobiles):
            try:
                noted[mobile] = self._mobiles.refuse(mobile, now=now, keep=rails.invalid_for)
            except StoreUnavailable:
                break
        return noted


@dataclass(frozen=True, slots=True)
class Counted:
    """Who is left out, those over a cap among them, and for whom this call has counted the send."""

    left_out: LeftOut
    new: tuple[str, ...] = ()


def _mobiles_of(part: Part) -> int:
    """Return how many mobiles a part counts for: a half is of a part of several, however few are left in it."""
    return max(len(part.mobiles), 2) if part.is_half else len(part.mobiles)
