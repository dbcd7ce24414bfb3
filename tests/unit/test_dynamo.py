"""Rows to DynamoDB's notation and back: plain values, whole numbers as ``int``, in lists and maps as well."""

from typing import Any

import pytest

from kuaixintong.stores.dynamo import from_item, to_item


@pytest.mark.parametrize(
    "value",
    [
        "",
        "你好",
        0,
        7,
        -7,
        10**20,
        True,
        False,
        ["13700000001", "13700000002"],
        [],
        {"mobile": "12345", "reason": "not 11 digits", "deep": [{"n": -1, "known": False}]},
        {},
        {"a", "b"},
    ],
)
def test_a_value_comes_back_as_it_was(value: Any) -> None:
    found = from_item(to_item({"value": value}))["value"]
    assert found == value
    assert type(found) is type(value)


@pytest.mark.parametrize(
    ("written", "read"),
    [({"N": "1.5"}, 1.5), ({"N": "1E+2"}, 100), ({"N": "-0"}, 0), ({"NULL": True}, None), ({"S": "1"}, "1")],
)
def test_what_dynamodb_may_write_is_read(written: Any, read: Any) -> None:
    found = from_item({"value": written})["value"]
    assert (found, type(found)) == (read, type(read))


def test_what_is_none_is_no_attribute() -> None:
    assert to_item({"a": None, "b": "x"}) == {"b": {"S": "x"}}
