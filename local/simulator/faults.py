"""Faults: which request or push meets which one. Pure; carrying them out is for ``service`` and ``pushing``.

A rule says what happens (``do``) and to whom: ``op`` (``login``, ``sendSm``; of pushes ``report``, ``mo``) and
``mobile`` choose, ``nth`` picks the n-th of the chosen (from 1; one number or several), ``chance`` with
``seed`` throws a die for each, ``times`` bounds how often. Of several rules the first that fires is carried
out: one fault per request, one per push. ``early`` is apart from both and can come on top.

Faults of requests; ``when`` is ``before`` (the platform does not act, but for ``delay``, where it acts
afterwards) or ``after`` (it has acted):

=========== =========================================================================================
``code``    answers ``code``. Before: the request's timestamp has been looked at, unless ``unseen``
``delay``   answers ``seconds`` later
``cut``     closes the connection having sent ``keep`` of the answer: ``nothing``, ``headers`` or ``half``
``garble``  answers 200 with a ``body`` that nobody can read; without one, each time another
``status``  answers the HTTP status ``status`` with ``body``
``silence`` never answers; the connection stays open until the client leaves
``late``    drops or hangs the ``client``, acts ``seconds`` later; without ``seconds``, when released
``refuse``  drops the client and refuses all connections for ``seconds``; without, until told over
=========== =========================================================================================

Faults of pushes:

============= =======================================================================================
``duplicate`` the push goes again ``copies`` times after it was answered ``0``
``reorder``   its entries are shuffled, and ``behind`` later pushes overtake it, or ``seconds`` go by
``hold``      it waits ``seconds``; without, until released
``early``     an accepted part's reports are pushed, and answered, before ``sendSm`` is; the answer waits
              for that no longer than ``seconds``
============= =======================================================================================
"""

import random
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from enum import StrEnum
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError, field_validator

from local.simulator.settings import Refused, Seconds

type Op = Literal["login", "sendSm", "report", "mo"]

_GARBLED = (
    '{"stateCode":',
    "<html><body>Bad Gateway</body></html>",
    "",
    "[]",
    '{"message":"操作成功"}',
    '{"stateCode":"操作成功"}',
    "null",
)


class When(StrEnum):
    """On which side of the platform's acting a fault strikes."""

    BEFORE = "before"
    AFTER = "after"


class Keep(StrEnum):
    """How much of an answer gets through before the cut."""

    NOTHING = "nothing"
    HEADERS = "headers"
    HALF = "half"


class Client(StrEnum):
    """What the client of a ``late`` request sees."""

    DROP = "drop"  # the connection closed
    HANG = "hang"  # nothing at all


class _Rule(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    do: str
    op: Op | None = None
    mobile: str | None = None
    nth: frozenset[int] | None = None
    chance: Annotated[float, Field(ge=0, le=1)] = 1.0
    seed: int = 0
    times: Annotated[int, Field(ge=0)] | None = None

    @field_validator("nth", mode="before")
    @classmethod
    def _one_or_several(cls, value: Any) -> Any:
        return [value] if isinstance(value, int) else value

    @property
    def label(self) -> str:
        """What happens, in a word or two."""
        return self.do


class _Timed(_Rule):
    when: When = When.BEFORE

    @property
    def label(self) -> str:
        """Also on which side of the acting, for example ``cut after``."""
        return f"{self.do} {self.when}"


class CodeFault(_Timed):
    """A state code in place of acting, or in place of the right one."""

    do: Literal["code"] = "code"
    code: int
    unseen: bool = False


class DelayFault(_Timed):
    """An answer that takes its time."""

    do: Literal["delay"] = "delay"
    seconds: Seconds


class CutFault(_Timed):
    """An answer cut off."""

    do: Literal["cut"] = "cut"
    keep: Keep = Keep.NOTHING


class GarbleFault(_Timed):
    """An answer that nobody can read."""

    do: Literal["garble"] = "garble"
    body: str | None = None

    def garbled(self, turn: int) -> bytes:
        """Return the body for the ``turn``-th time the rule strikes."""
        return (_GARBLED[turn % len(_GARBLED)] if self.body is None else self.body).encode()


class StatusFault(_Timed):
    """An HTTP status other than 200."""

    do: Literal["status"] = "status"
    status: Annotated[int, Field(ge=201, le=599)] = 500
    body: str = "<html><body>Internal Server Error</body></html>"


class SilenceFault(_Timed):
    """No answer ever."""

    do: Literal["silence"] = "silence"


class LateFault(_Rule):
    """A request acted on only long after its client has gone."""

    do: Literal["late"] = "late"
    seconds: Seconds | None = None
    client: Client = Client.DROP


class RefuseFault(_Rule):
    """An outage: nobody listens any more."""

    do: Literal["refuse"] = "refuse"
    seconds: Seconds | None = None


class EarlyFault(_Rule):
    """Reports that come before the answer that names their token."""

    do: Literal["early"] = "early"
    op: Literal["sendSm"] = "sendSm"
    seconds: Seconds = 5.0


class _PushRule(_Rule):
    op: Literal["report", "mo"] | None = None


class DuplicateFault(_PushRule):
    """A push repeated although it was taken."""

    do: Literal["duplicate"] = "duplicate"
    copies: Annotated[int, Field(ge=1)] = 1


class ReorderFault(_PushRule):
    """A push overtaken by later ones."""

    do: Literal["reorder"] = "reorder"
    behind: Annotated[int, Field(ge=1)] = 1
    seconds: Seconds = 1.0


class HoldFault(_PushRule):
    """A push held back."""

    do: Literal["hold"] = "hold"
    seconds: Seconds | None = None


type RequestFault = (
    CodeFault | DelayFault | CutFault | GarbleFault | StatusFault | SilenceFault | LateFault | RefuseFault
)
type PushFault = DuplicateFault | ReorderFault | HoldFault
type Rule = RequestFault | PushFault | EarlyFault

_RULES: TypeAdapter[list[Rule]] = TypeAdapter(list[Annotated[Rule, Field(discriminator="do")]])


def checked_rules(values: Any) -> list[Rule]:
    """Read one rule or a list of them, as JSON values or as rules. Raises :class:`Refused`."""
    try:
        return _RULES.validate_python(values if isinstance(values, list) else [values])
    except ValidationError as error:
        raise Refused.because(error) from None


class _Armed[R: _Rule]:
    """A rule with its memory."""

    def __init__(self, rule: R) -> None:
        self.rule = rule
        self.seen = 0
        self.applied = 0
        self._die = random.Random(rule.seed)  # noqa: S311 - repeatable, not secret

    def notices(self, op: str, concerns: Callable[[str], bool]) -> bool:
        """Count a request or push that is the rule's business, and say whether this one may be struck."""
        rule = self.rule
        if rule.op not in (None, op) or not (rule.mobile is None or concerns(rule.mobile)):
            return False
        self.seen += 1
        return (rule.nth is None or self.seen in rule.nth) and self._die.random() < rule.chance

    @property
    def exhausted(self) -> bool:
        return self.rule.times is not None and self.applied >= self.rule.times

    def as_json(self) -> dict[str, Any]:
        said = self.rule.model_dump(mode="json", exclude_defaults=True)
        return {"do": self.rule.do, **said, "seen": self.seen, "applied": self.applied}


class _Family[R: _Rule]:
    """Rules of which at most one strikes at a time."""

    def __init__(self, rules: Iterable[R]) -> None:
        self.armed = [_Armed(rule) for rule in rules]

    def struck(self, op: str, concerns: Callable[[str], bool]) -> _Armed[R] | None:
        # every rule notices, so that "the third" is the third whatever other rules do
        firing = [armed for armed in self.armed if armed.notices(op, concerns)]
        for armed in firing:
            if not armed.exhausted:
                armed.applied += 1
                return armed
        return None

    def as_json(self) -> list[dict[str, Any]]:
        return [armed.as_json() for armed in self.armed]


class FaultBook:
    """The rules in force, and how often each kind of fault was applied since the last :meth:`forget`."""

    def __init__(self) -> None:
        self.applied: Counter[str] = Counter()
        self.replace([])

    @classmethod
    def of(cls, *rules: Rule) -> Self:
        """Return a book with these rules."""
        book = cls()
        book.replace(rules)
        return book

    def replace(self, rules: Sequence[Rule]) -> None:
        """Put these rules in place of all others; the counts of what was applied stay."""
        self._early = _Family([rule for rule in rules if isinstance(rule, EarlyFault)])
        self._pushes = _Family([rule for rule in rules if isinstance(rule, _PushRule)])
        self._requests = _Family([rule for rule in rules if not isinstance(rule, EarlyFault | _PushRule)])

    def forget(self) -> None:
        """Drop rules and counts."""
        self.applied.clear()
        self.replace([])

    def of_request(self, op: str, concerns: Callable[[str], bool]) -> RequestFault | None:
        """Return the fault that strikes a request; ``concerns`` says whether a mobile is in it."""
        return self._strike(self._requests, op, concerns)

    def of_push(self, op: str, concerns: Callable[[str], bool]) -> PushFault | None:
        """Return the fault that strikes a push of type ``op``."""
        return self._strike(self._pushes, op, concerns)

    def early(self, concerns: Callable[[str], bool]) -> EarlyFault | None:
        """Return the rule by which a part's reports come before its answer."""
        return self._strike(self._early, "sendSm", concerns)

    def as_json(self) -> dict[str, Any]:
        """The rules, each with how many it noticed (``seen``) and struck (``applied``), and the totals by kind."""
        rules = [*self._requests.as_json(), *self._pushes.as_json(), *self._early.as_json()]
        return {"rules": rules, "applied": dict(self.applied)}

    def _strike[R: _Rule](self, family: _Family[R], op: str, concerns: Callable[[str], bool]) -> R | None:
        armed = family.struck(op, concerns)
        if armed is None:
            return None
        self.applied[armed.rule.do] += 1
        return armed.rule
