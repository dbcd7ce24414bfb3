"""The local stack of ``make up``, found by what it has written down of itself.

It is looked for in the folder that the process works in and in those above it, in the one that
``KUAIXINTONG_STACKS`` names, and in the checkout that this package lies in, if it lies in one.
"""

import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

_FOLDER = ".local"
_RECORD = "*/state.json"
_LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})


@dataclass(frozen=True, slots=True)
class LocalStack:
    """A local stack that is up. ``control`` is the simulated platform's own door, ``push_url`` the stack's."""

    name: str
    folder: Path
    emulator: str
    region: str
    control: str
    push_url: str
    processes: tuple[int, ...]


def local_stack() -> LocalStack | None:
    """Return the local stack that is up; ``None`` if there is none."""
    return next(filter(_runs, _written_down()), None)


def _written_down() -> Iterator[LocalStack]:
    for folder in dict.fromkeys(_folders()):
        for path in sorted(folder.glob(_RECORD)):
            if stack := _read(path):
                yield stack


def _folders() -> Iterator[Path]:
    if told := os.environ.get("KUAIXINTONG_STACKS"):
        yield Path(told)  # and nowhere else: a test's stacks are not the user's
        return
    here = Path.cwd()
    yield from (folder / _FOLDER for folder in (here, *here.parents))
    yield from (folder / _FOLDER for folder in Path(__file__).parents if (folder / "samconfig.toml").exists())


def _read(path: Path) -> LocalStack | None:
    """Return the stack that a record tells of, if it was left running and is on this machine."""
    try:
        record: Mapping[str, Any] = json.loads(path.read_text("utf-8"))
        exports = record["exports"]
        stack = LocalStack(
            record["name"],
            path.parent,
            exports["AWS_ENDPOINT_URL"],
            exports["AWS_DEFAULT_REGION"],
            exports["CONTROL"],
            exports["PUSH"],
            tuple(int(each["pid"]) for each in record["processes"]),
        )
    except (OSError, ValueError, LookupError, TypeError):
        return None  # one that comes up just now, or that a power cut has left behind
    return stack if urlsplit(stack.emulator).hostname in _LOOPBACK else None


def _runs(stack: LocalStack) -> bool:
    return any(map(_alive, stack.processes))


def _alive(process: int) -> bool:
    try:
        os.kill(process, 0)  # asks, and sends nothing
    except PermissionError:
        return True
    except OSError:
        return False
    return True
