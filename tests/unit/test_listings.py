"""How listings are asked for: by which index, from where on, how much at once, and no more than is shown."""

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, cast

import pytest

from kuaixintong.core.errors import SettingsMissing
from kuaixintong.stores.listings import Listings, Tables

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

TABLES = Tables("sends", "outbound", "campaigns", "mobiles", "account")


class Client:
    """Writes down how it is queried, and has nothing."""

    def __init__(self) -> None:
        self.asked: list[dict[str, Any]] = []

    def query(self, **asked: Any) -> dict[str, Any]:
        self.asked.append(asked)
        return {"Items": []}

    get_item = query


def asked(ask: Callable[[Listings], Iterator[Any]], tables: Tables = TABLES) -> dict[str, Any]:
    """What one question asks DynamoDB, in short."""
    client = Client()
    assert not any(ask(Listings(cast("DynamoDBClient", client), tables)))
    (request,) = client.asked
    names, values = request["ExpressionAttributeNames"], request["ExpressionAttributeValues"]
    return {
        "table": request["TableName"],
        "key": (names["#key"], values[":value"]["S"]),
        "index": request.get("IndexName"),
        "sort": (names.get("#sort"), *(value["S"] for name, value in values.items() if name != ":value")),
        "newest first": request.get("ScanIndexForward") is False,
        "at once": request.get("Limit"),
        "fields": [name for place, name in names.items() if place.startswith("#field")],
    }


PLAIN: dict[str, Any] = {
    "table": "sends",
    "index": None,
    "sort": (None,),
    "newest first": False,
    "at once": None,
    "fields": [],
}
NEWEST = PLAIN | {"newest first": True, "at once": 52, "sort": ("created_at", "then")}


def test_lists_come_newest_first_from_a_place_on_and_a_page_at_once() -> None:
    assert asked(lambda lists: lists.of_day("2026-11-23#0", up_to="then", at_once=52)) == NEWEST | {
        "key": ("day_shard", "2026-11-23#0"),
        "index": "by-day",
    }
    assert asked(lambda lists: lists.of_campaign("autumn#0", up_to="then", at_once=52)) == NEWEST | {
        "key": ("campaign_shard", "autumn#0"),
        "index": "by-campaign",
    }
    assert asked(lambda lists: lists.campaigns_of("2026-11-23", up_to="then", at_once=52)) == NEWEST | {
        "table": "campaigns",
        "key": ("day", "2026-11-23"),
        "index": "by-day",
    }
    first = asked(lambda lists: lists.of_day("2026-11-23#0", up_to=None, at_once=52))
    assert first["sort"] == (None,)


def test_whoever_counts_or_streams_asks_for_no_more_than_that_takes() -> None:
    of_campaign = PLAIN | {"key": ("campaign_shard", "autumn#0"), "index": "by-campaign"}
    assert asked(lambda lists: lists.states("autumn#0")) == of_campaign | {"fields": ["part", "state"]}
    assert asked(lambda lists: lists.in_order("autumn#0", at_once=10_000)) == of_campaign | {
        "fields": ["send_id", "part"],
        "at once": 10_000,
    }


def test_parts_of_a_send_or_the_halves_of_one_part() -> None:
    of_send = PLAIN | {"key": ("send_id", "a"), "fields": ["send_id", "part", "state"]}
    assert asked(lambda lists: lists.parts_of("a", ("state",))) == of_send
    assert asked(lambda lists: lists.parts_of("a", ("state",), within="1")) == of_send | {"sort": ("part", "1.")}


def test_what_goes_to_a_mobile_and_what_holds_for_it() -> None:
    of_mobile = PLAIN | {"key": ("mobile", "137")}
    assert asked(lambda lists: lists.sends_to("137")) == of_mobile | {
        "table": "outbound",
        "fields": ["send_id", "part"],
    }
    assert asked(lambda lists: lists.facts_of("137")) == of_mobile | {"table": "mobiles"}


def test_a_table_that_is_not_named_is_missed_by_who_asks_for_it_alone() -> None:
    client = Client()
    lists = Listings(cast("DynamoDBClient", client), Tables("sends"))
    assert [*lists.facts_of("137")] == []
    for ask in (
        lambda: lists.sends_to("137"),
        lambda: lists.campaigns_of("2026-11-23", up_to=None, at_once=1),
        lambda: lists.campaign("autumn"),
        lambda: lists.account("1"),
    ):
        with pytest.raises(SettingsMissing, match="_TABLE is missing"):
            ask()
    assert client.asked == []
