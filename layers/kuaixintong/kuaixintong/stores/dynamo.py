"""Plain values to DynamoDB's attribute values and back.

The low-level client is used, not the resource: it is safe between threads, and its requests are what the
conditions and the consumed capacity are documented in.
"""

from collections.abc import Mapping
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from boto3.dynamodb.types import TypeDeserializer, TypeSerializer

if TYPE_CHECKING:
    from mypy_boto3_dynamodb.type_defs import AttributeValueTypeDef

type Item = dict[str, Any]

_serialize = TypeSerializer().serialize
_deserialize = TypeDeserializer().deserialize


def to_item(values: Mapping[str, Any]) -> "dict[str, AttributeValueTypeDef]":
    """Return attribute values; ``None`` means "no such attribute", which keeps sparse indexes sparse."""
    return {name: _written(value) for name, value in values.items() if value is not None}


def _written(value: Any) -> "AttributeValueTypeDef":
    """Text, which is most of all rows, is spelled out: boto3's serializer takes ten times as long."""
    return {"S": value} if type(value) is str else _serialize(value)


def from_item(item: "Mapping[str, AttributeValueTypeDef]") -> Item:
    """Return plain values; whole numbers come back as ``int``."""
    return {name: _read(value) for name, value in item.items()}


def _read(value: "AttributeValueTypeDef") -> Any:
    """Read what rows consist of here, and leave what is left to boto3, which takes several times as long."""
    ((kind, told),) = value.items()
    content: Any = told
    match kind:
        case "S" | "BOOL":
            return content
        case "N" if content.isdecimal():
            return int(content)
        case "L":
            return [_read(each) for each in content]
        case "M":
            return {name: _read(each) for name, each in content.items()}
        case _:
            return _plain(_deserialize(value))


def _plain(value: Any) -> Any:
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    return value
