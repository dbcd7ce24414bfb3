"""The way over real sockets: every code with its meaning, and nothing sent a second time."""

import gzip
import socket
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from kuaixintong.client import PlatformClient
from kuaixintong.core.codec import LONGEST_ANSWER
from kuaixintong.core.codes import Actor
from kuaixintong.core.credentials import PlatformCredentials
from kuaixintong.core.errors import NoAnswer
from kuaixintong.core.messages import Answer, Login, SendSm
from local.simulator.running import RunningSimulator, running_simulator
from tests import plain_client, spec_samples

CREDENTIALS = PlatformCredentials("version", "12345678", "test", "secret")
SAMPLE = SendSm(
    ("13708600860", "18930612517"),
    "周末参加不了培训了",
    "",
    daily_begin_time="08:00:00",
    daily_end_time="18:00:00",
)
ACCEPTED = spec_samples.SEND_SM_ANSWER
CONNECT_TIMEOUT, ANSWER_TIMEOUT = 0.5, 0.3


def client_of(url: str) -> PlatformClient:
    return PlatformClient(url, connect_timeout=CONNECT_TIMEOUT, answer_timeout=ANSWER_TIMEOUT, connections=2)


def ask(url: str, request: Login | SendSm = SAMPLE) -> Answer:
    return client_of(url).ask(request, CREDENTIALS, plain_client.fresh_timestamp())


# --- every state code -------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def shared() -> Iterator[RunningSimulator]:
    with running_simulator() as running:
        yield running


@pytest.fixture
def sim(shared: RunningSimulator) -> RunningSimulator:
    shared.reset()
    return shared


ACTORS = {
    Actor.NOBODY: [0],
    Actor.LATER: [1, 210, 230],
    Actor.ACCOUNT: [200, 220, 240, 250, 260, 400],
    Actor.REQUEST: [300, 310, 320, 330, 340],
    Actor.US: [100, 110, 120, 130, 350, 360],
}


@pytest.mark.parametrize(("code", "words"), spec_samples.STATE_CODES)
def test_every_state_code_is_read_with_its_meaning(sim: RunningSimulator, code: int, words: str) -> None:
    if code:
        sim.faults([{"do": "code", "code": code}])
    answer = ask(sim.url)
    assert (answer.state_code, answer.message, answer.meaning.meaning) == (code, words, words)
    assert code in ACTORS[answer.meaning.actor]
    assert (answer.token is not None, answer.fee is not None) == (code == 0, code == 0)


def test_a_login_tells_the_balances(sim: RunningSimulator) -> None:
    answer = ask(sim.url, Login())
    assert (answer.state_code, answer.sm_balance, answer.mm_balance) == (0, 1_000, 0)


def test_the_wire_carries_exactly_the_specs_fields(sim: RunningSimulator) -> None:
    password, timestamp, digest = spec_samples.DIGEST_EXAMPLE
    client_of(sim.url).ask(SAMPLE, CREDENTIALS, timestamp)
    (record,) = sim.requests()
    assert password == CREDENTIALS.pwd
    assert record.fields["op"] == "sendSm"
    assert record.fields["message"] == (
        f'{{"cid": "12345678", "uid": "test", "pwd": "{digest}", "timestamp": "{timestamp}", '
        '"mobiles": ["13708600860", "18930612517"], "content": "周末参加不了培训了", "atTime": "", '
        '"dailyBeginTime": "08:00:00", "dailyEndTime": "18:00:00"}'
    )
    assert [*record.fields] == ["op", "message"]


# --- a platform of one behaviour, on a real socket --------------------------------------------------------------

type Behaviour = Callable[[socket.socket, threading.Event], None]


class StandIn:
    """Reads each request whole, counts it, and then behaves."""

    def __init__(self, behave: Behaviour) -> None:
        self._behave = behave
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._over = threading.Event()
        self._threads: list[threading.Thread] = []
        self._connections: list[socket.socket] = []
        self.requests: list[bytes] = []
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}/webservice/http/service"
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
            while request := self._read(connection):
                self.requests.append(request)
                self._behave(connection, self._over)

    def _read(self, connection: socket.socket) -> bytes:
        stream = connection.makefile("rb")
        head = b""
        while line := stream.readline():
            head += line
            if line == b"\r\n":
                break
        length = next(
            (int(line[16:]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length: ")), 0
        )
        return head + stream.read(length)

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
def platform(behave: Behaviour) -> Iterator[StandIn]:
    stand_in = StandIn(behave)
    try:
        yield stand_in
    finally:
        stand_in.close()


def http(body: bytes, status: str = "200 OK", length: int | None = None, *headers: str) -> bytes:
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


def drips(*pieces: bytes) -> Behaviour:
    """Send piece after piece, each well within the timeout of a read."""

    def behave(connection: socket.socket, over: threading.Event) -> None:
        for piece in pieces:
            connection.sendall(piece)
            if over.wait(ANSWER_TIMEOUT / 3):
                return

    return behave


def silent(connection: socket.socket, over: threading.Event) -> None:
    over.wait(10)


def resets(connection: socket.socket, over: threading.Event) -> None:
    linger = b"\x01\x00\x00\x00\x00\x00\x00\x00"  # on, for no time: closing sends RST
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
    connection.close()


WHOLE = http(ACCEPTED)
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"

NO_ANSWERS: dict[str, Behaviour] = {
    "closed at once": cuts(b""),
    "cut in the status line": cuts(WHOLE[:9]),
    "cut in the headers": cuts(WHOLE[:30]),
    "cut before the body": cuts(WHOLE[: -len(ACCEPTED)]),
    "cut in the body": cuts(WHOLE[:-1]),
    "cut in the body without a length": cuts(b"HTTP/1.1 200 OK\r\n\r\n" + ACCEPTED[:-1]),
    "cut in a chunk": cuts(CHUNKED + b"40\r\n" + ACCEPTED[:10]),
    "cut between chunks": cuts(CHUNKED + b"%x\r\n%s\r\n" % (len(ACCEPTED), ACCEPTED)),
    "reset": resets,
    "silent": silent,
    "silent before its end": drips(WHOLE[:-10], *[b""] * 30),
    "dripping its body": drips(http(b"", length=len(ACCEPTED)), *(bytes([byte]) for byte in ACCEPTED)),
    "dripping chunks": drips(CHUNKED, *(b"1\r\n%c\r\n" % byte for byte in ACCEPTED), b"0\r\n\r\n"),
    "500": says(http(ACCEPTED, "500 Internal Server Error")),
    "502 with a page": says(http(b"<html>Bad Gateway</html>", "502 Bad Gateway")),
    "503 with Retry-After": says(http(b"", "503 Service Unavailable", None, "Retry-After: 0")),
    "408, which browsers repeat": cuts(http(b"", "408 Request Timeout", None, "Connection: close")),
    "413 with Retry-After": says(http(b"", "413 Content Too Large", None, "Retry-After: 0")),
    "429 with Retry-After": says(http(b"", "429 Too Many Requests", None, "Retry-After: 0")),
    "401 asking for credentials": says(http(b"", "401 Unauthorized", None, 'WWW-Authenticate: Basic realm="x"')),
    "204": says(b"HTTP/1.1 204 No Content\r\n\r\n"),
    "201": says(http(ACCEPTED, "201 Created")),
    **{
        f"{status} back to itself": says(http(ACCEPTED, status, None, "Location: /webservice/http/service"))
        for status in (
            "301 Moved",
            "302 Found",
            "303 See Other",
            "307 Temporary Redirect",
            "308 Permanent Redirect",
        )
    },
    "no HTTP": says(b"\x15\x03\x01\x00\x02\x02\x46" * 20 + b"\r\n\r\n"),
    "no JSON": says(http("系统维护".encode())),
    "empty": says(http(b"")),
    "too long": says(http(ACCEPTED + b" " * LONGEST_ANSWER)),
    "bad gzip": says(http(ACCEPTED, "200 OK", None, "Content-Encoding: gzip")),
    "bad chunks": cuts(CHUNKED + b"zz\r\n" + ACCEPTED),
    "two lengths": cuts(http(ACCEPTED, "200 OK", None, "Content-Length: 5")),
    "a length that is none": cuts(b"HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\n" + ACCEPTED[:5]),
    "unknown compression": cuts(http(gzip.compress(ACCEPTED), "200 OK", None, "Content-Encoding: br, gzip")),
    "a thousand headers": says(http(ACCEPTED, "200 OK", None, *["X: x"] * 1_000)),
    "an endless header": cuts(b"HTTP/1.1 200 OK\r\nX: " + b"x" * 70_000),
}


@pytest.mark.parametrize("behave", NO_ANSWERS.values(), ids=NO_ANSWERS.keys())
def test_whatever_happens_to_an_answer_the_request_goes_out_once(behave: Behaviour) -> None:
    with platform(behave) as stand_in:
        started = time.monotonic()
        with pytest.raises(NoAnswer):
            ask(stand_in.url)
        assert time.monotonic() - started < CONNECT_TIMEOUT + 2 * ANSWER_TIMEOUT + 0.5
        assert len(stand_in.requests) == 1


def test_what_is_still_dripping_is_left_behind_with_its_connection() -> None:
    with platform(NO_ANSWERS["dripping its body"]) as stand_in:
        client = client_of(stand_in.url)
        for _ in range(2):
            with pytest.raises(NoAnswer):
                client.ask(SAMPLE, CREDENTIALS, plain_client.fresh_timestamp())
        assert (stand_in.connections, len(stand_in.requests)) == (2, 2)


def test_nobody_listening_is_no_answer() -> None:
    with socket.create_server(("127.0.0.1", 0)) as gone:
        port = gone.getsockname()[1]
    with pytest.raises(NoAnswer, match="ConnectionError"):
        ask(f"http://127.0.0.1:{port}/")


def test_a_platform_that_accepts_no_connection_is_waited_for_no_longer_than_told() -> None:
    with socket.socket() as deaf:  # bound, and its queue of connections full
        deaf.bind(("127.0.0.1", 0))
        deaf.listen(0)
        address = deaf.getsockname()
        waiting = [socket.socket() for _ in range(3)]
        for each in waiting:
            each.setblocking(False)
            each.connect_ex(address)
        started = time.monotonic()
        with pytest.raises(NoAnswer, match="ConnectTimeout"):
            ask(f"http://{address[0]}:{address[1]}/")
        assert time.monotonic() - started < CONNECT_TIMEOUT + 0.5
        for each in waiting:
            each.close()


READABLE: dict[str, bytes] = {
    "with a length": WHOLE,
    "in chunks": CHUNKED + b"".join(b"1\r\n%c\r\n" % byte for byte in ACCEPTED) + b"0\r\n\r\n",
    "compressed": http(gzip.compress(ACCEPTED), "200 OK", None, "Content-Encoding: gzip"),
    "labelled as something else": http(ACCEPTED, "200 OK", None, "Content-Type: text/html; charset=GBK"),
    "with a byte order mark": http(b"\xef\xbb\xbf" + ACCEPTED),
}


@pytest.mark.parametrize("reply", READABLE.values(), ids=READABLE.keys())
def test_an_answer_is_read_and_its_connection_is_used_again(reply: bytes) -> None:
    with platform(says(reply)) as stand_in:
        client = client_of(stand_in.url)
        answers = [client.ask(SAMPLE, CREDENTIALS, plain_client.fresh_timestamp()) for _ in range(3)]
        assert answers == [Answer(0, "操作成功", token="376", fee=1)] * 3
        assert (stand_in.connections, len(stand_in.requests)) == (1, 3)


def test_a_connection_that_the_platform_has_closed_meanwhile_costs_no_answer() -> None:
    closed = threading.Event()

    def behave(connection: socket.socket, over: threading.Event) -> None:
        cuts(WHOLE)(connection, over)
        closed.set()

    with platform(behave) as stand_in:
        client = client_of(stand_in.url)
        client.ask(SAMPLE, CREDENTIALS, plain_client.fresh_timestamp())
        assert closed.wait(5)
        assert client.ask(SAMPLE, CREDENTIALS, plain_client.fresh_timestamp()).token == "376"
        assert (stand_in.connections, len(stand_in.requests)) == (2, 2)


def test_a_connection_of_ones_own_is_kept_by_each_of_two_threads() -> None:
    together = threading.Barrier(2, timeout=5)

    def behave(connection: socket.socket, over: threading.Event) -> None:
        together.wait()
        connection.sendall(WHOLE)

    with platform(behave) as stand_in:
        client = client_of(stand_in.url)

        def ask_three_times() -> None:
            for _ in range(3):
                client.ask(SAMPLE, CREDENTIALS, plain_client.fresh_timestamp())

        with ThreadPoolExecutor(2) as threads:
            for done in [threads.submit(ask_three_times) for _ in range(2)]:
                done.result(10)
        assert (stand_in.connections, len(stand_in.requests)) == (2, 6)


def test_the_environments_proxies_and_netrc_do_not_count(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("default login somebody password something\n")
    monkeypatch.setenv("NETRC", str(netrc))
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.delenv("NO_PROXY", raising=False)
    with platform(says(WHOLE)) as stand_in:
        ask(stand_in.url)
        (request,) = stand_in.requests
    assert b"authorization" not in request.lower()
    assert request.startswith(b"POST /webservice/http/service HTTP/1.1\r\n")


def test_a_request_is_a_utf8_form() -> None:
    with platform(says(WHOLE)) as stand_in:
        ask(stand_in.url)
        (request,) = stand_in.requests
    head, body = request.split(b"\r\n\r\n")
    assert b"Content-Type: application/x-www-form-urlencoded; charset=UTF-8" in head.split(b"\r\n")
    assert body.startswith(b"op=sendSm&message=%7B%22cid%22%3A+%2212345678%22%2C+")
    assert b"%E5%91%A8%E6%9C%AB%E5%8F%82%E5%8A%A0%E4%B8%8D%E4%BA%86%E5%9F%B9%E8%AE%AD%E4%BA%86" in body


@pytest.mark.parametrize("behave", [cuts(b""), says(http(b"secret 8769b3b1")), says(http(b"", "500 secret"))])
def test_an_error_tells_nothing_of_the_request_or_the_answer(behave: Behaviour) -> None:
    with platform(behave) as stand_in, pytest.raises(NoAnswer) as caught:
        ask(stand_in.url)
    for hidden in ("secret", "13708600860", "周末", "127.0.0.1", "8769b3b1"):
        assert hidden not in str(caught.value)
