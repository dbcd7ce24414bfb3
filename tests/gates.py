"""Gates between a process and everything outside it: where calls are counted, fail, and where workers die.

A process is cut off from its tables, its secret and its platform by :class:`Gated`; each of its calls passes the
gates first, told as ``place.method``: ``SendsTable.put``, ``secret.get_secret_value``, ``platform.ask``.
"""

from collections.abc import Callable
from fnmatch import fnmatchcase
from typing import Any, Protocol, cast


class Killed(BaseException):
    """SIGKILL: no ``except Exception`` and no retry gets to see it, and nothing is written afterwards."""


class Gate(Protocol):
    """What a call to anything outside has to pass."""

    def before(self, call: str) -> None:
        """Let a call through, or raise."""

    def after(self, call: str) -> None:
        """Let its result through, or raise: what was asked for has been done."""


class Gated:
    """A table, a secret or a platform whose every call passes gates."""

    def __init__(self, thing: Any, place: str, *gates: Gate) -> None:
        self._thing = thing
        self._place = place
        self._gates = gates

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._thing, name)
        if not callable(method):
            return method
        call = f"{self._place}.{name}"
        gates = self._gates

        def gated(*values: Any, **arguments: Any) -> Any:
            for gate in gates:
                gate.before(call)
            result = method(*values, **arguments)
            for gate in gates:
                gate.after(call)
            return result

        self.__dict__[name] = gated
        return gated


def gated[T](thing: T, place: str, *gates: Gate) -> T:
    """Return what looks like ``thing`` and has gates before it."""
    return cast("T", Gated(thing, place, *gates))


class Gates:
    """Several gates in a row; more can be put up, and taken away, while processes are under way."""

    def __init__(self) -> None:
        self.up: list[Gate] = []

    def before(self, call: str) -> None:
        """Let a call through, or raise."""
        for gate in tuple(self.up):
            gate.before(call)

    def after(self, call: str) -> None:
        """Let its result through, or raise."""
        for gate in tuple(self.up):
            gate.after(call)


class Life:
    """A worker's life: its calls are counted, and it can be made to die before its n-th, counted from 1.

    ``of`` are the calls that count, as a pattern; once dead, nothing gets through.
    """

    def __init__(self, ends_before: int | None = None, *, of: str = "*") -> None:
        self.calls: list[str] = []
        self.dead = False
        self._ends_before = ends_before
        self._of = of

    def before(self, call: str) -> None:
        """Count a call and let it through, unless the worker dies now or has died."""
        if fnmatchcase(call, self._of):
            self.calls.append(call)
            self.dead = self.dead or len(self.calls) == self._ends_before
        if self.dead:
            raise Killed

    def after(self, call: str) -> None:
        """Let every result through."""


class Incident:
    """What happens at every call of a kind: ``act`` gets the call's number, from 0, and may raise.

    With ``after`` it happens when what was asked for has been done.
    """

    def __init__(self, calls: str, act: Callable[[int], object], *, after: bool = False) -> None:
        self.count = 0
        self._calls = calls
        self._act = act
        self._after = after

    def before(self, call: str) -> None:
        """Let it happen, if this is its moment."""
        if not self._after:
            self._happen(call)

    def after(self, call: str) -> None:
        """Let it happen, if this is its moment."""
        if self._after:
            self._happen(call)

    def _happen(self, call: str) -> None:
        if fnmatchcase(call, self._calls):
            self.count += 1
            self._act(self.count - 1)
