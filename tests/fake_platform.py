"""The network to the platform, without HTTP: the layer's codec on one side, the simulator's own on the other.

What HTTP brings about is played by the *fate* of each request.
"""

import json
import threading
from collections import deque
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any, Literal

from kuaixintong.core.codec import decode_answer, encode
from kuaixintong.core.credentials import PlatformCredentials
from kuaixintong.core.errors import NoAnswer, Unanswered
from kuaixintong.core.messages import Answer, Login, SendSm
from local.simulator.platform import Platform

type Fate = int | Literal["well", "lost", "garbled", "never", "held", "unsent"] | Callable[[], Fate | None]
"""What becomes of a request.

A state code: the platform answers it and does nothing, but has seen the timestamp. ``lost``: it acts, and the
answer is lost; ``garbled``: and the answer cannot be read. ``never``: the request is lost. ``held``: it is on its
way still when its client has gone. ``unsent``: it provably never left. A function: it is called, and the fate that
it returns counts, if it does return one.
"""


class Line:
    """The way to the platform of one account.

    ``fates`` are those of the next requests, after which all goes well; ``always`` those of a mobile's requests,
    which come before. ``requests`` are the ``message`` fields of all, ``held`` what is still on its way, and
    ``ahead`` how far the platform's clock is ahead of ours.
    """

    def __init__(self, platform: Platform, clock: Callable[[], datetime], *fates: Fate) -> None:
        self._platform = platform
        self._clock = clock
        self._lock = threading.Lock()
        self.fates: deque[Fate] = deque(fates)
        self.always: dict[str, Fate] = {}
        self.requests: list[dict[str, Any]] = []
        self.held: list[dict[str, str]] = []
        self.ahead = timedelta()

    address = "direct"

    def ask(self, request: Login | SendSm, credentials: PlatformCredentials, timestamp: str) -> Answer:
        """Ask as the client does. Raises :class:`NoAnswer`."""
        fields = encode(request, credentials, timestamp)
        self.requests.append(json.loads(fields["message"]))
        return self.carry(fields, self._fate(request))

    def carry(self, fields: dict[str, str], fate: Fate) -> Answer:
        """Let a request meet its fate. Raises :class:`NoAnswer`."""
        match fate:
            case _ if callable(fate):
                return self.carry(fields, fate() or "well")
            case int(code):
                return decode_answer(self.act(fields, instead=code))
            case "lost":
                self.act(fields)
                raise NoAnswer("lost on the way back", Unanswered.RESET)
            case "garbled":
                body = self.act(fields)
                return decode_answer(body[: len(body) // 2])
            case "never":
                raise NoAnswer("lost on the way", Unanswered.RESET)
            case "held":
                self.held.append(fields)
                raise NoAnswer("held up on the way", Unanswered.TIMED_OUT)
            case "unsent":
                raise NoAnswer("nobody listens", Unanswered.REFUSED, left=False)
            case _:
                return decode_answer(self.act(fields))

    def act(self, fields: dict[str, str], *, instead: int | None = None) -> bytes:
        """Let the platform act on a request now; return its answer's bytes."""
        with self._lock:  # the platform is for one thread
            return self._platform.receive(fields, self._clock() + self.ahead, instead=instead).answer.body

    def release(self) -> None:
        """Let the platform act on what was held up."""
        for fields in self.held:
            self.act(fields)
        self.held.clear()

    @property
    def timestamps(self) -> list[str]:
        """The timestamps of all requests, in order."""
        return [request["timestamp"] for request in self.requests]

    def _fate(self, request: Login | SendSm) -> Fate:
        if self.always and isinstance(request, SendSm):
            for mobile in request.mobiles:
                if mobile in self.always:
                    return self.always[mobile]
        return self.fates.popleft() if self.fates else "well"
