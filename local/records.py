"""What is written down of each stack on this machine, so that others can find it, use it and stop it."""

import fcntl
import json
import os
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Self

from local.processes import Failed, Process

ROOT = Path(__file__).parent.parent

_FILE = "state.json"


def stacks_folder() -> Path:
    """Return where stacks have their folders: ``.local``, unless a test keeps its own apart from the user's."""
    return Path(os.environ.get("KUAIXINTONG_STACKS", ROOT / ".local"))


@dataclass(frozen=True, slots=True)
class Record:
    """A stack as it is written down. One that outlives the process which started it has no ``owner``.

    ``exports`` are the variables that ``make env`` prints, ``outputs`` the deployed stack's; none before it is up.
    """

    name: str
    owner: Process | None
    processes: tuple[Process, ...]
    exports: Mapping[str, str]
    outputs: Mapping[str, str]

    def write(self, folder: Path) -> None:
        """Write it into the stack's folder, in one piece."""
        draft = folder / f"{_FILE}.draft"
        draft.write_text(json.dumps(asdict(self), indent=2), "utf-8")
        draft.replace(folder / _FILE)

    @classmethod
    def read(cls, path: Path) -> Self:
        """Read it back. What cannot be read, after a power cut, is a stack of which nothing is left."""
        try:
            fields = json.loads(path.read_text("utf-8"))
            owner = Process(**fields["owner"]) if fields["owner"] else None
            processes = tuple(Process(**each) for each in fields["processes"])
            return cls(fields["name"], owner, processes, fields["exports"], fields["outputs"])
        except (ValueError, KeyError, TypeError):
            return cls(path.parent.name, None, (), {}, {})

    @property
    def at_work(self) -> bool:
        """Whether the process that started it is there and will stop it."""
        return self.owner is not None and self.owner.alive

    @property
    def up(self) -> bool:
        """Whether it was left running, and anything of it runs."""
        return self.owner is None and any(process.alive for process in self.processes)

    @property
    def ended(self) -> list[str]:
        """The names of those of its processes that run no more."""
        return [process.name for process in self.processes if not process.alive]


def recorded() -> dict[Path, Record]:
    """Return every stack that is written down, by its folder."""
    return {path.parent: Record.read(path) for path in sorted(stacks_folder().glob(f"*/{_FILE}"))}


def clear_leftovers(say: Callable[[str], None], *, kept_too: bool = False) -> int:
    """Stop the stacks whose owner was killed before it could, with ``kept_too`` the kept ones; return how many.

    A kept stack of which nothing runs, since the machine was started anew, is a leftover as well.
    """
    strays = {
        folder: record
        for folder, record in recorded().items()
        if not record.at_work and (kept_too or not record.up)
    }
    for folder, record in strays.items():
        say(f"Stopping {folder.name}" if record.up else f"Clearing away {folder.name}, which has ended")
        for process in reversed(record.processes):
            process.stop()
        shutil.rmtree(folder, ignore_errors=True)
    return len(strays)


@contextmanager
def starting_alone() -> Iterator[None]:
    """Keep others from starting a stack to be kept while the block lasts. Raises :class:`Failed` if one does."""
    stacks_folder().mkdir(exist_ok=True)
    with (stacks_folder() / "up.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise Failed("Another `make up` is at work in this folder.") from None
        yield
