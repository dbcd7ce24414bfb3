"""One DynamoDB table, spoken in values: a row in, a row out, every condition told as a value.

What stands behind every promise is a conditional write, so this room knows three kinds of them and no more: put a
row, change one, and write several rows all or none; beside them rows whose content is the same whoever writes them
are put many at once (:meth:`Table.put_some`). A condition that fails is told with the row that stands there
(:class:`Moved`): the read that a write spares.

The twin in ``tests/memory_table.py`` keeps the same rows in memory; the tests of ``test_table_contract.py`` hold
both, and the emulator, to the same behaviour.
"""

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, Unpack, cast

from boto3.dynamodb.conditions import ConditionBase, ConditionExpressionBuilder
from botocore.exceptions import ClientError

from kuaixintong.core.change import Change
from kuaixintong.core.errors import StoreUnavailable
from kuaixintong.stores.aws import our_errors
from kuaixintong.stores.dynamo import Item, from_item, to_item
from kuaixintong.stores.query import Wanted, rows_of

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_dynamodb.type_defs import AttributeValueTypeDef

_CONFLICT_PAUSES = (0.05, 0.1, 0.2, 0.4)
"""Seconds between tries of a transaction that another write of the same row has cancelled."""


_UNPROCESSED_PAUSES = (0.05, 0.1, 0.2, 0.4, 0.8)
"""Seconds between tries of a read of many rows that DynamoDB has done in part."""


class Moved(Exception):
    """A condition has failed. ``standing`` is the row that made it fail; ``None`` if there is none.

    A write that AWS's client repeats after a lost answer meets its own result here; whoever wrote knows it by what
    stands there.
    """

    def __init__(self, standing: Item | None) -> None:
        super().__init__("A condition has failed.")
        self.standing = standing


@dataclass(frozen=True, slots=True)
class Put:
    """Put a row, if the condition holds for what stands there. ``None`` means: no such attribute."""

    row: Mapping[str, Any]
    only_if: ConditionBase | None = None


@dataclass(frozen=True, slots=True)
class Update:
    """Change a row, if the condition holds for it."""

    key: Mapping[str, Any]
    change: Change
    only_if: ConditionBase | None = None


type Write = Put | Update


class Table(Protocol):
    """One table. Every method raises :class:`~kuaixintong.core.errors.StoreUnavailable`."""

    def put(self, row: Mapping[str, Any], *, only_if: ConditionBase | None = None) -> None:
        """Put a row. Raises :class:`Moved`."""

    def update(
        self,
        key: Mapping[str, Any],
        change: Change,
        *,
        only_if: ConditionBase | None = None,
        answer: bool = False,
    ) -> Item:
        """Change a row; with ``answer``, return the whole of it as it is then. Raises :class:`Moved`."""

    def transact(self, writes: Sequence[Write], *, token: str) -> None:
        """Write all or nothing; ``token`` makes a repeated call the same transaction.

        Raises :class:`Moved`, without a row, if a condition fails.
        """

    def put_some(self, rows: Sequence[Mapping[str, Any]]) -> Sequence[Item]:
        """Put up to 25 rows of different keys, whatever stands there; return those that were left undone."""

    def get(self, key: Mapping[str, Any], *, consistent: bool = True) -> Item | None:
        """Return the row with this key."""

    def get_all(self, keys: Sequence[Mapping[str, Any]], *, consistent: bool = True) -> list[Item]:
        """Return the rows that there are of up to 100 keys, no two alike, in any order."""

    def query(self, name: str, value: str, **wanted: Unpack[Wanted]) -> Iterator[Item]:
        """Yield the rows whose partition key ``name`` is ``value``, in the order of the sort key, page by page."""


class DynamoTable:
    """A :class:`Table` in DynamoDB. Safe between threads."""

    def __init__(self, client: "DynamoDBClient", name: str) -> None:
        self._client = client
        self._name = name

    def put(self, row: Mapping[str, Any], *, only_if: ConditionBase | None = None) -> None:
        """Put a row. Raises :class:`Moved`."""
        with _told():
            self._client.put_item(**self._put(Put(row, only_if)), **_TELL)

    def update(
        self,
        key: Mapping[str, Any],
        change: Change,
        *,
        only_if: ConditionBase | None = None,
        answer: bool = False,
    ) -> Item:
        """Change a row; with ``answer``, return the whole of it as it is then. Raises :class:`Moved`."""
        request = self._update(Update(key, change, only_if))
        with _told():
            reply = self._client.update_item(**request, **_TELL, ReturnValues="ALL_NEW" if answer else "NONE")
        return from_item(reply["Attributes"]) if answer else {}

    def transact(self, writes: Sequence[Write], *, token: str) -> None:
        """Write all or nothing; ``token`` makes a repeated call the same transaction.

        Another worker that merely looks at a row by a write of its own cancels the transaction as a conflict. That
        is no answer to the condition, so it is tried again. Raises :class:`Moved`.
        """
        items = [
            {"Put": self._put(each)} if isinstance(each, Put) else {"Update": self._update(each)}
            for each in writes
        ]
        for pause in (*_CONFLICT_PAUSES, None):
            reasons = self._cancelled(items, token)
            if not reasons:
                return
            if "ConditionalCheckFailed" in reasons:
                raise Moved(None)
            if pause is not None:
                time.sleep(pause)
        raise StoreUnavailable("DynamoDB TransactWriteItems: TransactionCanceled")

    def put_some(self, rows: Sequence[Mapping[str, Any]]) -> Sequence[Item]:
        """Put up to 25 rows of different keys, whatever stands there; return those that were left undone."""
        requests: Any = [{"PutRequest": {"Item": to_item(row)}} for row in rows]
        with our_errors():
            answer = self._client.batch_write_item(RequestItems={self._name: requests})
        undone: Any = answer["UnprocessedItems"].get(self._name, [])
        return [from_item(each["PutRequest"]["Item"]) for each in undone]

    def get(self, key: Mapping[str, Any], *, consistent: bool = True) -> Item | None:
        """Return the row with this key."""
        with our_errors():
            found = self._client.get_item(TableName=self._name, Key=to_item(key), ConsistentRead=consistent)
        return from_item(found["Item"]) if "Item" in found else None

    def get_all(self, keys: Sequence[Mapping[str, Any]], *, consistent: bool = True) -> list[Item]:
        """Return the rows that there are of up to 100 keys, no two alike, in any order.

        What DynamoDB leaves unprocessed is asked for again.
        """
        found: list[Item] = []
        rest: Any = [to_item(key) for key in keys]
        for pause in (*_UNPROCESSED_PAUSES, None):
            asked: Any = {self._name: {"Keys": rest, "ConsistentRead": consistent}}
            with our_errors():
                reply = self._client.batch_get_item(RequestItems=asked)
            found += [from_item(each) for each in reply["Responses"].get(self._name, [])]
            left = reply.get("UnprocessedKeys", {}).get(self._name)
            rest = left["Keys"] if left else []
            if not rest:
                return found
            if pause is not None:
                time.sleep(pause)
        raise StoreUnavailable("DynamoDB BatchGetItem: throttled")

    def query(self, name: str, value: str, **wanted: Unpack[Wanted]) -> Iterator[Item]:
        """Yield the rows whose partition key ``name`` is ``value``, in the order of the sort key, page by page."""
        return rows_of(self._client, self._name, name, value, **wanted)

    def _cancelled(self, items: list[dict[str, Any]], token: str) -> set[str]:
        """Write a transaction; return the reasons for which it was cancelled, none if it was not."""
        try:
            with our_errors():
                self._client.transact_write_items(TransactItems=cast(Any, items), ClientRequestToken=token)
        except ClientError as error:
            return {each.get("Code", "") for each in error.response.get("CancellationReasons", [])} or {""}
        return set()

    def _put(self, put: Put) -> dict[str, Any]:
        return {"TableName": self._name, "Item": to_item(put.row), **_condition(put.only_if)}

    def _update(self, update: Update) -> dict[str, Any]:
        change = update.change
        setting = {name: value for name, value in change.values.items() if value is not None}
        handed = change.handed_on
        attributes = (*setting, *change.gone, *change.added, *change.appended, *handed, *handed.values())
        names = {f"#{name}": name for name in attributes}
        clauses = {
            "SET": [
                *(f"#{name} = if_not_exists(#{source}, :blank_)" for name, source in handed.items()),
                *(f"#{name} = list_append(if_not_exists(#{name}, :empty_), :{name})" for name in change.appended),
                *(f"#{name} = :{name}" for name in setting),
            ],
            "REMOVE": [f"#{name}" for name in change.gone],
            "ADD": [f"#{name} :{name}" for name in change.added],
        }
        request: dict[str, Any] = {
            "TableName": self._name,
            "Key": to_item(update.key),
            "UpdateExpression": " ".join(f"{verb} {', '.join(each)}" for verb, each in clauses.items() if each),
            "ExpressionAttributeNames": names,
            "ExpressionAttributeValues": to_item(
                {f":{name}": value for name, value in (setting | {**change.added, **change.appended}).items()}
                | ({":blank_": change.blank} if handed else {})
                | ({":empty_": []} if change.appended else {})
            ),
        }
        condition = _condition(update.only_if)
        for name, value in condition.items():
            request[name] = request[name] | value if isinstance(value, dict) else value
        return {name: value for name, value in request.items() if value}


_TELL: Any = {"ReturnValuesOnConditionCheckFailure": "ALL_OLD"}


def _condition(condition: ConditionBase | None) -> dict[str, Any]:
    """Return a condition as requests carry it. Its placeholders are numbered, ours are named: they never clash."""
    if condition is None:
        return {}
    built = ConditionExpressionBuilder().build_expression(condition)
    values = to_item(built.attribute_value_placeholders)
    return {
        "ConditionExpression": built.condition_expression,
        "ExpressionAttributeNames": built.attribute_name_placeholders,
        **({"ExpressionAttributeValues": values} if values else {}),
    }


@contextmanager
def _told() -> Iterator[None]:
    """Tell a failed condition with the row that stands there."""
    try:
        with our_errors():
            yield
    except ClientError as error:
        old = cast("Mapping[str, AttributeValueTypeDef] | None", error.response.get("Item"))
        raise Moved(from_item(old) if old else None) from error
