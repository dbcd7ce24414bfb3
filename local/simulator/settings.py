"""What the simulated platform knows about its one customer, and how it behaves."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Annotated, Any, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError

type Seconds = Annotated[float, Field(ge=0)]


class Memory(StrEnum):
    """Which timestamps the platform remembers, to refuse them when they come again. The spec leaves it open."""

    EVERY = "every"  # of every authenticated request whose timestamp is well-formed, whatever the answer
    ACCEPTED = "accepted"  # of requests that were answered 0


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


class Settings(BaseModel):
    """Immutable; :meth:`changed` gives another."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    # The account (spec 2.1)
    cid: str = "12345678"
    uid: str = "test"
    pwd: str = Field(default="secret", repr=False)
    balance: Annotated[int, Field(ge=0)] = 1_000
    """Short messages left at the start; one segment to one mobile costs one."""
    mm_balance: Annotated[int, Field(ge=0)] = 0
    first_token: Annotated[int, Field(ge=1)] = 376
    """Tokens rise by one from here; 376 is the spec's sample (3.4)."""

    # What it refuses
    timestamps: Memory = Memory.EVERY
    clock_window: Seconds | None = None
    """A timestamp further from the platform's clock than this is refused (230); ``None``: any date will do."""
    rate: Annotated[int, Field(ge=1)] | None = None
    """Requests a second beyond which the answer is 210; ``None``: no limit."""
    allowed_sources: frozenset[str] | None = None
    """Addresses that may ask; others are answered 220. ``None``: all may."""
    account_disabled: bool = False
    organisation_disabled: bool = False
    refused_mobiles: frozenset[str] = frozenset()
    """Well-formed mobiles that are answered 310 all the same."""
    past_at_time_refused: bool = True
    """Whether an ``atTime`` that has gone by is answered 330. The spec leaves it open."""

    # Pushes (spec 4 and 5)
    push_url: str | None = None
    """``None``: reports and MOs wait until there is one."""
    push_uid: str = "abc"
    push_pwd: str = Field(default="123", repr=False)
    delivered_code: str = "DELIVER"
    """``resultCode`` of a success; the spec names ``0`` and ``DELIVER`` (4.5)."""
    failing_mobiles: Mapping[str, str] = Field(default_factory=dict)
    """Mobile → ``resultCode`` of mobiles that nothing can be delivered to, for example ``2:46`` (4.6)."""
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

    def changed(self, changes: Mapping[str, Any]) -> Self:
        """Return these settings with ``changes``. Raises :class:`Refused` for an unknown name or a bad value."""
        try:
            return type(self).model_validate({**self.model_dump(), **changes})
        except ValidationError as error:
            raise Refused.because(error) from None  # pydantic's own text quotes the values


def checked_settings(**values: Any) -> Settings:
    """Return settings from loose values. Raises :class:`Refused`."""
    return Settings().changed(values)
