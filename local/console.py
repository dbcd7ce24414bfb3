"""``make console``: the link that opens the console of the stack that is up; each opens one browser."""

from pathlib import Path

from local import records
from local.processes import Failed, wait_until

_LOG = "console.log"
_BEGINS = "http://127.0.0.1:"


def main() -> None:
    """Print the link. Raises :class:`Failed` if no console is up."""
    for folder, record in records.recorded().items():
        if record.up and (folder / _LOG).exists():
            print(link_of(folder))
            return
    raise Failed("No console is up; `make up` starts one.")


def link_of(folder: Path) -> str:
    """Return the newest link of the console whose log is in a stack's folder: the one that is not used yet."""

    def newest() -> str | None:
        lines = (folder / _LOG).read_text("utf-8", errors="replace").splitlines()
        return next((line for line in reversed(lines) if line.startswith(_BEGINS)), None)

    return wait_until(newest, "The console prints its link")
