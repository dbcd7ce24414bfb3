"""The way over real sockets: every code with its meaning, and nothing sent a second time."""

import gzip
import socket
import threading
import time
import tracemalloc
import zlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from kuaixintong.client import PlatformClient
from kuaixintong.core.codec import LONGEST_ANSWER
from kuaixintong.core.codes import Actor
from kuaixintong.core.credentials import PlatformCredentials
from kuaixintong.core.errors import NoAnswer, Unanswered
from kuaixintong.core.messages import Answer, Login, SendSm
from local.simulator.running import RunningSimulator, running_simulator
from tests import plain_client, spec_samples
from tests.stand_in import Behaviour, cuts, drips, floods, http, platform, resets, says, silent

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

WHOLE = http(ACCEPTED)
HEAD = b"HTTP/1.1 200 OK\r\n"
CHUNKED = HEAD + b"Transfer-Encoding: chunked\r\n\r\n"
EVERY = ANSWER_TIMEOUT / 3  # each piece well within the timeout of a read


def bytewise(text: bytes) -> list[bytes]:
    return [bytes([byte]) for byte in text]


def bomb() -> bytes:
    """64 MB of blanks after a good answer, in 64 KB."""
    squeeze = zlib.compressobj(9, wbits=31)
    return squeeze.compress(ACCEPTED) + squeeze.compress(b" " * 64_000_000) + squeeze.flush()


RESET, TIMED_OUT, UNREADABLE = Unanswered.RESET, Unanswered.TIMED_OUT, Unanswered.UNREADABLE
STATUS = Unanswered.HTTP_STATUS
GZIP = "Content-Encoding: gzip"

NO_ANSWERS: dict[str, tuple[Unanswered, Behaviour]] = {
    "closed at once": (RESET, cuts(b"")),
    "cut in the status line": (UNREADABLE, cuts(WHOLE[:9])),
    "cut in the headers": (UNREADABLE, cuts(WHOLE[:30])),
    "cut before the body": (RESET, cuts(WHOLE[: -len(ACCEPTED)])),
    "cut in the body": (RESET, cuts(WHOLE[:-1])),
    "cut in the body without a length": (UNREADABLE, cuts(HEAD + b"\r\n" + ACCEPTED[:-1])),
    "cut in a chunk": (RESET, cuts(CHUNKED + b"40\r\n" + ACCEPTED[:10])),
    "cut between chunks": (RESET, cuts(CHUNKED + b"%x\r\n%s\r\n" % (len(ACCEPTED), ACCEPTED))),
    "reset": (RESET, resets),
    "silent": (TIMED_OUT, silent),
    "silent before its end": (TIMED_OUT, drips(WHOLE[:-10], *[b""] * 30, every=EVERY)),
    # --- what drips or never ends ---
    "dripping its status line": (TIMED_OUT, drips(*bytewise(WHOLE), every=EVERY)),
    "dripping a header": (TIMED_OUT, drips(HEAD + b"X: ", *[b"x"] * 30, every=EVERY)),
    "dripping headers": (TIMED_OUT, drips(HEAD, *[b"X: x\r\n"] * 30, every=EVERY)),
    "dripping 100 Continue": (TIMED_OUT, drips(*[b"HTTP/1.1 100 Continue\r\n\r\n"] * 30, every=EVERY)),
    "dripping its body": (TIMED_OUT, drips(http(b"", length=len(ACCEPTED)), *bytewise(ACCEPTED), every=EVERY)),
    "dripping chunks": (TIMED_OUT, drips(CHUNKED, *(b"1\r\n%c\r\n" % byte for byte in ACCEPTED), every=EVERY)),
    "dripping a chunk's length": (TIMED_OUT, drips(CHUNKED, *[b"0"] * 30, every=EVERY)),
    "dripping trailers": (TIMED_OUT, drips(CHUNKED + b"0\r\n", *[b"X: x\r\n"] * 30, every=EVERY)),
    "endless 100 Continue": (UNREADABLE, floods(b"", b"HTTP/1.1 100 Continue\r\n\r\n" * 100)),
    "endless headers": (UNREADABLE, floods(HEAD, b"X: x\r\n" * 100)),
    "an endless header": (UNREADABLE, floods(HEAD + b"X: ", b"x" * 10_000)),
    "an endless status line": (UNREADABLE, floods(b"HTTP/1.1 200 ", b"O" * 10_000)),
    "an endless body": (UNREADABLE, floods(HEAD + b"\r\n" + ACCEPTED, b" " * 10_000)),
    "endless chunks": (UNREADABLE, floods(CHUNKED, b"1\r\n \r\n" * 1_000)),
    "an endless chunk": (UNREADABLE, floods(CHUNKED + b"%x\r\n" % 2**40, b" " * 10_000)),
    "endless chunk extensions": (UNREADABLE, floods(CHUNKED + b"1;", b"x" * 10_000)),
    "endless trailers": (UNREADABLE, floods(CHUNKED + b"0\r\n", b"X: x\r\n" * 1_000)),
    # --- HTTP statuses ---
    "500": (STATUS, says(http(ACCEPTED, "500 Internal Server Error"))),
    "502 with a page": (STATUS, says(http(b"<html>Bad Gateway</html>", "502 Bad Gateway"))),
    "503 with Retry-After": (STATUS, says(http(b"", "503 Service Unavailable", None, "Retry-After: 0"))),
    "408, which browsers repeat": (STATUS, cuts(http(b"", "408 Request Timeout", None, "Connection: close"))),
    "413 with Retry-After": (STATUS, says(http(b"", "413 Content Too Large", None, "Retry-After: 0"))),
    "429 with Retry-After": (STATUS, says(http(b"", "429 Too Many Requests", None, "Retry-After: 0"))),
    "401 asking for credentials": (
        STATUS,
        says(http(b"", "401 Unauthorized", None, 'WWW-Authenticate: Basic realm="x"')),
    ),
    "204": (STATUS, says(b"HTTP/1.1 204 No Content\r\n\r\n")),
    "201": (STATUS, says(http(ACCEPTED, "201 Created"))),
    "101": (STATUS, says(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n" + WHOLE)),
    "103": (STATUS, says(b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n" + WHOLE)),
    "404": (STATUS, says(http(b"", "404 Not Found"))),
    **{
        f"{status} back to itself": (
            STATUS,
            says(http(ACCEPTED, status, None, "Location: /webservice/http/service")),
        )
        for status in (
            "301 Moved",
            "302 Found",
            "303 See Other",
            "307 Temporary Redirect",
            "308 Permanent Redirect",
        )
    },
    **{
        f"{status} with an endless body": (STATUS, floods(f"HTTP/1.1 {status} x\r\n\r\n".encode(), b" " * 10_000))
        for status in (302, 404, 500)
    },
    "302 with a dripping body": (
        STATUS,
        drips(b"HTTP/1.1 302 Found\r\nLocation: /\r\n\r\n", *[b" "] * 30, every=EVERY),
    ),
    "302 to half an address": (STATUS, says(http(b"", "302 Found", None, "Location: http://[::1/login"))),
    "302 to no text": (
        STATUS,
        says(b"HTTP/1.1 302 Found\r\nContent-Length: 0\r\nLocation: http://\xff\xfe\x80/\xc3\x28\r\n\r\n"),
    ),
    "302 to nowhere": (STATUS, says(http(b"", "302 Found"))),
    # --- what is no HTTP, or no answer ---
    "no HTTP": (UNREADABLE, says(b"\x15\x03\x01\x00\x02\x02\x46" * 20 + b"\r\n\r\n")),
    "HTTP of the future": (UNREADABLE, says(b"HTTP/9.1 200 OK\r\n\r\n" + ACCEPTED)),
    "a status of many digits": (UNREADABLE, says(b"HTTP/1.1 %s OK\r\n\r\n" % (b"2" * 5_000))),
    "no JSON": (UNREADABLE, says(http("系统维护".encode()))),
    "empty": (UNREADABLE, says(http(b""))),
    "too long": (UNREADABLE, says(http(ACCEPTED + b" " * LONGEST_ANSWER))),
    "a length of many digits": (UNREADABLE, floods(http(ACCEPTED, "200 OK", 10**30), b" " * 10_000)),
    "a thousand headers": (UNREADABLE, says(http(ACCEPTED, "200 OK", None, *["X: x"] * 1_000))),
    "bad chunks": (RESET, cuts(CHUNKED + b"zz\r\n" + ACCEPTED)),
    "a chunk below zero": (UNREADABLE, says(CHUNKED + b"-5\r\n" + ACCEPTED)),
    "a chunk of many digits": (TIMED_OUT, says(CHUNKED + b"f" * 5_000 + b"\r\n" + ACCEPTED)),
    "two lengths": (UNREADABLE, cuts(http(ACCEPTED, "200 OK", None, "Content-Length: 5"))),
    "a length that is none": (UNREADABLE, cuts(HEAD + b"Content-Length: -5\r\n\r\n" + ACCEPTED[:5])),
    "unknown compression": (
        UNREADABLE,
        says(http(gzip.compress(ACCEPTED), "200 OK", None, "Content-Encoding: br")),
    ),
    "compression upon compression": (
        UNREADABLE,
        says(http(gzip.compress(gzip.compress(ACCEPTED)), "200 OK", None, "Content-Encoding: gzip, gzip")),
    ),
    "bad gzip": (UNREADABLE, says(http(ACCEPTED, "200 OK", None, GZIP))),
    "cut gzip": (UNREADABLE, says(http(gzip.compress(ACCEPTED)[:-9], "200 OK", None, GZIP))),
    "a gzip bomb": (UNREADABLE, says(http(bomb(), "200 OK", None, GZIP))),
}


@pytest.mark.parametrize(("reason", "behave"), NO_ANSWERS.values(), ids=NO_ANSWERS.keys())
def test_whatever_happens_to_an_answer_the_request_goes_out_once(reason: Unanswered, behave: Behaviour) -> None:
    with platform(behave) as stand_in:
        started = time.monotonic()
        with pytest.raises(NoAnswer) as caught:
            ask(stand_in.url)
        assert time.monotonic() - started < CONNECT_TIMEOUT + ANSWER_TIMEOUT + 0.5
        assert len(stand_in.requests) == 1
    assert caught.value.left
    # On a busy machine time can run out before bytes do.
    assert caught.value.reason in ((reason, TIMED_OUT) if reason is UNREADABLE else (reason,))
    assert (caught.value.status is not None) == (reason is STATUS)
    assert len(str(caught.value)) < 100


def test_a_status_is_told_with_its_number() -> None:
    with platform(says(http(b"", "404 Not Found"))) as stand_in, pytest.raises(NoAnswer) as caught:
        ask(stand_in.url)
    assert (str(caught.value), caught.value.status) == ("The platform answered with HTTP status 404.", 404)


def test_a_bomb_costs_no_memory_to_speak_of() -> None:
    with platform(says(http(bomb(), "200 OK", None, GZIP))) as stand_in:
        tracemalloc.start()
        with pytest.raises(NoAnswer, match="longer than 65536 bytes"):
            ask(stand_in.url)
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    assert peak < 2_000_000


class _Reply:
    """Says whatever is put here."""

    reply = b""

    def __call__(self, connection: socket.socket, over: threading.Event) -> None:
        cuts(self.reply)(connection, over)


@pytest.fixture(scope="module")
def puppet() -> Iterator[tuple[_Reply, str]]:
    reply = _Reply()
    with platform(reply) as stand_in:
        yield reply, stand_in.url


pieces = st.sampled_from(
    [
        *(b"HTTP/1.1 ", b"200", b" OK\r\n", b"\r\n", b"\r\n\r\n", b"100 Continue\r\n\r\n", b"0", b"-1", b"\x00"),
        *(b"Transfer-Encoding: chunked\r\n", b"Content-Length: ", b"Content-Encoding: gzip\r\n"),
        *(b"Location: http://[\r\n", b"Connection: close\r\n", b"5;x\r\n", b"ffffffffffffffff\r\n"),
        *(ACCEPTED, gzip.compress(ACCEPTED)),
    ]
)


@settings(max_examples=150, deadline=None)
@given(st.lists(pieces | st.binary(max_size=20), max_size=8).map(b"".join))
@example(HEAD + b"\r\n" + ACCEPTED)
def test_any_bytes_are_an_answer_or_none(puppet: tuple[_Reply, str], reply: bytes) -> None:
    says_it, url = puppet
    says_it.reply = reply
    with suppress(NoAnswer):
        assert isinstance(ask(url), Answer)


def test_what_is_still_dripping_is_left_behind_with_its_connection() -> None:
    with platform(NO_ANSWERS["dripping its body"][1]) as stand_in:
        client = client_of(stand_in.url)
        for _ in range(2):
            with pytest.raises(NoAnswer):
                client.ask(SAMPLE, CREDENTIALS, plain_client.fresh_timestamp())
        assert (stand_in.connections, len(stand_in.requests)) == (2, 2)


READABLE: dict[str, bytes] = {
    "with a length": WHOLE,
    "in chunks": CHUNKED + b"".join(b"1\r\n%c\r\n" % byte for byte in ACCEPTED) + b"0\r\n\r\n",
    "compressed": http(gzip.compress(ACCEPTED), "200 OK", None, "Content-Encoding: gzip"),
    "labelled as something else": http(ACCEPTED, "200 OK", None, "Content-Type: text/html; charset=GBK"),
    "with a byte order mark": http(b"\xef\xbb\xbf" + ACCEPTED),
    "after 100 Continue": b"HTTP/1.1 100 Continue\r\n\r\n" * 3 + WHOLE,
    "with its length twice": http(ACCEPTED, "200 OK", None, f"Content-Length: {len(ACCEPTED)}"),
    "with a trailer": CHUNKED + b"%x;a=b\r\n%s\r\n0\r\nX: x\r\n\r\n" % (len(ACCEPTED), ACCEPTED),
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
