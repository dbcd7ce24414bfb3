"""A store that throttles, fails or is slow: ``500 retry``, and after the next push every row is there, once."""

import threading
import time
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ReadTimeoutError

from kuaixintong.core.errors import StoreUnavailable
from kuaixintong.stores.batch import Patience, Writer, jittered
from tests.aws_faults import Fault, Faults, refusal
from tests.aws_faults import answer as cut_off
from tests.receiving import Receiver, metrics, push, report

MANY = 110  # five batches


@pytest.fixture
def receiver(aws: None) -> Receiver:
    return Receiver()


@pytest.fixture(autouse=True)
def no_pauses_inside_boto3(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("botocore.endpoint.time.sleep", lambda _: None)


def all_rows_once(receiver: Receiver) -> bool:
    return Counter(row["mobile"] for row in receiver.reports()) == {f"135{n:08}": 1 for n in range(MANY)}


@pytest.mark.parametrize("chosen", [{0}, {2}, {4}, {1, 3}, {0, 1, 2, 3, 4}])
@pytest.mark.parametrize(
    "fault",
    [
        refusal("InternalServerError", 500),
        refusal("ResourceNotFoundException"),
        refusal("AccessDeniedException"),
        ReadTimeoutError(endpoint_url="https://dynamodb"),
    ],
    ids=["failed inside", "no table", "no permission", "no answer"],
)
@pytest.mark.parametrize("after", [True, False], ids=["after it acted", "before"])
def test_a_failing_store_is_a_retry_and_the_next_push_completes_it(
    receiver: Receiver, chosen: set[int], fault: Fault, after: bool
) -> None:
    incoming = push("report", [report(number) for number in range(MANY)])
    over = threading.Event()
    # boto3 repeats some failures by itself, so a chosen call fails until the push is over
    stuck: set[int] = set()

    def fail(number: int) -> Fault:
        if over.is_set() or not (number in chosen or stuck):
            return None
        stuck.add(number)
        return fault

    faults = Faults(receiver.dynamodb, "BatchWriteItem", fail, after=after)
    answer = receiver.take(incoming)
    over.set()
    assert (answer.status, answer.body) == (500, "retry")
    assert metrics(answer.log) == {"StoreErrors": 1}
    assert "words that may quote a row" not in answer.log
    assert faults.failed
    assert receiver.take(incoming).body == "0"
    assert all_rows_once(receiver)


@pytest.mark.parametrize("operation", ["BatchWriteItem", "UpdateItem"])
@pytest.mark.parametrize("after", [True, False], ids=["after it acted", "before"])
def test_an_answer_of_the_store_that_was_cut_off_is_a_retry(
    receiver: Receiver, operation: str, after: bool
) -> None:
    incoming = push("report", [*(report(number) for number in range(MANY)), "bad"])
    faults = Faults(
        receiver.dynamodb, operation, lambda number: cut_off(b"") if number == 0 else None, after=after
    )
    assert receiver.take(incoming).body == "retry"
    assert faults.failed == 1
    assert receiver.take(incoming).body == "0"
    assert all_rows_once(receiver)
    assert len(receiver.held()) == 1


def test_a_secret_whose_answer_was_cut_off_is_a_retry(receiver: Receiver) -> None:
    Faults(receiver.secrets, "*", lambda number: cut_off(b"") if number == 0 else None)
    assert receiver.take(push("report", [report()])).body == "retry"
    assert receiver.take(push("report", [report()])).body == "0"


@pytest.mark.parametrize(
    "code", ["ProvisionedThroughputExceededException", "ThrottlingException", "RequestLimitExceeded"]
)
def test_throttling_is_waited_out(receiver: Receiver, code: str) -> None:
    faults = Faults(receiver.dynamodb, "BatchWriteItem", lambda number: refusal(code) if number % 9 != 8 else None)
    assert receiver.take(push("report", [report(number) for number in range(MANY)])).body == "0"
    assert faults.failed >= 40
    assert all_rows_once(receiver)


def test_throttling_without_an_end_is_a_retry_before_the_time_is_up(receiver: Receiver) -> None:
    pauses: list[int] = []

    def backoff(attempt: int) -> float:
        pauses.append(attempt)
        return 0.0 if len(pauses) < 50 else 3600.0  # the fiftieth pause is longer than any time left

    receiver.intake.writer._backoff = backoff
    over = threading.Event()
    Faults(receiver.dynamodb, "*", lambda _: None if over.is_set() else refusal("ThrottlingException"))
    incoming = push("report", [*(report(number) for number in range(MANY)), "bad"])
    assert receiver.take(incoming).body == "retry"
    assert len(pauses) >= 50
    over.set()
    assert receiver.take(incoming).body == "0"
    assert all_rows_once(receiver)


def test_a_quarantine_that_fails_is_a_retry_too(receiver: Receiver) -> None:
    over = threading.Event()
    Faults(
        receiver.dynamodb, "UpdateItem", lambda _: None if over.is_set() else refusal("InternalServerError", 500)
    )
    for incoming, then in ((push("report", [report(), "bad"]), 200), (push("report", "bad"), 400)):
        over.clear()
        assert receiver.take(incoming).body == "retry"
        over.set()
        assert receiver.take(incoming).status == then
    assert [record["seen"] for record in receiver.held()] == [1, 1]


def test_a_secrets_manager_that_fails_is_a_retry(receiver: Receiver) -> None:
    Faults(receiver.secrets, "*", lambda _: refusal("InternalServiceError", 500))
    answer = receiver.take(push("report", [report()]))
    assert (answer.status, answer.body) == (500, "retry")
    assert receiver.writes == []


def test_a_slow_store_is_answered_for_in_time(receiver: Receiver) -> None:
    let_go = threading.Event()

    def slow(_: int) -> None:
        assert let_go.wait(30)

    Faults(receiver.dynamodb, "BatchWriteItem", slow)
    begin = time.monotonic()
    # one second is the margin: a tenth is left for the writes
    answer = receiver.take(push("report", [report(number) for number in range(MANY)]), seconds_left=1.1)
    assert time.monotonic() - begin < 10
    let_go.set()
    assert (answer.status, answer.body) == (500, "retry")
    assert "too slow" in answer.log


class Forgetful:
    """A DynamoDB that leaves rows of a batch unprocessed, by turns. Nothing else of it is needed."""

    def __init__(self, leave: Callable[[int, list[Any]], list[Any]]) -> None:
        self.rows: list[Any] = []
        self.sizes: list[int] = []
        self._leave = leave

    def batch_write_item(self, *, RequestItems: dict[str, list[Any]]) -> dict[str, Any]:  # noqa: N803
        ((table, requests),) = RequestItems.items()
        left = self._leave(len(self.sizes), requests)
        self.sizes.append(len(requests))
        self.rows += [each["PutRequest"]["Item"] for each in requests if each not in left]
        return {"UnprocessedItems": {table: left} if left else {}}


def writer_of(dynamodb: Forgetful, backoff: Callable[[int], float] = lambda _: 0.0) -> Writer:
    client: Any = dynamodb
    return Writer(client, threads=1, backoff=backoff)


ROWS: list[Any] = [{"token": {"S": str(number)}} for number in range(60)]


def test_unprocessed_rows_are_put_again_and_only_those() -> None:
    dynamodb = Forgetful(lambda call, requests: requests[10:] if call == 0 else requests[:1] if call == 1 else [])
    writer_of(dynamodb).put("Reports", ROWS, dict, deadline=time.monotonic() + 60)
    assert dynamodb.sizes == [25, 15, 1, 25, 10]
    assert sorted(map(str, dynamodb.rows)) == sorted(map(str, ROWS))


def test_rows_that_stay_unprocessed_are_an_error_in_time() -> None:
    pauses: list[int] = []

    def backoff(attempt: int) -> float:
        pauses.append(attempt)
        return 0.0 if attempt < 20 else 3600.0

    with pytest.raises(StoreUnavailable):
        writer_of(Forgetful(lambda _, requests: requests), backoff).put(
            "Reports", ROWS, dict, deadline=time.monotonic() + 60
        )
    assert pauses[:21] == list(range(21))


def test_when_one_batch_fails_the_others_stop_waiting() -> None:
    patience = Patience(time.monotonic() + 3600, backoff=lambda _: 1800.0)
    patience.give_up()
    with pytest.raises(StoreUnavailable):
        patience.wait(0)


def test_pauses_grow_spread_and_stay_short() -> None:
    assert all(0 <= jittered(attempt) <= min(2.0, 0.05 * 2**attempt) for attempt in range(20) for _ in range(20))
    assert len({jittered(5) for _ in range(20)}) > 10
