"""Reading rows by key, page after page."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from kuaixintong.stores.aws import our_errors
from kuaixintong.stores.dynamo import Item, from_item

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_dynamodb.type_defs import QueryInputTypeDef


def rows_of(
    client: "DynamoDBClient",
    table: str,
    key: str,
    value: str,
    *,
    index: str | None = None,
    fields: Sequence[str] = (),
    consistent: bool = False,
) -> Iterator[Item]:
    """Yield the rows whose partition key ``key`` is ``value``, in the order of the sort key.

    Pages are read as they are needed; ``fields`` names the attributes that are wanted, none means all. Raises
    :class:`~kuaixintong.core.errors.StoreUnavailable`.
    """
    wanted = {f"#field{number}": name for number, name in enumerate(fields)}
    request: QueryInputTypeDef = {
        "TableName": table,
        "KeyConditionExpression": "#key = :value",
        "ExpressionAttributeNames": {"#key": key, **wanted},
        "ExpressionAttributeValues": {":value": {"S": value}},
        "ConsistentRead": consistent,
    }
    if wanted:
        request["ProjectionExpression"] = ", ".join(wanted)
    if index:
        request["IndexName"] = index
    while True:
        with our_errors():
            page = client.query(**request)
        yield from map(from_item, page["Items"])
        if not (last := page.get("LastEvaluatedKey")):
            return
        request["ExclusiveStartKey"] = last
