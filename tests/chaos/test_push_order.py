"""Any order, any batching and any repetition of pushes ends in the same rows (contract, section 3)."""

import os
import random
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from moto import mock_aws

from tests.receiving import Receiver, Row, push, without_times

FULL = os.environ.get("CHAOS") == "full"

some = settings(
    max_examples=250 if FULL else 20,
    deadline=None,
    derandomize=not FULL,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with mock_aws():
        yield Receiver()


def a_report(token: int, mobile: str, code: str, *, success: bool) -> dict[str, Any]:
    # whether a code means success is a property of the code (spec 4.5); a platform that says both is taken at both
    return {"token": token, "mobile": mobile, "resultCode": code, "success": success}


mobiles = st.sampled_from(["13500000000", "13700000000", "8618930612517", "18930612517"])
codes = st.sampled_from(["0", "DELIVER", "2:46", "UNDELIV"])
seconds = st.sampled_from(
    ["2015-01-01 12:00:00", "2015-01-01 12:00:00.0", "2015-01-01 12:00:01", "2015-01-02 00:00:00"]
)
reports = st.builds(a_report, st.integers(1, 4), mobiles, codes, success=st.booleans())
mos = st.builds(
    lambda mobile, content, date: {"mobile": mobile, "content": content, "smgRecvDate": date},
    mobiles,
    st.sampled_from(["", "你好吗", "我不好", "😀"]),
    seconds,
)
unreadable = st.sampled_from([{"token": 1}, "坏的", None])

type Batch = tuple[str, list[Any]]


def batched(chance: random.Random, kind: str, entries: list[Any]) -> list[Batch]:
    """Every entry at least once, some again, in any order, in batches of any size."""
    entries = entries + chance.choices(entries, k=chance.randrange(len(entries) + 1)) if entries else []
    chance.shuffle(entries)
    batches: list[Batch] = []
    while entries:
        size = chance.randint(1, len(entries))
        batches.append((kind, entries[:size]))
        entries = entries[size:]
    return batches + chance.choices(batches, k=chance.randrange(3)) if batches else []


def rows_after(receiver: Receiver, batches: list[Batch]) -> tuple[list[Row], list[str]]:
    """The rows in the end, and the digests in quarantine; of both tables emptied first."""
    receiver.empty()
    for kind, entries in batches:
        receiver.now += timedelta(seconds=1)
        assert receiver.take(push(kind, entries)).body == "0"
    rows = without_times(receiver.reports() + receiver.mos())
    for row in rows:
        row.pop("mobile_as_pushed", None)  # the latest's
    return rows, [record["digest"] for record in receiver.held()]


def one_writing(entry: dict[str, Any]) -> str:
    return str(entry).replace("'86189", "'189").replace(".0'", "'")


@some
@given(
    st.lists(reports, max_size=60),
    st.lists(mos, max_size=60),
    st.lists(unreadable, max_size=2),
    st.randoms(use_true_random=False),
)
def test_any_order_any_batching_and_any_repetition_ends_in_the_same_rows(
    receiver: Receiver, some_reports: list[Any], some_mos: list[Any], some_bad: list[Any], chance: random.Random
) -> None:
    once = [("report", some_reports + some_bad), ("mo", some_mos)]
    expected = rows_after(receiver, once)
    assert len(expected[0]) == len({one_writing(entry) for entry in some_reports + some_mos})
    for _ in range(2):
        shuffled = batched(chance, "report", some_reports + some_bad) + batched(chance, "mo", some_mos)
        chance.shuffle(shuffled)
        assert rows_after(receiver, shuffled) == expected
