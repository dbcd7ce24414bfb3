"""What a look at mobiles rests on: reads that DynamoDB does in part, and the allow-list."""

from typing import Any

import pytest

from kuaixintong.core.errors import StoreUnavailable
from kuaixintong.stores.allow_list import AllowList
from kuaixintong.stores.dynamo import to_item
from kuaixintong.stores.table import DynamoTable
from tests.aws_faults import client_error

KEYS = [{"mobile": f"1370000000{number}", "what": "opt-out"} for number in range(3)]


class Reluctant:
    """A DynamoDB that reads one row of each call, and leaves the rest for the next."""

    def __init__(self, calls: int | None = None) -> None:
        self.asked: list[Any] = []
        self._calls = calls

    def batch_get_item(self, RequestItems: dict[str, Any]) -> dict[str, Any]:  # noqa: N803  # boto3's word
        (name, asked) = next(iter(RequestItems.items()))
        self.asked.append(asked)
        if self._calls is not None and len(self.asked) > self._calls:
            return {"Responses": {}, "UnprocessedKeys": {name: asked}}
        first, *rest = asked["Keys"]
        left = {name: asked | {"Keys": rest}} if rest else {}
        return {"Responses": {name: [first]}, "UnprocessedKeys": left}


@pytest.fixture(autouse=True)
def in_no_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("kuaixintong.stores.table.time.sleep", lambda _: None)


def test_what_is_left_unprocessed_is_asked_for_again() -> None:
    client = Reluctant()
    rows = DynamoTable(client, "mobiles").get_all(KEYS)  # type: ignore[arg-type]
    assert rows == KEYS
    assert [len(each["Keys"]) for each in client.asked] == [3, 2, 1]
    assert all(each["ConsistentRead"] is True for each in client.asked)
    assert client.asked[0]["Keys"] == [to_item(key) for key in KEYS]


def test_a_read_that_never_comes_to_its_end_is_no_answer() -> None:
    with pytest.raises(StoreUnavailable):
        DynamoTable(Reluctant(calls=1), "mobiles").get_all(KEYS)  # type: ignore[arg-type]


class Parameters:
    """As much of Systems Manager as one parameter needs."""

    def __init__(self, value: str) -> None:
        self.value = value
        self.calls = 0
        self.fails = False

    def get_parameter(self, Name: str) -> dict[str, Any]:  # noqa: N803
        assert Name == "a-name"
        self.calls += 1
        if self.fails:
            raise client_error("ThrottlingException", "GetParameter")
        return {"Parameter": {"Name": Name, "Value": self.value}}


def test_the_allow_list_is_read_once_a_minute() -> None:
    parameters, now = Parameters("13700000001,13700000002"), [0.0]
    allowed = AllowList(parameters, "a-name", monotonic=lambda: now[0])
    for _ in range(3):
        assert allowed.get() == frozenset({"13700000001", "13700000002"})
    assert parameters.calls == 1
    parameters.value, now[0] = "*", 59.9
    assert allowed.get() is not None
    now[0] = 60.0
    assert (allowed.get(), parameters.calls) == (None, 2)


def test_while_the_allow_list_cannot_be_read_nobody_is_allowed() -> None:
    parameters = Parameters("13700000001")
    parameters.fails = True
    allowed = AllowList(parameters, "a-name", monotonic=lambda: 0.0)
    for _ in range(2):
        with pytest.raises(StoreUnavailable, match="Systems Manager"):
            allowed.get()
    parameters.fails = False
    assert allowed.get() == frozenset({"13700000001"})
