"""A table's edges: transactions that meet others, and what DynamoDB does in part."""

from typing import TYPE_CHECKING, Any, cast

import pytest
from botocore.exceptions import ClientError

from kuaixintong.core.change import Change
from kuaixintong.core.errors import StoreUnavailable
from kuaixintong.stores.table import DynamoTable, Moved, Put, Update, Write

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

KEY = {"send_id": "a", "part": "1"}
WRITES: list[Write] = [Put(KEY), Update(KEY, Change({"state": "SPLIT"}))]
CONFLICT = [{"Code": "None"}, {"Code": "TransactionConflict"}]


class Client:
    """DynamoDB on paper: cancels the first transactions for these reasons, and leaves some of a batch undone."""

    def __init__(self, *cancelled: list[dict[str, str]] | None, leaves: int = 0) -> None:
        self.cancelled = list(cancelled)
        self.leaves = leaves
        self.tokens: list[str] = []
        self.asked: list[int] = []

    def transact_write_items(self, *, TransactItems: list[Any], ClientRequestToken: str) -> None:  # noqa: N803
        assert [next(iter(each)) for each in TransactItems] == ["Put", "Update"]
        self.tokens.append(ClientRequestToken)
        if self.cancelled:
            reasons = self.cancelled.pop(0)
            told: dict[str, Any] = {"Error": {"Code": "TransactionCanceledException"}}
            told |= {} if reasons is None else {"CancellationReasons": reasons}
            raise ClientError(told, "TransactWriteItems")  # type: ignore[arg-type]

    def batch_write_item(self, *, RequestItems: dict[str, Any]) -> dict[str, Any]:  # noqa: N803
        ((table, requests),) = RequestItems.items()
        left = requests[: self.leaves]
        return {"UnprocessedItems": {table: left} if left else {}}

    def batch_get_item(self, *, RequestItems: dict[str, Any]) -> dict[str, Any]:  # noqa: N803
        ((table, asked),) = RequestItems.items()
        self.asked.append(len(asked["Keys"]))
        return {"Responses": {}, "UnprocessedKeys": {table: {"Keys": asked["Keys"]}}}


@pytest.fixture
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    pauses: list[float] = []
    monkeypatch.setattr("kuaixintong.stores.table.time.sleep", pauses.append)
    return pauses


def table(client: Client) -> DynamoTable:
    return DynamoTable(cast("DynamoDBClient", client), "a-table")


@pytest.mark.parametrize(
    "reasons", [CONFLICT, [{}], [], None], ids=["conflict", "no code", "no reason", "nothing"]
)
def test_a_transaction_that_meets_another_is_made_again_as_the_same(
    pauses: list[float], reasons: list[dict[str, str]] | None
) -> None:
    client = Client(reasons, reasons)
    table(client).transact(WRITES, token="a-token")
    assert client.tokens == ["a-token"] * 3
    assert len(pauses) == 2
    assert pauses == sorted(pauses)


def test_a_transaction_whose_condition_fails_is_told_at_once(pauses: list[float]) -> None:
    client = Client([{"Code": "TransactionConflict"}, {"Code": "ConditionalCheckFailed"}])
    with pytest.raises(Moved) as caught:
        table(client).transact(WRITES, token="a-token")
    assert caught.value.standing is None
    assert pauses == []


def test_a_transaction_that_never_comes_through_is_trouble(pauses: list[float]) -> None:
    client = Client(*[CONFLICT] * 20)
    with pytest.raises(StoreUnavailable, match=r"^DynamoDB TransactWriteItems: TransactionCanceled$"):
        table(client).transact(WRITES, token="a-token")
    assert len(client.tokens) == len(pauses) + 1 < 20
    assert sum(pauses) < 10


@pytest.mark.parametrize("leaves", [0, 2])
def test_rows_that_are_left_undone_are_told(leaves: int) -> None:
    rows = [{"n": number} for number in range(3)]
    assert table(Client(leaves=leaves)).put_some(rows) == rows[:leaves]


def test_keys_that_are_left_unprocessed_are_asked_for_after_longer_and_longer(pauses: list[float]) -> None:
    client = Client()
    with pytest.raises(StoreUnavailable, match=r"^DynamoDB BatchGetItem: throttled$"):
        table(client).get_all([KEY])
    assert pauses == [0.05, 0.1, 0.2, 0.4, 0.8]
    assert client.asked == [1] * 6
