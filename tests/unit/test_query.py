"""Questions to DynamoDB: how they are put, page after page, and what becomes of what it leaves out."""

from typing import TYPE_CHECKING, Any, cast

import pytest

from kuaixintong.core.errors import StoreUnavailable
from kuaixintong.stores.query import Sorted, all_of, items_of, pages_of, rows_of
from tests.aws_faults import client_error

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mypy_boto3_dynamodb import DynamoDBClient

PLAIN = {
    "TableName": "a-table",
    "KeyConditionExpression": "#key = :value",
    "ExpressionAttributeNames": {"#key": "mobile"},
    "ExpressionAttributeValues": {":value": {"S": "137"}},
    "ConsistentRead": False,
}


def item(number: int) -> dict[str, Any]:
    return {"n": {"N": str(number)}}


class Client:
    """DynamoDB on paper: hands out pages, and writes down how it was asked."""

    def __init__(self, *pages: list[int]) -> None:
        self.pages = pages
        self.asked: list[dict[str, Any]] = []
        self.fails = False

    def _page(self, asked: dict[str, Any]) -> dict[str, Any]:
        if self.fails:
            raise client_error("Throttled", "Query")
        self.asked.append(dict(asked))
        number = int(asked.get("ExclusiveStartKey", {}).get("page", 0))
        more = {"LastEvaluatedKey": {"page": number + 1}} if number + 1 < len(self.pages) else {}
        return {"Items": [*map(item, self.pages[number])], **more}

    def query(self, **asked: Any) -> dict[str, Any]:
        return self._page(asked)

    def scan(self, **asked: Any) -> dict[str, Any]:
        return self._page(asked)


def of(client: object) -> "DynamoDBClient":
    return cast("DynamoDBClient", client)


# --- one key's rows ---------------------------------------------------------------------------------------------


def test_rows_come_page_after_page_as_they_are_needed() -> None:
    client = Client([1, 2], [], [3])
    rows = rows_of(of(client), "a-table", "mobile", "137")
    assert [next(rows), next(rows)] == [{"n": 1}, {"n": 2}]
    assert client.asked == [PLAIN]
    assert [*rows] == [{"n": 3}]
    assert client.asked[1:] == [PLAIN | {"ExclusiveStartKey": {"page": number}} for number in (1, 2)]
    pages = pages_of(of(Client([1, 2], [3])), "a-table", "mobile", "137")
    assert [*pages] == [[item(1), item(2)], [item(3)]]


@pytest.mark.parametrize(
    ("reading", "asked"),
    [
        ({"consistent": True}, {"ConsistentRead": True}),
        ({"index": "by-day"}, {"IndexName": "by-day"}),
        ({"newest_first": True}, {"ScanIndexForward": False}),
        ({"newest_first": False, "at_once": None, "index": None, "sort": None}, {}),
        ({"at_once": 52}, {"Limit": 52}),
        (
            {"fields": ("part", "state", "history[0]")},
            {
                "ProjectionExpression": "#field0, #field1, history[0]",
                "ExpressionAttributeNames": {"#key": "mobile", "#field0": "part", "#field1": "state"},
            },
        ),
    ],
)
def test_what_is_wanted_is_asked_for(reading: Any, asked: dict[str, Any]) -> None:
    client = Client([])
    assert [*rows_of(of(client), "a-table", "mobile", "137", **reading)] == []
    assert client.asked == [PLAIN | asked]


@pytest.mark.parametrize(
    ("sort", "clause", "values", "inside", "outside"),
    [
        (Sorted("part", prefix="1."), "begins_with(#sort, :prefix)", {":prefix": "1."}, "1.2", "12"),
        (Sorted("part", since="2"), "#sort >= :since", {":since": "2"}, "2", "1"),
        (Sorted("part", up_to="2"), "#sort <= :up_to", {":up_to": "2"}, "2", "3"),
        (
            Sorted("part", since="2", up_to="4"),
            "#sort BETWEEN :since AND :up_to",
            {":since": "2", ":up_to": "4"},
            "4",
            "5",
        ),
    ],
)
def test_a_sort_key_narrows_a_question_as_it_narrows_a_list(
    sort: Sorted, clause: str, values: dict[str, str], inside: str, outside: str
) -> None:
    client = Client([])
    assert [*rows_of(of(client), "a-table", "mobile", "137", sort=sort)] == []
    (asked,) = client.asked
    assert asked["KeyConditionExpression"] == f"#key = :value AND {clause}"
    assert asked["ExpressionAttributeNames"] == {"#key": "mobile", "#sort": "part"}
    written = {name: {"S": value} for name, value in values.items()}
    assert asked["ExpressionAttributeValues"] == {":value": {"S": "137"}} | written
    assert inside in sort
    assert outside not in sort


def test_a_sort_key_that_is_not_narrowed_is_not_asked_about() -> None:
    client = Client([])
    assert [*rows_of(of(client), "a-table", "mobile", "137", sort=Sorted("part"))] == []
    assert client.asked == [PLAIN]
    assert "anything" in Sorted("part")


def test_a_question_that_fails_is_trouble_of_the_stores() -> None:
    client = Client([])
    client.fails = True
    for rows in (rows_of(of(client), "a-table", "mobile", "137"), all_of(of(client), "a-table")):
        with pytest.raises(StoreUnavailable):
            next(rows)


# --- a whole table ----------------------------------------------------------------------------------------------


def test_a_whole_table_comes_page_after_page() -> None:
    client = Client([1], [2], [3])
    assert [*all_of(of(client), "a-table")] == [{"n": 1}, {"n": 2}, {"n": 3}]
    pages = [{}, {"ExclusiveStartKey": {"page": 1}}, {"ExclusiveStartKey": {"page": 2}}]
    assert client.asked == [{"TableName": "a-table"} | page for page in pages]


def test_of_a_whole_table_those_that_are_equal_are_asked_for() -> None:
    client = Client([1])
    assert [*all_of(of(client), "a-table", chunk=0, what="opt-out")] == [{"n": 1}]
    assert client.asked == [
        {
            "TableName": "a-table",
            "FilterExpression": "#chunk = :chunk AND #what = :what",
            "ExpressionAttributeNames": {"#chunk": "chunk", "#what": "what"},
            "ExpressionAttributeValues": {":chunk": {"N": "0"}, ":what": {"S": "opt-out"}},
        }
    ]


# --- many keys --------------------------------------------------------------------------------------------------


class Reluctant:
    """Reads so many of the keys of each call, in turn, and leaves the rest."""

    def __init__(self, *takes: int) -> None:
        self.takes: Iterator[int] = iter(takes)
        self.asked: list[dict[str, Any]] = []

    def batch_get_item(self, *, RequestItems: dict[str, Any]) -> dict[str, Any]:  # noqa: N803
        ((table, asked),) = RequestItems.items()
        assert table == "a-table"
        self.asked.append(asked)
        count = next(self.takes)
        read, left = asked["Keys"][:count], asked["Keys"][count:]
        responses = {table: read} if read else {}
        return {"Responses": responses, "UnprocessedKeys": {table: {"Keys": left}} if left else {}}


@pytest.fixture
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    pauses: list[float] = []
    monkeypatch.setattr("kuaixintong.stores.query.sleep", pauses.append)
    monkeypatch.setattr("kuaixintong.stores.query.jittered", lambda attempt: attempt)
    return pauses


KEYS = [{"n": number} for number in range(4)]


def test_what_is_left_out_of_a_batch_is_asked_for_again_at_once(pauses: list[float]) -> None:
    client = Reluctant(2, 1, 1)
    assert items_of(of(client), "a-table", KEYS, fields=("n",), consistent=True) == KEYS
    assert [len(each["Keys"]) for each in client.asked] == [4, 2, 1]
    assert all(
        (each["ConsistentRead"], each["ProjectionExpression"], each["ExpressionAttributeNames"])
        == (True, "#field0", {"#field0": "n"})
        for each in client.asked
    )
    assert pauses == []


def test_what_is_throttled_is_asked_for_after_longer_and_longer(pauses: list[float]) -> None:
    client = Reluctant(0, 0, 3, 0, 1)
    assert items_of(of(client), "a-table", KEYS) == KEYS
    assert pauses == [1, 2, 3]
    assert not any(each["ConsistentRead"] for each in client.asked)
    assert "ProjectionExpression" not in client.asked[0]


def test_a_batch_of_which_nothing_comes_is_given_up(pauses: list[float]) -> None:
    client = Reluctant(*[0] * 20)
    with pytest.raises(StoreUnavailable, match=r"^DynamoDB BatchGetItem: throttled$"):
        items_of(of(client), "a-table", KEYS)
    assert len(client.asked) == 8
    assert items_of(of(client), "a-table", []) == []
    assert len(client.asked) == 8
