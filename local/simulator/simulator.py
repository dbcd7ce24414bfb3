"""All of it together: what can be done to a running simulator, in one place for HTTP and for Python."""

import asyncio
from collections import Counter, deque
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from functools import partial
from itertools import islice
from typing import Any

from aiohttp import web

from local.simulator.control import control_routes
from local.simulator.doors import HOST, Doors
from local.simulator.faults import FaultBook, Rule
from local.simulator.handsets import Found, Inbox, replies_to
from local.simulator.journal import Journal, Record
from local.simulator.patterns import Pattern
from local.simulator.platform import BEIJING, MO, Message, Platform
from local.simulator.pushing import Pusher
from local.simulator.service import MAX_BODY, PATH, Service
from local.simulator.settings import Handset, Reply, Settings

_MOS_KEPT = 10_000


def _utc_now() -> datetime:
    return datetime.now(UTC)


class Simulator:
    """Lives on one event loop; :class:`local.simulator.running.RunningSimulator` serves other threads."""

    def __init__(self, settings: Settings, clock: Callable[[], datetime] = _utc_now, *, servers: int = 1) -> None:
        self._clock = clock
        self._server_count = servers
        self.platform = Platform(settings)
        self.faults = FaultBook()
        self.journal = Journal()
        self.doors = Doors()
        self.pusher = Pusher(lambda: self.platform.settings, self.faults)
        self.inbox = Inbox()
        self.mos: deque[MO] = deque(maxlen=_MOS_KEPT)
        """What handsets have sent, by themselves or told to."""
        self._replies: set[asyncio.TimerHandle] = set()
        self._next_text = asyncio.Event()
        self.service = Service(
            self.platform, self.faults, self.journal, self.pusher, self.doors, clock, self._arrived
        )

    @property
    def url(self) -> str:
        """The service's address (spec 1.1); of several servers the first's."""
        return self.urls[0]

    @property
    def urls(self) -> list[str]:
        """The addresses of all servers."""
        return [f"http://{HOST}:{port}{PATH}" for port in self.doors.ports]

    @property
    def control_url(self) -> str:
        """Where control answers even while connections to the service are refused."""
        return f"http://{HOST}:{self.doors.control_port}/_sim"

    async def start(self, port: int = 0, control_port: int = 0) -> None:
        """Listen on 127.0.0.1 and begin to push. Raises ``OSError`` for a port that is taken."""
        control = web.Application(client_max_size=MAX_BODY)
        control.add_routes(control_routes(self))
        await self.doors.start([*map(self._server, range(self._server_count))], control, port, control_port)
        await self.pusher.start()

    def _server(self, number: int) -> web.Application:
        server = web.Application(client_max_size=MAX_BODY)
        handle = partial(self.service.handle, server=number)
        server.router.add_post(PATH, handle)
        server.router.add_get(PATH, handle)
        server.add_routes(control_routes(self))
        return server

    async def stop(self) -> None:
        """Close the listeners and let go of what is under way."""
        self._forget_replies()
        await self.doors.stop()
        await self.pusher.stop()

    def messages(self, after: int = 0, limit: int | None = None, mobile: str | None = None) -> list[Message]:
        """Return up to ``limit`` accepted parts whose token is greater than ``after``.

        With ``mobile``, those that arrived on its handset.
        """
        if mobile is not None:
            return self.inbox.texts(mobile, after)[:limit]
        later = (message for message in self.platform.messages if message.token > after)
        return list(islice(later, limit))

    async def wait_for_text(
        self, mobile: str, pattern: Pattern, seconds: float, after: int | None = None
    ) -> Found | None:
        """Return the next text to a mobile that matches, as soon as there is one; ``None`` after ``seconds``.

        Next is what nobody has waited for yet; with ``after``, what has a greater token, waited for or not.
        """
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                while True:
                    arrival = self._next_text
                    if found := self.inbox.read(mobile, pattern, after):
                        return found
                    await arrival.wait()
        return None

    def _arrived(self, message: Message) -> None:
        settings = self.platform.settings
        self.inbox.deliver(message, settings)
        self._next_text.set()
        self._next_text = asyncio.Event()
        for mobile, reply in replies_to(message, settings):
            self._reply(mobile, reply)

    def _reply(self, mobile: str, reply: Reply) -> None:
        def answer() -> None:
            self._replies.discard(timer)
            self.uplink(mobile, reply.content)

        timer = asyncio.get_running_loop().call_later(reply.seconds, answer)
        self._replies.add(timer)

    def _forget_replies(self) -> None:
        for timer in self._replies:
            timer.cancel()
        self._replies.clear()

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
            "urls": self.urls,
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
        """The settings without the passwords."""
        shown = self.platform.settings.model_dump(mode="json", exclude={"pwd", "push_pwd"})
        return {**shown, "other_users": sorted(shown["other_users"])}

    def change(self, changes: Mapping[str, Any]) -> None:
        """Change settings, from now on. Raises ``Refused``."""
        self.platform.change(changes)
        self.pusher.kick()

    def set_handset(self, mobile: str, handset: Handset) -> None:
        """Let a handset do this from now on; one that does nothing by itself is as if it had never been told."""
        handsets = {**self.platform.settings.handsets, mobile: handset}
        if handset == Handset():
            del handsets[mobile]
        self.change({"handsets": handsets})

    def set_faults(self, rules: Sequence[Rule]) -> None:
        """Put these rules in place of all others."""
        self.faults.replace(rules)

    def uplink(self, mobile: str, content: str, smg_recv_date: str | None = None) -> MO:
        """Let a handset send something; the gateway's time is now, Beijing time, unless given."""
        sent_at = self._clock()
        now = self.platform.clock(sent_at).astimezone(BEIJING)
        mo = MO(mobile, content, smg_recv_date or now.strftime("%Y-%m-%d %H:%M:%S"), sent_at)
        self.mos.append(mo)
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
        """Forget messages, requests, MOs, timestamps, faults and pushes; end an outage; fill up the balance.

        Settings stay as they are, and tokens go on rising.
        """
        self.platform.forget()
        self.journal.forget()
        self.faults.forget()
        self.service.forget()
        self.inbox.forget()
        self.mos.clear()
        self._forget_replies()
        await self.pusher.forget()
        await self.doors.open()
