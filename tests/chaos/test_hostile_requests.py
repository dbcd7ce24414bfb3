"""Requests of arbitrary heads, bodies and queries against the receiver's real handler and a store that says yes.

Each ends in 200, 400 or 403 and in nothing else, and without the right credentials in 403 and without a write.
Every request is made by a chance of its own, which a failure names. ``CHAOS=full`` makes 30,000 of them.
"""

import base64
import json
import os
import random
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import quote, quote_plus, urlencode

import pytest
from moto import mock_aws

from tests.aws_faults import answer
from tests.receiving import Event, Receiver, mo, report

FULL = os.environ.get("CHAOS") == "full"
SHARDS = 10 if FULL else 2
REQUESTS = 3_000 if FULL else 750  # of each shard

PWD = "pa55/w0rd &of=the+push"
RIGHT = {"uid": "abc", "pwd": PWD}
WRONG = [{"uid": "abc", "pwd": "123"}, {"uid": "abc"}, {"pwd": ""}, {"uid": "ABC", "pwd": PWD}, {}]


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with mock_aws():
        receiver = Receiver(pwd=PWD)
        answered: Any = lambda **_: (answer(b'{"UnprocessedItems": {}}'), {"UnprocessedItems": {}})  # noqa: E731
        receiver.dynamodb.meta.events.register_first("before-call.dynamodb", answered)
        yield receiver


# --- pieces ------------------------------------------------------------------------------------------------------

TOKENS = [
    *(b"uid=", b"pwd=", b"type=", b"jsonData=", b"&", b"=", b"+", b"%", b"%2", b"%75id", b"%ff", b"%00", b";"),
    *(b"{", b"}", b"[", b"]", b'"', b":", b",", b"\\", b"\\u", b"\\ud800", b"\\ufffd", b"null", b"true", b"NaN"),
    *(b"1e999", b"-0", b"9007199254740993.0", b"9" * 5_000, b"[" * 3_000, b'{"a":' * 3_000, b"[[]," * 300),
    *(b"--b\r\n", b"--b--", b"\r\n", b"\n", b"\r\n\r\n", b"--", b'; name="', b"; name*=idna''x", b"boundary="),
    *(b"Content-Disposition: form-data", b"Content-Type: text/plain; charset=gbk", b'; name="pwd"', b'a="' * 50),
    *(b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff", b"\0", b"\0{", b"{\0", b"\xff", b"\xed\xa0\x80", b"\xf0\x9f"),
    *(
        "同意".encode(),
        "同意".encode("gbk"),
        "\ufffd".encode(),
        "😀".encode(),
        b"#",
        b"\x7f",
        b"\x1b",
        b"\xc0\x80",
    ),
]
HEADS = [
    "application/x-www-form-urlencoded; charset=UTF-8",
    "application/json",
    "multipart/form-data; boundary=b",
    'multipart/form-data; boundary="b"; charset=GBK',
    "a/b; boundary*=a; boundary*0*=b",
    "multipart/form-data; boundary=" + "b" * 300,
    "multipart/form-data; boundary=",
    "text/plain; charset=utf-16",
    "text/plain; charset=\x00; =;;;",
    ";" * 500 + 'a="' * 500,
    "charset=..%2f; charset*=utf-8''x",
    "\ud800; charset=\udfff",
    "",
]
ENTRIES: list[Any] = [
    report(),
    report(token="007", success="成功", extra=[{"a": 1}]),
    report(mobile=8613500000000, resultCode=2.46, success=0),
    mo(),
    mo(content="😀\x00\ud800"),
    mo(smgRecvDate="2015-01-01 12:00:00.0", mobile="+86 135-0000-0000"),
    {},
    None,
    "坏的",
    [[[]]],
]


def fields_of(chance: random.Random) -> tuple[dict[str, str], bool]:
    """The parameters of a push, and if its credentials are right."""
    right = chance.random() < 0.7
    entries = chance.choices(ENTRIES, k=chance.randrange(6))
    named = {"type": chance.choice(["report", "mo", "", "x"]), "jsonData": json.dumps(entries, ensure_ascii=False)}
    return (RIGHT if right else chance.choice(WRONG)) | named, right


def a_form(fields: dict[str, str], chance: random.Random) -> bytes:
    escape: Callable[..., str] = chance.choice([quote, quote_plus])
    return urlencode(fields, errors="surrogatepass", quote_via=escape).encode()


def an_object(fields: dict[str, str], chance: random.Random) -> bytes:
    pairs = list(fields.items())
    chance.shuffle(pairs)
    text = json.dumps(dict(pairs), ensure_ascii=chance.random() < 0.5)
    return text.encode(chance.choice(["utf-8", "utf-8", "utf-8-sig", "utf-16", "utf-32-be"]), "surrogatepass")


def in_the_specs_notation(fields: dict[str, str], chance: random.Random) -> bytes:
    rest = ", ".join(f"{name}={json.dumps(value)}" for name, value in fields.items() if name != "jsonData")
    return f"{{\n{rest}, jsonData={fields.get('jsonData', '')}\n}}".encode("utf-8", "surrogatepass")


def in_sections(fields: dict[str, str], chance: random.Random) -> bytes:
    line = chance.choice(["\r\n", "\n"])
    parts = [f'--b{line}Content-Disposition: form-data; name="{n}"{line * 2}{v}{line}' for n, v in fields.items()]
    return ("".join(parts) + "--b--").encode("utf-8", "surrogatepass")


NOTATIONS = [a_form, an_object, in_the_specs_notation, in_sections]


def mangled(body: bytes, chance: random.Random) -> bytes:
    """Some pieces of a body left out, put twice, or put in the place of others."""
    for _ in range(chance.choice([0, 0, 1, 1, 2, 5, 20])):
        at, length = chance.randrange(len(body) + 1), chance.choice([0, 0, 1, 4, 50])
        instead = chance.choice(
            [b"", body[at : at + 30], chance.choice(TOKENS), chance.randbytes(chance.randrange(9))]
        )
        body = body[:at] + instead + body[at + length :]
    return body


def anything(chance: random.Random) -> bytes:
    """A body of pieces, or of bytes."""
    if chance.random() < 0.3:
        return chance.randbytes(chance.randrange(300))
    return b"".join(chance.choices(TOKENS, k=chance.randrange(30)))


def text_of(chance: random.Random) -> str:
    return mangled(b"".join(chance.choices(TOKENS, k=chance.randrange(4))), chance).decode("latin-1")


def request_of(chance: random.Random) -> tuple[Event, bool]:
    """One request, and if anything in it may be the right credentials."""
    fields, right = fields_of(chance)
    query: dict[str, list[str]] = {
        text_of(chance): [text_of(chance)] for _ in range(chance.choice([0, 0, 0, 1, 5]))
    }
    if chance.random() < 0.3:
        moved = chance.choice([("uid", "pwd"), tuple(fields), ("type",), ("jsonData",)])
        query |= {name: [fields.pop(name)] for name in moved if name in fields}
    if right and chance.random() < 0.5:  # whatever becomes of the body, somebody reads it
        query |= {name: [value] for name, value in RIGHT.items()}
    body = anything(chance) if chance.random() < 0.2 else mangled(chance.choice(NOTATIONS)(fields, chance), chance)
    encoded = chance.random() < 0.5
    text = base64.b64encode(body).decode() if encoded else body.decode("utf-8", "replace")
    head = chance.choice([*HEADS, text_of(chance)])
    event: Event = {
        "httpMethod": chance.choice(["GET", "POST"]),
        "headers": chance.choice([None, {}, {"content-TYPE": head}, {"Content-Type": head, "content-type": "x"}]),
        "multiValueQueryStringParameters": query or None,
        "queryStringParameters": {name: values[-1] for name, values in query.items()} or None,
        "body": text or None,
        "isBase64Encoded": encoded != (chance.random() < 0.05),
    }
    if chance.random() < 0.2:
        event |= {"requestContext": {"elb": {}}, "multiValueQueryStringParameters": None}
    return event, right


# --- what must hold ----------------------------------------------------------------------------------------------


POSSIBLE = {(200, True), (200, False), (400, True), (403, False)}
"""Statuses, and if something was written. A push of an empty array leaves nothing to write."""


@pytest.mark.parametrize("shard", range(SHARDS))
def test_whatever_comes_ends_in_200_400_or_403(receiver: Receiver, shard: int) -> None:
    statuses: Counter[int] = Counter()
    for number in range(REQUESTS):
        incoming, right = request_of(random.Random(f"{shard}/{number}"))
        receiver.sent.clear()
        try:
            taken = receiver.take(incoming)
        except Exception as error:
            raise AssertionError(f"request {shard}/{number}: {error!r}") from error
        statuses[taken.status] += 1
        written = bool(receiver.sent)
        assert (taken.status, written) in POSSIBLE, f"request {shard}/{number}"
        assert right or taken.status == 403, f"request {shard}/{number}"
        assert PWD not in taken.log, f"request {shard}/{number}"
    sys.stdout.write(f"{REQUESTS:,} requests of shard {shard}: {dict(sorted(statuses.items()))}\n")
    assert set(statuses) == {200, 400, 403}
