"""The listeners, on loopback only: some for service and control, one for control alone.

Several of the first kind are several servers of one platform. Refusing connections for real means closing them,
and then nothing on their ports can end the outage early. That is what the other one is for.
"""

import asyncio
from collections.abc import Sequence
from contextlib import suppress

from aiohttp import web

HOST = "127.0.0.1"

_REOPEN_PAUSE = 0.05  # another process may hold the port for a moment
_HANDLERS_MAY_FINISH = 0.2  # seconds; answers that a fault holds back would keep a stop waiting


class Doors:
    """Lives on one event loop. ``shut`` says whether the service's listeners are closed on purpose."""

    def __init__(self) -> None:
        self.shut = False
        self.ports: list[int] = []
        self.control_port = 0
        self._runners: list[web.AppRunner] = []
        self._servers: list[web.AppRunner] = []
        self._sites: list[web.TCPSite] = []
        self._moving = asyncio.Lock()
        self._timer: asyncio.TimerHandle | None = None
        self._opening: asyncio.Task[None] | None = None

    async def start(
        self, services: Sequence[web.Application], control: web.Application, port: int, control_port: int
    ) -> None:
        """Listen; port 0 means any free one, another is the first's. Raises ``OSError`` for one that is taken."""
        for number, service in enumerate(services):
            server = await self._runner(service)
            self._servers.append(server)
            site, taken = await _listen(server, port and port + number)
            self._sites.append(site)
            self.ports.append(taken)
        _, self.control_port = await _listen(await self._runner(control), control_port)

    async def stop(self) -> None:
        """Close all listeners and connections."""
        self._forget_timer()
        for runner in self._runners:
            await runner.cleanup()

    async def close(self, seconds: float | None = None) -> None:
        """Refuse connections for ``seconds``, or until :meth:`open`; open ones die at their next request."""
        self._forget_timer()
        async with self._moving:
            if not self.shut:
                self.shut = True
                for site in self._sites:
                    await site.stop()
        if seconds is not None:
            self._timer = asyncio.get_running_loop().call_later(seconds, self._open_in_time)

    async def open(self) -> None:
        """Listen again, on the same ports."""
        self._forget_timer()
        async with self._moving:
            if self.shut:
                self._sites = [await _listen_again(*each) for each in zip(self._servers, self.ports, strict=True)]
                self.shut = False

    async def _runner(self, app: web.Application) -> web.AppRunner:
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=_HANDLERS_MAY_FINISH)
        await runner.setup()
        self._runners.append(runner)
        return runner

    def _open_in_time(self) -> None:
        self._timer = None
        self._opening = asyncio.get_running_loop().create_task(self.open())

    def _forget_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


async def _listen_again(server: web.AppRunner, port: int) -> web.TCPSite:
    while True:
        with suppress(OSError):
            site, _ = await _listen(server, port)
            return site
        await asyncio.sleep(_REOPEN_PAUSE)


async def _listen(runner: web.AppRunner, port: int) -> tuple[web.TCPSite, int]:
    site = web.TCPSite(runner, HOST, port, backlog=1024)
    await site.start()
    return site, port or runner.addresses[-1][1]
