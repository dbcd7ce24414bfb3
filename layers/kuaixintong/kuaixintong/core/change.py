"""What a write changes of a row, as a value: decided in the core, carried out by a store."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Change:
    """``values`` are set (``None`` leaves an attribute as it is), ``gone`` removed, ``added`` counted up."""

    values: Mapping[str, Any] = field(default_factory=dict)
    gone: tuple[str, ...] = ()
    added: Mapping[str, int] = field(default_factory=dict)
