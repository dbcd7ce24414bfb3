"""What a write changes of a row, as a value: decided in the core, carried out by a store."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Change:
    """``values`` are set (``None`` leaves an attribute as it is), ``gone`` removed, ``added`` counted up.

    ``handed_on`` names for an attribute the one whose value it takes, as that was before the change; where there
    was none, it takes ``blank``.
    ``appended`` goes to the end of lists, which need not be there yet.
    """

    values: Mapping[str, Any] = field(default_factory=dict)
    gone: tuple[str, ...] = ()
    added: Mapping[str, int] = field(default_factory=dict)
    handed_on: Mapping[str, str] = field(default_factory=dict)
    blank: str = ""
    appended: Mapping[str, Sequence[Any]] = field(default_factory=dict)
