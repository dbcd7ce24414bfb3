"""What the read side answers, as values. Times are ISO 8601 with Beijing's offset, as they stand in the rows."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from kuaixintong.core.delivery import Delivery

type Item = dict[str, Any]

type Progress = Callable[[int], None]
"""Is told how many parts have been looked at so far, now and then, in the thread that asked."""


@dataclass(frozen=True, slots=True)
class PartStatus:
    """One part: its row's state and words, and its mobiles. ``reports`` are the rows that the status rests on.

    ``state`` is a :class:`~kuaixintong.core.ledger.State` where this release knows it, and text in any case.
    """

    part: str
    state: str
    token: str | None
    fee: int | None
    code: int | None
    words: str | None
    mobiles: Mapping[str, Delivery]
    invalid_mobiles: Mapping[str, str]
    reports: tuple[Item, ...]
    fingerprint: str | None = field(default=None, compare=False, repr=False)
    """The payload's digest, of whatever send has the id: another payload under the same id is refused."""


@dataclass(frozen=True, slots=True)
class DeliveryStatus:
    """A send: its parts, without those that a 310 divided, whose halves stand for them. Unknown: no parts."""

    send_id: str
    parts: tuple[PartStatus, ...]

    @property
    def mobiles(self) -> dict[str, Delivery]:
        """Every mobile of the send and what is known of it."""
        return {mobile: delivery for part in self.parts for mobile, delivery in part.mobiles.items()}

    @property
    def invalid_mobiles(self) -> dict[str, str]:
        """Every mobile that is not sent to, and why."""
        return {mobile: reason for part in self.parts for mobile, reason in part.invalid_mobiles.items()}


# --- lists of sends ---------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class SendLine:
    """One send in a list, as its rows stand at the reading.

    ``parts`` counts first-level parts. ``states`` counts rows by state: parts, and halves in the place of what a
    310 divided; it is empty if the row has expired meanwhile. ``mobiles`` is how many usable ones part ``1`` has
    (the whole send, if it has one part), ``mobile`` the first of them. ``words`` and ``code`` are part ``1``'s.
    """

    send_id: str
    created_at: str
    parts: int
    states: Mapping[str, int]
    mobiles: int
    mobile: str | None
    content: str | None = field(default=None, repr=False)
    category: str = "notice"
    campaign: str | None = None
    at_time: str | None = None
    updated_at: str | None = None
    code: int | None = None
    words: str | None = None
    attention: str | None = None

    @property
    def state(self) -> str | None:
        """The state that all parts have; ``None`` if they differ, or nothing is left of them."""
        return next(iter(self.states)) if len(self.states) == 1 else None


@dataclass(frozen=True, slots=True)
class CampaignLine:
    """A campaign: since when, from where, the digest of its file, and since when it is cancelled.

    How many sends it has is counted at the reading: :class:`CampaignCounts`.
    """

    campaign: str
    created_at: str | None
    source: str | None = None
    digest: str | None = None
    cancelled_at: str | None = None


@dataclass(frozen=True, slots=True)
class CampaignCounts:
    """How far a campaign is.

    ``sends`` counts sends. ``states`` counts parts by their state: what one request to the platform carries or
    would carry. A send of up to 10,000 mobiles is one part. A part that a 310 divided (``SPLIT``) is not counted
    there but in ``divided``; its halves stand for it. ``parts`` is the sum of ``states``.
    """

    campaign: str
    sends: int
    states: Mapping[str, int]
    divided: int = 0

    @property
    def parts(self) -> int:
        """How many parts there are, in any state but ``SPLIT``."""
        return sum(self.states.values())


# --- a mobile's conversation ------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Sent:
    """A send to the mobile. ``part`` is the one that it is in, a half where a 310 divided it.

    ``at`` is when the send was noted. Both ``at`` and ``state`` are ``None`` if the part's row is not there: not
    yet, since what goes to whom is written first, or no longer. Such a send stands at the end.
    ``reason`` says why the mobile was left out, if it was; ``delivery`` is ``unsent`` then.
    """

    at: str | None
    send_id: str
    part: str
    state: str | None
    delivery: Delivery
    content: str | None = field(default=None, repr=False)
    category: str = "notice"
    campaign: str | None = None
    token: str | None = None
    code: int | None = None
    words: str | None = None
    at_time: str | None = None
    accepted_at: str | None = None
    attention: str | None = None
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class Reported:
    """A report of the mobile, ``at`` when it was last received.

    ``send_id`` is known if a part of this stack's has the token, and its row has not expired.
    """

    at: str
    token: str
    result_code: str
    success: bool
    send_id: str | None = None


@dataclass(frozen=True, slots=True)
class Answered:
    """An MO of the mobile, ``at`` when the gateway received it; ``received_at`` is when it came here."""

    at: str
    content: str = field(repr=False)
    smg_recv_date: str
    received_at: str | None = None


type Event = Sent | Reported | Answered


@dataclass(frozen=True, slots=True)
class Fact:
    """What holds for a mobile: ``what`` is ``opt-out``, ``invalid`` or ``otp``; ``row`` says the rest."""

    what: str
    row: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Conversation:
    """Everything to and from one mobile, newest first, a page of it. ``next`` asks for what is older.

    ``facts`` are what holds for the mobile now, on every page.
    """

    mobile: str
    events: tuple[Event, ...]
    next: str | None = None
    facts: tuple[Fact, ...] = ()


# --- a send's history, an account's balances --------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Happened:
    """One thing that happened to a part: ``event`` is the row's own word for it, or ``report``.

    Reports of one part that came in one push and say the same are one event; ``count`` says how many mobiles it
    tells of, and ``mobile`` which, if it is one. ``words`` of a report are its result code.
    """

    at: str
    part: str
    event: str
    timestamp: str | None = None
    code: int | None = None
    words: str | None = None
    success: bool | None = None
    count: int = 1
    mobile: str | None = None


@dataclass(frozen=True, slots=True)
class Balance:
    """What the account check was told at one moment; in messages, by the kind of message."""

    at: str
    sm_balance: int | None
    mm_balance: int | None
