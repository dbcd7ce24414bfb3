"""The Quarantine table: what could not be read is there whole, once, and counted."""

import time
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
import pytest

from kuaixintong.core.unreadable import Kept, Unreadable
from kuaixintong.stores.batch import Stamp, Writer
from kuaixintong.stores.holding import Holding
from tests.template import create_tables

NOW = datetime(2026, 11, 23, 4, 0, tzinfo=UTC)
SMALL = Unreadable("mo", Kept.ENTRY, '{"content": 好}'.encode(), "content is missing")
BODIES = [
    Unreadable("", Kept.BODY, b"a=1", "type is missing", query=b"uid=x", content_type="text/plain"),
    Unreadable("", Kept.BODY, "信".encode() * 300_000, "no push", query=b"type=mo"),
    Unreadable("", Kept.BODY, b"\xff\xfe" * 400_000, "no push"),
    Unreadable("", Kept.BODY, b"", "an empty body"),
]


class Quarantine:
    """The table, and one who keeps things in it as if it were ``now``."""

    def __init__(self) -> None:
        self.client = boto3.client("dynamodb")
        self.table = create_tables(self.client, "held-")["QuarantineTable"]
        self.holding = Holding(self.client, self.table)
        self.now = NOW

    def keep(self, *unreadable: Unreadable) -> None:
        stamp = Stamp.at(self.now, timedelta(days=180))
        writer = Writer(self.client, threads=2)
        self.holding.keep(unreadable, stamp, writer, deadline=time.monotonic() + 60)

    def items(self) -> list[dict[str, Any]]:
        return self.client.scan(TableName=self.table)["Items"]

    def head(self, of: Unreadable) -> dict[str, Any]:
        (head,) = (each for each in self.holding.heads() if each["digest"] == of.digest)
        return head


@pytest.fixture
def quarantine(aws: None) -> Quarantine:
    return Quarantine()


@pytest.mark.parametrize("body", BODIES, ids=["short", "text in chunks", "bytes in chunks", "empty"])
def test_a_whole_push_comes_back_as_it_was(quarantine: Quarantine, body: Unreadable) -> None:
    quarantine.keep(body)
    found = quarantine.holding.read(body.digest)
    assert found == body
    assert (found.reason, found.entries) == (body.reason, 1)


def test_an_entry_comes_back_as_it_was_and_is_no_push(quarantine: Quarantine) -> None:
    quarantine.keep(SMALL)
    found = quarantine.holding.read(SMALL.digest)
    assert found == SMALL
    assert "query_bytes" not in quarantine.head(SMALL)


def test_what_nobody_has_kept_is_not_there(quarantine: Quarantine) -> None:
    assert quarantine.holding.read(SMALL.digest) is None


def test_a_text_is_cut_between_its_characters(quarantine: Quarantine) -> None:
    quarantine.keep(BODIES[1])
    assert all("S" in each["raw"] for each in quarantine.items())
    assert len(quarantine.items()) > 2


@pytest.mark.parametrize("each", [SMALL, BODIES[1]], ids=["in one piece", "in chunks"])
def test_what_comes_again_is_counted_and_keeps_when_it_came_first(
    quarantine: Quarantine, each: Unreadable
) -> None:
    quarantine.keep(each, each)
    quarantine.now += timedelta(hours=1)
    quarantine.keep(each)
    head = quarantine.head(each)
    assert (head["seen"], head["first_seen"], head["last_seen"]) == (
        *(3, "2026-11-23T12:00:00.000+08:00"),
        "2026-11-23T13:00:00.000+08:00",
    )
    assert len({item["chunk"]["N"] for item in quarantine.items()}) == len(quarantine.items())


def test_a_record_that_is_about_to_go_is_written_anew(quarantine: Quarantine) -> None:
    quarantine.keep(BODIES[1])
    quarantine.now += timedelta(days=181)
    quarantine.keep(BODIES[1])
    expires = int((quarantine.now + timedelta(days=180)).timestamp())
    assert {int(each["expires_at"]["N"]) for each in quarantine.items()} == {expires}


def test_a_record_that_has_lost_a_chunk_is_none(quarantine: Quarantine) -> None:
    quarantine.keep(BODIES[1])
    key = {"digest": {"S": BODIES[1].digest}, "chunk": {"N": "1"}}
    quarantine.client.delete_item(TableName=quarantine.table, Key=key)
    assert quarantine.holding.read(BODIES[1].digest) is None


def test_a_record_that_is_discarded_is_gone_with_all_its_chunks(quarantine: Quarantine) -> None:
    quarantine.keep(BODIES[1], SMALL)
    quarantine.holding.discard(BODIES[1].digest)
    assert [each["digest"] for each in quarantine.holding.heads()] == [SMALL.digest]
    assert len(quarantine.items()) == 1
