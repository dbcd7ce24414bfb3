"""All of it together: what can be done to a running simulator, in one place for HTTP and for Python."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from itertools import islice
from typing import Any

from aiohttp import web

from local.simulator.control import control_routes
from local.simulator.doors import HOST, Doors
from local.simulator.faults import FaultBook, Rule
from local.simulator.journal import Journal, Record
from local.simulator.platform import BEIJING, MO, Message, Platform
from local.simulator.pushing import Pusher
from local.simulator.service import MAX_BODY, PATH, Service
from local.simulator.settings import Settings


def _utc_now() -> datetime:
    return datetime.now(UTC)


class Simulator:
    """Lives on one event loop; :class:`local.simulator.running.RunningSimulator` serves other threads."""

    def __init__(self, settings: Settings, clock: Callable[[], datetime] = _utc_now) -> None:
        self._clock = clock
        self.platform = Platform(settings)
        self.faults = FaultBook()
        self.journal = Journal()
        self.doors = Doors()
        self.pusher = Pusher(lambda: self.platform.settings, self.faults)
        self.service = Service(self.platform, self.faults, self.journal, self.pusher, self.doors, clock)

    @property
    def url(self) -> str:
        """The service's address (spec 1.1)."""
        return f"http://{HOST}:{self.doors.port}{PATH}"

    @property
    def control_url(self) -> str:
        """Where control answers even while connections to the service are refused."""
        return f"http://{HOST}:{self.doors.control_port}/_sim"

    async def start(self, port: int = 0, control_port: int = 0) -> None:
        """Listen on 127.0.0.1 and begin to push. Raises ``OSError`` for a port that is taken."""
        service = web.Application(client_max_size=MAX_BODY)
        service.router.add_post(PATH, self.service.handle)
        service.router.add_get(PATH, self.service.handle)
        service.add_routes(control_routes(self))
        control = web.Application(client_max_size=MAX_BODY)
        control.add_routes(control_routes(self))
        await self.doors.start(service, control, port, control_port)
        await self.pusher.start()

    async def stop(self) -> None:
        """Close the listeners and let go of what is under way."""
        await self.doors.stop()
        await self.pusher.stop()

    def messages(self, after: int = 0, limit: int | None = None) -> list[Message]:
        """Return up to ``limit`` accepted parts whose token is greater than ``after``."""
        later = (message for message in self.platform.messages if message.token > after)
        return list(islice(later, limit))

    def requests(self, after: int = 0, limit: int | None = None) -> list[Record]:
        """Return up to ``limit`` requests seen whose number is greater than ``after``."""
        return self.journal.after(after, limit)

    def acceptances(self) -> Counter[str]:
        """Count, for each mobile, how often something to it was accepted."""
        return Counter(mobile for message in self.platform.messages for mobile in message.mobiles)

    def state(self) -> dict[str, Any]:
        """Counts and addresses."""
        return {
            "url": self.url,
            "control_url": self.control_url,
            "refusing_connections": self.doors.shut,
            "requests": self.journal.count,
            "accepted": len(self.platform.messages),
            "balance": self.platform.balance,
            "late_requests": self.service.late_requests,
            "faults_applied": dict(self.faults.applied),
            "pushes": self.pusher.as_json(),
        }

    def settings(self) -> dict[str, Any]:
        """The settings without the two passwords."""
        return self.platform.settings.model_dump(mode="json", exclude={"pwd", "push_pwd"})

    def change(self, changes: Mapping[str, Any]) -> None:
        """Change settings, from now on. Raises ``Refused``."""
        self.platform.change(changes)
        self.pusher.kick()

    def set_faults(self, rules: Sequence[Rule]) -> None:
        """Put these rules in place of all others."""
        self.faults.replace(rules)

    def uplink(self, mobile: str, content: str, smg_recv_date: str | None = None) -> MO:
        """Let a handset send something; the gateway's time is now, Beijing time, unless given."""
        received = smg_recv_date or self._clock().astimezone(BEIJING).strftime("%Y-%m-%d %H:%M:%S")
        mo = MO(mobile, content, received)
        self.pusher.uplink(mo)
        return mo

    def release(self) -> dict[str, int]:
        """Act on late requests and let go of held pushes, all of them, now; return how many of each."""
        return {"requests": self.service.release(), "pushes": self.pusher.release()}

    async def refuse_connections(self, seconds: float | None = None) -> None:
        """Close the service's listener for ``seconds``, or until :meth:`accept_connections`."""
        self.faults.applied["refuse"] += 1
        await self.doors.close(seconds)

    async def accept_connections(self) -> None:
        """End an outage."""
        await self.doors.open()

    async def reset(self) -> None:
        """Forget messages, requests, timestamps, faults and pushes; end an outage; fill up the balance.

        Settings stay as they are, and tokens go on rising.
        """
        self.platform.forget()
        self.journal.forget()
        self.faults.forget()
        self.service.forget()
        await self.pusher.forget()
        await self.doors.open()
