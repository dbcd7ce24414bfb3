"""What travels between the platform and us, as values: valid once constructed, equal when they say the same."""

from dataclasses import dataclass, field
from hashlib import sha256

from kuaixintong.core.codes import StateCode, look_up


@dataclass(frozen=True, slots=True)
class Login:
    """An account check (spec 2): no parameters beyond the credentials that every request carries."""


@dataclass(frozen=True, slots=True)
class SendSm:
    """One submission (spec 3.1).

    ``at_time`` is ``yyyy-MM-dd HH:mm:ss`` or empty for "at once"; the daily window is ``HH:mm:ss`` or empty.
    """

    mobiles: tuple[str, ...] = field(repr=False)
    content: str = field(repr=False)
    at_time: str = ""
    daily_begin_time: str = ""
    daily_end_time: str = ""


@dataclass(frozen=True, slots=True)
class Answer:
    """The platform's answer to ``login`` or ``sendSm`` (spec 2.3, 3.3).

    ``token`` stays text: it is an identifier, and JSON numbers lose digits past 2**53 in many readers.
    ``fee`` is in messages charged; the balances are in messages left. What an answer left out is ``None``.
    """

    state_code: int
    message: str = ""
    token: str | None = None
    fee: int | None = None
    sm_balance: int | None = None
    mm_balance: int | None = None

    @property
    def meaning(self) -> StateCode:
        """The spec's row for this state code."""
        return look_up(self.state_code)


@dataclass(frozen=True, slots=True)
class Report:
    """One pushed delivery report (spec 4.5).

    ``mobile`` is 11 digits wherever the platform's writing of it, ``mobile_as_pushed`` if that is another, has
    them. ``extra`` is the JSON object of the fields that the spec does not name, or empty.
    """

    token: str
    mobile: str = field(repr=False)
    result_code: str
    success: bool
    mobile_as_pushed: str = field(default="", repr=False)
    extra: str = field(default="", repr=False)

    @property
    def outcome(self) -> str:
        """What tells the reports of one token apart: ``<mobile>#<result code>#<1 or 0>`` (contract, section 4)."""
        return f"{self.mobile}#{self.result_code}#{self.success:d}"


@dataclass(frozen=True, slots=True)
class MO:
    """One pushed uplink message (spec 5.5). ``smg_recv_date`` keeps the spec's text, Beijing time.

    ``mobile``, ``mobile_as_pushed`` and ``extra`` are as in a :class:`Report`.
    """

    mobile: str = field(repr=False)
    content: str = field(repr=False)
    smg_recv_date: str
    mobile_as_pushed: str = field(default="", repr=False)
    extra: str = field(default="", repr=False)

    @property
    def message_key(self) -> str:
        """What tells the MOs of one mobile apart: the second, and what was said (contract, section 3)."""
        return f"{self.smg_recv_date}#{sha256(self.content.encode()).hexdigest()[:32]}"
