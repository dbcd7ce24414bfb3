"""Reading rows by key, page after page."""

from collections.abc import Iterator
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
    newest_first: bool = False,
) -> Iterator[Item]:
    """Yield the rows whose partition key ``key`` is ``value``, in the order of the sort key.

    Pages are read as they are needed. Raises :class:`~kuaixintong.core.errors.StoreUnavailable`.
    """
    request: QueryInputTypeDef = {
        "TableName": table,
        "KeyConditionExpression": "#key = :value",
        "ExpressionAttributeNames": {"#key": key},
        "ExpressionAttributeValues": {":value": {"S": value}},
        "ScanIndexForward": not newest_first,
    }
    if index:
        request["IndexName"] = index
    while True:
        with our_errors():
            page = client.query(**request)
        yield from map(from_item, page["Items"])
        if not (last := page.get("LastEvaluatedKey")):
            return
        request["ExclusiveStartKey"] = last
