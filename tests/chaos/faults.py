"""What can go wrong in one delivery of a message: one flat table, :data:`FAULTS`.

A fault is asked before and after each call of the worker to anything outside, and what becomes of its request. A
new kind is a class that answers one of the three differently, and a line in the table; the rest of the campaign
knows no fault by name.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, ClassVar

from kuaixintong.core.errors import StoreUnavailable
from kuaixintong.core.messages import Answer

if TYPE_CHECKING:
    from tests.chaos.run import Wire


@dataclass(frozen=True, slots=True)
class Fault:
    """What a fault is asked; it begins as none.

    ``loses`` tells whether an answer, or the worker that should have written it down, is lost by it: only then may
    a row end ``UNCONFIRMED``. ``lies`` tells whether the platform refuses, with 230, a timestamp that was fine.
    """

    loses: ClassVar[bool] = False
    lies: ClassVar[bool] = False

    @property
    def lost(self) -> bool:
        """Whether an answer is really lost with it."""
        return self.loses

    @property
    def lied(self) -> bool:
        """Whether the platform says what is not so."""
        return self.lies

    @property
    def skew(self) -> timedelta:
        """How far the worker's clock is ahead of the others'."""
        return timedelta()

    def can_happen(self, calls: Sequence[str]) -> bool:
        """Whether it can come about in a delivery that makes these calls and needs no other after it."""
        return True

    def before(self, wire: "Wire", call: str) -> None:
        """What happens before a call goes out, the ``wire.calls``-th of this worker."""

    def after(self, wire: "Wire", call: str) -> None:
        """What happens when a call has been acted on."""

    def carry(self, wire: "Wire", fields: dict[str, str]) -> Answer:
        """What becomes of the request."""
        return wire.carry(fields, "well")


@dataclass(frozen=True, slots=True)
class Clean(Fault):
    """Nothing goes wrong."""


# --- the worker -------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Kill(Fault):
    """The worker dies before its n-th call to anything outside, counted from 1.

    The calls of a first delivery: the secret, the sequence, the probe, a look at the campaign if there is one, the
    claim, the campaign's name, who is sent to, the request, the result, the account. A number beyond the last is a
    death after all is done and before the message is deleted.
    """

    call: int
    loses: ClassVar[bool] = True

    def can_happen(self, calls: Sequence[str]) -> bool:
        return self.call <= len(calls)

    def before(self, wire: "Wire", call: str) -> None:
        if wire.calls == self.call:
            wire.die()


@dataclass(frozen=True, slots=True)
class KillAfterActing(Fault):
    """The worker dies while the platform's answer is on its way: the platform has acted."""

    loses: ClassVar[bool] = True

    def can_happen(self, calls: Sequence[str]) -> bool:
        return "platform.ask" in calls

    def after(self, wire: "Wire", call: str) -> None:
        if call == "platform.ask":
            wire.die()


@dataclass(frozen=True, slots=True)
class Overtaken(Fault):
    """The worker stalls before its n-th call outside, nearly until its end; another copy comes meanwhile."""

    call: int
    other: Fault = Clean()
    """What happens to the other copy."""
    own: Fault = Clean()
    """What becomes of the request of the worker that was overtaken."""

    @property
    def lost(self) -> bool:
        return self.own.lost

    @property
    def lied(self) -> bool:
        return self.own.lied

    def can_happen(self, calls: Sequence[str]) -> bool:
        return self.call <= len(calls)

    def before(self, wire: "Wire", call: str) -> None:
        if wire.calls == self.call and not wire.happened:
            wire.happened = True
            wire.run.overtake(self.other)

    def carry(self, wire: "Wire", fields: dict[str, str]) -> Answer:
        return self.own.carry(wire, fields)


@dataclass(frozen=True, slots=True)
class Slow(Fault):
    """The n-th call outside takes its time: a slot passes meanwhile."""

    call: int
    seconds: float

    def can_happen(self, calls: Sequence[str]) -> bool:
        return self.call <= len(calls)

    def after(self, wire: "Wire", call: str) -> None:
        if wire.calls == self.call:
            wire.happened = True
            wire.run.world.pass_time(seconds=self.seconds)


@dataclass(frozen=True, slots=True)
class Skewed(Fault):
    """The worker's clock is seconds ahead of the others', or behind."""

    seconds: float

    @property
    def skew(self) -> timedelta:
        return timedelta(seconds=self.seconds)

    def before(self, wire: "Wire", call: str) -> None:
        wire.happened = True


# --- the stores -------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Unwritten(Fault):
    """The n-th call outside, if it is one to a store, is refused: nothing is written or read."""

    call: int
    loses: ClassVar[bool] = True

    def can_happen(self, calls: Sequence[str]) -> bool:
        return self.call <= len(calls) and calls[self.call - 1] != "platform.ask"

    def before(self, wire: "Wire", call: str) -> None:
        if wire.calls == self.call and call != "platform.ask":
            wire.happened = True
            raise StoreUnavailable(f"{call}: throttled")


@dataclass(frozen=True, slots=True)
class Unheard(Fault):
    """The n-th call outside, if it is one to a store, is acted on, and its answer never comes."""

    call: int
    loses: ClassVar[bool] = True

    def can_happen(self, calls: Sequence[str]) -> bool:
        return self.call <= len(calls) and calls[self.call - 1] != "platform.ask"

    def after(self, wire: "Wire", call: str) -> None:
        if wire.calls == self.call and call != "platform.ask":
            wire.happened = True
            raise StoreUnavailable(f"{call}: timed out")


# --- the request ------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class LostRequest(Fault):
    """The request never arrives, and no answer comes."""

    loses: ClassVar[bool] = True

    def can_happen(self, calls: Sequence[str]) -> bool:
        return "platform.ask" in calls

    def carry(self, wire: "Wire", fields: dict[str, str]) -> Answer:
        return wire.strike(fields, "never")


@dataclass(frozen=True, slots=True)
class LostAnswer(Fault):
    """The platform acts; its answer never arrives."""

    loses: ClassVar[bool] = True

    def can_happen(self, calls: Sequence[str]) -> bool:
        return "platform.ask" in calls

    def carry(self, wire: "Wire", fields: dict[str, str]) -> Answer:
        return wire.strike(fields, "lost")


@dataclass(frozen=True, slots=True)
class GarbledAnswer(Fault):
    """The platform acts; its answer cannot be read."""

    loses: ClassVar[bool] = True

    def can_happen(self, calls: Sequence[str]) -> bool:
        return "platform.ask" in calls

    def carry(self, wire: "Wire", fields: dict[str, str]) -> Answer:
        return wire.strike(fields, "garbled")


@dataclass(frozen=True, slots=True)
class LateRequest(Fault):
    """No answer comes; the platform acts only after that many further deliveries."""

    deliveries: int
    loses: ClassVar[bool] = True

    def can_happen(self, calls: Sequence[str]) -> bool:
        return "platform.ask" in calls

    def carry(self, wire: "Wire", fields: dict[str, str]) -> Answer:
        wire.run.hold(fields, self.deliveries)
        return wire.strike(fields, "never")


@dataclass(frozen=True, slots=True)
class Unsent(Fault):
    """The request provably never leaves: nothing is lost by it."""

    def can_happen(self, calls: Sequence[str]) -> bool:
        return "platform.ask" in calls

    def carry(self, wire: "Wire", fields: dict[str, str]) -> Answer:
        return wire.strike(fields, "unsent")


@dataclass(frozen=True, slots=True)
class Forgotten(Fault):
    """The platform acts, the answer is lost, and the message comes back days later, from the dead-letter queue.

    By then the platform has forgotten the timestamp.
    """

    loses: ClassVar[bool] = True

    def can_happen(self, calls: Sequence[str]) -> bool:
        return "platform.ask" in calls

    def carry(self, wire: "Wire", fields: dict[str, str]) -> Answer:
        wire.run.lies_in_the_dead_letter_queue()
        return wire.strike(fields, "lost")


@dataclass(frozen=True, slots=True)
class Answered(Fault):
    """The platform answers this state code and does nothing, so many times at the most; then all goes well."""

    code: int
    times: int = 99

    @property
    def lies(self) -> bool:  # type: ignore[override]
        return self.code == 230

    def can_happen(self, calls: Sequence[str]) -> bool:
        return "platform.ask" in calls

    def carry(self, wire: "Wire", fields: dict[str, str]) -> Answer:
        return wire.strike(fields, self.code) if wire.struck < self.times else wire.carry(fields, "well")


_TOO_FAST = Answered(210, times=3)
"""What is answered 210 is asked again in its turn, twenty times in one delivery: most of them are alike."""

FAULTS: tuple[Fault, ...] = (
    *(Kill(call) for call in range(1, 11)),
    KillAfterActing(),
    *(Slow(call, 0.3) for call in (2, 3, 4)),
    *(Skewed(seconds) for seconds in (10, -10)),
    _TOO_FAST,
    LostRequest(),
    LostAnswer(),
    GarbledAnswer(),
    Unsent(),
    Forgotten(),
    *(LateRequest(deliveries) for deliveries in (1, 2, 99)),
    *(Answered(code) for code in (1, 100, 230, 240, 330, 400, 999)),
    *(Overtaken(call) for call in (3, 4, 5, 6, 7)),
    *(Overtaken(5, other) for other in (_TOO_FAST, LateRequest(99), LostAnswer())),
    Overtaken(5, other=LateRequest(99), own=_TOO_FAST),
    *(Unwritten(call) for call in range(1, 10)),
    *(Unheard(call) for call in range(2, 10)),
)
