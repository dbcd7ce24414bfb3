"""The demo's story, played on the local stack: the specification's own send, its reports, and an MO."""

import secrets
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from kuaixintong.core.errors import KuaixintongError
from kxt.console.simulation import Simulation, SimulatorSilent

if TYPE_CHECKING:
    from kuaixintong.status import DeliveryStatus

DELIVERED, FAILING, WRITER = "13708600860", "18930612517", "13500000000"
CONTENT = "周末参加不了培训了"
FAILURE = "2:46"
MO = "你好吗"

_PATIENCE = 40.0  # seconds for each thing that has to happen; most take well under one
_PAUSE = 0.5


@dataclass(frozen=True, slots=True)
class Played:
    """How far the story is: steps that have happened, by their texts' keys, and what did not happen."""

    send_id: str = ""
    steps: tuple[str, ...] = ()
    running: bool = False
    trouble: str | None = None


class _NotInTime(Exception):
    """Something did not happen."""


class Story:
    """Plays it in a thread, one at a time."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._played = Played()
        self._stopping = threading.Event()

    def played(self) -> Played:
        """Return how far it is."""
        return self._played

    def play(self, stack: Any, simulation: Simulation) -> None:
        """Begin, if it is not going on."""
        with self._lock:
            if self._played.running:
                return
            self._played = Played(f"demo-{secrets.token_hex(4)}", running=True)
        threading.Thread(target=self._run, args=(stack, simulation), name="story", daemon=True).start()

    def close(self) -> None:
        """Stop."""
        self._stopping.set()

    def _run(self, stack: Any, simulation: Simulation) -> None:
        try:
            self._acts(stack, simulation)
            self._note(running=False)
        except (KuaixintongError, SimulatorSilent) as error:
            self._note(running=False, trouble=str(error) or type(error).__name__)
        except Exception as error:  # noqa: BLE001  # a thread's error would be nobody's
            self._note(running=False, trouble=type(error).__name__)

    def _acts(self, stack: Any, simulation: Simulation) -> None:
        send_id = self._played.send_id
        simulation.change(failing_mobiles={**simulation.settings()["failing_mobiles"], FAILING: FAILURE})
        stack.outbox.send(id=send_id, mobiles=[DELIVERED, FAILING], content=CONTENT)
        self._happened("play.enqueued")

        def status() -> "DeliveryStatus":
            found: DeliveryStatus = stack.lookup.delivery_status(send_id)
            return found

        self._until(lambda: any(part.token for part in status().parts))
        self._happened("play.accepted")
        self._until(lambda: set(status().mobiles.values()) == {"delivered", "failed"})
        self._happened("play.reported")
        said = f"{MO} {send_id}"
        simulation.mo(WRITER, said)
        self._until(lambda: any(row["content"] == said for row in stack.lookup.mos_of_mobile(WRITER)))
        self._happened("play.answered")

    def _until(self, condition: Callable[[], bool]) -> None:
        deadline = time.monotonic() + _PATIENCE
        while not condition():
            if time.monotonic() > deadline or self._stopping.wait(_PAUSE):
                raise _NotInTime

    def _happened(self, step: str) -> None:
        self._note(steps=(*self._played.steps, step))

    def _note(
        self, *, steps: tuple[str, ...] | None = None, running: bool = True, trouble: str | None = None
    ) -> None:
        played = self._played
        self._played = Played(played.send_id, played.steps if steps is None else steps, running, trouble)
