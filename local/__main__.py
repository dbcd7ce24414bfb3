"""``python -m local demo``, ``up``, ``down``, ``vacate`` or ``env``: what the make targets run.

Importing the libraries takes a moment; a Ctrl-C in it ends the process in silence and not in their midst.
"""

import os
import signal
import sys
from importlib import import_module
from types import FrameType


def _leave_at_once(number: int, _frame: FrameType | None) -> None:
    os.write(2, b"\nStopped.\n")  # nothing has been started yet, or all is done
    os._exit(128 + number)


if __name__ == "__main__":
    signal.signal(signal.SIGINT, _leave_at_once)
    sys.exit(import_module("local.commands").run(*sys.argv[1:]))
