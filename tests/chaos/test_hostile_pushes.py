"""Thousands of requests that nobody should send, against the receiver's real handler.

Whatever comes: never a 5xx, never a write without the credentials, never a ``0`` unless every entry is in a table
or in quarantine, never a secret in the log. ``CHAOS=full`` runs over twenty thousand, a test run a few hundred.
"""

import base64
import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlencode

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from moto import mock_aws

from kuaixintong.stores.dynamo import from_item
from tests.receiving import Answer, Event, Receiver, Row, metrics

FULL = os.environ.get("CHAOS") == "full"
PWD = "pa55-w0rd-of-the-push"
MOBILE = "13512345"  # how all mobiles begin here
WORDS = "私房话"  # what all contents contain

thousands = settings(
    max_examples=2_000 if FULL else 200,
    deadline=None,
    derandomize=not FULL,
    print_blob=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.data_too_large],
)


@pytest.fixture
def witness() -> Iterator["Witness"]:
    with mock_aws():
        yield Witness(Receiver(pwd=PWD))


# --- what is pushed --------------------------------------------------------------------------------------------

scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.integers(min_value=10**40, max_value=10**80),
    st.floats(),
    st.text(max_size=20),
    st.text(st.characters(categories=["Cs", "Cc", "Co"]), max_size=3),
    st.sampled_from(
        ["", "0", "1", "true", "FALSE", "成功", "失败", "DELIVER", "2:46", "#", "9" * 2_000, "2015-01-01"]
    ),
)
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)
mobiles = st.integers(0, 5).map(lambda number: f"{MOBILE}{number:03}")
good_reports = st.fixed_dictionaries(
    {
        "token": st.integers(1, 5) | st.sampled_from(["1", "007", "abc"]),
        "mobile": mobiles | mobiles.map(int),
        "resultCode": st.sampled_from(["0", "DELIVER", "2:46", 0, 7]),
        "success": st.booleans() | st.sampled_from(["true", "false", "成功", "失败", 0, 1]),
    },
    optional={"operator": values},
)
good_mos = st.fixed_dictionaries(
    {
        "mobile": mobiles | mobiles.map(int),
        "content": st.text(st.characters(exclude_categories=["Cs"]), max_size=20).map(lambda text: WORDS + text),
        "smgRecvDate": st.datetimes().map(lambda moment: moment.strftime("%Y-%m-%d %H:%M:%S").zfill(19)),
    },
    optional={"operator": values},
)
names = st.sampled_from(["token", "mobile", "resultCode", "success", "content", "smgRecvDate"])


@st.composite
def entries(draw: st.DrawFn, good: st.SearchStrategy[dict[str, Any]]) -> Any:
    """A good entry, one with something lost or put in its place, or anything at all."""
    match draw(st.integers(0, 5)):
        case 0:
            return draw(values)
        case 1 | 2:
            entry = draw(good)
            name = draw(names)
            if draw(st.booleans()):
                return {each: value for each, value in entry.items() if each != name}
            return entry | {name: draw(values)}
        case _:
            return draw(good)


@dataclass(frozen=True)
class Pushed:
    """A push: who says it is from whom, and what is in it."""

    uid: str
    pwd: str
    type: str
    entries: list[Any]

    @property
    def authentic(self) -> bool:
        return (self.uid, self.pwd) == ("abc", PWD)


guesses = st.text(max_size=30) | st.sampled_from(["", PWD.upper(), PWD[:-1], PWD + " ", "123"])


@st.composite
def pushes(draw: st.DrawFn) -> Pushed:
    kind = draw(st.sampled_from(["report", "report", "mo", "mo", "report ", "", "mo,report", "\x00"]))
    good: Any = good_mos if kind == "mo" else good_reports
    right = draw(st.integers(0, 3)) > 0
    uid, pwd = ("abc", PWD) if right else (draw(st.sampled_from(["abc", "ABC", ""])), draw(guesses))
    return Pushed(uid, pwd, kind, draw(st.lists(entries(good), max_size=8)))


# --- how it travels --------------------------------------------------------------------------------------------


def as_text(what: Any, *, ascii_only: bool) -> str:
    return json.dumps(what, ensure_ascii=ascii_only)


def multipart(fields: dict[str, str]) -> str:
    parts = [f'--b\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{fields[name]}\r\n' for name in fields]
    return "".join(parts) + "--b--\r\n"


@st.composite
def events(draw: st.DrawFn, pushed: Pushed, encoded: st.SearchStrategy[bool] = st.booleans()) -> Event:  # noqa: B008
    """The push in one of the notations of contract 3, in a body of text or base64, or in the query."""
    json_data = as_text(pushed.entries, ascii_only=draw(st.booleans()))
    fields = {"uid": pushed.uid, "pwd": pushed.pwd, "type": pushed.type, "jsonData": json_data}
    query: dict[str, list[str]] = {}
    match draw(st.sampled_from(["form", "object", "text", "spec", "multipart", "query", "both"])):
        case "form":
            body = urlencode(fields, errors="surrogatepass")
        case "object":
            body = as_text(fields | {"jsonData": pushed.entries}, ascii_only=draw(st.booleans()))
        case "text":
            body = as_text(fields, ascii_only=draw(st.booleans()))
        case "spec":
            named = ", ".join(f"{name}={json.dumps(fields[name])}" for name in ("uid", "pwd", "type"))
            body = f"{{\n  {named},\n  jsonData={json_data}\n}}"
        case "multipart":
            body = multipart(fields)
        case "query":
            body, query = "", {name: [value] for name, value in fields.items()}
        case _:
            body = urlencode({name: fields[name] for name in ("type", "jsonData")}, errors="surrogatepass")
            query = {name: [fields[name], "other"] for name in ("uid", "pwd")}
    return _event(body.encode("utf-8", "surrogatepass"), query, draw(content_types), encoded=draw(encoded))


content_types = st.sampled_from(
    [
        None,
        "application/x-www-form-urlencoded; charset=UTF-8",
        "application/json",
        "multipart/form-data; boundary=b",
        "text/plain; charset=iso-8859-1",
        "nonsense;;;=\x00; charset=\x00",
    ]
)


def _event(body: bytes, query: dict[str, list[str]], content_type: str | None, *, encoded: bool) -> Event:
    text = base64.b64encode(body).decode() if encoded else body.decode("utf-8", "surrogatepass")
    return {
        "httpMethod": "POST" if body else "GET",
        "headers": {"content-TYPE": content_type} if content_type else None,
        "multiValueQueryStringParameters": query or None,
        "body": text or None,
        "isBase64Encoded": encoded,
    }


# --- what must hold --------------------------------------------------------------------------------------------


def nothing_leaks(log: str) -> bool:
    return not any(secret in log for secret in (PWD, quote(PWD), WORDS, json.dumps(WORDS)[1:-1], MOBILE))


def canonical(value: Any) -> str:
    return json.dumps(value, sort_keys=True)


@dataclass
class Evidence:
    """What DynamoDB was asked to write for one push, read off the requests."""

    rows: list[Row]
    held: list[str]
    records: int


class Witness:
    """Sees what is written; remembers what quarantine holds, for what is there already is only counted."""

    def __init__(self, receiver: Receiver) -> None:
        self.receiver = receiver
        self._held: dict[str, list[str]] = {}

    def judge(self, incoming: Event) -> tuple[Answer, Evidence]:
        self.receiver.sent.clear()
        answer = self.receiver.take(incoming)
        evidence = self._evidence()  # first of all: what is held once is held for the examples to come
        assert nothing_leaks(answer.log)
        return answer, evidence

    def _evidence(self) -> Evidence:
        rows: list[Row] = []
        chunks: dict[str, bytes] = {}
        touched: set[str] = set()
        for operation, asked in self.receiver.sent:
            match operation:
                case "BatchWriteItem":
                    ((_, requests),) = asked["RequestItems"].items()
                    rows += [from_item(request["PutRequest"]["Item"]) for request in requests]
                case "PutItem":
                    chunk = from_item(asked["Item"])
                    chunks[chunk["digest"]] = chunks.get(chunk["digest"], b"") + as_bytes(chunk["raw"])
                case "UpdateItem":
                    digest = asked["Key"]["digest"]["S"]
                    touched.add(digest)
                    values = from_item(asked["ExpressionAttributeValues"])
                    if ":raw" in values:
                        raw = as_bytes(values[":raw"]) + chunks.get(digest, b"")
                        self._held[digest] = entries_in(raw, alone=values[":kept"] == "entry")
        return Evidence(rows, [entry for digest in touched for entry in self._held[digest]], len(touched))


def as_bytes(raw: Any) -> bytes:
    return raw.encode() if isinstance(raw, str) else bytes(raw)


def entries_in(raw: bytes, *, alone: bool) -> list[str]:
    try:
        value = json.loads(raw.decode("utf-8", "surrogatepass"), strict=False)
        return [canonical(each) for each in ([value] if alone else list(value))]
    except (ValueError, TypeError, RecursionError):
        return []  # whole and unreadable: there are no entries to look for


def spelled(value: Any) -> str:
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value).strip()


def says(row: Row, entry: Any) -> bool:
    """Whether a row is what an entry says, worked out again and not by the layer's own code."""
    if "content" in row:
        said = (spelled(entry["mobile"]), str(entry["content"]), str(entry["smgRecvDate"]).strip())
        return said == (row["mobile"], row["content"], row["smg_recv_date"])
    told = [spelled(entry[name]) for name in ("token", "mobile", "resultCode")]
    truth = spelled(entry["success"]).lower() in ("true", "1", "成功")
    return told == [row["token"], row["mobile"], row["result_code"]] and truth == row["success"]


def stored(rows: list[Row], entry: Any) -> bool:
    return isinstance(entry, dict) and any(says(row, entry) for row in rows if needed(row) <= entry.keys())


def needed(row: Row) -> set[str]:
    return (
        {"content", "mobile", "smgRecvDate"} if "content" in row else {"token", "mobile", "resultCode", "success"}
    )


@thousands
@given(data=st.data(), pushed=pushes())
def test_a_strange_push_is_refused_or_kept_to_the_last_entry(
    witness: Witness, data: st.DataObject, pushed: Pushed
) -> None:
    answer, evidence = witness.judge(data.draw(events(pushed)))
    if not pushed.authentic:
        assert (answer.status, answer.body) == (403, "forbidden")
        assert witness.receiver.sent == []
    elif pushed.type.strip() not in ("report", "mo"):
        assert answer.status == 400
        assert (evidence.rows, evidence.records) == ([], 1)
    else:
        assert (answer.status, answer.body) == (200, "0")
        for entry in pushed.entries:
            assert canonical(entry) in evidence.held or stored(evidence.rows, entry), entry


splices = st.tuples(
    st.floats(0, 1),
    st.floats(0, 0.2),
    st.binary(max_size=8) | st.sampled_from([b"[" * 5_000, b'{"a":' * 5_000, b"9" * 5_000, b"&pwd="]),
)


def mangled(body: bytes, splices: list[tuple[float, float, bytes]]) -> bytes:
    for where, how_much, instead in splices:
        at = int(where * len(body))
        body = body[:at] + instead + body[at + int(how_much * len(body)) :]
    return body


@thousands
@given(data=st.data(), pushed=pushes(), spliced=st.lists(splices, min_size=1, max_size=4), admitted=st.booleans())
def test_a_mangled_push_is_refused_or_told_so_or_kept(
    witness: Witness,
    data: st.DataObject,
    pushed: Pushed,
    spliced: list[tuple[float, float, bytes]],
    admitted: bool,
) -> None:
    incoming = data.draw(events(pushed, encoded=st.just(True)))
    incoming["body"] = base64.b64encode(mangled(base64.b64decode(incoming["body"] or ""), spliced)).decode()
    if admitted:
        incoming["multiValueQueryStringParameters"] = {"uid": ["abc"], "pwd": [PWD], "type": [pushed.type]}
    answer, evidence = witness.judge(incoming)
    match answer.status:
        case 200:
            stored_now = metrics(answer.log)
            assert len(evidence.rows) == stored_now["ReportsStored"] + stored_now["MosStored"]
            assert bool(evidence.records) == bool(stored_now["EntriesQuarantined"])
        case 400:
            assert (evidence.rows, bool(witness.receiver.sent)) == ([], True)
        case status:
            assert (status, witness.receiver.sent) == (403, [])


@settings(thousands, max_examples=1_000 if FULL else 100)
@given(
    body=st.binary(max_size=200) | st.text(max_size=200).map(lambda text: text.encode("utf-8", "surrogatepass"))
)
def test_bytes_that_are_no_push_are_kept_byte_for_byte_if_the_query_has_the_credentials(
    witness: Witness, body: bytes
) -> None:
    incoming = _event(body, {}, None, encoded=True)
    answer, _ = witness.judge(incoming)
    assert (answer.status, witness.receiver.sent) == (403, [])
    incoming["multiValueQueryStringParameters"] = {"uid": ["abc"], "pwd": [PWD]}
    answer, evidence = witness.judge(incoming)
    assert (answer.status, evidence.records) == (400, 1)
    digest = witness.receiver.sent[-1][1]["Key"]["digest"]["S"]
    kept = witness.receiver.intake.quarantine.read(digest)
    assert kept is not None
    assert kept.raw == body
