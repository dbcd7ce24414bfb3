"""``/_sim/…``: steering and inspecting a running simulator over HTTP, with JSON both ways.

================================  =========================================================================
``GET  /_sim/messages``           accepted parts in order; ``?after=TOKEN``, ``?limit=N``; ``?mobile=…``:
                                  those that arrived on its handset. Here and in the three other lists,
                                  ``?last=N`` gives the newest of what would be given
``GET  /_sim/wait``               waits for the next text to ``?mobile=…``, ``&timeout=10`` seconds at most,
                                  and returns it with what matched ``&match=…`` (a regular expression of
                                  RE2's; its groups, too). Next is what nobody has waited for yet; with
                                  ``&after=TOKEN``, what came after that. 404 if none came in time
``GET  /_sim/requests``           requests seen, decoded fields and all; ``?after=NUMBER``, ``?limit=N``
``GET  /_sim/mobiles``            mobile → how often something to it was accepted
``GET  /_sim/pushes``             the last tries to deliver pushes, with what was answered
``GET  /_sim/state``              counts and addresses
``GET, POST /_sim/settings``      what ``settings.Settings`` lists; POST changes the given ones from now on:
                                  ``{"rate": 5, "rate_kind": "bucket", "timestamps_by": ["server"]}``
``GET, POST /_sim/faults``        what ``faults`` lists; POST replaces all rules by one or a list
``GET  /_sim/mos``                MOs that handsets have sent, the last 10,000; ``?mobile=…``
``POST /_sim/mo``                 ``{"mobile", "content"}``, optionally ``smgRecvDate``
``GET, POST /_sim/handsets``      what handsets do by themselves, as ``handsets`` says; POST sets one:
                                  ``{"mobile": "*", "answers": [{"match": "回复R", "content": "R"}]}``,
                                  ``{"mobile": "13800000860", "off": true}``; with the mobile alone: nothing
``POST /_sim/release``            acts on late requests and lets go of held pushes
``POST /_sim/connections``        ``{"refused": true, "seconds": 5}``, ``{"refused": false}``
``POST /_sim/reset``              forgets all but settings and the next token
================================  =========================================================================

A request that makes no sense is answered 400 with ``{"error": …}`` and changes nothing.
"""

import json
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Annotated, Any

from aiohttp import web
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from local.simulator.faults import checked_rules
from local.simulator.patterns import BadPattern, Pattern
from local.simulator.platform import MO, Message, compact
from local.simulator.settings import Handset, Refused, Seconds

if TYPE_CHECKING:
    from local.simulator.simulator import Simulator

_LONGEST_WAIT = 300.0  # seconds

type _Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class _Body(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    @classmethod
    def read[B: BaseModel](cls: type[B], values: Any) -> B:
        try:
            return cls.model_validate(values)
        except ValidationError as error:
            raise Refused.because(error) from None


class _MO(_Body):
    mobile: str
    content: str
    smgRecvDate: str | None = None  # noqa: N815 - the spec's name


class _Handset(_Body, Handset):
    mobile: str


class _Wait(_Body):
    mobile: str
    match: str | None = None
    timeout: Annotated[float, Field(ge=0, le=_LONGEST_WAIT)] = 10.0
    after: int | None = None


class _Connections(_Body):
    refused: bool
    seconds: Seconds | None = None


def control_routes(simulator: "Simulator") -> list[web.RouteDef]:
    """Return the routes that steer this simulator."""
    control = _Control(simulator)
    gets = {
        "messages": control.messages,
        "requests": control.requests,
        "mobiles": control.mobiles,
        "wait": control.wait,
        "mos": control.mos,
        "handsets": control.handsets,
        "pushes": control.pushes,
        "state": control.state,
        "settings": control.settings,
        "faults": control.faults,
    }
    posts = {
        "settings": control.change_settings,
        "faults": control.set_faults,
        "mo": control.mo,
        "handsets": control.set_handset,
        "release": control.release,
        "connections": control.connections,
        "reset": control.reset,
    }
    return [web.get(f"/_sim/{name}", _sensibly(handler)) for name, handler in gets.items()] + [
        web.post(f"/_sim/{name}", _sensibly(handler)) for name, handler in posts.items()
    ]


class _Control:
    def __init__(self, simulator: "Simulator") -> None:
        self._simulator = simulator

    async def messages(self, request: web.Request) -> web.Response:
        found = self._simulator.messages(**_page(request), mobile=request.query.get("mobile"))
        return _answer([message_as_json(message) for message in _newest(found, request)])

    async def requests(self, request: web.Request) -> web.Response:
        found = self._simulator.requests(**_page(request))
        return _answer([record.as_json() for record in _newest(found, request)])

    async def mobiles(self, _request: web.Request) -> web.Response:
        return _answer(self._simulator.acceptances())

    async def wait(self, request: web.Request) -> web.Response:
        wish = _Wait.read(dict(request.query))
        try:
            pattern = Pattern(wish.match)
        except BadPattern as error:
            raise Refused(f"match: {error}") from None
        found = await self._simulator.wait_for_text(wish.mobile, pattern, wish.timeout, wish.after)
        if found is None:
            return _answer({"error": f"No such text to this mobile within {wish.timeout:g} s."}, status=404)
        return _answer(found.as_json())

    async def mos(self, request: web.Request) -> web.Response:
        mobile = request.query.get("mobile")
        found = [mo for mo in self._simulator.mos if mobile in (None, mo.mobile)]
        return _answer([mo_as_json(mo) for mo in _newest(found, request)])

    async def handsets(self, _request: web.Request) -> web.Response:
        return _answer(self._simulator.settings()["handsets"])

    async def set_handset(self, request: web.Request) -> web.Response:
        wish = _Handset.read(await _json(request))
        self._simulator.set_handset(wish.mobile, Handset.model_validate(wish.model_dump(exclude={"mobile"})))
        return _answer(self._simulator.settings()["handsets"])

    async def pushes(self, request: web.Request) -> web.Response:
        found = [*self._simulator.pusher.attempts]
        return _answer([attempt.as_json() for attempt in _newest(found, request)])

    async def state(self, _request: web.Request) -> web.Response:
        return _answer(self._simulator.state())

    async def settings(self, _request: web.Request) -> web.Response:
        return _answer(self._simulator.settings())

    async def change_settings(self, request: web.Request) -> web.Response:
        changes = await _json(request)
        if not isinstance(changes, dict):
            raise Refused("Settings are a JSON object.")
        self._simulator.change(changes)
        return _answer(self._simulator.settings())

    async def faults(self, _request: web.Request) -> web.Response:
        return _answer(self._simulator.faults.as_json())

    async def set_faults(self, request: web.Request) -> web.Response:
        self._simulator.set_faults(checked_rules(await _json(request)))
        return _answer(self._simulator.faults.as_json())

    async def mo(self, request: web.Request) -> web.Response:
        wish = _MO.read(await _json(request))
        return _answer(self._simulator.uplink(wish.mobile, wish.content, wish.smgRecvDate).as_json())

    async def release(self, _request: web.Request) -> web.Response:
        return _answer(self._simulator.release())

    async def connections(self, request: web.Request) -> web.Response:
        wish = _Connections.read(await _json(request))
        if wish.refused:
            await self._simulator.refuse_connections(wish.seconds)
        else:
            await self._simulator.accept_connections()
        return _answer(self._simulator.state())

    async def reset(self, _request: web.Request) -> web.Response:
        await self._simulator.reset()
        return _answer(self._simulator.state())


def message_as_json(message: Message) -> dict[str, Any]:
    """Return an accepted part as ``GET /_sim/messages`` shows it; ``message`` is the form field as it came."""
    return {
        "token": message.token,
        "timestamp": message.timestamp,
        "mobiles": message.mobiles,
        "content": message.content,
        "at_time": message.at_time,
        "daily_begin_time": message.daily_begin_time,
        "daily_end_time": message.daily_end_time,
        "segments": message.segments,
        "fee": message.fee,
        "uid": message.uid,
        "server": message.server,
        "accepted_at": message.accepted_at.isoformat(),
        "message": message.raw,
    }


def mo_as_json(mo: MO) -> dict[str, Any]:
    """Return an MO as ``GET /_sim/mos`` shows it: as it is pushed, and when it was sent."""
    return {**mo.as_json(), "sent_at": mo.sent_at.isoformat() if mo.sent_at else None}


def _sensibly(handler: _Handler) -> _Handler:
    async def handle(request: web.Request) -> web.StreamResponse:
        try:
            return await handler(request)
        except Refused as refused:
            return _answer({"error": str(refused)}, status=400)

    return handle


def _answer(value: Any, status: int = 200) -> web.Response:
    headers = {"Content-Type": "application/json; charset=UTF-8"}
    return web.Response(body=compact(value) + b"\n", status=status, headers=headers)


async def _json(request: web.Request) -> Any:
    try:
        return json.loads(await request.read())
    except ValueError:
        raise Refused("The body is no JSON.") from None


def _page(request: web.Request) -> dict[str, int]:
    return {name: _whole(request, name) for name in ("after", "limit") if name in request.query}


def _newest[T](found: list[T], request: web.Request) -> list[T]:
    if "last" not in request.query:
        return found
    last = _whole(request, "last")
    if last < 0:
        raise Refused("last is not below zero.")
    return found[max(len(found) - last, 0) :]


def _whole(request: web.Request, name: str) -> int:
    try:
        return int(request.query[name])
    except ValueError:
        raise Refused(f"{name} is a whole number.") from None
