"""A simulator in a thread of its own, for tests and for anything else that is not asynchronous.

::

    with running_simulator(balance=5_000, push_url=url) as sim:
        requests.post(sim.url, data={"op": "login", "message": "…"})
        assert sim.state()["accepted"] == 0
"""

import asyncio
import threading
import time
from collections import Counter
from collections.abc import Callable, Coroutine, Iterator, Mapping
from concurrent.futures import Future
from contextlib import contextmanager
from typing import Any

from local.simulator.faults import Rule, checked_rules
from local.simulator.handsets import Found
from local.simulator.journal import Record
from local.simulator.patterns import Pattern
from local.simulator.platform import MO, Message
from local.simulator.settings import Handset, Settings, checked_settings
from local.simulator.simulator import Simulator

_CALL_TIMEOUT = 30.0  # seconds; every call is short, so more than this is a defect


class RunningSimulator:
    """Safe to call from any thread. Make it with :func:`running_simulator`."""

    def __init__(self, settings: Settings, servers: int = 1) -> None:
        self._simulator = Simulator(settings, servers=servers)
        self._loop: Future[asyncio.AbstractEventLoop] = Future()
        self._told_to_stop = asyncio.Event()
        self._thread: threading.Thread | None = None

    def start(self, port: int = 0, control_port: int = 0) -> None:
        """Start thread and server; it listens when this returns. Raises ``OSError`` for a port that is taken."""
        self._thread = threading.Thread(
            target=lambda: asyncio.run(self._serve(port, control_port)), name="simulator", daemon=True
        )
        self._thread.start()
        self._loop.result(_CALL_TIMEOUT)

    def stop(self) -> None:
        """Stop server and thread."""
        if self._thread is None or self._loop.exception(_CALL_TIMEOUT) is not None:
            return  # it never ran
        self._call(self._told_to_stop.set)
        self._thread.join(_CALL_TIMEOUT)

    async def _serve(self, port: int, control_port: int) -> None:
        try:
            await self._simulator.start(port, control_port)
            self._loop.set_result(asyncio.get_running_loop())
            await self._told_to_stop.wait()
        except OSError as error:
            self._loop.set_exception(error)
        finally:
            await self._simulator.stop()

    @property
    def url(self) -> str:
        """The service's address, to be handed to a client; of several servers the first's."""
        return self._simulator.url

    @property
    def urls(self) -> list[str]:
        """The addresses of all servers."""
        return self._simulator.urls

    @property
    def control_url(self) -> str:
        """The address of control, ``…/_sim``, that answers even while connections are refused."""
        return self._simulator.control_url

    def messages(self, after: int = 0, limit: int | None = None) -> list[Message]:
        """Return accepted parts in order; those with a token greater than ``after``."""
        return self._call(lambda: self._simulator.messages(after, limit))

    def wait_for_text(
        self, mobile: str, match: str | None = None, seconds: float = 10.0, after: int | None = None
    ) -> Found | None:
        """Return the next text to a mobile that matches, as ``GET /_sim/wait`` does. Raises ``BadPattern``."""
        pattern = Pattern(match)
        return self._await(self._simulator.wait_for_text(mobile, pattern, seconds, after), seconds)

    def handset(self, mobile: str, **does: Any) -> None:
        """Let a handset do this by itself, as ``settings.Handset`` lists it. Raises pydantic's error."""
        handset = Handset.model_validate(does)
        self._call(lambda: self._simulator.set_handset(mobile, handset))

    def mos(self) -> list[MO]:
        """Return what handsets have sent."""
        return self._call(lambda: [*self._simulator.mos])

    def requests(self, after: int = 0, limit: int | None = None) -> list[Record]:
        """Return the requests seen, in order of arrival; those with a number greater than ``after``."""
        return self._call(lambda: self._simulator.requests(after, limit))

    def acceptances(self) -> Counter[str]:
        """Return how often something was accepted, by mobile."""
        return self._call(self._simulator.acceptances)

    def state(self) -> dict[str, Any]:
        """Return counts, as ``GET /_sim/state`` does."""
        return self._call(self._simulator.state)

    def push_attempts(self) -> list[dict[str, Any]]:
        """Return the last tries to deliver pushes, as ``GET /_sim/pushes`` does."""
        return self._call(lambda: [attempt.as_json() for attempt in self._simulator.pusher.attempts])

    def change(self, **changes: Any) -> None:
        """Change settings by their names. Raises ``Refused``."""
        self._call(lambda: self._simulator.change(changes))

    def faults(self, rules: list[Rule | dict[str, Any]]) -> None:
        """Put these rules, values or as in JSON, in place of all others. Raises ``Refused``."""
        checked = checked_rules(rules)
        self._call(lambda: self._simulator.set_faults(checked))

    def faults_applied(self) -> Mapping[str, int]:
        """Return how often each kind of fault was applied since the start or the last reset."""
        return self._call(lambda: Counter(self._simulator.faults.applied))

    def mo(self, mobile: str, content: str, smg_recv_date: str | None = None) -> None:
        """Let a handset send something."""
        self._call(lambda: self._simulator.uplink(mobile, content, smg_recv_date))

    def release(self) -> dict[str, int]:
        """Act on late requests and let go of held pushes; return how many ``requests`` and ``pushes``."""
        return self._call(self._simulator.release)

    def refuse_connections(self, seconds: float | None = None) -> None:
        """Refuse connections for ``seconds``, or until :meth:`accept_connections`."""
        self._await(self._simulator.refuse_connections(seconds))

    def accept_connections(self) -> None:
        """End an outage."""
        self._await(self._simulator.accept_connections())

    def reset(self) -> None:
        """Forget all but settings and the next token."""
        self._await(self._simulator.reset())

    def wait_until(self, condition: Callable[["RunningSimulator"], object], seconds: float = 10.0) -> None:
        """Return as soon as ``condition(self)`` holds. Raises ``TimeoutError``, telling the state."""
        deadline = time.monotonic() + seconds
        while not condition(self):
            if time.monotonic() > deadline:
                raise TimeoutError(f"still not so after {seconds} s: {self.state()}")
            time.sleep(0.01)

    def _call[T](self, function: Callable[[], T]) -> T:
        async def call() -> T:
            return function()

        return self._await(call())

    def _await[T](self, work: Coroutine[Any, Any, T], seconds: float = 0.0) -> T:
        done = asyncio.run_coroutine_threadsafe(work, self._loop.result(0))
        return done.result(_CALL_TIMEOUT + seconds)


@contextmanager
def running_simulator(
    *, port: int = 0, control_port: int = 0, servers: int = 1, **settings: Any
) -> Iterator[RunningSimulator]:
    """Run a simulator while the block lasts, with ``settings`` as in ``settings.Settings``; port 0: a free one."""
    simulator = RunningSimulator(checked_settings(**settings), servers)
    try:
        simulator.start(port, control_port)
        yield simulator
    finally:
        simulator.stop()
