"""Who may speak to the console: nobody but the browser that was handed the link.

A page on loopback is not private by that alone. Another page in the same browser can post to it and open its web
sockets, a name that is made to resolve to 127.0.0.1 can read it, and another program's page on another port counts
as the same site. So every request, web sockets included, has to name this very host and port, has to come from
this very origin where a browser says where it comes from, and has to carry the cookie that a one-time link gave.
"""

import hashlib
import secrets
from collections.abc import Awaitable, Callable, Iterator, MutableMapping
from http.cookies import CookieError, SimpleCookie
from typing import Any
from urllib.parse import parse_qs

type Message = MutableMapping[str, Any]
type Scope = MutableMapping[str, Any]
type Receive = Callable[[], Awaitable[Message]]
type Send = Callable[[Message], Awaitable[None]]
type App = Callable[[Scope, Receive, Send], Awaitable[None]]

READY = "/ready"
"""Answers 200 to whoever waits for the console to be up, and tells nothing."""

OPEN = "/open"
"""Where a one-time link leads; it hands out the cookie."""

_HOSTS = ("127.0.0.1", "localhost")
_READING = frozenset({"GET", "HEAD"})
_OWN_SITE = frozenset({"same-origin", "none"})

_HEADERS = (
    # pages are put together by the browser side that comes with the wheel, which needs scripts and styles in line
    (
        "content-security-policy",
        "default-src 'self' 'unsafe-inline' 'unsafe-eval' data: blob:; base-uri 'none'; object-src 'none'; "
        "form-action 'self'; frame-ancestors 'none'",
    ),
    ("x-frame-options", "DENY"),
    ("x-content-type-options", "nosniff"),
    ("referrer-policy", "no-referrer"),
    ("cross-origin-resource-policy", "same-origin"),
    ("cross-origin-opener-policy", "same-origin"),
)

_NO_STORE = ("cache-control", "no-store")

_LOCKED = """<!doctype html><html lang="en"><meta charset="utf-8"><title>kxt console</title>
<body style="font: 1rem/1.6 sans-serif; max-width: 40rem; margin: 4rem auto; padding: 0 1rem">
<h1>kxt console</h1>
<p>This page opens with the link that the terminal has printed. A link opens one browser; the next one is printed
as soon as it has been used.</p>
<p lang="zh">请使用终端里打印的链接打开本页。每个链接只能打开一个浏览器；用过之后，终端会打印下一个。</p>
"""


class Links:
    """One-time links, and the browsers that have used one. In memory alone: a console that ends forgets them."""

    def __init__(self, base: str, tell: Callable[[str], None]) -> None:
        """``tell`` is told each new link, the first one at once."""
        self._base = base
        self._tell = tell
        self._key = ""
        self._sessions: set[bytes] = set()
        self._renew()

    def _renew(self) -> None:
        self._key = secrets.token_urlsafe(32)
        self._tell(f"{self._base}{OPEN}?key={self._key}")

    def use(self, key: str) -> str | None:
        """Return a session for the link's key, which is used up by it; ``None`` if it is not the key."""
        if not secrets.compare_digest(key.encode(), self._key.encode()):
            return None
        session = secrets.token_urlsafe(32)
        self._sessions.add(_digest(session))
        self._renew()
        return session

    def knows(self, session: str) -> bool:
        """Whether a link has given this session."""
        return _digest(session) in self._sessions


class Safety:
    """The ASGI application with its door: what does not pass never reaches ``app``."""

    def __init__(self, app: App, *, port: int, links: Links) -> None:
        self.app = app
        self._hosts = {f"{host}:{port}" for host in _HOSTS} | (set(_HOSTS) if port == 80 else set())
        self._links = links
        # cookies know no ports: another program of this machine must not take ours for its own
        self._cookie = f"kxt-console-{port}"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let the request in, or answer it here."""
        if scope["type"] == "lifespan":
            await self.app(scope, receive, send)
        elif scope["type"] not in ("http", "websocket"):
            return
        elif fault := self._foreign(scope):
            await _refuse(scope, receive, send, fault)
        elif scope["type"] == "http" and scope["path"] == READY:
            await _answer(send, 200, b"ready\n")
        elif scope["type"] == "http" and scope["path"] == OPEN:
            await self._open(scope, send)
        elif self._links.knows(self._session(scope)):
            await self.app(scope, receive, _guarded(send))
        else:
            await _refuse(scope, receive, send, "")

    def _foreign(self, scope: Scope) -> str | None:
        """Say what shows that a request comes from elsewhere."""
        hosts = [*_values(scope, b"host")]
        if len(hosts) != 1 or hosts[0].lower() not in self._hosts:
            return "This is not the console's host."
        origins = [*_values(scope, b"origin")]
        if any(origin != f"http://{hosts[0]}".lower() for origin in origins):
            return "This comes from another origin."
        if not origins and (scope["type"] == "websocket" or scope["method"] not in _READING):
            return "This does not say where it comes from."
        sites = {*_values(scope, b"sec-fetch-site")}
        if not sites <= _OWN_SITE and not _leads_here(scope):
            return "This comes from another site."
        return None

    def _session(self, scope: Scope) -> str:
        for text in _values(scope, b"cookie"):
            try:
                found = SimpleCookie(text).get(self._cookie)
            except CookieError:  # somebody else's on this host
                continue
            if found:
                return found.value
        return ""

    async def _open(self, scope: Scope, send: Send) -> None:
        keys = parse_qs(scope["query_string"].decode("ascii", "replace")).get("key", [])
        session = self._links.use(keys[0]) if len(keys) == 1 and scope["method"] == "GET" else None
        if session is None and not self._links.knows(self._session(scope)):
            await _answer(send, 403, _LOCKED.encode(), ("content-type", "text/html; charset=utf-8"))
            return
        # a used link in a browser that is let in anyway leads on, so that "back" and bookmarks do no harm
        cookie = f"{self._cookie}={session}; Path=/; HttpOnly; SameSite=Strict"
        await _answer(send, 303, b"", ("location", "/"), *((("set-cookie", cookie),) if session else ()))


def _leads_here(scope: Scope) -> bool:
    """Whether somebody follows a link to here in a window: the page that has it cannot read what comes."""
    return (
        scope["type"] == "http"
        and scope["method"] in _READING
        and [*_values(scope, b"sec-fetch-mode")] == ["navigate"]
        and [*_values(scope, b"sec-fetch-dest")] == ["document"]
    )


def _values(scope: Scope, name: bytes) -> Iterator[str]:
    for key, value in scope["headers"]:
        if key.lower() == name:
            yield value.decode("latin-1")


def _digest(session: str) -> bytes:
    return hashlib.sha256(session.encode()).digest()


def _guarded(send: Send) -> Send:
    """Let every answer carry the headers that keep other pages out."""

    async def guarded(message: Message) -> None:
        if message["type"] == "http.response.start":
            known = {name.lower() for name, _ in message.get("headers", ())}
            more = [pair for pair in map(_raw, (*_HEADERS, _NO_STORE)) if pair[0] not in known]
            message = {**message, "headers": [*message.get("headers", ()), *more]}
        await send(message)

    return guarded


def _raw(pair: tuple[str, str]) -> tuple[bytes, bytes]:
    return pair[0].encode("latin-1"), pair[1].encode("latin-1")


async def _refuse(scope: Scope, receive: Receive, send: Send, fault: str) -> None:
    """Answer 403; a web socket that is closed before it was accepted is answered so too."""
    if scope["type"] == "websocket":
        await receive()
        await send({"type": "websocket.close", "code": 1008})
    elif fault:
        await _answer(send, 403, f"{fault}\n".encode())
    else:
        await _answer(send, 403, _LOCKED.encode(), ("content-type", "text/html; charset=utf-8"))


async def _answer(send: Send, status: int, body: bytes, *headers: tuple[str, str]) -> None:
    given = {name for name, _ in headers}
    plain = () if "content-type" in given else (("content-type", "text/plain; charset=utf-8"),)
    everything = (*headers, *plain, *_HEADERS, _NO_STORE, ("content-length", str(len(body))))
    await send({"type": "http.response.start", "status": status, "headers": [*map(_raw, everything)]})
    await send({"type": "http.response.body", "body": body})
