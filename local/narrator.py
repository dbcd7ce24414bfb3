"""What a person reads while the local stack works, and the commands that they can try themselves."""

import shlex
import time
from typing import Any

SPEC_SEND: dict[str, Any] = {
    "mobiles": ["13708600860", "18930612517"],
    "content": "周末参加不了培训了",
    "atTime": "",
    "dailyBeginTime": "08:00:00",
    "dailyEndTime": "18:00:00",
}
"""The spec's own sample send (3.2), as a message of the send queue."""


class Narrator:
    """Prints steps, each with the time since the first."""

    def __init__(self) -> None:
        self._began = time.monotonic()

    def step(self, text: str) -> None:
        """Print a step."""
        print(f"[{time.monotonic() - self._began:5.1f} s] {text}", flush=True)

    def detail(self, text: str) -> None:
        """Print something that belongs to the last step; every line of it is set in."""
        for line in text.splitlines():
            print(f"          {line}", flush=True)


def kxt(*words: str) -> str:
    """Return a line of the command line, as a person would type it."""
    return shlex.join(["kxt", *words])
