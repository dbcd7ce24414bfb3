"""How far a request came when there is no answer, and which connections are trusted again: all on real sockets."""

import os
import socket
import ssl
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from kuaixintong.client import PlatformClient
from kuaixintong.core.credentials import PlatformCredentials
from kuaixintong.core.errors import NoAnswer, Unanswered
from kuaixintong.core.messages import Answer, SendSm
from tests import certificates, plain_client, spec_samples
from tests.stand_in import PATH, Behaviour, StandIn, cuts, drips, floods, http, platform, resets, says, silent

CREDENTIALS = PlatformCredentials("version", "12345678", "test", "secret")
SAMPLE = SendSm(("13708600860",), "周末参加不了培训了")
LONG = SendSm(tuple(f"137{number:08}" for number in range(10_000)), "周末参加不了培训了")  # 250 KB of a request
WHOLE = http(spec_samples.SEND_SM_ANSWER)
CONNECT_TIMEOUT, ANSWER_TIMEOUT = 0.4, 0.3
IN_TIME = CONNECT_TIMEOUT + ANSWER_TIMEOUT + 0.5


def client_of(url: str, **options: Any) -> PlatformClient:
    options = {"connections": 2} | options
    return PlatformClient(url, connect_timeout=CONNECT_TIMEOUT, answer_timeout=ANSWER_TIMEOUT, **options)


def ask(client: PlatformClient, request: SendSm = SAMPLE) -> Answer:
    return client.ask(request, CREDENTIALS, plain_client.fresh_timestamp())


def unanswered(client: PlatformClient, request: SendSm = SAMPLE) -> NoAnswer:
    """Ask once, see that it ends in time and without an answer, and return what is known of it."""
    started = time.monotonic()
    with pytest.raises(NoAnswer) as caught:
        ask(client, request)
    assert time.monotonic() - started < IN_TIME
    words = str(caught.value)
    assert len(words) < 100
    for hidden in ("127.0.0.1", "localhost", "13708600860", "secret", "周末", "http:", "https:"):
        assert hidden not in words
    return caught.value


# --- it provably never left -------------------------------------------------------------------------------------


def nowhere() -> str:
    """An address where nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as gone:
        return f"http://127.0.0.1:{gone.getsockname()[1]}{PATH}"


@contextmanager
def deaf() -> Iterator[str]:
    """An address where connections are neither taken nor refused: the queue of the listener is full."""
    with ExitStack() as stack:
        listener = stack.enter_context(socket.socket())
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        for _ in range(3):
            waiting = stack.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(listener.getsockname())
        yield f"http://127.0.0.1:{listener.getsockname()[1]}{PATH}"


def resolving(monkeypatch: pytest.MonkeyPatch, *found: tuple[str, int]) -> None:
    """Let every name lead to these addresses."""
    addresses = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", each) for each in found]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: addresses)


def address_of(url: str) -> tuple[str, int]:
    return "127.0.0.1", int(url.rpartition(":")[2].partition("/")[0])


@pytest.mark.parametrize(
    "error", [socket.gaierror(-2, "Name or service not known"), UnicodeError("label too long")]
)
def test_a_name_that_is_not_found_has_not_let_the_request_leave(
    monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr(socket, "getaddrinfo", fail)
    told = unanswered(client_of("http://platform.invalid/"))
    assert (told.reason, told.left) == (Unanswered.NAME_NOT_FOUND, False)
    assert str(told) == "The platform's name was not found."


def test_a_name_server_that_does_not_answer_is_waited_for_no_longer_than_told(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    over = threading.Event()
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: over.wait(10))
    told = unanswered(client_of("http://platform.invalid/"))
    over.set()
    assert (told.reason, told.left) == (Unanswered.NAME_NOT_FOUND, False)


def test_a_refused_connection_has_not_let_the_request_leave() -> None:
    told = unanswered(client_of(nowhere()))
    assert (told.reason, told.left) == (Unanswered.REFUSED, False)
    assert str(told) == "The platform refused the connection."


def test_a_connection_that_is_not_made_in_time_has_not_let_the_request_leave() -> None:
    with deaf() as url:
        told = unanswered(client_of(url))
    assert (told.reason, told.left) == (Unanswered.CONNECT_TIMEOUT, False)
    assert str(told) == "No connection to the platform in time."


def test_no_way_there_has_not_let_the_request_leave() -> None:
    told = unanswered(client_of("http://255.255.255.255:9/"))  # which no system connects to
    assert (told.reason, told.left) == (Unanswered.NO_CONNECTION, False)
    assert str(told) in ("No connection to the platform: ENETUNREACH.", "No connection to the platform: EACCES.")


def test_of_several_addresses_the_first_that_answers_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    with platform(says(WHOLE)) as stand_in, deaf() as silence:
        resolving(monkeypatch, address_of(nowhere()), address_of(silence), ("127.0.0.1", stand_in.port))
        assert ask(client_of("http://platform.invalid/")).token == "376"
        assert len(stand_in.requests) == 1


def test_a_request_of_two_writes_does_not_wait_for_the_first_to_be_acknowledged() -> None:
    with platform(says(WHOLE)) as stand_in:
        client = client_of(stand_in.url)
        ask(client)
        connection = client._kept.take()
        assert connection is not None
        assert connection.sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
        connection.close()


# --- certificates -----------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Secure:
    """Servers with certificates, and the file of the authority that our clients trust."""

    authority: certificates.Party
    authorities: Path
    folder: Path

    def context(self, *names: str, **how: Any) -> ssl.SSLContext:
        """A context of a server with a certificate of this authority."""
        return certificates.server(self.authority, *names, **how).served(self.folder)

    def client(self, stand_in: StandIn, host: str = "127.0.0.1") -> PlatformClient:
        return client_of(stand_in.url.replace("127.0.0.1", host), authorities=self.authorities)


@pytest.fixture(scope="module")
def secure(tmp_path_factory: pytest.TempPathFactory) -> Secure:
    folder = tmp_path_factory.mktemp("certificates")
    authority = certificates.authority()
    (folder / "authorities.pem").write_bytes(authority.pem())
    return Secure(authority, folder / "authorities.pem", folder)


def test_a_platform_that_proves_who_it_is_is_asked_and_its_connection_used_again(secure: Secure) -> None:
    with platform(says(WHOLE), tls=secure.context("127.0.0.1")) as stand_in:
        client = secure.client(stand_in)
        assert [ask(client).token for _ in range(3)] == ["376"] * 3
        assert (stand_in.connections, len(stand_in.requests)) == (1, 3)


def test_a_self_signed_certificate_has_not_let_the_request_leave(secure: Secure) -> None:
    context = certificates.server(None, "127.0.0.1").served(secure.folder)
    with platform(says(WHOLE), tls=context) as stand_in:
        told = unanswered(secure.client(stand_in))
        assert stand_in.requests == []
    assert (told.reason, told.left) == (Unanswered.CERTIFICATE, False)
    assert str(told) == "The platform's certificate was refused: self-signed certificate."


def test_an_unknown_authoritys_certificate_has_not_let_the_request_leave(secure: Secure) -> None:
    with platform(says(WHOLE), tls=secure.context("127.0.0.1")) as stand_in:
        told = unanswered(client_of(stand_in.url))  # trusts the usual authorities
        assert stand_in.requests == []
    assert (told.reason, told.left) == (Unanswered.CERTIFICATE, False)
    assert str(told) == "The platform's certificate was refused: unable to get local issuer certificate."


def test_a_certificate_that_is_over_has_not_let_the_request_leave(secure: Secure) -> None:
    with platform(says(WHOLE), tls=secure.context("127.0.0.1", ends=-timedelta(days=1))) as stand_in:
        told = unanswered(secure.client(stand_in))
        assert stand_in.requests == []
    assert (told.reason, told.left) == (Unanswered.CERTIFICATE, False)
    assert str(told) == "The platform's certificate was refused: certificate has expired."


@pytest.mark.parametrize(
    ("host", "why"), [("localhost", "it is for another name"), ("127.0.0.1", "it is for another address")]
)
def test_a_certificate_for_somebody_else_has_not_let_the_request_leave(
    secure: Secure, host: str, why: str
) -> None:
    with platform(says(WHOLE), tls=secure.context("platform.example")) as stand_in:
        told = unanswered(secure.client(stand_in, host))
        assert stand_in.requests == []
    assert (told.reason, told.left) == (Unanswered.CERTIFICATE, False)
    assert str(told) == f"The platform's certificate was refused: {why}."


# --- it may have left -------------------------------------------------------------------------------------------

BAD_RECORD = b"\x17\x03\x03\x00\x30" + b"\x00" * 0x30  # application data that no key opens


def acts_and_breaks_tls(connection: socket.socket, over: threading.Event) -> None:
    """Past its own TLS, on the bare socket: the request was read and acted on before."""
    os.write(connection.fileno(), BAD_RECORD)
    over.wait(5)


def acts_and_cuts_tls(connection: socket.socket, over: threading.Event) -> None:
    """Without the goodbye that TLS wants."""
    os.close(connection.detach())


def hangs_up_on_the_greeting(connection: socket.socket, over: threading.Event) -> None:
    connection.recv(1)
    connection.shutdown(socket.SHUT_RDWR)


def resets_on_the_greeting(connection: socket.socket, over: threading.Event) -> None:
    connection.recv(1)
    resets(connection, over)


HANDSHAKES: dict[str, tuple[Unanswered, Behaviour]] = {
    "cut": (Unanswered.TLS, hangs_up_on_the_greeting),
    "reset": (Unanswered.TLS, resets_on_the_greeting),
    "answered in clear": (Unanswered.TLS, cuts(WHOLE)),
    "answered with an alert": (Unanswered.TLS, cuts(b"\x15\x03\x03\x00\x02\x02\x28")),
    "left alone": (Unanswered.TIMED_OUT, silent),
    "dripping": (Unanswered.TIMED_OUT, drips(b"\x16\x03\x03\x3f\xff", *[b"\x00"] * 30, every=0.1)),
}


@pytest.mark.parametrize(("reason", "behave"), HANDSHAKES.values(), ids=HANDSHAKES.keys())
def test_a_handshake_that_goes_wrong_is_in_doubt(reason: Unanswered, behave: Behaviour) -> None:
    with platform(behave, at_once=True) as stand_in:
        told = unanswered(client_of(stand_in.url.replace("http:", "https:")))
    assert (told.reason, told.left) == (reason, True)


def test_a_handshake_that_goes_wrong_says_in_what(secure: Secure) -> None:
    with platform(cuts(WHOLE), at_once=True) as stand_in:
        told = unanswered(client_of(stand_in.url.replace("http:", "https:")))
    assert str(told) == "The TLS handshake failed: WRONG_VERSION_NUMBER."


UNDER_TLS: dict[str, tuple[Unanswered, Behaviour]] = {
    "a bad record": (Unanswered.TLS, acts_and_breaks_tls),
    "cut": (Unanswered.RESET, acts_and_cuts_tls),
    "silent": (Unanswered.TIMED_OUT, silent),
    "dripping": (Unanswered.TIMED_OUT, drips(*(WHOLE[at : at + 1] for at in range(len(WHOLE))), every=0.1)),
    "endless": (Unanswered.UNREADABLE, floods(b"HTTP/1.1 200 OK\r\n\r\n", b" " * 70_000)),
}


@pytest.mark.parametrize(("reason", "behave"), UNDER_TLS.values(), ids=UNDER_TLS.keys())
def test_a_platform_that_acted_before_tls_went_wrong_is_in_doubt(
    secure: Secure, reason: Unanswered, behave: Behaviour
) -> None:
    with platform(behave, tls=secure.context("127.0.0.1")) as stand_in:
        told = unanswered(secure.client(stand_in))
        assert len(stand_in.requests) == 1
    assert (told.reason, told.left) == (reason, True)


def test_a_connection_reset_before_the_request_was_read_is_in_doubt_once_it_was_made() -> None:
    for _ in range(10):
        with platform(resets, at_once=True) as stand_in:
            told = unanswered(client_of(stand_in.url))
        # The reset can overtake our noticing that there is a connection. Then nothing was handed over.
        assert (told.reason, told.left) in ((Unanswered.RESET, True), (Unanswered.NO_CONNECTION, False))


def test_a_connection_reset_after_the_request_was_read_is_in_doubt() -> None:
    with platform(resets) as stand_in:
        told = unanswered(client_of(stand_in.url))
        assert len(stand_in.requests) == 1
    assert (told.reason, told.left) == (Unanswered.RESET, True)


@contextmanager
def narrow(behave: Behaviour, tls: ssl.SSLContext | None = None) -> Iterator[str]:
    """A platform that takes in little at a time, so that a long request cannot have been written whole."""

    def in_the_narrow(connection: socket.socket, over: threading.Event) -> None:
        speaking = tls.wrap_socket(connection, server_side=True) if tls else connection
        with speaking:
            assert speaking.recv(1_000)
            behave(speaking, over)

    with platform(in_the_narrow, at_once=True, window=4_096) as stand_in:
        yield stand_in.url.replace("http:", "https:" if tls else "http:")


@pytest.mark.parametrize("tls", [False, True], ids=["in clear", "under TLS"])
@pytest.mark.parametrize(
    ("reason", "behave"),
    [(Unanswered.RESET, resets), (Unanswered.TIMED_OUT, silent)],
    ids=["reset", "not read on"],
)
def test_a_request_that_was_written_in_part_is_in_doubt(
    secure: Secure, reason: Unanswered, behave: Behaviour, tls: bool
) -> None:
    with narrow(behave, secure.context("127.0.0.1") if tls else None) as url:
        told = unanswered(client_of(url, authorities=secure.authorities), LONG)
    assert (told.reason, told.left) == (reason, True)


def test_a_platform_that_answers_before_it_has_read_all_is_heard() -> None:
    reply = http(b"", "413 Content Too Large", None, "Connection: close")

    def enough(connection: socket.socket, over: threading.Event) -> None:
        connection.sendall(reply)
        over.wait(5)  # a RST at once would take the answer with it

    with narrow(enough) as url:
        told = unanswered(client_of(url), LONG)
    assert told.left


# --- connections that have been idle ----------------------------------------------------------------------------


class Clocks:
    """Two clocks that go by hand."""

    def __init__(self) -> None:
        self.monotonic = 1_000.0
        self.wall = 1_800_000_000.0

    def pair(self) -> Sequence[Any]:
        return (lambda: self.monotonic), (lambda: self.wall)


class Nat:
    """Forwards connections, until it forgets those it knows: then their bytes go nowhere, and nobody is told."""

    def __init__(self, port: int) -> None:
        self._behind = port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._known: list[Mapping] = []
        self._threads: list[threading.Thread] = []
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}{PATH}"
        self._start(self._accept)

    def _start(self, work: Any) -> None:
        self._threads.append(threading.Thread(target=work, daemon=True))
        self._threads[-1].start()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                outside, _ = self._listener.accept()
                mapping = Mapping((outside, socket.create_connection(("127.0.0.1", self._behind))))
                self._known.append(mapping)
                for source, target in (mapping.ends, mapping.ends[::-1]):
                    self._start(partial(mapping.pump, source, target))

    def forget(self) -> None:
        for mapping in self._known:
            mapping.forgotten.set()

    def close(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for mapping in self._known:
            mapping.close()
        for thread in self._threads:
            thread.join(5)
        for mapping in self._known:
            for end in mapping.ends:
                end.close()


@dataclass
class Mapping:
    ends: tuple[socket.socket, socket.socket]
    forgotten: threading.Event = field(default_factory=threading.Event)

    def pump(self, source: socket.socket, target: socket.socket) -> None:
        with suppress(OSError):
            while data := source.recv(4_096):
                if not self.forgotten.is_set():
                    target.sendall(data)
            if not self.forgotten.is_set():
                target.shutdown(socket.SHUT_WR)

    def close(self) -> None:
        for end in self.ends:
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)


@contextmanager
def behind_a_nat(stand_in: StandIn) -> Iterator[Nat]:
    nat = Nat(stand_in.port)
    try:
        yield nat
    finally:
        nat.close()


def together(count: int) -> Behaviour:
    """Answer when that many requests have come, so that each has a connection of its own."""
    barrier = threading.Barrier(count, timeout=5)

    def behave(connection: socket.socket, over: threading.Event) -> None:
        barrier.wait()
        connection.sendall(WHOLE)

    return behave


def ask_at_once(client: PlatformClient, count: int) -> list[str | None]:
    with ThreadPoolExecutor(count) as threads:
        return [answer.token for answer in threads.map(lambda _: ask(client), range(count))]


def test_connections_that_a_nat_has_forgotten_cost_no_answer() -> None:
    clocks = Clocks()
    with platform(together(10)) as stand_in, behind_a_nat(stand_in) as nat:
        client = client_of(nat.url, connections=10, clocks=clocks.pair())
        assert ask_at_once(client, 10) == ["376"] * 10
        nat.forget()
        clocks.monotonic += 4
        clocks.wall += 4
        assert ask_at_once(client, 10) == ["376"] * 10
        assert (stand_in.connections, len(stand_in.requests)) == (20, 20)


def test_a_connection_that_is_forgotten_sooner_is_in_doubt() -> None:
    clocks = Clocks()
    with platform(says(WHOLE)) as stand_in, behind_a_nat(stand_in) as nat:
        client = client_of(nat.url, clocks=clocks.pair())
        ask(client)
        nat.forget()  # the test before would show nothing if this did not hurt
        told = unanswered(client)
        assert len(stand_in.requests) == 1
        assert ask(client).token == "376"
    assert (told.reason, told.left) == (Unanswered.TIMED_OUT, True)


@pytest.mark.parametrize(
    ("monotonic", "wall", "kept"),
    [
        (0.0, 0.0, True),
        (2.9, 2.9, True),
        (3.1, 3.1, False),
        (0.0, 600.0, False),  # frozen, and the monotonic clock with it
        (600.0, 0.0, False),
        (1.0, -5.0, False),  # the wall clock was put back: nobody knows how long it was
    ],
)
def test_a_connection_is_used_again_only_within_seconds_by_either_clock(
    monotonic: float, wall: float, kept: bool
) -> None:
    clocks = Clocks()
    with platform(says(WHOLE)) as stand_in:
        client = client_of(stand_in.url, clocks=clocks.pair())
        ask(client)
        clocks.monotonic += monotonic
        clocks.wall += wall
        ask(client)
        assert (stand_in.connections, len(stand_in.requests)) == (1 if kept else 2, 2)


def test_a_connection_on_which_the_platform_goes_on_talking_is_not_used_again() -> None:
    said = threading.Event()

    def twice(connection: socket.socket, over: threading.Event) -> None:
        connection.sendall(WHOLE)
        connection.sendall(WHOLE.replace(b"376", b"377"))
        said.set()

    with platform(twice) as stand_in:
        client = client_of(stand_in.url)
        assert ask(client).token == "376"
        assert said.wait(5)
        assert ask(client).token == "376"
        assert stand_in.connections <= 2


def test_no_more_connections_are_kept_than_told() -> None:
    with platform(together(4)) as stand_in:
        client = client_of(stand_in.url, connections=2)
        ask_at_once(client, 4)
        ask_at_once(client, 4)
        assert stand_in.connections == 6


def test_without_a_port_a_url_has_its_schemes_and_without_a_path_the_root(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[object, ...]] = []

    def look_up(*where: object, **_: object) -> list[object]:
        asked.append(where)
        return []

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    for url in ("http://platform.invalid", "https://platform.invalid/x"):
        assert not unanswered(client_of(url)).left
    assert asked == [("platform.invalid", 80), ("platform.invalid", 443)]
