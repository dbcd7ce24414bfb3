"""Mutants that no test can notice, since they change nothing that anybody could see: ``accepted.toml``."""

import tomllib
from dataclasses import dataclass
from pathlib import Path

from tests.mutants.faults import Fault

LIST = Path(__file__).with_name("accepted.toml")


@dataclass(frozen=True, slots=True)
class Accepted:
    """A fault of a module, and why it is none."""

    module: str
    fault: Fault
    why: str

    def __str__(self) -> str:
        return f"{self.module}, {self.fault}"


def accepted(path: Path = LIST) -> tuple[Accepted, ...]:
    """Return the list. Raises ``KeyError`` for an entry that lacks a field."""
    entries = tomllib.loads(path.read_text("utf-8")).get("equivalent", [])
    return tuple(
        Accepted(each["module"], Fault(each["where"], each["was"], each["became"]), each["why"])
        for each in entries
    )
