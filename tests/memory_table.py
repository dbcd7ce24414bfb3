"""The twin of :class:`~kuaixintong.stores.table.DynamoTable`: the same rows, kept in memory.

It holds what the stores rely on, and no more: conditions, transactions, sort order, sparse indexes. What a
condition means is read off boto3's own conditions, so a test writes none down a second time. One lock makes every
call atomic.
"""

import threading
from collections.abc import Iterator, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, field
from typing import Any

from boto3.dynamodb.conditions import ConditionBase

from kuaixintong.core.change import Change
from kuaixintong.stores.dynamo import Item
from kuaixintong.stores.table import Moved, Put, Write
from tests.template import tables

type Key = tuple[Any, ...]


@dataclass
class MemoryTable:
    """One of the template's tables, by its logical name."""

    logical: str
    rows: dict[Key, Item] = field(default_factory=dict)

    def __post_init__(self) -> None:
        table = tables()[self.logical]
        self._keys = _key_names(table)
        self._indexes = {each["IndexName"]: _key_names(each) for each in table.get("GlobalSecondaryIndexes", ())}
        self._lock = threading.RLock()
        self._done: set[str] = set()

    def put(self, row: Mapping[str, Any], *, only_if: ConditionBase | None = None) -> None:
        """Put a row. Raises :class:`Moved`."""
        with self._lock:
            self._check(self._key(row), only_if)
            self.rows[self._key(row)] = _kept(row)

    def update(
        self, key: Mapping[str, Any], change: Change, *, only_if: ConditionBase | None = None, answer: bool = False
    ) -> Item:
        """Change a row. Raises :class:`Moved`."""
        with self._lock:
            self._check(self._key(key), only_if)
            changed = self._changed(key, change)
            self.rows[self._key(key)] = changed
            return deepcopy(changed) if answer else {}

    def transact(self, writes: Sequence[Write], *, token: str) -> None:
        """Write all or nothing. Raises :class:`Moved`."""
        with self._lock:
            if token in self._done:
                return
            for each in writes:
                try:
                    self._check(self._key(each.row if isinstance(each, Put) else each.key), each.only_if)
                except Moved:
                    raise Moved(None) from None
            for each in writes:
                if isinstance(each, Put):
                    self.rows[self._key(each.row)] = _kept(each.row)
                else:
                    self.rows[self._key(each.key)] = self._changed(each.key, each.change)
            self._done.add(token)

    def get(self, key: Mapping[str, Any], *, consistent: bool = True) -> Item | None:
        """Return the row with this key."""
        with self._lock:
            found = self.rows.get(self._key(key))
            return deepcopy(found) if found is not None else None

    def query(
        self,
        name: str,
        value: str,
        *,
        index: str | None = None,
        fields: Sequence[str] = (),
        consistent: bool = False,
    ) -> Iterator[Item]:
        """Yield rows in the order of the sort key."""
        hashed, *ranged = self._indexes[index] if index else self._keys
        assert name == hashed
        with self._lock:
            found = [
                deepcopy(row)
                for row in self.rows.values()
                if row.get(name) == value and all(each in row for each in ranged)
            ]
        found.sort(key=lambda row: [row[each] for each in ranged])
        for row in found:
            yield {each: row[each] for each in fields if each in row} if fields else row

    def _key(self, row: Mapping[str, Any]) -> Key:
        return tuple(str(row[name]) if isinstance(row[name], str) else row[name] for name in self._keys)

    def _check(self, key: Key, condition: ConditionBase | None) -> None:
        standing = self.rows.get(key)
        if condition is not None and not holds(condition, standing or {}):
            raise Moved(deepcopy(standing))

    def _changed(self, key: Mapping[str, Any], change: Change) -> Item:
        row = self.rows.get(self._key(key), {**key})
        changed = {name: value for name, value in row.items() if name not in change.gone}
        changed |= _kept(change.values)
        for name, count in change.added.items():
            changed[name] = row.get(name, 0) + count
        return changed


def holds(condition: ConditionBase, row: Mapping[str, Any]) -> bool:
    """Return whether a condition holds for a row, by DynamoDB's rules: what is absent compares to nothing."""
    told = condition.get_expression()
    operator, (first, *rest) = told["operator"], told["values"]
    match operator:
        case "AND":
            return holds(first, row) and holds(rest[0], row)
        case "OR":
            return holds(first, row) or holds(rest[0], row)
        case "NOT":
            return not holds(first, row)
        case "attribute_exists":
            return first.name in row
        case "attribute_not_exists":
            return first.name not in row
    if first.name not in row:
        return operator == "<>"
    return _compares(operator, row[first.name], rest)


def _compares(operator: str, value: Any, others: Sequence[Any]) -> bool:
    match operator:
        case "=":
            return bool(value == others[0])
        case "<>":
            return bool(value != others[0])
        case "<":
            return bool(value < others[0])
        case "<=":
            return bool(value <= others[0])
        case ">":
            return bool(value > others[0])
        case ">=":
            return bool(value >= others[0])
        case "BETWEEN":
            return bool(others[0] <= value <= others[1])
        case "IN":
            return value in others[0]
        case _:
            raise NotImplementedError(operator)


def _key_names(described: Mapping[str, Any]) -> tuple[str, ...]:
    return tuple(each["AttributeName"] for each in described["KeySchema"])


def _kept(values: Mapping[str, Any]) -> Item:
    return {name: deepcopy(value) for name, value in values.items() if value is not None}
