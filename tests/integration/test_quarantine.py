"""Quarantine: what could not be read, whole, once, counted, and released after a fix."""

import json
import random
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from unittest.mock import patch
from urllib.parse import unquote_plus

import pytest

from kuaixintong import quarantine
from kuaixintong.core import entries, pushes
from kuaixintong.core.errors import StoreUnavailable
from kuaixintong.core.gateway import Request
from kuaixintong.core.limits import ITEM_BYTES
from kuaixintong.core.parameters import Parameter, parameters
from kuaixintong.core.unreadable import Kept, Unreadable
from kuaixintong.quarantine import Released, held, release, release_from
from tests.aws_faults import Faults, refusal
from tests.receiving import RETENTION, Event, Receiver, event, mo, push, report
from tests.spec_samples import REPORT_PUSH

FIVE_MB = 5_000_000


@pytest.fixture
def receiver(aws: None) -> Receiver:
    return Receiver()


def raw_of(receiver: Receiver) -> bytes:
    (record,) = receiver.held()
    kept = receiver.intake.quarantine.read(record["digest"])
    assert kept is not None
    return kept.raw


def garbage(size: int) -> str:
    """Text of ``size`` characters that is no JSON; they are of one to four bytes.

    Few of them are a form's separators and escapes, for moto takes seconds to look for a form in what it is sent.
    """
    chance = random.Random(1)
    return "".join(chance.choices('a="\n\\{[的信😀é&%+', weights=[100] * 11 + [1] * 3, k=size))


def large(size: int) -> Event:
    """A push that cannot be read, its body no form: moto takes minutes for the escapes of one."""
    return event(garbage(size), uid="abc", pwd="123", type="report")


@pytest.mark.parametrize("name", ["jsondata", "data", "jsonData"])
def test_a_push_in_the_query_is_held_whole_and_by_itself(receiver: Receiver, name: str) -> None:
    arrays = [json.dumps([report(number), "密"], ensure_ascii=False) + "x" for number in range(2)]
    for array in arrays:
        for _ in range(2):
            pushed = event(uid="abc", pwd="123", type="report", **{name: array})
            assert receiver.take(pushed).status == 400
    kept = [receiver.intake.quarantine.read(record["digest"]) for record in receiver.held()]
    queries = sorted(unquote_plus(each.query.decode()) for each in kept if each)
    assert queries == [f"uid=abc&pwd=&type=report&{name}={array}" for array in arrays]
    assert [record["seen"] for record in receiver.held()] == [2, 2]


def test_five_megabytes_are_held_whole_and_once_and_counted(receiver: Receiver) -> None:
    body = garbage(FIVE_MB)
    assert len(body.encode()) > FIVE_MB
    for _ in range(4):
        answer = receiver.take(event(body, uid="abc", pwd="123", type="report"))
        assert answer.status == 400, answer.log
    (record,) = receiver.held()
    assert record["seen"] == 4
    assert record["query_bytes"] == len("uid=abc&pwd=&type=report")
    assert raw_of(receiver) == body.encode()


def test_what_is_pushed_again_costs_one_small_write(receiver: Receiver) -> None:
    incoming = large(FIVE_MB)
    receiver.take(incoming)
    receiver.sent.clear()
    receiver.take(incoming)
    assert receiver.writes == ["UpdateItem"]


@pytest.mark.parametrize("letter", [b"x", "的".encode(), "😀".encode(), b"\xff"])
def test_every_size_comes_back_byte_for_byte(receiver: Receiver, letter: bytes) -> None:
    for size in (0, 1, 4_095, 4_096, 4_097, 4_096 + ITEM_BYTES - 20_000, 4_097 + ITEM_BYTES - 20_000, 1_000_000):
        raw = b"-" + letter * (size // len(letter))
        for record in (
            Unreadable("report", Kept.BODY, raw, "because", content_type="a/b; c=d"),
            Unreadable("report", Kept.BODY, b"body", "because", query=raw),
        ):
            receiver.intake.keep([record], deadline=time.monotonic() + 60)
            assert receiver.intake.quarantine.read(record.digest) == record


def test_a_record_says_what_it_is_and_when_it_was_seen(receiver: Receiver) -> None:
    receiver.take(push("mo", "[0]"))
    receiver.now += RETENTION / 2
    receiver.take(push("mo", "[0, 0]"))
    (record,) = receiver.held()
    assert {name: value for name, value in record.items() if name != "digest"} == {
        "chunk": 0,
        "chunks": 1,
        "type": "mo",
        "kept": "entry",
        "entries": 1,
        "raw": "0",
        "reason": "The entry is no JSON object.",
        "seen": 3,
        "first_seen": "2026-11-23T12:00:00.000+08:00",
        "last_seen": "2027-02-21T12:00:00.000+08:00",
        "expires_at": int((receiver.now + RETENTION).timestamp()),
    }


def test_a_record_about_to_expire_is_written_anew_whole(receiver: Receiver) -> None:
    incoming = large(1_000_000)
    receiver.take(incoming)
    receiver.now += RETENTION * 2  # TTL may take the chunks one by one from here
    receiver.take(incoming)
    rows = receiver.everything()
    assert len(rows) > 2
    assert {row["expires_at"] for row in rows} == {int((receiver.now + RETENTION).timestamp())}


def test_a_record_cut_off_while_it_was_written_is_none_until_the_next_push_completes_it(
    receiver: Receiver,
) -> None:
    incoming = large(1_000_000)
    over = threading.Event()
    Faults(
        receiver.dynamodb, "PutItem", lambda call: refusal("AccessDenied") if call and not over.is_set() else None
    )
    assert receiver.take(incoming).body == "retry"
    assert receiver.everything() != []
    assert receiver.held() == []
    over.set()
    assert receiver.take(incoming).status == 400
    (record,) = receiver.held()
    assert record["seen"] == 1
    assert receiver.intake.quarantine.read(record["digest"])


def test_a_record_that_lacks_a_chunk_is_not_taken_for_whole(receiver: Receiver) -> None:
    receiver.take(large(1_000_000))
    digest = receiver.held()[0]["digest"]
    key = {"digest": {"S": digest}, "chunk": {"N": "2"}}
    receiver.dynamodb.delete_item(TableName=receiver.names["QuarantineTable"], Key=key)
    assert receiver.intake.quarantine.read(digest) is None
    with pytest.raises(KeyError):
        release_from(receiver.intake, digest)


def test_after_a_fix_entries_become_rows_and_leave_quarantine(receiver: Receiver) -> None:
    receiver.take(push("report", [report(1, success="ja"), report(2, success="ja"), report(3)]))
    assert len(receiver.held()) == 2
    with patch.object(entries, "_TRUTH", {"ja": True}):
        released = [release_from(receiver.intake, record["digest"]) for record in receiver.held()]
    assert released == [Released(reports=1), Released(reports=1)]
    assert [row["success"] for row in receiver.reports()] == [True, True, True]
    assert len(receiver.everything()) == 3


def test_a_whole_push_is_released_whole_and_what_is_bad_in_it_is_held_by_itself(receiver: Receiver) -> None:
    pushed = [*(mo(number, content="长" * 1_000) for number in range(300)), "bad"]
    receiver.take(event(json.dumps({"uid": "abc", "pwd": "123", "type": "mo", "jsondata": pushed})))
    assert [record["kept"] for record in receiver.held()] == ["body"]
    assert len(receiver.everything()) > 1
    digest = receiver.held()[0]["digest"]

    def fixed(request: Request, in_time: Callable[[], None]) -> Iterator[Parameter]:
        return parameters(replace(request, body=request.body.replace(b"jsondata", b"jsonData")), in_time)

    with patch.object(pushes, "parameters", fixed):
        released = release_from(receiver.intake, digest)
    assert (released.reports, released.mos, [each.raw for each in released.unreadable]) == (0, 300, [b'"bad"'])
    assert len(receiver.mos()) == 300
    assert [(record["kept"], record["raw"]) for record in receiver.held()] == [("entry", '"bad"')]
    assert len(receiver.everything()) == 301


@pytest.mark.parametrize(
    "incoming",
    [
        push("mo", "no JSON"),
        push("no type", [mo()]),
        push("mo", ["bad"]),
        push("mo", [*range(300)]),
    ],
    ids=["push", "type", "entry", "many entries"],
)
def test_what_is_unreadable_as_ever_stays_as_it_is(receiver: Receiver, incoming: Event) -> None:
    receiver.take(incoming)
    before = receiver.everything()
    (record,) = receiver.held()
    released = release_from(receiver.intake, record["digest"])
    assert (released.reports, released.mos) == (0, 0)
    assert [each.digest for each in released.unreadable] == [record["digest"]]
    assert receiver.everything() == before


def test_a_release_that_is_cut_off_loses_nothing_and_can_be_repeated(receiver: Receiver) -> None:
    receiver.take(push("report", [report(success="ja")]))
    digest = receiver.held()[0]["digest"]
    over = threading.Event()
    Faults(receiver.dynamodb, "DeleteItem", lambda _: None if over.is_set() else refusal("AccessDenied"))
    with patch.object(entries, "_TRUTH", {"ja": True}):
        with pytest.raises(StoreUnavailable):
            release_from(receiver.intake, digest)
        assert len(receiver.held()) == 1
        over.set()
        assert release_from(receiver.intake, digest) == Released(reports=1)
    assert len(receiver.everything()) == 1


def test_an_operator_releases_with_the_names_of_the_tables_in_the_environment(
    receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REPORTS_TABLE", receiver.names["ReportsTable"])
    monkeypatch.setenv("INBOUND_TABLE", receiver.names["InboundTable"])
    monkeypatch.setenv("QUARANTINE_TABLE", receiver.names["QuarantineTable"])
    monkeypatch.setenv("MOBILES_TABLE", receiver.names["MobilesTable"])
    monkeypatch.setenv("RETENTION_DAYS", "180")
    receiver.take(push("report", [report(success="ja")]))
    quarantine._intake.cache_clear()
    with patch.object(entries, "_TRUTH", {"ja": False}):
        assert [release(record["digest"]) for record in held()] == [Released(reports=1)]
    quarantine._intake.cache_clear()
    assert [row["success"] for row in receiver.reports()] == [False]


def test_the_specs_own_push_would_be_read_again_from_its_body(receiver: Receiver) -> None:
    with patch.object(pushes, "parameters", lambda *_: iter(())):
        assert receiver.take(event(REPORT_PUSH)).status == 400
    (record,) = receiver.held()
    assert release_from(receiver.intake, record["digest"]) == Released(reports=2)
    assert receiver.held() == []
