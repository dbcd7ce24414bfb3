"""``make down``: stop what ``make up`` started, and what a killed demo or test run has left behind."""

import os
import sys

from local import records
from local.processes import Failed


def main() -> None:
    """Stop the stacks that nobody is at work with."""
    if not records.clear_leftovers(print, kept_too=True) and not _tell_who_is_at_work():
        print("Nothing is running.")


def vacate() -> None:
    """Stop them for ``make clean``, which takes the folder away. Raises :class:`Failed` if somebody is at work."""
    with records.starting_alone():
        records.clear_leftovers(print, kept_too=True)
        if _tell_who_is_at_work():
            raise Failed("Nothing was removed.")


def _tell_who_is_at_work() -> bool:
    owners = {folder.name: record.owner for folder, record in records.recorded().items() if record.at_work}
    for name, owner in owners.items():
        if owner and owner.pid != os.getpid():
            print(
                f"{name} is at work and stops by itself: Ctrl-C where it was started, or its end.", file=sys.stderr
            )
    return bool(owners)
