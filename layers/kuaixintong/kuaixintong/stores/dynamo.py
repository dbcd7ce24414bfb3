"""DynamoDB's edge: plain values to attribute values and back, and its errors made ours.

The low-level client is used, not the resource: it is safe between threads, and its requests are what the
conditions and the consumed capacity are documented in.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import boto3
from boto3.dynamodb.types import TypeDeserializer, TypeSerializer
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from kuaixintong.errors import StoreUnavailable

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_dynamodb.type_defs import AttributeValueTypeDef

type Item = dict[str, Any]

_serialize = TypeSerializer().serialize
_deserialize = TypeDeserializer().deserialize


def connect(*, connections: int, attempts: int = 3, validate: bool = True) -> "DynamoDBClient":
    """Return a DynamoDB client for up to ``connections`` threads; a call gives up after ``attempts`` tries.

    Without ``validate``, boto3 does not check parameters against the service's model, which halves the processor
    time of a batch of rows.
    """
    return boto3.client(
        "dynamodb",
        config=Config(
            max_pool_connections=connections,
            connect_timeout=2,
            read_timeout=3,
            retries={"mode": "standard", "total_max_attempts": attempts},
            tcp_keepalive=True,
            parameter_validation=validate,
        ),
    )


def to_item(values: Mapping[str, Any]) -> "dict[str, AttributeValueTypeDef]":
    """Return attribute values; ``None`` means "no such attribute", which keeps sparse indexes sparse."""
    return {name: _serialize(value) for name, value in values.items() if value is not None}


def from_item(item: "Mapping[str, AttributeValueTypeDef]") -> Item:
    """Return plain values; whole numbers come back as ``int``."""
    return {name: _plain(_deserialize(value)) for name, value in item.items()}


def _plain(value: Any) -> Any:
    match value:
        case Decimal():
            return int(value) if value == value.to_integral_value() else float(value)
        case list():
            return [_plain(each) for each in value]
        case dict():
            return {name: _plain(each) for name, each in value.items()}
        case _:
            return value


@contextmanager
def our_errors() -> Iterator[None]:
    """Turn what AWS raises into :class:`StoreUnavailable`, whose text names the operation and AWS's code alone.

    A failed condition is no trouble of the store's: it goes up as it is, for the caller to decide.
    """
    try:
        yield
    except ClientError as error:
        code = error.response.get("Error", {}).get("Code", "")
        if code in ("ConditionalCheckFailedException", "TransactionCanceledException"):
            raise
        raise StoreUnavailable(f"DynamoDB {error.operation_name}: {code}") from error
    except BotoCoreError as error:
        raise StoreUnavailable(f"DynamoDB: {type(error).__name__}") from error
