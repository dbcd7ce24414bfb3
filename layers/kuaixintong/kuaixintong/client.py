"""HTTP towards the platform: the only room that speaks it.

One rule above all: nothing that may have reached the platform is ever sent again from here. A request goes out
once; either a readable answer comes back or :class:`NoAnswer` is raised, and the ledger decides what that means.

The standard library's client is enough for that and does nothing unasked: no redirects, no cookies, no repetition,
nothing read from the environment. What it lacks stands here: time and bytes are bounded over the whole exchange, a
connection notes how far the request came, and one that has been idle is not trusted.
"""

import errno
import select
import socket
import ssl
import threading
import time
import weakref
import zlib
from collections.abc import Callable, Sequence
from contextlib import closing
from http.client import HTTPConnection, HTTPException, HTTPResponse, IncompleteRead
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Any, NamedTuple, cast
from urllib.parse import quote, urlencode, urlsplit

import certifi

from kuaixintong.core.codec import LONGEST_ANSWER, decode_answer, encode
from kuaixintong.core.errors import NoAnswer, Unanswered

if TYPE_CHECKING:
    from kuaixintong.core.credentials import PlatformCredentials
    from kuaixintong.core.messages import Answer, Login, SendSm

_HEADERS = {
    "User-Agent": "kuaixintong-on-aws",
    "Accept": "*/*",
    "Content-Type": "application/x-www-form-urlencoded; charset=UTF-8",
}

_LONGEST_EXCHANGE = 8 * LONGEST_ANSWER
"""Bytes that are taken from the wire for one answer: the longest in chunks of one byte, head and all."""

_LONGEST_IDLE = 3.0
"""Seconds after which a connection is not used again. Servers close idle ones after five seconds and more, and a
NAT forgets them without a word; a new connection costs a round trip, a lost answer costs a part's certainty."""

_SHORTEST_WAIT = 0.001
"""Seconds; a socket's timeout of zero would mean something else."""

_ANOTHER_NAME = {62: "it is for another name", 64: "it is for another address"}
"""X509_V_ERR_HOSTNAME_MISMATCH and X509_V_ERR_IP_ADDRESS_MISMATCH: OpenSSL's own text would quote the name."""

type Clock = Callable[[], float]


class PlatformClient:
    """Kept-alive connections to one platform address; safe between threads.

    ``connect_timeout`` and ``answer_timeout`` are in seconds. The first bounds finding the name, connecting and
    TLS together; the second bounds all that follows, from the request's first byte to the answer's last.
    ``connections`` is how many are kept for the next request. ``authorities`` is a file of certificates to trust
    in place of the usual ones. ``clocks`` tell how long a connection has been idle; there are two, since in a
    function that was frozen either may have stood still. ``address`` is the URL as it was given.
    """

    def __init__(
        self,
        url: str,
        *,
        connect_timeout: float,
        answer_timeout: float,
        connections: int,
        authorities: Path | None = None,
        clocks: Sequence[Clock] = (time.monotonic, time.time),
    ) -> None:
        self.address = url
        self._platform = _Address.of(url, authorities)
        self._connect_timeout = connect_timeout
        self._answer_timeout = answer_timeout
        self._kept = _Kept(connections, clocks)

    def ask(self, request: "Login | SendSm", credentials: "PlatformCredentials", timestamp: str) -> "Answer":
        """Send one request once and return the platform's answer.

        Raises :class:`NoAnswer`, and nothing else, whatever comes from the platform or does not come, within
        ``connect_timeout`` and ``answer_timeout``.
        """
        body = urlencode(encode(request, credentials, timestamp)).encode("ascii")
        connection = self._kept.take() or _Connection(self._platform, self._connect_timeout)
        try:
            answer = connection.exchange(body, self._answer_timeout)
        finally:
            self._kept.put(connection)
        return decode_answer(answer)


class _Address(NamedTuple):
    host: str
    port: int
    path: str
    tls: ssl.SSLContext | None

    @classmethod
    def of(cls, url: str, authorities: Path | None) -> "_Address":
        parts = urlsplit(url)
        secure = parts.scheme == "https"
        tls = ssl.create_default_context(cafile=authorities or certifi.where()) if secure else None
        if tls:
            tls.sslsocket_class = _BoundedTls
        return cls(
            host=parts.hostname or "",
            port=parts.port or (443 if secure else 80),
            path=quote(parts.path or "/", safe="/%:@!$&'()*+,;=~"),
            tls=tls,
        )


class _Connection(HTTPConnection):
    """A connection that is open once it is made, and knows whether the request has left.

    ``reusable`` says that the last exchange ended cleanly.
    """

    auto_open = 0  # never by itself: a second connection would be a second request

    def __init__(self, platform: _Address, seconds: float) -> None:
        """Connect within ``seconds``. Raises :class:`NoAnswer`."""
        self.default_port = 443 if platform.tls else 80
        super().__init__(platform.host, platform.port)
        self._path = platform.path
        self.reusable = False
        self.sock: _Bounded = _connected(platform, _Deadline(seconds))

    def exchange(self, body: bytes, seconds: float) -> bytes:
        """Send the one request and return the answer's body. Raises :class:`NoAnswer`."""
        self.reusable = False
        self.sock.bound(_Deadline(seconds), _LONGEST_EXCHANGE)
        try:
            whole = self._sent(body)
            with closing(self.getresponse()) as response:
                answer = _body_of(response)
                self.reusable = whole and not response.will_close and response.isclosed()
        except NoAnswer:
            raise
        # Whatever it is: the request is on its way, and what the platform sends may trip up any parser.
        except Exception as error:
            raise _in_doubt(error) from error
        return answer

    def _sent(self, body: bytes) -> bool:
        try:
            self.request("POST", self._path, body, _HEADERS)
        except BrokenPipeError:
            return False  # the platform has heard enough; it may have answered before it stopped listening
        return True


class _Kept:
    """Connections between requests, the last used first."""

    def __init__(self, limit: int, clocks: Sequence[Clock]) -> None:
        self._limit = limit
        self._clocks = clocks
        self._lock = threading.Lock()
        self._idle: list[tuple[_Connection, tuple[float, ...]]] = []
        weakref.finalize(self, _close_all, self._idle)

    def take(self) -> _Connection | None:
        """Return a connection that nothing speaks against, if there is one; close those that it speaks against."""
        now = self._now()
        while True:
            with self._lock:
                if not self._idle:
                    return None
                connection, since = self._idle.pop()
            # What is not silent was closed by the platform meanwhile, or says what nobody has asked.
            if _fresh(since, now) and connection.sock.is_silent():
                return connection
            connection.close()

    def put(self, connection: _Connection) -> None:
        """Keep a connection for the next request, or close it."""
        now = self._now()
        with self._lock:
            if connection.reusable and len(self._idle) < self._limit:
                self._idle.append((connection, now))
                return
        connection.close()

    def _now(self) -> tuple[float, ...]:
        return tuple(clock() for clock in self._clocks)


def _close_all(idle: list[tuple[_Connection, tuple[float, ...]]]) -> None:
    for connection, _ in idle:
        connection.close()


def _fresh(since: tuple[float, ...], now: tuple[float, ...]) -> bool:
    return all(0 <= later - sooner < _LONGEST_IDLE for sooner, later in zip(since, now, strict=True))


# --- sockets that keep to a deadline ----------------------------------------------------------------------------


class _Deadline:
    def __init__(self, seconds: float) -> None:
        self._end = time.monotonic() + seconds

    def left(self) -> float:
        """Seconds left, never zero or below."""
        return max(self._end - time.monotonic(), _SHORTEST_WAIT)

    def passed(self) -> bool:
        return time.monotonic() > self._end


class _TooMuch(Exception):
    """More bytes than any answer has."""


class _Bounded(socket.socket):
    """A socket whose whole exchange is bounded in time and bytes, however it is spread over calls."""

    _deadline: _Deadline
    _bytes_left: int

    def bound(self, deadline: _Deadline, longest: int) -> None:
        self._deadline = deadline
        self._bytes_left = longest

    def recv_into(self, *arguments: Any) -> int:
        self._in_time()
        count = super().recv_into(*arguments)
        self._bytes_left -= count
        if self._bytes_left < 0:
            raise _TooMuch
        return count

    def sendall(self, data: Any, flags: int = 0) -> None:
        with memoryview(data).cast("B") as rest:
            sent = 0
            while sent < len(rest):
                self._in_time()
                sent += self.send(rest[sent:], flags)

    def _in_time(self) -> None:
        if self._deadline.passed():
            raise TimeoutError
        self.settimeout(self._deadline.left())

    def is_silent(self) -> bool:
        """Whether nothing has come since; what is silent is, as far as can be seen, still open."""
        waiting = select.poll()
        waiting.register(self, select.POLLIN)
        return not waiting.poll(0)


class _BoundedTls(_Bounded, ssl.SSLSocket):
    """The same under TLS; made by an :class:`ssl.SSLContext`."""


# --- how far a connection comes ---------------------------------------------------------------------------------


def _connected(platform: _Address, deadline: _Deadline) -> _Bounded:
    found = _addresses(platform, deadline)
    plain = _reached(found, deadline)
    try:
        return _secured(plain, platform, deadline) if platform.tls else plain
    except BaseException:
        plain.close()
        raise


def _addresses(platform: _Address, deadline: _Deadline) -> Sequence[tuple[Any, ...]]:
    # In a thread, since nothing bounds the time that a lookup takes; it ends by itself, sooner or later.
    found: SimpleQueue[Sequence[tuple[Any, ...]]] = SimpleQueue()

    def look_up() -> None:
        try:
            found.put(socket.getaddrinfo(platform.host, platform.port, type=socket.SOCK_STREAM))
        except Exception:  # noqa: BLE001 - whatever is wrong with the name, it is not found
            found.put(())

    threading.Thread(target=look_up, daemon=True).start()
    try:
        addresses = found.get(timeout=deadline.left())
    except Empty:
        addresses = ()
    if not addresses:
        raise NoAnswer("The platform's name was not found.", Unanswered.NAME_NOT_FOUND, left=False)
    return addresses


def _reached(addresses: Sequence[tuple[Any, ...]], deadline: _Deadline) -> _Bounded:
    trouble = OSError()
    for number, (family, kind, protocol, _, address) in enumerate(addresses):
        plain = None
        try:
            plain = _Bounded(family, kind, protocol)
            plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # head and body are two writes
            # One dead address leaves time for the others.
            plain.settimeout(deadline.left() / (len(addresses) - number))
            plain.connect(address)
        except OSError as error:
            trouble = error
            if plain is not None:
                plain.close()
        else:
            return plain
    raise _never_left(trouble) from trouble


def _secured(plain: _Bounded, platform: _Address, deadline: _Deadline) -> _Bounded:
    assert platform.tls is not None
    plain.settimeout(deadline.left())
    try:
        return cast(_BoundedTls, platform.tls.wrap_socket(plain, server_hostname=platform.host))
    except ssl.SSLCertVerificationError as error:
        # Nothing but a greeting has left: a request follows only after the handshake, and we have broken it off.
        why = _ANOTHER_NAME.get(error.verify_code, error.verify_message)
        words = f"The platform's certificate was refused: {why}."
        raise NoAnswer(words, Unanswered.CERTIFICATE, left=False) from error
    except TimeoutError as error:
        raise NoAnswer("The platform did not finish the TLS handshake in time.", Unanswered.TIMED_OUT) from error
    except OSError as error:
        raise NoAnswer(f"The TLS handshake failed{_because(error)}.", Unanswered.TLS) from error


def _never_left(error: OSError) -> NoAnswer:
    match error:
        case ConnectionRefusedError():
            return NoAnswer("The platform refused the connection.", Unanswered.REFUSED, left=False)
        case TimeoutError():
            return NoAnswer("No connection to the platform in time.", Unanswered.CONNECT_TIMEOUT, left=False)
        case _:
            words = f"No connection to the platform{_because(error)}."
            return NoAnswer(words, Unanswered.NO_CONNECTION, left=False)


def _in_doubt(error: Exception) -> NoAnswer:
    match error:
        case TimeoutError():
            return NoAnswer("The platform did not answer in time.", Unanswered.TIMED_OUT)
        case ssl.SSLError() if not isinstance(error, ssl.SSLEOFError | ssl.SSLZeroReturnError):
            return NoAnswer(f"TLS failed under the request{_because(error)}.", Unanswered.TLS)
        case OSError() | IncompleteRead():
            return NoAnswer("The connection broke before the answer was whole.", Unanswered.RESET)
        case _TooMuch():
            return _too_long()
        case HTTPException():
            return NoAnswer("The answer is no HTTP.", Unanswered.UNREADABLE)
        case _:
            # The class alone: the error's text can carry pieces of the answer.
            return NoAnswer(f"The answer cannot be read: {type(error).__name__}.", Unanswered.UNREADABLE)


def _because(error: OSError) -> str:
    """Return OpenSSL's or the system's own word for it, neither of which quotes anything."""
    word = error.reason if isinstance(error, ssl.SSLError) else errno.errorcode.get(error.errno or 0)
    return f": {word}" if word else ""


# --- the answer -------------------------------------------------------------------------------------------------


def _body_of(response: HTTPResponse) -> bytes:
    if response.status != 200:  # whatever else it carries is not looked at
        words = f"The platform answered with HTTP status {response.status}."
        raise NoAnswer(words, Unanswered.HTTP_STATUS, status=response.status)
    if len({*response.headers.get_all("Content-Length", ())}) > 1:
        raise NoAnswer("The answer has two lengths.", Unanswered.UNREADABLE)
    body = response.read(LONGEST_ANSWER + 1)
    if len(body) > LONGEST_ANSWER:
        raise _too_long()
    if response.length:
        raise NoAnswer("The connection broke before the answer was whole.", Unanswered.RESET)
    return _uncompressed(body, response.headers.get("Content-Encoding", "identity").strip().lower())


def _uncompressed(body: bytes, coding: str) -> bytes:
    """Return the body as it was before a proxy compressed it, which we never ask for."""
    if coding == "identity":
        return body
    if coding not in ("gzip", "x-gzip"):
        raise NoAnswer("The answer is compressed in an unknown way.", Unanswered.UNREADABLE)
    unzip = zlib.decompressobj(16 + zlib.MAX_WBITS)
    plain = unzip.decompress(body, LONGEST_ANSWER + 1)
    if len(plain) > LONGEST_ANSWER:
        raise _too_long()
    if not unzip.eof:
        raise NoAnswer("The answer's compression is cut off.", Unanswered.UNREADABLE)
    return plain


def _too_long() -> NoAnswer:
    return NoAnswer(f"The answer is longer than {LONGEST_ANSWER} bytes.", Unanswered.UNREADABLE)
