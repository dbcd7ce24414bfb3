"""The twin of :class:`~kuaixintong.stores.table.DynamoTable`: the same rows, kept in memory.

It holds what the stores rely on, and no more: conditions, transactions, sort order, sparse indexes. What a
condition means is read off boto3's own conditions, so a test writes none down a second time. One lock makes every
call atomic.

A row that is kept is never changed, only replaced: a copy of the table (:meth:`MemoryTable.fork`) shares its rows.
"""

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Any, Self

from boto3.dynamodb.conditions import ConditionBase

from kuaixintong.core.change import Change
from kuaixintong.core.errors import StoreUnavailable
from kuaixintong.core.limits import BATCH_ITEMS, ITEM_BYTES
from kuaixintong.stores.dynamo import Item
from kuaixintong.stores.query import Sorted
from kuaixintong.stores.table import Moved, Put, Write
from tests.template import tables

type Key = tuple[Any, ...]


class MemoryTable:
    """One of the template's tables, by its logical name."""

    def __init__(self, logical: str) -> None:
        table = tables()[logical]
        self.rows: dict[Key, Item] = {}
        self._keys = _key_names(table)
        self._indexes = {each["IndexName"]: _key_names(each) for each in table.get("GlobalSecondaryIndexes", ())}
        self._lock = threading.RLock()
        self._done: set[str] = set()

    def fork(self) -> Self:
        """Return a table as this one is now, for another future."""
        other = object.__new__(type(self))
        with self._lock:
            vars(other).update(vars(self), rows=self.rows.copy(), _done=self._done.copy())
        return other

    def put(self, row: Mapping[str, Any], *, only_if: ConditionBase | None = None) -> None:
        """Put a row. Raises :class:`Moved`."""
        key = self._key(row)
        with self._lock:
            self._check(key, only_if)
            self.rows[key] = _that_fits(_kept(row))

    def update(
        self, key: Mapping[str, Any], change: Change, *, only_if: ConditionBase | None = None, answer: bool = False
    ) -> Item:
        """Change a row. Raises :class:`Moved`."""
        place = self._key(key)
        with self._lock:
            self._check(place, only_if)
            changed = self._changed(place, key, change)
            self.rows[place] = _that_fits(changed)
            return _copied(changed) if answer else {}

    def transact(self, writes: Sequence[Write], *, token: str) -> None:
        """Write all or nothing. Raises :class:`Moved`."""
        places = [self._key(each.row if isinstance(each, Put) else each.key) for each in writes]
        if len({*places}) < len(places):
            raise StoreUnavailable("DynamoDB TransactWriteItems: ValidationException")
        with self._lock:
            if token in self._done:
                return
            for place, each in zip(places, writes, strict=True):
                if not self._holds(place, each.only_if):
                    raise Moved(None)
            self.rows |= {
                place: _that_fits(
                    _kept(each.row) if isinstance(each, Put) else self._changed(place, each.key, each.change)
                )
                for place, each in zip(places, writes, strict=True)
            }
            self._done.add(token)

    def put_some(self, rows: Sequence[Mapping[str, Any]]) -> Sequence[Item]:
        """Put up to 25 rows of different keys."""
        kept = {self._key(row): _that_fits(_kept(row)) for row in rows}
        if not 1 <= len(rows) == len(kept) <= BATCH_ITEMS:
            raise StoreUnavailable("DynamoDB BatchWriteItem: ValidationException")
        with self._lock:
            self.rows |= kept
        return ()

    def get(self, key: Mapping[str, Any], *, consistent: bool = True) -> Item | None:
        """Return the row with this key."""
        with self._lock:
            found = self.rows.get(self._key(key))
        return _copied(found) if found is not None else None

    def get_all(self, keys: Sequence[Mapping[str, Any]], *, consistent: bool = True) -> list[Item]:
        """Return the rows that there are."""
        assert len({self._key(key) for key in keys}) == len(keys) <= 100
        with self._lock:
            return [_copied(found) for key in keys if (found := self.rows.get(self._key(key))) is not None]

    def query(
        self,
        name: str,
        value: str,
        *,
        index: str | None = None,
        fields: Sequence[str] = (),
        consistent: bool = False,
        sort: Sorted | None = None,
    ) -> Iterator[Item]:
        """Yield rows in the order of the sort key."""
        hashed, *ranged = self._indexes[index] if index else self._keys
        assert name == hashed
        assert sort is None or [sort.name] == ranged
        with self._lock:
            found = [
                row for row in self.rows.values() if row.get(name) == value and all(each in row for each in ranged)
            ]
        if sort:
            found = [row for row in found if row[sort.name] in sort]
        found.sort(key=lambda row: [row[each] for each in ranged])
        for row in found:
            yield _copied({each: row[each] for each in fields if each in row} if fields else row)

    def _key(self, row: Mapping[str, Any]) -> Key:
        key = tuple([row[name] for name in self._keys])
        if "" in key:
            raise StoreUnavailable("DynamoDB: ValidationException")
        return key

    def _holds(self, key: Key, condition: ConditionBase | None) -> bool:
        return condition is None or holds(condition, self.rows.get(key, {}))

    def _check(self, key: Key, condition: ConditionBase | None) -> None:
        if not self._holds(key, condition):
            standing = self.rows.get(key)
            raise Moved(_copied(standing) if standing is not None else None)

    def _changed(self, place: Key, key: Mapping[str, Any], change: Change) -> Item:
        row = self.rows.get(place) or _kept(key)
        handed_on = {name: row.get(source, change.blank) for name, source in change.handed_on.items()}
        changed = {**row, **handed_on, **_kept(change.values)}
        for name in change.gone:
            changed.pop(name, None)
        for name, count in change.added.items():
            changed[name] = row.get(name, 0) + count
        for name, more in change.appended.items():
            changed[name] = [*row.get(name, ()), *_own(more)]
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
    return bool(_COMPARISONS[operator](row[first.name], *rest))


_COMPARISONS: dict[str, Callable[..., Any]] = {
    "=": lambda value, other: _alike(value, other) and value == other,
    "<>": lambda value, other: not _alike(value, other) or value != other,
    "<": lambda value, other: _alike(value, other) and value < other,
    "<=": lambda value, other: _alike(value, other) and value <= other,
    ">": lambda value, other: _alike(value, other) and value > other,
    ">=": lambda value, other: _alike(value, other) and value >= other,
    "IN": lambda value, others: any(_alike(value, other) and value == other for other in others),
    "BETWEEN": lambda value, least, most: _alike(value, least) and least <= value <= most,
    "begins_with": lambda value, beginning: _alike(value, beginning) and value.startswith(beginning),
    "contains": lambda value, what: what in value,
}


_LONG = 1_000
"""Elements or characters from which a row is weighed."""

_TYPES: dict[type, str] = {str: "S", int: "N", Decimal: "N", bool: "BOOL", bytes: "B", list: "L", dict: "M"}


def _alike(value: Any, other: Any) -> bool:
    """Whether two values are of one type of DynamoDB's; others are never equal, less or more."""
    return _kind(value) == _kind(other)


def _kind(value: Any) -> str:
    return _TYPES.get(type(value)) or next(name for kind, name in _TYPES.items() if isinstance(value, kind))


def _key_names(described: Mapping[str, Any]) -> tuple[str, ...]:
    return tuple(each["AttributeName"] for each in described["KeySchema"])


def _kept(values: Mapping[str, Any]) -> Item:
    """A row as it is kept: nothing of the caller's own, and no attribute where there is no value."""
    return {name: _own(value) for name, value in values.items() if value is not None}


def _that_fits(row: Item) -> Item:
    """A row that DynamoDB would hold. Only one with something long in it is weighed."""
    for value in row.values():
        if type(value) in (str, list) and len(value) > _LONG:
            size = sum(len(name.encode()) + _weight(each) for name, each in row.items())
            if size > ITEM_BYTES:
                raise StoreUnavailable("DynamoDB: ValidationException")
            break
    return row


def _weight(value: Any) -> int:
    """The bytes that DynamoDB counts for a value: text as UTF-8, a byte an element and three a list or map."""
    match value:
        case str():
            return len(value.encode())
        case bytes():
            return len(value)
        case list():
            return 3 + sum(1 + _weight(each) for each in value)
        case dict():
            return 3 + sum(1 + len(name.encode()) + _weight(each) for name, each in value.items())
        case _:
            return 21  # a number at its longest


def _copied(row: Item) -> Item:
    """A row that is handed out; what it holds is plain already, so only what could be changed is copied."""
    return {name: value if type(value) in (str, int, bool) else _own(value) for name, value in row.items()}


def _own(value: Any) -> Any:
    """A value as it comes back from DynamoDB: a word of an enumeration is a plain string, a tuple a list."""
    kind = type(value)
    if kind in (str, int, bool, bytes, Decimal) or value is None:
        return value
    match value:
        case str():
            return str(value)
        case list() | tuple():
            return [_own(each) for each in value]
        case Mapping():
            return {name: _own(each) for name, each in value.items()}
        case _:
            raise TypeError(f"DynamoDB does not hold a {kind.__name__}")
