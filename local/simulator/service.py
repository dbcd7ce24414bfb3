"""``/webservice/http/service``: the pure platform behind HTTP, and the faults of requests carried out."""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import parse_qsl

from aiohttp import web

from local.simulator import codes
from local.simulator.doors import Doors
from local.simulator.faults import (
    Client,
    CodeFault,
    CutFault,
    DelayFault,
    FaultBook,
    GarbleFault,
    Keep,
    LateFault,
    RefuseFault,
    RequestFault,
    SilenceFault,
    StatusFault,
    When,
)
from local.simulator.journal import Journal, Record
from local.simulator.platform import Answer, Message, Outcome, Platform
from local.simulator.pushing import Pusher

PATH = "/webservice/http/service"

MAX_BODY = 16 * 1024 * 1024
"""Bytes of a request; 10,000 mobiles and 1,000 characters, form-encoded, take a fiftieth of it."""

_FORM = "application/x-www-form-urlencoded"
_JSON = "application/json; charset=UTF-8"
_GONE_CHECK = 0.02  # seconds between two looks at whether a client has gone


@dataclass(eq=False, slots=True)
class _Exchange:
    """One HTTP request on its way through."""

    http: web.Request
    fields: Mapping[str, str]
    record: Record
    server: int
    connection: object

    def concerns(self, mobile: str) -> bool:
        # a quote inside a JSON string is escaped, so this finds whole strings only
        return f'"{mobile}"' in self.fields.get("message", "")


class Service:
    """Lives on one event loop, which serialises the platform's acting."""

    def __init__(
        self,
        platform: Platform,
        faults: FaultBook,
        journal: Journal,
        pusher: Pusher,
        doors: Doors,
        clock: Callable[[], datetime],
        arrived: Callable[[Message], None],
    ) -> None:
        self._platform = platform
        self._faults = faults
        self._journal = journal
        self._pusher = pusher
        self._doors = doors
        self._clock = clock
        self._arrived = arrived
        self._late: list[_Exchange] = []

    @property
    def late_requests(self) -> int:
        """Requests whose clients have been let down and which the platform has yet to act on."""
        return len(self._late)

    async def handle(self, request: web.Request, server: int) -> web.StreamResponse:
        """Answer one request to the platform's ``server``, or do to it what a fault says."""
        fields = await _form_fields(request)
        record = self._journal.open(self._clock(), request.method, request.remote or "", server, fields)
        # the client's port tells connections apart: no two that are open have the same
        connection = request.transport.get_extra_info("peername") if request.transport else None
        exchange = _Exchange(request, fields, record, server, connection)
        if self._doors.shut:
            record.fault = "refuse"
            return _drop(exchange)
        if request.method != "POST":
            return _respond(exchange, Answer(codes.GET_UNSUPPORTED).body)
        fault = self._faults.of_request(fields.get("op", ""), exchange.concerns)
        if fault is None:
            return _respond(exchange, (await self._act(exchange)).body)
        record.fault = fault.label
        return await self._carry_out(fault, exchange)

    def release(self) -> int:
        """Let the platform act on late requests, in order of arrival, now; return how many it were."""
        released = [*self._late]
        for exchange in released:
            self._act_late(exchange)
        return len(released)

    def forget(self) -> None:
        """Lose the late requests for good."""
        self._late.clear()

    async def _act(self, exchange: _Exchange, instead: int | None = None) -> Answer:
        outcome = self._receive(exchange, instead)
        if outcome.accepted is not None:
            await self._report(outcome.accepted, exchange)
        return outcome.answer

    async def _report(self, message: Message, exchange: _Exchange) -> None:
        rule = self._faults.early(exchange.concerns)
        if rule is None:
            self._pusher.report(message)
        else:
            await self._pusher.report_early(message, rule)

    def _receive(self, exchange: _Exchange, instead: int | None = None) -> Outcome:
        now, record = self._clock(), exchange.record
        outcome = self._platform.receive(
            exchange.fields,
            now,
            source=record.source,
            server=exchange.server,
            connection=exchange.connection,
            instead=instead,
        )
        record.outcome = outcome.answer.state_code
        record.acted_at = now if instead is None else None
        if outcome.accepted is not None:
            record.token = outcome.accepted.token
            self._arrived(outcome.accepted)
        return outcome

    async def _carry_out(self, fault: RequestFault, exchange: _Exchange) -> web.StreamResponse:
        match fault:
            case CodeFault():
                return _respond(exchange, (await self._answer_code(fault, exchange)).body)
            case DelayFault():
                return _respond(exchange, (await self._delayed(fault, exchange)).body)
            case LateFault():
                return await self._act_later(fault, exchange)
            case RefuseFault():
                await self._doors.close(fault.seconds)
                return _drop(exchange)
            case _:
                return await self._spoil(fault, exchange)

    async def _answer_code(self, fault: CodeFault, exchange: _Exchange) -> Answer:
        if fault.when is When.AFTER:
            await self._act(exchange)
        elif not fault.unseen:
            return await self._act(exchange, instead=fault.code)
        return Answer(fault.code)

    async def _delayed(self, fault: DelayFault, exchange: _Exchange) -> Answer:
        if fault.when is When.BEFORE:
            await asyncio.sleep(fault.seconds)
            return await self._act(exchange)
        answer = await self._act(exchange)
        await asyncio.sleep(fault.seconds)
        return answer

    async def _spoil(
        self, fault: CutFault | GarbleFault | StatusFault | SilenceFault, exchange: _Exchange
    ) -> web.StreamResponse:
        acted = fault.when is When.AFTER
        # a platform that does not act has nothing to say; an answer to cut is needed all the same
        answer = await self._act(exchange) if acted else Answer(codes.BUSY)
        match fault:
            case CutFault():
                return _cut(exchange, answer.body, fault.keep)
            case GarbleFault():
                return _respond(exchange, fault.garbled(self._faults.applied["garble"]))
            case StatusFault():
                return _respond(exchange, fault.body.encode(), fault.status, "text/html; charset=UTF-8")
            case SilenceFault():
                return await _silence(exchange)

    async def _act_later(self, fault: LateFault, exchange: _Exchange) -> web.StreamResponse:
        self._late.append(exchange)
        if fault.seconds is not None:
            asyncio.get_running_loop().call_later(fault.seconds, self._act_late, exchange)
        return _drop(exchange) if fault.client is Client.DROP else await _silence(exchange)

    def _act_late(self, exchange: _Exchange) -> None:
        if exchange not in self._late:
            return  # released, or forgotten, before its time
        self._late.remove(exchange)
        outcome = self._receive(exchange)
        if outcome.accepted is not None:
            self._pusher.report(outcome.accepted)


async def _form_fields(request: web.Request) -> dict[str, str]:
    """Return the fields of a form body, none of any other body; of a repeated one the first, as a servlet does.

    What is no UTF-8 becomes half surrogate pairs, which the platform then refuses as no JSON.
    """
    if request.content_type != _FORM:
        return {}
    body = (await request.read()).decode("utf-8", "surrogateescape")
    pairs = parse_qsl(body, keep_blank_values=True, encoding="utf-8", errors="surrogateescape")
    fields: dict[str, str] = {}
    for name, value in pairs:
        fields.setdefault(name, value)
    return fields


def _respond(exchange: _Exchange, body: bytes, status: int = 200, content_type: str = _JSON) -> web.Response:
    exchange.record.status = status
    exchange.record.body = body.decode("utf-8", "replace")
    return web.Response(body=body, status=status, headers={"Content-Type": content_type})


def _drop(exchange: _Exchange) -> web.Response:
    """Close the connection without a byte. The response returned goes nowhere; aiohttp wants one."""
    if exchange.http.transport is not None:
        exchange.http.transport.abort()
    return web.Response()


def _cut(exchange: _Exchange, body: bytes, keep: Keep) -> web.Response:
    transport = exchange.http.transport
    if keep is Keep.NOTHING or transport is None:
        return _drop(exchange)
    sent = body[: len(body) // 2] if keep is Keep.HALF else b""
    head = f"HTTP/1.1 200 OK\r\nContent-Type: {_JSON}\r\nContent-Length: {len(body)}\r\n\r\n"
    # past aiohttp, which would never break its own promise of a length
    transport.write(head.encode() + sent)
    transport.close()
    exchange.record.status = 200
    exchange.record.body = sent.decode("utf-8", "replace")
    return web.Response()


async def _silence(exchange: _Exchange) -> web.Response:
    while exchange.http.transport is not None:
        await asyncio.sleep(_GONE_CHECK)
    return web.Response()
