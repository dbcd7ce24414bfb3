"""What the pages stand on: one stack's library, and beside a local stack the simulator, asked in threads.

In read-only mode nothing that changes anything can be got from here: that is decided in this one place, and what
the pages leave out is only politeness.
"""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from kxt.console.imports import Imports
from kxt.console.jobs import Jobs
from kxt.console.playing import Story
from kxt.console.simulation import Simulation

_THREADS = 8


class ReadOnly(Exception):
    """Something was to be changed in read-only mode."""


class Desk:
    """A stack, or none (a simulator alone), and how far one may go with it."""

    def __init__(
        self, stack: Any, *, name: str = "", simulation: Simulation | None = None, read_only: bool = False
    ) -> None:
        """``stack`` is a :class:`kuaixintong.stack.Stack` or what does the same."""
        self._stack = stack
        self._simulation = simulation
        self.name = name
        self.read_only = read_only
        self.jobs = Jobs()
        self.imports = Imports()
        self.story = Story()
        self.handsets: dict[str, None] = {}
        """The handsets that somebody has put up, for all open pages."""
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="desk")

    async def ask[A](self, question: Callable[[], A]) -> A:
        """Call ``question`` in a thread."""
        return await asyncio.get_running_loop().run_in_executor(self._threads, question)

    @property
    def has_stack(self) -> bool:
        """Whether there is a stack to ask."""
        return self._stack is not None

    @property
    def pages(self) -> frozenset[str]:
        """The pages whose part of the library there is."""
        needed = {"import": "campaigns", "optouts": "optouts", "account": "account"}
        always = {"overview", "send", "campaigns", "attention"}
        return frozenset(always | {page for page, part in needed.items() if self.offers(part)})

    def offers(self, name: str) -> bool:
        """Whether the stack's library has a part of this name."""
        return self.has_stack and hasattr(type(self._stack), name)

    @property
    def reading(self) -> Any:
        """The stack, for questions alone."""
        return self._stack

    @property
    def acting(self) -> Any:
        """The stack, for what changes something. Raises :class:`ReadOnly`."""
        if self.read_only:
            raise ReadOnly
        return self._stack

    @property
    def simulation(self) -> Simulation | None:
        """The simulated platform beside a local stack, to be looked at."""
        return self._simulation

    @property
    def steering(self) -> Simulation:
        """The simulated platform, to be steered. Raises :class:`ReadOnly`."""
        if self.read_only or self._simulation is None:
            raise ReadOnly
        return self._simulation

    def close(self) -> None:
        """Let go of the threads."""
        self.jobs.close()
        self.imports.close()
        self.story.close()
        self._threads.shutdown(wait=False, cancel_futures=True)
