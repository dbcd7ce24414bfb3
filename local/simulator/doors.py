"""The two listeners, on loopback only: one for service and control, one for control alone.

Refusing connections for real means closing the first listener, and then nothing on its port can end the outage
early. That is what the second is for.
"""

import asyncio
from contextlib import suppress

from aiohttp import web

HOST = "127.0.0.1"

_REOPEN_PAUSE = 0.05  # another process may hold the port for a moment
_HANDLERS_MAY_FINISH = 0.2  # seconds; answers that a fault holds back would keep a stop waiting


class Doors:
    """Lives on one event loop. ``shut`` says whether the service's listener is closed on purpose."""

    def __init__(self) -> None:
        self.shut = False
        self.port = 0
        self.control_port = 0
        self._runners: list[web.AppRunner] = []
        self._service: web.AppRunner | None = None
        self._site: web.TCPSite | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._opening: asyncio.Task[None] | None = None

    async def start(
        self, service: web.Application, control: web.Application, port: int, control_port: int
    ) -> None:
        """Listen; port 0 means any free one. Raises ``OSError`` for a port that is taken."""
        self._service = await self._runner(service)
        self._site, self.port = await _listen(self._service, port)
        _, self.control_port = await _listen(await self._runner(control), control_port)

    async def stop(self) -> None:
        """Close both listeners and all connections."""
        self._forget_timer()
        for runner in self._runners:
            await runner.cleanup()

    async def close(self, seconds: float | None = None) -> None:
        """Refuse connections for ``seconds``, or until :meth:`open`; open ones die at their next request."""
        self._forget_timer()
        if not self.shut and self._site is not None:
            self.shut = True
            await self._site.stop()
        if seconds is not None:
            self._timer = asyncio.get_running_loop().call_later(seconds, self._open_in_time)

    async def open(self) -> None:
        """Listen again, on the same port."""
        self._forget_timer()
        while self.shut and self._service is not None:
            with suppress(OSError):
                self._site, self.port = await _listen(self._service, self.port)
                self.shut = False
                return
            await asyncio.sleep(_REOPEN_PAUSE)

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


async def _listen(runner: web.AppRunner, port: int) -> tuple[web.TCPSite, int]:
    site = web.TCPSite(runner, HOST, port, backlog=1024)
    await site.start()
    return site, port or runner.addresses[-1][1]
