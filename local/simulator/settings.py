"""What the simulated platform knows about its one customer, and how it behaves."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Annotated, Any, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from local.simulator.patterns import Pattern

type Seconds = Annotated[float, Field(ge=0, le=1e9)]

ANY_MOBILE = "*"
"""In ``handsets``: every mobile that has no entry of its own."""


class Memory(StrEnum):
    """Which timestamps the platform remembers, to refuse them when they come again. The spec leaves it open."""

    EVERY = "every"  # of every authenticated request whose timestamp is well-formed, whatever the answer
    ACCEPTED = "accepted"  # of requests that were answered 0


class Apart(StrEnum):
    """For whom a timestamp is remembered apart. The spec leaves it open."""

    USER = "user"  # another uid of the same organisation may use it again
    SERVER = "server"  # so may a request to another of the platform's addresses


class RateKind(StrEnum):
    """How requests are counted for 210; ``limits`` tells more."""

    WINDOW = "window"
    BUCKET = "bucket"
    CONNECTION = "connection"


class Segments(StrEnum):
    """How the reports of a long message come."""

    WHOLE = "whole"  # one report per mobile
    EACH = "each"  # one per mobile and segment, all alike
    MIXED = "mixed"  # one per mobile and segment; of a failing mobile only the last segment fails


class Refused(ValueError):
    """Somebody asked for something that makes no sense; the text says what, never quoting a password."""

    @classmethod
    def because(cls, error: ValidationError) -> Self:
        """Make it from pydantic's findings, leaving out the values it quotes."""
        faults = (f"{'.'.join(map(str, fault['loc']))}: {fault['msg']}" for fault in error.errors())
        return cls("; ".join(faults))


class _Values(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Reply(_Values):
    """What a handset answers by itself."""

    content: Annotated[str, Field(min_length=1)]
    match: str | None = None
    """A regular expression (RE2) that is looked for in the text; ``None``: any text is answered."""
    seconds: Seconds = 0.0
    """From the text to the answer."""

    @field_validator("match")
    @classmethod
    def _makes_sense(cls, match: str | None) -> str | None:
        Pattern(match)
        return match


class Handset(_Values):
    """What a handset does by itself; ``handsets`` tells more."""

    off: bool = False
    code: str = "EXPIRED"
    """``resultCode`` of its reports while it is off."""
    answers: tuple[Reply, ...] = ()


class Settings(_Values):
    """Immutable; :meth:`changed` gives another."""

    # The account (spec 2.1)
    cid: str = "12345678"
    uid: str = "test"
    pwd: str = Field(default="secret", repr=False)
    other_users: Mapping[str, str] = Field(default_factory=dict, repr=False)
    """More users of the organisation: uid → password in clear. Balance, limits and acceptances are one for all."""
    balance: Annotated[int, Field(ge=0)] = 1_000
    """Short messages left at the start; one segment to one mobile costs one."""
    mm_balance: Annotated[int, Field(ge=0)] = 0
    first_token: Annotated[int, Field(ge=1)] = 376
    """Tokens rise by one from here; 376 is the spec's sample (3.4)."""

    # What it refuses
    timestamps: Memory = Memory.EVERY
    timestamps_by: frozenset[Apart] = frozenset()
    """For whom they are remembered apart; empty: whoever asks, and wherever."""
    timestamps_for: Seconds | None = None
    """Seconds after which one is forgotten, from the first time on; ``None``: never."""
    clock_ahead: Annotated[float, Field(ge=-1e9, le=1e9)] = 0.0
    """Seconds by which the platform's own clock is ahead, below zero behind. By it 330 and 230 (``clock_window``)
    are judged, and MOs carry its time."""
    clock_window: Seconds | None = None
    """A timestamp further from the platform's clock than this is refused (230); ``None``: any date will do."""
    rate: Annotated[float, Field(ge=0.001, le=1e6)] | None = None
    """Requests a second beyond which the answer is 210; ``None``: no limit."""
    rate_kind: RateKind = RateKind.WINDOW
    rate_burst: Annotated[int, Field(ge=1)] | None = None
    """Requests that a full bucket lets in at once; ``None``: those of one second."""
    allowed_sources: frozenset[str] | None = None
    """Addresses that may ask; others are answered 220. ``None``: all may."""
    account_disabled: bool = False
    organisation_disabled: bool = False
    refused_mobiles: frozenset[str] = frozenset()
    """Well-formed mobiles that are answered 310 all the same."""
    past_at_time_refused: bool = True
    """Whether an ``atTime`` that has gone by is answered 330. The spec leaves it open."""

    # What it charges
    single_segment: Annotated[int, Field(ge=1)] = 70
    """UTF-16 units up to which a content goes out, and costs, as one."""
    long_segment: Annotated[int, Field(ge=1)] = 67
    """Units of each piece of a longer one."""
    signature: Annotated[int, Field(ge=0)] = 0
    """Units that the platform adds to every content before it counts, for a 【signature】 of its own."""

    # Pushes (spec 4 and 5)
    push_url: str | None = None
    """``None``: reports and MOs wait until there is one."""
    push_uid: str = "abc"
    push_pwd: str = Field(default="123", repr=False)
    delivered_code: str = "DELIVER"
    """``resultCode`` of a success; the spec names ``0`` and ``DELIVER`` (4.5)."""
    failing_mobiles: Mapping[str, str] = Field(default_factory=dict)
    """Mobile → ``resultCode`` of mobiles that nothing can be delivered to, for example ``2:46`` (4.6)."""
    handsets: Mapping[str, Handset] = Field(default_factory=dict)
    """Mobile, or ``*`` for any other → what its handset does by itself."""
    segment_reports: Segments = Segments.WHOLE
    push_batch: Annotated[int, Field(ge=1)] = 100
    """Reports or MOs in one push at most."""
    push_delay: Seconds = 0.05
    """From an acceptance to its reports; what comes together in that time is pushed together."""
    push_workers: Annotated[int, Field(ge=1)] = 4
    """Pushes on their way at the same time; a change holds from the next reset."""
    push_timeout: Annotated[float, Field(gt=0)] = 10.0
    push_retry: Annotated[float, Field(gt=0)] = 0.2
    """Before a push is tried again; doubles with each try …"""
    push_retry_cap: Annotated[float, Field(gt=0)] = 10.0
    """… up to this."""

    def handset(self, mobile: str) -> Handset:
        """Return what a mobile's handset does."""
        return self.handsets.get(mobile) or self.handsets.get(ANY_MOBILE) or _PLAIN

    def changed(self, changes: Mapping[str, Any]) -> Self:
        """Return these settings with ``changes``. Raises :class:`Refused` for an unknown name or a bad value."""
        try:
            return type(self).model_validate({**self.model_dump(), **changes})
        except ValidationError as error:
            raise Refused.because(error) from None  # pydantic's own text quotes the values


_PLAIN = Handset()


def checked_settings(**values: Any) -> Settings:
    """Return settings from loose values. Raises :class:`Refused`."""
    return Settings().changed(values)
