"""What a send would be, while it is still being written: checked by the code that the sender checks it with."""

import json
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from kuaixintong.core import sends
from kuaixintong.core.characters import utf16_units
from kuaixintong.core.cost import segments
from kuaixintong.core.errors import SendRefused
from kuaixintong.core.limits import MAX_MOBILES

_ANY_ID = "draft"


@dataclass(frozen=True, slots=True)
class Composition:
    """A draft in numbers, and every fault of it.

    ``units`` are UTF-16 units of the content, ``segments`` what it takes to one handset, ``mobiles`` the usable
    ones, ``invalid`` the others with the reason, ``requests`` how many the platform gets, ``cost`` messages.
    """

    units: int
    segments: int
    mobiles: int = 0
    invalid: tuple[tuple[str, str], ...] = ()
    requests: int = 0
    cost: int = 0
    faults: tuple[str, ...] = ()


class Naming:
    """Names a draft: sent twice, by a double click or again after an error, it is one send."""

    def __init__(self) -> None:
        self._fields: Mapping[str, Any] = {}
        self._fresh_id = ""

    def id_of(self, fields: Mapping[str, Any]) -> str:
        """Return the id that these fields are sent under: their own, or one that is theirs until they change."""
        if fields != self._fields:
            self._fields, self._fresh_id = dict(fields), uuid.uuid4().hex
        return str(fields.get("id") or self._fresh_id)


def mobiles_of(text: str) -> list[str]:
    """Return the mobiles that stand in a text, one a line or with commas between them."""
    for separator in ",;，；、\t":
        text = text.replace(separator, "\n")
    return [line.strip() for line in text.splitlines() if line.strip()]


def composed(fields: Mapping[str, Any]) -> Composition:
    """Return what these fields of a send come to."""
    content = str(fields.get("content") or "")
    units, pieces = utf16_units(content), segments(content)
    given = {name: value for name, value in fields.items() if value not in (None, "")}
    try:
        send = sends.parse(json.dumps(given), _ANY_ID, longest=None)
    except SendRefused as refused:
        return Composition(units, pieces, faults=refused.faults)
    mobiles = len(send.mobiles)
    return Composition(
        units,
        pieces,
        mobiles,
        tuple((each.mobile, each.reason) for each in send.invalid_mobiles),
        -(-mobiles // MAX_MOBILES),
        mobiles * pieces,
    )
