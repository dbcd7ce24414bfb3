"""Reading rows: page after page of a query or of a whole table, and many rows whose keys are known at once."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from time import sleep
from typing import TYPE_CHECKING, Any, TypedDict, Unpack

from kuaixintong.core.errors import StoreUnavailable
from kuaixintong.stores.aws import our_errors
from kuaixintong.stores.batch import jittered
from kuaixintong.stores.dynamo import Item, from_item, to_item

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_dynamodb.type_defs import (
        AttributeValueTypeDef,
        KeysAndAttributesTypeDef,
        QueryInputTypeDef,
        ScanInputTypeDef,
    )

MOST_KEYS = 100
"""Keys in one ``BatchGetItem``."""

_TRIES = 8
"""How often a batch is asked for what DynamoDB has left out of it and nothing comes, before it is given up."""


@dataclass(frozen=True, slots=True)
class Sorted:
    """A condition on the sort key ``name``: it begins with ``prefix``, or lies between ``since`` and ``up_to``.

    Both ends count, and either may be missing.
    """

    name: str
    prefix: str | None = None
    up_to: str | None = None
    since: str | None = None

    def __contains__(self, value: str) -> bool:
        if self.prefix is not None:
            return value.startswith(self.prefix)
        return (self.since is None or self.since <= value) and (self.up_to is None or value <= self.up_to)


class Wanted(TypedDict, total=False):
    """Which of a key's rows are wanted, and how much of them.

    ``fields`` names the attributes that are wanted, none means all; ``sort`` narrows the sort key.
    """

    index: str | None
    fields: Sequence[str]
    consistent: bool
    sort: Sorted | None


class Order(TypedDict, total=False):
    """In which direction of the sort key rows come, and how many in one call; else as many as 1 MB holds."""

    newest_first: bool
    at_once: int | None


class Reading(Wanted, Order, total=False):
    """All that a query can be told beside its key."""


def rows_of(
    client: "DynamoDBClient", table: str, key: str, value: str, **reading: Unpack[Reading]
) -> Iterator[Item]:
    """Yield the rows whose partition key ``key`` is ``value``, in the order of the sort key.

    Pages are read as they are needed. Raises :class:`~kuaixintong.core.errors.StoreUnavailable`.
    """
    for page in pages_of(client, table, key, value, **reading):
        yield from map(from_item, page)


def pages_of(
    client: "DynamoDBClient", table: str, key: str, value: str, **reading: Unpack[Reading]
) -> "Iterator[Sequence[Mapping[str, AttributeValueTypeDef]]]":
    """Yield the same rows page by page, as DynamoDB cuts and writes them: for those who count."""
    projected, names = _projection(reading.get("fields", ()))
    request: QueryInputTypeDef = {
        "TableName": table,
        "KeyConditionExpression": "#key = :value",
        "ExpressionAttributeNames": {"#key": key, **names},
        "ExpressionAttributeValues": {":value": {"S": value}},
        "ConsistentRead": reading.get("consistent", False),
    }
    if sort := reading.get("sort"):
        _narrow(request, sort)
    if projected:
        request["ProjectionExpression"] = projected
    if index := reading.get("index"):
        request["IndexName"] = index
    if reading.get("newest_first"):
        request["ScanIndexForward"] = False
    if at_once := reading.get("at_once"):
        request["Limit"] = at_once
    while True:
        with our_errors():
            page = client.query(**request)
        yield page["Items"]
        if not (last := page.get("LastEvaluatedKey")):
            return
        request["ExclusiveStartKey"] = last


def all_of(client: "DynamoDBClient", table: str, **equal: Any) -> Iterator[Item]:
    """Yield the rows of a table whose attributes are ``equal`` to these, in no order, page by page.

    The whole table is read for it. Raises :class:`~kuaixintong.core.errors.StoreUnavailable`.
    """
    request: ScanInputTypeDef = {"TableName": table}
    if equal:
        request["FilterExpression"] = " AND ".join(f"#{name} = :{name}" for name in equal)
        request["ExpressionAttributeNames"] = {f"#{name}": name for name in equal}
        request["ExpressionAttributeValues"] = to_item({f":{name}": value for name, value in equal.items()})
    while True:
        with our_errors():
            page = client.scan(**request)
        yield from map(from_item, page["Items"])
        if not (last := page.get("LastEvaluatedKey")):
            return
        request["ExclusiveStartKey"] = last


def items_of(
    client: "DynamoDBClient",
    table: str,
    keys: Sequence[Mapping[str, Any]],
    *,
    fields: Sequence[str] = (),
    consistent: bool = False,
) -> list[Item]:
    """Return those rows of up to 100 different keys that are there, in any order.

    Raises :class:`~kuaixintong.core.errors.StoreUnavailable`, also if DynamoDB does not come round to all of them.
    """
    projected, names = _projection(fields)
    asked: KeysAndAttributesTypeDef = {"Keys": [to_item(key) for key in keys], "ConsistentRead": consistent}
    if projected:
        asked |= {"ProjectionExpression": projected, "ExpressionAttributeNames": names}
    found: list[Item] = []
    attempt = 0
    while asked["Keys"]:
        with our_errors():
            answer = client.batch_get_item(RequestItems={table: asked})
        got = answer["Responses"].get(table, [])
        found += map(from_item, got)
        if not (left := answer["UnprocessedKeys"].get(table)):
            break
        asked = asked | {"Keys": left["Keys"]}
        if not got:  # 16 MB were not the reason
            attempt += 1
            if attempt == _TRIES:
                raise StoreUnavailable("DynamoDB BatchGetItem: throttled")
            sleep(jittered(attempt))
    return found


def _projection(fields: Sequence[str]) -> tuple[str, dict[str, str]]:
    """Return the expression of what is wanted, and the names in it.

    An element of a list, ``name[0]``, is spelled out: ``name`` must be none of DynamoDB's reserved words.
    """
    names = {f"#field{number}": name for number, name in enumerate(fields) if "[" not in name}
    return ", ".join([*names, *(name for name in fields if "[" in name)]), names


def _narrow(request: "QueryInputTypeDef", sort: Sorted) -> None:
    if sort.prefix is not None:
        clause, values = "begins_with(#sort, :prefix)", {":prefix": sort.prefix}
    elif sort.since is not None and sort.up_to is not None:
        clause, values = "#sort BETWEEN :since AND :up_to", {":since": sort.since, ":up_to": sort.up_to}
    elif sort.since is not None:
        clause, values = "#sort >= :since", {":since": sort.since}
    elif sort.up_to is not None:
        clause, values = "#sort <= :up_to", {":up_to": sort.up_to}
    else:
        return
    request["KeyConditionExpression"] = f"{request['KeyConditionExpression']} AND {clause}"
    request["ExpressionAttributeNames"] = {**request["ExpressionAttributeNames"], "#sort": sort.name}
    request["ExpressionAttributeValues"] = {**request["ExpressionAttributeValues"], **to_item(values)}
