"""A platform of one behaviour each, on a real socket: what the simulator, being a good server, would never do."""

import socket
import ssl
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

type Behaviour = Callable[[socket.socket, threading.Event], None]

PATH = "/webservice/http/service"


class StandIn:
    """Reads each request whole, counts it, and then behaves.

    With ``at_once`` it reads nothing by itself and behaves as soon as somebody has connected. ``window`` is the
    size of its receive buffer in bytes.
    """

    def __init__(
        self,
        behave: Behaviour,
        *,
        tls: ssl.SSLContext | None = None,
        at_once: bool = False,
        window: int | None = None,
    ) -> None:
        self._behave = behave
        self._tls = tls
        self._at_once = at_once
        self._listener = socket.create_server(("127.0.0.1", 0))
        if window:
            self._listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, window)
        self._over = threading.Event()
        self._threads: list[threading.Thread] = []
        self._connections: list[socket.socket] = []
        self.requests: list[bytes] = []
        self.port: int = self._listener.getsockname()[1]
        self.url = f"{'https' if tls else 'http'}://127.0.0.1:{self.port}{PATH}"
        self._start(self._accept)

    def _start(self, work: Callable[..., None], *args: Any) -> None:
        thread = threading.Thread(target=work, args=args, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                connection, _ = self._listener.accept()
                self._connections.append(connection)
                self._start(self._serve, connection)

    def _serve(self, connection: socket.socket) -> None:
        with suppress(OSError), connection:
            if self._at_once:
                self._behave(connection, self._over)
                return
            speaking = self._secured(connection)
            with speaking:
                while request := read_request(speaking):
                    self.requests.append(request)
                    self._behave(speaking, self._over)

    def _secured(self, connection: socket.socket) -> socket.socket:
        if self._tls is None:
            return connection
        secured = self._tls.wrap_socket(connection, server_side=True)
        self._connections[self._connections.index(connection)] = secured
        return secured

    @property
    def connections(self) -> int:
        return len(self._connections)

    def close(self) -> None:
        self._over.set()
        for each in (self._listener, *self._connections):
            with suppress(OSError):  # closed by now
                each.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for thread in self._threads:
            thread.join(5)


@contextmanager
def platform(behave: Behaviour, **how: Any) -> Iterator[StandIn]:
    """A platform that behaves so, until the end of the block."""
    stand_in = StandIn(behave, **how)
    try:
        yield stand_in
    finally:
        stand_in.close()


def read_request(connection: socket.socket) -> bytes:
    """Read one request whole; empty at the connection's end."""
    with connection.makefile("rb") as stream:
        head = b""
        while line := stream.readline():
            head += line
            if line == b"\r\n":
                break
        lengths = [line[16:] for line in head.split(b"\r\n") if line.lower().startswith(b"content-length: ")]
        return head + stream.read(int(lengths[0]) if lengths else 0)


def http(body: bytes, status: str = "200 OK", length: int | None = None, *headers: str) -> bytes:
    """An answer with a length, honest or not."""
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body) if length is None else length}", *headers]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def says(reply: bytes) -> Behaviour:
    """Answer and keep the connection."""
    return lambda connection, over: connection.sendall(reply)


def cuts(reply: bytes) -> Behaviour:
    """Answer as far as given and close."""

    def behave(connection: socket.socket, over: threading.Event) -> None:
        connection.sendall(reply)
        connection.shutdown(socket.SHUT_RDWR)

    return behave


def drips(*pieces: bytes, every: float) -> Behaviour:
    """Send piece after piece, ``every`` so many seconds."""

    def behave(connection: socket.socket, over: threading.Event) -> None:
        for piece in pieces:
            connection.sendall(piece)
            if over.wait(every):
                return

    return behave


def floods(start: bytes, again: bytes) -> Behaviour:
    """Send the start, and then the same again and again, as fast as it goes."""

    def behave(connection: socket.socket, over: threading.Event) -> None:
        connection.sendall(start)
        while not over.is_set():
            connection.sendall(again)

    return behave


def silent(connection: socket.socket, over: threading.Event) -> None:
    """Say nothing."""
    over.wait(10)


def resets(connection: socket.socket, over: threading.Event) -> None:
    """Throw the connection away with a RST."""
    linger = struct.pack("ii", 1, 0)  # on, for no time
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
    connection.close()
